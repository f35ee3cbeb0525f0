"""Makes the pictures of docs/images: the page, served by a real server with real runs.

make screenshots
"""

import sys
import tempfile
from pathlib import Path

from browsing import PATIENCE_MS, ROOT, launch, what_is_missing
from demo_runs import FAULTY, STUDY, many, reduction, small
from page_server import PageServer, wait_until
from playwright.sync_api import expect, sync_playwright

IMAGES = ROOT / "docs" / "images"
MOST_BYTES = 200_000
WIDE = {"width": 1280, "height": 760}
PHONE = {"width": 360, "height": 720}
EXAMPLES = ROOT / "examples"


def main():
    """Serve, submit, wait until it looks good, and take the pictures."""
    missing = what_is_missing()
    if missing:
        sys.exit(f"screenshots.py: {missing}")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = PageServer(Path(folder), jobs=6)
        browser = launch(playwright)
        try:
            run = submit_all(server)
            for name, path, options in pictures(run):
                take(browser, server.url + path, name, **options)
        finally:
            browser.close()
            server.close()


def submit_all(server):
    """Runs of all dialects and states; the id of the one that is looked at."""
    for name, command in (("nightly-tables", "/bin/true"), ("prices-daily", "/bin/false")):
        server.submit(small(name, command, team="operations"), path=f"{name}.json")
    server.submit(many(20_000), pool="noop", path="sweep.json")
    server.submit(STUDY, path="lammps-scan.yaml")
    server.submit((EXAMPLES / "build-archive.yaml").read_text(), path="build-archive.yaml")
    killed = server.submit(small("darks-0411", "/bin/sleep 900"), path="darks.json")
    wait_until(lambda: server.task(killed, "pull")["state"] == "running", "it runs")
    server.post(f"/runs/{killed}:kill", {"reason": "wrong detector"})
    server.submit(small("darks-0413", experiment="mfxl1038923"), path="darks.json", paused=True,
                  tags={"note": "wait for beam"})  # fmt: skip
    run = server.submit(reduction(900), path="reduce-0412.json")
    counts = f"/runs/{run}"
    wait_until(lambda: server.get(counts)["counts"].get("failed"), "one has failed")
    wait_until(lambda: server.get(counts)["counts"].get("succeeded", 0) == 51, "the rest is done")
    return run


def pictures(run):
    """Name, path, and what is to be done before the picture is taken."""
    at = f"/runs/{run}"
    dark = {"color_scheme": "dark"}
    tall = {"viewport": {"width": 1280, "height": 900}}
    return [
        ("page-runs", "/", {}),
        ("page-runs-dark", "/", dark),
        ("page-graph", at, {}),
        ("page-graph-open", f"{at}?open=find_peaks&open=fit", {}),
        ("page-tasks", f"{at}/tasks?sort=-duration", {}),
        ("page-task", f"{at}/tasks/find_peaks_18?state=failed&state=running&log=stderr", tall),
        ("page-task-dark", f"{at}/tasks/calibrate_7?name=calibrate_1", dark),
        ("page-timeline", f"{at}/timeline", {}),
        ("page-plots", f"{at}/plots", {}),
        ("page-history", f"{at}/history", {}),
        ("page-definition", f"{at}/definition", {}),
        ("page-submit-problems", "/submit", {"paste": FAULTY}),
        ("page-submit", "/submit", {**tall, "paste": STUDY, "scroll": ".preview"}),
        ("page-pools", "/pools", {"viewport": {"width": 1280, "height": 460}}),
        ("page-phone-runs", "/", {"viewport": PHONE}),
        ("page-phone-task", f"{at}/tasks/calibrate_7", {"viewport": PHONE, "scroll": ".panel"}),
    ]


def take(browser, url, name, *, viewport=WIDE, color_scheme="light", paste="", scroll=""):
    """One picture, in a profile of its own."""
    context = browser.new_context(
        viewport=viewport, color_scheme=color_scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(url)
    if paste:
        page.get_by_label("The workflow's text").fill(paste)
        page.locator(".verdict.good, .verdict.bad").wait_for()
        page.evaluate("document.activeElement.blur()")
    # Streams never end: still is when all that is asked for by name has come.
    expect(page.locator(".loading")).to_have_count(0, timeout=PATIENCE_MS)
    page.wait_for_timeout(1500)
    if scroll:
        page.evaluate("part => document.querySelector(part).scrollIntoView()", scroll)
        page.wait_for_timeout(300)
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path)
    context.close()
    size = path.stat().st_size
    sys.stdout.write(f"{path.relative_to(ROOT)} {size / 1000:.0f} kB\n")
    if size > MOST_BYTES:
        sys.exit(f"screenshots.py: {path.name} is larger than {MOST_BYTES / 1000:.0f} kB")


if __name__ == "__main__":
    main()
