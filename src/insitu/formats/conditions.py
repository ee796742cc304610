"""Conditions in SQL over named columns, evaluated on batches of cells as they are written.

    status = 'pending' AND value > 1000

A name is a column, in double quotes where it has spaces; a text stands in single quotes. Columns have no
type; what they are compared with says how they are read:

    next to a number   as a number. A cell that is none (``n/a``, an empty one, a JSON string) is NULL there:
                       neither ``=`` nor ``<>`` is true of it. ``007``, ``1.0`` and ``1e3`` are numbers.
    next to a text     as a text, byte by byte; ``LIKE`` ignores the case of ASCII letters.
    another column     as numbers in the rows where both are numbers, else as texts.
    alone, or TRUE     as a truth value: ``true`` and ``false`` in any case, or a number that is zero or not.

NULL is a missing cell, JSON's ``null``, and, on request, an empty text. Everything else is SQLite's: NULL
makes a comparison neither true nor false, whole numbers divide to whole numbers, by zero to NULL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from insitu.errors import ConditionError
from insitu.formats.condition_batch import Batch
from insitu.formats.condition_compile import compiled
from insitu.formats.condition_needles import needles_of
from insitu.formats.condition_predicates import Predicate, required_texts
from insitu.formats.condition_syntax import columns_of, parse

if TYPE_CHECKING:
    from insitu.formats.cells import Cells, Mask

# Few enough that the arrays of a comparison stay in the cache of a core, however short the rows are.
ROWS_AT_ONCE: Final = 1 << 14


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition over columns; made by ``parse``, used by several threads at once."""

    text: str
    columns: tuple[str, ...]
    """The names of the columns it uses, in the order it names them."""
    null_empty: bool = False
    needles: tuple[bytes, ...] = ()
    """Texts of which a column is one in every row that it is true of; none where no such are known."""
    _predicate: Predicate = field(repr=False, compare=False, kw_only=True)

    @classmethod
    def parse(cls, text: str, *, null_empty: bool = False) -> Condition:
        """Reads a condition.

        Args:
            text: SQL as SQLite has it, without subqueries.
            null_empty: whether empty cells are NULL.

        Raises:
            ConditionError: it does not parse, the message shows where; or it compares numbers with texts.
        """
        tree = parse(text)
        predicate = compiled(tree)
        return cls(text, tuple(columns_of(tree)), null_empty, needles_of(predicate), _predicate=predicate)

    def bind(self, header: Sequence[str]) -> tuple[int, ...]:
        """The index in ``header`` of each of ``columns``: the same name, else the only one but for case.

        Raises:
            ConditionError: there is no such column, or more than one.
        """
        return tuple(column_index(name, header) for name in self.columns)

    @property
    def required_texts(self) -> tuple[bytes, ...] | None:
        """Texts (UTF-8) of which some column is one wherever it is true; None where none are known."""
        return required_texts(self._predicate)

    def evaluate(self, cells: Mapping[str, Cells], encoding: str) -> Mask:
        """Where the condition is true: neither false nor NULL.

        Args:
            cells: for each of ``columns`` the values of the same rows.
            encoding: the codec of their bytes.

        Raises:
            ConditionError: SQLite, asked about what is not compiled, refuses.

        Cost: some arrays of a word for each of at most 16384 rows; what is not compiled costs microseconds
            per row that is still undecided, and a table of as many rows.
        """
        import numpy as np

        batch = Batch(cells, encoding, self.null_empty)
        found = np.zeros(batch.count, np.bool_)
        for start in range(0, batch.count, ROWS_AT_ONCE):
            rows = np.arange(start, min(start + ROWS_AT_ONCE, batch.count))
            found[rows] = self._predicate.true(batch, rows)
        return found


def column_index(name: str, header: Sequence[str]) -> int:
    """The index of a column: of the same name, else of the only name that differs in case alone.

    Raises:
        ConditionError: there is no such column, or more than one.
    """
    found = [index for index, column in enumerate(header) if column == name]
    found = found or [index for index, column in enumerate(header) if column.lower() == name.lower()]
    if len(found) == 1:
        return found[0]
    if found:
        numbers = " and ".join(str(index + 1) for index in found)
        raise ConditionError(
            f"The name {name!r} stands for several columns, number {numbers}; nothing was changed.",
            hint=f"Rename one of them first: insitu csv rename-column FILE --number {found[-1] + 1} NAME",
            column=name,
            columns=found,
        )
    import difflib

    near = difflib.get_close_matches(name, header, 3, 0.6) or list(header[:12])
    listed = ", ".join(map(repr, near)) or "none"
    raise ConditionError(
        f"There is no column {name!r}; nothing was changed.",
        hint=f"Columns: {listed}. Texts stand in single quotes: '{name}'.",
        column=name,
        candidates=near,
    )
