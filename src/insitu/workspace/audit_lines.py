"""The lines of one file of an audit log, forwards or backwards, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final, NamedTuple

from insitu.workspace.audit_folder import reported
from insitu.workspace.audit_records import RECORD_BYTES_MAX

_WINDOW_BYTES: Final = 1 << 17  # some hundred records at a time


class Line(NamedTuple):
    """One line: its number from 1, the offset behind it, its bytes (cut after ``RECORD_BYTES_MAX``)."""

    number: int
    stop: int
    data: bytes

    @property
    def whole(self) -> bool:
        """Whether it has its line end; what has none was cut off, or is being written."""
        return self.data.endswith(b"\n")


def lines_of(descriptor: int, start: int, stop: int, path: str) -> Iterator[Line]:
    """The lines of a span of a file in order; a line that is too long to be a record comes cut."""
    number, offset, held, dropped = 0, start, b"", False
    while offset < stop:
        with reported("read", path):
            window = os.pread(descriptor, min(_WINDOW_BYTES, stop - offset), offset)
        if not window:
            break
        offset += len(window)
        *whole, rest = (held + window).split(b"\n")
        end = offset - len(rest) - sum(len(line) + 1 for line in whole)
        for line in whole:
            number += 1
            end += len(line) + 1
            # Without its line end, what was cut is never taken for a record.
            yield Line(number, end, line[:RECORD_BYTES_MAX] if dropped else line + b"\n")
            dropped = False
        if len(rest) > RECORD_BYTES_MAX:
            rest, dropped = rest[:RECORD_BYTES_MAX], True
        held = rest
    if held:
        yield Line(number + 1, offset, held)


def backwards(descriptor: int, stop: int, path: str) -> Iterator[bytes]:
    """The lines that end before ``stop``, the last first, each with its line end.

    What lies behind the last line end is left out, and so are lines too long to be records.
    """
    offset, held, first, dropped = stop, b"", True, False
    while offset > 0:
        size = min(_WINDOW_BYTES, offset)
        offset -= size
        with reported("read", path):
            window = os.pread(descriptor, size, offset)
        head, *lines = (window + held).split(b"\n")
        for index in range(len(lines) - 1, -1, -1):
            if not (first or dropped):
                yield lines[index] + b"\n"
            first = dropped = False
        held = head
        if len(held) > RECORD_BYTES_MAX:
            held, dropped = b"", True
    if not (first or dropped):
        yield held + b"\n"
