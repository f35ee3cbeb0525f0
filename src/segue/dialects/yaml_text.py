"""YAML text as a tree of nodes with places, read as YAML 1.1 as PyYAML reads it.

Owns what is common to all dialects in YAML: syntax errors as problems with a hint,
bounds against texts that are made to exhaust memory or stack, duplicate keys, merge
keys, and the values that plain scalars stand for. It knows no dialect's grammar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import yaml

from segue.dialects.yaml_faults import explain
from segue.dialects.yaml_values import plain, scalar, trap
from segue.model.errors import Problem, Severity, did_you_mean, shorten
from segue.model.location import Place

__all__ = [
    "Item",
    "compose",
    "describe",
    "mapping_items",
    "place_of",
    "plain",
    "scalar",
    "trap",
]

#: libyaml is about ten times faster, and not everywhere there.
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_DEPTH: Final = 100
#: Nodes that aliases may add to those written; "billion laughs" would add more.
MAX_ALIASED: Final = 1_000_000

#: What a YAML text may not hold (YAML 1.1, section 4.1.1), lone surrogates among it.
_NOT_PRINTABLE: Final = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
_STANDARD: Final = "tag:yaml.org,2002:"
_MERGE: Final = _STANDARD + "merge"

Collection = yaml.MappingNode | yaml.SequenceNode


def place_of(node: yaml.Node, path: str) -> Place:
    """Return where the node begins; line and column count from 1."""
    mark = node.start_mark
    return Place(path, mark.line + 1, mark.column + 1)


def compose(text: str, path: str, problems: list[Problem]) -> yaml.Node | None:
    """Return the tree of the text's one document, or None with a problem added.

    Custom tags stay on the nodes (``node.tag == "!LUTE_DAG"``). Nested deeper than
    `MAX_DEPTH`, grown by aliases above `MAX_ALIASED`, an alias within its own anchor,
    several documents, none, or control characters: each is a problem. Nothing is raised.

    Examples
    --------
    >>> problems = []
    >>> compose("a: [1, 2", "x.yaml", problems)
    >>> print(problems[0])
    x.yaml:1:4: the YAML is broken: a list or map in brackets is not closed
      hint: close it with ']' or '}', or put a ',' between its items
    """
    unprintable = _NOT_PRINTABLE.search(text)
    if unprintable:
        problems.append(_control_character(text, unprintable.start(), path))
        return None
    loader = _LOADER(text)
    try:
        return _Composer(path, loader).document()
    except _Refused as refusal:
        problems.append(refusal.problem)
    except yaml.MarkedYAMLError as error:
        problems.append(explain(error, text, path))
    except yaml.YAMLError as error:
        problems.append(Problem("yaml_syntax", f"the YAML is broken: {error}", Place(path, 1, 1)))
    finally:
        loader.dispose()
    return None


def _control_character(text: str, index: int, path: str) -> Problem:
    line = text.count("\n", 0, index) + 1
    column = index - text.rfind("\n", 0, index)
    message = f"the character U+{ord(text[index]):04X} may not stand in YAML"
    hint = 'remove it; inside double quotes it can be written as an escape such as "\\x00"'
    return Problem("yaml_character", message, Place(path, line, column), hint)


class _Refused(Exception):  # noqa: N818  # it carries a user's mistake to `compose`, no further
    def __init__(self, problem: Problem) -> None:
        self.problem = problem


class _Open:
    """A collection whose end has not come yet; `size` counts its nodes, aliases expanded."""

    __slots__ = ("key", "node", "size")

    def __init__(self, node: Collection) -> None:
        self.node = node
        self.size = 1
        self.key: yaml.Node | None = None


class _Composer:
    """Events to nodes, with a stack of its own: no depth of text can exhaust Python's.

    PyYAML's own composers recurse, in C without any bound.
    """

    def __init__(self, path: str, loader: Any) -> None:
        self.path = path
        self.loader = loader
        self.stack: list[_Open] = []
        self.root: yaml.Node | None = None
        #: anchor -> node and its size; the size is 0 while the node is still open.
        self.anchors: dict[str, tuple[yaml.Node, int]] = {}
        self.anchor_of: dict[int, str] = {}
        self.aliased = 0

    def document(self) -> yaml.Node:
        """Return the root of the only document."""
        next_event = self.loader.get_event
        documents = 0
        while True:
            event = next_event()
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self._begin(event, kind is yaml.MappingStartEvent)
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._end(event)
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise self._several(event)
            elif kind is yaml.StreamEndEvent:
                break
        if self.root is None:
            raise self._refuse(
                None, "yaml_empty", "the file holds nothing", "is it the right file?"
            )
        return self.root

    def _scalar(self, event: Any) -> None:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self.loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark, event.style)
        if event.anchor is not None:
            self._anchor(event, node, 1)
        self._add(node, 1)

    def _begin(self, event: Any, mapping: bool) -> None:
        if len(self.stack) >= MAX_DEPTH:
            message = f"lists and maps are nested more than {MAX_DEPTH} deep"
            raise self._refuse(event, "yaml_depth", message, "no workflow needs that")
        kind = yaml.MappingNode if mapping else yaml.SequenceNode
        tag = event.tag
        if tag is None or tag == "!":
            tag = _STANDARD + ("map" if mapping else "seq")
        node = kind(tag, [], event.start_mark, None, event.flow_style)
        if event.anchor is not None:
            self._anchor(event, node, 0)
        self.stack.append(_Open(node))

    def _end(self, event: Any) -> None:
        done = self.stack.pop()
        done.node.end_mark = event.end_mark
        name = self.anchor_of.get(id(done.node))
        if name is not None:
            self.anchors[name] = (done.node, done.size)
        self._add(done.node, done.size)

    def _alias(self, event: Any) -> None:
        name = event.anchor
        if name not in self.anchors:
            message = f"the alias '*{shorten(name)}' stands for no anchor above it"
            hint = did_you_mean(name, list(self.anchors)) or f"define it first with '&{name}'"
            raise self._refuse(event, "yaml_alias", message, hint)
        node, size = self.anchors[name]
        if not size:
            message = f"the alias '*{shorten(name)}' stands inside its own anchor"
            raise self._refuse(event, "yaml_alias", message, "a value cannot hold itself")
        self.aliased += size
        if self.aliased > MAX_ALIASED:
            message = f"aliases make more than {MAX_ALIASED} values of this file"
            raise self._refuse(event, "yaml_alias_bomb", message, "write fewer aliases of aliases")
        self._add(node, size)

    def _anchor(self, event: Any, node: yaml.Node, size: int) -> None:
        if event.anchor in self.anchors:
            message = f"the anchor '&{shorten(event.anchor)}' is defined twice"
            raise self._refuse(event, "yaml_anchor", message, "give one of them another name")
        self.anchors[event.anchor] = (node, size)
        self.anchor_of[id(node)] = event.anchor

    def _add(self, node: yaml.Node, size: int) -> None:
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        top.size += size
        if isinstance(top.node, yaml.SequenceNode):
            top.node.value.append(node)
        elif top.key is None:
            top.key = node
        else:
            top.node.value.append((top.key, node))
            top.key = None

    def _several(self, event: Any) -> _Refused:
        message = "a second document begins here; a workflow file holds one"
        return self._refuse(event, "yaml_documents", message, "remove the line '---', or split it")

    def _refuse(self, event: Any, code: str, message: str, hint: str) -> _Refused:
        mark = event.start_mark if event else None
        place = Place(self.path, mark.line + 1, mark.column + 1) if mark else Place(self.path, 1, 1)
        return _Refused(Problem(code, message, place, hint))


class Item(NamedTuple):
    """One entry of a mapping: its key as written, and both nodes."""

    key: str
    key_node: yaml.Node
    value: yaml.Node


def mapping_items(
    node: yaml.Node,
    path: str,
    problems: list[Problem],
    *,
    last_wins: bool = True,
) -> Iterator[Item]:
    r"""Yield the entries of a mapping, each key once, merge keys (``<<``) resolved.

    A key written twice adds a problem `duplicate_key`: a warning where the original
    takes the last one (`last_wins`), else an error. A key that is a list or map, and a
    merge of something that is no map, are errors. Another kind of node yields nothing.

    Examples
    --------
    >>> problems = []
    >>> node = compose("a: 1\nb: 2\na: 3", "x.yaml", problems)
    >>> [(item.key, item.value.value) for item in mapping_items(node, "x.yaml", problems)]
    [('a', '3'), ('b', '2')]
    >>> print(problems[0])
    x.yaml:3:1: warning: the key 'a' stands twice in this map (first at line 1); the last one counts
      hint: remove one of them
    """
    if not isinstance(node, yaml.MappingNode):
        return
    found: dict[str, Item] = {}
    own: dict[str, Item] = {}
    for key_node, value in node.value:
        if key_node.tag == _MERGE:
            for item in _merged(value, path, problems):
                found[item.key] = item
            continue
        if not isinstance(key_node, yaml.ScalarNode):
            message = f"{describe(key_node)} cannot be the key of a map"
            hint = "a text in '{...}' or '[...]' needs quotes"
            problems.append(Problem("bad_key", message, place_of(key_node, path), hint))
            continue
        item = Item(key_node.value, key_node, value)
        if item.key in own:
            problems.append(_duplicate(own[item.key], item, path, last_wins))
        own[item.key] = item
    yield from (found | own).values()


def _merged(value: yaml.Node, path: str, problems: list[Problem]) -> Iterator[Item]:
    """Yield what ``<<: value`` brings in; of several maps the first one wins, so it comes last."""
    maps = reversed(value.value) if isinstance(value, yaml.SequenceNode) else [value]
    for each in maps:
        if isinstance(each, yaml.MappingNode):
            # Its own duplicates are reported where it is written.
            yield from mapping_items(each, path, [])
        else:
            message = f"'<<' merges maps, not {describe(each)}"
            problems.append(Problem("bad_merge", message, place_of(each, path)))


def _duplicate(first: Item, second: Item, path: str, last_wins: bool) -> Problem:
    line = place_of(first.key_node, path).line
    ending = "; the last one counts" if last_wins else ""
    message = (
        f"the key {shorten(second.key)!r} stands twice in this map (first at line {line}){ending}"
    )
    severity = Severity.WARNING if last_wins else Severity.ERROR
    place = place_of(second.key_node, path)
    return Problem("duplicate_key", message, place, "remove one of them", severity)


def describe(node: yaml.Node) -> str:
    """Return in words what kind of value a node is, for messages: ``a list``, ``null``.

    Examples
    --------
    >>> describe(compose("[1]", "x.yaml", [])), describe(compose("yes", "x.yaml", []))
    ('a list', 'true or false')
    """
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if isinstance(node, yaml.MappingNode):
        return "a map"
    words = {
        "null": "null",
        "bool": "true or false",
        "int": "a number",
        "float": "a number",
        "timestamp": "a date",
    }
    return words.get(node.tag.removeprefix(_STANDARD), "a text")
