"""The keeper by itself: how it starts, its journal, a full disk, who belongs to a job."""

import errno
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import gated, job, keeper_pid, key, kill_keeper, open_gate, opened, spools

import segue
from segue.executors import local_spool
from segue.executors.keeper import processes
from segue.executors.keeper.journal import Journal, boot_id
from segue.executors.local_journal import read_journal
from segue.model.events import Started
from segue.model.states import Cause
from segue.model.workflow import Script

# -- start --------------------------------------------------------------------------------


def test_the_keeper_imports_little():
    root = Path(segue.__file__).parents[1]
    code = (
        f"import sys; sys.path.append({str(root)!r}); import segue.executors.keeper.main; "
        "print(*sys.modules)"
    )
    command = [sys.executable, "-I", "-S", "-c", code]

    modules = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    heavy = {"typing", "dataclasses", "logging", "subprocess", "pathlib", "asyncio", "contextlib"}
    assert not heavy & set(modules)
    own = {name for name in modules if name.startswith("segue")}
    assert all(name.startswith("segue.executors.keeper") for name in own - set(OWN_PARENTS))


OWN_PARENTS = ("segue", "segue.executors")


def test_the_keeper_holds_none_of_the_engines_descriptors(state, tmp_path):
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    with opened(state) as local:
        local.submit(gated(tmp_path, 0))
        local.first(Started, key(0))

        os.close(writer)

        assert os.read(reader, 1) == b""
        open_gate(tmp_path, 0)
        local.end(key(0))
    os.close(reader)


# -- journal ------------------------------------------------------------------------------

NAMES = st.integers(0, 5).map(lambda number: f"r.{number}.1")
LINES = st.one_of(
    st.tuples(st.just("intent"), NAMES, st.floats(0, 9)),
    st.tuples(st.just("start"), NAMES, st.floats(0, 9), st.integers(2, 99), st.just(1), st.just(2)),
    st.tuples(
        *(st.just("end"), NAMES, st.floats(0, 9), st.just("exit_code"), st.integers(1, 99)),
        *(st.none(), st.floats(0, 9), st.integers(1, 99), st.none(), st.text()),
    ),
)


@given(st.lists(LINES), st.data())
def test_a_journal_cut_anywhere_says_what_its_whole_lines_say(lines, data):
    texts = [json.dumps(line).encode() + b"\n" for line in lines]
    whole = b"".join(texts)
    cut = data.draw(st.integers(0, len(whole)))
    kept = whole[:cut].count(b"\n")

    facts = read_journal(whole[:cut])

    # A line that only lacks its line end may count or not.
    assert facts in (
        read_journal(b"".join(texts[:kept])),
        read_journal(b"".join(texts[: kept + 1])),
    )


@given(st.lists(LINES), st.binary(max_size=30), st.integers(0, 20))
def test_a_line_that_cannot_be_read_costs_that_line(lines, rubbish, at):
    texts = [json.dumps(line).encode() for line in lines]
    bad = b"#" + rubbish.replace(b"\n", b"").replace(b"\r", b"")

    facts = read_journal(b"\n".join([*texts[:at], bad, *texts[at:]]))

    assert facts == read_journal(b"\n".join(texts))


def test_a_write_that_fails_in_the_middle_is_continued_where_it_stopped(tmp_path, monkeypatch):
    journal = Journal(str(tmp_path / "journal"))
    journal.add("intent", "r.0.1", 1.0)
    journal.add("intent", "r.1.1", 1.0)
    write, room = os.write, [10]

    def full(file, data):
        if not room[0]:
            raise OSError(errno.ENOSPC, "full")
        size = write(file, bytes(data[: room[0]]))
        room[0] -= size
        return size

    monkeypatch.setattr(os, "write", full)
    assert journal.flush().errno == errno.ENOSPC
    journal.add("intent", "r.2.1", 1.0)
    room[0] = 1000

    assert journal.flush() is None

    lines = (tmp_path / "journal").read_text().splitlines()
    assert [json.loads(line)[1] for line in lines] == ["r.0.1", "r.1.1", "r.2.1"]


# -- a full disk --------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A tmpfs of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "segue-test", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must be able to mount a tmpfs")
        pytest.skip("a small tmpfs can be mounted by root only")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk):
    block = ["dd", "if=/dev/zero", f"of={disk}/filler", "bs=4k"]
    assert b"No space left" in subprocess.run(block, capture_output=True, check=False).stderr


