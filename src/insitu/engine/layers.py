"""Layers: how the bytes of an older version are read from a newer one and what later operations saved.

Each later operation is a layer: for any span of the version before it, a layer tells what was saved, and
where in the version after it the rest lies. Layers of few pieces are joined to one, in memory, so that
many small edits cost what one costs; those of mass edits stay apart, their columns and bytes on disk.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple, Protocol

from insitu.core.columns import Splices
from insitu.core.protocols import Reader
from insitu.core.rendering import render
from insitu.core.spans import Span
from insitu.engine.journal import Journal
from insitu.engine.pools import PAYLOAD_BYTES
from insitu.errors import InternalError

# Joined layers are searched by bisection and copied when one more is joined: 4,096 pieces take 2 ms.
JOINED_PIECES: Final = 1 << 12

# Saved bytes up to this many an operation are held in memory; of larger ones the journal stays open.
HELD_BYTES: Final = 1 << 16
HELD_TOTAL_BYTES: Final = 1 << 22

_SCATTERED_PLACES: Final = 32


class Saved(Protocol):
    """Bytes that an operation replaced."""

    def read(self, offset: int, size: int) -> bytes:
        """Exactly these bytes."""
        ...


class Piece(NamedTuple):
    """Consecutive bytes of a version: saved, or (``saved`` None) below, in the version after it."""

    saved: Saved | None
    span: Span
    """Where they are, in coordinates of what is saved or of the version below."""


class Layer(Protocol):
    """One or more operations, seen from the version before them; for several threads at once."""

    size: int
    """Of the version before, in bytes."""
    places: int
    """Where something was saved, about: ``pieces`` of the whole are at most twice as many and one."""

    def pieces(self, span: Span) -> Iterator[Piece]:
        """Yields what makes up a span of the version before, in order."""
        ...

    def read_into(self, offset: int, buffer: memoryview, below: Reader) -> None:
        """Fills ``buffer`` with the version before, given the one below."""
        ...

    def close(self) -> None:
        """Closes what it reads from."""
        ...


class Below:
    """A version as a reader: its layers over the newest."""

    def __init__(self, base: Reader, layers: Sequence[Layer]) -> None:
        self._below = Below(base, layers[1:]) if len(layers) > 1 else base
        self._layer = layers[0]
        self.size = layers[0].size

    def read(self, offset: int, size: int) -> bytes:
        """Exactly these bytes."""
        buffer = bytearray(size)
        self._layer.read_into(offset, memoryview(buffer), self._below)
        return bytes(buffer)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fills ``buffer`` from ``offset``."""
        self._layer.read_into(offset, buffer, self._below)


class Overwritten:
    """An operation that moved nothing: all it touched is in its journal's covers, whether done yet or not."""

    def __init__(self, journal: Journal) -> None:
        self.size = int(journal.header["before"]["size"])
        self.places = len(journal.covers)
        self._journal = journal
        # What a journal reads it keeps for the next look, which two threads may not take at once.
        self._reading = threading.Lock()

    def read(self, offset: int, size: int) -> bytes:
        """Saved bytes; they lie in one cover."""
        with self._reading:
            return bytes(self._journal.covers.read(Span(offset, offset + size)))

    def pieces(self, span: Span) -> Iterator[Piece]:
        """Yields what makes up a span of the version before, in order."""
        for part, held in self._journal.covers.stretches(span):
            yield Piece(self if held else None, part)

    def read_into(self, offset: int, buffer: memoryview, below: Reader) -> None:
        """Fills ``buffer`` with the version before, given the one below."""
        span = Span(offset, offset + len(buffer))
        kept = [part for part, held in self._journal.covers.stretches(span) if not held]
        if kept:
            # One read for all: what was overwritten between them is put back behind it.
            start, stop = kept[0].start, kept[-1].stop
            below.read_into(start, buffer[start - offset : stop - offset])
        for piece in self.pieces(span):
            if piece.saved is not None:
                part = piece.span
                buffer[part.start - offset : part.stop - offset] = self.read(part.start, part.size)

    def close(self) -> None:
        """Closes the journal."""
        self._journal.close()


class Moved:
    """An operation whose splices moved what lies behind them: their inverse leads back."""

    def __init__(self, journal: Journal) -> None:
        self.size = int(journal.header["before"]["size"])
        self.places = journal.splices.summary.places
        self._journal = journal
        self._inverse: Splices = journal.splices.inverted()
        self._reading = threading.Lock()

    def read(self, offset: int, size: int) -> bytes:
        """Saved bytes, in coordinates of the pool."""
        with self._reading:
            return self._journal.old.read(offset, size)

    def unit(self, span: Span) -> bytes | None:
        """The unit that saved bytes repeat, if they do. See ``columns.Pool``."""
        return self._journal.old.unit(span)

    def pieces(self, span: Span) -> Iterator[Piece]:
        """Yields what makes up a span of the version before, in order."""
        with self._reading:
            window = self._inverse.window(span)
        at = window.base.start
        for start, stop, (low, high) in zip(window.starts, window.stops, pairwise(window.news), strict=True):
            if at < start:
                yield Piece(None, Span(at, start))
            if low < high:
                yield Piece(self, Span(low, high))
            at = stop
        if at < window.base.stop:
            yield Piece(None, Span(at, window.base.stop))

    def read_into(self, offset: int, buffer: memoryview, below: Reader) -> None:
        """Fills ``buffer`` with the version before, given the one below."""
        for start in range(0, len(buffer), PAYLOAD_BYTES):
            part = buffer[start : start + PAYLOAD_BYTES]
            low = offset + start
            with self._reading:
                window = self._inverse.window(Span(low, low + len(part)))
            if not window.starts:
                below.read_into(window.base.start, part)
            elif len(window.starts) < _SCATTERED_PLACES:
                _fill(part, self.pieces(window.result), below)
            else:
                part[:] = render(window, self, below.read)

    def close(self) -> None:
        """Closes the journal."""
        self._journal.close()


