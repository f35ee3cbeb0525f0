"""A study's parameters from a generator, put into its source before the dialect reads it."""

from __future__ import annotations

from dataclasses import replace

from segue.dialects.maestro import Maestro
from segue.maestro.generator import generate, generator_arguments
from segue.protocols.dialect import Source


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


def workspace_of(source: Source) -> str:
    """Return the workspace that the study gets when nobody has chosen one."""
    return Maestro().workspace(source)
