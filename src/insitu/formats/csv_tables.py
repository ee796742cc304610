"""What a stretch of CSV does to every state it may begin in, told before its start is known.

Tables compose (``Outcome.then``), so the states at all cuts follow from the tables between them, exactly and
whatever the input: no guess is made about where quotes open.

Source: the finite-state formulation of parallel parsing, e.g. Mytkowicz et al., "Data-Parallel Finite-State
Machines", ASPLOS 2014.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from insitu.formats.csv_bits import Bits, bits, count, first_bit, first_odd, is_set, joined, places
from insitu.formats.csv_dialect import Dialect
from insitu.formats.csv_quotes import Marks, marks
from insitu.formats.csv_states import (
    FIELD,
    IDENTITY,
    QUOTED,
    START,
    TEXT,
    Machine,
    Outcome,
    Table,
    machine,
)

if TYPE_CHECKING:
    from insitu.formats.cells import Bytes, Column, Mask
    from insitu.formats.csv_bits import Words

# Within so many bytes nearly every buffer settles; few enough that what they do is soon remembered.
_HEAD_BYTES: Final = 4

# More quotes and escapes than this at the end are looked for in the whole buffer.
_TAIL_BYTES: Final = 64


def table(data: Bytes, dialect: Dialect, following: int) -> Table:
    """What these bytes do to each state.

    Args:
        following: the byte behind them; -1 at the end of the file.

    Cost: some passes over the bytes; of all the bytes that mean something, only quotes and line ends are
        looked at one by one, and by NumPy.
    """
    if not len(data):
        return IDENTITY
    states = machine(dialect)
    begun, head = _head(data, states, following)
    if begun == len(data):
        return head
    stop = max(begun, _tail_start(data, dialect))
    behind = following if stop == len(data) else int(data[stop])
    outside = next((o.state for o in head if o.state != QUOTED), TEXT)
    tail = states.classes(data[stop:].tobytes(), following)
    middle = _middle(data[begun:stop], dialect, outside, behind)
    rest = {
        state: outcome.then(states.run(tail, outcome.state), stop - begun)
        for state, outcome in middle.items()
    }
    return tuple(outcome.then(rest[outcome.state], begun) for outcome in head)


def row_ends(data: Bytes, dialect: Dialect, state: int, following: int) -> Column:
    """Where the line ends outside quotes are, told by the last byte of each, begun in a state.

    Args:
        following: the byte behind the data; -1 at the end of the file.

    Cost: as ``table``.
    """
    import numpy as np

    if not len(data):
        return np.zeros(0, np.int64)
    states = machine(dialect)
    begun, head = _head(data, states, following)
    state_there = head[state].state
    size = len(data)
    behind = following if begun == size else int(data[begun])
    first = np.array(states.ends(states.classes(data[:begun].tobytes(), behind), state), np.int64)
    # Quotes and escapes at the end hold no line end.
    stop = max(begun, _tail_start(data, dialect))
    if stop == begun:
        return first
    behind = following if stop == size else int(data[stop])
    middle, quoted = data[begun:stop], state_there == QUOTED
    outside = TEXT if quoted else state_there
    found = bits(middle, dialect, outside, behind, delimiters=False)
    if first_odd(found, quoted) == -1:
        rest = places(found.ends & found.outside(quoted))
    else:
        rest = marks(middle, dialect, outside, behind, delimiters=False).outside(quoted)
    return np.concatenate((first, rest + begun))


def _head(data: Bytes, states: Machine, following: int) -> tuple[int, Table]:
    """The bytes at the beginning that the machine has to read, and what they do."""
    size = len(data)
    stop = min(_HEAD_BYTES, size - 1)
    if stop > 0:
        begun, outcomes = states.settled(states.classes(data[:stop].tobytes(), int(data[stop])))
        if begun < stop:
            return begun, outcomes
    return states.settled(states.classes(data.tobytes(), following))


def _tail_start(data: Bytes, dialect: Dialect) -> int:
    """Where the quotes and escapes begin that the buffer ends with."""
    special = (dialect.quote or b"") + (dialect.escape or b"")
    size = len(data)
    if not special or data[-1] not in special:
        return size
    for limit in (min(_TAIL_BYTES, size), size):
        kept = data[size - limit :].tobytes().rstrip(special)
        if kept:
            return size - limit + len(kept)
    return 0


def _middle(data: Bytes, dialect: Dialect, outside: int, following: int) -> dict[int, Outcome]:
    """What the bytes between head and tail do, begun outside quotes in that state, or in quotes."""
    if not len(data):
        return {outside: Outcome(outside), QUOTED: Outcome(QUOTED)}
    found = bits(data, dialect, outside, following, delimiters=False)
    if not dialect.lenient:
        faults = found.faults()
        return {
            outside: _outcome(found, found.outside(False), faults[0]),
            QUOTED: _outcome(found, found.outside(True), faults[1]),
        }
    odd, odd_quoted = first_odd(found, False), first_odd(found, True)
    first: Words | None = None
    second: Words | None = None
    if odd == -1:
        first = found.outside(False)
        second = _until(found.outside(True), odd_quoted, first)
    elif odd_quoted == -1:
        second = found.outside(True)
        first = _until(found.outside(False), odd, second)
    if first is None or second is None:
        general = marks(data, dialect, outside, following, delimiters=False)
        return {
            outside: _general(data, dialect, general, False),
            QUOTED: _general(data, dialect, general, True),
        }
    return {outside: _outcome(found, first), QUOTED: _outcome(found, second)}


def _until(own: Words, odd: int | None, settled: Words) -> Words | None:
    """What is outside quotes where the first odd stray run ends the difference to another beginning."""
    if odd is None:
        return None
    return own if odd < 0 else joined(own, settled, odd)


def _outcome(found: Bits, outside: Words, fault: int = -1) -> Outcome:
    ends = found.ends & outside
    last = len(found.data) - 1
    if not is_set(outside, last):
        state = QUOTED
    else:
        state = _last_state(found.data, found.dialect, is_set(found.ends, last), found.escaped)
    return Outcome(state, count(ends), first_bit(ends), fault)


def _general(data: Bytes, dialect: Dialect, found: Marks, quoted: bool) -> Outcome:
    """As ``_outcome``, for freely misquoted text."""
    ends = found.outside(quoted)
    left = quoted
    if found.runs is not None:
        left = bool(found.runs.inside[-1]) ^ (quoted and found.runs.settled == len(found.runs.firsts))
    ended = len(ends) > 0 and bool(ends[-1] == len(data) - 1)
    state = QUOTED if left else _last_state(data, dialect, ended, found.escaped)
    return Outcome(state, len(ends), int(ends[0]) if len(ends) else -1)


def _last_state(data: Bytes, dialect: Dialect, ended: bool, escaped: Mask | None) -> int:
    """The state behind the last byte, which is outside quotes.

    Args:
        ended: whether it is a line end.
    """
    if ended:
        return START
    delimited = data[-1] == dialect.delimiter[0] and (escaped is None or not escaped[len(data) - 1])
    return FIELD if delimited else TEXT
