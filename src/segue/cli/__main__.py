"""`python -m segue.cli` is `segue`."""

from segue.cli.main import main

main()
