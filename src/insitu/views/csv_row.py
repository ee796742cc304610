"""One row of a CSV file, read: its cells by name or index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from insitu.errors import FormatError, RequestError
from insitu.formats.conditions import column_index


class Row(Mapping[str, str]):
    """The texts of a row's cells, as a mapping by column name; an ``int`` gets a cell by its index, too.

    A copy: it does not change with the file. ``table[i] = row`` puts one back.

    Attributes:
        index: which row it is, from 0, behind the header.
        header: the names of the columns.
        cells: the texts, as many as the row has: a ragged row has fewer or more than there are columns.

    Raises:
        ConditionError: from look-ups: there is no such column, or several of that name.
        FormatError: from look-ups: the row is too short to have the cell.
    """

    __slots__ = ("cells", "header", "index")

    def __init__(self, index: int, header: tuple[str, ...], cells: tuple[str, ...]) -> None:
        self.index: Final = index
        self.header: Final = header
        self.cells: Final = cells

    def __getitem__(self, key: str | int) -> str:
        at = column_at(key, self.header, len(self.cells))
        if at >= len(self.cells):
            raise short_row(self.index, len(self.cells), key)
        return self.cells[at]

    def get(self, key: str | int, default: str | None = None) -> str | None:  # type: ignore[override]
        """The text of a cell; ``default`` where the row is too short to have it."""
        at = column_at(key, self.header, len(self.cells))
        return self.cells[at] if at < len(self.cells) else default

    def __contains__(self, key: object) -> bool:
        return key in self.header[: len(self.cells)]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(self.header[: len(self.cells)]))

    def __len__(self) -> int:
        return len(dict.fromkeys(self.header[: len(self.cells)]))

    def __repr__(self) -> str:
        return f"<Row {self.index}: {', '.join(map(repr, self.cells))}>"


def column_at(key: str | int, header: tuple[str, ...], cells: int) -> int:
    """The index of a column, by its name, or from either end as in ``list``.

    Args:
        cells: how many cells the row has: those without a name can be told by index.
    """
    if isinstance(key, str):
        return column_index(key, header)
    count = max(len(header), cells)
    at = key + count if key < 0 else key
    if not 0 <= at < count:
        raise RequestError(
            f"There is no column {key}; there are {count}, from 0 to {count - 1}; nothing was changed.",
            hint="Give an index, or a name.",
            column=key,
        )
    return at


def short_row(index: int, cells: int, key: str | int) -> FormatError:
    """The error for a cell that a ragged row does not have."""
    return FormatError(
        f"Row {index + 1:,} has only {cells} cell{'s' * (cells != 1)}, so it has no column {key!r}; "
        "nothing was changed.",
        hint=f"Look at it: insitu csv read FILE --rows {index + 1}, or doc.csv()[{index}].cells; "
        f"to fill it up, assign the whole row: doc.csv()[{index}] = [...]",
        row=index,
        cells=cells,
        column=key,
    )
