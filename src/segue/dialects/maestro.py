"""The dialect of LLNL Maestro: studies, as maestrowf 1.2.1 reads them.

The way of a text: `maestro_document` (grammar) -> `maestro_overrides` -> `maestro_tokens`
(`env`) -> `maestro_expansion` (parameters, graph) -> `maestro_tasks`. Where we differ on
purpose stands in `docs/reference/maestro-differences.md`.
"""

from __future__ import annotations

import os.path
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from segue.dialects.maestro_checks import Checks, json_value
from segue.dialects.maestro_document import read_study
from segue.dialects.maestro_expansion import (
    Needs,
    Node,
    build_graph,
    find_used,
    make_instances,
    unordered_references,
)
from segue.dialects.maestro_generated import with_generated
from segue.dialects.maestro_overrides import check_lengths, override
from segue.dialects.maestro_study import Environment, Study
from segue.dialects.maestro_tasks import Builder
from segue.dialects.maestro_tokens import (
    Finder,
    combine,
    environment_replacements,
    replace_all,
)
from segue.dialects.yaml_text import compose
from segue.model.errors import Problem, Severity, WorkflowError, shorten
from segue.model.parameters import map_strings
from segue.model.workflow import Growth, Task, Verdict, Workflow
from segue.protocols.dialect import Source

_DESCRIPTION: Final = re.compile(r"^(['\"]?)description\1[ \t]*:", re.MULTILINE)
_STUDY: Final = re.compile(r"^(['\"]?)study\1[ \t]*:", re.MULTILINE)
_INDENTED: Final = re.compile(r"^ {1,3}(study|global\.parameters)[ \t]*:", re.MULTILINE)
_PARAMETERS: Final = re.compile(r"^(['\"]?)global\.parameters\1[ \t]*:", re.MULTILINE)


class Maestro:
    """Reads studies of LLNL Maestro.

    Settings in `Source.options`: ``hashws`` (short names of directories), ``spec_root``
    (what ``$(SPECROOT)`` stands for; else the directory of the file), ``flux_version``
    (of the broker, for the script's head), ``generated_parameters`` (they replace the
    study's own), ``strict_maestro`` (do as 1.2.1 does where its users may depend on what
    we take for a fault).
    """

    name = "maestro"

    def recognise(self, path: str, text: str) -> float:
        """Return how surely this is a study: it has `description` and `study` at its top."""
        study, description = _STUDY.search(text), _DESCRIPTION.search(text)
        if study and description:
            return 0.9
        if _PARAMETERS.search(text) or study:
            return 0.5
        return 0.3 if _INDENTED.search(text) else 0.0

    def read(self, source: Source) -> Workflow:
        """Return the workflow of a study; raise `WorkflowError` with all that is wrong."""
        problems: list[Problem] = []
        checks = Checks(source.path, problems)
        root = compose(source.text, source.path, problems)
        study = read_study(root, checks) if root else None
        if study is None:
            raise WorkflowError(_in_order(problems))
        generated = source.options.get("generated_parameters")
        if generated is not None:
            study = with_generated(study, generated, checks)
        study = override(study, source.parameters, checks)
        check_lengths(study.parameters, checks)
        return _expand(study, source, checks)

    def environment(self, source: Source) -> Mapping[str, Any]:
        """Return the names of the study's `env` with their values as written.

        For a generator of parameters, which runs before the study can be expanded.
        """
        study = _outline(source)
        # What -p says of a parameter is judged when the generator has made it.
        env = override(study, source.parameters, Checks(source.path, [])).environment
        values = {each.name: json_value(each.value) for each in (*env.variables, *env.labels)}
        values |= {path.name: path.path for path in env.paths}
        return values | {git.name: git.path for git in env.gits}

    def workspace(self, source: Source) -> str:
        """Return where the study writes when nobody has chosen: see `default_workspace`."""
        study = override(_outline(source), source.parameters, Checks(source.path, []))
        return default_workspace(study, source)

    def spec_root(self, source: Source) -> str:
        """Return what ``$(SPECROOT)`` stands for."""
        return _spec_root(source)

    def grow(
        self,
        output: str,
        task: str,
        context: Mapping[str, Any],
        existing: Mapping[str, str],
    ) -> Growth:
        """Raise: a study has no generators."""
        message = f"task {shorten(task)!r}: a Maestro study cannot add tasks while it runs"
        raise WorkflowError([Problem("no_generators", message)])


def _outline(source: Source) -> Study:
    """Return the study as it is written, before anything is expanded."""
    checks = Checks(source.path, [])
    root = compose(source.text, source.path, checks.problems)
    study = read_study(root, checks) if root else None
    _stop_at_errors(checks)
    assert study is not None
    return study


