"""Streaming reads: chunks, lines and batches of lines as generators, forwards and backwards.

Memory is bounded by the chunk, or by a window and the longest line, wherever in a file one starts: lines
are found from their bytes and not counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, Literal

from insitu.core.protocols import Reader
from insitu.core.spans import Span, ceil
from insitu.errors import LimitError, RequestError
from insitu.scan.windows import WINDOW_BYTES, bounds, windows
from insitu.views.text import Encoding
from insitu.views.transform_lines import LINE_BYTES_MAX, LineReader

By = Literal["lines", "chunks"]

# The first window of lines: the last ones of a huge file take one small read.
_FIRST_WINDOW_BYTES: Final = 16 << 10


def stream(
    content: Reader,
    text: Encoding,
    path: str,
    by: By = "lines",
    *,
    start: int = 0,
    stop: int | None = None,
    size: int = WINDOW_BYTES,
    reverse: bool = False,
    batch: int | None = None,
    reuse: bool = False,
    as_bytes: bool = False,
    line_bytes_max: int = LINE_BYTES_MAX,
) -> Iterator[Any]:
    """Yields what is in a span of some content, bit by bit.

    Args:
        by: ``"lines"``: text with its ending, as ``doc.lines`` has it. ``"chunks"``: bytes, whatever they
            mean.
        start, stop: bytes; lines are those that start in between. None means the end.
        size: bytes to a chunk; the last one (with ``reverse``: the first of the span) may be shorter.
        reverse: from the last to the first.
        batch: lists of so many lines instead of lines; the last one may be shorter.
        reuse: chunks are views of one buffer, each valid until the next is asked for.
        as_bytes: lines are bytes instead of text.
        line_bytes_max: a longer line is refused, never cut.

    Raises:
        SpanError: the span does not lie in the content.
        RequestError: the arguments do not fit together.
        LimitError: while iterating: a line is too long; its offset is named. The lines before it came.
        TextError: while iterating: the encoding cannot show a line.
        StaleError: while iterating: the file was cut shorter by somebody else.
    """
    span = bounds(content, start, stop)
    if by == "chunks":
        if batch is not None or as_bytes or size < 1:
            raise RequestError("Chunks are bytes of a size of at least 1, and come one by one.")
        return _chunks(content, span, size, reverse=reverse, reuse=reuse)
    if by != "lines":
        raise RequestError(f"Content is not read by {by!r}.", hint="Read it by 'lines' or 'chunks'.")
    if reuse or size != WINDOW_BYTES or (batch is not None and batch < 1) or line_bytes_max < WINDOW_BYTES:
        raise RequestError(
            "Lines have no size and no buffer to reuse, come in batches of 1 or more, and "
            f"{WINDOW_BYTES:,} bytes of a line are always read."
        )
    lines = LineReader(content, text, path, line_bytes_max=line_bytes_max)
    found = _lines(lines, span, reverse=reverse, as_bytes=as_bytes)
    return found if batch is None else _batches(found, batch)


def tail(content: Reader, text: Encoding, path: str, count: int, *, as_bytes: bool = False) -> list[Any]:
    """The last lines, in the order of the file. Arguments and errors as ``stream``.

    Cost: reads some more than these lines, from the end; memory for the lines.
    """
    found = stream(content, text, path, reverse=True, as_bytes=as_bytes)
    last: deque[Any] = deque()
    last.extendleft(islice(found, max(0, count)))
    return list(last)


def _chunks(content: Reader, span: Span, size: int, *, reverse: bool, reuse: bool) -> Iterator[Any]:
    for window in windows(content, *span, window_bytes=size, backward=reverse):
        yield window.own if reuse else bytes(window.own)


def _lines(lines: LineReader, span: Span, *, reverse: bool, as_bytes: bool) -> Iterator[Any]:
    low = ceil(max(span.start, lines.origin), lines.unit)
    high = max(low, min(ceil(span.stop, lines.unit), lines.content.size))
    size = _FIRST_WINDOW_BYTES
    while low < high:
        window = Span(max(low, high - size), high) if reverse else Span(low, min(low + size, high))
        low, high = (low, window.start) if reverse else (window.stop, high)
        size = min(2 * size, WINDOW_BYTES)
        try:
            items = _items(lines, window, as_bytes)
        except LimitError as error:
            shorter = Span(window.start, error.facts["offset"])
            if not reverse and shorter.size > 0:
                yield from _items(lines, shorter, as_bytes)
            raise
        yield from reversed(items) if reverse else items


def _items(lines: LineReader, span: Span, as_bytes: bool) -> list[Any]:
    offset, data = lines.starting_in(span)
    return lines.split(data) if as_bytes else lines.texts(data, offset)


def _batches(items: Iterator[Any], count: int) -> Iterator[list[Any]]:
    while batch := list(islice(items, count)):
        yield batch
