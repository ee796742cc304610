"""How large a piece of text is for a model: in bytes, characters or tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from insitu.formats.chunk_tape import Stretch
from insitu.formats.chunk_tokens import SHARES, token_shares

if TYPE_CHECKING:
    from insitu.formats.cells import Bytes, Column

Count = Callable[[str], int]

# Sums of so many bytes fit 32 bits, which takes half as long as 64.
_NARROW_UNITS: Final = 1 << 24

# A counter is never handed more text than this while boundaries are looked for.
_COUNTED_UNITS: Final = 16 << 10

# So many code units count for one at least, so that what a counter takes for nothing ends some time.
_UNITS_MAX: Final = 1 << 10


class Sizes(Protocol):
    """Sizes of the pieces of one stretch."""

    def of(self, starts: Column, stops: Column) -> Column:
        """How large each of some pieces is, in shares. Pieces are in order, none is empty."""
        ...

    def fitting(self, start: int, stop: int, limit: int) -> int:
        """The last place up to which a piece is not larger than a limit, in shares."""
        ...


class Measure(NamedTuple):
    """What sizes are counted in.

    Args:
        name: of the unit, in the plural.
        shares: how many make one unit: sizes are summed up in whole shares.
        sizes: makes the sizes of a stretch.
        counter: counts exactly; None: sums are exact as they are.
    """

    name: str
    shares: int
    sizes: Callable[[Stretch], Sizes]
    counter: Count | None = None


class _Summed:
    """Sizes that add up byte by byte.

    Args:
        shares: of each byte; four neighbours have one together at least.
    """

    def __init__(self, shares: Bytes) -> None:
        self._shares = shares

    def of(self, starts: Column, stops: Column) -> Column:
        import numpy as np

        if not len(starts):
            return starts
        # Each run of neighbours is copied once, what lies between runs is not looked at.
        breaks = np.flatnonzero(starts[1:] != stops[:-1]) + 1
        lows = [int(starts[0]), *starts[breaks].tolist()]
        highs = [*stops[breaks - 1].tolist(), int(stops[-1])]
        runs = [self._shares[low:high] for low, high in zip(lows, highs, strict=True)]
        shares = np.concatenate(runs) if len(runs) > 1 else runs[0]
        sizes = stops - starts
        kind = np.uint32 if len(shares) < _NARROW_UNITS else np.int64
        found: Column = np.add.reduceat(shares, np.cumsum(sizes) - sizes, dtype=kind).astype(np.int64)
        return found

    def fitting(self, start: int, stop: int, limit: int) -> int:
        import numpy as np

        sums = np.cumsum(self._shares[start : min(stop, start + 4 * limit + 4)], dtype=np.int64)
        return start + int(np.searchsorted(sums, limit, "right"))


class _Counted:
    """Sizes that somebody counts, piece by piece; what the pieces add up to stands for the whole."""

    def __init__(self, stretch: Stretch, count: Count) -> None:
        self._stretch = stretch
        self._count = count
        self._known: dict[tuple[int, int], int] = {}

    def of(self, starts: Column, stops: Column) -> Column:
        import numpy as np

        pieces = zip(starts.tolist(), stops.tolist(), strict=True)
        return np.array([self._size(start, stop) for start, stop in pieces], np.int64)

    def fitting(self, start: int, stop: int, limit: int) -> int:
        low, high, step = start, min(stop, start + 16), 16
        while self._size(start, high) <= limit:
            low = high
            if high == stop:
                return stop
            step *= 2
            high = min(stop, start + step)
        while high - low > 1:
            middle = (low + high) // 2
            if self._size(start, middle) <= limit:
                low = middle
            else:
                high = middle
        return low

    def _size(self, start: int, stop: int) -> int:
        found = self._known.get((start, stop))
        if found is None:
            parts = range(start, stop, _COUNTED_UNITS)
            found = sum(self._part(low, min(stop, low + _COUNTED_UNITS)) for low in parts)
            found = max(found, 1, (stop - start) // _UNITS_MAX)
            self._known[start, stop] = found
        return found

    def _part(self, start: int, stop: int) -> int:
        stretch = self._stretch
        return self._count(stretch.bytes_of(start, stop).decode(stretch.encoding, "replace"))


def in_bytes() -> Measure:
    """Bytes, which is also the most tokens that a byte-level tokenizer can make of UTF-8."""

    def sizes(stretch: Stretch) -> Sizes:
        import numpy as np

        return _Summed(np.full(len(stretch.array), stretch.unit, np.uint8))

    return Measure("bytes", 1, sizes)


def in_characters() -> Measure:
    """Code points; each byte that is no text counts as one."""

    def sizes(stretch: Stretch) -> Sizes:
        import numpy as np

        return _Summed(((stretch.array & 0xC0) != 0x80).view(np.uint8))

    return Measure("characters", 1, sizes)


def in_estimated_tokens() -> Measure:
    """Tokens as a table of byte pairs has them, calibrated on a public tokenizer."""

    def sizes(stretch: Stretch) -> Sizes:
        return _Summed(token_shares(stretch.array))

    return Measure("tokens", SHARES, sizes)


def in_tokens_at_most() -> Measure:
    """Never fewer tokens than a byte-level tokenizer makes: each has one byte of UTF-8 at least."""

    def sizes(stretch: Stretch) -> Sizes:
        import numpy as np

        if stretch.unit == 1 and stretch.encoding in ("utf-8", "ascii"):
            # What is no text reaches a model as U+FFFD, of three bytes.
            return _Summed(np.where(stretch.array == 0xFF, np.uint8(3), np.uint8(1)))
        return _Summed(np.where(stretch.array < 0x80, np.uint8(1), np.uint8(4)))

    return Measure("tokens", 1, sizes)


def counted(count: Count, name: str = "tokens") -> Measure:
    """Whatever somebody counts in a text."""
    return Measure(name, 1, lambda stretch: _Counted(stretch, count), count)
