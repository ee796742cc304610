"""Cells of one value, found without decoding the others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from insitu.formats.cells import Cells

if TYPE_CHECKING:
    from insitu.formats.cells import Column, Mask


def matching_cells(cells: Cells, value: bytes) -> Column:
    """Which cells stand for a value, ascending.

    Args:
        value: in the encoding of the file.

    Cost: one look at the length of each cell; bytes are compared only where it fits, and one by one only
        as long as they fit, too. With an escape, cells that hold one are decoded one by one.
    """
    import numpy as np

    there: Mask = np.ones(len(cells), np.bool_) if cells.missing is None else ~cells.missing
    if cells.quoted is None:
        found = _equal(cells, np.flatnonzero(there), value)
    else:
        doubled = value.replace(cells.quote, cells.quote * 2)
        found = np.concatenate(
            (
                _equal(cells, np.flatnonzero(there & ~cells.quoted), value),
                _equal(cells, np.flatnonzero(there & cells.quoted), doubled),
            )
        )
    if cells.escape is not None:
        found = found[[cells.escape not in cells.raw(at) for at in found.tolist()]] if len(found) else found
        found = np.concatenate((found, _escaped(cells, there, value)))
    return np.sort(found)


def _equal(cells: Cells, at: Column, value: bytes) -> Column:
    """Which of the cells ``at`` are written so."""
    at = at[cells.stops[at] - cells.starts[at] == len(value)]
    for place, byte in enumerate(value):
        if not len(at):
            break
        at = at[cells.data[cells.starts[at] + place] == byte]
    return at


def _escaped(cells: Cells, there: Mask, value: bytes) -> Column:
    """Which cells that hold an escape stand for the value."""
    import numpy as np

    assert cells.escape is not None
    escapes = np.flatnonzero(cells.data == cells.escape[0])
    owners = np.unique(np.searchsorted(cells.starts, escapes, "right") - 1)
    owners = owners[owners >= 0]
    pairs = re.compile(re.escape(cells.escape) + b"(.)|" + re.escape(cells.quote) * 2, re.DOTALL)
    single = re.compile(re.escape(cells.escape) + b"(.)", re.DOTALL)
    found = []
    for at in owners[there[owners]].tolist():
        raw = cells.raw(at)
        quoted = cells.quoted is not None and bool(cells.quoted[at])
        text = (pairs if quoted else single).sub(lambda hit: hit[1] or cells.quote, raw)
        if cells.escape in raw and text == value:
            found.append(at)
    return np.array(found, np.int64)
