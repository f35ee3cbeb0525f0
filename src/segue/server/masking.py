"""Secrets are not shown: values whose names say that they are secret. Pure.

A name is judged by its words, wherever they stand in it; a value by nothing. That hides
too much rather than too little.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

MASK: Final = "********"

_SECRET: Final = re.compile(
    r"token|secret|passw|passphrase|api_?key|private_?key|access_?key|(?:^|[_-])key$"
    r"|credential|authorization|auth_?header|cookie|jwt",
    re.IGNORECASE,
)
#: ``NAME=value``, ``--name=value`` and ``Name: value``, as commands have them.
_ASSIGNMENT: Final = re.compile(r"(-{0,2}([A-Za-z_][A-Za-z0-9_.-]*)(?:=|:[ \t]+))(.+)", re.DOTALL)
#: What is secret by its form, wherever it stands: a password in a URL, what follows ``Bearer``.
_ANYWHERE: Final = re.compile(
    r"(?P<before>://[^\s/:@'\"]*:|\b(?:Bearer|Basic)[ \t]+)"
    r"(?P<value>(?<=:)[^\s/@'\"]+(?=@)|(?<=[ \t])[\w.~+/=-]{6,})"
)
#: ``NAME: value`` and ``export NAME=value``, as lines of YAML and scripts have them.
_LINE: Final = re.compile(
    r"""^(?P<before>[ \t]*(?:-[ \t]+)?(?:export[ \t]+)?"""
    r"""["']?(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)["']?[ \t]*[:=][ \t]*)(?P<value>\S.*)$""",
    re.MULTILINE,
)


def is_secret(name: str) -> bool:
    """Tell whether a value of this name is not to be shown.

    Examples
    --------
    >>> [is_secret(name) for name in ("GITHUB_TOKEN", "PGPASSWORD", "SSH_KEY", "MONKEY", "PATH")]
    [True, True, True, False, False]
    """
    return _SECRET.search(name) is not None


def masked(value: Any) -> Any:
    """Return a JSON value with the secrets in it masked.

    Examples
    --------
    >>> masked({"environment": {"API_KEY": "abc", "HOME": "/root"}, "args": ["TOKEN=1"]})
    {'environment': {'API_KEY': '********', 'HOME': '/root'}, 'args': ['TOKEN=********']}
    """
    if isinstance(value, Mapping):
        return {
            name: MASK if is_secret(str(name)) and _holds_text(each) else masked(each)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        if all(isinstance(each, str) for each in value):
            return masked_words(value)
        return [masked(each) for each in value]
    if isinstance(value, str):
        return masked_word(value)
    return value


def _holds_text(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""


def masked_word(word: str) -> str:
    """Return a word of a command, or a line of a script, without the secret in it.

    Examples
    --------
    >>> masked_word("Authorization: Bearer abcdef"), masked_word("psql://ann:pw@db/lab")
    ('Authorization: ********', 'psql://ann:********@db/lab')
    """
    if "\n" in word:
        return masked_text(word)
    found = _ASSIGNMENT.fullmatch(word)
    if found and is_secret(found[2]):
        return f"{found[1]}{MASK}"
    return _without_forms(word)


def _without_forms(text: str) -> str:
    return _ANYWHERE.sub(rf"\g<before>{MASK}", text)


def masked_words(words: Iterable[str]) -> list[str]:
    """Return the words of a command without secrets; one may stand behind its option.

    Examples
    --------
    >>> masked_words(["curl", "--token", "abc", "--password=x", "-v"])
    ['curl', '--token', '********', '--password=********', '-v']
    """
    found: list[str] = []
    follows = False
    for word in words:
        found.append(MASK if follows and not word.startswith("-") else masked_word(word))
        follows = word.startswith("--") and "=" not in word and is_secret(word)
    return found


def masked_text(text: str) -> str:
    r"""Return a text of lines without the values of secret names.

    Examples
    --------
    >>> masked_text("env:\n  API_TOKEN: abc\n  HOME: /root")
    'env:\n  API_TOKEN: ********\n  HOME: /root'
    """
    return _without_forms(_LINE.sub(_masked_line, text))


def _masked_line(found: re.Match[str]) -> str:
    hide = is_secret(found["name"]) and found["value"] not in ("{", "[", "|", ">", "|-", ">-")
    return found["before"] + MASK if hide else found[0]


def masked_document(text: str) -> str:
    """Return a workflow document without secrets, whatever language it is written in."""
    if text.lstrip().startswith("{"):
        try:
            return json.dumps(masked(json.loads(text)), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            pass
    return masked_text(text)
