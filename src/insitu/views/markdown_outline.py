"""The outline of a Markdown document: its headings as columns, brought up to date after edits."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.spans import Span
from insitu.formats.markdown_blocks import Leaf
from insitu.formats.markdown_front import BYTE_ORDER_MARK, FRONT_BYTES_MAX, FrontMatter, front_matter
from insitu.scan.windows import WINDOW_BYTES
from insitu.views.markdown_scan import ExactReader, Scan

if TYPE_CHECKING:
    import numpy as np

    from insitu.formats.markdown_walk import Batch

    Column = np.ndarray[Any, np.dtype[Any]]

# So many headings are looked at for the end of a section, then ever more.
_NEAR_HEADINGS: Final = 64

# An edit this far behind a checkpoint's first byte leaves the checkpoint one: see ``_restart``.
_CHECKPOINT_BYTES: Final = 4


class Change(NamedTuple):
    """How one outline became another."""

    start: int
    """Headings before this index are the same."""
    old_stop: int
    new_stop: int
    """From these indexes on they are the same again, moved."""


class Outline:
    """The headings of one content, in order, as columns; about 42 bytes a heading.

    Attributes:
        starts, stops: of the headings' lines, the ending included.
        levels: 1 to 6.
        lines: indexes, from 0, of the lines they start on.
        keys, families: what ``insitu.formats.markdown_keys`` makes of their titles.
        front: the front matter, if there is any.
        unclosed: the fence that is open at the end, if one is.
    """

    def __init__(
        self, columns: list[Column], checkpoints: Column, front: FrontMatter | None, unclosed: Leaf | None,
        size: int, begin: int, begin_line: int,
    ) -> None:  # fmt: skip
        self.starts, self.stops, self.levels, self.lines, self.keys, self.families = columns
        # Rows of offset and line, one a window: places where a scan can start with nothing open.
        self._checkpoints = checkpoints
        self.front = front
        self.unclosed = unclosed
        self.size = size
        self.begin = begin
        """Where the document begins, behind a byte order mark and front matter."""
        self.begin_line = begin_line
        """Index of the line there."""

    @classmethod
    def of(
        cls, reader: Reader, encoding: str, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Outline:
        """The outline of a whole content, by one scan on every core."""
        import numpy as np

        front, begin = beginning(reader)
        line = _line_count(reader.read(0, begin))
        scan = Scan(reader, encoding, begin, line, progress=progress, cancel=cancel)
        checkpoints = [np.zeros((0, 2), np.int64)]

        def passed() -> Iterator[Batch]:
            for _, batch in scan.batches():
                checkpoints.append(_checkpoints(batch))
                yield batch

        columns = _columns(passed())
        marks = np.concatenate(checkpoints)
        return cls(columns, marks, front, scan.unclosed, reader.size, begin, line)

    def __len__(self) -> int:
        return len(self.starts)

    def heading(self, index: int) -> Span:
        """The lines of a heading."""
        return Span(int(self.starts[index]), int(self.stops[index]))

    def own_stop(self, index: int) -> int:
        """Where the next heading starts, of whatever level."""
        return int(self.starts[index + 1]) if index + 1 < len(self) else self.size

    def next_outside(self, index: int) -> int:
        """The next heading that is not below one; the count of headings where there is none."""
        import numpy as np

        at, step = index + 1, _NEAR_HEADINGS
        while at < len(self):
            found = np.flatnonzero(self.levels[at : at + step] <= self.levels[index])
            if len(found):
                return at + int(found[0])
            at, step = at + step, 4 * step
        return len(self)

    def subtree_stop(self, index: int) -> int:
        """Where a section ends with everything below it."""
        after = self.next_outside(index)
        return int(self.starts[after]) if after < len(self) else self.size

    def parent(self, index: int) -> int:
        """The heading a heading stands below; -1 where there is none."""
        import numpy as np

        stop, step = index, _NEAR_HEADINGS
        while stop > 0:
            low = max(0, stop - step)
            found = np.flatnonzero(self.levels[low:stop] < self.levels[index])
            if len(found):
                return low + int(found[-1])
            stop, step = low, 4 * step
        return -1

    def ancestors(self, index: int) -> list[int]:
        """The headings a heading stands below, from the outermost in, and itself."""
        found = [index]
        while (index := self.parent(index)) >= 0:
            found.append(index)
        return found[::-1]

    def changed(self, reader: Reader, encoding: str, changed: Span, growth: int) -> tuple[Outline, Change]:
        """The outline of a content that differs in one span only.

        Args:
            changed: what differs, in the coordinates of this outline.
            growth: by how many bytes its replacement is longer.

        Cost: a scan from the last checkpoint before the span to where the headings agree again, and
            moving the columns behind.
        """
        import numpy as np

        front, begin = beginning(reader)
        if changed.stop <= self.begin and begin == self.begin + growth and front is not None:
            return self._moved(reader, front, growth), Change(0, 0, 0)
        if begin != self.begin or changed.start < begin:
            outline = Outline.of(reader, encoding)
            return outline, Change(0, len(self), len(outline))
        start, line = self._restart(reader, changed.start)
        first = int(np.searchsorted(self.starts, start))
        scan = Scan(reader, encoding, start, line, near=True)
        batches: list[Batch] = []
        checkpoints = [np.zeros((0, 2), np.int64)]
        old_stop, moved = len(self), 0
        for _, batch in scan.batches():
            agreed = self._agreed(batch, changed.stop, growth)
            if agreed is not None:
                old_stop, new_count, moved = agreed
                batches.append(batch.cut(new_count))
                break
            batches.append(batch)
            checkpoints.append(_checkpoints(batch))
        agreed_at = int(self.starts[old_stop]) if old_stop < len(self) else self.size
        new = _columns(batches)
        columns = []
        for name, column in zip(("starts", "stops", "levels", "lines", "keys", "families"), new, strict=True):
            old = getattr(self, name)
            tail = old[old_stop:]
            if name in ("starts", "stops"):
                tail = tail + growth
            elif name == "lines":
                tail = tail + moved
            columns.append(np.concatenate((old[:first], column, tail)))
        before = self._checkpoints[self._checkpoints[:, 0] < start]
        behind = self._checkpoints[self._checkpoints[:, 0] >= agreed_at] + np.array([growth, moved])
        marks = np.concatenate((before, *checkpoints, behind))
        unclosed = self.unclosed if old_stop < len(self) else scan.unclosed
        if unclosed is not None and old_stop < len(self):
            unclosed = unclosed._replace(start=unclosed.start + growth)
        outline = Outline(columns, marks, front, unclosed, reader.size, begin, self.begin_line)
        return outline, Change(first, old_stop, first + len(new[0]))

    def _moved(self, reader: Reader, front: FrontMatter, growth: int) -> Outline:
        """The outline behind front matter that changed."""
        import numpy as np

        line = _line_count(reader.read(0, self.begin + growth))
        lines = line - self.begin_line
        columns = [
            self.starts + growth, self.stops + growth, self.levels,
            self.lines + lines, self.keys, self.families,
        ]  # fmt: skip
        marks = self._checkpoints + np.array([growth, lines])
        unclosed = self.unclosed
        if unclosed is not None:
            unclosed = unclosed._replace(start=unclosed.start + growth)
        return Outline(columns, marks, front, unclosed, reader.size, self.begin + growth, line)

    def _restart(self, reader: Reader, offset: int) -> tuple[int, int]:
        """The last place before an offset at which nothing is open, whatever is changed from there on.

        Behind a heading nothing is open. At a checkpoint nothing is, as long as its line begins as it did.
        """
        import numpy as np

        place = self.begin, self.begin_line
        at = int(np.searchsorted(self.stops, offset)) - 1
        if at >= 0:
            # A byte behind its ending is unchanged, so that no CR gets an LF.
            heading = self.heading(at)
            place = heading.stop, int(self.lines[at]) + ExactReader(reader).line_count(heading)
        marks = self._checkpoints[:, 0]
        mark = int(np.searchsorted(marks, offset - _CHECKPOINT_BYTES, "right")) - 1
        if mark >= 0 and int(marks[mark]) > place[0]:
            place = int(marks[mark]), int(self._checkpoints[mark, 1])
        return place

    def _agreed(self, batch: Batch, stop: int, growth: int) -> tuple[int, int, int] | None:
        """Where a new scan finds a heading that was there before.

        Returns:
            Its old index, its index in the batch, and by how many lines it moved.
        """
        import numpy as np

        low = int(np.searchsorted(self.starts, stop))
        old = np.searchsorted(self.starts[low:], batch.starts - growth) + low
        known = old < len(self)
        known[known] = (
            (self.starts[old[known]] == batch.starts[known] - growth)
            & (self.stops[old[known]] == batch.stops[known] - growth)
            & (self.levels[old[known]] == batch.levels[known])
        )
        found = np.flatnonzero(known)
        if not len(found):
            return None
        at = int(found[0])
        index = int(old[at])
        return index, at, int(batch.lines[at]) - int(self.lines[index])


def beginning(reader: Reader) -> tuple[FrontMatter | None, int]:
    """The front matter of a content, and where the document begins behind it or a byte order mark."""
    head = reader.read(0, min(8, reader.size))
    text = head.removeprefix(BYTE_ORDER_MARK)
    if text.startswith((b"---", b"+++")):
        head = reader.read(0, min(FRONT_BYTES_MAX, reader.size))
        front = front_matter(head)
        # At the end of what was read, a line may only seem to end.
        if front is not None and (front.span.stop < len(head) or len(head) == reader.size):
            return front, front.span.stop
    return None, len(BYTE_ORDER_MARK) if head.startswith(BYTE_ORDER_MARK) else 0


def _checkpoints(batch: Batch) -> Column:
    """Where a scan can start, with the lines: the last such places of a batch in each window's size."""
    import numpy as np

    last = np.flatnonzero(np.diff(batch.syncs // WINDOW_BYTES, append=-1))
    return np.column_stack((batch.syncs, batch.sync_lines))[last]


def _line_count(data: bytes) -> int:
    return data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")


def _columns(batches: Iterable[Batch]) -> list[Column]:
    """The columns of all batches, each in one piece that grows: there may be millions of headings."""
    import numpy as np

    kinds = ("q", "q", "B", "q", "q", "q")
    gathered = [array(kind) for kind in kinds]
    for batch in batches:
        for column, new in zip(gathered, batch, strict=False):
            column.frombytes(np.ascontiguousarray(new, column.typecode).view(np.uint8).data)
    return [np.frombuffer(column, column.typecode) for column in gathered]