def test_a_full_disk_under_the_spool_loses_no_end(tmp_path, small_disk):
    with opened(small_disk / "state") as local:
        local.submit(gated(tmp_path, 0, exit_code=8))
        local.first(Started, key(0))
        (spool,) = spools(small_disk / "state")
        fill(small_disk)

        # The last page of the journal has room for some more lines.
        jobs = [job(tmp_path, number, "true") for number in range(1, 60)]
        local.submit(*jobs)
        causes = {end.cause for end in local.ends([each.key for each in jobs])}
        open_gate(tmp_path, 0)

        assert local.end(key(0)).exit_code == 8
        assert Cause.UNREACHABLE in causes
        assert causes <= {None, Cause.UNREACHABLE}
        (message,) = {end.message for end in local.ends([jobs[-1].key])}
        assert "No space left on device" in message

        (small_disk / "filler").unlink()
        while b'["end","r.0.1"' not in (spool / "journal").read_bytes():
            os.sched_yield()
        local.submit(job(tmp_path, 99, "exit 9"))
        assert local.end(key(99)).exit_code == 9
        kill_keeper(spool)
    with opened(small_disk / "state") as heir:
        answers = heir.find(*(each.key for each in jobs), key(0), key(99))
        assert (answers[key(0)].exit_code, answers[key(99)].exit_code) == (8, 9)


def test_a_full_disk_under_the_workspace_may_pass(state, tmp_path, small_disk):
    with opened(state) as local:
        fill(small_disk)
        # On a tmpfs only what has bytes needs room: the script's file.
        full = job(small_disk, 0, Script("true\n"))
        local.submit(full)

        end = local.end(full.key)

        assert end.cause is Cause.UNREACHABLE
        assert "No space left on device" in end.message
        (small_disk / "filler").unlink()
        local.submit(job(small_disk, 1, Script("true\n")))
        assert local.end(key(1)).cause is None


def test_a_limit_on_file_sizes_does_not_kill_the_keeper(state, tmp_path):
    with opened(state) as local:
        local.submit(job(tmp_path, 0, "true"))
        local.end(key(0))
        (spool,) = spools(state)
        pid = keeper_pid(spool)
        soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, ((spool / "journal").stat().st_size, hard))

        local.submit(job(tmp_path, 1, "true"))

        assert "File too large" in local.end(key(1)).message
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
        local.submit(job(tmp_path, 2, "true"))
        assert local.end(key(2)).cause is None


def test_a_workspace_that_may_not_be_written_is_refused(state, tmp_path):
    workspace = tmp_path / "closed"
    workspace.mkdir()
    # Also for root, whom no mode keeps out.
    each = job(Path("/proc"), 0, "true", workdir=str(tmp_path))
    with opened(state) as local:
        local.submit(each)

        end = local.end(each.key)

    assert end.cause is Cause.REFUSED
    assert each.folder in end.message


# -- who belongs to a job -----------------------------------------------------------------


def test_a_process_that_has_the_pid_of_a_job_by_now_is_a_stranger():
    stranger = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, start_new_session=True)
    started = processes.read_process(stranger.pid).started

    def family(window):
        return [each.pid for each in processes.family("r.0.1", "k", stranger.pid, window)]

    assert family((started, started)) == [stranger.pid]
    assert family((started - 9, started - 1)) == []
    stranger.communicate()


def test_a_mark_counts_only_with_the_keeper_that_made_it():
    marks = {"SEGUE_JOB": "r.0.1", "SEGUE_SPOOL": "/state/host/k1"}
    child = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, env=marks)

    # The mark is there as soon as `Popen` returns: exec has succeeded.
    assert [each.pid for each in processes.family("r.0.1", "k1")] == [child.pid]
    assert processes.family("r.0.1", "k2") == []
    assert processes.family("r.0.2", "k1") == []
    child.communicate()


# -- tidying ------------------------------------------------------------------------------


def test_only_old_or_empty_spools_of_dead_keepers_are_tidied_away(tmp_path):
    def spool(name, age_s, journal):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "lock").touch()
        if journal is not None:
            (folder / "journal").write_text(journal)
        for path in (*folder.iterdir(), folder):
            moment = path.stat().st_mtime - age_s
            os.utime(path, (moment, moment))
        return folder

    wanted = '["intent","r.0.1",1.0]\n'
    taken = wanted + '["forget","r.0.1"]\n'
    day = 24 * 3600
    gone = [
        spool("empty", day, None),
        spool("taken", day, taken),
        spool("ancient", 31 * day, wanted),
    ]
    kept = [spool("starting", 1, None), spool("wanted", 29 * day, wanted)]
    living, lock = local_spool.make_spool(tmp_path)

    local_spool.tidy(tmp_path)

    assert not any(folder.exists() for folder in gone)
    assert all(folder.exists() for folder in [*kept, living])
    os.close(lock)


def test_a_journal_that_starts_over_still_says_of_which_boot_it_is(tmp_path):
    journal = Journal(str(tmp_path / "journal"))
    journal.head()
    journal.add("intent", "r.0.1", 1.0)
    journal.flush()

    journal.start_over()

    lines = [json.loads(line) for line in (tmp_path / "journal").read_text().splitlines()]
    assert [line[0] for line in lines] == ["keeper"]
    assert lines[0][2] == boot_id()
