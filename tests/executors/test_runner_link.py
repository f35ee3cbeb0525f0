"""The line to one runner when answers are lost, or say no for reasons of their own."""

import queue
import threading

import pytest
from places import job, key

from segue.executors.runner_client import RunnerRefusedError, RunnerSilentError
from segue.executors.runner_farm import Farm
from segue.executors.runner_journal import Journal
from segue.executors.runner_link import RunnerLink
from segue.executors.runner_news import Given, NotGiven, Silent
from segue.model.pools import RunnerSettings
from segue.protocols.runner import Capacity, Changes, Order

LIMIT_S = 30.0
NAME = key(0).name
HAS = Capacity({"cores": 4}, {"cores": 4}, "host", "boot")
LOST_ANSWER = RunnerSilentError("it does not answer in time")


class Client:
    """Says to orders what is in `answers`, and to nothing else anything of interest."""

    url = "http://runner:2504"

    def __init__(self, *answers):
        self.answers = queue.SimpleQueue()
        for each in answers:
            self.answers.put(each)
        self.asked = queue.SimpleQueue()
        self.hung_up = threading.Event()

    def capacity(self):
        return HAS

    def put(self, order):
        self.asked.put(order.job.key.name)
        answer = self.answers.get(timeout=LIMIT_S)
        if answer is not None:
            raise answer

    def changes(self, owner, after, wait_s):
        self.hung_up.wait(wait_s)
        return Changes(HAS, 1, ())

    def told(self, name):
        return None

    def interrupt(self):
        self.hung_up.set()

    def close(self):
        pass


class Line:
    """A link to a client, and what it has told of orders."""

    def __init__(self, state, client):
        self.client = client
        self.news = queue.SimpleQueue()
        self.journal = Journal(state)
        self.link = RunnerLink(client, self.journal, "me", lambda link, news: self.news.put(news))

    def give(self, tmp_path, number=0):
        self.link.give(Order("me", 600.0, {"cores": 1}, job(tmp_path, number, "true")))

    def word(self):
        while not isinstance(news := self.news.get(timeout=LIMIT_S), Given | NotGiven):
            pass
        return news

    def close(self):
        self.link.leave()
        self.link.close()
        self.journal.close()


@pytest.fixture
def lined(tmp_path):
    made = []

    def line(*answers):
        made.append(Line(tmp_path / "state", Client(*answers)))
        return made[-1]

    yield line
    for each in made:
        each.close()


REFUSALS = [
    RunnerRefusedError(401, "unauthorized", "the token is not known"),
    RunnerRefusedError(404, "not_found", "there is nothing"),
    RunnerRefusedError(500, "internal", "this is a fault"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda error: error.code)
def test_after_a_lost_answer_only_a_no_to_the_job_is_a_no(lined, tmp_path, refusal):
    line = lined(LOST_ANSWER, refusal, None)

    line.give(tmp_path)

    assert line.word() == Given(NAME)
    assert line.client.asked.qsize() == 3


def test_after_a_lost_answer_a_no_to_the_job_lets_others_have_it(lined, tmp_path):
    line = lined(LOST_ANSWER, RunnerRefusedError(409, "insufficient_capacity", "full"))

    line.give(tmp_path)

    assert line.word() == NotGiven(NAME, full=True)


def test_a_first_no_to_us_lets_others_have_the_job(lined, tmp_path):
    line = lined(REFUSALS[0])

    line.give(tmp_path)

    assert line.word() == NotGiven(NAME)


def test_a_fault_of_the_runner_may_have_come_after_it_took_the_job(lined, tmp_path):
    line = lined(REFUSALS[2], None)

    line.give(tmp_path)

    assert line.word() == Given(NAME)


def test_what_is_dropped_while_it_is_handed_over_is_not_handed_over_again(lined, tmp_path):
    line = lined()
    line.give(tmp_path)
    assert line.client.asked.get(timeout=LIMIT_S) == NAME

    line.link.drop(NAME)
    line.client.answers.put(LOST_ANSWER)

    while not isinstance(line.news.get(timeout=LIMIT_S), Silent):
        pass
    line.client.answers.put(None)
    line.give(tmp_path, 1)
    while line.word() != Given(key(1).name):  # given back: it has not answered again yet
        line.give(tmp_path, 1)
    assert line.client.asked.get(timeout=LIMIT_S) == key(1).name


def test_all_lines_are_left_before_one_is_waited_for(tmp_path, monkeypatch):
    steps = []
    for name in ("leave", "close"):
        step = getattr(RunnerLink, name)
        monkeypatch.setattr(
            RunnerLink, name, lambda link, n=name, do=step: steps.append(n) or do(link)
        )
    journal = Journal(tmp_path / "state")
    farm = Farm(RunnerSettings(("http://127.0.0.1:1", "http://127.0.0.1:2")), "", journal, "me")

    farm.hang_up()

    assert steps == ["leave", "leave", "close", "close"]
    farm.close()
    journal.close()
