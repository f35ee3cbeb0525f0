"""The program on a store that is a server."""

import pytest
from commands import task


@pytest.fixture(params=["postgres_url", "redis_json_url"])
def on_server(request, segue):
    """The program, with its store on a real server and its other state in its own folder."""
    segue.store = request.getfixturevalue(request.param)
    state = str(segue.folder / "state")
    segue.environment |= {"SEGUE_STORE": segue.store, "XDG_STATE_HOME": state}
    return segue


def test_a_run_is_stored_and_shown(on_server):
    path = on_server.write({"a": task("echo hello"), "b": task("exit 3", "a")})

    on_server("run", path, code=1)

    status = on_server.json("status")
    assert {each["name"]: each["state"] for each in status["tasks"]} == {
        "a": "succeeded",
        "b": "failed",
    }
    assert "hello" in on_server("logs", status["run"], "a").out


def test_a_run_whose_engine_was_killed_is_resumed_and_nothing_runs_twice(on_server):
    gate = on_server.gate()
    path = on_server.write({"a": task(gate.script("echo a >> ran")), "b": task("true", "a")})
    engine = on_server.start("run", path)
    gate.wait()
    engine.process.kill()
    engine.process.wait()
    gate.open()

    on_server("resume", on_server.json("runs")["runs"][0]["run"])

    assert (on_server.folder / "ran").read_text() == "a\n"


def test_a_command_reaches_an_engine_whose_door_is_elsewhere(on_server):
    gate = on_server.gate()
    engine = on_server.start("run", on_server.write({"a": task(gate.script())}))
    gate.wait()

    on_server("cancel", XDG_STATE_HOME=str(on_server.folder / "elsewhere"))

    assert engine.process.wait(30) == 130


def test_doctor_shows_no_password(on_server):
    shown = on_server("doctor").out

    assert "not-a-secret" not in shown
    assert "journal" not in shown
