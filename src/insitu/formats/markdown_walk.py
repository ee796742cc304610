"""From the candidates of windows, in order, to the headings: which fence or HTML block is open where.

The only state between windows is that block, if one is open, and a place from which the exact scanner can
start with nothing open, to settle a line in doubt.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from insitu.core.spans import Span
from insitu.formats.markdown_blocks import NO_LEAF, Heading, Leaf, State, after
from insitu.formats.markdown_candidates import (
    CERTAIN,
    CLOSES,
    CUT,
    FENCES,
    OPENS,
    TICKS,
    TILDES,
    Candidates,
)
from insitu.formats.markdown_keys import key
from insitu.formats.markdown_lines import Line
from insitu.formats.markdown_rules import HTML_ENDS
from insitu.formats.markdown_titles import TITLE_BYTES_MAX, capped_title

if TYPE_CHECKING:
    from insitu.formats.markdown_window import Bytes, Mask, Offsets

# Offset, stop, index of the line, code, size and item.
_Event = tuple[int, int, int, int, int, int]

_MARKERS: Final = {TICKS: b"`", TILDES: b"~"}

_LAST_ENDED_KIND: Final = len(HTML_ENDS)


class Exact(Protocol):
    """The exact scanner over the whole document, which the walk asks where a window does not tell."""

    def settle(self, offset: int, sync: int) -> tuple[State, Heading | None]:
        """The state behind the line at ``offset``, and the heading it completes.

        Args:
            sync: a line before which nothing is open; at most ``offset``.
        """
        ...

    def line_at(self, offset: int) -> Line:
        """The line that starts there."""
        ...

    def html_stop(self, offset: int, kind: int) -> int:
        """Behind the first line from ``offset`` on that ends HTML of a kind; the end if none does."""
        ...

    def line_count(self, span: Span) -> int:
        """How many lines end in a span, which starts one."""
        ...

    def read(self, span: Span) -> bytes:
        """The bytes of a span."""
        ...


class Batch(NamedTuple):
    """The headings that one window completes, in order, as columns."""

    starts: Offsets
    stops: Offsets
    levels: Bytes
    lines: Offsets
    """Indexes, from 0, of the lines they start on."""
    keys: Offsets
    families: Offsets
    """What ``markdown_keys`` makes of their titles."""
    syncs: Offsets
    """Lines before which nothing is open but containers that the line ends."""
    sync_lines: Offsets
    """Their indexes, from 0."""

    def cut(self, count: int) -> Batch:
        """The first headings of the batch."""
        return Batch._make([*(column[:count] for column in self[:6]), self.syncs[:0], self.sync_lines[:0]])


class _Regions(NamedTuple):
    """Where fences and HTML are, in order: what lies between a start and its stop is no heading."""

    starts: list[int]
    stops: list[int]

    def add(self, region: Span) -> None:
        self.starts.append(region.start)
        self.stops.append(region.stop)


class Walk:
    """Follows fences and HTML blocks through the windows.

    Args:
        exact: settles what windows leave in doubt.
        encoding: of the text; None: no keys are made of titles.
        start: where the first window starts, nothing being open there.
        line: index of the line that starts there.
    """

    def __init__(self, exact: Exact, encoding: str | None, start: int = 0, line: int = 0) -> None:
        self.open = NO_LEAF
        """The fence or HTML block that is open behind the last window."""
        self._exact = exact
        self._encoding = encoding
        self._line = line
        self._sync = start
        # HTML of the kinds 1 to 5 is followed to its end at once: nothing before this counts.
        self._passed = start

    def take(self, windows: Sequence[Candidates]) -> Batch:
        """Takes in the next windows.

        Cost: microseconds for each event; and, for all windows together, some dozen calls of NumPy, each of
            which may wait for the threads that look at further windows.
        """
        import numpy as np

        # What a block has passed that reached into these windows from an earlier one.
        regions = _Regions([-1], [self._passed])
        settled: list[tuple[int, ...]] = []
        lines = []
        for window in windows:
            lines.append(self._line)
            self._follow(window, regions, settled)
            self._line += window.line_count
        if self.open is not NO_LEAF:
            regions.add(Span(self.open.start, 1 << 62))
        batch = _outside(windows, lines, regions)
        for at in np.flatnonzero(batch.stops < 0).tolist():
            span = Span(int(batch.starts[at]), self._exact.line_at(int(batch.starts[at])).stop)
            batch.stops[at] = span.stop
            batch.keys[at], batch.families[at] = self._key(span)
        return _merged(batch, settled) if settled else batch

    def _follow(self, window: Candidates, regions: _Regions, settled: list[tuple[int, ...]]) -> None:
        """Follows what is open through a window; adds what closed and the headings that were in doubt."""
        if self.open.kind == "html" and len(window.blanks):
            regions.add(self._closed(int(window.blanks[0])))
        columns = [column.tolist() for column in window.events]
        offsets, stops, pairs = columns[0], columns[1], columns[-1]
        at = -1
        for event in zip(*columns[:-1], strict=True):
            at += 1
            if event[0] < self._passed:
                continue
            if self.open is not NO_LEAF:
                stop = self._stop_at(event)
                if stop is not None:
                    regions.add(self._closed(stop))
                continue
            if pairs[at]:
                behind = at + 2 * pairs[at]
                regions.starts.extend(offsets[at:behind:2])
                regions.stops.extend(stops[at + 1 : behind : 2])
                self._passed = regions.stops[-1]
                continue
            found = self._opens(event, window)
            if isinstance(found, Heading):
                settled.append(self._row(found, event[2]))
            elif found is not None and (region := self._opened(found, event, window)) is not None:
                regions.add(region)
        self._sync = self._sync_before((1 << 62) if self.open is NO_LEAF else self.open.start, window)

    def _stop_at(self, event: _Event) -> int | None:
        """Where the open block stops if the event closes it."""
        offset, stop, _, code, size, _ = event
        leaf = self.open
        if code & CUT:
            line = self._exact.line_at(offset)
            state, _ = after(State((), leaf), line)
            if state.leaf.kind != "none":
                return None
            return offset if leaf.kind == "html" else line.stop
        if leaf.kind != "fence" or not code & FENCES or not code & CLOSES or size < leaf.size:
            return None
        return stop if _MARKERS[code & FENCES] == leaf.marker else None

    def _closed(self, stop: int) -> Span:
        region = Span(self.open.start, stop)
        self.open = NO_LEAF
        self._passed = stop
        return region

    def _opens(self, event: _Event, window: Candidates) -> Leaf | Heading | None:
        """What an event opens, or the heading it is."""
        offset, _, _, code, size, item = event
        if item >= self._passed or (code & FENCES and not code & OPENS):
            return None
        if code & CERTAIN:
            if code & FENCES:
                return Leaf("fence", offset, _MARKERS[code & FENCES], size)
            return Leaf("html", offset, html=size)
        state, heading = self._exact.settle(offset, self._sync_before(offset, window))
        if heading is not None:
            return heading
        leaf = state.leaf
        return leaf if not state.containers and leaf.kind in ("fence", "html") else None

    def _opened(self, leaf: Leaf, event: _Event, window: Candidates) -> Span | None:
        """Opens a block; returns its region if it is known already where it stops."""
        self.open = leaf
        if leaf.kind == "fence":
            return None
        if leaf.html <= _LAST_ENDED_KIND:
            _, stop, _, code, _, _ = event
            ended = code & CLOSES and not code & CUT
            return self._closed(stop if ended else self._exact.html_stop(leaf.start, leaf.html))
        at = bisect_left(window.blanks, leaf.start)
        return self._closed(int(window.blanks[at])) if at < len(window.blanks) else None

    def _sync_before(self, offset: int, window: Candidates) -> int:
        """The last line, at most at ``offset``, before which nothing is open."""
        sync = max(self._sync, self._passed)
        for lines in (window.syncs, window.starts):
            at = bisect_right(lines, offset) - 1
            if at >= 0:
                # What lies before the end of the last region may lie in one.
                sync = max(sync, int(lines[at]))
        return sync

    def _row(self, heading: Heading, index: int) -> tuple[int, ...]:
        """A heading that was settled, as a row of the columns; ``index`` is that of its last line."""
        span = Span(heading.start, heading.stop)
        line = self._line + index - self._exact.line_count(span) + 1
        return (*span, heading.level, line, *self._key(span))

    def _key(self, span: Span) -> tuple[int, int]:
        if self._encoding is None:
            return 0, 0
        head = self._exact.read(Span(span.start, min(span.stop, span.start + 2 * TITLE_BYTES_MAX)))
        return key(capped_title(head, span.size), self._encoding)


def _merged(batch: Batch, rows: list[tuple[int, ...]]) -> Batch:
    """A batch with more headings put in where they belong."""
    import numpy as np

    heads: list[Offsets | Bytes] = [
        batch.starts, batch.stops, batch.levels, batch.lines, batch.keys, batch.families
    ]  # fmt: skip
    columns = [
        np.append(column, np.array(new, column.dtype))
        for column, new in zip(heads, zip(*rows, strict=True), strict=True)
    ]
    order = np.argsort(columns[0], kind="stable")
    return Batch._make([*(column[order] for column in columns), batch.syncs, batch.sync_lines])


def _outside(windows: Sequence[Candidates], lines: Sequence[int], regions: _Regions) -> Batch:
    """What windows hold outside of sorted, disjoint regions, whose starts and stops lie in none.

    Args:
        lines: index of the first line of each window.
    """
    import numpy as np

    def column(named: Callable[[Candidates], Offsets]) -> Offsets:
        return np.concatenate([named(window) for window in windows])

    def numbered(indexes: Callable[[Candidates], Offsets]) -> Offsets:
        return np.concatenate([indexes(one) + line for one, line in zip(windows, lines, strict=True)])

    starts, syncs = column(lambda one: one.starts), column(lambda one: one.syncs)
    bounds = np.array(regions.starts, np.int64), np.array(regions.stops, np.int64)
    headed, synced = (np.flatnonzero(_are_outside(offsets, *bounds)) for offsets in (starts, syncs))
    return Batch(
        starts=starts[headed],
        stops=column(lambda one: one.stops)[headed],
        levels=np.concatenate([window.levels for window in windows])[headed],
        lines=numbered(lambda one: one.indexes)[headed],
        keys=column(lambda one: one.keys)[headed],
        families=column(lambda one: one.families)[headed],
        syncs=syncs[synced],
        sync_lines=numbered(lambda one: one.sync_indexes)[synced],
    )


def _are_outside(offsets: Offsets, starts: Offsets, stops: Offsets) -> Mask:
    """Which offsets lie in none of the regions with these starts and stops."""
    import numpy as np

    at = np.searchsorted(starts, offsets, "left") - 1
    inside: Mask = (at >= 0) & (offsets < stops[np.maximum(at, 0)])
    return ~inside
