"""The graph as a window draws it: by template, some templates expanded to tasks. Pure.

Barriers are passed through. An expanded template shows its first tasks, and one node for
the rest of them; each edge stands once, with the number of needs that it stands for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from segue.model.drawing import Dot, dot_text, mermaid
from segue.model.workflow import TriggerRule, Workflow
from segue.protocols.windows import Joint
from segue.server.picture_documents import Graph, GraphEdge, GraphNode
from segue.server.skeletons import Skeleton, skeleton_of

#: More nodes than this are no picture any more; windows say so.
NODES_AT_MOST: Final = 2000
_USUAL: Final = TriggerRule.ALL_SUCCESS.value


@dataclass(frozen=True, slots=True)
class Outline:
    """What stands in a picture, without states: nodes by id, and edges with their counts.

    `shown` are the positions of tasks that are nodes of their own.
    """

    nodes: tuple[GraphNode, ...]
    edges: tuple[tuple[str, str, int], ...]
    shown: tuple[int, ...]
    truncated: bool


def outline(skeleton: Skeleton, expanded: Collection[str], limit: int) -> Outline:
    """Return what is drawn of a graph, with the templates of `expanded` as tasks."""
    wanted = {at for at, name in enumerate(skeleton.templates) if name in expanded}
    members = _members(skeleton)
    room = NODES_AT_MOST - len(skeleton.templates)
    shown: list[int] = []
    left: dict[int, int] = {}
    for number in sorted(wanted):
        first = members[number][: max(0, min(limit, room - len(shown)))]
        shown.extend(first)
        if len(first) < len(members[number]):
            left[number] = len(members[number]) - len(first)
    ids = _ids(skeleton, wanted, set(shown))
    templates = range(min(len(skeleton.templates), NODES_AT_MOST))
    nodes: list[GraphNode] = []
    for number in templates:
        if number in wanted:
            nodes += [_task_node(skeleton, at) for at in shown if skeleton.template[at] == number]
            if number in left:
                nodes.append(_rest_node(skeleton, number, left[number]))
        else:
            nodes.append(_template_node(skeleton, number, members[number]))
    known = {node.id for node in nodes}
    edges = tuple(
        (before, after, count)
        for (before, after), count in _edges(skeleton, ids).items()
        if before in known and after in known
    )
    truncated = bool(left) or len(skeleton.templates) > len(templates)
    return Outline(tuple(nodes), edges, tuple(shown), truncated)


def _members(skeleton: Skeleton) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in skeleton.templates]
    for at, number in enumerate(skeleton.template):
        if number >= 0:
            found[number].append(at)
    return found


def _ids(skeleton: Skeleton, wanted: set[int], shown: set[int]) -> list[str]:
    """Return the node that stands for each position; empty for barriers."""
    found: list[str] = []
    for at, number in enumerate(skeleton.template):
        if number < 0:
            found.append("")
        elif number not in wanted:
            found.append(skeleton.templates[number])
        else:
            rest = f"more:{skeleton.templates[number]}"
            found.append(skeleton.names[at] if at in shown else rest)
    return found


def _edges(skeleton: Skeleton, ids: Sequence[str]) -> Counter[tuple[str, str]]:
    """Return the edges between nodes, each with the number of needs behind it."""
    edges: Counter[tuple[str, str]] = Counter()
    # Thousands that wait for one barrier wait for the same: they are counted first.
    through: Counter[tuple[int, str]] = Counter()
    sources: dict[int, Counter[str]] = {}
    for at, needs in enumerate(skeleton.needs):
        after = ids[at]
        if not after:
            continue
        for need in needs:
            if ids[need]:
                edges[ids[need], after] += 1
            else:
                through[need, after] += 1
    for (barrier, after), waiting in through.items():
        for before, count in _sources(skeleton, ids, barrier, sources).items():
            edges[before, after] += count * waiting
    for pair in [pair for pair in edges if pair[0] == pair[1]]:
        del edges[pair]
    return edges


def _sources(
    skeleton: Skeleton, ids: Sequence[str], barrier: int, known: dict[int, Counter[str]]
) -> Counter[str]:
    """Return the nodes behind a barrier, with the number of tasks of each; counted once."""
    todo = [] if barrier in known else [barrier]
    while todo:
        at = todo[-1]
        open_ones = [need for need in skeleton.needs[at] if not ids[need] and need not in known]
        if open_ones:
            todo += open_ones
            continue
        todo.pop()
        found: Counter[str] = Counter()
        for need in skeleton.needs[at]:
            if ids[need]:
                found[ids[need]] += 1
            else:
                found += known[need]
        known[at] = found
    return known[barrier]


def _template_node(skeleton: Skeleton, number: int, members: Sequence[int]) -> GraphNode:
    first = members[0]
    name = skeleton.templates[number]
    return GraphNode(
        id=name,
        label=name,
        kind="template",
        template=name,
        tasks=len(members),
        states={},
        trigger=skeleton.rules.get(first, _USUAL),
        generator=first in skeleton.generators,
    )


def _task_node(skeleton: Skeleton, at: int) -> GraphNode:
    return GraphNode(
        id=skeleton.names[at],
        label=skeleton.names[at],
        kind="task",
        template=skeleton.templates[skeleton.template[at]],
        tasks=1,
        states={},
        trigger=skeleton.rules.get(at, _USUAL),
        generator=at in skeleton.generators,
    )


def _rest_node(skeleton: Skeleton, number: int, left: int) -> GraphNode:
    name = skeleton.templates[number]
    return GraphNode(
        id=f"more:{name}",
        label=f"{left} more",
        kind="more",
        template=name,
        tasks=left,
        states={},
        trigger=_USUAL,
        generator=False,
    )


def graph(
    drawn: Outline,
    level: str,
    template_states: Mapping[str, Mapping[str, int]],
    task_states: Mapping[str, str],
) -> Graph:
    """Return the picture with states: of templates by name, of shown tasks by name."""
    shown: dict[str, Counter[str]] = {}
    for node in drawn.nodes:
        if node.kind == "task" and node.label in task_states:
            shown.setdefault(node.template, Counter())[task_states[node.label]] += 1
    nodes = []
    for node in drawn.nodes:
        states: Mapping[str, int]
        if node.kind == "task":
            states = {task_states[node.label]: 1} if node.label in task_states else {}
        else:
            states = template_states.get(node.template, {})
            if node.kind == "more":
                states = Counter(states) - shown.get(node.template, Counter())
        nodes.append(node.model_copy(update={"states": dict(states)}))
    edges = [GraphEdge(source=before, target=after, count=n) for before, after, n in drawn.edges]
    return Graph(
        level="task" if level == "task" else "template",
        nodes=nodes,
        edges=edges,
        truncated=drawn.truncated,
    )


def workflow_graph(workflow: Workflow) -> Graph:
    """Return the picture by template of a workflow that is not stored."""
    joints = [
        Joint(
            at,
            task.name,
            task.template,
            False,
            task.needs,
            task.trigger.value,
            bool(task.generator),
        )
        for at, task in enumerate(workflow.tasks)
    ]
    first = len(joints)
    joints += [
        Joint(first + at, each.name, "", True, each.needs, "", False)
        for at, each in enumerate(workflow.barriers)
    ]
    return graph(outline(skeleton_of(joints), (), 0), "template", {}, {})


def as_text(name: str, drawn: Graph, form: str) -> str:
    """Return the picture in the language of Graphviz (``dot``) or of Mermaid."""
    labels = {node.id: node for node in drawn.nodes}
    dots = [Dot(node.id, node.tasks, _rule(node.trigger), node.states) for node in labels.values()]
    edges: Iterable[tuple[str, str]] = [(edge.source, edge.target) for edge in drawn.edges]
    return dot_text(name, dots, list(edges)) if form == "dot" else mermaid(dots, list(edges))


def _rule(word: str) -> TriggerRule:
    return TriggerRule(word) if word in TriggerRule._value2member_map_ else TriggerRule.ALL_SUCCESS
