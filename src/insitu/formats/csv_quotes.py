"""Quotes and separators of a buffer as columns, and which of them lie inside quotes.

Between the bytes that mean something nothing happens, so the machine (``csv_states``) is run over runs of
quotes instead of bytes. Outside quotes, one is an opener where a delimiter or line end precedes it; and
those bytes mean something exactly where that holds. So a run of quotes does to the two states OUT and IN:

    an even number of them                     nothing
    an odd number, a separator before them     OUT and IN change places
    an odd number, anything else before them   both become OUT: it closed, or it was text

After the last kind the state is known whatever it was at the beginning, and until then there are two
answers, each the opposite of the other: one pass gives both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from insitu.formats.csv_dialect import CR, LF, Dialect
from insitu.formats.csv_states import TEXT

if TYPE_CHECKING:
    from insitu.formats.cells import Bytes, Column, Mask


class Runs(NamedTuple):
    """Runs of adjacent quotes, escaped ones left out."""

    firsts: Column
    lasts: Column
    """Where the first and the last quote of each are."""
    opening: Mask
    """Where a separator precedes the run."""
    inside: Mask
    """Whether the run leaves an open quote behind, where the buffer began outside quotes."""
    settled: int
    """The first run whose end does not depend on how the buffer began; past the last one for none."""


class Marks(NamedTuple):
    """What means something in a buffer."""

    separators: Column
    """Where line ends (and delimiters, if asked for) are, escaped ones left out, quoted ones included."""
    inside: Mask | None
    """Which of them are quoted, where the buffer began outside quotes; None: none, there is no quote."""
    settled: int
    """How many of them depend on how the buffer began."""
    runs: Runs | None
    escaped: Mask | None
    """Of all bytes and one more, which are escaped; None: none."""

    def outside(self, quoted: bool) -> Column:
        """The separators that are none of a quoted cell's text.

        Args:
            quoted: whether the buffer began in an open quote.
        """
        import numpy as np

        if self.inside is None:
            return self.separators[:0] if quoted else self.separators
        if not quoted:
            return self.separators[~self.inside]
        kept = np.concatenate((self.inside[: self.settled], ~self.inside[self.settled :]))
        return self.separators[kept]


def marks(data: Bytes, dialect: Dialect, state: int, following: int, *, delimiters: bool) -> Marks:
    """Finds quotes and separators.

    Args:
        state: in which the buffer begins, if outside quotes: START, FIELD or TEXT.
        following: the byte behind the buffer; -1 at the end of the file.
        delimiters: whether delimiters are wanted, beside line ends.
    """
    import numpy as np

    found = line_ends(data, dialect, following)
    if delimiters:
        found |= data == dialect.delimiter[0]
    escaped = escaped_bytes(data, dialect)
    quotes = None
    if dialect.quote is not None:
        quotes = data == dialect.quote[0]
        if escaped is not None:
            quotes &= ~escaped[:-1]
        if not quotes.any():
            quotes = None
    if escaped is not None:
        found &= ~escaped[:-1]
    if quotes is None:
        separators = np.flatnonzero(found)
        return Marks(separators, None, len(separators), None, escaped)
    found |= quotes
    places = np.flatnonzero(found)
    numbers = np.flatnonzero(quotes[places])
    runs, sizes = _runs(data, places[numbers], dialect, state, escaped)
    # The separators behind the quote i, before the next, have the state that its run left.
    gaps = np.diff(numbers, append=len(places)) - 1
    states = np.repeat(runs.inside, sizes) if sizes is not None else runs.inside
    before = int(numbers[0])
    inside = np.empty(len(places) - len(numbers), np.bool_)
    inside[:before] = False
    inside[before:] = np.repeat(states, gaps)
    separators = np.delete(places, numbers)
    if runs.settled == len(runs.firsts):
        settled = len(separators)
    else:
        settled = int(np.searchsorted(separators, runs.firsts[runs.settled]))
    return Marks(separators, inside, settled, runs, escaped)


def states_around(found: Runs, quoted: bool) -> tuple[Mask, Mask]:
    """Whether each run begins, and whether it ends, in an open quote."""
    import numpy as np

    after = found.inside
    if quoted:
        after = after.copy()
        after[: found.settled] ^= True
    before = np.empty_like(after)
    before[0] = quoted
    before[1:] = after[:-1]
    return before, after


def line_ends(data: Bytes, dialect: Dialect, following: int) -> Mask:
    """Where line ends are, each told by its last byte."""
    import numpy as np

    if dialect.newline == "\r":
        return np.equal(data, CR)
    feeds = np.equal(data, LF)
    if dialect.newline == "\n":
        return feeds
    lone = np.equal(data, CR)
    lone[:-1] &= ~feeds[1:]
    if following == LF:
        lone[-1:] = False
    return np.logical_or(feeds, lone)


def _is_separator(data: Bytes, at: Column, dialect: Dialect) -> Mask:
    """Whether delimiters or line ends are there; a CR counts, unless it never ends rows."""
    found = data[at]
    separator: Mask = found == dialect.delimiter[0]
    if dialect.newline != "\r":
        separator |= found == LF
    if dialect.newline != "\n":
        separator |= found == CR
    return separator


def escaped_bytes(data: Bytes, dialect: Dialect) -> Mask | None:
    """Which bytes, and whether the one behind the last, are escaped; None: none."""
    import numpy as np

    if dialect.escape is None:
        return None
    escapes = np.flatnonzero(data == dialect.escape[0])
    if not len(escapes):
        return None
    # In a run of escapes every other one is escaped itself.
    firsts = np.flatnonzero(np.diff(escapes, prepend=-2) != 1)
    sizes = np.diff(firsts, append=len(escapes))
    within = np.arange(len(escapes)) - np.repeat(firsts, sizes)
    escaped = np.zeros(len(data) + 1, np.bool_)
    escaped[escapes[within % 2 == 0] + 1] = True
    return escaped


def _runs(
    data: Bytes, quotes: Column, dialect: Dialect, state: int, escaped: Mask | None
) -> tuple[Runs, Column | None]:
    """The runs of quotes, and how many quotes each has; None: one each."""
    import numpy as np

    # Before a quote, a CR that can end rows does: no LF follows it.
    opening = _is_separator(data, quotes - 1, dialect)
    if escaped is not None:
        opening &= ~escaped[quotes - 1]
    if quotes[0] == 0:
        opening[0] = state != TEXT
    apart = quotes[1:] != quotes[:-1] + 1
    sizes = None
    firsts = lasts = quotes
    if not apart.all():
        numbers = np.concatenate(([0], np.flatnonzero(apart) + 1))
        sizes = np.diff(numbers, append=len(quotes))
        firsts, lasts = quotes[numbers], quotes[numbers + sizes - 1]
        opening = opening[numbers]
        odd = (sizes & 1).astype(np.bool_)
        changes, settles = opening & odd, ~opening & odd
    else:
        changes, settles = opening, ~opening
    # A run's state: how many changes there were since a run last settled it, modulo two.
    total = np.cumsum(changes, dtype=np.int32)
    since = np.maximum.accumulate(np.where(settles, total, 0))
    inside = ((total - since) & 1).astype(np.bool_)
    settled = int(settles.argmax()) if settles.any() else len(firsts)
    return Runs(firsts, lasts, opening, inside, settled), sizes
