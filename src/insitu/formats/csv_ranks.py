"""Bits by number and by place: what lies around some places of a buffer, without a list of all that is set.

Rows and cells are short: what is looked for mostly lies within the 57 bits and more that one load of a word,
from any byte on, shows. For what lies further away bits are counted, once.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Final

from insitu.formats.csv_bits import WORD_BITS, lowest

if TYPE_CHECKING:
    from insitu.formats.cells import Column
    from insitu.formats.csv_bits import Words

# Whole columns of offsets NumPy divides at some 5 ns each, and shifts at a tenth of that.
_WORD_SHIFT: Final = 6
_BYTE_SHIFT: Final = 3
_WORD_BYTES: Final = 8

# So many loads are made for the next bit, and so many words on either side looked at for a number's bit,
# before bits are counted, or looked for in all words.
_LOADS_NEAR: Final = 4
_WORDS_NEAR: Final = 2

# Bits are passed one by one up to so many, by their number beyond.
_PASSED_MOST: Final = 24

# The exponent of a double stands above 52 bits, and is 1023 for 1.
_EXPONENT_SHIFT: Final = 52
_EXPONENT_ZERO: Final = 1023


class Ranked:
    """Set bits by number, from 0, and by place."""

    def __init__(self, words: Words) -> None:
        import numpy as np

        self._words = words
        self._size = len(words) * WORD_BITS
        # The 64 bits from every byte on.
        self._last_load = len(words) * _WORD_BYTES - _WORD_BYTES
        self._loads = np.ndarray((self._last_load + 1,), np.dtype("<u8"), words.data, 0, (1,))

    @cached_property
    def _before(self) -> Column:
        """How many bits are set before each word, and behind the last."""
        import numpy as np

        before = np.zeros(len(self._words) + 1, np.int64)
        np.cumsum(np.bitwise_count(self._words), out=before[1:])
        return before

    def __len__(self) -> int:
        return int(self._before[-1])

    def numbers(self, at: Column) -> Column:
        """How many bits are set before each of these places."""
        import numpy as np

        word = np.minimum(at >> _WORD_SHIFT, len(self._words) - 1)
        low = (np.uint64(1) << (at - (word << _WORD_SHIFT)).view(np.uint64)) - np.uint64(1)
        found: Column = self._before[word] + np.bitwise_count(self._words[word] & low)
        return found

    def places(self, numbers: Column, near: Column) -> Column:
        """Where the bits of these numbers are; behind all bits for numbers of none.

        Args:
            near: some place for each, which is quickest where it is at most some words away.

        Cost: a step for each bit ahead of it in its word.
        """
        import numpy as np

        if not len(self):
            return np.full(len(numbers), self._size)
        wanted = np.clip(numbers, 0, len(self) - 1)
        word = self._word_of(wanted, np.minimum(near, self._size - 1))
        left = self._words[word]
        ahead = (wanted - self._before[word]).astype(np.int8)
        for passed in range(int(ahead.max(initial=0))):
            left &= left - (ahead > passed)
        return np.where(wanted == numbers, (word << _WORD_SHIFT) + lowest(left), self._size)

    def _word_of(self, numbers: Column, near: Column) -> Column:
        """In which word each bit is, of which there are so many."""
        import numpy as np

        before = self._before
        word = near >> _WORD_SHIFT
        for _ in range(_WORDS_NEAR):
            word += before[word + 1] <= numbers
            word -= before[word] > numbers
        far = np.flatnonzero((before[word + 1] <= numbers) | (before[word] > numbers))
        if len(far):
            word[far] = np.searchsorted(before, numbers[far], "right") - 1
        return word

    def next_places(self, at: Column) -> Column:
        """Where the first bit at or behind each place is; behind all bits where there is none."""
        import numpy as np

        left, seen = self._ahead(at)
        found = at + lowest(left)
        further = np.flatnonzero(left == 0)
        for _ in range(_LOADS_NEAR):
            if not len(further):
                return found
            behind = seen[further]
            left, seen_there = self._ahead(behind)
            found[further], seen[further] = behind + lowest(left), seen_there
            further = further[left == 0]
        if len(further):
            found[further] = self.places(self.numbers(at[further]), at[further])
        return found

    def following(self, at: Column, numbers: Iterable[int]) -> dict[int, Column]:
        """Where some bits at or behind each place are: the first is number 0.

        Returns:
            By number; behind all bits where there are not so many.
        """
        import numpy as np

        found = {}
        left, _seen = self._ahead(at)
        passed = 0
        for number in sorted(set(numbers)):
            if number > _PASSED_MOST:
                found[number] = self.places(self.numbers(at) + number, at)
                continue
            for _ in range(number - passed):
                left &= left - np.uint64(1)
            passed = number
            found[number] = at + lowest(left)
            beyond = np.flatnonzero(left == 0)
            if len(beyond):
                found[number][beyond] = self.places(self.numbers(at[beyond]) + number, at[beyond])
        return found

    def behind_last(self, at: Column) -> Column:
        """The place behind the last bit before each place, which is in the buffer; 0 where there is none."""
        import numpy as np

        first = np.maximum((at >> _BYTE_SHIFT) - (_WORD_BYTES - 1), 0)
        shown = at - (first << _BYTE_SHIFT)
        left = self._loads[first] << (WORD_BITS - shown).view(np.uint64)
        # The highest bit is the exponent of the number; rounding cannot change it where the next is clear.
        exponents = (left & ~(left >> np.uint64(1))).astype(np.float64).view(np.int64) >> _EXPONENT_SHIFT
        found: Column = at + (exponents - (_EXPONENT_ZERO + WORD_BITS - 1))
        further = np.flatnonzero(left == 0)
        if len(further):
            numbers = self.numbers(at[further])
            last = self.places(np.maximum(numbers - 1, 0), at[further])
            found[further] = np.where(numbers == 0, 0, last + 1)
        return found

    def _ahead(self, at: Column) -> tuple[Words, Column]:
        """The bits from each place on, as far as one load shows them, and the places behind those."""
        import numpy as np

        first = np.minimum(at >> _BYTE_SHIFT, self._last_load)
        begin = first << _BYTE_SHIFT
        return self._loads[first] >> (at - begin).view(np.uint64), begin + WORD_BITS
