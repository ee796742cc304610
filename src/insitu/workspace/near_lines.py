"""Where lines are, by their numbers; a file is counted only as far as that takes."""

from __future__ import annotations

from insitu.core.spans import Span
from insitu.document import Document


def line_start(document: Document, index: int) -> int:
    """Where the line with an index starts, or the file stops where the index is the count of its lines.

    Raises:
        SpanError: there are fewer lines.
    """
    return document.lines.span_of(index, index).start


def whole_line(document: Document, index: int) -> Span:
    """The bytes of a line, its ending included.

    Raises:
        SpanError: there is no such line.
    """
    return document.lines.span_of(index)


def line_number(document: Document, offset: int) -> int:
    """The number, from 1, of the line that holds the byte at an offset."""
    return document.lines.number_at(offset) + 1
