"""Columns of text as the frames of pandas, polars and pyarrow, and which cells a frame handed back changes.

Everything is handed out as text, so that nothing is reformatted by a round trip; numbers only where they
were asked for. What comes back may be text or numbers: a number changes a cell only where the cell's text
is not that number already.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from insitu.errors import RequestError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Column: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]

Library = Literal["pandas", "polars", "pyarrow"]
Number = type[int] | type[float]

LIBRARIES: Final = ("pandas", "polars", "pyarrow")

_WHOLE: Final = r"^[+-]?[0-9]+$"
_NUMBER: Final = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_WHOLE_TEXT: Final = re.compile(_WHOLE)


class Changes(NamedTuple):
    """Cells of one column that a frame changes: which rows of the chunk, ascending, and their new text."""

    rows: Column
    texts: list[str]


def check_library(library: str) -> Library:
    """The library of a name, once it can be loaded.

    Raises:
        RequestError: there is none of that name, or it is not installed.
    """
    from importlib.util import find_spec

    for known in LIBRARIES:
        if known == library:
            missing = [name for name in dict.fromkeys((library, "pyarrow")) if find_spec(name) is None]
            if missing:
                raise RequestError(
                    f"Frames of {library} need {' and '.join(missing)}, not installed here.",
                    hint="Install the extra: pip install 'insitu[frames]'",
                )
            return known
    raise RequestError(f"There are no frames of {library!r}.", hint=f"Known: {', '.join(LIBRARIES)}.")


def frame_of(columns: Mapping[str, pa.Array], library: Library, first: int) -> Any:
    """A frame of named columns of one length.

    Args:
        first: what the index of a pandas frame begins with: the row's index in the file.
    """
    import pyarrow as pa

    table = pa.table(dict(columns))
    if library == "pyarrow":
        return table
    if library == "polars":
        import polars as pl

        return pl.from_arrow(table)
    import pandas as pd

    frame = table.to_pandas()
    frame.index = pd.RangeIndex(first, first + table.num_rows)
    return frame


def columns_of(frame: Any, library: Library, names: Sequence[str], rows: range) -> dict[str, pa.Array]:
    """The columns of a frame that was handed back, by name.

    Args:
        names: the columns it was handed out with.
        rows: the indexes of the rows it was handed out with.

    Raises:
        RequestError: it is no frame of that library, has other rows or columns, or values that are
            neither text nor numbers.
    """
    _check_kind(frame, library)
    found = list(frame.column_names if library == "pyarrow" else frame.columns)
    if added := [name for name in found if name not in names]:
        raise RequestError(
            f"The frame has a column more, {added[0]!r}; nothing was changed.",
            hint="Only cells are taken from a frame. Columns are added with: insitu csv add-column FILE NAME",
        )
    if dropped := [name for name in names if name not in found]:
        raise RequestError(
            f"The frame lacks the column {dropped[0]!r}; nothing was changed.",
            hint="Only cells are taken from a frame: leave it in. Columns are dropped with: "
            f"insitu csv drop-column FILE {dropped[0]!r}",
        )
    if len(frame) != len(rows) or not _same_rows(frame, library, rows):
        raise RequestError(
            f"The frame of the rows {rows.start + 1:,} to {rows.stop:,} came back with {len(frame):,} rows"
            f"{' in another order' if len(frame) == len(rows) else ''}; nothing was changed.",
            hint="Only cells are taken from a frame. Rows are deleted with: insitu csv delete FILE --where "
            "CONDITION, and added with: insitu csv append FILE --values ROW",
        )
    return {name: _array_of(frame, library, name) for name in names}


def _check_kind(frame: Any, library: Library) -> None:
    kind = type(frame)
    fits = kind.__module__.partition(".")[0] == library
    if not fits or kind.__name__ not in ("DataFrame", "Table"):
        raise RequestError(
            f"A {kind.__module__}.{kind.__name__} was handed back instead of a frame of {library}; "
            "nothing was changed."
        )


def _same_rows(frame: Any, library: Library, rows: range) -> bool:
    """Whether the rows are where they were; only pandas tells, by its index."""
    if library != "pandas":
        return True
    import pandas as pd

    return bool(frame.index.equals(pd.RangeIndex(rows.start, rows.stop)))


def _array_of(frame: Any, library: Library, name: str) -> pa.Array:
    """One column as an array of text or numbers."""
    import pyarrow as pa

    try:
        match library:
            case "pandas":
                array = pa.array(frame[name], from_pandas=True)
            case "polars":
                array = frame.get_column(name).to_arrow()
            case "pyarrow":
                array = frame.column(name)
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
        if _is_text(kind):
            return array.cast(pa.large_string())
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            return array.cast(kind)
    except pa.ArrowException:
        kind = "a mixture of types"
    raise RequestError(
        f"The column {name!r} of the frame holds {kind}, neither text nor numbers; nothing was changed.",
        hint="How they are to be written is for you to say: hand text back, as "
        f"frame[{name!r}].astype(str) makes it.",
    )


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    types = pa.types
    return any(
        is_(kind) for is_ in (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
    )


def numbers_of(texts: pa.Array, number: Number) -> pa.Array:
    """A column of text as numbers; what is empty or missing is null.

    Raises:
        ValueError: a cell holds something else; its row in the chunk and its text are the arguments.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    trimmed = pc.utf8_trim_whitespace(texts)
    trimmed = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.large_string()), trimmed)
    fits = pc.match_substring_regex(trimmed, _WHOLE if number is int else _NUMBER)
    bad = pc.index(fits, False).as_py()
    if bad >= 0:
        raise ValueError(bad, texts[bad].as_py())
    plain = pc.replace_substring_regex(trimmed, r"^\+", "")
    kind = pa.int64() if number is int else pa.float64()
    try:
        return plain.cast(kind)
    except pa.ArrowInvalid:
        limit = 1 << 63
        bad = next(i for i, text in enumerate(plain.to_pylist()) if not -limit <= int(text or 0) < limit)
        raise ValueError(bad, texts[bad].as_py()) from None


