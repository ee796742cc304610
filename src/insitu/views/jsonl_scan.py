"""Records of JSONL in batches: parsed only as far as a condition asks, each checked, in flat memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.spans import Span
from insitu.errors import CancelledError, FormatError, LimitError, NoMatchError, RequestError
from insitu.formats.cells import Cells
from insitu.formats.json_columns import Columns
from insitu.formats.json_edits import Change, Edits
from insitu.formats.json_syntax import fault_in
from insitu.formats.json_tree import SmallTree, decoded
from insitu.scan.windows import WINDOW_BYTES
from insitu.views.json_large import BOM
from insitu.views.json_text import JsonText, applied, trimmed
from insitu.views.streaming import Source

if TYPE_CHECKING:
    from insitu.formats.cells import Column, Mask
    from insitu.formats.conditions import Condition

# A line longer than this is a batch of its own, looked through and never held.
LONG_BYTES: Final = 4 << 20

# Of a long record, what a condition may look at.
_CELL_BYTES_MAX: Final = 1 << 20

_BLANK: Final = b" \t\r\n"

# A text that one line in so many holds is searched for; where more hold it, all are looked at as well.
_SEARCHED_SHARE: Final = 8


@dataclass
class Batch:
    """Neighbouring lines.

    Args:
        first: index of the first one; None where it is not known.
        offset: where it starts.
        data: their bytes.
        records: what was parsed of each by ``cells``; None where that took another way.
    """

    source: Source
    first: int | None
    offset: int
    data: bytes
    records: list[Any] | None = None

    @cached_property
    def bounds(self) -> Column:
        """Where the lines start, and the last one stops."""
        import numpy as np

        stops = np.flatnonzero(np.frombuffer(self.data, np.uint8) == ord("\n")) + 1
        bounds = np.zeros(len(stops) + (1 if self.ended else 2), np.int64)
        bounds[1 : len(stops) + 1] = stops
        bounds[-1] = len(self.data)
        return bounds + self.offset

    @property
    def ended(self) -> bool:
        """Whether there is a line feed behind the last line."""
        return self.data.endswith(b"\n")

    @property
    def line_count(self) -> int:
        """How many lines there are."""
        return len(self.bounds) - 1

    def span_of(self, number: int) -> Span:
        """A line with its ending."""
        return Span(int(self.bounds[number]), int(self.bounds[number + 1]))

    def line(self, number: int) -> bytes:
        """The bytes of a line without its line feed."""
        start, stop = self.span_of(number).moved(-self.offset)
        return self.data[start:stop].removesuffix(b"\n")

    def value(self, number: int) -> Any:
        """The Python value of a record."""
        return decoded(self.line(number))

    def pieces(self, number: int) -> Iterator[bytes]:
        """Yields the bytes of a record without its line ending."""
        yield self.line(number).rstrip(b"\r")

    def cells(self, columns: Columns) -> tuple[dict[str, Cells], Mask]:
        """The values of columns, and which of the lines hold records.

        Raises:
            FormatError: a line holds something else; only the last of a file may, if it is not ended.
        """
        import numpy as np

        records = self._parsed(columns)
        if records is None:
            return self._cells_one_by_one(columns)
        return columns.cells(records), np.ones(len(records), np.bool_)

    def matched(self, condition: Condition | None, columns: Columns) -> tuple[Mask, Mask]:
        """Where a condition is true (None: everywhere), and which of the lines hold records.

        Raises:
            FormatError: as ``cells``.
        """
        import numpy as np

        records = self._parsed(columns)
        if records is None:
            cells, present = self._cells_one_by_one(columns)
            return (present if condition is None else condition.evaluate(cells, "utf-8")), present
        present = np.ones(len(records), np.bool_)
        if condition is None:
            return present, present
        numbers = self._holding(condition.needles)
        if numbers is None:
            return condition.evaluate(columns.cells(records), "utf-8"), present
        found = np.zeros(len(records), np.bool_)
        if len(numbers):
            some = [records[number] for number in numbers.tolist()]
            found[numbers] = condition.evaluate(columns.cells(some), "utf-8")
        return found, present

    def _parsed(self, columns: Columns) -> list[Any] | None:
        """The records, where every line is one that the parser reads."""
        try:
            if not self.data.isascii():
                self.data.decode()  # what the parser skips it does not decode
            if columns.parsable and self._are_objects():
                records = columns.parsed(self.data)
                if len(records) == self.line_count:
                    self.records = records
        except (ValueError, RecursionError):
            pass  # the lines are read one by one, and the first fault told
        return self.records

    def _holding(self, needles: tuple[bytes, ...]) -> Column | None:
        """The lines that may hold one of some texts as a value; None: too many to be worth the search.

        JSON may spell any character of a text as an escape: lines with a backslash are among them.
        """
        import numpy as np
        import stringzilla

        most = self.line_count // _SEARCHED_SHARE
        if not needles or not most:
            return None
        places: list[int] = []
        for needle in needles:
            at = stringzilla.find(self.data, needle)
            while at >= 0 and len(places) < most:
                places.append(at)
                at = stringzilla.find(self.data, needle, at + len(needle))
        escapes = np.zeros(0, np.int64)
        if b"\\" in self.data:
            escapes = np.flatnonzero(np.frombuffer(self.data, np.uint8) == ord("\\"))
        if len(places) >= most or len(escapes) >= most:
            return None
        found = np.concatenate((np.array(places, np.int64), escapes)) + self.offset
        return np.unique(np.searchsorted(self.bounds, found, "right") - 1)

    def _are_objects(self) -> bool:
        """Whether each line starts with an opening and ends with a closing brace.

        Then every line end stands between braces, ``}`` and ``{``. In JSON that is only so between values:
        if the lines together are so many records, each is one.
        """
        import numpy as np

        data = np.frombuffer(self.data, np.uint8)
        bounds = self.bounds - self.offset
        if not (data[bounds[:-1]] == ord("{")).all():
            return False
        lasts = bounds[1:] - 2
        lasts[-1] += not self.ended
        lasts -= data[lasts] == ord("\r")
        return bool((data[lasts] == ord("}")).all())

    def _cells_one_by_one(self, columns: Columns) -> tuple[dict[str, Cells], Mask]:
        import numpy as np

        present = np.ones(self.line_count, np.bool_)
        rows = []
        for number in range(self.line_count):
            line = self.line(number)
            if not line.strip(_BLANK):
                present[number] = False
            elif fault := fault_in(line):
                if self.ended or number + 1 < self.line_count:
                    raise self.text(number).refused(fault)
                present[number] = False
            rows.append(columns.read_one(line) if present[number] else (b"",) * len(columns.names))
        return columns.cells_of(rows), present

    def text(self, number: int) -> JsonText:
        """A record as a value to look into."""
        return JsonText(self.source.reader, self.span_of(number), self._name(number))

    def _name(self, number: int) -> str:
        if self.first is None:
            return f"The record at byte {self.span_of(number).start:,} of {self.source.path}"
        return f"Record {self.first + number + 1:,} of {self.source.path}"

    def edits(self, number: int, changes: list[Change]) -> Edits:
        """What changes, made one after the other, come to. Of keys that occur twice, the last counts."""
        line = after = self.line(number)
        start = int(self.bounds[number])
        found: Edits = []
        with self.text(number).named():
            for change in changes:
                found = change(SmallTree(after, last_wins=True))
                after = applied(after, found)
        found = found if len(changes) == 1 else trimmed(line, after)
        return [(span.moved(start), new) for span, new in found]


class LongBatch(Batch):
    """One line that is too long to be held."""

    def __init__(self, source: Source, first: int | None, span: Span) -> None:
        super().__init__(source, first, span.start, b"")
        self._span = span

    @cached_property
    def bounds(self) -> Column:
        """Where the line starts and stops."""
        import numpy as np

        return np.array(self._span, np.int64)

    @property
    def ended(self) -> bool:
        """Whether there is a line feed behind it."""
        return self.source.reader.read(self._span.stop - 1, 1) == b"\n"

    def value(self, number: int) -> Any:
        """The Python value of a record, however long it is."""
        return self.text(number).get("")

    def pieces(self, number: int) -> Iterator[bytes]:
        """Yields the bytes of a record, window by window, without white space around it."""
        span = self.text(number).span
        for start in range(span.start, span.stop, WINDOW_BYTES):
            yield self.source.reader.read(start, min(WINDOW_BYTES, span.stop - start))

    def _parsed(self, columns: Columns) -> None:
        return None

    def _cells_one_by_one(self, columns: Columns) -> tuple[dict[str, Cells], Mask]:
        import numpy as np

        text = self.text(0)
        try:
            text.check()
        except FormatError:
            if self.ended:
                raise
            return columns.cells_of([[b""] * len(columns.names)]), np.zeros(1, np.bool_)
        row = [self._cell(text, pointer) for pointer in columns.pointers]
        return columns.cells_of([row]), np.ones(1, np.bool_)

    def _cell(self, text: JsonText, pointer: str) -> bytes:
        try:
            span = text.find(pointer)
        except (NoMatchError, RequestError):
            return b""
        if span.size > _CELL_BYTES_MAX:
            raise LimitError(
                f"{self._name(0)} has {span.size:,} bytes at {pointer!r}, more than the {_CELL_BYTES_MAX:,} "
                "that a condition may look at; nothing was changed.",
                offset=span.start,
            )
        return self.source.reader.read(span.start, span.size)

    def edits(self, number: int, changes: list[Change]) -> Edits:
        """What changes, made one after the other, come to."""
        return self.text(number).edits(changes)


def batches(
    source: Source,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    start: tuple[int, int] = (0, 0),
) -> Iterator[Batch]:
    """Yields the lines of a file, a window of whole lines at a time.

    Args:
        start: index of the first line, and where it starts.
    """
    reader = source.reader
    first, offset = start
    if offset == 0 and reader.size >= len(BOM) and reader.read(0, len(BOM)) == BOM:
        offset = len(BOM)
    low = offset
    while offset < reader.size:
        if cancel is not None and cancel():
            raise CancelledError("The pass over the records was cancelled; the file is unchanged.")
        data = reader.read(offset, min(WINDOW_BYTES, reader.size - offset))
        if offset + len(data) < reader.size:
            data = data[: data.rfind(b"\n") + 1]
        if data:
            batch = Batch(source, first, offset, data)
        else:
            span = Span(offset, line_stop(reader, offset))
            if span.size <= LONG_BYTES:
                batch = Batch(source, first, offset, reader.read(offset, span.size))
            else:
                batch = LongBatch(source, first, span)
        yield batch
        first += batch.line_count
        offset = int(batch.bounds[-1])
        if progress is not None:
            progress(offset - low, reader.size - low)


@dataclass(frozen=True)
class Matches:
    """The records that a condition is true for, or (``negated``) is not; None: all records."""

    where: str | None
    negated: bool = False
    _condition: Condition | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        if self.where is not None:
            from insitu.formats.conditions import Condition

            object.__setattr__(self, "_condition", Condition.parse(self.where))

    def batches(
        self,
        source: Source,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
        columns: Columns | None = None,
        start: tuple[int, int] = (0, 0),
    ) -> Iterator[tuple[Batch, list[int]]]:
        """Yields batches of lines, each with the numbers of those that match. Every record is checked.

        Args:
            columns: reads the records, as made by ``columns``; None means so that the condition has its.
            start: index of the first line to look at, and where it starts.

        Raises:
            FormatError: a record is not JSON; the message has its number and the place.
        """
        condition, columns = self._condition, columns or self.columns()
        for batch in batches(source, progress, cancel, start):
            true, picked = batch.matched(condition, columns)
            if condition is not None:
                picked = picked & (~true if self.negated else true)
            yield batch, picked.nonzero()[0].tolist()

    def columns(self, tops: Iterable[str] = ()) -> Columns:
        """What the condition looks at, and some members besides."""
        # A condition without columns still takes one, to be told how many records there are.
        return Columns((self._condition.columns or ("",)) if self._condition else (), tops)


def line_stop(reader: Reader, offset: int) -> int:
    """Where the line that holds the byte at an offset stops, its line feed included."""
    size = 4 << 10
    while offset < reader.size:
        data = reader.read(offset, min(size, reader.size - offset))
        if end := data.find(b"\n") + 1:
            return offset + end
        offset, size = offset + len(data), min(2 * size, WINDOW_BYTES)
    return reader.size
