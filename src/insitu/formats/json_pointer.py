"""JSON Pointer: how a value inside a JSON value is named.

Source: RFC 6901.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from insitu.errors import RequestError

Tokens = tuple[str, ...]

APPENDED: Final = "-"
"""The token that names the element behind the last one of an array."""

_INDEX: Final = re.compile(r"0|[1-9][0-9]*")
_ESCAPE: Final = re.compile(r"~(?![01])")


def parse_pointer(text: str) -> Tokens:
    """The keys and indexes that a pointer names, from the outermost in; none for ``""``, the whole value.

    Raises:
        RequestError: it is not a pointer; the hint has what was probably meant.
    """
    if text and not text.startswith("/"):
        raise RequestError(
            f"{text!r} is no JSON Pointer: one is empty, or starts with a slash.",
            hint=f"Did you mean {pointer_of((text,))!r}?",
            pointer=text,
        )
    if _ESCAPE.search(text):
        raise RequestError(
            f"{text!r} is no JSON Pointer: a tilde is written ~0, and a slash inside a key ~1.",
            hint=f"Did you mean {_ESCAPE.sub('~0', text)!r}?",
            pointer=text,
        )
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in text.split("/")[1:])


def pointer_of(tokens: Iterable[str]) -> str:
    """The pointer that names these keys and indexes: ``parse_pointer(pointer_of(t)) == t``."""
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in tokens)


def index_of(token: str) -> int | None:
    """The index that a token is in an array; None where it is none (leading zeros and signs are not)."""
    # Longer numbers count no elements of any file.
    return int(token) if len(token) < 20 and _INDEX.fullmatch(token) else None
