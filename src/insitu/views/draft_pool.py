"""The bytes that a draft's edits bring: saved ones in its log, those since then in memory, one string."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

from insitu.core.drafted import POOL
from insitu.core.pieces import Copy
from insitu.core.protocols import Reader
from insitu.core.rope import Part
from insitu.core.sequence import Exchange
from insitu.core.spans import Span
from insitu.engine.pools import PAYLOAD_BYTES, JournalPool


class DraftPool:
    """A reader of all bytes that were ever put into a draft, in the order they came; a ``Reader``.

    Offsets never change, so what refers to bytes does not care whether they were saved meanwhile.

    Args:
        saved: the bytes that are in the log.
        open_source: opens another file that pasted bytes are still in.
    """

    def __init__(self, saved: JournalPool, open_source: Callable[[str], Reader]) -> None:
        self._saved = saved
        self._open_source = open_source
        self._starts: list[int] = []
        self._fresh: list[bytes | Copy] = []
        self._reading = threading.Lock()
        self.size = saved.size

    def keep(self, piece: bytes | Copy) -> Copy:
        """Puts bytes, or those of another file, behind the others; what refers to them from now on."""
        if isinstance(piece, Copy) and piece.source == POOL:
            return piece
        size = piece.size if isinstance(piece, Copy) else len(piece)
        self._starts.append(self.size)
        self._fresh.append(piece)
        self.size += size
        return Copy(POOL, Span(self.size - size, self.size))

    def read(self, offset: int, size: int) -> bytes:
        """Exactly these bytes."""
        if offset >= self._saved.size:
            return b"".join(self._read_fresh(offset, offset + size))
        if offset + size <= self._saved.size:
            with self._reading:  # the log's pool remembers what it read last
                return self._saved.read(offset, size)
        with self._reading:
            head = self._saved.read(offset, min(size, self._saved.size - offset))
        return b"".join((head, *self._read_fresh(self._saved.size, offset + size)))

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fills ``buffer`` from ``offset``."""
        for start in range(0, len(buffer), PAYLOAD_BYTES):
            part = buffer[start : start + PAYLOAD_BYTES]
            part[:] = self.read(offset + start, len(part))

    def fresh(self) -> Iterator[bytes]:
        """Yields what is not in the log yet, in order, in parts of up to a payload."""
        return self.parts([Span(self._saved.size, self.size)])

    def whole(self) -> Iterator[bytes]:
        """Yields all of it, in parts of up to a payload."""
        return self.parts([Span(0, self.size)])

    def parts(self, spans: Iterable[Span]) -> Iterator[bytes]:
        """Yields spans as one string, in parts of up to a payload, which are mostly that long."""
        gathered: list[bytes] = []
        room = PAYLOAD_BYTES
        for span in spans:
            at = span.start
            while at < span.stop:
                gathered.append(self.read(at, min(room, span.stop - at)))
                at += len(gathered[-1])
                room -= len(gathered[-1])
                if not room:
                    yield b"".join(gathered)
                    gathered, room = [], PAYLOAD_BYTES
        if gathered:
            yield b"".join(gathered)

    def settle(self, saved: JournalPool) -> None:
        """Lets go of what is in memory, all of which is in the log now."""
        with self._reading:
            self._saved = saved
        self._starts.clear()
        self._fresh.clear()

    def _read_fresh(self, start: int, stop: int) -> Iterator[bytes]:
        i = bisect_right(self._starts, start) - 1
        while start < stop:
            piece, at = self._fresh[i], start - self._starts[i]
            if isinstance(piece, Copy):
                assert piece.source is not None
                end = min(piece.size, stop - self._starts[i])
                yield self._open_source(piece.source).read(piece.span.start + at, end - at)
            else:
                end = min(len(piece), stop - self._starts[i])
                yield piece[at:end]
            start += end - at
            i += 1


def packed(state: Iterable[Exchange]) -> tuple[list[Exchange], list[Span]]:
    """The state over a pool that holds nothing else than what it refers to, and the spans that make it up."""
    spans: list[Span] = []
    size = 0
    moved: list[Exchange] = []
    for start, length, parts in state:
        fresh: list[Part] = []
        for part in parts:
            if isinstance(part, Copy) and part.source == POOL:
                spans.append(part.span)
                fresh.append(Copy(POOL, Span(size, size + part.size)))
                size += part.size
            else:
                fresh.append(part)
        moved.append((start, length, fresh))
    return moved, spans
