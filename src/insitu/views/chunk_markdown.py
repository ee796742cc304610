"""Markdown in chunks: sections and blocks as the parallel scan of headings finds them."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from insitu.core.protocols import Reader
from insitu.formats.chunk_markdown import InnerBlocks, SoftLines
from insitu.formats.chunk_pieces import Finer
from insitu.formats.chunk_places import PARAGRAPH, SECTION, Places
from insitu.formats.chunk_tape import Stretch
from insitu.formats.chunk_units import Lines, Records, Scanned, within_lines
from insitu.formats.markdown_titles import TITLE_BYTES_MAX, capped_title
from insitu.formats.markdown_walk import Batch
from insitu.views.chunk_kinds import Kind
from insitu.views.markdown_outline import beginning
from insitu.views.markdown_scan import Scan
from insitu.views.readable import Readable

if TYPE_CHECKING:
    from insitu.formats.cells import Column

# A heading of more bytes is no boundary: where it starts could be told too late.
_HEADING_BYTES_MAX: Final = 4 << 10

# So far behind a place everything has to be scanned before headings up to there are sure.
_BEHIND_BYTES: Final = 2 * _HEADING_BYTES_MAX

# A gap of more blank bytes does not tie a heading to what follows it.
_TIE_BYTES_MAX: Final = 64

# Headings are read in blocks of so many bytes.
_BLOCK_BYTES: Final = 256 << 10

# The usual headings; all others are looked at with care.
_PLAIN: Final = re.compile(
    rb"#{1,6} ([^#\s](?:[^#\r\n]*[^#\s])?)\r?\n?"
    rb"|([A-Za-z](?:[^\r\n]*[^\s])?)\r?\n(?:=+|-+)\r?\n?"
)

_LEVELS: Final = 6
_WORTH_LEVEL: Final = 10


class MarkdownUnits(Scanned):
    """Blocks behind blank lines, and sections; a heading stays with what follows it."""

    records: Records | None = None

    def __init__(self, reader: Reader, newline: int, budget: int) -> None:
        import numpy as np

        super().__init__()
        self._reader = reader
        # Starts, stops and levels of the headings that were found, until they are taken.
        none = np.zeros(0, np.int64)
        self._headings: tuple[Column, ...] = none, none, none
        front, begin = beginning(reader)
        self._batches = Scan(reader, None, begin).batches()
        self._seen = 0
        self._block = 0, b""
        # Where the last heading stops that nothing was found behind yet, and its level.
        self._last: tuple[int, int] | None = None
        if front is not None:
            self._known = np.array([begin], np.int64)
            self._worths = np.array([SECTION], np.int64)
        blocks = InnerBlocks(newline)
        self.finer: list[Finer] = [blocks, SoftLines(blocks), Lines(newline), *within_lines(budget)]

    def places(self, stretch: Stretch) -> Places:
        """See ``Units``."""
        import numpy as np

        found: list[Places] = []
        goal = stretch.base + stretch.high + _BEHIND_BYTES
        while self._seen < goal:
            batch = next(self._batches, None)
            if batch is None:
                self._seen = 1 << 62
                break
            self._seen = batch[0]
            found.append(self._places_of(batch[1]))
        if not found:
            return self.kept(stretch, Places(self._known[:0], self._worths[:0]))
        at = np.concatenate([places.at for places in found])
        worth = np.concatenate([places.worth for places in found])
        order = np.argsort(at, kind="stable")
        return self.kept(stretch, Places(at[order], worth[order]))

    def _places_of(self, batch: Batch) -> Places:
        import numpy as np

        short = batch.stops - batch.starts <= _HEADING_BYTES_MAX
        starts, stops, levels = batch.starts[short], batch.stops[short], batch.levels[short].astype(np.int64)
        at = _joined(batch.syncs, starts)
        worth = np.full(len(at), PARAGRAPH, np.int64)
        worth[np.searchsorted(at, starts)] = SECTION + _WORTH_LEVEL * (1 + _LEVELS - levels)
        kept = np.ones(len(at), np.bool_)
        found = zip(self._headings, (starts, stops, levels), strict=True)
        self._headings = tuple([np.concatenate(columns) for columns in found])
        last = self._last
        if len(starts) and (not len(at) or int(stops[-1]) > int(at[-1])):
            self._last = int(stops[-1]), int(levels[-1])
        elif len(at):
            self._last = None
        if last:
            stops, levels = np.append(last[0], stops), np.append(last[1], levels)
        kept[self._tied(stops, levels, at, worth)] = False
        return Places(at[kept], worth[kept])

    def _tied(self, stops: Column, levels: Column, at: Column, worth: Column) -> Column:
        """Indexes of the boundaries at which something begins that belongs to a heading before it."""
        import numpy as np

        index = np.searchsorted(at, stops)
        there = index < len(at)
        index, stops, levels = index[there], stops[there], levels[there]
        gaps = at[index] - stops
        near = (worth[index] < SECTION + _WORTH_LEVEL * (1 + _LEVELS - levels)) & (gaps <= _TIE_BYTES_MAX)
        for heading in np.flatnonzero(near & (gaps > 1)).tolist():
            near[heading] = not self.bytes_at(int(stops[heading]), int(gaps[heading])).strip()
        return np.asarray(index[near])

    def headings_to(self, offset: int) -> tuple[Column, ...]:
        """Takes the headings that start up to an offset: their starts, stops and levels."""
        count = int(self._headings[0].searchsorted(offset, "right"))
        taken = tuple([column[:count] for column in self._headings])
        self._headings = tuple([column[count:] for column in self._headings])
        return taken

    def bytes_at(self, offset: int, size: int) -> bytes:
        """Some bytes, from those read last if they are among them: headings come in order."""
        start, data = self._block
        if not start <= offset <= offset + size <= start + len(data):
            start = offset
            data = self._reader.read(offset, max(size, min(_BLOCK_BYTES, self._reader.size - offset)))
            self._block = start, data
        return data[offset - start : offset - start + size]


def _joined(blocks: Column, headings: Column) -> Column:
    """Where blocks or headings start: a heading behind a blank line is found as a block, too."""
    import numpy as np

    index = np.searchsorted(blocks, headings)
    known = index < len(blocks)
    known[known] = blocks[index[known]] == headings[known]
    return np.insert(blocks, index[~known], headings[~known])


class MarkdownKind(Kind):
    """Markdown, whose chunks know the headings they stand under."""

    units: MarkdownUnits

    def __init__(
        self, source: Readable, encoding: str, newline: int, budget: int, notes: tuple[str, ...]
    ) -> None:
        super().__init__("markdown", encoding, newline, MarkdownUnits(source.reader, newline, budget), notes)
        self._reader = source.reader
        self._codec = source.text.name, source.text.errors
        # The headings of the path: their levels, which ascend, and their titles.
        self._levels: list[int] = []
        self._titles: tuple[str, ...] = ()

    def paths(self, offsets: list[int], data: bytes) -> list[tuple[str, ...]]:
        """See ``Kind``."""
        starts, stops, levels = self.units.headings_to(offsets[-1])
        headings = list(zip(starts.tolist(), stops.tolist(), levels.tolist(), strict=True))
        block = offsets[0], data
        found = []
        passed = 0
        for count in starts.searchsorted(offsets, "right").tolist():
            if count > passed:
                self._pass(headings[passed:count], block)
                passed = count
            found.append(self._titles)
        return found

    def _pass(self, headings: list[tuple[int, int, int]], block: tuple[int, bytes]) -> None:
        """Takes some headings into the path; reads the titles of those that stay in it."""
        levels = self._levels
        kept = len(levels)
        fresh: list[tuple[int, int]] = []
        for start, stop, level in headings:
            depth = bisect_left(levels, level)
            levels[depth:] = [level]
            kept = min(kept, depth)
            fresh[depth - kept :] = [(start, stop)]
        self._titles = (*self._titles[:kept], *[self._title(*heading, *block) for heading in fresh])

    def _title(self, start: int, stop: int, low: int, data: bytes) -> str:
        """The title of a heading.

        Args:
            low: where the bytes start that are at hand; what they do not hold is read.
        """
        end = min(stop, start + 2 * TITLE_BYTES_MAX)
        if low <= start and end <= low + len(data):
            head = data[start - low : end - low]
        else:
            head = self._reader.read(start, end - start)
        plain = _PLAIN.fullmatch(head)
        title = plain[plain.lastindex or 0] if plain else capped_title(head, stop - start)
        return title.decode(*self._codec)
