"""Searches that can be called off, and that stop when their time is up and say where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from insitu.core.spans import Span
from insitu.document import Document
from insitu.errors import CancelledError, InsituError, LimitError
from insitu.scan.patterns import Pattern
from insitu.scan.search import count, finditer
from insitu.scan.windows import WINDOW_BYTES
from insitu.workspace.call import Call

STRETCH_BYTES: Final = 64 << 20
"""Searched between two looks at the clock: about 25 ms from memory, half a second from a slow disk."""


class OutOfTime(Exception):
    """The time of a call was up.

    Args:
        offset: everything before it was searched.
    """

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


def matches(document: Document, pattern: Pattern, span: Span, call: Call) -> Iterator[Span]:
    """Yields the matches that start in a span, as ``insitu.scan.search.finditer``.

    Raises:
        OutOfTime: the time is up; some of the span was not searched.
        CancelledError: the caller called it off.
    """
    at, unit = span.start, document.text.unit
    while at < span.stop:
        if call.cancelled():
            raise CancelledError("The call was cancelled; nothing was changed.")
        if call.late():
            raise OutOfTime(at)
        stop = min(at + STRETCH_BYTES, span.stop)
        # What starts in the stretch may end behind it, a window further at most.
        for match in finditer(document, pattern, at, min(stop + WINDOW_BYTES, span.stop)):
            if match.start >= stop:
                break
            if match.start % unit:  # from the middle of one character to that of another
                stop = match.start + 1
                break
            yield match
            at = max(match.stop, match.start + 1)
        at = max(at, stop)
        if call.progress is not None:
            call.progress(min(at, span.stop) - span.start, span.size)


def counted(document: Document, pattern: Pattern, span: Span, path: str, call: Call, hint: str) -> int:
    """How many matches lie in a span.

    Raises:
        LimitError: the time is up; the hint says what else there is to do.
        CancelledError: the caller called it off.
    """
    try:
        return count(document, pattern, *span, progress=call.progress, cancel=call.stop)
    except CancelledError:
        if call.cancelled():
            raise
        raise LimitError(
            f"Counting in {path} took longer than {call.seconds:g} seconds; nothing was changed.", hint=hint
        ) from None


def out_of_time(path: str, call: Call, late: OutOfTime, size: int) -> InsituError:
    """The refusal of an edit whose place was not found in time."""
    return LimitError(
        f"Searching {path} took longer than {call.seconds:g} seconds: {late.offset:,} of {size:,} bytes were "
        "looked through; nothing was changed.",
        hint="Name the place more closely: within a range of lines, near a line, or by line numbers.",
        offset=late.offset,
        size=size,
    )
