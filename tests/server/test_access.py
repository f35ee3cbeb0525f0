"""Who may do what: tokens, roles, hosts and origins, against the running server."""

import json
import sqlite3

import httpx
import pytest
from served import Server, daggy, wait_until

READ = [
    "/runs", "/runs/{run}", "/runs/{run}/tasks", "/runs/{run}/tasks/a", "/runs/{run}/graph",
    "/runs/{run}/tasks/a/attempts/1", "/runs/{run}/tasks/a/attempts/1/stdout", "/runs/{run}/spec",
    "/runs/{run}/history", "/runs/{run}/timeline", "/runs/{run}/progress", "/pools", "/server",
]  # fmt: skip
#: What each role is answered: viewer, operator, admin.
WRITE = [
    ("POST", "/runs/{run}:kill", (403, 409, 409)),
    ("POST", "/runs/{run}:requeue", (403, 409, 409)),
    ("POST", "/runs/{run}/tasks/a:hold", (403, 409, 409)),
    ("POST", "/runs/{run}/tasks:kill", (403, 409, 409)),
    ("POST", "/runs/{run}/tasks:hold", (403, 409, 409)),
    ("POST", "/runs/{run}/tasks:release", (403, 409, 409)),
    ("POST", "/runs/{run}/tasks:markCompleted", (403, 409, 409)),
    ("POST", "/runs", (403, 201, 201)),
    ("PATCH", "/runs/{run}", (403, 409, 409)),
    ("DELETE", "/runs/{run}", (403, 403, 204)),
]
DOCUMENT = daggy(a="echo $API_TOKEN") | {
    "jobDefaults": {"environment": {"API_TOKEN": "hush", "PLAIN": "shown"}}
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("access"))
    tokens = {role: server.token_for(role) for role in ("viewer", "operator", "admin")}
    server.token = tokens["admin"]
    with server:
        server.tokens = tokens
        server.run_id = server.submit(DOCUMENT)
        server.wait_for(server.run_id)
        yield server


def ask(server, token, method, path, **options):
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    headers |= options.pop("headers", {})
    url = f"http://{server.url}/api/v2{path.format(run=server.run_id)}"
    with httpx.Client(trust_env=False, timeout=30) as client:
        return client.request(method, url, headers=headers, **options)


@pytest.mark.parametrize("path", READ)
def test_every_role_may_look_and_nobody_else(guarded, path):
    statuses = [
        ask(guarded, token, "GET", path).status_code
        for token in (None, "segue_", "segue_x_y", "nonsense", *guarded.tokens.values())
    ]

    assert statuses == [401, 401, 401, 401, 200, 200, 200], guarded.said()[-4000:]


@pytest.mark.parametrize(("method", "path", "statuses"), WRITE)
def test_a_role_may_do_so_much(guarded, method, path, statuses):
    body = DOCUMENT if path == "/runs" else {"limit": 1} if method == "PATCH" else None
    if "/tasks:" in path:
        body = {"names": ["a"], "reason": "it is good"}
    for token in (None, "segue_ab_cd"):
        assert ask(guarded, token, method, path, json=body).status_code == 401
    for role, status in zip(guarded.tokens, statuses, strict=True):
        if method == "DELETE" and role == "admin":
            guarded.run_id, kept = guarded.submit(DOCUMENT), guarded.run_id
            guarded.wait_for(guarded.run_id)
            wait_until(lambda: is_deleted(guarded), "it is deleted")
            guarded.run_id = kept
            continue
        answer = ask(guarded, guarded.tokens[role], method, path, json=body)
        assert answer.status_code == status, (role, answer.text)


@pytest.mark.parametrize(
    ("method", "path"), [("PATCH", "/runs/{run}"), ("POST", "/runs/{run}/tasks/a:markCompleted")]
)
def test_who_may_not_is_refused_before_the_body_is_read(guarded, method, path):
    statuses = [
        ask(guarded, token, method, path, content=b"{nonsense").status_code
        for token in (None, guarded.tokens["viewer"], guarded.tokens["operator"])
    ]

    assert statuses == [401, 403, 422]


def is_deleted(server):
    return ask(server, server.token, "DELETE", "/runs/{run}").status_code == 204


def test_what_needs_no_token(guarded):
    with httpx.Client(base_url=f"http://{guarded.url}", trust_env=False) as client:
        assert client.get("/ready").json() == {"msg": "Ya like DAGs?"}
        assert client.get("/health").json()["status"] == "ok"
        assert client.get("/", headers={"Accept": "text/html"}).status_code == 200
        assert client.get("/metrics").status_code == 401
        assert client.get("/api/v2/events").status_code == 401


