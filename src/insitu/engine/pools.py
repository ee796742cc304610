"""What a journal keeps besides columns: strings of new or replaced bytes, and covers of the base."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple

from insitu.core.spans import Span
from insitu.errors import InternalError

# Payloads are cut to this size: what one look-up holds in memory.
PAYLOAD_BYTES = 1 << 20

_BYTES, _REPEAT = 0, 1
_POOL_HEAD = struct.Struct("<BQQ")
_COVER_HEAD = struct.Struct("<Q")

Load = Callable[[int], bytes]


class Repeat(NamedTuple):
    """One unit, many times over."""

    unit: bytes
    times: int


class _Stretch(NamedTuple):
    """Consecutive bytes of a pool: in a record's payload, or a unit repeated."""

    offset: int
    size: int
    record: int
    unit: bytes | None


class JournalPool:
    """A string of bytes in a journal, written in order, read anywhere.

    Args:
        load: fetches a record's payload by the record's offset.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._stretches: list[_Stretch] = []
        self._starts: list[int] = []
        self._recent: tuple[int, bytes] = (-1, b"")
        self.size = 0

    def pack_bytes(self, data: bytes | memoryview, ahead_bytes: int = 0) -> bytes:
        """The payload that appends ``data``, at most ``PAYLOAD_BYTES``.

        Args:
            ahead_bytes: of payloads that were packed before and are not noted yet.
        """
        return _POOL_HEAD.pack(_BYTES, self.size + ahead_bytes, 1) + data

    def pack_repeat(self, repeat: Repeat) -> bytes:
        """The payload that appends a repeat."""
        return _POOL_HEAD.pack(_REPEAT, self.size, repeat.times) + repeat.unit

    def note(self, payload: bytes | memoryview, size: int, record: int) -> None:
        """Records where a payload of ``size`` bytes, of which at least the head is given, lies."""
        form, offset, count = _POOL_HEAD.unpack_from(payload)
        whole = size > _POOL_HEAD.size and count and form in (_BYTES, _REPEAT)
        if offset != self.size or not whole or (form == _BYTES and count != 1):
            raise InternalError("A pool's records are out of order, or none.")
        unit = bytes(payload[_POOL_HEAD.size : size]) if form == _REPEAT else None
        stretch = (size - _POOL_HEAD.size) * count
        self._stretches.append(_Stretch(offset, stretch, record, unit))
        self._starts.append(offset)
        self.size += stretch

    @staticmethod
    def noted_bytes(payload_head: bytes, size: int) -> int:
        """How many bytes of a payload of ``size`` bytes ``note`` needs: all of one that holds a unit."""
        return max(size if payload_head[:1] == bytes((_REPEAT,)) else 0, _POOL_HEAD.size)

    def read(self, offset: int, size: int) -> bytes:
        """Exactly these bytes."""
        parts = []
        stop = offset + size
        i = bisect_right(self._starts, offset) - 1
        while offset < stop:
            stretch = self._stretches[i]
            begin, end = offset - stretch.offset, min(stop - stretch.offset, stretch.size)
            if stretch.unit is None:
                parts.append(self._payload(stretch.record)[_POOL_HEAD.size + begin : _POOL_HEAD.size + end])
            else:
                unit = stretch.unit
                first = begin // len(unit)
                units = unit * (-(-end // len(unit)) - first)
                parts.append(units[begin - first * len(unit) : end - first * len(unit)])
            offset += end - begin
            i += 1
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def unit(self, span: Span) -> bytes | None:
        """The unit, where the span lies in a stretch that repeats one and starts at a repeat."""
        i = bisect_right(self._starts, span.start) - 1
        if i < 0:
            return None
        stretch = self._stretches[i]
        inside = span.start - stretch.offset
        if stretch.unit is None or inside % len(stretch.unit) or inside + span.size > stretch.size:
            return None
        return stretch.unit

    @property
    def uniform(self) -> bytes | None:
        """The unit, where the whole string repeats one."""
        units = {stretch.unit for stretch in self._stretches}
        return units.pop() if len(units) == 1 else None

    def stretches(self) -> Iterator[bytes | Repeat]:
        """Yields the whole string in order, as it was written."""
        for stretch in self._stretches:
            if stretch.unit is None:
                yield self._payload(stretch.record)[_POOL_HEAD.size :]
            else:
                yield Repeat(stretch.unit, stretch.size // len(stretch.unit))

    def _payload(self, record: int) -> bytes:
        if self._recent[0] != record:
            self._recent = (record, self._load(record))
        return self._recent[1]


class Covers:
    """Saved spans of the base, ascending and disjoint, many to a record."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._starts: list[int] = []
        self._stops: list[int] = []
        self._places: list[tuple[int, int]] = []
        self._recent: tuple[int, bytes] = (-1, b"")

    @staticmethod
    def pack(spans: list[Span], data: list[bytes]) -> bytes:
        """The payload that saves these spans' bytes."""
        columns = struct.pack(f"<{2 * len(spans)}q", *(offset for span in spans for offset in span))
        return b"".join((_COVER_HEAD.pack(len(spans)), columns, *data))

    def note(self, payload: bytes | memoryview, size: int, record: int) -> None:
        """Records the spans of a payload of ``size`` bytes, of which at least the columns are given."""
        (count,) = _COVER_HEAD.unpack_from(payload)
        offsets = struct.unpack_from(f"<{2 * count}q", payload, _COVER_HEAD.size)
        at = _COVER_HEAD.size + 16 * count
        if sum(offsets[1::2]) - sum(offsets[::2]) != size - at:
            raise InternalError("Covers that do not have the bytes of their spans.")
        for start, stop in zip(offsets[::2], offsets[1::2], strict=True):
            if not (self._stops[-1] if self._stops else 0) <= start < stop:
                raise InternalError("Covers that are out of order.")
            self._starts.append(start)
            self._stops.append(stop)
            self._places.append((record, at))
            at += stop - start

    @staticmethod
    def columns_bytes(payload_head: bytes) -> int:
        """How many bytes of a payload ``note`` needs, from its first eight."""
        return _COVER_HEAD.size + 16 * int.from_bytes(payload_head[: _COVER_HEAD.size], "little")

    def __iter__(self) -> Iterator[Span]:
        return map(Span, self._starts, self._stops)

    def __len__(self) -> int:
        return len(self._starts)

    def read(self, span: Span) -> memoryview:
        """Saved bytes; the span must lie in one cover."""
        held = self.holding(span.start, span.stop)
        if held is None:
            raise InternalError(f"No cover holds bytes {span.start}:{span.stop}.")
        return held

    def holding(self, start: int, stop: int) -> memoryview | None:
        """Saved bytes, where one cover holds them all; else None."""
        i = bisect_right(self._starts, start) - 1
        if i < 0 or stop > self._stops[i]:
            return None
        record, at = self._places[i]
        begin = at + start - self._starts[i]
        return memoryview(self._payload(record))[begin : begin + stop - start]

    def stretches(self, span: Span) -> Iterator[tuple[Span, bool]]:
        """Yields what tiles ``span``: (part of it, whether the part is saved)."""
        at = span.start
        i = bisect_right(self._stops, at)
        while i < len(self._starts) and self._starts[i] < span.stop:
            if at < self._starts[i]:
                yield Span(at, self._starts[i]), False
                at = self._starts[i]
            stop = min(self._stops[i], span.stop)
            yield Span(at, stop), True
            at = stop
            i += 1
        if at < span.stop:
            yield Span(at, span.stop), False

    def _payload(self, record: int) -> bytes:
        if self._recent[0] != record:
            self._recent = (record, self._load(record))
        return self._recent[1]
