"""Between the two forms of LUTE's workflow files: its Maestro's, and Airflow's and Prefect's.

They differ in the tag ``!LUTE_DAG`` and in what may stand below it. The text is changed, not
written anew: comments, quotes and blank lines stay as they are. What the other form cannot
say is refused with its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

import yaml

from segue.dialects.lute_steps import ROOT, RULES
from segue.dialects.yaml_text import compose, place_of
from segue.model.errors import Problem, Severity, WorkflowError, shorten
from segue.model.workflow import TriggerRule

_STANDARD: Final = "tag:yaml.org,2002:"
#: What Airflow and Prefect know; with one step before it the second means the same.
_KNOWN_RULES: Final = (TriggerRule.ALL_SUCCESS, TriggerRule.ANY_SUCCESS)
#: Keys of steps that they do not know, with what to do.
_UNKNOWN_KEYS: Final = {
    "id": "joins are Segue's own; write the steps as a tree",
    "needs": "joins are Segue's own; write the steps as a tree",
    "run_dependent": "launches by tag are for launch_slurm alone",
}


class Form(StrEnum):
    """A form of LUTE's workflow files."""

    LUTE = "lute"
    AIRFLOW = "airflow"
    #: As Airflow's, but it runs a managed Task as often as it is named.
    PREFECT = "prefect"


def converted(text: str, path: str, form: Form) -> str:
    r"""Return the text of a workflow in the other form.

    Raises
    ------
    WorkflowError
        If it cannot be read, is in that form already, or says what that form cannot.

    Examples
    --------
    >>> print(converted("# test\ntask_name: A\nnext: []\n", "x.yaml", Form.LUTE), end="")
    # test
    !LUTE_DAG
    task_name: A
    next: []
    """
    problems: list[Problem] = []
    root = compose(text, path, problems)
    if root is not None:
        is_tagged = root.tag == ROOT
        if is_tagged == (form is Form.LUTE):
            what = "has" if is_tagged else "has no"
            message = f"the file {what} {ROOT}: it is in the form of {form.value!r} already"
            problems.append(Problem("same_form", message, place_of(root, path)))
        elif form is Form.LUTE:
            problems += _faults_of_airflow(root, path)
        else:
            problems += _faults_of_lute(root, path, form)
    if any(each.severity is Severity.ERROR for each in problems):
        raise WorkflowError(problems)
    assert root is not None
    return _tagged(text, root) if form is Form.LUTE else _untagged(text, root)


def _faults_of_airflow(root: yaml.Node, path: str) -> Iterator[Problem]:
    if not isinstance(root, yaml.MappingNode):
        message = "a workflow for Airflow is one first step, a map"
        yield Problem("bad_root", message, place_of(root, path), "write task_name: and next:")
    for node in _nodes(root):
        if not node.tag.startswith(_STANDARD):
            message = f"the tag {shorten(node.tag)!r} is of {ROOT} files, and {ROOT} is missing"
            hint = f"begin the file with {ROOT}: then it is one"
            yield Problem("unknown_tag", message, place_of(node, path), hint)


def _faults_of_lute(root: yaml.Node, path: str, form: Form) -> Iterator[Problem]:
    taker = form.value.capitalize()
    first = _first_step(root)
    if first is None:
        message = f"{taker} takes one first step, and this file has several, or none"
        hint = "put a step before them that all of them wait for"
        yield Problem("several_roots", message, place_of(root, path), hint)
    seen: dict[str, yaml.Node] = {}
    for node in _nodes(root):
        if not isinstance(node, yaml.MappingNode):
            if node.tag not in (ROOT,) and not node.tag.startswith(_STANDARD):
                message = f"{taker} knows no {shorten(node.tag)!r}"
                yield Problem("unsayable", message, place_of(node, path), "write it without")
            continue
        yield from _faults_of_map(node, path, taker, is_first=node is first)
        if form is Form.AIRFLOW:
            yield from _repeated(node, seen, path)


