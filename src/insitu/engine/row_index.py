"""The row index of a CSV file: sparse, exact for one dialect, cheap to keep, never believed when stale.

Of each granule of the file (``engine.granules``: at most 256 KiB) the index knows its size, how many rows end
in it, and the state of the dialect's machine at its start. So any granule can be split without what precedes
it, and after a change only what follows it up to the first granule that begins in the same state as before.

Rows are all rows, a header included, numbered from 0; what the byte order mark holds belongs to none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, NoReturn

from insitu.core.columns import Block
from insitu.core.policy import Policy
from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.spans import Span
from insitu.engine.granules import GRANULE_BYTES
from insitu.engine.kept_index import Kind, kept_part
from insitu.engine.reopening import Way
from insitu.engine.row_granules import ROWS_LAYOUT, Granule, RowGranules
from insitu.engine.saved_index import Sample
from insitu.engine.site import Site
from insitu.engine.snapshot import Snapshot
from insitu.errors import FormatError, InternalError, SpanError, StaleError
from insitu.formats.csv_dialect import Dialect
from insitu.formats.csv_faults import misplaced, unclosed
from insitu.formats.csv_specials import outcomes
from insitu.formats.csv_states import ESCAPED_QUOTED, QUOTED, START, STATES, Outcome
from insitu.formats.csv_tables import row_ends, table
from insitu.scan.companion import Companion
from insitu.scan.pair import Pair, pays, windows_of
from insitu.scan.windows import WINDOW_BYTES, Buffer, Report, Window, parallel, window_at
from insitu.storage.base import Volume

if TYPE_CHECKING:
    from insitu.formats.cells import Column


class RowIndex:
    """Where the rows of a file begin. Never changes: ``extended`` and ``patched`` return another one.

    Cost: a question reads one granule, in about a millisecond (a row that reaches into further granules:
    one for each of its ends); memory of 9 bytes per granule.
    """

    def __init__(
        self,
        reader: Reader,
        dialect: Dialect,
        granules: RowGranules,
        final: int,
        samples: tuple[Sample, ...] = (),
    ) -> None:
        self._reader = reader
        self._dialect = dialect
        self._granules = granules
        self._final = final
        self._samples = samples

    @classmethod
    def build(
        cls,
        reader: Reader,
        dialect: Dialect,
        *,
        granule_bytes: int = GRANULE_BYTES,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> RowIndex:
        """Scans the whole file, on every core.

        Raises:
            FormatError: a quote is never closed; or one is misplaced, and the dialect is strict.
            CancelledError: ``cancel`` said so.

        Cost: one read of the file; memory of a window and its bits for each thread.
        """
        empty = cls(reader, dialect, RowGranules(granule_bytes), START)
        return empty.extended(reader, progress=progress, cancel=cancel)

    @property
    def size(self) -> int:
        """How many bytes of the file the index covers."""
        return self._granules.size

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Of a loaded index: what some granules held when it was saved, the last one last."""
        return self._samples

    @property
    def row_count(self) -> int:
        """How many rows there are, the header included; the last may lack its line end."""
        return self._granules.ends + (self._final != START and self.size > len(self._dialect.bom))

    def end_offset(self, number: int) -> int:
        """Where the row ``number``, counted from 1, stops with its line end; for 0, where the first starts.

        Raises:
            SpanError: there are fewer rows.
            StaleError: the reader no longer shows the bytes the index was made of.
        """
        if not 0 <= number <= self.row_count:
            raise SpanError(
                f"There is no row {number}; there are {self.row_count}.", number=number, count=self.row_count
            )
        if number == 0:
            return min(len(self._dialect.bom), self.size)
        if number > self._granules.ends:
            return self.size
        granule, start, stop, ends = self._granules.at_end(number)
        found = self._ends_in(granule, Span(start, stop))
        if number - ends > len(found):
            raise StaleError(
                "The file no longer holds the rows its index knows; somebody else changed it.",
                hint="Open the file again.",
            )
        return int(found[number - ends - 1]) + 1

    def span_of(self, row: int) -> Span:
        """The span of a row (from 0), its line end included; raises as ``end_offset``."""
        start = self.end_offset(row)
        if row >= self._granules.ends:
            return Span(start, self.end_offset(row + 1))
        place = self._granules.at_end(row + 1)
        if not place.start <= start < place.stop:
            return Span(start, self.end_offset(row + 1))
        found = self._ends_in(place.granule, place.span)
        return Span(start, int(found[row - place.ends]) + 1)

    def row_at(self, offset: int) -> int:
        """The index of the row that holds the byte at an offset: how many rows end before it."""
        import numpy as np

        if not self._granules.sizes:
            return 0
        place = self._granules.at_offset(offset)
        found = self._ends_in(place.granule, place.span)
        return place.ends + int(np.searchsorted(found, offset))

    @property
    def granule_bytes(self) -> int:
        """How many bytes a granule has at most."""
        return self._granules.granule_bytes

    @property
    def granule_count(self) -> int:
        """How many granules there are."""
        return len(self._granules.sizes)

    def granule(self, number: int) -> Granule:
        """The granule of this number (from 0), which must exist. Reads nothing."""
        return self._granules.granule(self._granules.at(number), self._final)

    def granule_at(self, offset: int) -> Granule:
        """The granule that holds the byte at an offset; the last one for offsets from the end on."""
        return self._granules.granule(self._granules.at_offset(offset), self._final)

    def granule_stop(self, offset: int) -> int:
        """Where the granule stops that holds the byte at an offset."""
        return self._granules.at_offset(offset).stop

    def origin(self, granule: Granule) -> Granule:
        """The granule in which the row starts that is under way where a granule begins."""
        return self.granule(self._granules.origin(granule.number))

    def extended(
        self, reader: Reader, *, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> RowIndex:
        """The index of the file after something was appended to it, and nothing else happened.

        Raises:
            FormatError: as ``build``.
            CancelledError: ``cancel`` said so.

        Cost: one read of what is new, and of the last granule.
        """
        if reader.size < self.size:
            raise InternalError(f"An index of {self.size} bytes cannot be extended to {reader.size}.")
        old = self._granules
        # The last granule is scanned again: a CR at its end may now have an LF behind it.
        kept = max(0, len(old.sizes) - 1)
        start = old.size - old.sizes[kept] if kept < len(old.sizes) else 0
        for paired in (True, False):
            scan = _Scan(reader, self._dialect, old.granule_bytes)
            scan.granules.keep_rows(old, 0, kept)
            scan.state = old.states[kept] if kept < len(old.sizes) else START
            if scan.over(Span(start, reader.size), progress, cancel, paired=paired):
                break
        return scan.index()

    def patched(self, blocks: Iterable[Block], reader: Reader, *, cancel: Cancel | None = None) -> RowIndex:
        """The index of the file after a commit of ours, or several.

        Args:
            blocks: the splices of the commit, in the coordinates of the file this index belongs to.
            reader: the file after the commit.

        Raises:
            InternalError: the splices do not lead from the old size to the new one.
            FormatError: as ``build``; CancelledError: ``cancel`` said so.

        Cost: one read of the granules that splices touch, with what they became, and of those behind up
            to the first that begins in the state in which it began before.
        """
        old = self._granules
        if not old.sizes:
            return self.extended(reader, cancel=cancel)
        scan = _Scan(reader, self._dialect, old.granule_bytes)
        states = [*old.states, self._final]
        at = displacement = 0

        def keep(stop: int) -> None:
            """Keeps old granules up to one, but scans those that no longer begin as they did."""
            nonlocal at
            while at < stop and scan.state != states[at]:
                scan.over(old.at(at).span.moved(displacement), None, cancel)
                at += 1
            if at < stop:
                scan.granules.keep_rows(old, at, stop)
                scan.state, at = states[stop], stop

        for run in old.touched(blocks):
            # The granule before sees what follows it, too: a CR at its end may get an LF, or lose it.
            keep(run.first - 1)
            start = old.at(at).start + displacement
            stop = run.stop + run.displacement
            if not start <= stop <= reader.size:
                break
            scan.over(Span(start, stop), None, cancel)
            at, displacement = run.last + 1, run.displacement
        if old.size + displacement != reader.size:
            raise InternalError(f"Splices add {displacement} bytes to {old.size}; there are {reader.size}.")
        keep(len(old.sizes))
        return scan.index()

    def to_bytes(self, stamp: bytes) -> bytes:
        """The index as bytes; ``load`` asks for the stamp. Reads the samples."""
        return ROWS_LAYOUT.to_bytes(self._granules, self._final, self._reader, stamp)

    @classmethod
    def load(
        cls, volume: Volume, path: str, reader: Reader, dialect: Dialect, stamp: bytes
    ) -> RowIndex | None:
        """Returns the index saved at ``path``; None where there is none that can be used."""
        saved = ROWS_LAYOUT.load(volume, path, stamp)
        return saved and cls(reader, dialect, saved.granules, saved.mark, saved.samples)

    def _ends_in(self, granule: int, span: Span) -> Column:
        """Where rows end in a granule, told by the last byte of each line end."""
        import numpy as np

        window = window_at(self._reader, span, after=1)
        skipped = min(max(0, len(self._dialect.bom) - span.start), span.size)
        own = np.frombuffer(window.own, np.uint8)[skipped:]
        state = self._granules.states[granule]
        return row_ends(own, self._dialect, state, _following(window)) + (span.start + skipped)


# The size of a granule, and what it does to each state; None where that is yet to be told.
_Made = tuple[int, tuple[Outcome | None, ...]]


class _Scan:
    """Granules made from left to right; each begins in the state that the one before left."""

    def __init__(self, reader: Reader, dialect: Dialect, granule_bytes: int) -> None:
        self._reader = reader
        self._dialect = dialect
        self.granules = RowGranules(granule_bytes)
        self.state = START

    def over(
        self, span: Span, progress: Progress | None, cancel: Cancel | None, *, paired: bool = False
    ) -> bool:
        """Adds granules for a span of the file.

        Args:
            paired: whether another process may help, if that pays.

        Returns:
            Whether they are right: not if it helped, and what it read may be another generation's.
        """
        reader, unit, dialect = self._reader, self.granules.granule_bytes, self._dialect
        window_bytes = unit * max(1, WINDOW_BYTES // unit)
        work = _Work(dialect, unit)
        passes: Iterable[list[_Made]]
        shared = reader if paired and isinstance(reader, Snapshot) and pays(span.size) else None
        if shared is not None and shared.undisturbed:
            passes = _passes(shared, work, span, window_bytes, progress, cancel)
        else:
            shared = None
            passes = parallel(
                reader, work, *span, window_bytes=window_bytes, after=1, progress=progress, cancel=cancel
            )
        try:
            self._add(span.start, passes)
        except FormatError:
            if shared is None or shared.undisturbed:
                raise
        return shared is None or shared.undisturbed

    def _add(self, start: int, passes: Iterable[list[_Made]]) -> None:
        """Adds the granules of windows, the first of which starts there."""
        dialect = self._dialect
        for size, made in chain.from_iterable(passes):
            outcome = made[self.state] or self._exactly(Span(start, start + size))
            self.granules.add(size, outcome.rows, self.state)
            if outcome.fault >= 0:
                self._refuse(max(start, len(dialect.bom)) + outcome.fault)
            self.state = outcome.state
            start += size

    def _exactly(self, span: Span) -> Outcome:
        """What a granule does to the state it begins in, where its quotes are not calm."""
        import numpy as np

        window = window_at(self._reader, span, after=1)
        own = np.frombuffer(window.own, np.uint8)[max(0, len(self._dialect.bom) - span.start) :]
        return table(own, self._dialect, _following(window))[self.state]

    def index(self) -> RowIndex:
        """The index of what was scanned.

        Raises:
            FormatError: the last quote is never closed.
        """
        self.granules.seal()
        index = RowIndex(self._reader, self._dialect, self.granules, self.state)
        if self.state in (QUOTED, ESCAPED_QUOTED):
            row = self.granules.ends
            raise unclosed(row - self._dialect.header, index.end_offset(row))
        return index

    def _refuse(self, offset: int) -> NoReturn:
        self.granules.seal()
        index = RowIndex(self._reader, self._dialect, self.granules, self.state)
        row = index.row_at(offset)
        raise misplaced(row - self._dialect.header, index.end_offset(row), offset)


def row_index_kind(site: Site, dialect: Dialect) -> Kind[RowIndex]:
    """How the row index of a file in a dialect is kept beside it, for ``kept_index.kept``."""
    return Kind(
        path=site.row_index,
        suffix=b" " + repr(dialect).encode(),
        build=lambda reader, progress, cancel: RowIndex.build(
            reader, dialect, progress=progress, cancel=cancel
        ),
        saved_stamp=ROWS_LAYOUT.saved_stamp,
        load=lambda volume, path, reader, stamp: RowIndex.load(volume, path, reader, dialect, stamp),
    )


def kept_rows(
    site: Site, base: Snapshot, policy: Policy, dialect: Dialect, cancel: Cancel | None = None
) -> RowIndex | None:
    """The row index of a snapshot, as far as one is kept and can be carried over; it is not built: None.

    Raises:
        CancelledError: ``cancel`` said so.
        StaleError: the file was cut shorter meanwhile.

    Cost: a read of the saved index, and of what changed since.
    """
    index = kept_part(site, base, policy, row_index_kind(site, dialect), cancel)
    return index if index is not None and index.size == base.size else None


@dataclass(frozen=True, slots=True)
class _Work:
    """Tells the size of each granule of a window, and what it does to each state, as far as that is easy."""

    dialect: Dialect
    unit: int

    def __call__(self, window: Window) -> list[_Made]:
        import numpy as np

        own, following, unit = np.frombuffer(window.own, np.uint8), _following(window), self.unit
        sizes = [min(unit, len(own) - at) for at in range(0, len(own), unit)]
        if window.span.start >= len(self.dialect.bom):
            return list(zip(sizes, outcomes(own, self.dialect, following, unit), strict=True))
        return [(size, (None,) * STATES) for size in sizes]


@dataclass(frozen=True, slots=True)
class _Start:
    """Makes, in another process, what answers there."""

    way: Way
    work: _Work
    window_bytes: int

    def __call__(self) -> Callable[[Span], list[_Made]]:
        return _answering(self.way.open(), self.work, self.window_bytes)


def _answering(reader: Reader, work: _Work, window_bytes: int) -> Callable[[Span], list[_Made]]:
    """What is made of the windows of a reader, one after the other, in one buffer."""
    buffer = Buffer(reader, window_bytes + 1)
    return lambda span: work(buffer.fill(span, 0, 1))


def _passes(
    reader: Snapshot,
    work: _Work,
    span: Span,
    window_bytes: int,
    progress: Progress | None,
    cancel: Cancel | None,
) -> Iterator[list[_Made]]:
    """Yields what two processes make of the windows of a span."""
    companion = Companion[Span, list[_Made]].spawned("numpy", __name__)
    if companion is not None:
        companion.begin(_Start(Way.to(reader, reader.file.path), work, window_bytes))
    answer = _answering(reader, work, window_bytes)
    pair = Pair(windows_of(span, window_bytes), answer, companion)
    report = Report(span, progress, None)
    for window, made in pair.answers(cancel):
        yield made
        report.done(window.stop)
    report.finish()


def _following(window: Window) -> int:
    """The byte behind a window; -1 at the end of the file."""
    rest = window.view[window.before + window.span.size :]
    return rest[0] if len(rest) else -1
