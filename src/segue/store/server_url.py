"""URLs of stores that are servers: what may be shown of them, and what they say. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

_IN_ADDRESS: Final = re.compile(r"(://[^/?#@]*?):([^/?#]*)@")
_IN_QUERY: Final = re.compile(r"([?&](?:ssl)?password=)([^&#]*)")
_HIDDEN: Final = "***"


def shown(url: str) -> str:
    """Return the URL as people may read it: without its password.

    Examples
    --------
    >>> shown("postgresql://ann:secret@host:5432/lab")
    'postgresql://ann:***@host:5432/lab'
    >>> shown("redis://host/0?password=secret&prefix=lab")
    'redis://host/0?password=***&prefix=lab'
    """
    url = _IN_ADDRESS.sub(rf"\1:{_HIDDEN}@", url)
    return _IN_QUERY.sub(rf"\1{_HIDDEN}", url)


def without_secrets(text: str, url: str) -> str:
    """Return what a library says about a URL, without the passwords of that URL.

    Examples
    --------
    >>> without_secrets("no host 'p%40ss' (p@ss)", "redis://:p%40ss@host")
    "no host '***' (***)"
    """
    words = [match.group(2) for match in (*_IN_ADDRESS.finditer(url), *_IN_QUERY.finditer(url))]
    for word in words:
        for form in {word, unquote(word)} - {""}:
            text = text.replace(form, _HIDDEN)
    return text


def take_option(url: str, name: str, default: str) -> tuple[str, str]:
    """Return the URL without one of its options, and what the option said.

    Examples
    --------
    >>> take_option("redis://host/0?prefix=lab&timeout=3", "prefix", "segue")
    ('redis://host/0?timeout=3', 'lab')
    >>> take_option("redis://host/0", "prefix", "segue")
    ('redis://host/0', 'segue')
    """
    parts = urlsplit(url)
    options = parse_qsl(parts.query, keep_blank_values=True)
    value = next((found for key, found in options if key == name), default)
    rest = urlencode([(key, found) for key, found in options if key != name])
    return parts._replace(query=rest).geturl(), value
