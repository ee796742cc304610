"""From the candidates of windows, in order, to the headings: which fence or HTML block is open where.

The only state between windows is that block, if one is open, and a place from which the exact scanner can
start with nothing open, to settle a line in doubt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

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
    from insitu.formats.markdown_candidates import Bytes, Mask, Offsets

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


class Walk:
    """Follows fences and HTML blocks through the windows.

    Args:
        exact: settles what windows leave in doubt.
        encoding: of the text.
        start: where the first window starts, nothing being open there.
        line: index of the line that starts there.
    """

    def __init__(self, exact: Exact, encoding: str, start: int = 0, line: int = 0) -> None:
        self.open = NO_LEAF
        """The fence or HTML block that is open behind the last window."""
        self._exact = exact
        self._encoding = encoding
        self._line = line
        self._sync = start
        # HTML of the kinds 1 to 5 is followed to its end at once: nothing before this counts.
        self._passed = start

    def take(self, window: Candidates) -> Batch:
        """Takes in the next window."""
        import numpy as np

        regions: list[Span] = [Span(self._passed, self._passed)]
        headings: list[tuple[Heading, int]] = []
        if self.open.kind == "html" and len(window.blanks):
            regions.append(self._closed(int(window.blanks[0])))
        for event in zip(*(column.tolist() for column in window.events), strict=True):
            if event[0] < self._passed:
                continue
            if self.open is not NO_LEAF:
                stop = self._stop_at(event)
                if stop is not None:
                    regions.append(self._closed(stop))
                continue
            found = self._opens(event, window)
            if isinstance(found, Heading):
                headings.append((found, event[2]))
            elif found is not None and (region := self._opened(found, event, window)) is not None:
                regions.append(region)
        if self.open is not NO_LEAF:
            regions.append(Span(self.open.start, 1 << 62))
        starts = np.array([region.start for region in regions], np.int64)
        stops = np.array([region.stop for region in regions], np.int64)
        # Where HTML reached into this window from an earlier one, its start is not among these.
        starts[0] = -1
        outside = _outside(window.syncs, starts, stops)
        headed = np.flatnonzero(_outside(window.starts, starts, stops))
        batch = self._batch(window, headed, headings, outside)
        self._line += window.line_count
        if len(batch.syncs):
            self._sync = max(self._sync, int(batch.syncs[-1]))
        if len(batch.starts):
            self._sync = max(self._sync, int(batch.stops[-1]))
        return batch

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
        import numpy as np

        self.open = leaf
        if leaf.kind == "fence":
            return None
        if leaf.html <= _LAST_ENDED_KIND:
            _, stop, _, code, _, _ = event
            ended = code & CLOSES and not code & CUT
            return self._closed(stop if ended else self._exact.html_stop(leaf.start, leaf.html))
        at = int(np.searchsorted(window.blanks, leaf.start))
        return self._closed(int(window.blanks[at])) if at < len(window.blanks) else None

    def _sync_before(self, offset: int, window: Candidates) -> int:
        """The last line, at most at ``offset``, before which nothing is open."""
        import numpy as np

        sync = max(self._sync, self._passed)
        for lines in (window.syncs, window.starts):
            at = int(np.searchsorted(lines, offset, "right")) - 1
            if at >= 0:
                # What lies before the end of the last region may lie in one.
                sync = max(sync, int(lines[at]))
        return sync

    def _batch(
        self, window: Candidates, headed: Offsets, settled: list[tuple[Heading, int]], outside: Mask
    ) -> Batch:

        starts, stops, levels = window.starts[headed], window.stops[headed], window.levels[headed]
        lines = window.indexes[headed] + self._line
        keys, families = window.keys[headed], window.families[headed]
        if len(stops) and stops[-1] < 0:
            stops[-1] = self._exact.line_at(int(starts[-1])).stop
            keys[-1], families[-1] = self._key(Span(int(starts[-1]), int(stops[-1])))
        columns: list[Any] = [starts, stops, levels, lines, keys, families]
        if settled:
            columns = _merged(columns, [self._row(heading, index) for heading, index in settled])
        sync_lines = window.sync_indexes[outside] + self._line
        return Batch._make([*columns, window.syncs[outside], sync_lines])

    def _row(self, heading: Heading, index: int) -> tuple[int, ...]:
        """A heading that was settled, as a row of the columns; ``index`` is that of its last line."""
        span = Span(heading.start, heading.stop)
        line = self._line + index - self._exact.line_count(span) + 1
        return (*span, heading.level, line, *self._key(span))

    def _key(self, span: Span) -> tuple[int, int]:
        head = self._exact.read(Span(span.start, min(span.stop, span.start + 2 * TITLE_BYTES_MAX)))
        return key(capped_title(head, span.size), self._encoding)


def _merged(columns: list[Any], rows: list[tuple[int, ...]]) -> list[Any]:
    """The columns with more rows put in where they belong."""
    import numpy as np

    more = zip(*rows, strict=True)
    joined = [
        np.append(column, np.array(new, column.dtype)) for column, new in zip(columns, more, strict=True)
    ]
    order = np.argsort(joined[0], kind="stable")
    return [column[order] for column in joined]


def _outside(offsets: Offsets, starts: Offsets, stops: Offsets) -> Mask:
    """Which offsets lie in none of the sorted, disjoint regions; their starts and stops lie in none."""
    import numpy as np

    at = np.searchsorted(starts, offsets, "left") - 1
    inside: Mask = (at >= 0) & (offsets < stops[np.maximum(at, 0)])
    return ~inside
