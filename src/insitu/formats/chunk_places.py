"""Natural boundaries that hold in every text: lines, paragraphs, sentences, words; and how they are ranked.

All work on the narrow bytes of a stretch and look no further than ``AROUND`` bytes.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from insitu.formats.byte_tables import is_one_of, translated
from insitu.formats.chunk_tape import Stretch

if TYPE_CHECKING:
    from insitu.formats.cells import Bytes, Column, Mask

# How much a boundary is worth. What is below UNIT lies inside something that should stay whole.
FORCED: Final = 1
PICKED: Final = 2
WORD: Final = 5
SENTENCE: Final = 10
LINE: Final = 20
INNER: Final = 40
UNIT: Final = 100
PARAGRAPH: Final = 120
GAP: Final = 130
SECTION: Final = 140

# A line of more white space than this is not blank: it could reach out of sight.
_BLANK_MAX: Final = 64

# So many places are hashed at a time.
_BLOCK_PLACES: Final = 1 << 14

_SPACE: Final = 0x20
_CR: Final = 0x0D

# Odd constants with well-mixed bits. Source: SplitMix64.
_MIX: Final = 0xBF58476D1CE4E5B9
_SEED: Final = 0x9E3779B97F4A7C15


class Places(NamedTuple):
    """Boundaries, ascending, and what each is worth."""

    at: Column
    worth: Column


def same_worth(at: Column, worth: int) -> Places:
    """Boundaries that are all worth the same."""
    import numpy as np

    return Places(at, np.full(len(at), worth, np.int64))


def within(stretch: Stretch, at: Column) -> Column:
    """Those of some places that lie in what can be decided."""
    import numpy as np

    low, high = np.searchsorted(at, [stretch.low + 1, stretch.high])
    return at[int(low) : int(high)]


# Whether a place is a boundary inside a line is told by no more bytes on either side.
_MARGIN: Final = 160


class Near(NamedTuple):
    """Some pieces of a stretch, each with a few bytes around it, and nothing else: to look only there."""

    stretch: Stretch
    lows: Column
    """Where the parts begin in the whole stretch; with neighbours a part is one."""
    bounds: Column
    """Where they begin in this one, and where the last one ends."""

    def back(self, at: Column) -> Column:
        """Places in this stretch as those of the whole; those in the margins may be there, too."""
        import numpy as np

        index = np.searchsorted(self.bounds, at, "right") - 1
        found: Column = at + (self.lows - self.bounds[:-1])[index]
        return found


def near(stretch: Stretch, starts: Column, stops: Column) -> Near:
    """Those pieces only, which are in order; all of the stretch if they are most of it."""
    import numpy as np

    array = stretch.array
    whole = len(starts) == 0 or 2 * int((stops - starts).sum()) > len(array)
    if whole:
        return Near(stretch, np.zeros(1, np.int64), np.array([0, len(array)], np.int64))
    breaks = np.flatnonzero(starts[1:] > stops[:-1] + 2 * _MARGIN) + 1
    lows = starts[np.append(0, breaks)] - _MARGIN
    highs = stops[np.append(breaks - 1, len(stops) - 1)] + _MARGIN
    parts = [array[low:high] for low, high in zip(lows.tolist(), highs.tolist(), strict=True)]
    bounds = np.concatenate(([0], np.cumsum(highs - lows)))
    joined = np.concatenate(parts)
    return Near(stretch._replace(array=joined, low=_MARGIN, high=len(joined) - _MARGIN), lows, bounds)


def line_places(stretch: Stretch, newline: int) -> Column:
    """Where lines start, the first bytes in sight included."""
    import numpy as np

    found: Column = np.flatnonzero(stretch.array == newline) + 1
    return found


def paragraph_places(stretch: Stretch, newline: int) -> Places:
    """Where a line that is not blank follows one that is; worth more behind several, or where it is a title.

    A title is a line with an underline of punctuation, as reStructuredText has it.
    """
    import numpy as np

    array = stretch.array
    lines = line_places(stretch, newline)
    if len(lines) < 2:
        return same_worth(lines[:0], PARAGRAPH)
    sizes = np.diff(lines)
    blank = _blank(array, lines, sizes)
    behind = np.flatnonzero(blank[:-1] & ~blank[1:]) + 1
    if blank[-1]:
        behind = np.append(behind, len(blank))
    worth = np.full(len(behind), PARAGRAPH, np.int64)
    worth[(behind > 1) & blank[np.maximum(behind - 2, 0)]] = GAP
    for index in np.flatnonzero(_underlined(array, lines, behind, sizes)).tolist():
        worth[index] = SECTION
    at = lines[behind]
    kept = (at > stretch.low) & (at < stretch.high)
    return Places(at[kept], worth[kept])


def _blank(array: Bytes, lines: Column, sizes: Column) -> Mask:
    """Which of the lines between two line starts are blank."""
    import numpy as np

    blank: Mask = sizes == 1
    first = array[lines[:-1]]
    blank |= (sizes == 2) & (first == _CR)
    final = array[np.maximum(lines[1:] - 2, 0)]
    doubtful = (sizes > 1) & (sizes <= _BLANK_MAX) & is_one_of(first, b" \t") & is_one_of(final, b" \t\r")
    for line in np.flatnonzero(doubtful).tolist():
        blank[line] = not array[lines[line] : lines[line + 1]].tobytes().strip()
    return blank


_UNDERLINES: Final = b"=-~^\"'*+#<>:._`"
_ENDING: Final = b" \t\r\n\f\v"

# Of an underline so many bytes are looked at; of so many lines at once.
_UNDERLINE_MAX: Final = 128
_BLOCK_LINES: Final = 1 << 12


def _underlined(array: Bytes, lines: Column, behind: Column, sizes: Column) -> Mask:
    """Which paragraphs begin with a title: their second line is three or more of one punctuation mark."""
    import numpy as np

    second = np.minimum(behind + 1, len(sizes))
    at = lines[second]
    room = (at + 3 < len(array)) & (second < len(sizes))
    at = np.where(room, at, 0)
    mark = array[at]
    found: Mask = room & (mark == array[at + 1]) & (mark == array[at + 2]) & is_one_of(mark, _UNDERLINES)
    doubtful = np.flatnonzero(found)
    at, sizes = at[doubtful], np.minimum(sizes[second[doubtful]], _UNDERLINE_MAX)
    for start in range(0, len(doubtful), _BLOCK_LINES):
        block = slice(start, start + _BLOCK_LINES)
        found[doubtful[block]] = _are_of_one_mark(array, at[block], sizes[block])
    return found


def _are_of_one_mark(array: Bytes, at: Column, sizes: Column) -> Mask:
    """Which lines are their first byte over and over, but for white space at the end."""
    import numpy as np

    columns = np.arange(int(sizes.max()))
    lines = array[np.minimum(at[:, None] + columns, len(array) - 1)]
    inside = columns < sizes[:, None]
    marks = (lines == lines[:, :1]) & inside
    white = is_one_of(lines.ravel(), _ENDING).reshape(lines.shape) | ~inside
    one: Mask = (marks | white).all(axis=1) & ~(white[:, :-1] & marks[:, 1:]).any(axis=1)
    return one


_WHITE: Final = b"\t\n\r\f\v \0"
_BREAKS: Final = _WHITE + b",;|}>"
_STOPS: Final = b".!?"
_CLOSERS: Final = b"\"')]"
_LOWER: Final = bytes(range(0x61, 0x7B))
_WIDE_STOPS: Final = (b"\xe3\x80\x82", b"\xef\xbc\x81", b"\xef\xbc\x9f", b"\xef\xbd\xa1")


def word_places(stretch: Stretch) -> Column:
    """Where something follows white space, or a mark that separates."""
    import numpy as np

    breaks = is_one_of(stretch.array, _BREAKS)
    found: Column = np.flatnonzero(breaks[:-1] > breaks[1:]) + 1
    return found


def sentence_places(stretch: Stretch) -> Column:
    """Where a sentence seems to begin: behind a stop and white space, not in lower case; or a wide stop."""
    import numpy as np

    array = stretch.array
    at = word_places(stretch)
    at = at[at > 3]
    at = at[is_one_of(array[at - 1], _WHITE) & ~is_one_of(array[at], _LOWER)]
    back = at - 2
    back = back - is_one_of(array[back], _WHITE)
    back = back - is_one_of(array[back], _CLOSERS)
    found: Column = at[is_one_of(array[back], _STOPS)]
    wide = []
    if bool((array >= 0xE3).any()):
        data = array.tobytes()
        for stop in _WIDE_STOPS:
            start = data.find(stop)
            while start >= 0:
                wide.append(start + len(stop))
                start = data.find(stop, start + len(stop))
    if wide:
        return np.asarray(np.union1d(found, np.array(wide, np.int64)))
    return found


def boundaries(array: Bytes) -> Mask:
    """Before which bytes a cut splits no character and no CR LF."""
    import numpy as np

    free: Mask = (array & 0xC0) != 0x80
    free[1:] &= ~((array[1:] == 0x0A) & (array[:-1] == _CR))
    free[0] = False
    return np.asarray(free)


# What is picked is told by eight bytes on either side, and by what is picked so far before it.
_PICKING: Final = 8
_APART_MAX: Final = 128

# Of all places one in so many is hashed.
_SIEVE_MAX: Final = 32


def picked_places(stretch: Stretch, every: int) -> Column:
    """Places between characters that the bytes around them pick, one in ``every`` (a power of two)."""
    import numpy as np

    array = stretch.array
    free = boundaries(array)
    sieve = min(every, _SIEVE_MAX)
    if sieve > 1:
        free &= _rolled(array) < 256 // sieve
    return thinned(stretch, np.flatnonzero(free), every // sieve, every // 2)


def _rolled(array: Bytes) -> Bytes:
    """A number for each place that depends on the eight bytes before it."""
    import numpy as np

    # Sums of what a table makes of each byte, times odd powers: of two bytes, of four, of eight.
    rolled = translated(array, _scattered()).copy()
    for reach, factor in ((1, 0x6D), (2, 0x69), (4, 0x11)):
        rolled[reach:] += rolled[:-reach] * np.uint8(factor)
    rolled[1:] = rolled[:-1].copy()
    return rolled


@cache
def _scattered() -> bytes:
    """All bytes in another order, neighbours far apart."""
    mixed = [(byte * 0xA7 + 0x3D) % 256 for byte in range(256)]
    return bytes((byte ^ byte >> 4) * 0xB5 % 256 for byte in mixed)


def thinned(stretch: Stretch, at: Column, every: int, apart: int) -> Column:
    """One of ``every`` places (a power of two; 1: all), picked by the bytes around them.

    Args:
        apart: of places that follow one upon another within so many code units, only the first is taken:
            where a text repeats itself they may be as dense as they like.
    """
    import numpy as np

    if every > 1:
        low, high = np.searchsorted(at, (_PICKING, len(stretch.array) - _PICKING + 1))
        at = at[int(low) : int(high)]
        # What is alike over so many bytes is picked alike.
        at = at[(_hashes(stretch.array, at, (-_PICKING, _PICKING)) & np.uint64(every - 1)) == 0]
    if len(at):
        at = at[np.diff(at, prepend=at[0] - apart) >= min(apart, _APART_MAX)]
    return within(stretch, at)


def ranks(stretch: Stretch, at: Column) -> Column:
    """A number for each place that depends on the bytes around it only: below 2 ** 48."""
    import numpy as np

    found: Column = (_hashes(stretch.array, at, (-32, 96)) >> np.uint64(16)).astype(np.int64)
    return found


def _hashes(array: Bytes, at: Column, around: tuple[int, int]) -> Any:
    """A hash of the eight-byte words from one offset to another around each place."""
    import numpy as np

    low, high = around
    data = np.ascontiguousarray(array)
    windows: Any = np.ndarray((len(data) - (high - low) + 1,), f"V{high - low}", data, 0, (1,))
    hashes = np.full(len(at), _SEED, np.uint64)
    for start in range(0, len(at), _BLOCK_PLACES):
        block = slice(start, start + _BLOCK_PLACES)
        found = hashes[block]
        words = windows[at[block] + low].view("<u8").reshape(len(found), -1)
        for column in words.T:
            found ^= column
            found *= np.uint64(_MIX)
            found ^= found >> np.uint64(29)
    return hashes
