"""Records of JSONL looked up by a value they hold: a text search, and a look at each place it finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.spans import Span
from insitu.errors import RequestError
from insitu.formats.cells import Cells
from insitu.formats.json_columns import Columns
from insitu.scan.windows import WINDOW_BYTES
from insitu.views.json_large import BOM
from insitu.views.jsonl_scan import LONG_BYTES, Batch, LongBatch, Matches, line_stop
from insitu.views.streaming import Source


@dataclass(frozen=True)
class Key:
    """The records that hold a text or a whole number at a pointer, written plainly."""

    pointer: str
    value: str | int

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Batch]:
        """Yields each such record, in order.

        Cost: a search for the value at memory speed; each place where it occurs is looked at.
        """
        from insitu.scan.search import compile_literal, locate

        text = _plain(self.value)
        columns = Columns((self.pointer,))
        done = 0
        for found in locate(source.reader, compile_literal(text), progress=progress, cancel=cancel):
            for at in found.starts.tolist():
                if at < done:
                    continue
                start, done = _line_start(source.reader, at), line_stop(source.reader, at)
                batch = _one_line(source, Span(start, done))
                cells, present = batch.cells(columns)
                (cell,) = cells.values()
                if present[0] and _holds(cell, text):
                    yield batch


def picked_batches(
    matches: Matches,
    key: Mapping[str, str | int] | None,
    columns: Columns,
    source: Source,
    progress: Progress | None,
    cancel: Cancel | None,
) -> Iterator[tuple[Batch, list[int]]]:
    """Yields batches and which of their records a condition picks, or a key: a pointer and its value."""
    if key is None:
        yield from matches.batches(source, progress, cancel, columns)
        return
    if matches.where is not None or len(key) != 1:
        raise RequestError("Records are picked by one condition or by one key; nothing was changed.")
    ((pointer, value),) = key.items()
    yield from ((batch, [0]) for batch in Key(pointer, value).batches(source, progress, cancel))


def _holds(cell: Cells, text: bytes) -> bool:
    quoted = cell.quoted is not None and bool(cell.quoted[0])
    return cell.raw(0) == text.strip(b'"') if quoted == text.startswith(b'"') else False


def _plain(value: str | int) -> bytes:
    """How a value is written without escapes.

    Raises:
        RequestError: it is neither a text that needs none nor a whole number.
    """
    import json

    plain = isinstance(value, str | int) and not isinstance(value, bool)
    text = json.dumps(value, ensure_ascii=False) if plain else "\\"
    if "\\" in text:
        raise RequestError(
            f"{value!r} is no key to look records up by: that takes a text without quotes, backslashes and "
            "control characters, or a whole number.",
            hint="Use a condition: where=..., or --where.",
        )
    return text.encode()


def _one_line(source: Source, span: Span) -> Batch:
    if span.size > LONG_BYTES:
        return LongBatch(source, None, span)
    line = source.reader.read(span.start, span.size)
    if span.start == 0 and line.startswith(BOM):
        return Batch(source, None, len(BOM), line[len(BOM) :])
    return Batch(source, None, span.start, line)


def _line_start(reader: Reader, offset: int) -> int:
    size = 4 << 10
    while offset > 0:
        low = max(0, offset - size)
        if end := reader.read(low, offset - low).rfind(b"\n") + 1:
            return low + end
        offset, size = low, min(2 * size, WINDOW_BYTES)
    return 0
