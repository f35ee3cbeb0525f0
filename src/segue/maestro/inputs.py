"""What is put into a study's source before the dialect reads it: what programs here say."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from typing import Final

from segue.dialects.maestro import Maestro
from segue.maestro.generator import generate, generator_arguments
from segue.protocols.dialect import Source

#: How long Flux may take to say its version, in seconds.
FLUX_LIMIT_S: Final = 10.0


def with_generated_parameters(source: Source) -> Source:
    """Return the source with what its option ``pgen`` makes; without that, as it is.

    ``pgen`` is the path of a Python file, ``pargs`` a list of ``NAME:VALUE`` for it.

    Raises
    ------
    WorkflowError
        If the generator fails, or the study cannot be read so far.
    """
    path = source.options.get("pgen")
    if not path or "generated_parameters" in source.options:
        return source
    dialect = Maestro()
    words = source.options.get("pargs", ())
    assert isinstance(words, list | tuple)
    generated = generate(
        str(path),
        generator_arguments([str(word) for word in words]),
        dialect.environment(source),
        output_path=source.workspace or dialect.workspace(source),
        spec_root=dialect.spec_root(source),
    )
    return replace(source, options={**source.options, "generated_parameters": generated})


def with_flux_version(source: Source) -> Source:
    """Return the source with the version of Flux here, which the heads of scripts name.

    Where there is no Flux, or it does not answer, the heads name none.
    """
    if "flux_version" in source.options or shutil.which("flux") is None:
        return source
    try:
        said = subprocess.run(
            ["flux", "version"], capture_output=True, text=True, timeout=FLUX_LIMIT_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return source
    found = re.search(r"^libflux-core:\s*(\S+)", said, re.MULTILINE)
    if not found:
        return source
    return replace(source, options={**source.options, "flux_version": found[1]})


def workspace_of(source: Source) -> str:
    """Return the workspace that the study gets when nobody has chosen one."""
    return Maestro().workspace(source)
