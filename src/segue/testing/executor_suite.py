"""What every executor must do: a suite that its tests join.

Write a subclass in the executor's test file; pytest runs all that is here for it::

    class TestSlurm(ExecutorSuite):
        @pytest.fixture
        def executor(self, cluster):
            with closing(open_place(cluster.url)) as executor:
                yield executor

        def reopen(self, executor):
            return open_place(executor.url)

`executor` is the one under test, and `reopen` a second one on the same place, as an engine
opens it after its predecessor was killed; the first is not used any more. The suite closes
what `reopen` returns.

An executor that runs no real programs (a fake) sets ``runs_programs = False`` and says in
`job_that_ends`, `job_that_waits`, `let_begin` and `let_end` how its jobs come to an end.
Where the place differs by nature (a batch system accepts a program that does not exist),
override that one test and say why.
"""

# The name of a test is its docstring.
# ruff: noqa: D102

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from segue.model.events import Ended, Returned, Started, Submitted
from segue.model.states import Cause
from segue.model.workflow import EMPTY, Action, Argv, Script
from segue.protocols.executor import Executor, Job, JobKey, RunReport

_Report = TypeVar("_Report", Submitted, Started, Ended, Returned)


class Watcher:
    """Waits for reports of an executor, and remembers all it has heard.

    A wait that takes longer than `limit_s` fails the test with what was heard so far.
    """

    def __init__(self, executor: Executor, limit_s: float = 30.0) -> None:
        self.executor = executor
        self.limit_s = limit_s
        self.heard: list[RunReport] = []
        self._job_ids: dict[JobKey, str] = {}

    def submit(self, *jobs: Job) -> None:
        """Hand the jobs over and keep what is known at once."""
        self._job_ids.update({job.key: "" for job in jobs})
        self._hear(self.executor.submit(jobs))

    def find(self, *keys: JobKey) -> dict[JobKey, Any]:
        """Ask for the jobs; return the one answer of each."""
        answers = self.executor.find(dict.fromkeys(keys, ""))
        self._hear(answers)
        self._job_ids.update({key: self._job_ids.get(key, "") for key in keys})
        assert len(answers) == len(keys), f"not one answer a job: {answers}"
        return {_key(answer): answer.report for answer in answers}

    def until(self, done: Callable[[], bool]) -> None:
        """Take reports in until `done` says so."""
        deadline = time.monotonic() + self.limit_s
        while not done():
            left = deadline - time.monotonic()
            assert left > 0, f"nothing more came; heard so far: {self.heard}"
            self._hear(self._next(left))

    def first(self, kind: type[_Report], key: JobKey) -> _Report:
        """Return the first report of this kind about the job; wait for it."""
        self.until(lambda: bool(self.all(kind, key)))
        return self.all(kind, key)[0]

    def end(self, key: JobKey) -> Ended:
        """Return how the job ended; wait for it."""
        return self.first(Ended, key)

    def ends(self, keys: Sequence[JobKey]) -> list[Ended]:
        """Return how the jobs ended, in the order of `keys`; wait for all."""
        return [self.end(key) for key in keys]

    def all(self, kind: type[_Report], key: JobKey) -> list[_Report]:
        """Return all reports of this kind about the job that were heard."""
        reports = [heard.report for heard in self.heard if _key(heard) == key]
        return [report for report in reports if isinstance(report, kind)]

    def _next(self, left_s: float) -> Sequence[RunReport]:
        if self.executor.fileno() >= 0:
            news = select.poll()
            news.register(self.executor.fileno(), select.POLLIN)
            news.poll(left_s * 1000)
            return self.executor.collect()
        time.sleep(self.executor.capabilities.poll_interval_s)
        return self.executor.poll(self._job_ids)

    def _hear(self, reports: Sequence[RunReport]) -> None:
        self.heard += reports
        for heard in reports:
            if isinstance(heard.report, Submitted | Started):
                self._job_ids[_key(heard)] = heard.report.job_id


def _key(heard: RunReport) -> JobKey:
    return JobKey(heard.run, heard.report.task, heard.report.attempt)


