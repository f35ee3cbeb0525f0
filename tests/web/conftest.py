"""One server and one browser a module: Playwright's loop must not outlive its tests, for others
in the same process use loops of their own."""

import pytest
from browsing import PATIENCE_MS, Watch, launch, must_run, what_is_missing
from page_server import PageServer


@pytest.fixture(scope="module")
def browser():
    """Chromium; where that cannot be, skip, but fail in CI."""
    missing = what_is_missing()
    if missing:
        (pytest.fail if must_run() else pytest.skip)(missing)
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(browser, tmp_path_factory):
    """A server of its own for the tests of a module."""
    server = PageServer(tmp_path_factory.mktemp("served"))
    yield server
    server.close()


@pytest.fixture
def open_page(browser, server):
    """Opens an address in a profile of its own; checks at the end that nothing was wrong."""
    contexts, watches = [], []

    def open_(path, **options):
        context = browser.new_context(**{"viewport": {"width": 1360, "height": 900}, **options})
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        watch = Watch(page, server.url)
        page.watch = watch
        contexts.append(context)
        watches.append(watch)
        page.goto(server.url + path)
        return page

    yield open_
    for context in contexts:
        context.close()
    for watch in watches:
        watch.check()
