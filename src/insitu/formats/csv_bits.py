"""Quotes and separators of a buffer as bits: the fast way, for all but freely misquoted text.

One bit per byte, 64 to a word. Where every quote that meets the state OUT has a separator or a quote before
it, quotes simply alternate, and whether a byte lies inside them is the parity of the quotes up to it. A run
of quotes that meets OUT anywhere else is *stray*: it is text, and changes no state. If its length is even,
neither does it change the parity. At the first odd one, a buffer that began in the other state closes a
quote: from there on both are OUT. So if one of the two beginnings has no odd stray run, the other one equals
it from its own first odd stray on; if both have some, ``csv_quotes`` decides.

Source: the prefix-xor of Langdale and Lemire, "Parsing Gigabytes of JSON per Second", VLDB Journal 2019.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from insitu.formats.csv_dialect import CR, LF, Dialect
from insitu.formats.csv_quotes import escaped_bytes
from insitu.formats.csv_states import TEXT

if TYPE_CHECKING:
    import numpy as np

    from insitu.formats.cells import Bytes, Column, Mask

    Words: TypeAlias = np.ndarray[Any, np.dtype[np.uint64]]

WORD_BITS: Final = 64

# So many stray runs of even length are stepped over one by one before the general way is taken.
_EVEN_RUNS: Final = 32

# So much of the data stays in a core's own cache, with the flags made of it, while it is compared with one
# byte after the other (measured: 0.50 ms/MiB for five of them, 1.2 where each goes over a whole window).
_BLOCK_BYTES: Final = 512 << 10


class Bits(NamedTuple):
    """What means something in a buffer; escaped bytes are left out."""

    data: Bytes
    dialect: Dialect
    following: int
    escaped: Mask | None
    """Of all bytes and one more, which are escaped; None: none."""
    ends: Words
    """Line ends, each told by its last byte."""
    delimiters: Words
    quotes: Words | None
    """None: there is none."""
    inside: Words
    """Parity of the quotes up to each byte, itself included."""
    around: Words
    """Line ends, delimiters (if wanted, or if there is a quote) and quotes."""
    behind_any: Words
    """Bytes behind a separator or quote; the first byte too, unless the buffer begins in a cell's text."""

    def part(self, start: int, stop: int) -> Bits:
        """The bits of ``data[start:stop]``; ``start`` is a multiple of 64, and nothing is escaped.

        Whether its first byte is behind a separator is known, unless it is that of the whole buffer.
        """
        words = slice(start // WORD_BITS, -(-stop // WORD_BITS))
        quotes = None if self.quotes is None else self.quotes[words]
        inside = self.inside[words]
        if start and is_set(self.inside, start - 1):
            inside = ~inside
        if not inside.any():
            # No quote opens, so there is none.
            quotes = None
        following = int(self.data[stop]) if stop < len(self.data) else self.following
        return Bits(
            self.data[start:stop],
            self.dialect,
            following,
            None,
            self.ends[words],
            self.delimiters[words],
            quotes,
            inside,
            self.around[words],
            self.behind_any[words],
        )

    def behind(self) -> Words:
        """Bytes behind a line end, delimiter or quote."""
        return self.behind_any if self.quotes is not None else moved_up(self.around, 1)

    def strays(self, quoted: bool) -> Words:
        """First quotes of stray runs, if the buffer begins so."""
        if self.quotes is None:
            return self.inside
        # Before a quote the parity is the opposite of that behind it.
        met_outside = ~self.inside if quoted else self.inside
        return self.quotes & met_outside & ~self.behind_any

    def outside(self, quoted: bool) -> Words:
        """Bytes outside quotes, if the buffer begins so and there is no odd stray run."""
        return self.inside if quoted else ~self.inside

    def dangling(self, quoted: bool) -> Words:
        """Quotes that close, if the buffer begins so, and may not in a strict dialect, for what follows them.

        What follows the last byte is judged where the next buffer begins.
        """
        if self.quotes is None:
            return self.inside
        last = len(self.data) - 1
        found = self.quotes & self.outside(quoted)
        found &= ~moved_down(self.around, 1)
        found[last // WORD_BITS] &= ~(_bit(1) << _bit(last % WORD_BITS))
        if self.dialect.newline != "\r" and found.any():
            # A CR before an LF is part of the line end.
            found &= ~moved_down(_pairs(self.data, self.following), 1)
        return found

    def faults(self) -> tuple[int, int]:
        """Where the first quote or text is that a strict dialect does not allow; -1 for none.

        Returns:
            Two answers: if the buffer begins outside quotes, and if it begins in an open one.
        """
        if self.quotes is None:
            return -1, -1
        return self._fault(False), self._fault(True)

    def _fault(self, quoted: bool) -> int:
        stray, closing = first_bit(self.strays(quoted)), first_bit(self.dangling(quoted))
        behind = closing + 1 if closing >= 0 else -1
        return max(stray, behind) if min(stray, behind) < 0 else min(stray, behind)


def bits(data: Bytes, dialect: Dialect, state: int, following: int, *, delimiters: bool) -> Bits:
    """Finds quotes and separators.

    Args:
        data: at least one byte.
        state: in which the buffer begins, if outside quotes: START, FIELD or TEXT.
        following: the byte behind the buffer; -1 at the end of the file.
        delimiters: whether they are wanted even where there is no quote.
    """
    import numpy as np

    escaped = escaped_bytes(data, dialect)
    kept = None if escaped is None else ~_packed(escaped[:-1])
    # Delimiters are told although there may be no quote, without which they may not be needed: there mostly
    # is, and one pass over the data is quicker than two.
    feed = CR if dialect.newline == "\r" else LF
    ends, commas, *quoting = where_each(data, bytes((feed,)) + dialect.delimiter + (dialect.quote or b""))
    if dialect.newline == "any":
        ends |= where(data, CR) & ~_pairs(data, following)
    quotes = quoting[0] if quoting else None
    if kept is not None:
        ends &= kept
        commas &= kept
        if quotes is not None:
            quotes &= kept
    inside = behind_any = np.zeros_like(ends)
    if quotes is not None and not quotes.any():
        quotes = None
    if not delimiters and quotes is None:
        commas = inside
    around = ends | commas
    if quotes is not None:
        inside = _parity(quotes)
        around |= quotes
        behind_any = moved_up(around, 1)
        if state != TEXT:
            behind_any[0] |= _bit(1)
    return Bits(data, dialect, following, escaped, ends, commas, quotes, inside, around, behind_any)


def _parity(quotes: Words) -> Words:
    """Of each bit, whether the number of set ones up to it is odd."""
    import numpy as np

    parity: Words = quotes ^ (quotes << _bit(1))
    shifted = np.empty_like(parity)
    for step in (2, 4, 8, 16, 32):
        np.left_shift(parity, _bit(step), out=shifted)
        parity ^= shifted
    # A word whose last bit is set, and only such a one, turns all behind it around.
    turns = parity.view(np.int64) >> np.int64(WORD_BITS - 1)
    parity[1:] ^= np.bitwise_xor.accumulate(turns).view(np.uint64)[:-1]
    return parity


def _pairs(data: Bytes, following: int) -> Words:
    """Each CR that an LF follows."""
    pairs = where(data, CR)
    if not pairs.any():
        return pairs
    paired = pairs & moved_down(where(data, LF), 1)
    last = len(data) - 1
    if data[last] == CR and following == LF:
        paired[last // WORD_BITS] |= _bit(1) << _bit(last % WORD_BITS)
    return paired


def first_bit(words: Words) -> int:
    """Where the first bit is set; -1 for none."""
    number = int((words != 0).argmax())
    word = int(words[number])
    return number * WORD_BITS + (word & -word).bit_length() - 1 if word else -1


def first_bit_from(words: Words, start: int) -> int:
    """Where the first bit at or behind a place is set; -1 for none."""
    number, bit = divmod(start, WORD_BITS)
    if number >= len(words):
        return -1
    rest = int(words[number]) >> bit << bit
    if rest:
        return number * WORD_BITS + (rest & -rest).bit_length() - 1
    further = first_bit(words[number + 1 :]) if number + 1 < len(words) else -1
    return (number + 1) * WORD_BITS + further if further >= 0 else -1


def first_odd(found: Bits, quoted: bool) -> int | None:
    """Where the first stray run is whose length is odd; -1 for none, None where too many are even."""
    quotes, rest = found.quotes, found.strays(quoted)
    if quotes is None:
        return -1
    for _ in range(_EVEN_RUNS):
        at = first_bit(rest)
        if at < 0:
            return -1
        size = 1
        while at + size < len(found.data) and is_set(quotes, at + size):
            size += 1
        if size % 2:
            return at
        rest[at // WORD_BITS] &= ~(_bit(1) << _bit(at % WORD_BITS))
    return None


def joined(head: Words, tail: Words, at: int) -> Words:
    """The bits before ``at`` of one, and from there on of the other."""
    words = tail.copy()
    number, bit = divmod(at, WORD_BITS)
    words[:number] = head[:number]
    low = (_bit(1) << _bit(bit)) - _bit(1)
    words[number] = (head[number] & low) | (tail[number] & ~low)
    return words


def count(words: Words) -> int:
    """How many bits are set."""
    import numpy as np

    return int(np.bitwise_count(words).sum())


def places(words: Words) -> Column:
    """Where bits are set, in order.

    The lowest bit of each word is taken, then the next lowest of those that have one: quicker than to look
    at every bit, as long as few are set.
    """
    import numpy as np

    at = np.flatnonzero(words != 0)
    left = words[at]
    counts = np.bitwise_count(left)
    slots = np.cumsum(counts, dtype=np.int64)
    found = np.empty(int(slots[-1]) if len(slots) else 0, np.int64)
    slots -= counts
    at *= WORD_BITS
    while len(left):
        found[slots] = at + lowest(left)
        left &= left - _bit(1)
        more = np.flatnonzero(left != 0)
        if len(more) < len(left):
            at, left, slots = at[more], left[more], slots[more]
        slots += 1
    return found


def lowest(words: Words) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """How many bits are below the lowest that is set; 64 where none is."""
    import numpy as np

    found: np.ndarray[Any, np.dtype[np.uint8]] = np.bitwise_count((words - _bit(1)) & ~words)
    return found


def within(words: Words, start: int, stop: int) -> Words:
    """The bits from ``start`` on and before ``stop``, as words of their own, no more than that takes."""
    kept = words[: -(-stop // WORD_BITS)].copy()
    number, bit = divmod(start, WORD_BITS)
    kept[:number] = 0
    kept[number : number + 1] &= ~((_bit(1) << _bit(bit)) - _bit(1))
    if stop % WORD_BITS:
        kept[-1] &= (_bit(1) << _bit(stop % WORD_BITS)) - _bit(1)
    return kept


def where(data: Bytes, byte: int) -> Words:
    """Where a byte is."""
    return where_each(data, bytes((byte,)))[0]


def where_each(data: Bytes, wanted: bytes) -> list[Words]:
    """Where each of some bytes is.

    Cost: one read of the data, a comparison and a packing for each byte; flags of a block only.
    """
    import numpy as np

    whole = [np.zeros(-(-len(data) // WORD_BITS) * 8, np.uint8) for _ in wanted]
    flags = np.empty(min(_BLOCK_BYTES, len(data)), np.bool_)
    for at in range(0, len(data), _BLOCK_BYTES):
        block = data[at : at + _BLOCK_BYTES]
        for byte, found in zip(wanted, whole, strict=True):
            packed = np.packbits(np.equal(block, byte, out=flags[: len(block)]), bitorder="little")
            found[at // 8 : at // 8 + len(packed)] = packed
    return [found.view("<u8") for found in whole]


def _packed(mask: Mask) -> Words:
    """A mask as bits; those behind its end are not set."""
    import numpy as np

    packed = np.packbits(mask, bitorder="little")
    whole = np.zeros(-(-len(mask) // WORD_BITS) * 8, np.uint8)
    whole[: len(packed)] = packed
    return whole.view("<u8")


def moved_up(words: Words, count: int) -> Words:
    """Every bit so many places further."""
    import numpy as np

    whole, rest = divmod(count, WORD_BITS)
    moved = np.empty_like(words)
    moved[:whole] = 0
    kept = words[: max(0, len(words) - whole)]
    np.left_shift(kept, _bit(rest), out=moved[whole:])
    if rest:
        moved[whole + 1 :] |= kept[:-1] >> _bit(WORD_BITS - rest)
    return moved


def moved_down(words: Words, count: int) -> Words:
    """Every bit so many places back."""
    import numpy as np

    whole, rest = divmod(count, WORD_BITS)
    moved = np.empty_like(words)
    kept = words[whole:]
    moved[len(kept) :] = 0
    np.right_shift(kept, _bit(rest), out=moved[: len(kept)])
    if rest:
        moved[: max(0, len(kept) - 1)] |= kept[1:] << _bit(WORD_BITS - rest)
    return moved


def is_set(words: Words, at: int) -> bool:
    """Whether one bit is."""
    return bool(int(words[at // WORD_BITS]) >> at % WORD_BITS & 1)


def _bit(number: int) -> np.uint64:
    import numpy as np

    return np.uint64(number)
