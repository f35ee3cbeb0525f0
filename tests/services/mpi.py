"""Debian's Open MPI, for Tasks of several ranks. It is a program, and nothing is left running.

python tests/services/mpi.py up|down|status|install
"""

import shutil
import sys

from service import ensure_programs, main_of


class Mpi:
    """Installed is up."""

    name = "mpi"
    programs = ("mpirun",)
    packages = ("openmpi-bin",)

    def is_up(self) -> bool:
        """Whether it is there."""
        return shutil.which("mpirun") is not None

    def up(self) -> dict[str, str]:
        """Install it if it is missing; return what it wants to be told on a test machine."""
        ensure_programs(self.programs, self.packages)
        return {
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            # There may be more ranks than this machine has cores.
            "OMPI_MCA_rmaps_base_oversubscribe": "1",
        }

    def down(self) -> None:
        """Do nothing: tests stop what they start."""


SERVICE = Mpi()

if __name__ == "__main__":
    sys.exit(main_of(SERVICE, sys.argv[1:]))
