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

from insitu.formats.condition_batch import written_alike
from insitu.formats.csv_bits import WORD_BITS, count, moved_down, places, where

if TYPE_CHECKING:
    from insitu.formats.cells import Bytes, Column
    from insitu.formats.csv_bits import Words
    from insitu.formats.csv_dialect import Dialect
    from insitu.formats.csv_specials import Split

# Each costs a pass over the data; splitting every row costs as much as some ten.
TEXTS_MAX: Final = 4


# So many places are looked at closer, however few rows there are.
_PLACES_MIN: Final = 1 << 14


class Sieve(NamedTuple):
    """The texts of which a cell has to be one."""

    texts: tuple[bytes, ...]
    """As they are written; none is empty."""
    behind: bytes
    """The bytes of which one stands behind such a cell's text."""

    @classmethod
    def of(cls, texts: tuple[bytes, ...] | None, dialect: Dialect, encoding: str) -> Sieve | None:
        """The sieve for texts (in UTF-8) of which some cell is one in all rows that are wanted.

        Returns:
            None where such cells can be written otherwise, or looking for them would not pay.
        """
        if not texts or len(texts) > TEXTS_MAX or not all(texts) or dialect.escape is not None:
            return None
        plain = written_alike(texts, encoding, dialect.quote or b'"')
        return cls(texts, dialect.delimiter + (dialect.quote or b"") + b"\r\n") if plain else None

    def places(self, data: Bytes, found: Split, begin: int, most: int) -> Column | None:
        """Where cells can begin that are one of the texts, in order; None for too many to be of use.

        Args:
            found: what separates rows and cells.
            begin: where the first row starts.
            most: with how many places it would still pay.
        """
        import numpy as np

        number, bit = divmod(begin, WORD_BITS)
        # A CR of a line end is none of these, the LF behind it is.
        near = moved_down(found.around, 1)
        near |= found.around
        places_of_all = []
        for first in self._firsts:
            begun = where(data, first)
            there = begun[number] & np.uint64(1 << bit)
            begun &= found.behind
            begun[number] |= there
            begun &= self._ending(near, len(data), first)
            if count(begun) > max(most, _PLACES_MIN):
                return None
            places_of_all.append(self._beginning(data, begun, first))
        at = places_of_all[0] if len(places_of_all) == 1 else np.sort(np.concatenate(places_of_all))
        at = at[np.searchsorted(at, begin) :]
        return at if len(at) <= most else None

    @property
    def _firsts(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(text[0] for text in self.texts))

    def _ending(self, near: Words, size: int, first: int) -> Words:
        """Where texts that begin with a byte would end ahead of what is near, or of the end of the data."""
        import numpy as np

        found = []
        for text_bytes in {len(text) for text in self.texts if text[0] == first}:
            ending = moved_down(near, text_bytes)
            if (last := size - text_bytes) >= 0:
                ending[last // WORD_BITS] |= np.uint64(1 << last % WORD_BITS)
            found.append(ending)
        return reduce(or_, found)

    def _beginning(self, data: Bytes, begun: Words, first: int) -> Column:
        """Where a text that begins with a byte may be, of the places where the byte is."""
        import numpy as np

        at = places(begun)
        held = np.zeros(len(at), np.bool_)
        closing = np.zeros(256, np.bool_)
        closing[list(self.behind)] = True
        for text in self.texts:
            if text[0] == first:
                stops = at + len(text)
                alike = closing[data.take(stops, mode="clip")] | (stops == len(data))
                for place in {len(text) // 2, len(text) - 1}:
                    alike &= data.take(at + place, mode="clip") == text[place]
                held |= alike & (stops <= len(data))
        return at[held]
