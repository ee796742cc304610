"""Two versions of a file from its history, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

from insitu.core.policy import Policy
from insitu.core.protocols import Reader
from insitu.core.spans import Span
from insitu.engine.history import opened
from insitu.engine.kept_index import Change, coarse, composed
from insitu.engine.session import past
from insitu.engine.site import Site
from insitu.views.diff import unified

# Changes of all operations together are told apart down to this share of the file, which bounds them.
_CHANGES_MAX = 1 << 16

# Changes of up to this size that came to nothing, as an edit and its undo do, are not shown.
_COMPARED_BYTES = 1 << 16


class _Place(NamedTuple):
    """A changed place: its span before and after."""

    base: Span
    current: Span


def compared(site: Site, first: int, second: int, policy: Policy, lock_timeout_s: float) -> str:
    """A bounded unified diff from the file as operation ``first`` left it to that as ``second`` left it.

    Raises:
        UndoError, StaleError: as ``engine.session.past``.

    Cost: the splices of the operations between them, and the lines shown.
    """
    low, high = sorted((first, second))
    with (
        closing(past(site, low, policy=policy, lock_timeout_s=lock_timeout_s)) as older,
        closing(past(site, high, policy=policy, lock_timeout_s=lock_timeout_s)) as newer,
    ):
        places = list(_places(_changes(site, low, high, older.size), older, newer))
        before, after = older, newer
        if first > second:
            before, after = newer, older
            places = [_Place(place.current, place.base) for place in places]
        name, after_name = (f"{site.path} operation {number}" for number in (first, second))
        return unified(before, after, places, name, after_name=after_name)


def _changes(site: Site, low: int, high: int, size: int) -> list[Change]:
    """What the operations between two versions changed together, in coordinates of the first."""
    changes: list[Change] = []
    for number in range(low + 1, high + 1):
        with opened(site, number) as journal:
            many = journal.splices.summary.places + len(changes) > _CHANGES_MAX
            near_bytes = max(size, journal.splices.base_size) // _CHANGES_MAX if many else 0
            changes = composed(changes, coarse(journal.splices.blocks(), near_bytes), near_bytes)
    return changes


def _places(changes: list[Change], older: Reader, newer: Reader) -> Iterator[_Place]:
    """Yields where the versions differ."""
    growth = 0
    for start, stop, new_size in changes:
        base, current = Span(start, stop), Span(start + growth, start + growth + new_size)
        growth += new_size - base.size
        if base.size != new_size or new_size > _COMPARED_BYTES or not _same(base, older, current, newer):
            yield _Place(base, current)


def _same(base: Span, older: Reader, current: Span, newer: Reader) -> bool:
    return older.read(base.start, base.size) == newer.read(current.start, current.size)
