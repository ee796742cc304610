"""Numbers of many rows at once: read from their decimal digits eight at a time, compared exactly.

A text is a number where SQLite would keep it as one in a NUMERIC column: decimal digits with an
optional sign, point and exponent, ASCII spaces around them allowed. Written with neither point nor
exponent it is whole, as an INTEGER of SQL (64 bits; further out it is a REAL); everything else is a REAL,
the nearest double.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from insitu.formats.condition_texts import WORD_BYTES, load, padded, words_of, zero_bytes

if TYPE_CHECKING:
    import numpy as np

    from insitu.formats.cells import Bytes, Column, Mask
    from insitu.formats.condition_texts import Words

    Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

NUMBER: Final = re.compile(
    rb"[ \t\n\v\f\r]*([+-]?(?:[0-9]+(\.[0-9]*)?|(\.[0-9]+))([eE][+-]?[0-9]+)?)[ \t\n\v\f\r]*"
)

# From here on not every whole number is a double of its own.
EXACT: Final = 1 << 53

COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_EVERY_BYTE: Final = 0x0101010101010101
_IN_A_NUMBER: Final = b"0123456789+-.eE \t\n\v\f\r\0"

# Digits and point that two words hold.
_EASY_BYTES: Final = 2 * WORD_BYTES

# The longest that a double is written by programs has 24 bytes.
_REAL_BYTES: Final = 3 * WORD_BYTES

# From so many rows on, putting their numbers side by side is cheaper than reading each.
_TOGETHER_ROWS: Final = 32


class Numbers(NamedTuple):
    """One number per row, or none."""

    values: Floats
    """The nearest double; anything where not ``known``."""
    known: Mask
    whole: Mask
    """Where the number is an INTEGER of SQL."""
    large: dict[int, int]
    """The exact value of whole numbers that are far out (2**53 and more), by row."""

    def exact(self, index: int) -> int | float:
        """The exact value of one row."""
        if index in self.large:
            return self.large[index]
        return int(self.values[index]) if self.whole[index] else float(self.values[index])


def number_of(text: bytes) -> int | float | None:
    """The number a text is, or None."""
    match = NUMBER.fullmatch(text)
    if match is None:
        return None
    digits, point, only_point, exponent = match.groups()
    if point is None and only_point is None and exponent is None:
        # A number of more digits does not fit; so long ones are not even looked at.
        whole = int(digits) if len(digits) < 4000 else None
        if whole is not None and -(1 << 63) <= whole < 1 << 63:
            return whole
    return float(digits)


def constant_number(value: int | float, count: int) -> Numbers:
    """The same number for every row."""
    import numpy as np

    whole = isinstance(value, int)
    large = dict.fromkeys(range(count), int(value)) if whole and abs(value) >= EXACT else {}
    return Numbers(
        np.full(count, float(value)), np.ones(count, np.bool_), np.full(count, whole, np.bool_), large
    )


def read_numbers(data: Bytes, starts: Column, stops: Column) -> Numbers:
    """The numbers that the bytes of each row are.

    Cost: some 30 passes over arrays of one word per row, up to 15 digits and a point; half a microsecond for
    each row that has more or an exponent, some more where it has spaces.
    """
    import numpy as np

    data = padded(data)
    words = words_of(data)
    first = load(words, starts) & np.uint64(0xFF)
    negative = first == ord("-")
    sizes = stops - starts
    digits = sizes - ((negative | (first == ord("+"))) & (sizes > 0))
    large: dict[int, int] = {}

    short = (digits > 0) & (digits <= WORD_BYTES)
    if short.all():
        values, whole, known = _one_word(words, stops, digits)
    else:
        values = np.zeros(len(starts))
        whole = np.zeros(len(starts), np.bool_)
        known = np.zeros(len(starts), np.bool_)
        for those, by_words in (
            (short, _one_word),
            ((digits > WORD_BYTES) & (digits <= _EASY_BYTES), _two_words),
        ):
            if len(at := np.flatnonzero(those)):
                values[at], whole[at], known[at] = by_words(words, stops[at], digits[at])
    if negative.any():
        np.negative(values, out=values, where=negative)

    odd = np.flatnonzero(~known & (sizes > 0))
    odd = odd[_maybe_number(words, starts[odd], sizes[odd])]
    if len(odd) >= _TOGETHER_ROWS:
        reals, read = _reals(words, starts[odd], sizes[odd])
        reals = odd[reals]
        values[reals], known[reals], whole[reals] = read, True, False
        odd = odd[~known[odd]]
    for i in odd.tolist():
        value = number_of(data[starts[i] : stops[i]].tobytes())
        if value is not None:
            values[i], known[i], whole[i] = value, True, isinstance(value, int)
            if isinstance(value, int) and abs(value) >= EXACT:
                large[i] = value
    return Numbers(values, known, whole, large)


def compare_numbers(sign: str, left: Numbers, right: Numbers) -> Mask:
    """Where ``left sign right`` is true; false where one is not known."""
    import numpy as np

    compare = COMPARE[sign]
    both = left.known & right.known
    found: Mask = compare(left.values, right.values) & both
    if left.large or right.large:
        # Different doubles are ordered as what they were rounded from; the same ones need a closer look.
        for i in np.flatnonzero((left.values == right.values) & both).tolist():
            found[i] = compare(left.exact(i), right.exact(i))
    return found


def calculate(sign: str, left: Numbers, right: Numbers) -> Numbers:
    """``left sign right`` as SQLite calculates it: whole numbers stay whole, also when divided.

    Nothing is known where a side is not, or the divisor is zero.
    """
    import numpy as np

    known = left.known & right.known
    whole = left.whole & right.whole
    with np.errstate(all="ignore"):
        if sign == "/":
            known = known & (right.values != 0)
            values = left.values / np.where(right.values == 0, 1.0, right.values)
            exact = np.flatnonzero(known & whole)
            values[exact] = _divided(left.values[exact], right.values[exact])
        else:
            values = {"+": np.add, "-": np.subtract, "*": np.multiply}[sign](left.values, right.values)
        known &= ~np.isnan(values)
        far = known & whole & ~(np.abs(values) < EXACT)
    for i in {*left.large, *right.large}:
        far[i] = known[i] and whole[i]
    large: dict[int, int] = {}
    whole = whole & known
    for i in np.flatnonzero(far).tolist():
        value = _calculated(sign, int(left.exact(i)), int(right.exact(i)))
        values[i], whole[i] = value, isinstance(value, int)
        if isinstance(value, int) and abs(value) >= EXACT:
            large[i] = value
    return Numbers(values, known, whole, large)


def _calculated(sign: str, left: int, right: int) -> int | float:
    """What SQL makes of two INTEGERs: one, or where that would overflow, a REAL."""
    if sign == "/":
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        return quotient if quotient < 1 << 63 else float(left) / float(right)
    apply: Callable[[Any, Any], Any] = {"+": operator.add, "-": operator.sub, "*": operator.mul}[sign]
    value: int = apply(left, right)
    if -(1 << 63) <= value < 1 << 63:
        return value
    real: float = apply(float(left), float(right))
    return real


def _divided(left: Floats, right: Floats) -> Floats:
    """Quotients of whole numbers below 2**53, cut towards zero."""
    import numpy as np

    dividend = np.clip(np.abs(left), 0, EXACT).astype(np.int64)
    divisor = np.clip(np.abs(right), 0, EXACT).astype(np.int64)
    quotient = (dividend // divisor).astype(np.float64)
    return np.where((left < 0) == (right < 0), quotient, -quotient)


def _one_word(words: Words, stops: Column, sizes: Column) -> tuple[Floats, Mask, Mask]:
    """The values of up to eight digits and a point, whether there is no point, whether that is all."""
    import numpy as np

    digits, points = _digits_before(words, stops, sizes)
    good = (points & (points - np.uint64(1))) == 0
    if points.any():
        digits = np.where(points == 0, digits, _without_point(digits, points, np.uint64(0)))
        good &= (sizes > 1) | (points == 0)
    good &= _all_digits(digits)
    values = _eight_digits(digits).astype(np.float64) / _scale()[_behind(points)]
    return values, points == 0, good


def _two_words(words: Words, stops: Column, sizes: Column) -> tuple[Floats, Mask, Mask]:
    """As ``_one_word``, for nine to sixteen digits and a point."""
    import numpy as np

    back, back_points = _digits_before(words, stops, np.full(len(stops), WORD_BYTES))
    front, front_points = _digits_before(words, stops - WORD_BYTES, sizes - WORD_BYTES)
    good = (back_points & (back_points - np.uint64(1))) == 0
    good &= (front_points & (front_points - np.uint64(1))) == 0
    good &= (back_points == 0) | (front_points == 0)
    carried = _without_point(back, back_points, front >> np.uint64(56))
    moved = np.where(front_points == 0, front, _without_point(front, front_points, np.uint64(0)))
    moved = np.where(back_points == 0, moved, front << np.uint64(8))
    back = np.where(back_points == 0, back, carried)
    good &= _all_digits(back) & _all_digits(moved)
    number = _eight_digits(moved) * np.uint64(10**8) + _eight_digits(back)
    good &= number < EXACT
    behind = _behind(back_points) + np.where(front_points == 0, 0, _behind(front_points) + WORD_BYTES)
    values = number.astype(np.float64) / _scale()[behind]
    return values, (back_points | front_points) == 0, good


def _digits_before(words: Words, stops: Column, sizes: Column) -> tuple[Words, Words]:
    """The last ``sizes`` (1 to 8) bytes before each stop, less ``"0"``, zeros ahead; and marks of points."""
    import numpy as np

    starts = stops - WORD_BYTES
    ahead = np.maximum(-starts, 0)
    raw = words[np.maximum(starts, 0)]
    if ahead.any():
        raw = raw << (ahead * 8).astype(np.uint64)
    drop = ((WORD_BYTES - sizes) * 8).astype(np.uint64)
    digits = ((raw ^ np.uint64(ord("0") * _EVERY_BYTE)) >> drop) << drop
    points = zero_bytes(digits ^ np.uint64((ord("0") ^ ord(".")) * _EVERY_BYTE))
    return digits, points


def _without_point(digits: Words, points: Words, carry: Words | np.uint64) -> Words:
    """The bytes ahead of the point move onto it; ``carry`` comes in as the first byte."""
    import numpy as np

    one, eight = np.uint64(1), np.uint64(8)
    ahead = (points >> np.uint64(7)) - one
    behind = ~((points << one) - one)
    moved: Words = (digits & behind) | ((digits & ahead) << eight) | carry
    return moved


def _behind(points: Words) -> Column:
    """How many bytes follow the point in its word; 0 where there is none."""
    import numpy as np

    behind = ((points >> np.uint64(7)) * np.uint64(0x0706050403020100)) >> np.uint64(56)
    # What holds two points is no number; it must not index behind the powers of ten either.
    return (behind & np.uint64(7)).astype(np.int64)


def _all_digits(digits: Words) -> Mask:
    import numpy as np

    above_nine = (digits + np.uint64(0x76 * _EVERY_BYTE)) | digits
    found: Mask = (above_nine & np.uint64(0x80 * _EVERY_BYTE)) == 0
    return found


def _eight_digits(digits: Words) -> Words:
    """The number that eight digits make, the first in the lowest byte.

    Source: the well-known multiplication by pairs, here on many words at once.
    """
    import numpy as np

    pairs = digits * np.uint64(10) + (digits >> np.uint64(8))
    mask = np.uint64(0x000000FF000000FF)
    high = (pairs & mask) * np.uint64(100 + (1_000_000 << 32))
    low = ((pairs >> np.uint64(16)) & mask) * np.uint64(1 + (10_000 << 32))
    return (high + low) >> np.uint64(32)


def _scale() -> Floats:
    """Powers of ten; all are exact doubles, so one division rounds right.

    There are more than numbers need: what has several points is divided, too, before it is dropped.
    """
    import numpy as np

    return np.array([float(10**count) for count in range(23)])


def _reals(words: Words, starts: Column, sizes: Column) -> tuple[Column, Floats]:
    """Which rows hold a point or an exponent and nothing that only texts hold, and their values.

    None of them, where one is no number after all.
    """
    import numpy as np

    short = np.flatnonzero(sizes <= _REAL_BYTES)
    text = np.zeros((len(short), _REAL_BYTES), np.uint8)
    for number in range(0, _REAL_BYTES, WORD_BYTES):
        drop = (np.clip(WORD_BYTES - (sizes[short] - number), 0, WORD_BYTES) * 8).astype(np.uint64)
        part = load(words, starts[short] + number) << drop >> drop
        text[:, number : number + WORD_BYTES] = part.view(np.uint8).reshape(-1, WORD_BYTES)
    marked, allowed = np.zeros(256, np.bool_), np.zeros(256, np.bool_)
    marked[list(b".eE")] = True
    allowed[list(b"0123456789+-.eE\0")] = True
    real = marked[text].any(axis=1) & allowed[text].all(axis=1)
    try:
        return short[real], text[real].view(f"S{_REAL_BYTES}")[:, 0].astype(np.float64)
    except ValueError:
        return short[:0], np.zeros(0)


def _maybe_number(words: Words, starts: Column, sizes: Column) -> Mask:
    """False where the first eight bytes hold one that no number does."""
    import numpy as np

    begin = load(words, starts)
    drop = (np.clip(WORD_BYTES - sizes, 0, WORD_BYTES) * 8).astype(np.uint64)
    begin = (begin << drop) >> drop
    allowed = np.zeros(256, np.bool_)
    allowed[list(_IN_A_NUMBER)] = True
    return np.asarray(allowed[begin.view(np.uint8).reshape(-1, WORD_BYTES)].all(axis=1))
