"""What a buffer does and where its separators are, from its bits alone: the quickest way, for calm CSV.

CSV is *calm*, begun in a state, where nothing is escaped, every quote that opens has a separator or a quote
before it and, in a strict dialect, every quote that closes has one behind it. Quotes then simply alternate:
whether a separator counts is the parity of the quotes before it. What is not calm, ``csv_tables`` and
``csv_quotes`` decide, exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from insitu.formats.csv_bits import WORD_BITS, Bits, bits, count, first_bit, is_set, within
from insitu.formats.csv_dialect import Dialect
from insitu.formats.csv_states import CLOSED, FIELD, QUOTED, START, STATES, TEXT, Outcome

if TYPE_CHECKING:
    from insitu.formats.cells import Bytes
    from insitu.formats.csv_bits import Words

# States in which a quote at the very beginning opens.
_OPENING: Final = (START, FIELD, CLOSED)


_UNKNOWN: Final = (None,) * STATES


class Split(NamedTuple):
    """What separates the rows and cells of a buffer, one bit for each byte."""

    separators: Words
    """Delimiters and line ends outside quotes, a line end told by its last byte."""
    row_ends: Words
    """The line ends among them."""
    around: Words
    """Delimiters, line ends and quotes, wherever they are."""
    behind: Words
    """The bytes behind those."""

    def within(self, start: int, stop: int) -> Split:
        """The same without what separates ahead of an offset and from another on."""
        stopped = -(-stop // WORD_BITS)
        separators, row_ends = (within(words, start, stop) for words in (self.separators, self.row_ends))
        return Split(separators, row_ends, self.around[:stopped], self.behind[:stopped])


class Specials:
    """A buffer of at least one byte in which nothing is escaped."""

    def __init__(self, found: Bits) -> None:
        self._bits = found
        # By whether the buffer begins in an open quote.
        self._calm: dict[bool, bool] = {}
        self._ended: dict[bool, Words] = {}
        self._behind: dict[bool, int] = {}

    def part(self, start: int, stop: int) -> Specials:
        """The same for ``data[start:stop]``; ``start`` is a multiple of 64."""
        return Specials(self._bits.part(start, stop))

    def outcomes(self) -> tuple[Outcome | None, ...]:
        """What the buffer does to each state; None for those that it is not calm begun in.

        A buffer with quotes that is calm begun outside of them is hardly ever so begun in one: that is left
        open then (None).
        """
        outside = self._ends(False) if self._alternates(False) else None
        inside = None
        if (outside is None or self._bits.quotes is None) and self._alternates(True):
            inside = self._ends(True)
        return tuple(self._outcome(state, inside if state == QUOTED else outside) for state in range(STATES))

    def outcome(self, state: int, size: int | None = None) -> Outcome | None:
        """What the buffer does to a state; None where it is not calm begun so.

        Args:
            size: how many of its bytes, at least one, are meant; None: all.
        """
        if not self.is_calm(state):
            return None
        quoted = state == QUOTED
        if size is None or size == len(self._bits.data):
            return Outcome(self._left(quoted), *self._ends(quoted))
        ends = within(self._row_ends(quoted), 0, size)
        return Outcome(self._state_behind(size - 1, quoted), count(ends), first_bit(ends))

    def is_calm(self, state: int) -> bool:
        """Whether the buffer is calm begun in a state."""
        if state > CLOSED or not self._alternates(state == QUOTED):
            return False
        found = self._bits
        if found.quotes is not None and is_set(found.quotes, 0):
            return state in (*_OPENING, QUOTED)
        return state != CLOSED or found.dialect.lenient or is_set(found.around, 0)

    def split(self, state: int) -> Split | None:
        """What separates rows and cells; None where it is not calm begun in that state."""
        if not self.is_calm(state):
            return None
        found, row_ends = self._bits, self._row_ends(state == QUOTED)
        delimiters = found.delimiters & found.outside(state == QUOTED)
        return Split(row_ends | delimiters, row_ends, found.around, found.behind())

    def _outcome(self, state: int, ends: tuple[int, int] | None) -> Outcome | None:
        return Outcome(self._left(state == QUOTED), *ends) if ends and self.is_calm(state) else None

    def _ends(self, quoted: bool) -> tuple[int, int]:
        """How many line ends are outside quotes, and where the first is (-1 for none), if begun so."""
        ends = self._row_ends(quoted)
        return count(ends), first_bit(ends)

    def _row_ends(self, quoted: bool) -> Words:
        if quoted not in self._ended:
            self._ended[quoted] = self._bits.ends & self._bits.outside(quoted)
        return self._ended[quoted]

    def _alternates(self, quoted: bool) -> bool:
        """Whether quotes that open, and in a strict dialect such that close, have special bytes beside them.

        Args:
            quoted: whether the buffer begins in an open quote.
        """
        if quoted not in self._calm:
            found = self._bits
            strays = found.strays(quoted)
            # What precedes the first byte, the state says.
            calm = not strays[1:].any() and int(strays[0]) <= 1
            if calm and not found.dialect.lenient:
                calm = not found.dangling(quoted).any()
            self._calm[quoted] = calm
        return self._calm[quoted]

    def _left(self, quoted: bool) -> int:
        """The state behind the last byte, if the buffer begins so."""
        if quoted not in self._behind:
            self._behind[quoted] = self._state_behind(len(self._bits.data) - 1, quoted)
        return self._behind[quoted]

    def _state_behind(self, last: int, quoted: bool) -> int:
        """The state behind a byte, if the buffer begins so."""
        found = self._bits
        if is_set(found.inside, last) != quoted:
            return QUOTED
        if is_set(found.ends, last):
            return START
        if is_set(found.delimiters, last) or found.data[last] == found.dialect.delimiter[0]:
            return FIELD
        return CLOSED if found.quotes is not None and is_set(found.quotes, last) else TEXT


def specials(data: Bytes, dialect: Dialect, following: int, *, delimiters: bool) -> Specials | None:
    """Finds the special bytes; None where some are escaped, or there are no bytes.

    Args:
        following: the byte behind the data; -1 at the end of the file.
        delimiters: whether they are wanted even where there is no quote.

    Cost: a comparison of the data for each kind, and passes over an eighth of the data.
    """
    if not len(data):
        return None
    found = bits(data, dialect, TEXT, following, delimiters=delimiters)
    return Specials(found) if found.escaped is None else None


def outcomes(
    data: Bytes, dialect: Dialect, following: int, unit: int
) -> Iterator[tuple[Outcome | None, ...]]:
    """Yields what each stretch of so many bytes does to each state; None where it is not calm begun so.

    Args:
        following: the byte behind the data; -1 at the end of the file.
        unit: how long a stretch is; the last one may be shorter.
    """
    whole = None if unit % WORD_BITS else specials(data, dialect, following, delimiters=False)
    for at in range(0, len(data), unit):
        stop = min(at + unit, len(data))
        if whole is not None:
            found: Specials | None = whole.part(at, stop)
        else:
            behind = int(data[stop]) if stop < len(data) else following
            found = specials(data[at:stop], dialect, behind, delimiters=False)
        yield _UNKNOWN if found is None else found.outcomes()


class LazyTable:
    """What a buffer does to a state, told when it is asked for: quickly where it is calm.

    The buffer must stay as it is until then.

    Args:
        size: how many bytes are meant; None: all. What is behind them is only looked at.
        following: the byte behind all; -1 at the end of the file.
    """

    def __init__(self, data: Bytes, dialect: Dialect, following: int, size: int | None = None) -> None:
        self._data = data
        self._dialect = dialect
        self._following = following
        self._size = len(data) if size is None else size
        self.specials = specials(data, dialect, following, delimiters=True)

    def __len__(self) -> int:
        return STATES

    def __getitem__(self, state: int) -> Outcome:
        data, size = self._data, self._size
        quick = None if self.specials is None or not size else self.specials.outcome(state, size)
        if quick is not None:
            return quick
        from insitu.formats.csv_tables import table

        following = self._following if size == len(data) else int(data[size])
        return table(data[:size], self._dialect, following)[state]
