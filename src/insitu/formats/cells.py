"""Cells: one column of a batch of rows, as the bytes it is written in.

What a scanner of CSV rows or JSON records hands to a condition: no value is decoded before somebody asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    Bytes: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]
    Column: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
    Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]

Kind = Literal["csv", "json"]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """One value per row: ``data[starts[i] : stops[i]]``, as it is written.

    Invariant: ``starts <= stops``; a missing value is empty.
    """

    data: Bytes
    starts: Column
    stops: Column
    quoted: Mask | None = None
    """Where the value stands in quotes, which ``starts`` and ``stops`` leave out; None: nowhere."""
    missing: Mask | None = None
    """Where the row has no such value at all; None: nowhere."""
    kind: Kind = "csv"
    """How quoted text is written: doubled quotes, or JSON's escapes. What JSON writes without quotes is a
    number, ``true``, ``false``, ``null``, an array or an object; in CSV it is text."""
    quote: bytes = b'"'
    escape: bytes | None = None
    """CSV only: the byte that takes the next one for what it is; None: quotes are doubled."""

    def __len__(self) -> int:
        return len(self.starts)

    def raw(self, index: int) -> bytes:
        """The bytes of one value, as they are written."""
        return bytes(self.data[self.starts[index] : self.stops[index]])
