"""Granules of a CSV file: the columns behind the row index."""

from __future__ import annotations

from array import array
from typing import Final, NamedTuple

from insitu.core.spans import Span
from insitu.engine.granules import Granules, Place
from insitu.engine.saved_index import Layout
from insitu.formats.csv_states import START, STATES


class Granule(NamedTuple):
    """One granule, and what is known of it."""

    number: int
    span: Span
    state: int
    """The state it begins in."""
    left: int
    """The state behind it."""
    rows: int
    """How many rows end before it: the index of the one that is under way there, or starts there."""
    ends: int
    """How many rows end in it."""


class RowGranules(Granules):
    """Granules, and the state in which each begins."""

    def __init__(self, granule_bytes: int) -> None:
        super().__init__(granule_bytes)
        self.states = array("B")

    @property
    def columns(self) -> tuple[array[int], ...]:
        """What is known of each granule."""
        return (*super().columns, self.states)

    @property
    def sound(self) -> bool:
        """Whether these can be granules at all; false of what somebody made up."""
        return super().sound and max(self.states, default=START) < STATES

    def add(self, size: int, count: int, state: int) -> None:
        """Adds a granule behind the others, or to the last one where I2 wants it."""
        self.append(size, count)
        if len(self.states) < len(self.sizes):
            self.states.append(state)

    def keep_rows(self, other: RowGranules, first: int, stop: int) -> None:
        """Adds the granules ``[first, stop)`` of another index, unscanned."""
        if first < stop:
            self.add(other.sizes[first], other.counts[first], other.states[first])
            self.sizes.extend(other.sizes[first + 1 : stop])
            self.counts.extend(other.counts[first + 1 : stop])
            self.states.extend(other.states[first + 1 : stop])

    def granule(self, place: Place, final: int) -> Granule:
        """What is known of the granule at a place.

        Args:
            final: the state behind the last one.
        """
        number, states = place.granule, self.states
        left = states[number + 1] if number + 1 < len(states) else final
        return Granule(number, place.span, states[number], left, place.ends, self.counts[number])

    def origin(self, number: int) -> int:
        """The granule in which the row starts that is under way where a granule begins."""
        while number and self.states[number] != START:
            number -= 1
            if self.counts[number]:
                break
        return number


ROWS_LAYOUT: Final = Layout(b"insitu-r", 1, range(STATES), RowGranules)
"""How it is saved; the mark is the state at the end."""
