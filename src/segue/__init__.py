"""Segue runs the workflows that scientists already have.

The package is a house with rooms; `docs/architecture.md` names them. Nothing
is imported here, so that `segue --help` starts fast.
"""

__version__ = "0.1.0"
