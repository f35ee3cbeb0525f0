"""Debian's Chromium, for the tests of the page. It is a program, and nothing is left running.

python tests/services/browser.py up|down|status|install
"""

import shutil
import sys

from service import ensure_programs, main_of


class Browser:
    """Installed is up."""

    name = "browser"
    programs = ("chromium",)
    packages = ("chromium", "fonts-dejavu-core")

    def is_up(self) -> bool:
        """Whether it is there."""
        return shutil.which("chromium") is not None

    def up(self) -> dict[str, str]:
        """Install it if it is missing."""
        ensure_programs(self.programs, self.packages)
        return {}

    def down(self) -> None:
        """Do nothing: tests close what they open."""


SERVICE = Browser()

if __name__ == "__main__":
    sys.exit(main_of(SERVICE, sys.argv[1:]))
