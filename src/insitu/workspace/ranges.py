"""Addresses as models write them: ``"10-20"``, ``"10-"``, ``"-20"``, ``"10"``; bytes as ``"0:100"``."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from insitu.core.spans import Span
from insitu.errors import SpanError

_NUMBERS: Final = re.compile(r"\s*(\d*)\s*(-?)\s*(\d*)\s*\Z")
_BYTES: Final = re.compile(r"\s*(-?\d*)\s*:\s*(-?\d*)\s*\Z")

# Longer than any file has lines: what is pasted is no number, and int() of it would take its time.
_DIGITS_MAX: Final = 20


class Numbers(NamedTuple):
    """Numbers from 1, both ends included; ``last`` is None for "to the end"."""

    first: int
    last: int | None

    @property
    def start(self) -> int:
        """Index of the first one."""
        return self.first - 1

    def __str__(self) -> str:
        if self.first == self.last:
            return str(self.first)
        return f"{self.first}-{'' if self.last is None else self.last}"


def numbers(text: str, what: str) -> Numbers:
    """Parses a range of lines, rows or records.

    Args:
        what: what they are, for the error: ``"lines"``.

    Raises:
        SpanError: it is none, reversed, or starts at 0.
    """
    match = _NUMBERS.match(text) if len(text) <= 2 * _DIGITS_MAX else None
    if match is None or not (match[1] or match[3]):
        raise SpanError(
            f"{text[:40]!r} is no range of {what}; nothing was changed.",
            hint=f'Write {what} as "10-20", "10-", "-20" or "10", counted from 1.',
        )
    first = int(match[1] or 1)
    last = int(match[3]) if match[3] else (None if match[2] else first)
    if first < 1 or (last is not None and last < first):
        raise SpanError(
            f"The {what} {text} are reversed or start before 1; nothing was changed.",
            hint=f"{what.capitalize()} are counted from 1, the last one included.",
        )
    return Numbers(first, last)


def byte_span(text: str, size: int) -> Span:
    """Parses ``"start:stop"``, as slices count: from 0, the stop excluded, negative from the end.

    Raises:
        SpanError: it is no such pair, is reversed, or lies outside the file.
    """
    match = _BYTES.match(text) if len(text) <= 2 * _DIGITS_MAX else None
    if match is None:
        raise SpanError(
            f"{text[:40]!r} is no span of bytes; nothing was changed.",
            hint='Write bytes as "0:100": from the first, up to but without the second.',
        )
    start, stop = int(match[1] or 0), int(match[2] or size)
    start, stop = (value + size if value < 0 else value for value in (start, stop))
    if not 0 <= start <= stop <= size:
        raise SpanError(
            f"Bytes {text} are reversed or outside the {size:,} bytes of the file; nothing was changed.",
            hint=f"The file's bytes are 0:{size}.",
            size=size,
        )
    return Span(start, stop)
