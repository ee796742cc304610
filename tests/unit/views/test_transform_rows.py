"""Rows passed through a function: cells, rows dropped and added, context, and nothing else."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import insitu
from insitu.errors import AmbiguousError, FormatError, FunctionError, RequestError

FILE = b'id,name,note\r\n1,ann,"a, b"\r\n2,"bob",x\n3,"c ""d""",\r\n4,eve,last'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_bytes(FILE)
    return path


def by_rows(path: Path, function: Any, **options: Any) -> bytes:
    insitu.transform(path, function, by="rows", **options)
    return path.read_bytes()


def test_cells_that_change_keep_their_quotes(path: Path) -> None:
    def change(row: dict[str, str]) -> dict[str, str]:
        row["name"] = row["name"].upper()
        if row["id"] == "4":
            row["note"] = "with, comma"
        return row

    expected = FILE.replace(b"ann", b"ANN").replace(b"bob", b"BOB").replace(b'c ""d""', b'C ""D""')
    assert by_rows(path, change) == expected.replace(b"eve,last", b'EVE,"with, comma"')


def test_rows_that_come_back_as_they_were_change_nothing(path: Path) -> None:
    receipt = insitu.transform(path, lambda row: dict(reversed(row.items())), by="rows")
    assert receipt.operation == 0
    assert insitu.transform(path, lambda row: [row], by="rows").operation == 0


def test_rows_are_dropped_and_added(path: Path) -> None:
    def change(row: dict[str, str]) -> Any:
        if row["id"] == "1":
            return None
        if row["id"] == "2":
            return [row, {"id": "2b", "name": "n,m"}]
        return [{"id": "3b"}, row] if row["id"] == "4" else row

    assert by_rows(path, change) == (
        b'id,name,note\r\n2,"bob",x\n2b,"n,m",\n3,"c ""d""",\r\n3b,,\r\n4,eve,last'
    )


def test_the_function_sees_the_rows_around(path: Path) -> None:
    seen = []

    def look(row: dict[str, str], context: Any) -> dict[str, str]:
        ids = [[one["id"] for one in rows] for rows in (context.before, context.after)]
        seen.append((context.number, FILE[context.offset :][:2], row["id"], *ids))
        return row

    by_rows(path, look, context=2)
    assert seen == [
        (1, b"1,", "1", [], ["2", "3"]),
        (2, b"2,", "2", ["1"], ["3", "4"]),
        (3, b"3,", "3", ["1", "2"], ["4"]),
        (4, b"4,", "4", ["2", "3"], []),
    ]


@pytest.mark.parametrize(
    "returned", ["text", 5, {"id": 5}, {"other": "x"}, [{"id": 1}], ["text"], {"id": None}]
)
def test_what_is_no_row_is_refused_with_its_place(path: Path, returned: Any) -> None:
    def change(row: dict[str, str]) -> Any:
        if row["id"] != "3":
            return row
        return {**row, **returned} if isinstance(returned, dict) else returned

    with pytest.raises(FunctionError, match=r"row 3, at byte 38") as caught:
        by_rows(path, change)
    assert caught.value.facts["row"] == 3 and path.read_bytes() == FILE


def test_a_function_that_fails_names_the_row(path: Path) -> None:
    with pytest.raises(FunctionError, match="row 1, at byte 14") as caught:
        by_rows(path, lambda row: row["no such column"])
    assert "KeyError" in caught.value.facts["traceback"] and path.read_bytes() == FILE


def test_several_processes_and_doubtful_files_are_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="one process"):
        by_rows(path, lambda row: row, workers=2)
    doubtful = tmp_path / "doubtful.csv"
    doubtful.write_bytes(b"a,b;c\n1\n2;3,4\n")
    with pytest.raises(AmbiguousError):
        by_rows(doubtful, lambda row: row)


def test_a_cell_that_a_short_row_lacks_cannot_be_set(tmp_path: Path) -> None:
    path = tmp_path / "ragged.csv"
    path.write_bytes(b"a,b\n1,2\n3,4\n5\n")
    with pytest.raises(FormatError, match="Row 3"):
        by_rows(path, lambda row: {**row, "b": "x"})


@given(
    st.lists(st.lists(st.text('ab,"\n ', max_size=4), min_size=2, max_size=2), min_size=1, max_size=6),
    st.data(),
)
def test_rows_are_those_of_pythons_csv_module(tmp_path_factory, rows: list[list[str]], data) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([["x", "y"], *rows])
    path.write_bytes(text.getvalue().encode())
    fates = data.draw(st.lists(st.sampled_from("kdct"), min_size=len(rows), max_size=len(rows)))
    left = iter(fates)

    def change(row: dict[str, str]) -> Any:
        match next(left):
            case "k":
                return row
            case "d":
                return None
            case "c":
                return {**row, "y": row["y"] + "!"}
            case _:
                return [row, {"x": "new", "y": row["x"]}]

    expected: list[list[str]] = []
    for row, fate in zip(rows, fates, strict=True):
        expected += {"k": [row], "d": [], "c": [[row[0], row[1] + "!"]], "t": [row, ["new", row[0]]]}[fate]
    assert list(csv.reader(io.StringIO(by_rows(path, change).decode(), newline=""))) == [
        ["x", "y"],
        *expected,
    ]
