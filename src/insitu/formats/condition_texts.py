"""Text of many rows at once: compared and searched as arrays of 8-byte words, never a string per row.

Text is UTF-8 and ordered byte by byte, as SQLite orders it. Lower and upper case mean ASCII letters.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    from insitu.formats.cells import Bytes, Column, Mask

    Words: TypeAlias = np.ndarray[Any, np.dtype[np.uint64]]

Case = Literal["lower", "upper"]

WORD_BYTES: Final = 8

# Cells that agree in so many words are few and long: comparing the rest one by one is cheaper.
WORDS_IN_STEP: Final = 8

# A search holds some words for each byte at which the text could begin.
SEARCHED_BYTES: Final = 128 << 10

# Enough bytes to tell which of a few is the rarest.
SAMPLE_BYTES: Final = 4096

# One character as SQLite reads UTF-8, bytes that are none included.
_CHARACTER: Final = re.compile(rb"[\xc0-\xff][\x80-\xbf]*|[\x00-\x7f]|[\x80-\xbf]", re.DOTALL)

_HIGH: Final = 0x8080808080808080
_LOW_SEVEN: Final = 0x7F7F7F7F7F7F7F7F


def words_of(data: Bytes) -> Words:
    """The 8 bytes from every offset on, as one little-endian number each; a view.

    Invariant: ``data`` holds at least 8 bytes (see ``padded``).
    """
    import numpy as np

    return np.ndarray((len(data) - WORD_BYTES + 1,), np.dtype("<u8"), data.data, 0, (1,))


def padded(data: Bytes) -> Bytes:
    """The bytes themselves, or a longer copy where they are fewer than a word."""
    import numpy as np

    if len(data) >= WORD_BYTES:
        return data
    longer = np.zeros(WORD_BYTES, np.uint8)
    longer[: len(data)] = data
    return longer


class Texts:
    """One text per row: ``data[starts[i] : starts[i] + sizes[i]]``; no text where ``null``."""

    def __init__(
        self, data: Bytes, starts: Column, sizes: Column, null: Mask | None, case: Case | None = None
    ) -> None:
        self.data = padded(data)
        self.starts = starts
        self.sizes = sizes
        self.null = null
        self.case = case
        self._words = words_of(self.data)

    def __len__(self) -> int:
        return len(self.starts)

    def in_case(self, case: Case) -> Texts:
        """The same texts, their ASCII letters in lower or upper case."""
        return Texts(self.data, self.starts, self.sizes, self.null, case)

    def at(self, indices: Column) -> Texts:
        """The texts of some rows."""
        null = None if self.null is None else self.null[indices]
        return Texts(self.data, self.starts[indices], self.sizes[indices], null, self.case)

    def cut(self, front: int, back: int) -> Texts:
        """The texts without their first and last bytes; of each there must be so many."""
        return Texts(self.data, self.starts + front, self.sizes - (front + back), self.null, self.case)

    def first(self, size: int) -> Texts:
        """The first bytes of each text; of each there must be so many."""
        import numpy as np

        return Texts(self.data, self.starts, np.full(len(self), size, np.int64), self.null, self.case)

    def last(self, size: int) -> Texts:
        """The last bytes of each text; of each there must be so many."""
        import numpy as np

        starts = self.starts + self.sizes - size
        return Texts(self.data, starts, np.full(len(self), size, np.int64), self.null, self.case)

    def word(self, number: int, indices: Column) -> Words:
        """Bytes ``8 * number`` and on of some rows, zeros behind the end of the text."""
        import numpy as np

        starts = self.starts[indices] + number * WORD_BYTES
        left = np.clip(self.sizes[indices] - number * WORD_BYTES, 0, WORD_BYTES)
        words = load(self._words, starts) & _keep_first()[left]
        if self.case == "lower":
            return lowered(words)
        return uppered(words) if self.case == "upper" else words

    def raw(self, index: int) -> bytes:
        """One text."""
        start = int(self.starts[index])
        text = self.data[start : start + int(self.sizes[index])].tobytes()
        if self.case == "lower":
            return text.lower()
        return text.upper() if self.case == "upper" else text


class Constant:
    """The same text for every row."""

    def __init__(self, text: bytes) -> None:
        import numpy as np

        self.text = text
        self.sizes = np.int64(len(text))
        self.null = None

    def at(self, indices: Column) -> Constant:
        """The text of some rows: the same."""
        return self

    def word(self, number: int, indices: Column) -> np.uint64:
        """Bytes ``8 * number`` and on, zeros behind the end of the text."""
        import numpy as np

        cut = self.text[number * WORD_BYTES : (number + 1) * WORD_BYTES]
        return np.uint64(int.from_bytes(cut, "little"))

    def raw(self, index: int) -> bytes:
        """The text."""
        return self.text


def load(words: Words, starts: Column) -> Words:
    """The 8 bytes from each offset on; zeros behind the end of the data. No offset is negative."""
    import numpy as np

    last = len(words) - 1
    beyond = starts - last
    if len(starts) == 0 or int(beyond.max()) <= 0:
        return words[starts]
    shift = (np.clip(beyond, 0, WORD_BYTES) * 8).astype(np.uint64)
    return words[np.minimum(starts, last)] >> shift


def equal(left: Texts, right: Texts | Constant) -> Mask:
    """Where both texts are the same; false where one is null."""
    import numpy as np

    same = left.sizes == right.sizes
    for side in (left, right):
        if side.null is not None:
            same &= ~side.null
    alike = np.flatnonzero(same)
    words = -(-int(left.sizes[alike].max(initial=0)) // WORD_BYTES)
    for number in range(min(words, WORDS_IN_STEP)):
        alike = alike[left.word(number, alike) == right.word(number, alike)]
    if words > WORDS_IN_STEP:
        kept = [i for i in alike.tolist() if left.raw(i) == right.raw(i)]
        alike = np.array(kept, np.int64)
    found = np.zeros(len(left), np.bool_)
    found[alike] = True
    return found


def order(left: Texts, right: Texts | Constant) -> np.ndarray[Any, np.dtype[np.int8]]:
    """-1, 0 or 1 per row: the left text is before, the same as, or behind the right; any where null."""
    import numpy as np

    signs = np.zeros(len(left), np.int8)
    open_ = np.arange(len(left))
    shorter = np.minimum(left.sizes, right.sizes)
    words = -(-int(shorter.max(initial=0)) // WORD_BYTES)
    for number in range(min(words, WORDS_IN_STEP)):
        mine = np.asarray(left.word(number, open_)).byteswap()
        other = np.asarray(right.word(number, open_)).byteswap()
        signs[open_] = (mine > other).astype(np.int8) - (mine < other)
        open_ = open_[mine == other]
    signs[open_] = np.sign(left.sizes - right.sizes)[open_]
    if words > WORDS_IN_STEP:
        for i in open_[shorter[open_] > WORDS_IN_STEP * WORD_BYTES].tolist():
            mine_raw, other_raw = left.raw(i), right.raw(i)
            signs[i] = (mine_raw > other_raw) - (mine_raw < other_raw)
    return signs


def among(texts: Texts, wanted: tuple[bytes, ...]) -> Mask:
    """Where a text is one of ``wanted``; false where it is null."""
    import numpy as np

    found = np.zeros(len(texts), np.bool_)
    by_size: dict[int, list[bytes]] = {}
    for text in dict.fromkeys(wanted):
        by_size.setdefault(len(text), []).append(text)
    for size, group in by_size.items():
        if len(group) <= WORDS_IN_STEP:
            for text in group:
                found |= equal(texts, Constant(text))
            continue
        candidates = np.flatnonzero(texts.sizes == size)
        if texts.null is not None:
            candidates = candidates[~texts.null[candidates]]
        for number in range(-(-size // WORD_BYTES)):
            words = np.array([Constant(text).word(number, candidates) for text in group])
            candidates = candidates[np.isin(texts.word(number, candidates), words)]
        if size > WORD_BYTES:
            members = frozenset(group)
            candidates = np.array([i for i in candidates.tolist() if texts.raw(i) in members], np.int64)
        found[candidates] = True
    return found


def holding(texts: Texts, needle: bytes) -> Mask:
    """Where ``needle`` (not empty, in the case of the texts) occurs in a text.

    Cost: a pass over all bytes from the first text to the last, whatever stands between.
    """
    import numpy as np

    found = np.zeros(len(texts), np.bool_)
    if not len(texts):
        return found
    by_start = np.argsort(texts.starts, kind="stable")
    starts, stops = texts.starts[by_start], (texts.starts + texts.sizes)[by_start]
    data = texts.data[int(starts[0]) : int(stops.max())]
    # What is looked for first is the byte of the needle that is rarest in a sample.
    sample = np.bincount(data[:SAMPLE_BYTES], minlength=256)
    rarest = min(range(len(needle)), key=lambda i: int(sample[list(_spellings(needle[i], texts.case))].sum()))
    spellings = _spellings(needle[rarest], texts.case)
    for low in range(0, len(data), SEARCHED_BYTES):
        part = data[low : low + SEARCHED_BYTES]
        hits = np.flatnonzero(part == spellings[0])
        if len(spellings) > 1:
            hits = np.concatenate([hits, np.flatnonzero(part == spellings[1])])
        hits += int(starts[0]) + low - rarest
        cells = np.searchsorted(starts, hits, "right") - 1
        inside = (cells >= 0) & (hits + len(needle) <= stops[cells])
        hits, cells = hits[inside], cells[inside]
        whole = Texts(texts.data, hits, np.full(len(hits), len(needle), np.int64), None, texts.case)
        found[by_start[cells[equal(whole, Constant(needle))]]] = True
    return found


def _spellings(byte: int, case: Case | None) -> tuple[int, ...]:
    """The bytes that become this one in the case of the texts."""
    if case is None:
        return (byte,)
    letter = bytes([byte])
    return tuple({byte, *(letter.upper() if case == "lower" else letter.lower())})


def characters(texts: Texts) -> Column:
    """How many characters each text has."""
    import numpy as np

    counts = texts.sizes.copy()
    for i in np.flatnonzero(not_ascii(texts)).tolist():
        counts[i] = len(_CHARACTER.findall(texts.raw(i)))
    return counts


def not_ascii(texts: Texts) -> Mask:
    """Where a text is not ASCII alone; for long texts, maybe where it is."""
    import numpy as np

    if int(texts.data.max()) < 0x80:
        return np.zeros(len(texts), np.bool_)
    found = texts.sizes > WORDS_IN_STEP * WORD_BYTES
    rest = np.flatnonzero(~found)
    number = 0
    while len(rest := rest[texts.sizes[rest] > number * WORD_BYTES]):
        found[rest] |= (texts.word(number, rest) & np.uint64(_HIGH)) != 0
        number += 1
    return found


def holding_byte(texts: Texts, byte: int) -> Mask:
    """Where a text holds a byte."""
    import numpy as np

    found = np.zeros(len(texts), np.bool_)
    long = texts.sizes > WORDS_IN_STEP * WORD_BYTES
    for i in np.flatnonzero(long).tolist():
        start = int(texts.starts[i])
        found[i] = bool((texts.data[start : start + int(texts.sizes[i])] == byte).any())
    rest = np.flatnonzero(~long)
    number = 0
    while len(rest := rest[texts.sizes[rest] > number * WORD_BYTES]):
        found[rest] |= zero_bytes(texts.word(number, rest) ^ np.uint64(byte * 0x0101010101010101)) != 0
        number += 1
    return found


def zero_bytes(words: Words) -> Words:
    """The high bit of each byte that is zero, and no other bit."""
    import numpy as np

    low = np.uint64(_LOW_SEVEN)
    return ~(((words & low) + low) | words | low)


def lowered(words: Words) -> Words:
    """The words with their ASCII letters in lower case."""
    import numpy as np

    # The mark of a byte is bit 7; bit 5 tells upper from lower case.
    return words | (_letters(words, "A", "Z") >> np.uint64(2))


def uppered(words: Words) -> Words:
    """The words with their ASCII letters in upper case."""
    import numpy as np

    return words ^ (_letters(words, "a", "z") >> np.uint64(2))


def _letters(words: Words, first: str, last: str) -> Words:
    """The high bit of each byte from ``first`` to ``last``."""
    import numpy as np

    low = words & np.uint64(_LOW_SEVEN)
    from_first = low + np.uint64((0x80 - ord(first)) * 0x0101010101010101)
    behind_last = low + np.uint64((0x7F - ord(last)) * 0x0101010101010101)
    return (from_first ^ behind_last) & ~words & np.uint64(_HIGH)


def _keep_first() -> Words:
    """Masks that keep the first 0 to 8 bytes of a word."""
    import numpy as np

    return np.array([(1 << 8 * count) - 1 for count in range(WORD_BYTES + 1)], np.uint64)
