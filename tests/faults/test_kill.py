"""Engines and keepers are killed at random moments: each run ends as it would have.

SEGUE_KILL_SEED repeats a storm; each test prints the seed that it took.
"""

import itertools
import os
import random
from collections import defaultdict

import pytest
from chaos import Place, tasks_of
from storms import Storm, calm, read_log, verdicts

pytestmark = pytest.mark.slow

#: What a spoilt attempt may have written: killed before, in or after its work. Its keeper
#: cannot be reached when it is killed before it has begun anything.
WRITTEN = {"lost": [[], ["start"], ["start", "end"]], "unreachable": [[]]}
SPOILT = set(WRITTEN)


@pytest.fixture(scope="module")
def calm_runs(tmp_path_factory):
    """What undisturbed runs of the files came to, each run once."""
    found = {}

    def of(seed):
        if seed % 2 not in found:
            place = Place(tmp_path_factory.mktemp("calm"))
            found[seed % 2] = calm(place, seed)
            place.close()
        return found[seed % 2]

    return of


def storms(tmp_path, kinds, kills, at_once):
    """Yield runs that have ended in spite of kills, until there were so many kills."""
    given = int(os.environ.get("SEGUE_KILL_SEED", "0"))
    first = given or random.SystemRandom().randrange(1 << 31)
    for seed in itertools.count(first):
        print(f"SEGUE_KILL_SEED={seed}")  # noqa: T201 - shown when the test fails
        place = Place(tmp_path / str(seed))
        try:
            storm = Storm(place, seed, kinds)
            answer = storm.blow(min(kills, at_once)).end()
            assert answer.code == 1, answer
            kills -= storm.kills
            yield seed, storm
        finally:
            place.close()
        if kills <= 0:
            return


def attempts_in(lines):
    """Return the lines of each attempt, and the attempts of each task in their order."""
    by_attempt, by_task = defaultdict(list), defaultdict(list)
    for line in lines:
        by_attempt[line.task, line.attempt].append(line)
        by_task[line.task].append((line.attempt, line.what))
    return by_attempt, by_task


def check_told_truly(status, lines):
    """Each attempt began once, in its turn, and the stored end is the true one."""
    by_attempt, by_task = attempts_in(lines)
    for name, task in tasks_of(status).items():
        numbers = [attempt["number"] for attempt in task["attempts"]]
        assert numbers == list(range(1, len(numbers) + 1)), task
        assert {number for number, _ in by_task[name]} <= set(numbers), task
        # "end" of an attempt after "start" of the next one would mean an overlap.
        assert by_task[name] == sorted(by_task[name], key=lambda each: each[0]), by_task[name]
        for attempt in task["attempts"]:
            written = by_attempt[name, attempt["number"]]
            assert [line.what for line in written] in WRITTEN.get(
                attempt["cause"], [["start", "end"]]
            ), (attempt, written)
            if attempt["cause"] not in SPOILT:
                code = written[1].code
                told = (attempt["exit_code"], attempt["signal"])
                assert told == ((code, None) if code >= 0 else (None, -code)), (attempt, written)


def check_ended_as_it_would_have(status, lines, calm_verdicts):
    check_told_truly(status, lines)
    assert verdicts(status) == calm_verdicts


@pytest.mark.parametrize("part", range(3))
def test_an_engine_may_be_killed_at_any_moment(tmp_path, calm_runs, part):
    for seed, storm in storms(tmp_path, ["engine"], kills=12, at_once=12):
        status, lines = storm.place.status(storm.run), read_log(storm.log)

        check_ended_as_it_would_have(status, lines, calm_runs(seed)[0])
        # Nothing was lost, so each task had exactly the attempts of a calm run.
        assert {(line.task, line.attempt, line.what, line.code) for line in lines} == {
            (line.task, line.attempt, line.what, line.code) for line in calm_runs(seed)[1]
        }
        assert not storm.place.task_processes(storm.run)


@pytest.mark.parametrize("part", range(2))
def test_an_engine_and_its_keepers_may_be_killed_together(tmp_path, calm_runs, part):
    lost = 0
    # More at once could lose one task four times, which is more than its budget.
    for seed, storm in storms(tmp_path, ["engine", "keeper"], kills=7, at_once=3):
        lost += check_after_losses(storm, *calm_runs(seed))

    assert lost


def test_a_keeper_may_be_killed_while_its_engine_lives(tmp_path, calm_runs):
    lost = 0
    for seed, storm in storms(tmp_path, ["keeper"], kills=4, at_once=3):
        assert len(storm.place.engines) == 1, "the engine went on by itself"
        lost += check_after_losses(storm, *calm_runs(seed))

    assert lost


def check_after_losses(storm, calm_verdicts, calm_lines):
    """Check a run that has lost attempts; return how many."""
    status, lines = storm.place.status(storm.run), read_log(storm.log)
    check_ended_as_it_would_have(status, lines, calm_verdicts)
    assert not storm.place.task_processes(storm.run)
    calm_attempts = defaultdict(set)
    for line in calm_lines:
        calm_attempts[line.task].add(line.attempt)
    lost = 0
    for name, task in tasks_of(status).items():
        spoilt = [attempt for attempt in task["attempts"] if attempt["cause"] in SPOILT]
        lost += len(spoilt)
        if task["state"] == "failed":
            # What was lost has not been counted as a failure.
            assert len(task["attempts"]) - len(spoilt) == len(calm_attempts[name])
    return lost
