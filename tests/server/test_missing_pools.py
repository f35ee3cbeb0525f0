"""A run whose pool is gone after a restart: every window says so, and what helps."""

import pytest
from served import Server, Stream, daggy, wait_until

NIGHT = '[pools.night]\nexecutor = "local"\n'


@pytest.fixture
def stranded(tmp_path):
    """A server whose pool ``night`` is gone, and a run that needs it."""
    config = tmp_path / "segue.toml"
    config.write_text(NIGHT)
    server = Server(tmp_path, "--config", config)
    with server:
        run = server.submit(daggy(a="true") | {"executionParameters": {"pool": "night"}})
        server.wait_for(run)
        run = server.submit({"document": '{"tasks": {"a": {"job": {"command": ["true"]}}}}',
                             "pool": "night", "paused": True})  # fmt: skip
    config.write_text("")
    with server:
        wait_until(lambda: server.run(run)["problem"], "the engine has come by")
        yield server, run, config


def test_every_window_says_which_pool_is_missing(stranded):
    server, run, _ = stranded
    said = server.run(run)["problem"]

    assert "needs the pool 'night', which is not to be had" in said
    assert "let a server have a pool of that name, or cancel the run" in said
    assert server.get("/runs")["runs"][0]["problem"] == said
    assert said in server.task(run, "a")["why"]["reasons"]
    assert said in server.segue("why", run, "a").stdout.replace("\n", " ")
    assert said in server.segue("status", run).stdout
    with Stream(server, f"/api/v2/runs/{run}/events") as stream:
        stream.wait(lambda event: event["data"].get("problem") == said, "it is told")


def test_the_run_goes_on_when_the_pool_is_back(stranded):
    server, run, config = stranded
    server.stop()
    config.write_text(NIGHT)
    with server:
        wait_until(lambda: server.run(run)["engine"], "it is taken up")

        assert server.run(run)["problem"] is None
        server.post(f"/runs/{run}:resume")
        assert server.wait_for(run)["state"] == "succeeded"


def test_the_run_can_be_killed_and_deleted_without_its_pool(stranded):
    server, run, _ = stranded
    server.post(f"/runs/{run}:kill")

    assert server.wait_for(run)["state"] == "cancelled"
    assert server.run(run)["problem"] is None
    deleted = lambda: server.client.delete(f"/api/v2/runs/{run}").status_code == 204  # noqa: E731
    assert wait_until(deleted, "it is deleted")
