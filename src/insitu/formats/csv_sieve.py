"""Rows that a condition can be true of, found before anything is split: by a text that one of their cells is.

Where a condition is true only of rows with a cell that is one of some texts, and such a cell is always
written as the text itself, in quotes or not, then the text stands behind a delimiter, a line end or a quote.
Those places are found by bits; the condition is then asked about their rows alone. A row that is let through
may still be a wrong one (the text may be in another column), but none is held back for which it is true.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Final, NamedTuple

from insitu.formats.csv_bits import moved_down, moved_up, where

if TYPE_CHECKING:
    from insitu.formats.cells import Bytes
    from insitu.formats.csv_bits import Words

# Each text costs two passes over the data; splitting every row costs as much as some ten.
TEXTS_MAX: Final = 4


class Sieve(NamedTuple):
    """The texts of which a cell has to be one."""

    texts: tuple[bytes, ...]
    """As they are written; none is empty."""

    def places(self, data: Bytes, around: Words, begin: int) -> Words:
        """Where cells can begin that are one of the texts.

        Args:
            around: delimiters, line ends and quotes of the data, wherever they are.
            begin: where the first row starts.
        """
        behind = moved_up(around, 1)
        number, bit = divmod(begin, 64)
        behind[number] |= type(behind[number])(1 << bit)
        bytes_of = {byte: where(data, byte) for text in self.texts for byte in (text[0], text[-1])}
        found = [bytes_of[text[0]] & moved_down(bytes_of[text[-1]], len(text) - 1) for text in self.texts]
        return behind & reduce(or_, found)
