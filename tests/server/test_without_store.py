"""What a server without its store says, and to whom."""

import contextlib
import sqlite3

import httpx
import pytest
from served import Server, daggy, wait_until

PLACE = "segue.db"


@pytest.fixture
def broken(tmp_path):
    """A server that knew its tokens and lost its store; each test says which tokens."""
    server = Server(tmp_path / "home")

    def lose(*roles):
        tokens = {role: server.token_for(role) for role in roles}
        server.token = tokens.get("viewer", "")
        server.start()
        server.submit(daggy(a="true"), status=403 if roles else 201)
        # Whatever is asked from now on fails, as with a disk that is gone.
        with contextlib.closing(sqlite3.connect(server.folder / PLACE)) as base:
            base.execute("DROP TABLE runs")
            base.execute("DROP TABLE tokens")
        return tokens

    server.lose = lose
    yield server
    server.stop()


def asked(server, path, token="", **headers):
    if token:
        headers["Authorization"] = f"Bearer {token}"
    with httpx.Client(base_url=f"http://{server.url}", trust_env=False, timeout=30) as client:
        return wait_until(
            lambda: (answer := client.get(path, headers=headers)).status_code == 503 and answer,
            f"{path} fails",
        )


def test_only_operators_are_told_where_the_store_is(broken):
    tokens = broken.lose("viewer", "operator", "admin")

    for token in ("", "segue_ab_cd", tokens["viewer"]):
        said = asked(broken, "/health", token)
        assert said.json()["status"] == "failing"
        assert said.json()["store"] == "the store cannot be reached now"
        assert PLACE not in said.text
    for role in ("operator", "admin"):
        assert PLACE in asked(broken, "/health", tokens[role]).json()["store"]


def test_an_answer_503_hides_the_address_from_viewers(broken):
    tokens = broken.lose("viewer", "operator")

    viewer = asked(broken, "/api/v2/runs", tokens["viewer"])
    operator = asked(broken, "/api/v2/runs", tokens["operator"])

    assert viewer.json()["detail"] == "the store cannot be reached now"
    assert PLACE not in viewer.text
    assert viewer.headers["retry-after"]
    assert PLACE in operator.json()["detail"]


def test_where_everybody_is_an_admin_all_is_told_but_to_other_pages(broken):
    broken.lose()

    assert PLACE in asked(broken, "/health").json()["store"]
    assert PLACE in asked(broken, "/api/v2/runs").json()["detail"]
    assert PLACE not in asked(broken, "/health", Host="elsewhere.example").text
