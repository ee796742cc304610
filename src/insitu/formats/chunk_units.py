"""What should stay whole, by kind of text: paragraphs, lines, rows, records, members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from insitu.formats.chunk_pieces import Finer
from insitu.formats.chunk_places import (
    LINE,
    PICKED,
    SENTENCE,
    UNIT,
    WORD,
    Places,
    line_places,
    near,
    paragraph_places,
    picked_places,
    same_worth,
    sentence_places,
    thinned,
    within,
    word_places,
)
from insitu.formats.chunk_tape import Stretch
from insitu.formats.csv_dialect import Dialect
from insitu.formats.csv_states import START
from insitu.formats.csv_tables import row_ends, table
from insitu.formats.json_structure import COMMA, Carry, structure_of

if TYPE_CHECKING:
    from insitu.formats.cells import Column


class Units(Protocol):
    """Finds the boundaries of units."""

    finer: list[Finer]
    """What finds boundaries inside units that are too large."""
    records: Records | None
    """Which units are numbered; None: none."""

    def places(self, stretch: Stretch) -> Places:
        """The boundaries in a stretch, from ``low`` to ``high``, both excluded. Stretches come in order."""
        ...


class Records:
    """Numbers of records, by where they start.

    Args:
        first: where the first one does; None: not yet known.
    """

    def __init__(self, first: int | None = None) -> None:
        self._starts: list[int] = [] if first is None else [first]
        self._passed = 0

    def add(self, starts: Column) -> None:
        """Takes in where records start, in order; those that are known already are left out."""
        last = self._starts[-1] if self._starts else -1
        self._starts += starts[starts > last].tolist()

    def numbers(self, start: int, stop: int) -> tuple[int, int] | None:
        """The first and the last record with something in a span; None: no record. Spans come in order."""
        from bisect import bisect_left, bisect_right

        first = bisect_right(self._starts, start)
        last = bisect_left(self._starts, stop)
        found = (self._passed + max(first, 1), self._passed + last)
        if first > 1:
            # The record that the next span may begin in is kept.
            kept = max(0, min(first, last) - 1)
            del self._starts[:kept]
            self._passed += kept
        return found if found[1] >= found[0] else None


# Finer and finer boundaries


class Lines:
    """Lines, wherever they are."""

    def __init__(self, newline: int) -> None:
        self._newline = newline

    def inside(self, stretch: Stretch, starts: Column, stops: Column) -> Places:
        """See ``Finer``."""
        there = near(stretch, starts, stops)
        return same_worth(there.back(within(there.stretch, line_places(there.stretch, self._newline))), LINE)


class Sentences:
    """Sentences, as their punctuation shows them."""

    def inside(self, stretch: Stretch, starts: Column, stops: Column) -> Places:
        """See ``Finer``."""
        there = near(stretch, starts, stops)
        return same_worth(there.back(within(there.stretch, sentence_places(there.stretch))), SENTENCE)


class Words:
    """Words, and what separators delimit.

    Args:
        every: of the places in so many code units one is taken, about; a power of two. More are of no use.
    """

    def __init__(self, every: int) -> None:
        self._every = every

    def inside(self, stretch: Stretch, starts: Column, stops: Column) -> Places:
        """See ``Finer``."""
        there = near(stretch, starts, stops)
        at = word_places(there.stretch)
        apart = min(self._every, max(_WORD_UNITS, self._every // 4))
        return same_worth(there.back(thinned(there.stretch, at, self._every // _WORD_UNITS, apart)), WORD)


class Picked:
    """Places that nothing but the bytes around them makes boundaries.

    Args:
        every: in how many code units there is one, about; a power of two.
    """

    def __init__(self, every: int) -> None:
        self._every = every

    def inside(self, stretch: Stretch, starts: Column, stops: Column) -> Places:
        """See ``Finer``."""
        there = near(stretch, starts, stops)
        return same_worth(there.back(picked_places(there.stretch, self._every)), PICKED)


# About as long are words.
_WORD_UNITS: Final = 8

# A picked boundary comes so often within the budget that a piece without any is rare: e ** -16 of those of
# usual text.
_PICKED_PART: Final = 16


def within_lines(budget: int) -> list[Finer]:
    """What cuts a line that is too large.

    Args:
        budget: in code units of usual text, about.
    """
    every = 1 << max(0, (budget // _PICKED_PART).bit_length() - 1)
    return [Sentences(), Words(every), Words(min(every, _WORD_UNITS)), Picked(every)]


# Units


class TextUnits:
    """Paragraphs; in them lines."""

    records: Records | None = None

    def __init__(self, newline: int, budget: int) -> None:
        self._newline = newline
        self.finer: list[Finer] = [Lines(newline), *within_lines(budget)]

    def places(self, stretch: Stretch) -> Places:
        """See ``Units``."""
        return paragraph_places(stretch, self._newline)


class LogUnits:
    """Entries: a line that is not indented, with those that are and follow it."""

    records: Records | None = None

    def __init__(self, newline: int, budget: int) -> None:
        self._newline = newline
        self.finer: list[Finer] = [Lines(newline), *within_lines(budget)]

    def places(self, stretch: Stretch) -> Places:
        """See ``Units``."""
        at = within(stretch, line_places(stretch, self._newline))
        first = stretch.array[at]
        at = at[(first != 0x20) & (first != 0x09) & (first != 0x0A) & (first != 0x0D)]
        return same_worth(at, UNIT)


class JsonlUnits:
    """Records, one to a line."""

    def __init__(self, budget: int) -> None:
        self.records: Records | None = Records(0)
        self.finer: list[Finer] = within_lines(budget)

    def places(self, stretch: Stretch) -> Places:
        """See ``Units``."""
        assert self.records is not None
        at = within(stretch, line_places(stretch, 0x0A))
        self.records.add(at + stretch.base)
        return same_worth(at, UNIT)


class Scanned:
    """Boundaries that are found in one pass, each byte looked at once, and kept until they are asked for."""

    def __init__(self) -> None:
        import numpy as np

        self._scanned = 0
        self._known = np.zeros(0, np.int64)
        self._worths = np.zeros(0, np.int64)

    def kept(self, stretch: Stretch, found: Places) -> Places:
        """Takes in boundaries, in code units of the text; returns those in the stretch, as its places."""
        import numpy as np

        known = np.concatenate((self._known, found.at))
        worths = np.concatenate((self._worths, found.worth))
        ahead = int(np.searchsorted(known, stretch.base + stretch.low, "right"))
        behind = int(np.searchsorted(known, stretch.base + stretch.high))
        self._known, self._worths = known[ahead:], worths[ahead:]
        return Places(known[ahead:behind] - stretch.base, worths[ahead:behind])


class CsvUnits(Scanned):
    """Rows, lenient about quotes.

    Args:
        start: where the first row starts, behind a byte order mark.
    """

    def __init__(self, dialect: Dialect, start: int, budget: int) -> None:
        from dataclasses import replace

        super().__init__()
        self._dialect = replace(dialect, lenient=True)
        self.start = start
        """Where the first row starts."""
        self._scanned = start
        self._state = START
        self.records: Records | None = Records(None if dialect.header else start)
        self.header_stop = None if dialect.header else start
        """Where the first row ends that is no header; None: not yet seen."""
        self.finer: list[Finer] = [Lines(0x0D if dialect.newline == "\r" else 0x0A), *within_lines(budget)]

    def places(self, stretch: Stretch) -> Places:
        """See ``Units``."""
        import numpy as np

        low, high = self._scanned - stretch.base, stretch.high
        at = np.zeros(0, np.int64)
        if high > low:
            data = stretch.array[low:high]
            following = -1 if stretch.last else int(stretch.array[high])
            at = row_ends(data, self._dialect, self._state, following) + 1 + self._scanned
            self._state = table(data, self._dialect, following)[self._state].state
            if self.header_stop is None and len(at):
                self.header_stop = int(at[0])
            assert self.records is not None
            self.records.add(at)
            self._scanned += len(data)
        return self.kept(stretch, same_worth(at, UNIT))


# Members deeper than this are no better boundaries than lines.
_DEPTH_MAX: Final = 4


class JsonUnits(Scanned):
    """Elements and members of the outermost array or object; within them those further in.

    Boundaries lie behind commas, and behind the line end that follows one.
    """

    def __init__(self, newline: int, budget: int) -> None:
        super().__init__()
        self._carry = Carry()
        self._depth = 0
        self._inner = Places(self._known, self._worths)
        self.records: Records | None = Records(0)
        deeper = [Deeper(self, depth) for depth in range(2, _DEPTH_MAX + 1)]
        self.finer: list[Finer] = [*deeper, Lines(newline), *within_lines(budget)]

    def places(self, stretch: Stretch) -> Places:
        """See ``Units``."""
        import numpy as np

        low, high = self._scanned - stretch.base, stretch.high
        found = same_worth(np.zeros(0, np.int64), 0)
        if high > low:
            made = structure_of(stretch.array[low:high], self._carry)
            depths = made.depths + self._depth
            commas = (made.kinds == COMMA) & (depths >= 1) & (depths <= _DEPTH_MAX)
            at = made.places[commas] + low + 1
            at = at + (stretch.array[at] == 0x0D)
            at = at + (stretch.array[at] == 0x0A)
            found = Places(at + stretch.base, UNIT + 1 - depths[commas])
            self._carry = made.carry
            self._depth = int(depths[-1]) if len(depths) else self._depth
            self._scanned += high - low
        every = self.kept(stretch, found)
        outer = every.worth == UNIT
        self._inner = Places(every.at[~outer], every.worth[~outer])
        return Places(every.at[outer], every.worth[outer])

    def deeper(self, depth: int) -> Places:
        """The boundaries at one depth of the last stretch."""
        kept = self._inner.worth == UNIT + 1 - depth
        return Places(self._inner.at[kept], self._inner.worth[kept])


class Deeper:
    """Elements and members at one depth."""

    def __init__(self, units: JsonUnits, depth: int) -> None:
        self._units = units
        self._depth = depth

    def inside(self, stretch: Stretch, starts: Column, stops: Column) -> Places:
        """See ``Finer``."""
        return self._units.deeper(self._depth)