def _faults_of_map(
    node: yaml.MappingNode, path: str, taker: str, *, is_first: bool
) -> Iterator[Problem]:
    rule = RULES.get(node.tag)
    if rule is not None and rule not in _KNOWN_RULES and not is_first:
        message = f"{taker} starts a step when the one before it has succeeded, not by {node.tag!r}"
        hint = "leave the rule out if that is what you want"
        yield Problem("unsayable", message, place_of(node, path), hint)
    elif rule is None and node.tag != ROOT and not node.tag.startswith(_STANDARD):
        message = f"{taker} has nothing like {shorten(node.tag)!r}"
        hint = "write out the steps of the case that you want to run there"
        yield Problem("unsayable", message, place_of(node, path), hint)
    for key, value in node.value:
        name = getattr(key, "value", "")
        if name in _UNKNOWN_KEYS and not (name == "run_dependent" and _is_true(value)):
            message = f"{taker} knows no key {name!r}"
            yield Problem("unsayable", message, place_of(key, path), _UNKNOWN_KEYS[name])


def _repeated(node: yaml.MappingNode, seen: dict[str, yaml.Node], path: str) -> Iterator[Problem]:
    for key, value in node.value:
        if getattr(key, "value", "") != "task_name" or not isinstance(value, yaml.ScalarNode):
            continue
        first = seen.setdefault(value.value, value)
        if first is not value:
            line = first.start_mark.line + 1
            message = f"Airflow runs {shorten(value.value)!r} once only; it stands in line {line}"
            hint = "Prefect runs a managed Task as often as it is named: --to prefect"
            yield Problem("repeated_task", message, place_of(value, path), hint)


def _is_true(node: yaml.Node) -> bool:
    return str(getattr(node, "value", "")).lower() == "true"


def _first_step(root: yaml.Node) -> yaml.MappingNode | None:
    """Return the one first step; None if there is not exactly one."""
    if isinstance(root, yaml.SequenceNode):
        if len(root.value) != 1 or root.flow_style:
            return None
        root = root.value[0]
    return root if isinstance(root, yaml.MappingNode) else None


def _nodes(root: yaml.Node) -> Iterator[yaml.Node]:
    """Yield all nodes in the order of the file; what aliases repeat, each time."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, yaml.SequenceNode):
            stack += reversed(node.value)
        elif isinstance(node, yaml.MappingNode):
            stack += [value for _, value in reversed(node.value)]


# The text ----------------------------------------------------------------------------


def _tagged(text: str, root: yaml.Node) -> str:
    """Return the text with the root's tag on a line of its own."""
    at = root.start_mark.index
    begin = text.rfind("\n", 0, at) + 1
    lead = text[begin:at]
    if lead.strip():
        return f"{text[:at]}{ROOT}\n{text[at:]}"  # behind '---', in its line
    return f"{text[:begin]}{ROOT}\n{text[begin:]}"


def _untagged(text: str, root: yaml.Node) -> str:
    """Return the text without tags, and its one first step outside of a list."""
    cuts = [
        (token.start_mark.index, token.end_mark.index)
        for token in yaml.scan(text, Loader=yaml.SafeLoader)
        if isinstance(token, yaml.TagToken)
    ]
    dash = root.start_mark.index if isinstance(root, yaml.SequenceNode) else None
    if dash is not None:
        dash = text.index("-", _after_tag(root, cuts))
        text = f"{text[:dash]} {text[dash + 1 :]}"
    for begin, end in reversed(cuts):
        text = _cut(text, begin, end)
    return text


def _after_tag(root: yaml.Node, cuts: list[tuple[int, int]]) -> int:
    """Return where the list itself may begin: behind the root's tag."""
    ends = [end for begin, end in cuts if begin == root.start_mark.index]
    return ends[0] if ends else root.start_mark.index


def _cut(text: str, begin: int, end: int) -> str:
    """Return the text without a tag; a line that holds nothing else goes with it."""
    line_begin = text.rfind("\n", 0, begin) + 1
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    before, after = text[line_begin:begin], text[end:line_end]
    if not before.strip() and not after.strip():
        return text[:line_begin] + text[line_end + 1 :]
    if not after.strip():
        return text[:begin].rstrip(" ") + text[end:]
    return text[:begin] + text[end:].removeprefix(" ")
