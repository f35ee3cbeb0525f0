"""Settings for the whole suite."""

import sys
from pathlib import Path

from hypothesis import settings

# Helpers of one folder are imported by name, as `from runs import Play`.
for folder in Path(__file__).parent.iterdir():
    if folder.is_dir():
        sys.path.insert(0, str(folder))

settings.register_profile("segue", max_examples=100, deadline=None)
settings.load_profile("segue")
