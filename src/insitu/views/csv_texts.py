"""Columns of CSV rows as arrays of text, each cell with the place it is written at."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

    from insitu.formats.cells import Cells, Column, Mask


class CellTexts(NamedTuple):
    """Cells of one column: their texts, and where they are in the file, quotes left out."""

    texts: pa.Array
    """Null where the row has no such cell."""
    starts: Column
    stops: Column
    quoted: Mask
    missing: Mask
    broken: Mask
    """Where bytes do not fit the encoding; the text then shows them as ``\\xff``."""

    def part(self, start: int, stop: int) -> CellTexts:
        """Some of the cells, not copied."""
        texts = self.texts.slice(start, stop - start)
        starts, stops = self.starts[start:stop], self.stops[start:stop]
        quoted, missing = self.quoted[start:stop], self.missing[start:stop]
        return CellTexts(texts, starts, stops, quoted, missing, self.broken[start:stop])


def joined(parts: list[CellTexts]) -> CellTexts:
    """Cells that follow each other; at least one part."""
    import numpy as np
    import pyarrow as pa

    if len(parts) == 1:
        return parts[0]
    texts, *columns = zip(*parts, strict=True)
    return CellTexts(pa.concat_arrays(texts), *map(np.concatenate, columns))


def texts_of(cells: Cells, offset: int, codec: str) -> CellTexts:
    """The texts of cells, in memory of their own.

    Args:
        offset: where the cells' data is in the file.
        codec: name of the encoding they are written in.
    """
    import numpy as np

    nowhere = np.zeros(len(cells), np.bool_)
    quoted = nowhere if cells.quoted is None else cells.quoted
    missing = nowhere if cells.missing is None else cells.missing
    texts, broken = _decoded(_meant(_copied(cells), cells), missing, codec)
    return CellTexts(texts, cells.starts + offset, cells.stops + offset, quoted, missing, broken)


def _copied(cells: Cells) -> pa.Array:
    """The bytes of cells between their quotes."""
    import numpy as np
    import pyarrow as pa

    count = len(cells)
    if not count:
        return pa.array([], pa.large_binary())
    # Cells and what lies between them, by turns, are an array over the data itself; taking every second of
    # its values copies the cells.
    bounds = np.empty(2 * count, np.int64)
    bounds[0::2], bounds[1::2] = cells.starts, cells.stops
    data = pa.py_buffer(np.ascontiguousarray(cells.data))
    by_turns = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), 2 * count - 1, [None, pa.py_buffer(bounds), data]
    )
    return by_turns.take(pa.array(np.arange(0, 2 * count, 2)))


def _meant(written: pa.Array, cells: Cells) -> pa.Array:
    """What cells stand for: two quotes in a quoted one are one, an escape is left out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if cells.escape is not None:
        special = pc.or_(_holding(written, cells.escape), _holding(written, cells.quote))
        if not pc.any(special).as_py():
            return written
        values = written.to_pylist()
        for row in pc.indices_nonzero(special).to_pylist():
            quoted = cells.quoted is not None and bool(cells.quoted[row])
            values[row] = _unescaped(values[row], cells.escape, cells.quote if quoted else None)
        return pa.array(values, pa.large_binary())
    if cells.quoted is None:
        return written
    doubled = pc.and_(_holding(written, cells.quote * 2), pa.array(cells.quoted))
    if not pc.any(doubled).as_py():
        return written
    single = pc.replace_substring(written, (cells.quote * 2).decode("ascii"), cells.quote.decode("ascii"))
    return pc.if_else(doubled, single, written)


def _holding(written: pa.Array, part: bytes) -> pa.Array:
    import pyarrow.compute as pc

    return pc.match_substring(written, part.decode("ascii"))


def _unescaped(cell: bytes, escape: bytes, quote: bytes | None) -> bytes:
    """A cell without its escapes; with a quote given, two of them are one."""
    meant = bytearray()
    at = 0
    while at < len(cell):
        byte = cell[at : at + 1]
        # Behind an escape, or the first of two quotes, is the byte that is meant.
        if at + 1 < len(cell) and (byte == escape or (byte == quote and cell[at + 1 : at + 2] == quote)):
            at += 1
        meant += cell[at : at + 1]
        at += 1
    return bytes(meant)


def _decoded(written: pa.Array, missing: Mask, codec: str) -> tuple[pa.Array, Mask]:
    """Bytes as text, and where they do not fit the encoding."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    broken = np.zeros(len(missing), np.bool_)
    if codec in ("utf-8", "ascii") or pc.all(pc.string_is_ascii(written.view(pa.large_string()))).as_py():
        try:
            texts = written.cast(pa.large_string())
            absent = pa.scalar(None, pa.large_string())
            return (pc.if_else(pa.array(missing), absent, texts) if missing.any() else texts), broken
        except pa.ArrowInvalid:
            pass  # some bytes are no UTF-8
    values: list[str | None] = []
    for row, cell in enumerate(written.to_pylist()):
        try:
            values.append(None if missing[row] else cell.decode(codec))
        except UnicodeDecodeError:
            broken[row] = True
            values.append(cell.decode(codec, "backslashreplace"))
    return pa.array(values, pa.large_string()), broken
