"""Frames of CSV rows: only the cells that a frame changes are written, as they were written."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

import insitu
from insitu import carry_out
from insitu.errors import ConditionError, FunctionError, LimitError, RequestError, StaleError, TextError
from insitu.formats.csv_dialect import Dialect
from insitu.views import csv_frames
from insitu.views.csv_frames import CsvFrames, FrameOptions, Frames
from insitu.views.frame_text import LIBRARIES

FILE = (
    b'id,"status",value,note\r\n001,"pen""ding",1.50,"x, y"\r\n2,done,007,\n3,"done",,"line\nbreak"\r\n'
    b"\n4,short\n5,pending,NA,last"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "f.csv"
    path.write_bytes(FILE)
    return path


@pytest.fixture
def document(path: Path) -> Iterator[insitu.Document]:
    with insitu.open(path) as document:
        yield document
        document.discard()


def content(document: insitu.Document) -> bytes:
    return document.read(0, document.size)


def set_cell(library: Any, frame: Any, column: str, key: str, value: str | None) -> Any:
    """Sets the cells of a column where the id is ``key``."""
    if library == "pandas":
        frame.loc[frame["id"] == key, column] = value
        return frame
    if library == "polars":
        then = pl.when(pl.col("id") == key).then(pl.lit(value, pl.String)).otherwise(pl.col(column))
        return frame.with_columns(then.alias(column))
    mask = pc.fill_null(pc.equal(frame.column("id"), key), False)
    new = pc.if_else(mask, pa.scalar(value, pa.large_string()), frame.column(column))
    return frame.set_column(frame.column_names.index(column), column, new)


def to_pandas(library: Any, frame: Any) -> pd.DataFrame:
    return frame if library == "pandas" else frame.to_pandas()


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("rows", [1, 2, 100])
def test_frames_hold_the_texts_and_changing_nothing_changes_nothing(
    document: insitu.Document, library: Any, rows: int
) -> None:
    chunks = list(Frames(document, Dialect(), FrameOptions(library, rows)))
    assert [len(chunk) for chunk in chunks] == [rows] * (6 // rows) + [6 % rows] * (6 % rows > 0)
    assert [at for chunk in chunks for at in chunk.rows] == list(range(6))
    whole = pd.concat([to_pandas(library, chunk.frame) for chunk in chunks])
    cells = [[None if pd.isna(cell) else cell for cell in row] for row in whole.itertuples(index=False)]
    assert cells == [
        ["001", 'pen"ding', "1.50", "x, y"],
        ["2", "done", "007", ""],
        ["3", "done", "", "line\nbreak"],
        [None, None, None, None],
        ["4", "short", None, None],
        ["5", "pending", "NA", "last"],
    ]
    assert not document.changed


@pytest.mark.parametrize("library", LIBRARIES)
def test_only_cells_that_differ_are_written_each_as_it_was(document: insitu.Document, library: Any) -> None:
    for chunk in Frames(document, Dialect(), FrameOptions(library, rows=2)):
        frame = set_cell(library, chunk.frame, "status", "001", 'do"ne')
        frame = set_cell(library, frame, "value", "2", "7,5")
        frame = set_cell(library, frame, "note", "3", None)
        chunk.frame = set_cell(library, frame, "status", "5", "done")
    expected = FILE.replace(b'pen""ding', b'do""ne').replace(b"007", b'"7,5"')
    expected = expected.replace(b'"line\nbreak"', b'""').replace(b"pending", b"done")
    assert content(document) == expected
    document.undo()
    assert content(document) == expected.replace(b"done,NA", b"pending,NA")


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_mass_edit_makes_the_same_of_a_file(path: Path, library: Any) -> None:
    edit = CsvFrames(
        lambda frame: set_cell(library, frame, "status", "5", "a,b"), FrameOptions(library, rows=4)
    )
    assert carry_out(path, edit).splices == 1
    assert path.read_bytes() == FILE.replace(b"pending", b'"a,b"')


def test_a_mass_edit_may_change_the_frame_in_place(path: Path) -> None:
    def change(frame: pd.DataFrame) -> None:
        frame["note"] = frame["note"].str.upper()

    assert carry_out(path, CsvFrames(change, FrameOptions(columns=["note"]))).splices == 3
    assert path.read_bytes() == FILE.replace(b"x, y", b"X, Y").replace(
        b"line\nbreak", b"LINE\nBREAK"
    ).replace(b"last", b"LAST")


def test_numbers_are_parsed_on_request_and_written_only_where_they_differ(path: Path) -> None:
    path.write_bytes(b"a,b\n1.50,x\n007,y\n,z\n3,w\n")

    def double_small(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(pl.when(pl.col("a") < 5).then(pl.col("a") * 2).otherwise(pl.col("a")))

    carry_out(path, CsvFrames(double_small, FrameOptions("polars", types={"a": float})))
    assert path.read_bytes() == b"a,b\n3.0,x\n007,y\n,z\n6,w\n"


def test_a_cell_that_is_no_number_is_named(document: insitu.Document) -> None:
    with pytest.raises(RequestError, match="Row 6 has 'NA' in column 'value', which is no number"):
        list(Frames(document, Dialect(), FrameOptions(types={"value": float})))


def test_a_loop_that_is_left_keeps_what_was_saved(document: insitu.Document) -> None:
    frames = Frames(document, Dialect(), FrameOptions(rows=1))
    for chunk in frames:
        chunk.frame["id"] = "x"
        if chunk.rows.start == 1:
            break
    assert content(document) == FILE.replace(b"001", b"x")
    assert frames.save() == 1
    assert frames.save() == 0
    assert content(document) == FILE.replace(b"001", b"x").replace(b"\n2,", b"\nx,")


def test_pending_edits_are_seen_and_kept(document: insitu.Document) -> None:
    document.replace(b"done", b"over and done")
    before = content(document)
    for chunk in Frames(document, Dialect(), FrameOptions("pandas", rows=2)):
        chunk.frame.loc[chunk.frame["status"] == "over and done", "status"] = "d"
    assert content(document) == before.replace(b"over and done", b"d") == FILE.replace(b"done", b"d")


def test_a_document_edited_meanwhile_is_refused(document: insitu.Document) -> None:
    frames = Frames(document, Dialect(), FrameOptions(rows=2))
    chunk = next(frames)
    document.insert(0, b"x")
    chunk.frame["id"] = "y"
    with pytest.raises(StaleError, match="edited otherwise"):
        next(frames)
    assert content(document) == b"x" + FILE


def test_too_many_pending_cells_are_refused(
    document: insitu.Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_frames, "PENDING_MAX", 2)
    frames = Frames(document, Dialect(), FrameOptions(rows=3))
    next(frames).frame["id"] = "y"
    with pytest.raises(LimitError, match="too many to keep pending"):
        next(frames)


REFUSED: dict[str, tuple[Callable[[pd.DataFrame], Any], str]] = {
    "a row dropped": (lambda frame: frame.drop(index=0), "came back with 5 rows"),
    "rows sorted": (lambda frame: frame.sort_values("id", ascending=False), "in another order"),
    "a column added": (lambda frame: frame.assign(more="x"), "a column more, 'more'"),
    "a column dropped": (lambda frame: frame[["id"]], "lacks the column 'status'"),
    "a cell of a short row": (lambda frame: frame.assign(note="x"), "Row 4 is too short"),
    "truth values": (lambda frame: frame.assign(note=True), "holds bool"),
    "another library's frame": (pl.from_pandas, "instead of a frame of pandas"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_change_of_cells_leaves_the_file_alone(path: Path, name: str) -> None:
    change, words = REFUSED[name]
    with pytest.raises(RequestError, match=words) as raised:
        carry_out(path, CsvFrames(change, FrameOptions()))
    assert "nothing was changed" in raised.value.message
    assert path.read_bytes() == FILE


def test_a_function_that_fails_is_named_with_the_rows(path: Path) -> None:
    def fail(frame: pd.DataFrame) -> None:
        if "5" in set(frame["id"]):
            raise KeyError("boom")
        frame["id"] = "x"

    with pytest.raises(FunctionError, match=r"the rows 4 to 6: KeyError\('boom'\)") as raised:
        carry_out(path, CsvFrames(fail, FrameOptions(rows=3, columns=["id"])))
    assert "in fail" in raised.value.facts["traceback"]
    assert path.read_bytes() == FILE


@pytest.mark.parametrize("library", LIBRARIES)
def test_bytes_that_are_no_text_survive_and_are_not_lost_in_a_change(path: Path, library: Any) -> None:
    path.write_bytes(b"id,a\n1,\xff\xe9\n2,x\n")
    change = CsvFrames(lambda frame: set_cell(library, frame, "a", "2", "y"), FrameOptions(library))
    carry_out(path, change, encoding="utf-8")
    assert path.read_bytes() == b"id,a\n1,\xff\xe9\n2,y\n"
    lost = CsvFrames(lambda frame: set_cell(library, frame, "a", "1", "y"), FrameOptions(library))
    with pytest.raises(TextError, match="Row 1 holds bytes in column 'a'"):
        carry_out(path, lost, encoding="utf-8")


def test_other_encodings_are_read_and_written(path: Path) -> None:
    path.write_bytes("id,a\n1,h\u00e9\n2,\u00fc\n".encode("latin-1"))

    def change(frame: pd.DataFrame) -> None:
        frame["a"] = frame["a"].str.replace("h", "\u00e0")

    carry_out(path, CsvFrames(change, FrameOptions()), encoding="latin-1")
    assert path.read_bytes() == "id,a\n1,\u00e0\u00e9\n2,\u00fc\n".encode("latin-1")


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (lambda: FrameOptions("dask"), RequestError),
        (lambda: FrameOptions(rows=0), RequestError),
        (lambda: FrameOptions(types={"id": bool}), RequestError),
        (lambda: FrameOptions(columns=["no"]), ConditionError),
        (lambda: FrameOptions(types={"no": int}), ConditionError),
    ],
)
def test_what_there_is_not_is_refused(
    document: insitu.Document, asked: Callable[[], FrameOptions], error: type[Exception]
) -> None:
    with pytest.raises(error):
        Frames(document, Dialect(), asked())


def test_long_rows_make_smaller_chunks(document: insitu.Document, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_frames, "CHUNK_BYTES", 50)
    chunks = list(Frames(document, Dialect(), FrameOptions(rows=100)))
    assert sum(len(chunk) for chunk in chunks) == 6


CELLS = st.text('ab,"\n\\\r', max_size=4)


@pytest.mark.slow
@given(
    st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2), CELLS), max_size=4),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from([Dialect(), Dialect(escape=b"\\")]),
    st.integers(1, 4),
)
def test_cells_changed_in_frames_are_what_the_csv_module_reads_back(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, str]],
    sets: list[tuple[int, int, str]],
    quoting: Any,
    dialect: Dialect,
    size: int,
) -> None:
    doubled = dialect.escape is None
    style: dict[str, Any] = {"doublequote": doubled, "escapechar": None if doubled else "\\"}
    buffer = io.StringIO(newline="")
    csv.writer(buffer, quoting=quoting, **style).writerows([("a", "b", "c"), *rows])
    path = tmp_path_factory.mktemp("frames") / "f.csv"
    path.write_bytes(buffer.getvalue().encode())
    expected = [list(row) for row in rows]
    with insitu.open(path) as document:
        for chunk in Frames(document, dialect, FrameOptions(rows=size)):
            for row, column, text in sets:
                if row in chunk.rows:
                    chunk.frame.iloc[row - chunk.rows.start, column] = text
                    expected[row][column] = text
        edited = content(document).decode()
        document.discard()
    read = list(csv.reader(io.StringIO(edited, newline=""), strict=True, **style))
    assert read[1:] == expected
