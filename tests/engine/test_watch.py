import select
import threading
from dataclasses import replace

import pytest

from segue.engine.watch import Watch
from segue.model.errors import ExecutorError
from segue.model.events import Ended, Returned, Started, Submitted
from segue.model.states import Cause
from segue.model.workflow import Argv
from segue.protocols.executor import Capabilities, Job, JobKey
from segue.testing.fake_executor import FakeExecutor

KEY = JobKey("r", 0, 1)
JOB = Job(KEY, "a", Argv(("true",)), "/f", "/")
PATIENCE_MS = 10_000


class Asked(FakeExecutor):
    """A fake batch system: it says nothing until it is asked, and counts how often."""

    def __init__(self, **settings) -> None:
        super().__init__(**settings)
        self.polls = 0
        self.failing = False
        self.submitted = threading.Event()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(pushes=False, poll_interval_s=0.01)

    def reopen(self):
        return Asked(clock=self.clock, place=self.place)

    def submit(self, jobs):
        if self.failing:
            raise ExecutorError("sbatch: no answer")
        found = super().submit(jobs)
        self.submitted.set()
        return found

    def poll(self, jobs):
        self.polls += 1
        if self.failing:
            raise ExecutorError("squeue: no answer")
        return self.collect()


@pytest.fixture
def inner():
    return Asked()


@pytest.fixture
def watch(inner):
    watch = Watch(inner)
    yield watch
    watch.close()


def wait_for_news(watch):
    poll = select.poll()
    poll.register(watch.fileno(), select.POLLIN)
    assert poll.poll(PATIENCE_MS), "nothing was told"
    return [report for _, report in watch.collect()]


class Hinted(Asked):
    """A batch system that can use a hint."""

    def __init__(self, **settings) -> None:
        super().__init__(**settings)
        self.hinted = threading.Event()

    def hint(self, jobs):
        assert list(jobs) == [KEY]
        self.hinted.set()


def test_a_hint_reaches_the_executor_in_its_own_thread():
    inner = Hinted()
    watch = Watch(inner)

    watch.hint([KEY])

    assert inner.hinted.wait(PATIENCE_MS / 1000)
    watch.close()


def test_a_hint_for_an_executor_that_can_do_nothing_with_it_does_nothing(watch, inner):
    watch.hint([KEY])
    watch.submit([JOB])

    assert inner.submitted.wait(PATIENCE_MS / 1000)


class Due(Asked):
    """A batch system that knows when it should be asked: when the test says so."""

    def __init__(self, **settings) -> None:
        super().__init__(**settings)
        self.is_due = threading.Event()
        self.polled = threading.Event()

    def due_s(self):
        return 0.0 if self.is_due.is_set() else 3600.0

    def poll(self, jobs):
        self.is_due.clear()
        self.polled.set()
        return super().poll(jobs)


class Busy(Asked):
    """A batch system whose first submission takes until the test lets it go on."""

    def __init__(self, **settings) -> None:
        super().__init__(**settings)
        self.begun = threading.Event()
        self.go_on = threading.Event()

    def submit(self, jobs):
        self.begun.set()
        assert self.go_on.wait(10)
        return super().submit(jobs)


def test_it_looks_like_an_executor_that_tells(watch):
    assert watch.capabilities.pushes


def test_what_a_poll_finds_is_told(watch, inner):
    watch.submit([JOB])
    assert inner.submitted.wait(10)

    inner.start(KEY)
    assert isinstance(wait_for_news(watch)[0], Started)
    inner.finish(KEY, exit_code=3)

    assert wait_for_news(watch)[0].exit_code == 3


def test_a_poll_that_fails_changes_nothing(watch, inner):
    watch.submit([JOB])
    assert inner.submitted.wait(10)
    inner.failing = True
    seen = inner.polls
    while inner.polls < seen + 3:
        threading.Event().wait(0.001)
    assert watch.collect() == []

    inner.failing = False
    inner.finish(KEY)

    assert wait_for_news(watch)[0].cause is None


def test_a_place_that_goes_on_being_silent_is_spoken_of_once(watch, inner, caplog):
    watch.submit([JOB])
    assert inner.submitted.wait(10)
    inner.failing = True
    seen = inner.polls
    while inner.polls < seen + 5:
        threading.Event().wait(0.001)
    inner.failing = False
    inner.finish(KEY)
    wait_for_news(watch)

    said = [each.getMessage() for each in caplog.records]
    assert said == ["fake could not be asked: squeue: no answer", "fake answers again"]


def test_a_submission_that_fails_ends_the_attempt_as_unreachable(watch, inner):
    inner.failing = True

    watch.submit([JOB])

    (ended,) = wait_for_news(watch)
    assert isinstance(ended, Ended)
    assert (ended.cause, ended.message) == (Cause.UNREACHABLE, "sbatch: no answer")


def test_jobs_that_were_found_are_polled_for(inner):
    inner.submit([JOB])
    inner.start(KEY)
    inner.collect()
    watch = Watch(inner.reopen())
    (answer,) = watch.find({KEY: "7"})
    assert isinstance(answer.report, Started)

    watch._inner.finish(KEY, exit_code=1)

    assert wait_for_news(watch)[0].exit_code == 1
    watch.close()


def test_a_cancel_reaches_the_batch_system(watch, inner):
    watch.submit([JOB])

    watch.cancel({KEY: ""})

    assert Cause.CANCELLED in [report.cause for report in wait_for_news(watch)]


def test_an_executor_that_knows_when_is_polled_when_it_is_due_and_not_before():
    inner = Due()
    watch = Watch(inner)
    watch.submit([JOB])
    assert inner.submitted.wait(10)
    inner.finish(KEY, exit_code=2)
    assert not inner.polls

    inner.is_due.set()

    assert wait_for_news(watch)[0].exit_code == 2
    assert inner.polls == 1
    watch.close()


def test_what_is_not_yet_submitted_is_given_back_at_a_recall():
    inner = Busy()
    watch = Watch(inner)
    watch.submit([JOB])
    assert inner.begun.wait(10)
    late = JobKey("r", 1, 1)
    watch.submit([replace(JOB, key=late)])

    watch.recall()

    (returned,) = wait_for_news(watch)
    assert (type(returned), returned.task) == (Returned, late.task)
    inner.go_on.set()
    watch.close()
    assert inner.place.handed_over == [KEY]


def test_a_find_that_cannot_be_answered_says_so(inner, watch):
    inner.place.unreachable = ExecutorError("squeue: no answer")

    with pytest.raises(ExecutorError, match="no answer"):
        watch.find({KEY: ""})


def test_the_executor_is_never_spoken_to_by_two_threads_at_once():
    inner = Busy()
    watch = Watch(inner)
    watch.submit([JOB])
    assert inner.begun.wait(10)
    answers = []
    finder = threading.Thread(target=lambda: answers.extend(watch.find({KEY: ""})))
    finder.start()
    finder.join(0.05)
    assert not answers

    inner.go_on.set()
    finder.join(10)

    assert isinstance(answers[0].report, Submitted)
    watch.close()
