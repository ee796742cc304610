"""What a frame that was handed back changes: cell by cell, by text or by number."""

from __future__ import annotations

from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from insitu.errors import RequestError
from insitu.views.frame_text import LIBRARIES, changes, check_library, columns_of, frame_of, numbers_of

NUMBERS = ["1", "007", "1.50", "x", "", None, " 5 ", "+3", "-0", "9007199254740993", "NaN", "1e3"]


def text(*values: str | None) -> pa.Array:
    return pa.array(values, pa.large_string())


def back(frame: Any, library: Any, names: str = "ab", rows: range = range(10, 13)) -> dict[str, pa.Array]:
    return columns_of(frame, library, list(names), rows)


COLUMNS = {"a": text("1", "", "3"), "b": text("x", None, "z")}


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_is_handed_back_as_it_was_changes_nothing(library: Any) -> None:
    columns = {"a": text(*NUMBERS), "b": text(*"abcdefghijkl")}
    frame = frame_of(columns, library, 5)
    found = back(frame, library, rows=range(5, 5 + len(NUMBERS)))
    for name, old in columns.items():
        assert changes(old, found[name]).texts == []


def test_a_pandas_frame_is_indexed_by_the_rows_of_the_file() -> None:
    assert list(frame_of(COLUMNS, "pandas", 10).index) == [10, 11, 12]


def test_changed_texts_are_found_in_order() -> None:
    found = changes(text("a", "b", None, "", "e"), text("a", "B", None, "D", None))
    assert (found.rows.tolist(), found.texts) == ([1, 3, 4], ["B", "D", ""])


def test_nothing_and_an_empty_text_are_the_same_cell() -> None:
    assert changes(text(None, "", None), text("", None, None)).texts == []


SAME_NUMBERS: dict[str, list[Any]] = {
    "whole": [1, 7, None, None, None, None, 5, 3, 0, 9007199254740993, None, 1000],
    "floats": [1.0, 7.0, 1.5, None, None, None, 5.0, 3.0, 0.0, 9007199254740992.0, float("nan"), 1000.0],
}


@pytest.mark.parametrize("name", SAME_NUMBERS)
def test_a_number_that_a_cell_holds_already_keeps_its_text(name: str) -> None:
    old, new = text(*NUMBERS), pa.array(SAME_NUMBERS[name])
    kept = [at for at, value in enumerate(SAME_NUMBERS[name]) if value is not None]
    assert set(kept).isdisjoint(changes(old, new).rows.tolist())


NEW_NUMBERS: dict[str, tuple[str | None, Any, pa.DataType, str | None]] = {
    "a whole number": ("7", 8, pa.int64(), "8"),
    "a whole float over a whole number": ("7", 8.0, pa.float64(), "8"),
    "a float over a whole number": ("7", 7.5, pa.float64(), "7.5"),
    "a whole float over a float": ("7.5", 8.0, pa.float64(), "8.0"),
    "a number over text": ("x", 1, pa.int64(), "1"),
    "a number over nothing": ("", 1.0, pa.float64(), "1.0"),
    "nothing over a number": ("7", None, pa.int64(), ""),
    "not a number over a number": ("7", float("nan"), pa.float64(), ""),
    "nothing over text": ("n/a", None, pa.float64(), None),
    "beyond the floats": ("9007199254740993", 9007199254740992, pa.int64(), "9007199254740992"),
    "beyond int64": ("1", 1 << 63, pa.uint64(), "9223372036854775808"),
    "half precision": ("0.1", 0.2, pa.float32(), "0.2"),
    "half precision, the same": ("0.1", 0.1, pa.float32(), None),
    "leading zeros": ("-007", -7, pa.int64(), None),
    "negative nought": ("-0", 0, pa.int64(), None),
}


@pytest.mark.parametrize("name", NEW_NUMBERS)
def test_a_number_is_written_as_the_cell_is(name: str) -> None:
    old, value, kind, expected = NEW_NUMBERS[name]
    assert changes(text(old), pa.array([value], kind)).texts == ([] if expected is None else [expected])


REFUSED: dict[str, tuple[Any, Any, str]] = {
    "a column more": ("pandas", lambda frame: frame.assign(c=1), "a column more, 'c'"),
    "a column less": ("pandas", lambda frame: frame.drop(columns="b"), "lacks the column 'b'"),
    "a row less": ("pandas", lambda frame: frame.iloc[:2], "came back with 2 rows"),
    "rows in another order": ("pandas", lambda frame: frame.iloc[::-1], "in another order"),
    "truths": ("pandas", lambda frame: frame.assign(a=True), "holds bool"),
    "times": ("pandas", lambda frame: frame.assign(a=pd.Timestamp(0)), "neither text nor numbers"),
    "a mixture": ("pandas", lambda frame: frame.assign(a=["1", 2, None]), "a mixture of types"),
    "another library's": ("polars", lambda frame: frame.to_pandas(), "instead of a frame of polars"),
    "no frame": ("pandas", lambda frame: 1, "builtins.int"),
    "a polars row less": ("polars", lambda frame: frame.head(1), "came back with 1 rows"),
    "a polars column more": ("polars", lambda frame: frame.with_columns(c=pl.lit(1)), "a column more, 'c'"),
    "a pyarrow column less": ("pyarrow", lambda frame: frame.drop_columns(["a"]), "lacks the column 'a'"),
    "pyarrow lists": (
        "pyarrow",
        lambda frame: frame.set_column(0, "a", pa.array([[1], [2], [3]])),
        "neither text nor numbers",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_change_of_cells_is_refused(name: str) -> None:
    library, change, words = REFUSED[name]
    with pytest.raises(RequestError, match=words):
        back(change(frame_of(COLUMNS, library, 10)), library)


def test_columns_in_another_order_and_categories_are_taken() -> None:
    frame = frame_of(COLUMNS, "pandas", 10)
    frame["a"] = frame["a"].astype("category")
    found = back(frame[["b", "a"]], "pandas")
    assert {name: array.to_pylist() for name, array in found.items()} == {
        "a": ["1", "", "3"],
        "b": ["x", None, "z"],
    }


def test_a_column_can_be_had_as_numbers() -> None:
    assert numbers_of(text("1", " 2 ", "", None, "+4", "-007"), int).to_pylist() == [1, 2, None, None, 4, -7]
    assert numbers_of(text("1", ".5", "1e3", "2.", ""), float).to_pylist() == [1, 0.5, 1000, 2, None]


@pytest.mark.parametrize(
    ("texts", "number", "where"),
    [(["1", "x"], int, (1, "x")), (["1.5"], int, (0, "1.5")), (["", "1" * 20], int, (1, "1" * 20)),
     (["1", "1,5"], float, (1, "1,5"))],
)  # fmt: skip
def test_what_is_no_number_is_named(texts: list[str], number: Any, where: tuple[int, str]) -> None:
    with pytest.raises(ValueError) as error:
        numbers_of(text(*texts), number)
    assert error.value.args == where


def test_an_unknown_library_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RequestError) as error:
        check_library("dask")
    assert "pandas, polars, pyarrow" in error.value.hint


def test_a_library_that_is_not_installed_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RequestError) as error:
        check_library("polars")
    assert "polars and pyarrow" in error.value.message
    assert "insitu[frames]" in error.value.hint