class Joined:
    """Layers of few pieces as one, in memory."""

    def __init__(
        self, size: int, pieces: Sequence[Piece], open_layers: tuple[Layer, ...] = (), held_bytes: int = 0
    ) -> None:
        self.size = size
        self.places = len(pieces)
        self._pieces = pieces
        self._open = open_layers
        self._held_bytes = held_bytes
        self._starts = [0]
        self._shifts: list[int | None] = []
        """How far below each piece lies from where it is; None where it is saved."""
        for saved, span in pieces:
            self._shifts.append(None if saved is not None else span.start - self._starts[-1])
            self._starts.append(self._starts[-1] + span.size)
        if self._starts[-1] != size:
            raise InternalError(f"Pieces of {self._starts[-1]} bytes make up a version of {size}.")

    def pieces(self, span: Span) -> Iterator[Piece]:
        """Yields what makes up a span of the version before, in order."""
        at = span.start
        i = bisect_right(self._starts, at) - 1
        while at < span.stop:
            saved, whole = self._pieces[i]
            stop = min(span.stop, self._starts[i + 1])
            first = whole.start + at - self._starts[i]
            if at < stop:
                yield Piece(saved, Span(first, first + stop - at))
            at = stop
            i += 1

    def kept_at(self, offset: int, size: int) -> int:
        """Where below consecutive bytes lie that nothing touched; -1 where something did."""
        if not size:
            return 0
        i = bisect_right(self._starts, offset)
        shift = self._shifts[i - 1]
        return -1 if shift is None or offset + size > self._starts[i] else offset + shift

    def kept_each(self, offsets: Sequence[int], size: int) -> list[int] | None:
        """As ``kept_at`` for each offset; None where something touched any of them."""
        starts, shifts = self._starts, self._shifts
        found = []
        for offset in offsets:
            i = bisect_right(starts, offset)
            shift = shifts[i - 1]
            if shift is None or offset + size > starts[i]:
                return None
            found.append(offset + shift)
        return found

    def read_into(self, offset: int, buffer: memoryview, below: Reader) -> None:
        """Fills ``buffer`` with the version before, given the one below."""
        _fill(buffer, self.pieces(Span(offset, offset + len(buffer))), below)

    def joined(self, layer: Layer) -> Joined | None:
        """This one and the layer below it; None where they have too many pieces."""
        if self.places + 2 * layer.places > JOINED_PIECES:
            return None
        pieces: list[Piece] = []
        held_bytes = 0
        for piece in self._pieces:
            found = [piece] if piece.saved is not None else list(layer.pieces(piece.span))
            if piece.saved is None:
                held_bytes += sum(part.span.size for part in found if part.saved is not None)
            pieces += found
        total_bytes = self._held_bytes + held_bytes
        if held_bytes > HELD_BYTES or total_bytes > HELD_TOTAL_BYTES:
            return Joined(self.size, pieces, (*self._open, layer), self._held_bytes)
        # Taken into memory, so that no descriptor is held for each of many small operations. What larger
        # ones saved stays where it is.
        larger: tuple[object, ...] = self._open
        held = [piece if piece.saved in larger else _taken(piece) for piece in pieces]
        layer.close()
        return Joined(self.size, held, self._open, total_bytes)

    def close(self) -> None:
        """Closes what it reads from."""
        for layer in self._open:
            layer.close()


class _Held:
    """Saved bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, offset: int, size: int) -> bytes:
        return self._data[offset : offset + size]


def over(layers: tuple[Layer, ...], journal: Journal) -> tuple[Layer, ...]:
    """The layers with one more operation's below them; takes the journal over."""
    layer: Layer = Overwritten(journal) if journal.plan["planner"] == "overwrite" else Moved(journal)
    last = layers[-1] if layers else None
    if isinstance(last, Joined):
        joined = last.joined(layer)
        return (*layers[:-1], joined) if joined is not None else (*layers, layer)
    whole = Joined(layer.size, [Piece(None, Span(0, layer.size))] if layer.size else [])
    return (*layers, whole.joined(layer) or layer)


def _taken(piece: Piece) -> Piece:
    saved, span = piece
    if saved is None or isinstance(saved, _Held):
        return piece
    return Piece(_Held(saved.read(span.start, span.size)), Span(0, span.size))


def _fill(buffer: memoryview, pieces: Iterator[Piece], below: Reader) -> None:
    at = 0
    for saved, span in pieces:
        view = buffer[at : at + span.size]
        if saved is None:
            below.read_into(span.start, view)
        else:
            view[:] = saved.read(span.start, span.size)
        at += span.size
