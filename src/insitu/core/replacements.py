"""Replacements: batches of splices as columns, the form in which mass edits flow from who locates them.

A mass edit is an iterator of batches, sorted and disjoint within and between them, all in base
coordinates. Columns are NumPy arrays of ``int64``; nothing here or behind it keeps an object per splice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from insitu.core.spans import Span

if TYPE_CHECKING:
    import numpy as np

    Column: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]

# Small batches are put together until they hold so many splices or new bytes: one record of a journal.
GATHER_SPLICES = 1 << 15
GATHER_BYTES = 1 << 20


class Few(NamedTuple):
    """So few spans, with what replaces each, that columns are not worth loading NumPy for."""

    edits: list[tuple[Span, bytes]]

    @property
    def places(self) -> int:
        """How many spans there are."""
        return len(self.edits)


class Uniform(NamedTuple):
    """Spans that are all replaced by the same bytes."""

    starts: Column
    stops: Column
    new: bytes
    old: bytes | None = None
    """What each of them holds, where that is the same for all and known; then nothing needs to be read."""

    @property
    def places(self) -> int:
        """How many spans there are."""
        return len(self.starts)


class Varied(NamedTuple):
    """Spans that are each replaced by bytes of their own: ``data[bounds[i] : bounds[i + 1]]``."""

    starts: Column
    stops: Column
    bounds: Column
    """One more than there are spans; ascending, from 0 to the length of ``data``."""
    data: bytes

    @property
    def places(self) -> int:
        """How many spans there are."""
        return len(self.starts)


Replacements = Few | Uniform | Varied


def varied(edits: Iterable[tuple[Span, bytes]]) -> Varied:
    """A batch of spans and what replaces each, sorted and disjoint."""
    import numpy as np

    listed = list(edits)
    spans = np.array([span for span, _ in listed], np.int64).reshape(-1, 2)
    return filled(spans[:, 0], spans[:, 1], [new for _, new in listed])


def filled(starts: Column, stops: Column, news: list[bytes]) -> Varied:
    """A batch of columns and what replaces each."""
    import numpy as np

    bounds = np.zeros(len(news) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, news), np.int64, len(news)), out=bounds[1:])
    return Varied(starts, stops, bounds, b"".join(news))


def listed(batch: Replacements) -> Iterator[tuple[Span, bytes]]:
    """Yields the spans of a batch and what replaces each."""
    if isinstance(batch, Few):
        yield from batch.edits
        return
    spans = map(Span, batch.starts.tolist(), batch.stops.tolist())
    if isinstance(batch, Uniform):
        yield from ((span, batch.new) for span in spans)
        return
    bounds = batch.bounds.tolist()
    yield from zip(spans, (batch.data[a:b] for a, b in pairwise(bounds)), strict=True)


def gathered(batches: Iterable[Replacements]) -> Iterator[Replacements]:
    """Puts small neighbouring batches together, so that each is worth a record; none is empty."""
    waiting: list[Replacements] = []
    splices = new_bytes = 0
    for batch in batches:
        if not batch.places:
            continue
        if waiting and not _alike(waiting[-1], batch):
            yield _joined(waiting)
            waiting, splices, new_bytes = [], 0, 0
        waiting.append(batch)
        splices += batch.places
        new_bytes += len(batch.data) if isinstance(batch, Varied) else 0
        if splices >= GATHER_SPLICES or new_bytes >= GATHER_BYTES:
            yield _joined(waiting)
            waiting, splices, new_bytes = [], 0, 0
    if waiting:
        yield _joined(waiting)


def _alike(first: Replacements, second: Replacements) -> bool:
    """Whether two batches may become one; a few are not worth it, and there are no many of them."""
    if isinstance(first, Uniform):
        return isinstance(second, Uniform) and (first.new, first.old) == (second.new, second.old)
    return isinstance(first, Varied) and isinstance(second, Varied)


def _joined(batches: list[Replacements]) -> Replacements:
    """One batch of several that are alike."""
    first = batches[0]
    if len(batches) == 1:
        return first
    import numpy as np

    columns = [batch for batch in batches if not isinstance(batch, Few)]
    starts = np.concatenate([batch.starts for batch in columns])
    stops = np.concatenate([batch.stops for batch in columns])
    if isinstance(first, Uniform):
        return Uniform(starts, stops, first.new, first.old)
    sizes = [np.diff(batch.bounds) for batch in columns if isinstance(batch, Varied)]
    bounds = np.zeros(len(starts) + 1, np.int64)
    np.cumsum(np.concatenate(sizes), out=bounds[1:])
    data = b"".join(batch.data for batch in columns if isinstance(batch, Varied))
    return Varied(starts, stops, bounds, data)
