"""A disk runs full: the engine says so, goes on when there is room, and loses nothing."""

import os

import pytest
from chaos import Place, daggy, fill, mounted, shell, tasks_of, wait_until

TASKS = 60


@pytest.fixture
def disk(tmp_path):
    with mounted(tmp_path / "disk", "4m") as folder:
        yield folder


@pytest.fixture
def make_place(tmp_path):
    made = []

    def make(**where):
        made.append(Place(tmp_path / "place", **where))
        return made[-1]

    yield make
    for each in made:
        each.close()


def gated(log, gate):
    """A workflow that begins with a task that waits; then many, which write down their runs."""
    tasks = {"first": shell(f"echo first >> {log}; read x < {gate}")}
    for number in range(TASKS):
        command = f"echo t{number} >> {log}; exit {number % 3}"
        tasks[f"t{number}"] = shell(command, parents=["first"])
    return {"tasks": tasks}


class Filled:
    """A run whose first task has begun, on a disk that has then been filled."""

    def __init__(self, place, disk):
        self.place, self.disk = place, disk
        self.log, self.gate = place.folder / "log", place.folder / "gate"
        os.mkfifo(self.gate)
        file = place.file(gated(self.log, self.gate))
        self.engine = place.start("run", file, "--workspace", place.workspace)
        wait_until(self.log.exists, "the first task begins")
        self.run = place.wait_for_run()
        place.wait_for_task(self.run, "first", "running")
        self.fillers = fill(disk)

    def go_on(self):
        self.gate.write_text("go\n")

    def wait_for_word(self, word):
        wait_until(lambda: word in self.engine.said, f"the engine says {word!r}")

    def make_room(self):
        for filler in self.fillers:
            filler.unlink()

    def check_nothing_lost(self, expected_code=1):
        ended = self.engine.end()
        assert "Traceback" not in ended.stderr, ended.stderr
        assert ended.code == expected_code, self.engine.said
        status = self.place.status(self.run)
        tasks = tasks_of(status)
        ran = sorted(self.log.read_text().split())
        assert ran == sorted(tasks), "each task ran once"
        for number in range(TASKS):
            last = tasks[f"t{number}"]["attempts"][-1]
            assert last["exit_code"] == number % 3, last
        return status


def test_a_store_on_a_full_disk(disk, make_place):
    filled = Filled(make_place(store=disk / "segue.db"), disk)

    filled.go_on()
    wait_until(
        lambda: "disk is full" in filled.engine.said, "the engine says that the disk is full"
    )
    assert "make room" in filled.engine.said
    filled.make_room()

    filled.check_nothing_lost()
    assert "can be written again" in filled.engine.said


def test_an_engine_that_is_killed_while_the_store_is_full(disk, make_place):
    place = make_place(store=disk / "segue.db")
    filled = Filled(place, disk)
    filled.go_on()
    wait_until(
        lambda: "disk is full" in filled.engine.said, "the engine says that the disk is full"
    )
    filled.engine.kill()

    assert "make room" in place.segue("resume", filled.run).refused(3)
    assert place.status(filled.run)["state"] == "running"
    filled.make_room()
    filled.engine = place.start("resume", filled.run)

    filled.check_nothing_lost()


def test_a_run_goes_on_where_nothing_new_can_be_made(disk, make_place):
    """Files that are there have room, but no pipe and no folder can be made."""
    place = make_place(store=disk / "segue.db")
    filled = Filled(place, disk)
    filled.fillers[0].write_bytes(b"")
    filled.engine.kill()

    filled.engine = place.start("resume", filled.run)
    filled.go_on()
    filled.wait_for_word("No space left")
    filled.make_room()

    filled.check_nothing_lost()


def test_a_run_does_not_begin_on_a_full_disk(disk, make_place):
    place = make_place(store=disk / "segue.db")
    file = place.file(daggy(one="true"))
    fillers = fill(disk)
    # With a little room a start comes further before it fails.
    for filler in fillers[:2]:
        assert "make room" in place.segue("run", file).refused(3)
        filler.unlink()
    for filler in fillers[2:]:
        filler.unlink()

    assert place.run(file).code == 0


def test_a_workspace_without_room_for_folders(disk, make_place):
    filled = Filled(make_place(workspace=disk / "workspace"), disk)

    filled.go_on()
    filled.wait_for_word("No space left")
    filled.make_room()

    filled.check_nothing_lost()


def test_a_workspace_without_room_for_output(disk, make_place):
    place = make_place(workspace=disk / "workspace")
    content = daggy(big="head -c 8000000 /dev/zero", small="echo hi")

    status = place.run(content, "-j", "1").json

    # A task that cannot write fails by itself: its exit code says so.
    ends = {name: task["attempts"][-1]["exit_code"] for name, task in tasks_of(status).items()}
    assert ends == {"big": 1, "small": 1}


def test_a_full_disk_that_holds_everything(disk, make_place):
    filled = Filled(make_place(store=disk / "segue.db", workspace=disk / "workspace"), disk)

    filled.go_on()
    wait_until(
        lambda: "disk is full" in filled.engine.said, "the engine says that the disk is full"
    )
    filled.make_room()

    filled.check_nothing_lost()