def changes(old: pa.Array, new: pa.Array) -> Changes:
    """Which cells of a column differ, and their new texts.

    Args:
        old: what the cells hold, as text; null where that is nothing.
        new: text or numbers; null is an empty cell. In a column of numbers, a null leaves a cell alone
            that holds no number.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    held = pc.fill_null(old, "")
    if pa.types.is_large_string(new.type):
        wanted = pc.fill_null(new, "")
        rows = _indexes(pc.not_equal(held, wanted))
        return Changes(rows, wanted.take(pa.array(rows)).to_pylist())
    rows = _indexes(_other_number(pc.utf8_trim_whitespace(held), new))
    taken = pa.array(rows)
    values = new.take(taken)
    texts = map(
        _written,
        values.to_numpy(zero_copy_only=False),
        values.is_null().to_pylist(),
        held.take(taken).to_pylist(),
    )
    return Changes(rows, list(texts))


def _other_number(held: pa.Array, new: pa.Array) -> pa.Array:
    """Where a cell does not hold the number already, as a mask."""
    import pyarrow as pa
    import pyarrow.compute as pc

    none = pa.scalar(None, pa.large_string())
    if pa.types.is_floating(new.type):
        new = pc.if_else(pc.is_nan(new), pa.scalar(None, new.type), new)
    is_number = pc.match_substring_regex(held, _NUMBER)
    plain = pc.if_else(is_number, pc.replace_substring_regex(held, r"^\+", ""), none)
    number = plain.cast(pa.float64())
    same = pc.equal(
        number.cast(new.type) if new.type == pa.float32() else number, new.cast(pa.float64(), safe=False)
    )
    if pa.types.is_integer(new.type):
        # Beyond 2**53 whole numbers are not told apart by their floats.
        whole = pc.match_substring_regex(held, _WHOLE)
        digits = pc.replace_substring_regex(plain, r"^(-?)0+([0-9])", r"\1\2")
        digits = pc.replace_substring_regex(digits, r"^-0$", "0")
        same = pc.if_else(whole, pc.equal(digits, new.cast(pa.large_string())), same)
    # Null where the cell holds no number, or none is wanted.
    differs = pc.invert(pc.fill_null(same, False))
    return pc.and_(differs, pc.or_(is_number, pc.is_valid(new)))


def _written(value: Any, null: bool, held: str) -> str:
    """A number as the cell's new text: whole ones as whole where the cell held a whole one."""
    if null or isnan(value):
        return ""
    if float(value).is_integer() and _WHOLE_TEXT.match(held.strip()):
        return str(int(value))
    return str(value)


def _indexes(mask: pa.Array) -> Column:
    import numpy as np
    import pyarrow.compute as pc

    return np.asarray(pc.indices_nonzero(mask), np.int64)