def test_a_wrong_scheme_is_told_so(guarded):
    answer = ask(guarded, None, "GET", "/runs", headers={"Authorization": "Basic YTpi"})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_secrets_are_kept_as_digests_and_shown_to_nobody(guarded):
    secret = guarded.tokens["viewer"].split("_", 2)[2]
    path = guarded.store.removeprefix("sqlite://")
    base = sqlite3.connect(path)
    rows = json.dumps(base.execute("SELECT * FROM tokens").fetchall())
    base.close()

    viewer = ask(guarded, guarded.tokens["viewer"], "GET", "/runs/{run}/spec").text
    operator = ask(guarded, guarded.tokens["operator"], "GET", "/runs/{run}/spec").text
    task = ask(guarded, guarded.tokens["admin"], "GET", "/runs/{run}/tasks/a").text

    assert secret not in rows
    assert "hush" not in viewer
    assert "shown" in viewer
    assert "hush" in operator
    assert "hush" not in task


def test_a_revoked_or_expired_token_is_of_no_use(guarded):
    made = guarded.segue(
        "token", "create", "--role", "viewer", "--name", "gone", "--expires", "1m", "--json"
    )
    token = json.loads(made.stdout)
    wait_until(lambda: ask(guarded, token["token"], "GET", "/runs").status_code == 200, "known")

    base = sqlite3.connect(guarded.store.removeprefix("sqlite://"))
    with base:
        base.execute("UPDATE tokens SET expires_at = 1 WHERE id = ?", [token["id"]])
    base.close()
    wait_until(lambda: ask(guarded, token["token"], "GET", "/runs").status_code == 401, "expired")
    listed = guarded.segue("token", "list")
    revoked = guarded.segue("token", "revoke", token["token"])
    again = guarded.segue("token", "revoke", token["id"])

    assert "expired" in listed.stdout
    assert token["token"] not in listed.stdout
    assert revoked.returncode == 0
    assert again.returncode == 2


def test_a_script_and_the_routes_of_daggy_show_no_secrets(guarded):
    run = guarded.submit(
        daggy(a={"job": {"command": ["curl", "-H", "Authorization: Bearer hush-hush"]}})
    )
    study = (
        "description: {name: s, description: s}\n"
        "study: [{name: a, description: a, run: {cmd: 'export MY_PASSWORD=hush-hush'}}]\n"
    )
    other = guarded.submit(study)
    numbers = [guarded.run(each)["number"] - 1 for each in (run, other)]

    told = [guarded.client.get(f"/api/v2/runs/{each}/tasks/a").text for each in (run, other)]
    told += [guarded.client.get(f"/v1/dagrun/{each}").text for each in numbers]

    assert all("a" in each and "********" in each for each in told), told
    assert not [each for each in told if "hush-hush" in each]


def test_the_submitter_is_known_by_name(guarded):
    assert guarded.run(guarded.run_id)["submittedBy"] == "a admin"
    assert guarded.get("/server")["user"] == "a admin"


# Without tokens ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def open_server(tmp_path_factory):
    words = ("--cors-origin", "http://pages.example")
    with Server(tmp_path_factory.mktemp("open"), *words) as server:
        server.run_id = ""
        yield server


def test_on_this_machine_everybody_is_an_admin(open_server):
    found = open_server.get("/server")

    assert (found["role"], found["authRequired"]) == ("admin", False)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "[", "[::1", ""]
)
def test_a_name_that_is_not_ours_is_refused(open_server, host):
    answer = ask(open_server, None, "GET", "/runs", headers={"Host": host})

    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_host")


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://evil.example", 403),
        ("null", 403),
        ("http://pages.example", 201),
        ("own", 201),
    ],
)
def test_pages_of_other_origins_change_nothing(open_server, origin, status):
    origin = f"http://{open_server.url}" if origin == "own" else origin

    answer = ask(
        open_server, None, "POST", "/runs", json=daggy(a="true"), headers={"Origin": origin}
    )

    assert answer.status_code == status


def test_other_origins_read_only_as_configured(open_server):
    headers = {"Origin": "http://pages.example", "Access-Control-Request-Method": "POST"}
    known = ask(open_server, None, "OPTIONS", "/runs", headers=headers)
    other = ask(
        open_server, None, "OPTIONS", "/runs", headers=headers | {"Origin": "http://evil.example"}
    )

    assert known.headers["access-control-allow-origin"] == "http://pages.example"
    assert "access-control-allow-origin" not in other.headers


def test_a_server_for_others_needs_a_token(tmp_path):
    server = Server(tmp_path)

    refused = server.segue("serve", "--host", "0.0.0.0", "--port", "0")

    assert refused.returncode == 2
    assert "segue token create" in refused.stderr
