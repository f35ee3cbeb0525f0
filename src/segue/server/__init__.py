"""HTTP: what others can ask of a run, and what its jobs tell it."""
