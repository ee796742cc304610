"""How large a piece of text is for a model: in bytes, characters or tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from insitu.formats.chunk_tape import Stretch
from insitu.formats.chunk_tokens import SHARES, token_shares

if TYPE_CHECKING:
    from insitu.formats.cells import Bytes, Column

Count = Callable[[str], int]

# A counter is never handed more text than this while boundaries are looked for.
_COUNTED_UNITS: Final = 16 << 10

# Of English text a token takes this much.
_TOKEN_UNITS: Final = 4

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
        usual_units: how many code units make one in usual text, about.
        shares: how many make one unit: sizes are summed up in whole shares.
        sizes: makes the sizes of a stretch.
        counter: counts exactly; None: sums are exact as they are.
    """

    name: str
    shares: int
    sizes: Callable[[Stretch], Sizes]
    counter: Count | None = None
    usual_units: int = 1


# Eight bytes are summed up at once, as the lanes of a number: first bytes, then pairs of them.
_WORD: Final = 8
_BYTE_LANES: Final = 0x00FF00FF00FF00FF
_PAIR_LANES: Final = 0x0001000100010001


class _Summed:
    """Sizes that add up byte by byte.

    Args:
        shares: of each byte.

    Cost: a millisecond for a megabyte, then some operations for each piece.
    """

    def __init__(self, shares: Bytes) -> None:
        import numpy as np

        self._shares = shares
        # A word more: the end may begin one.
        padding = np.zeros(-len(shares) % _WORD + _WORD, np.uint8)
        self._words = np.concatenate((shares, padding)).view("<u8")
        sums = _sums_of_words(self._words)
        self._sums: Column = np.cumsum(sums) - sums

    def of(self, starts: Column, stops: Column) -> Column:
        return self._before(stops) - self._before(starts)

    def fitting(self, start: int, stop: int, limit: int) -> int:
        word = start // _WORD
        goal = int(self._sums[word]) + sum(self._shares[word * _WORD : start].tolist()) + limit
        word = int(self._sums.searchsorted(goal, "right")) - 1
        place = word * _WORD
        left = goal - int(self._sums[word])
        for share in self._shares[place : place + _WORD].tolist():
            left -= share
            if left < 0:
                break
            place += 1
        return min(place, stop)

    def _before(self, places: Column) -> Column:
        """What all bytes before each of some places come to."""
        import numpy as np

        words, bits = places // _WORD, (places % _WORD * 8).astype(np.uint64)
        inside = self._words[words] & ((np.uint64(1) << bits) - np.uint64(1))
        found: Column = self._sums[words] + _sums_of_words(inside)
        return found


def _sums_of_words(words: Any) -> Column:
    """The sums of the bytes of each word."""
    import numpy as np

    lanes = words & np.uint64(_BYTE_LANES)
    lanes += (words >> np.uint64(8)) & np.uint64(_BYTE_LANES)
    lanes *= np.uint64(_PAIR_LANES)
    lanes >>= np.uint64(48)
    found: Column = lanes.view(np.int64)
    return found


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

    return Measure("tokens", SHARES, sizes, usual_units=_TOKEN_UNITS)


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
    return Measure(name, 1, lambda stretch: _Counted(stretch, count), count, usual_units=_TOKEN_UNITS)
