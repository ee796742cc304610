"""The bytes of a buffer that mean something, as a short list: the quickest way, for calm CSV.

CSV is *calm*, begun in a state, where every quote that opens has a separator or a quote before it and, in a
strict dialect, every quote that closes has one behind it. Quotes then simply alternate, so that whether a
separator counts is the parity of the quotes before it, and all that is left is done on the special bytes
alone: some hundredths of the data. What is not calm, ``csv_tables`` and ``csv_quotes`` decide, exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from insitu.formats.csv_dialect import CR, LF, Dialect
from insitu.formats.csv_states import CLOSED, FIELD, QUOTED, START, STATES, TEXT, Outcome

if TYPE_CHECKING:
    from insitu.formats.cells import Bytes, Column, Mask

# States in which a quote at the very beginning opens.
_OPENING: Final = (START, FIELD, CLOSED)

# Data is compared in blocks whose flags stay in the cache, in memory that the process has: a fresh array for
# a whole window costs a page fault for every 4 KiB.
_BLOCK_BYTES: Final = 96 << 10


class Specials:
    """Line ends, quotes and, where they were wanted, delimiters of a buffer, in order.

    Args:
        following: the byte behind the data; -1 at the end of the file.
        places: where special bytes are.
        kinds: the special bytes themselves.
    """

    def __init__(self, data: Bytes, dialect: Dialect, following: int, places: Column, kinds: Bytes) -> None:
        import numpy as np

        self._data = data
        self._dialect = dialect
        self._following = following
        self._places = places
        self._kinds = kinds
        quotes = None if dialect.quote is None else kinds == dialect.quote[0]
        if quotes is None or not quotes.any():
            # Whether the number of quotes up to each, itself included, is odd; None: there is no quote.
            self._inside: Mask | None = None
            self._quotes = places[:0]
            self._odd = np.zeros(0, np.bool_)
        else:
            self._inside = np.bitwise_xor.accumulate(quotes.view(np.uint8)).view(np.bool_)
            self._quotes = places[quotes]
            self._odd = self._inside[quotes]
        self._calm: dict[bool, bool] = {}

    def outcomes(self) -> tuple[Outcome | None, ...]:
        """What the buffer does to each state; None for those that it is not calm begun in.

        A buffer with quotes that is calm begun outside of them is hardly ever so begun in one: that is left
        open then (None).
        """
        outside = self._ends(False) if self._alternates(False) else None
        inside = None
        if (outside is None or self._inside is None) and self._alternates(True):
            inside = self._ends(True)
        return tuple(self._outcome(state, inside if state == QUOTED else outside) for state in range(STATES))

    def outcome(self, state: int) -> Outcome | None:
        """What the buffer does to a state; None where it is not calm begun so."""
        return self._outcome(state, self._ends(state == QUOTED)) if self._is_calm(state) else None

    def _outcome(self, state: int, ends: tuple[int, int] | None) -> Outcome | None:
        return Outcome(self._left(state), *ends) if ends and self._is_calm(state) else None

    def _ends(self, quoted: bool) -> tuple[int, int]:
        """How many line ends are outside quotes, and where the first is (-1 for none), if begun so."""
        ends = self._kinds == LF
        ends &= self._outside(quoted)
        first = int(ends.argmax()) if len(ends) else 0
        count = int(ends.sum())
        return count, int(self._places[first]) if count else -1

    def separators(self, state: int) -> tuple[Column, Bytes] | None:
        """Delimiters and line ends outside quotes, with what they are; None where it is not calm so."""
        if not self._is_calm(state):
            return None
        if self._inside is None and state != QUOTED:
            return self._places, self._kinds
        kept = self._outside(state == QUOTED)
        if self._dialect.quote is not None:
            kept &= self._kinds != self._dialect.quote[0]
        return self._places[kept], self._kinds[kept]

    def _outside(self, quoted: bool) -> Mask:
        """Which special bytes leave the state outside quotes; for one that is none, whether it is there."""
        import numpy as np

        if self._inside is None:
            return np.full(len(self._places), not quoted)
        return self._inside.copy() if quoted else ~self._inside

    def _is_calm(self, state: int) -> bool:
        if state > CLOSED or not self._alternates(state == QUOTED):
            return False
        if not len(self._data):
            return True
        first, quote = int(self._data[0]), self._dialect.quote
        if quote is not None and first == quote[0]:
            return state in (*_OPENING, QUOTED)
        return state != CLOSED or self._dialect.lenient or first in (self._dialect.delimiter[0], LF)

    def _alternates(self, quoted: bool) -> bool:
        """Whether quotes that open, and in a strict dialect such that close, have special bytes beside them.

        Args:
            quoted: whether the buffer begins in an open quote.
        """
        if self._inside is None:
            return True
        if quoted not in self._calm:
            opening = ~self._odd if quoted else self._odd
            lenient = self._dialect.lenient
            self._calm[quoted] = self._open_well(self._quotes[opening]) and (
                lenient or self._close_well(self._quotes[~opening])
            )
        return self._calm[quoted]

    def _open_well(self, quotes: Column) -> bool:
        import numpy as np

        # What precedes the first byte, the state says.
        before = self._around()[self._data[np.maximum(quotes - 1, 0)]]
        return bool(before[1:].all()) and (not len(quotes) or bool(before[0]) or quotes[0] == 0)

    def _close_well(self, quotes: Column) -> bool:
        import numpy as np

        last = len(self._data) - 1
        # What follows the last byte, the next buffer judges.
        behind = self._around()[self._data[np.minimum(quotes + 1, last)]]
        behind[-1:] |= quotes[-1:] == last
        if behind.all():
            return True
        # A CR before an LF is part of the line end.
        return bool(_returns(self._data, quotes[~behind] + 1, self._following).all())

    def _around(self) -> Mask:
        """Which bytes may stand beside a quote."""
        import numpy as np

        allowed = np.zeros(256, np.bool_)
        allowed[[LF, self._dialect.delimiter[0], *(self._dialect.quote or b"")]] = True
        return allowed

    def _left(self, state: int) -> int:
        """The state behind the last byte."""
        if not len(self._data):
            return state
        odd = self._inside is not None and bool(self._inside[-1])
        if odd != (state == QUOTED):
            return QUOTED
        last, quote = int(self._data[-1]), self._dialect.quote
        if last == LF:
            return START
        if last == self._dialect.delimiter[0]:
            return FIELD
        return CLOSED if quote is not None and last == quote[0] else TEXT


def specials(data: Bytes, dialect: Dialect, following: int, *, delimiters: bool) -> Specials | None:
    """Finds the special bytes; None for dialects that are not simple enough.

    Args:
        following: the byte behind the data; -1 at the end of the file.
        delimiters: whether they are wanted.

    Cost: a comparison of the data for each kind, and one search for what they found.
    """
    import numpy as np

    if dialect.escape is not None or dialect.newline == "\r":
        return None
    if dialect.newline == "any" and (data == CR).any():
        return None
    kinds = [*(dialect.delimiter if delimiters else b""), *(dialect.quote or b"")]
    found = [np.zeros(0, np.int64)]
    for at in range(0, len(data), _BLOCK_BYTES):
        block = data[at : at + _BLOCK_BYTES]
        special = block == LF
        for kind in kinds:
            special |= block == kind
        found.append(np.flatnonzero(special) + at)
    places = np.concatenate(found)
    return Specials(data, dialect, following, places, data[places])


def _returns(data: Bytes, places: Column, following: int) -> Mask:
    """Where there is a CR that an LF follows."""
    import numpy as np

    last = len(data) - 1
    fed = np.where(places < last, data[np.minimum(places + 1, last)] == LF, following == LF)
    found: Mask = (data[places] == CR) & fed
    return found


class LazyTable:
    """What a buffer does to a state, told when it is asked for: quickly where it is calm.

    The buffer must stay as it is until then.
    """

    def __init__(self, data: Bytes, dialect: Dialect, following: int) -> None:
        self._data = data
        self._dialect = dialect
        self._following = following
        self.specials = specials(data, dialect, following, delimiters=True)

    def __len__(self) -> int:
        return STATES

    def __getitem__(self, state: int) -> Outcome:
        quick = None if self.specials is None else self.specials.outcome(state)
        if quick is not None:
            return quick
        from insitu.formats.csv_tables import table

        return table(self._data, self._dialect, self._following)[state]
