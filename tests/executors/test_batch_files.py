"""Journals, bells and files of jobs of a batch system."""

import os
import time
from pathlib import Path

import pytest
from places import job

from segue.executors import batch_files
from segue.executors.batch_bell import Bells
from segue.executors.batch_command import NoAnswerError, run
from segue.executors.batch_files import PrepareError, prepare
from segue.executors.batch_journal import Intent, Journal, read_all, tidy
from segue.model.errors import ExecutorError
from segue.model.states import Cause
from segue.model.workflow import Script


def intent(name, ticket="0a", element=None):
    return Intent(name, ticket, element, "/f", "/w", {"stdout": "x"}, 5.0)


def old(path):
    """Let a file look as if nobody had touched it for an hour."""
    os.utime(path, (time.time() - 3600,) * 2)


# Journal -----------------------------------------------------------------------------


def test_what_one_engine_intends_the_next_one_reads(tmp_path):
    journal = Journal(tmp_path)
    journal.intend([intent("r.0.1"), intent("r.1.1", element=3)])
    journal.name({"r.0.1": "71"})
    journal.close()

    found = read_all(tmp_path).intents

    assert (found["r.0.1"].job_id, found["r.1.1"].element) == ("71", 3)
    assert found["r.0.1"].bell == str(journal.bell)


def test_the_newest_intent_of_a_job_counts(tmp_path):
    for ticket in ("0a", "0b"):
        journal = Journal(tmp_path)
        journal.intend([intent("r.0.1", ticket)])
        journal.close()

    assert read_all(tmp_path).intents["r.0.1"].ticket == "0b"


@pytest.mark.parametrize(
    "rubbish", [b'["intent","r.9', b"\xff\xfe\n", b"[]\n", b'["id","x","1"]\n']
)
def test_a_torn_line_costs_itself_alone(tmp_path, rubbish):
    journal = Journal(tmp_path)
    journal.intend([intent("r.0.1")])
    with journal.path.open("ab") as file:
        file.write(rubbish)
    journal.intend([intent("r.1.1")])
    journal.close()

    assert set(read_all(tmp_path).intents) == {"r.0.1", "r.1.1"}


def test_a_path_that_is_no_text_survives(tmp_path):
    journal = Journal(tmp_path)
    journal.intend([intent("r.0.1")._replace(folder="/f/\udcff")])
    journal.close()

    assert read_all(tmp_path).intents["r.0.1"].folder == "/f/\udcff"


def test_a_journal_of_a_dead_engine_goes_when_all_its_jobs_are_forgotten(tmp_path):
    dead = Journal(tmp_path)
    dead.intend([intent("r.0.1")])
    os.close(dead._descriptor)
    old(dead.path)
    heir = Journal(tmp_path)
    heir.intend([intent("s.0.1")])
    tidy(tmp_path)
    assert dead.path.exists()

    heir.forget(["r.0.1"])
    heir.close()

    assert list(tmp_path.glob("*.journal")) == [heir.path]
    assert not dead.bell.exists()


def test_a_journal_of_a_living_engine_stays(tmp_path):
    living = Journal(tmp_path)
    living.intend([intent("r.0.1")])
    living.forget(["r.0.1"])
    old(living.path)

    tidy(tmp_path)

    assert living.path.exists()
    living.close()


# Bells -------------------------------------------------------------------------------


def test_a_bell_is_heard_once(tmp_path):
    bells = Bells()
    bells.watch(tmp_path)
    bells.names()
    (tmp_path / "r.0.1.ended").touch()

    assert bells.rung()
    assert bells.names() == {"r.0.1"}
    bells.names()
    assert not bells.rung()
    assert not list(tmp_path.iterdir())


def test_a_bell_folder_that_is_not_there_is_silent(tmp_path):
    bells = Bells()
    bells.watch(tmp_path / "none")

    assert not bells.rung()
    assert bells.names() == set()


# Files -------------------------------------------------------------------------------


def test_a_script_is_written_where_its_user_looks_for_it(tmp_path):
    task = job(tmp_path, 0, Script("#!/bin/sh -e\ntrue\n", file="s.sh"), workdir=f"{tmp_path}/w")

    prepare(task, "wrapper")

    assert (tmp_path / "w" / "s.sh").read_text() == "#!/bin/sh -e\ntrue\n"
    assert batch_files.command_of(task) == ("/bin/sh", "-e", f"{tmp_path}/w/s.sh")


def test_a_script_does_not_write_through_a_link(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / "s.sh").symlink_to(precious)

    prepare(job(tmp_path, 0, Script("true\n", file="s.sh")), "wrapper")

    assert precious.read_text() == "mine"


def test_a_folder_that_cannot_be_made_refuses_the_job(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(PrepareError, match="file") as caught:
        prepare(job(tmp_path, 0, "true", workdir=f"{tmp_path}/file/w"), "wrapper")

    assert caught.value.cause is Cause.REFUSED


def test_second_names_are_made_when_the_id_is_known(tmp_path):
    names = {"stdout": "a.out", "stderr": "{job_id}.err"}
    for name in ("stdout", "stderr"):
        (tmp_path / name).touch()

    batch_files.name_output(str(tmp_path), str(tmp_path), names, "")
    assert not list(tmp_path.glob("*.err"))
    batch_files.name_output(str(tmp_path), str(tmp_path), names, "7_1")

    assert Path(tmp_path, "a.out").samefile(tmp_path / "stdout")
    assert Path(tmp_path, "7_1.err").samefile(tmp_path / "stderr")


# Commands ----------------------------------------------------------------------------


def test_what_a_program_says_is_returned():
    answer = run(["/bin/sh", "-c", "echo out; echo err >&2; exit 3"], limit_s=30)

    assert answer == (3, "out\n", "err\n")
    assert answer.said == "err"


def test_a_program_that_does_not_answer_is_given_up():
    with pytest.raises(NoAnswerError, match="sleep"):
        run(["sleep", "100"], limit_s=0.1)


def test_a_program_that_is_not_there_is_named():
    with pytest.raises(ExecutorError, match="no-such-program"):
        run(["no-such-program"], limit_s=1)
