"""A workflow with the settings of the command line, its dry run, and its log."""

import io
import logging
import os
import re
from dataclasses import replace

import pytest

from segue.dialects.maestro import Maestro
from segue.maestro.dry import write_scripts
from segue.maestro.files import Settings
from segue.maestro.launch import PAUSE_S, with_settings
from segue.maestro.log import DEBUG, INFO, WARNING, LogBridge, StudyLog
from segue.protocols.dialect import Source

STUDY = """\
description: {{name: s, description: d}}
batch: {{type: {batch}, host: x, bank: b, queue: q}}
study:
- {{name: a, description: d, run: {{cmd: echo, restart: echo again, procs: 2}}}}
- {{name: b, description: d, run: {{cmd: echo}}}}
"""
PLAIN = Settings("s", "s.yaml", "/", "/")


def workflow(batch="local", workspace="/out"):
    text = STUDY.format(batch=batch)
    return Maestro().read(Source("s.yaml", text, "/", workspace=str(workspace)))


def test_plain_settings_change_nothing():
    read = workflow()

    assert with_settings(read, PLAIN) is read


def test_attempts_are_tries_of_local_steps_alone():
    made = with_settings(workflow("slurm"), replace(PLAIN, attempts=3))

    scheduled, local = made.tasks
    assert scheduled.retry.limit == 0
    assert (local.retry.limit, local.retry.delay_s) == (2, PAUSE_S)


@pytest.mark.parametrize(("rlimit", "limit"), [(0, None), (1, 1), (5, 5)])
def test_a_restart_limit_of_zero_is_none(rlimit, limit):
    made = with_settings(workflow(), replace(PLAIN, restart_limit=rlimit))

    assert {task.retry.restart_limit for task in made.tasks} == {limit}


def test_scripts_lie_in_the_temporary_folder(tmp_path):
    temporary = tmp_path / "scripts"
    temporary.mkdir()
    made = with_settings(
        workflow(workspace=tmp_path / "out"), replace(PLAIN, temporary=str(temporary))
    )

    write_scripts(made.tasks, str(tmp_path / "out"))

    assert sorted(os.listdir(temporary)) == ["a.restart.sh", "a.sh", "b.sh"]
    assert os.listdir(tmp_path / "out" / "a") == []


def test_a_dry_run_writes_scripts_that_can_be_run(tmp_path):
    write_scripts(workflow(workspace=tmp_path).tasks, str(tmp_path))

    script = tmp_path / "a" / "a.sh"
    assert script.read_text() == "#!/bin/bash\n\necho\n"
    assert os.access(script, os.X_OK)
    assert (tmp_path / "a" / "a.restart.sh").exists()


# The log -------------------------------------------------------------------------


def test_the_log_goes_to_the_stream_and_with_milliseconds_to_the_file(tmp_path):
    stream = io.StringIO()
    log = StudyLog(stream)
    log.open(tmp_path / "logs" / "s.log")

    log.write(INFO, ["one", "two"])
    log.close()

    line = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d%s: INFO\] "
    assert re.fullmatch(f"{line % ''}one\n{line % ''}two\n", stream.getvalue())
    kept = (tmp_path / "logs" / "s.log").read_text()
    exact = line % r",\d{3}"
    assert re.fullmatch(f"{exact}one\n{exact}two\n", kept)


def test_the_level_is_obeyed():
    stream = io.StringIO()
    log = StudyLog(stream, WARNING)

    log.info("quiet")
    log.warning("loud")

    assert "quiet" not in stream.getvalue()
    assert "WARNING] loud" in stream.getvalue()


def test_a_stream_that_nobody_reads_ends_nothing():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        log = StudyLog(stream, DEBUG)
        log.info("lost")
        log.info("lost too")
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def test_warnings_of_the_engine_are_in_the_log():
    stream = io.StringIO()
    bridge = LogBridge(StudyLog(stream))
    logger = logging.getLogger("segue.test-launch")
    logger.addHandler(bridge)
    try:
        logger.warning("a job is %s", "odd")
    finally:
        logger.removeHandler(bridge)

    assert "WARNING] a job is odd" in stream.getvalue()
