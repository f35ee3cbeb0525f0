"""``python -m segue.lute.run_task -t Tester -c config.yaml``: what a job of a workflow runs."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from segue.lute.executor import FAILED, Executor
from segue.lute.parameters import read_header
from segue.lute.registry import find_managed_task
from segue.lute.subprocess_task import read_file, read_values
from segue.model.errors import SegueError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one managed Task; return the job's exit code, 255 for any failure as in LUTE."""
    parser = argparse.ArgumentParser(prog="run_task", description="Run one managed Task.")
    parser.add_argument("-t", "--taskname", required=True, help="the managed Task: Tester")
    parser.add_argument("-c", "--config", required=True, help="the config YAML")
    parser.add_argument(
        "--values", default="{}", help="values that win over those of the section, as JSON"
    )
    parser.add_argument("-d", "--debug", action="store_true", help="say more")
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if options.debug else logging.INFO,
        format="%(levelname)s:%(name)s:%(message)s",
        stream=sys.stdout,
    )
    try:
        managed, suffix = find_managed_task(options.taskname, os.environ)
        config = read_file(os.path.abspath(options.config))
        header = read_header(config, os.environ)
        values = read_values(options.values)
        return Executor(managed, config, header, suffix=suffix, values=values).run()
    except SegueError as error:
        sys.stdout.write(f"{error}\n")
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
