"""Streams of events, and what windows draw, against the running server."""

import socket

import pytest
from served import Server, Stream, daggy, shell, wait_until


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("live")) as server:
        yield server


def test_every_change_of_a_run_is_told(server):
    with Stream(server, "/api/v2/events") as stream:
        run = server.submit(daggy(a="true"))

        told = stream.wait(
            lambda e: e["event"] == "run" and e["data"]["id"] == run
            and e["data"]["state"] == "succeeded",
            "the end of the run",
        )  # fmt: skip

    assert told["data"].items() <= server.run(run).items()
    assert int(told["id"]) > 0


def test_runs_of_other_processes_are_told_too(server):
    import json

    (server.folder / "own.json").write_text(json.dumps(daggy(a="true")))
    with Stream(server, "/api/v2/events") as stream:
        run = json.loads(server.segue("run", "own.json", "--json").stdout)["run"]

        stream.wait(lambda e: e["data"]["id"] == run and e["data"]["endedAt"], "its end")


def test_who_comes_back_hears_what_was_missed(server):
    with Stream(server, "/api/v2/events") as stream:
        first = server.submit(daggy(a="true"))
        last = stream.wait(lambda e: e["data"]["id"] == first and e["data"]["endedAt"], "end")
    missed = server.submit(daggy(a="true"))
    server.wait_for(missed)

    with Stream(server, "/api/v2/events", since=last["id"]) as stream:
        told = stream.wait(lambda e: e["data"]["id"] == missed, "what was missed")

    assert int(told["id"]) > int(last["id"])


def test_what_is_removed_is_told(server):
    run = server.submit(daggy(a="true"))
    server.wait_for(run)
    with Stream(server, "/api/v2/events") as stream:
        wait_until(
            lambda: server.client.delete(f"/api/v2/runs/{run}").status_code == 204, "removed"
        )

        stream.wait(lambda e: e["event"] == "removed" and e["data"] == {"id": run}, "removed")


def test_a_run_tells_its_history_line_by_line(server, tmp_path):
    gate = tmp_path / "gate"
    run = server.submit(daggy(a=f"until test -e {gate}; do sleep 0.05; done", b=shell("true", "a")))
    with Stream(server, f"/api/v2/runs/{run}/events", since=0) as stream:
        gate.touch()
        stream.wait(
            lambda e: e["event"] == "run" and e["data"]["state"] == "succeeded", "the run's end"
        )
        whole = server.get(f"/runs/{run}/history", limit=5000)["history"]
        wait_until(lambda: len(lines(stream)) == len(whole), "all lines")

    assert lines(stream) == whole
    assert [line["number"] for line in whole] == list(range(1, len(whole) + 1))


def lines(stream):
    return [event["data"] for event in stream.events if event["event"] == "history"]


def test_of_a_long_history_the_end_is_told_and_what_was_skipped(server):
    document = daggy(t="true") | {"parameters": {"N": [str(n) for n in range(100)]}}
    document["tasks"]["t"]["job"]["command"] = ["/bin/true", "{{N}}"]
    run = server.submit(document)
    server.wait_for(run)
    newest = server.get(f"/runs/{run}/history", limit=5000)["history"][-1]["number"]

    with Stream(server, f"/api/v2/runs/{run}/events", since=0) as stream:
        skipped = stream.wait(lambda e: e["event"] == "skipped", "what was skipped")
        wait_until(lambda: lines(stream) and lines(stream)[-1]["number"] == newest, "the end")

    assert skipped["data"]["from"] == 1
    assert lines(stream)[0]["number"] == skipped["data"]["to"] + 1


