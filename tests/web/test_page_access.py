"""A server that asks for tokens."""

import subprocess
import sys

import pytest
from page_server import PageServer, environment, shell, wait_until
from playwright.sync_api import expect


def make_token(server, role):
    made = subprocess.run(
        [sys.executable, "-m", "segue.cli", "token", "create", "--role", role, "--name", role],
        capture_output=True, text=True, check=True, env=environment(server.folder),
    )  # fmt: skip
    return made.stdout.split()[-1]


@pytest.fixture(scope="module")
def server(browser, tmp_path_factory):
    """A server with tokens, and one run that goes on."""
    server = PageServer(tmp_path_factory.mktemp("guarded"))
    server.run = server.submit({"tag": "guarded", "tasks": {"a": {"job": shell("sleep 600")}}})
    server.tokens = {role: make_token(server, role) for role in ("viewer", "operator", "admin")}
    server.token = server.tokens["admin"]
    wait_until(lambda: server.get("/server")["authRequired"], "it asks for tokens")
    yield server
    server.close()


def sign_in(page, token, remember=False):
    dialog = page.get_by_role("dialog", name="Sign in")
    dialog.get_by_label("Token").fill(token)
    if remember:
        dialog.get_by_label("Remember").check()
    dialog.get_by_role("button", name="Sign in").click()


def test_a_wrong_token_is_asked_for_again_and_a_right_one_opens(open_page, server):
    page = open_page("/")
    page.watch.expected = ["401"]

    sign_in(page, "wrong")
    expect(page.get_by_role("dialog", name="Sign in")).to_contain_text("does not know the token")
    sign_in(page, server.tokens["operator"])

    expect(page.get_by_role("link", name="guarded", exact=True)).to_be_visible()
    expect(page.get_by_text("(operator)")).to_be_visible()


def test_a_token_is_typed_at_once_and_asked_for_again_on_request(open_page, server):
    page = open_page("/")
    page.watch.expected = ["401"]
    dialog = page.get_by_role("dialog", name="Sign in")
    expect(dialog.get_by_label("Token")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="Sign in").click()

    page.keyboard.type(server.tokens["viewer"])
    page.keyboard.press("Enter")

    expect(page.get_by_role("link", name="guarded")).to_be_visible()


def test_a_viewer_sees_why_nothing_can_be_changed(open_page, server):
    page = open_page(f"/runs/{server.run}")
    page.watch.expected = ["401"]
    sign_in(page, server.tokens["viewer"])

    kill = page.get_by_role("button", name="Kill")

    expect(kill).to_be_disabled()
    expect(kill).to_have_attribute("title", "Your role is viewer; this needs an operator.")


def test_a_token_is_remembered_only_where_that_is_wished(open_page, server):
    page = open_page("/")
    page.watch.expected = ["401"]
    sign_in(page, server.tokens["viewer"])
    expect(page.get_by_text("(viewer)")).to_be_visible()
    assert page.evaluate("localStorage.length") == 0

    page.get_by_role("button", name="Sign out").click()
    sign_in(page, server.tokens["viewer"], remember=True)
    expect(page.get_by_text("(viewer)")).to_be_visible()

    assert page.evaluate("Object.values(localStorage)") == [server.tokens["viewer"]]
    assert page.evaluate("sessionStorage.length") == 0
