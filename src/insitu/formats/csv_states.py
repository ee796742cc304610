"""The machine of CSV: which bytes mean what in which state, one byte at a time.

This is the definition that the fast scanners are held to, and what they use where a state is not yet known.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from insitu.formats.csv_dialect import CR, LF, Dialect

# States: before a row's first byte, before a cell's, in an unquoted cell, in an open quote, behind a quote
# that closes unless another one follows, and behind an escape in the two places where one can be.
START, FIELD, TEXT, QUOTED, CLOSED, ESCAPED, ESCAPED_QUOTED = range(7)
STATES: Final = 7

# Classes of bytes. RETURN is a CR that belongs to the line end behind it.
OTHER, DELIMITER, QUOTE, ESCAPE, END, RETURN = range(6)
_CLASSES: Final = 6
_UNDECIDED: Final = 6

# Outside quotes the classes lead to: OTHER, DELIMITER, QUOTE, ESCAPE, END, RETURN.
_STEPS: Final = (
    (TEXT, FIELD, QUOTED, ESCAPED, START, TEXT),  # START
    (TEXT, FIELD, QUOTED, ESCAPED, START, TEXT),  # FIELD
    (TEXT, FIELD, TEXT, ESCAPED, START, TEXT),  # TEXT
    (QUOTED, QUOTED, CLOSED, ESCAPED_QUOTED, QUOTED, QUOTED),  # QUOTED
    (TEXT, FIELD, QUOTED, ESCAPED, START, TEXT),  # CLOSED
    (TEXT,) * _CLASSES,  # ESCAPED
    (QUOTED,) * _CLASSES,  # ESCAPED_QUOTED
)

# What a strict dialect does not allow: (state, class).
_FAULTS: Final = frozenset(((TEXT, QUOTE), (CLOSED, OTHER), (CLOSED, ESCAPE)))

# Runs of one byte longer than this are cut short: their effect repeats with period two.
_LONG_RUN: Final = 16

# What so many bytes do is remembered: there are at most 6^4 ways.
_REMEMBERED_BYTES: Final = 4


class Outcome(NamedTuple):
    """What a stretch of bytes does to one state."""

    state: int
    rows: int = 0
    """How many line ends outside quotes there are."""
    first_end: int = -1
    """Where the first of them is; -1 for none."""
    fault: int = -1
    """Where the first byte is that a strict dialect does not allow; -1 for none, and in lenient ones."""

    def then(self, other: Outcome, at: int) -> Outcome:
        """This stretch and another one, which follows at ``at`` and began in the state this one left."""
        first_end, fault = self.first_end, self.fault
        if first_end < 0 <= other.first_end:
            first_end = other.first_end + at
        if fault < 0 <= other.fault:
            fault = other.fault + at
        return Outcome(other.state, self.rows + other.rows, first_end, fault)


Table = tuple[Outcome, ...]
"""What a stretch of bytes does to each state."""

IDENTITY: Final[Table] = tuple(Outcome(state) for state in range(STATES))


class Machine:
    """The states of one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._strict = not dialect.lenient
        self._known: dict[bytes, tuple[int, Table]] = {}
        classes = bytearray(256)
        classes[dialect.delimiter[0]] = DELIMITER
        if dialect.quote is not None:
            classes[dialect.quote[0]] = QUOTE
        if dialect.escape is not None:
            classes[dialect.escape[0]] = ESCAPE
        if dialect.newline == "\r":
            classes[CR] = END
        else:
            classes[LF] = END
            classes[CR] = _UNDECIDED
        self._classes = bytes(classes)
        self._lone_return = bytes((END if dialect.newline == "any" else OTHER,))

    def classes(self, data: bytes, following: int) -> bytes:
        """The class of each byte.

        Args:
            following: the byte behind the last one; -1 at the end of the file.
        """
        found = (data + bytes((following,)) if following >= 0 else data).translate(self._classes)
        found = found.replace(b"\6\4", b"\5\4").replace(b"\6", self._lone_return)
        return found[: len(data)]

    def run(self, classes: bytes, state: int) -> Outcome:
        """What bytes of these classes do to a state, one after the other."""
        rows, first_end, fault = 0, -1, -1
        at, size = 0, len(classes)
        while at < size:
            kind = classes[at]
            if self._strict and fault < 0 and (state, kind) in _FAULTS:
                fault = at
            if kind == END and state not in (QUOTED, ESCAPED, ESCAPED_QUOTED):
                rows += 1
                first_end = at if first_end < 0 else first_end
            state = _STEPS[state][kind]
            at += 1
            if kind in (QUOTE, ESCAPE):
                at += skipped(classes, at)
        return Outcome(state, rows, first_end, fault)

    def ends(self, classes: bytes, state: int) -> list[int]:
        """Where bytes of these classes end rows."""
        found = []
        for at, kind in enumerate(classes):
            if kind == END and state not in (QUOTED, ESCAPED, ESCAPED_QUOTED):
                found.append(at)
            state = _STEPS[state][kind]
        return found

    def settled(self, classes: bytes) -> tuple[int, Table]:
        """Reads on from every state until what is outside quotes is in one state only.

        Returns:
            How many bytes that took (all of them where it never came to that), and what they did.
        """
        if len(classes) > _REMEMBERED_BYTES:
            return self._settled(classes)
        known = self._known.get(classes)
        if known is None:
            known = self._known[classes] = self._settled(classes)
        return known

    def _settled(self, classes: bytes) -> tuple[int, Table]:
        outcomes = list(IDENTITY)
        at, size = 0, len(classes)
        while at < size:
            for start, outcome in enumerate(outcomes):
                outcomes[start] = outcome.then(self.run(classes[at : at + 1], outcome.state), at)
            kind = classes[at]
            at += 1
            outside = {outcome.state for outcome in outcomes} - {QUOTED}
            if len(outside) <= 1 and outside <= {START, FIELD, TEXT}:
                break
            if kind in (QUOTE, ESCAPE):
                at += skipped(classes, at)
        return at, tuple(outcomes)


def skipped(classes: bytes, at: int) -> int:
    """How many bytes of a long run, an even number of them, need not be looked at."""
    head = classes[at : at + _LONG_RUN]
    if len(head) < _LONG_RUN or head.count(head[:1]) < _LONG_RUN or head[0] not in (QUOTE, ESCAPE):
        return 0
    rest = len(classes) - at
    run = rest - len(classes[at:].lstrip(head[:1]))
    return (run - _LONG_RUN // 2) // 2 * 2


@lru_cache(maxsize=32)
def machine(dialect: Dialect) -> Machine:
    """The machine of a dialect."""
    return Machine(dialect)
