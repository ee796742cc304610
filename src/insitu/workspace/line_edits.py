"""The bytes that a model's text becomes in a file: in its encoding, with the line endings of its place."""

from __future__ import annotations

from typing import Final

from insitu.core.spans import Span
from insitu.document import Document
from insitu.formats.lines import (
    assigned_lines,
    ended_line,
    find_unit,
    inserted_line,
    rfind_unit,
    split_ending,
    split_text,
)
from insitu.views.text import text_start
from insitu.workspace.excerpts import lines_from
from insitu.workspace.near_lines import line_start

# Lines whose own endings are kept one by one; behind them a replacement goes on with the last one.
_ENDINGS_KEPT: Final = 1_000

# How far the ending of a neighbouring line is looked for, and those inside of what is replaced.
_REACH_BYTES: Final = 1 << 20


def with_endings(document: Document, text: str, span: Span) -> bytes:
    """A text in place of a span inside lines: its n-th line ending is the n-th one of what it replaces.

    Line endings beyond those are like the last one, or like that of the line the span starts in. A text
    that brings CR itself is taken as it is.
    """
    encode = document.text.encode
    if "\n" not in text or "\r" in text:
        return encode(text)
    endings = _endings_in(document.read(span.start, min(span.size, _REACH_BYTES)), document.lines.newline)
    endings = endings or [_ending_at(document, span.start)]
    *lines, last = text.split("\n")
    encoded = [encode(line) + endings[min(index, len(endings) - 1)] for index, line in enumerate(lines)]
    return b"".join((*encoded, encode(last)))


def replaced_lines(document: Document, first: int, span: Span, text: str) -> bytes:
    """The lines that take the place of the lines of a span; no text deletes them."""
    if not text:
        return b""
    newline = document.lines.newline
    replaced: list[bytes] = []
    for line in lines_from(document, first, *span):
        if len(replaced) == _ENDINGS_KEPT:
            break
        replaced.append(line.head if line.whole else _ending_at(document, line.span.stop - 1))
    if span.size and len(replaced) == _ENDINGS_KEPT:
        replaced.append(document.read(max(span.start, span.stop - 8), min(8, span.size)))
    near = _ending_at(document, span.start)
    texts = split_text(document.text.encode(text), newline)
    return b"".join(assigned_lines(texts, replaced, near, newline))


def inserted(document: Document, number: int | None, text: str) -> tuple[int, bytes]:
    """Where the lines of a text go behind a line (0: at the top, None: at the end), and their bytes.

    Raises:
        SpanError: there is no such line.
    """
    newline, size = document.lines.newline, document.size
    start = size if number is None else line_start(document, number)
    near = _ending_at(document, max(0, start - 1))
    lines = split_text(document.text.encode(text), newline) or [b""]
    data = b"".join(inserted_line(line, near, newline) for line in lines)
    if start == size > text_start(document, document.text):
        data = ended_line(document.read(max(0, size - 8), min(8, size)), near, newline) + data
    return start, data


def _endings_in(data: bytes, newline: bytes) -> list[bytes]:
    """The line endings in some bytes, in order."""
    found, start = [], 0
    while (stop := find_unit(data, newline, start) + len(newline)) > 0:
        found.append(split_ending(data[start:stop], newline)[1])
        start = stop
    return found


def _ending_at(document: Document, offset: int) -> bytes:
    """The ending of the line at an offset, else of the one before, where it is near; else what ends lines."""
    newline, size = document.lines.newline, document.size
    unit = len(newline)
    at = max(0, min(offset, size - 1))
    at -= at % unit
    low = max(0, at - unit)  # a CR before the offset belongs to an ending at it
    behind = document.read(low, min(_REACH_BYTES, size - low))
    if (found := find_unit(behind, newline, at - low)) >= 0:
        return split_ending(behind[: found + unit], newline)[1]
    low = max(0, at - _REACH_BYTES)
    before = document.read(low, at - low)
    if (found := rfind_unit(before, newline)) >= 0:
        return split_ending(before[: found + unit], newline)[1]
    return newline
