"""Lines as CommonMark ends them, by LF, CR LF or CR, in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from insitu.formats.markdown_rules import HTML_END_BYTES_MAX, HTML_ENDS

# Of longer lines only so much is held: what starts a block is far shorter.
LINE_BYTES: Final = 64 << 10

_ENDING: Final = re.compile(rb"\r\n?|\n")


class Line:
    """One line: its first bytes without the ending, and what was seen in the rest.

    Args:
        start: offset of the line; ``stop``: behind its ending.
        head: at most ``LINE_BYTES`` of it.
        rest: what is known of the bytes behind them; None where there are none.
    """

    __slots__ = ("_rest", "head", "start", "stop")

    def __init__(self, start: int, stop: int, head: bytes, rest: Rest | None = None) -> None:
        self.start = start
        self.stop = stop
        self.head = head
        self._rest = rest

    @property
    def long(self) -> bool:
        """Whether the line goes on behind ``head``."""
        return self._rest is not None

    def holds(self, pattern: re.Pattern[bytes], at: int) -> bool:
        """Whether an end of HTML occurs in the line from ``at`` on."""
        if pattern.search(self.head, at):
            return True
        return self._rest is not None and pattern in self._rest.found

    def rest_is(self, marker: bytes) -> bool:
        """Whether what lies behind the head is markers and then blanks, or only blanks."""
        if self._rest is None:
            return True
        after_blank = self.head.endswith((b" ", b"\t"))
        return self._rest.only(b" \t") or (not after_blank and self._rest.run == marker)

    def rest_is_only(self, allowed: bytes) -> bool:
        """Whether what lies behind the head is made of these bytes."""
        return self._rest is None or self._rest.only(allowed)

    def rest_has(self, byte: bytes) -> bool:
        """Whether a byte occurs behind the head."""
        return self._rest is not None and byte in self._rest.seen


class Rest:
    """What is remembered of a line's bytes behind its head."""

    def __init__(self, head: bytes) -> None:
        self.seen = b""
        """Which bytes occur."""
        self.found: set[re.Pattern[bytes]] = set()
        """Which ends of HTML occur, those included that began in the head."""
        self.run: bytes | None = b""
        """The one byte that all begins with, if nothing but blanks follows it; None: it is not so."""
        self._blank = False
        self._last = head[1 - HTML_END_BYTES_MAX :]

    def add(self, data: bytes) -> None:
        """Takes in more bytes."""
        if not data:
            return
        self.seen = bytes(sorted({*self.seen, *data})) if len(data) < 4096 else self._with(data)
        if self.run is not None:
            self.run = self._run(data)
        around = self._last + data
        self.found.update(pattern for pattern in HTML_ENDS if pattern.search(around))
        self._last = around[1 - HTML_END_BYTES_MAX :]

    def only(self, allowed: bytes) -> bool:
        """Whether no other bytes occur."""
        return not self.seen.strip(allowed)

    def _with(self, data: bytes) -> bytes:
        return bytes(byte for byte in range(256) if byte in self.seen or byte in data)

    def _run(self, data: bytes) -> bytes | None:
        if not self._blank:
            first = self.run or data[:1]
            if first not in b" \t":
                self.run = first
                data = data.lstrip(first)
        if data.strip(b" \t"):
            return None
        self._blank = self._blank or bool(data)
        return self.run


class LineFeed:
    """Cuts bytes that come in any pieces into lines.

    Args:
        offset: of the first byte, which starts a line.
    """

    def __init__(self, offset: int = 0) -> None:
        self.start = offset
        """Where the line starts that is not complete."""
        self._size = 0
        self._head = b""
        self._rest: Rest | None = None
        # A CR was the last byte: whether its line ends behind it or behind an LF is not known yet.
        self._held = False

    def feed(self, data: bytes) -> Iterator[Line]:
        """Yields the lines that these bytes complete."""
        at = 0
        if self._held and data:
            self._held = False
            at = int(data[:1] == b"\n")
            yield self._ended(1 + at)
        while found := _ENDING.search(data, at):
            if found.end() == len(data) and found[0] == b"\r":
                self._add(data[at : found.start()])
                self._held = True
                return
            self._add(data[at : found.start()])
            yield self._ended(found.end() - found.start())
            at = found.end()
        self._add(data[at:])

    def close(self) -> Iterator[Line]:
        """Yields the last line, if it has no ending or one that was not sure."""
        if self._held:
            self._held = False
            yield self._ended(1)
        elif self._size:
            yield self._ended(0)

    def _add(self, data: bytes) -> None:
        self._size += len(data)
        if self._rest is None:
            room = LINE_BYTES - len(self._head)
            self._head += data[:room]
            if len(data) <= room:
                return
            self._rest = Rest(self._head)
            data = data[room:]
        self._rest.add(data)

    def _ended(self, ending_bytes: int) -> Line:
        line = Line(self.start, self.start + self._size + ending_bytes, self._head, self._rest)
        self.start, self._size, self._head, self._rest = line.stop, 0, b"", None
        return line
