"""Our own description of the API, and every request that follows from it: never a 5xx."""

import json
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema_rs import validator_for
from schemathesis.checks import not_a_server_error
from served import Server, daggy, shell

#: What cannot be asked by chance: streams do not end by themselves.
ENDLESS = ("/api/v2/events", "/api/v2/runs/{run}/events")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("openapi")
    config = folder / "segue.toml"
    # Nothing that chance submits is run.
    config.write_text('default_pool = "nothing"\n[pools.nothing]\nexecutor = "noop"\n')
    with Server(folder, "--config", config) as server:
        run = server.submit(daggy(a="true", b=shell("true", "a")), headers={"Idempotency-Key": "k"})
        server.wait_for(run)
        yield server


@pytest.fixture(scope="module")
def described(server):
    return server.client.get("/openapi.json").json()


@pytest.fixture(scope="module")
def schema(server, described):
    found = schemathesis.openapi.from_dict(described)
    found.config.update(base_url=f"http://{server.url}")
    return found


def test_it_is_openapi_3_1_and_names_every_route(described):
    assert described["openapi"].startswith("3.1")
    ids = [
        operation["operationId"]
        for path in described["paths"].values()
        for operation in path.values()
    ]
    assert len(ids) == len(set(ids))
    assert len(described["paths"]) > 35
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), (method, path)


def test_what_is_answered_is_as_described(server, described):
    """Every GET of a run that is there, held against the shape that OpenAPI tells of it."""
    run = server.get("/runs")["runs"][0]["id"]
    checked = 0
    for path, methods in described["paths"].items():
        if "get" not in methods or path in ENDLESS or path.startswith("/v1"):
            continue
        wanted = methods["get"]["responses"]["200"].get("content", {}).get("application/json", {})
        schema = wanted.get("schema")
        if not schema:
            continue
        url = path.format(run=run, task="a", number="1", name="nothing")
        answer = server.client.get(url)
        assert answer.status_code == 200, (url, answer.text)
        text = json.dumps(schema | {"components": described["components"]})
        faults = [str(each) for each in validator_for(json.loads(text)).iter_errors(answer.json())]
        assert faults == [], url
        checked += 1
    assert checked >= 10


@pytest.mark.slow
def test_no_request_makes_the_server_fail(server, schema):
    """As many requests as fit into a bounded time, of every operation, always the same ones."""
    asked = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path in ENDLESS:
            continue

        @settings(
            max_examples=15,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def ask(case):
            nonlocal asked
            asked += 1
            if case.query:
                case.query.pop("follow", None)
            answer = case.call(timeout=30)
            case.validate_response(answer, checks=[not_a_server_error])

        given(case=operation.as_strategy())(ask)()
    assert asked > 400
    assert server.get("/runs")["runs"]


def test_every_route_is_in_the_reference(described):
    reference = Path(__file__).parents[2] / "docs" / "reference"
    pages = (reference / "http.md").read_text() + (reference / "daggyd.md").read_text()
    missing = []
    for path, methods in described["paths"].items():
        # Verbs of one thing stand in one line: `POST …/{run}:pause`, `:resume`.
        base, colon, verb = path.rpartition(":")
        for method in methods:
            if method == "head":
                continue
            whole = f"{method.upper()} {path}" in pages
            if not whole and not (colon and f"`:{verb}`" in pages and f" {base}:" in pages):
                missing.append((method, path))

    assert missing == []
