"""Front matter: what precedes a Markdown document between two lines of ``---`` or ``+++``.

No part of CommonMark, whose parsers see headings in it, but of every tool that reads files with it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from insitu.core.spans import Span

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

# What opens and is not closed within so much is a thematic break: front matter is read as a whole.
FRONT_BYTES_MAX: Final = 1 << 20

_OPENING: Final = re.compile(rb"(---|\+\+\+)[ \t]*(\r\n?|\n)")
_CLOSINGS: Final = {
    b"---": re.compile(rb"(?:---|\.\.\.)[ \t]*(?:\r\n?|\n|\Z)"),
    b"+++": re.compile(rb"\+\+\+[ \t]*(?:\r\n?|\n|\Z)"),
}
_LINE: Final = re.compile(rb"[^\r\n]*(?:\r\n?|\n|\Z)")


class FrontMatter(NamedTuple):
    """Where front matter stands, and in which language it is."""

    span: Span
    """With both lines around it."""
    text: Span
    """Between them, the last line end included."""
    language: str
    """``yaml`` or ``toml``."""


def front_matter(head: bytes) -> FrontMatter | None:
    """The front matter of a document.

    Args:
        head: the first ``FRONT_BYTES_MAX`` bytes, all there are, or as many as hold it.
    """
    start = len(BYTE_ORDER_MARK) if head.startswith(BYTE_ORDER_MARK) else 0
    opening = _OPENING.match(head, start)
    if opening is None:
        return None
    closing = _CLOSINGS[opening[1]]
    at = opening.end()
    while at < len(head):
        line = closing.match(head, at)
        if line is not None:
            language = "yaml" if opening[1] == b"---" else "toml"
            return FrontMatter(Span(start, line.end()), Span(opening.end(), at), language)
        found = _LINE.match(head, at)
        assert found is not None
        at = found.end()
    return None