def _expand(study: Study, source: Source, checks: Checks) -> Workflow:
    workspace = source.workspace or default_workspace(study, source)
    spec_root = _spec_root(source)
    strict = bool(source.options.get("strict_maestro"))
    located = _Dependencies(study.environment, workspace, spec_root, source.directory, strict)
    replacements = environment_replacements(study.environment, located.tokens, workspace, spec_root)
    steps = [
        (
            step,
            {
                "name": replace_all(step.name, replacements),
                "description": replace_all(step.description, replacements),
                "run": map_strings(dict(step.run), lambda text: replace_all(text, replacements)),
            },
        )
        for step in study.steps
    ]
    nodes = build_graph(steps, checks)
    _stop_at_errors(checks)
    find_used(nodes, Finder([each.name for each in study.parameters]), checks)
    _stop_at_errors(checks)
    _warn_of_missing_edges(nodes, checks)
    combinations = combine(study.parameters)
    make_instances(nodes, combinations, bool(source.options.get("hashws")), checks)
    _stop_at_errors(checks)
    batch = {**study.batch, "flux version": source.options.get("flux_version")}
    builder = Builder(nodes, combinations, batch, workspace, checks, Needs(nodes), strict)
    tasks = builder.tasks()
    _stop_at_errors(checks)
    workflow = _workflow(study, tasks, builder, workspace)
    context = {**located.context, "spec_root": spec_root, "batch": json_value(dict(study.batch))}
    return replace(workflow, context=context, warnings=tuple(_in_order(checks.problems)))


def _workflow(study: Study, tasks: list[Task], builder: Builder, workspace: str) -> Workflow:
    kind = str(study.batch.get("type", "local"))
    return Workflow(
        name=study.name,
        dialect=Maestro.name,
        tasks=tuple(tasks),
        barriers=builder.barriers(),
        description=study.description,
        verdict=Verdict.STRICT,
        workspace=workspace,
        pool="" if kind == "local" else kind,
    )


def _stop_at_errors(checks: Checks) -> None:
    if any(each.severity is Severity.ERROR for each in checks.problems):
        raise WorkflowError(_in_order(checks.problems))


def _in_order(problems: list[Problem]) -> list[Problem]:
    """Return the problems in the order of the file, those without a place first."""
    return sorted(problems, key=lambda each: each.place[1:] if each.place else (0, 0))


def _warn_of_missing_edges(nodes: Mapping[str, Node], checks: Checks) -> None:
    for step, other in unordered_references(nodes):
        message = (
            f"step {shorten(step.name)!r} reads the workspace of {shorten(other)!r} "
            "but does not depend on it, so it may run before it"
        )
        place = step.places.get("cmd", step.place)
        checks.warn(place, "missing_edge", message, f"add {shorten(other)!r} to its depends")


def default_workspace(study: Study, source: Source) -> str:
    """Return where the study writes when nobody has chosen: a directory with a time stamp.

    It lies below the variable `OUTPUT_PATH`, or below the current directory, and has the
    study's name with blanks (and slashes) as ``_``; the time is local, as Maestro's.
    """
    values = {entry.name: str(entry.value) for entry in study.environment.variables}
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(source.now))
    name = study.name.replace(" ", "_").replace("/", "_")
    root = values.get("OUTPUT_PATH", "")
    return os.path.normpath(os.path.join(source.directory, root, f"{name}_{stamp}"))


def _spec_root(source: Source) -> str:
    chosen = source.options.get("spec_root")
    if chosen:
        return str(chosen)
    path = os.path.join(source.directory, source.path)
    return os.path.dirname(os.path.normpath(path))


class _Dependencies:
    """Where the dependencies are, and what the door must check or clone before the start."""

    def __init__(
        self, env: Environment, workspace: str, spec_root: str, directory: str, strict: bool
    ) -> None:
        # Labels are not replaced here: only variables are.
        variables = environment_replacements(replace(env, labels=()), {}, workspace, spec_root)
        self.tokens: dict[str, str] = {}
        self.context: dict[str, Any] = {"paths": [], "git": []}
        for each in env.paths:
            named = each.path if strict else replace_all(each.path, variables)
            path = os.path.normpath(os.path.join(directory, named))
            self.tokens[each.name] = path
            entry = {"name": each.name, "path": path, "place": list(each.place)}
            self.context["paths"].append(entry)
        for git in env.gits:
            parent = os.path.join(directory, replace_all(git.path, variables))
            target = os.path.normpath(os.path.join(parent, git.name))
            self.tokens[git.name] = target
            url = replace_all(git.url, variables)
            entry = {"name": git.name, "path": target, "url": url, **git.checkout}
            self.context["git"].append({**entry, "place": list(git.place)})