def test_a_listener_who_reads_nothing_keeps_nobody_waiting(server):
    host, port = server.url.split(":")
    silent = []
    for _ in range(50):
        each = socket.create_connection((host, int(port)))
        each.sendall(b"GET /api/v2/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        silent.append(each)

    with Stream(server, "/api/v2/events") as stream:
        runs = [server.submit(daggy(a="true")) for _ in range(20)]
        for run in runs:
            stream.wait(lambda e, run=run: e["data"]["id"] == run and e["data"]["endedAt"], run)

    for each in silent:
        each.close()


@pytest.mark.parametrize("since", ["x", "-1", "9" * 30, "1.5"])
def test_an_id_that_is_none_is_refused(server, since):
    assert server.client.get("/api/v2/events", params={"since": since}).status_code == 400


def test_streams_end_with_the_server(tmp_path):
    with Server(tmp_path) as server, Stream(server, "/api/v2/events") as stream:
        assert server.stop() == 0

        assert stream.ended.wait(10)


# Pictures --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn(server):
    """A run of 4 templates, b and c of 30 tasks each, joined by a barrier."""
    document = {
        "parameters": {"N": [str(n) for n in range(30)]},
        "tasks": {
            "a": shell("true"),
            "b": shell("exit $(({{N}} % 3 == 0))", "a"),
            "c": shell("echo {{N}}", "b"),
            "d": shell("true", "c"),
        },
    }
    run = server.submit(document)
    server.wait_for(run)
    return run


def edges(graph):
    return {(edge["from"], edge["to"]): edge["count"] for edge in graph["edges"]}


def nodes(graph):
    return {node["id"]: node for node in graph["nodes"]}


def test_the_graph_has_one_node_a_template(server, drawn):
    graph = server.get(f"/runs/{drawn}/graph")

    assert {name: node["tasks"] for name, node in nodes(graph).items()} == {
        "a": 1, "b": 30, "c": 30, "d": 1,
    }  # fmt: skip
    assert nodes(graph)["b"]["states"] == {"succeeded": 20, "failed": 10}
    assert edges(graph) == {("a", "b"): 30, ("b", "c"): 900, ("c", "d"): 30}
    assert not graph["truncated"]


def test_a_template_is_expanded_to_its_first_tasks(server, drawn):
    graph = server.get(f"/runs/{drawn}/graph", template="b", limit=4)

    found = nodes(graph)
    assert [name for name in found if found[name]["kind"] == "task"] == ["b_1", "b_2", "b_3", "b_4"]
    assert (found["more:b"]["kind"], found["more:b"]["tasks"]) == ("more", 26)
    assert found["b_1"]["states"] == {"failed": 1}
    assert sum(found["more:b"]["states"].values()) == 26
    assert edges(graph)["a", "b_1"] == 1
    assert edges(graph)["more:b", "c"] == 26 * 30
    assert graph["truncated"]


def test_the_graph_in_other_languages(server, drawn):
    for form, begin in (("dot", "digraph"), ("mermaid", "graph LR")):
        answer = server.client.get(f"/api/v2/runs/{drawn}/graph", params={"format": form})

        assert answer.text.startswith(begin)


def test_a_timeline_by_task_and_by_template(server, drawn):
    first = server.get(f"/runs/{drawn}/timeline", limit=20)
    rest = server.get(f"/runs/{drawn}/timeline", limit=20, cursor=first["nextCursor"])
    bars = server.get(f"/runs/{drawn}/timeline", level="template", bins=50)

    starts = [row["attempts"][0]["startedAt"] for row in first["rows"] + rest["rows"]]
    assert len(starts) == 31
    assert starts == sorted(starts)
    rows = {row["template"]: row for row in bars["rows"]}
    assert sum(rows["b"]["ended"]) == 30
    assert sum(rows["b"]["failed"]) == 10
    assert max(rows["b"]["running"]) >= 1
    assert len({len(row["running"]) for row in rows.values()}) == 1


def test_progress_adds_up_at_every_moment(server, drawn):
    for bins in (1, 7, 200):
        progress = server.get(f"/runs/{drawn}/progress", bins=bins)

        number = len(progress["ended"])
        assert 1 <= number <= bins
        assert [sum(s[at] for s in progress["states"].values()) for at in range(number)] == [
            62
        ] * number
        assert progress["states"]["failed"][-1] == 10
        assert sum(progress["ended"]) == 62


def test_the_end_of_a_history_is_read_without_its_beginning(server, drawn):
    whole = server.get(f"/runs/{drawn}/history", limit=5000)["history"]

    page = server.get(f"/runs/{drawn}/history", newest=True, limit=3)

    assert page == {"history": whole[-3:], "next": None}


def test_history_is_read_page_by_page(server, drawn):
    found, after = [], 0
    while after is not None:
        page = server.get(f"/runs/{drawn}/history", after=after, limit=50)
        found += page["history"]
        after = page["next"]

    assert [line["number"] for line in found] == list(range(1, len(found) + 1))
    assert {line["task"] for line in found if line["task"]} >= {"a", "b_30", "c_1", "d"}
