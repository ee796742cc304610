"""The bytes of a buffer that mean something, as a short list: the quickest way, for calm CSV.

CSV is *calm*, begun in a state, where every quote that opens has a separator or a quote before it and, in a
strict dialect, every quote that closes has one behind it. Quotes then simply alternate, so that whether a
separator counts is the parity of the quotes before it, and all that is left is done on the special bytes
alone: some hundredths of the data. What is not calm, ``csv_tables`` and ``csv_quotes`` decide, exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from insitu.formats.csv_dialect import CR, LF, Dialect
from insitu.formats.csv_states import CLOSED, FIELD, QUOTED, START, STATES, TEXT, Outcome

if TYPE_CHECKING:
    from insitu.formats.cells import Bytes, Column, Mask

# States in which a quote at the very beginning opens.
_OPENING: Final = (START, FIELD, CLOSED)


class Specials(NamedTuple):
    """Line ends, quotes and, where they were wanted, delimiters of a buffer, in order."""

    data: Bytes
    dialect: Dialect
    places: Column
    kinds: Bytes
    """The special bytes themselves."""
    inside: Mask | None
    """Whether the number of quotes up to each, itself included, is odd; None: there is no quote."""
    calm: tuple[bool, bool]
    """Whether the buffer is calm if it begins outside quotes, and if it begins in an open one."""

    def outcomes(self) -> tuple[Outcome | None, ...]:
        """What the buffer does to each state; None for those that it is not calm begun in."""
        ends = [self._ends(quoted) if self.calm[quoted] else None for quoted in (False, True)]
        return tuple(self._outcome(state, ends[state == QUOTED]) for state in range(STATES))

    def outcome(self, state: int) -> Outcome | None:
        """What the buffer does to a state; None where it is not calm begun so."""
        return self._outcome(state, self._ends(state == QUOTED)) if self._is_calm(state) else None

    def _outcome(self, state: int, ends: tuple[int, int] | None) -> Outcome | None:
        return Outcome(self._left(state), *ends) if ends and self._is_calm(state) else None

    def _ends(self, quoted: bool) -> tuple[int, int]:
        """How many line ends are outside quotes, and where the first is (-1 for none), if begun so."""
        ends = self.kinds == LF
        ends &= self._outside(quoted)
        first = int(ends.argmax()) if len(ends) else 0
        count = int(ends.sum())
        return count, int(self.places[first]) if count else -1

    def separators(self, state: int) -> tuple[Column, Bytes] | None:
        """Delimiters and line ends outside quotes, with what they are; None where it is not calm so."""
        if not self._is_calm(state):
            return None
        if self.inside is None and state != QUOTED:
            return self.places, self.kinds
        kept = self._outside(state == QUOTED)
        if self.dialect.quote is not None:
            kept &= self.kinds != self.dialect.quote[0]
        return self.places[kept], self.kinds[kept]

    def _outside(self, quoted: bool) -> Mask:
        """Which special bytes leave the state outside quotes; for one that is none, whether it is there."""
        import numpy as np

        if self.inside is None:
            return np.full(len(self.places), not quoted)
        return self.inside.copy() if quoted else ~self.inside

    def _is_calm(self, state: int) -> bool:
        if state > CLOSED or not self.calm[state == QUOTED]:
            return False
        if not len(self.data):
            return True
        first, quote = int(self.data[0]), self.dialect.quote
        if quote is not None and first == quote[0]:
            return state in (*_OPENING, QUOTED)
        return state != CLOSED or self.dialect.lenient or first in (self.dialect.delimiter[0], LF)

    def _left(self, state: int) -> int:
        """The state behind the last byte."""
        if not len(self.data):
            return state
        odd = self.inside is not None and bool(self.inside[-1])
        if odd != (state == QUOTED):
            return QUOTED
        last, quote = int(self.data[-1]), self.dialect.quote
        if last == LF:
            return START
        if last == self.dialect.delimiter[0]:
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
    found = data == LF
    if delimiters:
        found |= data == dialect.delimiter[0]
    if dialect.quote is not None:
        found |= data == dialect.quote[0]
    places = np.flatnonzero(found)
    kinds = data[places]
    quotes = None if dialect.quote is None else kinds == dialect.quote[0]
    if quotes is None or not quotes.any():
        return Specials(data, dialect, places, kinds, None, (True, True))
    inside = np.bitwise_xor.accumulate(quotes.view(np.uint8)).view(np.bool_)
    calm = _calm(data, dialect, places[quotes], inside[quotes], following)
    return Specials(data, dialect, places, kinds, inside, calm)


def _calm(data: Bytes, dialect: Dialect, quotes: Column, odd: Mask, following: int) -> tuple[bool, bool]:
    """Whether quotes that open, and in a strict dialect such that close, have special bytes beside them.

    Args:
        quotes: where they are.
        odd: whether each opens, if the buffer begins outside quotes.
    """
    import numpy as np

    around = np.zeros(256, np.bool_)
    around[[LF, dialect.delimiter[0], *(dialect.quote or b"")]] = True
    before = around[data[np.maximum(quotes - 1, 0)]]
    # What precedes the first byte, the state says; what follows the last, the next buffer judges.
    before |= quotes == 0
    opens_well = bool(before[odd].all()), bool(before[~odd].all())
    if dialect.lenient:
        return opens_well
    last = len(data) - 1
    behind = around[data[np.minimum(quotes + 1, last)]]
    behind |= quotes == last
    if not behind.all():
        # A CR before an LF is part of the line end.
        behind[~behind] = _returns(data, quotes[~behind] + 1, following)
    return opens_well[0] and bool(behind[~odd].all()), opens_well[1] and bool(behind[odd].all())


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