class ExecutorSuite:
    """The tests. See the module's docstring for how to join."""

    #: Whether jobs are real processes that can read and write files of this machine.
    runs_programs = True

    # -- what a subclass gives --------------------------------------------------------

    @pytest.fixture
    def executor(self) -> Any:
        """The executor under test."""
        raise NotImplementedError

    def reopen(self, executor: Any) -> Executor:
        """Return another executor on the same place, as after a crash."""
        raise NotImplementedError

    def job(self, tmp_path: Path, number: int, action: Action, **fields: Any) -> Job:
        """Return a job of the run ``suite``; its folders do not exist yet."""
        key = JobKey("suite", number, 1)
        folder = str(tmp_path / "attempts" / f"{number}.1")
        return Job(key, f"task {number}", action, folder, str(tmp_path / "work"), **fields)

    def job_that_ends(self, tmp_path: Path, number: int, exit_code: int = 0) -> Job:
        """Return a job that ends by itself with this exit code."""
        return self.job(tmp_path, number, Argv(("/bin/sh", "-c", f"exit {exit_code}")))

    def job_that_waits(self, tmp_path: Path, number: int, exit_code: int = 0) -> Job:
        """Return a job that ends with this exit code once `let_end` is called."""
        gate = tmp_path / f"gate.{number}"
        os.mkfifo(gate)
        command = f"read line < '{gate}'; exit {exit_code}"
        return self.job(tmp_path, number, Argv(("/bin/sh", "-c", command)))

    def let_begin(self, executor: Any, job: Job) -> None:
        """Let a job begin, where that does not come by itself."""

    def let_end(self, executor: Any, tmp_path: Path, job: Job) -> None:
        """Let a job of `job_that_waits` end; waits until it listens."""
        with open(tmp_path / f"gate.{job.key.task}", "w") as gate:
            gate.write("go\n")

    # -- help for the tests -----------------------------------------------------------

    @pytest.fixture
    def watcher(self, executor: Any) -> Watcher:
        """A watcher of the executor under test."""
        return Watcher(executor)

    @pytest.fixture
    def reopened(self, executor: Any) -> Iterator[Callable[[], Watcher]]:
        """Opens a second executor when called; closes it after the test."""
        opened = []

        def call() -> Watcher:
            opened.append(self.reopen(executor))
            return Watcher(opened[-1])

        yield call
        for each in opened:
            each.close()

    def _run(self, watcher: Watcher, job: Job) -> Ended:
        if not self.runs_programs:
            pytest.skip("runs no programs")
        watcher.submit(job)
        return watcher.end(job.key)

    # -- ends -------------------------------------------------------------------------

    def test_a_job_that_exits_with_zero_ended_well(self, watcher: Watcher, tmp_path: Path) -> None:
        job = self.job_that_ends(tmp_path, 0)
        watcher.submit(job)
        self.let_begin(watcher.executor, job)

        end = watcher.end(job.key)

        assert (end.cause, end.exit_code, end.signal) == (None, 0, None)

    def test_an_exit_code_is_reported(self, watcher: Watcher, tmp_path: Path) -> None:
        job = self.job_that_ends(tmp_path, 0, exit_code=3)
        watcher.submit(job)
        self.let_begin(watcher.executor, job)

        end = watcher.end(job.key)

        assert (end.cause, end.exit_code) == (Cause.EXIT_CODE, 3)

    def test_the_signal_that_ended_a_job_is_reported(
        self, watcher: Watcher, tmp_path: Path
    ) -> None:
        job = self.job(tmp_path, 0, Argv(("/bin/sh", "-c", "kill -SEGV $$")))

        end = self._run(watcher, job)

        assert (end.cause, end.signal, end.exit_code) == (Cause.SIGNAL, signal.SIGSEGV, None)

    def test_many_jobs_end_once_each(self, watcher: Watcher, tmp_path: Path) -> None:
        jobs = [self.job_that_ends(tmp_path, number, number % 3) for number in range(40)]
        watcher.submit(*jobs)
        for job in jobs:
            self.let_begin(watcher.executor, job)

        ends = watcher.ends([job.key for job in jobs])

        assert [end.exit_code for end in ends] == [number % 3 for number in range(40)]
        assert all(len(watcher.all(Ended, job.key)) == 1 for job in jobs)

    def test_a_start_is_reported_with_a_job_id(self, watcher: Watcher, tmp_path: Path) -> None:
        job = self.job_that_waits(tmp_path, 0)
        watcher.submit(job)
        self.let_begin(watcher.executor, job)

        started = watcher.first(Started, job.key)

        assert started.job_id
        self.let_end(watcher.executor, tmp_path, job)
        assert watcher.end(job.key).cause is None

    # -- what a job sees --------------------------------------------------------------

    def test_output_is_in_the_folder(self, watcher: Watcher, tmp_path: Path) -> None:
        job = self.job(tmp_path, 0, Argv(("/bin/sh", "-c", "echo out; echo err >&2")))

        self._run(watcher, job)

        assert Path(job.folder, "stdout").read_text() == "out\n"
        assert Path(job.folder, "stderr").read_text() == "err\n"

    def test_arguments_reach_the_program_as_they_are(
        self, watcher: Watcher, tmp_path: Path
    ) -> None:
        job = self.job(
            tmp_path, 0, Argv(("/usr/bin/printf", "[%s]", "a b", "", "*", "$HOME", "ü\n"))
        )

        self._run(watcher, job)

        assert Path(job.folder, "stdout").read_text() == "[a b][][*][$HOME][ü\n]"

    def test_a_script_runs_with_its_shell(self, watcher: Watcher, tmp_path: Path) -> None:
        text = "#!/bin/bash\nset -- a b\necho ${BASH_VERSION:+bash} $#\n"
        job = self.job(tmp_path, 0, Script(text))

        self._run(watcher, job)

        assert Path(job.folder, "stdout").read_text() == "bash 2\n"

    def test_stdin_is_empty(self, watcher: Watcher, tmp_path: Path) -> None:
        job = self.job(tmp_path, 0, Argv(("/bin/cat",)))

        assert self._run(watcher, job).cause is None

    def test_the_working_directory_is_made_and_used(self, watcher: Watcher, tmp_path: Path) -> None:
        job = self.job(tmp_path, 0, Argv(("/bin/pwd",)))
        job = replace(job, workdir=str(tmp_path / "deep" / "er"))

        self._run(watcher, job)

        assert Path(job.folder, "stdout").read_text() == f"{job.workdir}\n"

    def test_the_environment_is_changed_as_asked(
        self, watcher: Watcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GOES", "1")
        monkeypatch.setenv("STAYS", "2")
        variables: Mapping[str, str | None] = {"GOES": None, "NEW": "a b"}
        job = self._print_environment(tmp_path, environment=variables)

        self._run(watcher, job)

        assert Path(job.folder, "stdout").read_text() == "gone 2 a b\n"

    def test_a_clear_environment_holds_only_what_was_asked(
        self, watcher: Watcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("STAYS", "2")
        job = self._print_environment(tmp_path, environment={"NEW": "n"}, clear_environment=True)

        self._run(watcher, job)

        assert Path(job.folder, "stdout").read_text() == "gone gone n\n"

    def _print_environment(
        self,
        tmp_path: Path,
        environment: Mapping[str, str | None] = EMPTY,
        clear_environment: bool = False,
    ) -> Job:
        command = "echo ${GOES-gone} ${STAYS-gone} ${NEW-gone}"
        return self.job(
            tmp_path,
            0,
            Argv(("/bin/sh", "-c", command)),
            environment=environment,
            clear_environment=clear_environment,
        )

    # -- stopping ---------------------------------------------------------------------

    def test_a_missing_program_is_refused(self, watcher: Watcher, tmp_path: Path) -> None:
        job = self.job(tmp_path, 0, Argv(("no-such-program",)))

        end = self._run(watcher, job)

        assert end.cause is Cause.REFUSED
        assert "no-such-program" in end.message

    def test_a_job_is_stopped_at_its_timeout(self, watcher: Watcher, tmp_path: Path) -> None:
        if not self.runs_programs:
            pytest.skip("runs no programs")
        job = replace(self.job_that_waits(tmp_path, 0), timeout_s=0.05)

        assert self._run(watcher, job).cause is Cause.TIMED_OUT

    def test_a_running_job_can_be_cancelled(self, watcher: Watcher, tmp_path: Path) -> None:
        job = self.job_that_waits(tmp_path, 0)
        watcher.submit(job)
        self.let_begin(watcher.executor, job)
        job_id = watcher.first(Started, job.key).job_id

        watcher.executor.cancel({job.key: job_id})

        assert watcher.end(job.key).cause is Cause.CANCELLED

    def test_a_job_that_has_not_begun_can_be_cancelled(
        self, watcher: Watcher, tmp_path: Path
    ) -> None:
        held, job = self._fill(watcher, tmp_path)

        watcher.executor.cancel({job.key: ""})

        assert watcher.end(job.key).cause is Cause.CANCELLED
        watcher.executor.cancel({each.key: "" for each in held})
        watcher.ends([each.key for each in held])

    def test_cancelling_what_is_not_there_does_nothing(
        self, watcher: Watcher, tmp_path: Path
    ) -> None:
        job = self.job_that_ends(tmp_path, 0)

        watcher.executor.cancel({job.key: "", JobKey("other", 7, 1): ""})

        watcher.submit(job)
        self.let_begin(watcher.executor, job)
        assert watcher.end(job.key).cause is None

    def test_recall_gives_back_what_has_not_begun(self, watcher: Watcher, tmp_path: Path) -> None:
        held, job = self._fill(watcher, tmp_path)

        watcher.executor.recall()

        watcher.first(Returned, job.key)
        for each in held:
            assert not watcher.all(Returned, each.key)
            self.let_end(watcher.executor, tmp_path, each)
        assert {end.cause for end in watcher.ends([each.key for each in held])} == {None}

    def _fill(self, watcher: Watcher, tmp_path: Path) -> tuple[list[Job], Job]:
        """Fill all slots with jobs that wait; return them and one that has not begun."""
        slots = watcher.executor.capabilities.slots
        if slots is None:
            pytest.skip("begins everything at once")
        held = [self.job_that_waits(tmp_path, number) for number in range(slots)]
        job = self.job_that_waits(tmp_path, slots)
        watcher.submit(*held, job)
        for each in held:
            self.let_begin(watcher.executor, each)
            watcher.first(Started, each.key)
        return held, job

    def test_a_job_handed_over_twice_runs_once(self, watcher: Watcher, tmp_path: Path) -> None:
        job = self.job_that_waits(tmp_path, 0)
        watcher.submit(job)
        watcher.submit(job)
        self.let_begin(watcher.executor, job)
        watcher.first(Started, job.key)
        self.let_end(watcher.executor, tmp_path, job)
        watcher.end(job.key)

        last = self.job_that_ends(tmp_path, 1)
        watcher.submit(last)
        self.let_begin(watcher.executor, last)
        watcher.end(last.key)

        assert len(watcher.all(Started, job.key)) == 1
        assert len(watcher.all(Ended, job.key)) == 1

    # -- after a crash of the engine --------------------------------------------------

    def test_a_running_job_is_adopted_and_its_exit_code_learnt(
        self, watcher: Watcher, reopened: Callable[[], Watcher], tmp_path: Path
    ) -> None:
        job = self.job_that_waits(tmp_path, 0, exit_code=5)
        watcher.submit(job)
        self.let_begin(watcher.executor, job)
        watcher.first(Started, job.key)
        heir = reopened()

        answer = heir.find(job.key)[job.key]

        assert isinstance(answer, Started)
        self.let_end(heir.executor, tmp_path, job)
        assert (heir.end(job.key).exit_code, heir.end(job.key).cause) == (5, Cause.EXIT_CODE)

    def test_an_adopted_job_can_be_cancelled(
        self, watcher: Watcher, reopened: Callable[[], Watcher], tmp_path: Path
    ) -> None:
        job = self.job_that_waits(tmp_path, 0)
        watcher.submit(job)
        self.let_begin(watcher.executor, job)
        watcher.first(Started, job.key)
        heir = reopened()
        heir.find(job.key)

        heir.executor.cancel({job.key: ""})

        assert heir.end(job.key).cause is Cause.CANCELLED

    def test_the_end_of_a_job_is_found_until_it_is_forgotten(
        self, watcher: Watcher, reopened: Callable[[], Watcher], tmp_path: Path
    ) -> None:
        job = self.job_that_ends(tmp_path, 0, exit_code=4)
        watcher.submit(job)
        self.let_begin(watcher.executor, job)
        watcher.end(job.key)

        answer = reopened().find(job.key)[job.key]

        assert isinstance(answer, Ended)
        assert answer.exit_code == 4

    def test_a_job_that_never_came_is_returned(
        self, reopened: Callable[[], Watcher], tmp_path: Path
    ) -> None:
        job = self.job_that_ends(tmp_path, 0)

        assert isinstance(reopened().find(job.key)[job.key], Returned)

    def test_a_job_that_had_not_begun_is_returned_or_still_held(
        self, watcher: Watcher, reopened: Callable[[], Watcher], tmp_path: Path
    ) -> None:
        held, job = self._fill(watcher, tmp_path)
        heir = reopened()

        answers = heir.find(*(each.key for each in held), job.key)

        assert isinstance(answers[job.key], Returned | Submitted)
        assert {type(answers[each.key]) for each in held} == {Started}
        heir.executor.cancel({each.key: "" for each in (*held, job)})
        heir.ends([each.key for each in held])

    def test_forgetting_is_harmless_twice_and_for_strangers(
        self, watcher: Watcher, tmp_path: Path
    ) -> None:
        job = self.job_that_ends(tmp_path, 0)
        watcher.submit(job)
        self.let_begin(watcher.executor, job)
        watcher.end(job.key)

        watcher.executor.forget([job.key, JobKey("other", 7, 1)])
        watcher.executor.forget([job.key])

        assert not watcher.executor.collect()
