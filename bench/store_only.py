"""store_only.py FILE: read, check and store a run as `segue run` does, and do not run it."""

from __future__ import annotations

import gc
import os
import sys

from segue import wiring
from segue.cli.common import source_of
from segue.cli.run import check_runnable
from segue.engine.service import Service, new_run_id
from segue.protocols.clock import SystemClock


def main(file: str) -> None:
    """Store a run of the file and print its name."""
    gc.set_threshold(100_000, 20, 100)  # as `segue.cli.main` does
    options: dict[str, object] = {}
    source = source_of(file, wiring.read_text(file), "", options)
    workflow = wiring.read_workflow(source)
    check_runnable(workflow, options)
    run = new_run_id(workflow.name)
    store = wiring.open_store()
    Service(store, SystemClock()).submit(
        workflow,
        run=run,
        source=os.path.abspath(file),
        directory=source.directory,
        workspace=os.path.abspath(run),
        pools=["local"],
    )
    store.close()
    print(run)


if __name__ == "__main__":
    main(sys.argv[1])
