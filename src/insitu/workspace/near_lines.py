"""Line numbers near the start of a huge file, found without the index of all its lines.

An index is one read of the whole file, which a question about its first lines is not worth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from insitu.core.spans import Span
from insitu.document import Document
from insitu.errors import SpanError
from insitu.scan.windows import WINDOW_BYTES

if TYPE_CHECKING:
    import numpy as np

HEAD_BYTES: Final = 16 << 20
"""Scanned in about 10 ms; what lies behind is looked up in the index."""

# Lines of a file are seldom so much shorter behind its first window that this misses one in the head; the
# index then finds it.
_UNEVEN: Final = 2


def line_start(document: Document, index: int) -> int:
    """Where the line with an index starts, or the file stops where the index is the count of its lines.

    Raises:
        SpanError: there are fewer lines.
    """
    start = _start_in_head(document, index) if document.size > HEAD_BYTES else None
    return document.lines.span_of(index, index).start if start is None else start


def whole_line(document: Document, index: int) -> Span:
    """The bytes of a line, its ending included.

    Raises:
        SpanError: there is no such line.
    """
    start = line_start(document, index)
    if start == document.size:
        raise SpanError(f"There is no line {index + 1}.")
    try:
        return Span(start, line_start(document, index + 1))
    except SpanError:
        return Span(start, document.size)  # the last one, without an ending


def line_number(document: Document, offset: int) -> int:
    """The number, from 1, of the line that holds the byte at an offset."""
    newline = document.lines.newline
    if len(newline) > 1 or not document.size > HEAD_BYTES or offset >= HEAD_BYTES:
        return document.lines.number_at(offset) + 1
    windows = range(0, offset, WINDOW_BYTES)
    return 1 + sum(len(_ends(document.read(at, min(WINDOW_BYTES, offset - at)), newline)) for at in windows)


def _start_in_head(document: Document, index: int) -> int | None:
    """Where a line starts, if that is near the start of the file."""
    newline = document.lines.newline
    if len(newline) > 1:
        return None
    left = index
    for at in range(0, HEAD_BYTES, WINDOW_BYTES):
        ends = _ends(document.read(at, WINDOW_BYTES), newline)
        if not left:
            return at
        if len(ends) >= left:
            return at + int(ends[left - 1]) + 1
        if not at and left > _UNEVEN * len(ends) * (HEAD_BYTES // WINDOW_BYTES):
            return None
        left -= len(ends)
    return None


def _ends(data: bytes, newline: bytes) -> np.ndarray[Any, Any]:
    """Where lines end in a window."""
    import numpy as np

    return np.flatnonzero(np.frombuffer(data, np.uint8) == newline[0])
