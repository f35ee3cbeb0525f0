"""Debian's Chromium through Playwright, and what no view of the page may do."""

import os
import shutil
from pathlib import Path

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "src" / "segue" / "server" / "page" / "index.html"
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE_MS = 30_000


def what_is_missing():
    """Why there can be no browser test here, or nothing."""
    if not shutil.which("chromium"):
        return "there is no chromium on the PATH"
    if not PAGE.exists() or not AXE.exists():
        return "the page was not built: make page"
    return ""


def launch(playwright):
    """A browser without a window."""
    return playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)


def must_run():
    """Whether a missing browser is a failure."""
    return os.environ.get("CI") == "true"


class Watch:
    """Sees what a page must not do: errors, and requests to other hosts."""

    def __init__(self, page, url):
        self.errors = []
        self.strangers = []
        #: Parts of console messages that a test has caused on purpose.
        self.expected = []
        self._url = url
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._request)

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.type}: {message.text}")

    def _request(self, request):
        if not request.url.startswith((self._url, "data:", "blob:")):
            self.strangers.append(request.url)

    def check(self):
        """Fail if something was seen."""
        unexpected = [
            error for error in self.errors if not any(part in error for part in self.expected)
        ]
        assert unexpected == []
        assert self.strangers == []


def serious_findings(page):
    """What axe-core finds that is serious or critical, in words."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{finding['id']}: {finding['help']} at {node['target']} {node['failureSummary']}"
        for finding in found["violations"]
        if finding["impact"] in ("serious", "critical")
        for node in finding["nodes"][:3]
    ]


def sideways_px(page):
    """How far the page itself can be scrolled sideways."""
    return page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
