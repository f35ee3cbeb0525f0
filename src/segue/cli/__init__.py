"""The command line: `segue` and, later, the drop-in commands."""
