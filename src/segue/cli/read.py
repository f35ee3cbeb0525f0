"""`segue validate` and `segue graph`: look at a workflow file without running it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import click

from segue.cli.common import json_option, open_service, print_json, source_of, source_options
from segue.cli.options import graph_options
from segue.model import drawing as draw
from segue.model.errors import Problem, Severity, WorkflowError


@click.command()
@click.argument("file", type=click.Path())
@source_options
@json_option
def validate(file: str, as_json: bool, **options: Any) -> None:
    """Check FILE ('-': standard input): every problem with its place and a hint.

    A fact that a run will need (--set) and that is not given is only a warning here.

    Exit code 0: it can be run; 2: it cannot.
    """
    from segue import wiring
    from segue.model.graph import check_graph

    name, size = "", None
    problems: tuple[Problem, ...]
    try:
        source = source_of(file, wiring.read_text(file), "", options)
        reader = (
            wiring.dialect(options["dialect"])
            if options["dialect"]
            else wiring.recognise(file, source.text)
        )
        name = reader.name
        workflow = reader.read(source)
        problems, size = (*workflow.warnings, *check_graph(workflow)), len(workflow.tasks)
    except WorkflowError as error:
        problems = tuple(only_a_fact(problem) for problem in error.problems)
    wrong = any(problem.severity is Severity.ERROR for problem in problems)
    if as_json:
        print_json(
            {
                "ok": not wrong,
                "dialect": name or None,
                "problems": [problem_document(problem, file) for problem in problems],
            }
        )
    else:
        from segue.cli.show import show_problems

        show_problems(problems)
        if not wrong:
            tasks = "its tasks depend on facts" if size is None else f"{size} tasks"
            click.echo(f"{file}: a {name} workflow, {tasks}")
        else:
            number = sum(problem.severity is Severity.ERROR for problem in problems)
            click.echo(f"{file}: {number} error{'s' if number != 1 else ''}", err=True)
    raise SystemExit(2 if wrong else 0)


def only_a_fact(problem: Problem) -> Problem:
    """Return the problem; one that is no fault of the file, as a warning."""
    if problem.code != "unknown_fact":
        return problem
    return replace(problem, severity=Severity.WARNING)


def problem_document(problem: Problem, file: str) -> dict[str, Any]:
    """Return a problem as ``segue validate --json`` prints it."""
    place = problem.place
    return {
        "severity": problem.severity.value,
        "path": place.path if place else file,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
        "pointer": problem.pointer,
    }


@click.command()
@click.argument("target", metavar="FILE|RUN")
@graph_options
@source_options
def graph(target: str, form: str, level: str, output_path: str, **options: Any) -> None:
    """Show the graph of a workflow FILE, or of a RUN with the states of its tasks."""
    picture = drawing_of(target, output_path, options)
    if form == "json":
        by_task = level == "task"
        print_json((draw.task_document if by_task else draw.template_document)(picture))
        return
    dots, edges = (draw.by_task if level == "task" else draw.by_template)(picture)
    if form == "mermaid":
        click.echo(draw.mermaid(dots, edges))
    elif form == "dot":
        click.echo(draw.dot_text(picture.workflow, dots, edges))
    else:
        click.echo(draw.text(dots, edges))


def drawing_of(target: str, output_path: str, options: dict[str, Any]) -> draw.Drawing:
    """Return the graph of a file if there is one of that name, else of a run."""
    from segue import wiring

    if target != "-" and not os.path.exists(target):
        from segue.engine.documents import drawing_of as drawing_of_run
        from segue.model.errors import NotFoundError

        service = open_service()
        try:
            return drawing_of_run(service.store, service.find_run(target))
        except NotFoundError as error:
            raise NotFoundError(
                f"there is neither a file nor a run {target!r}", error.hint
            ) from error
    source = source_of(target, wiring.read_text(target), output_path, options)
    workflow = wiring.read_workflow(source, options["dialect"])
    from segue.cli.show import show_warnings

    show_warnings(workflow)
    return draw.Drawing(workflow.name, workflow.dialect, workflow.tasks, workflow.barriers)
