"""Splices that take a column out of rows of CSV, move it, or make room for one; for whole batches of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from insitu.core.replacements import Replacements, Uniform, Varied

if TYPE_CHECKING:
    from insitu.formats.cells import Bytes, Column, Mask
    from insitu.formats.csv_scan import Rows


class Extent(NamedTuple):
    """Where the cells of one column are written, quotes included, in the coordinates of ``Rows.data``."""

    starts: Column
    stops: Column
    present: Mask
    """Which rows have such a cell."""
    quoted: Mask


def extent_of(rows: Rows, column: int) -> Extent:
    """Where the cells of a column that was asked for are."""
    import numpy as np

    cells = rows.cells[column]
    nowhere = np.zeros(len(cells), bool)
    quoted = nowhere if cells.quoted is None else cells.quoted
    present = ~nowhere if cells.missing is None else ~cells.missing
    return Extent(cells.starts - quoted, cells.stops + quoted, present, quoted & present)


def dropped(rows: Rows, at: int, quote: bytes | None) -> Replacements:
    """Takes one column out of rows, with one delimiter each.

    A row that would be left as an empty line, which many readers skip, is left as an empty quoted cell.
    """
    import numpy as np

    cell = extent_of(rows, at)
    if at:
        starts, stops = cell.starts - 1, cell.stops
    else:
        # The delimiter behind the first cell goes with it, where there is one.
        starts, stops = cell.starts, np.minimum(cell.stops + 1, rows.stops)
    taken = cell.present & (stops > starts)
    starts, stops = starts[taken], stops[taken]
    emptied = (starts == rows.starts[taken]) & (stops == rows.stops[taken])
    starts, stops = starts + rows.offset, stops + rows.offset
    if quote is None or not emptied.any():
        return Uniform(starts, stops, b"")
    bounds = np.zeros(len(starts) + 1, np.int64)
    np.cumsum(2 * emptied, out=bounds[1:])
    return Varied(starts, stops, bounds, quote * int(bounds[-1]))


def moved(rows: Rows, source: int, target: int, delimiter: bytes) -> Varied | int:
    """Moves the cells of one column to where those of another one are; both differ.

    Returns:
        The splices, or the index of the first row (of these) that has only one of the two cells.
    """
    import numpy as np

    cell, goal = extent_of(rows, source), extent_of(rows, target)
    filled = rows.stops > rows.starts
    odd = filled & (cell.present != goal.present)
    if odd.any():
        return int(odd.argmax())
    taken = filled & cell.present
    starts, stops = cell.starts[taken], cell.stops[taken]
    text, sizes = gathered(rows.data, starts, stops)
    count = len(starts)
    # Two splices a row: out, then in; the other way round where the column moves to the left.
    out, into = (0, 1) if source < target else (1, 0)
    splices = np.empty((2, count, 2), np.int64)
    splices[0, :, out] = starts if source < target else starts - 1
    splices[1, :, out] = stops + 1 if source < target else stops
    splices[:, :, into] = goal.stops[taken] if source < target else goal.starts[taken]
    splices += rows.offset
    bounds = np.zeros(2 * count + 1, np.int64)
    lengths = bounds[1:].reshape(count, 2)
    lengths[:, into] = sizes + 1
    np.cumsum(bounds, out=bounds)
    data = _delimited(text, sizes, delimiter, before=source < target)
    return Varied(splices[0].reshape(-1), splices[1].reshape(-1), bounds, data)


def _delimited(text: Bytes, sizes: Column, delimiter: bytes, *, before: bool) -> bytes:
    """Texts that stand one after the other, a delimiter before or behind each."""
    import numpy as np

    ends = np.cumsum(sizes)
    places = ends - sizes if before else ends
    return bytes(np.insert(text, places, delimiter[0]).tobytes())


class Slots(NamedTuple):
    """Where one cell more goes in rows, in the coordinates of the file."""

    offsets: Column
    quoted: Mask
    """Whether the cell beside it stands in quotes: the new one does as it does."""
    taken: Mask
    """Which rows take it: those long enough to have a cell beside it."""


def slots(rows: Rows, at: int, width: int) -> Slots:
    """Where a column would go in rows.

    Args:
        at: its index.
        width: how many columns there are; empty lines are rows in a file of one column only.
    """
    cell = extent_of(rows, at - 1 if at else 0)
    taken = cell.present
    if width > 1:
        taken = taken & (rows.stops > rows.starts)
    offsets = (cell.stops if at else cell.starts)[taken] + rows.offset
    return Slots(offsets, cell.quoted[taken], taken)


def gathered(data: Bytes, starts: Column, stops: Column) -> tuple[Bytes, Column]:
    """The bytes of many spans, one after the other, and how many each has."""
    import numpy as np

    sizes = stops - starts
    firsts = np.cumsum(sizes) - sizes
    places = np.arange(int(sizes.sum())) + np.repeat(starts - firsts, sizes)
    return data[places], sizes
