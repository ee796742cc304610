"""Edits and questions of files whose row index is kept: when it spares splitting rows, and when not."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

import insitu
from insitu.engine.granules import GRANULE_BYTES
from insitu.engine.row_index import RowIndex
from insitu.errors import CancelledError, FormatError, StaleError
from insitu.formats.csv_dialect import Dialect
from insitu.views import csv_indexed
from insitu.views.csv_mass import CsvDelete, CsvUpdate
from insitu.views.csv_selection import Selection
from insitu.views.streaming import Source
from insitu.views.text import Encoding
from tests.readers import BytesReader

WHERE = "status = 'lost'"
ROWS = 120_000
LOST = range(500, ROWS, 70_000)
LONG_AGO_NS = 10**18


@cache
def data(lost: str = "lost") -> bytes:
    """Rows with line ends in quotes, a few of them lost, or gone; enough for an index to be kept."""
    rows = (
        b'%06d,%s,"a note\nof two lines, and one more"\n' % (number, b"lost" if number in LOST else b"paid")
        for number in range(ROWS)
        if lost != "gone" or number not in LOST
    )
    return b"id,status,note\n" + b"".join(rows)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with the index of its rows, unchanged for long."""
    path = tmp_path / "orders.csv"
    path.write_bytes(data())
    os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    with insitu.open(path, "r") as doc:
        assert len(doc.csv()) == ROWS
    return path


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each pass was spared the rows without the text."""
    seen: list[bool] = []
    known = csv_indexed._sparse

    def noting(*given: object) -> bool:
        seen.append(known(*given))
        return seen[-1]

    monkeypatch.setattr(csv_indexed, "_sparse", noting)
    return seen


def test_edits_split_only_what_holds_the_text(path: Path, passes: list[bool]) -> None:
    expected = data().replace(b",lost,", b",processed,")
    edit = CsvUpdate({"status": "processed"}, WHERE)
    receipt = insitu.carry_out(path, edit)
    assert (receipt.splices, path.read_bytes()) == (len(LOST), expected)
    assert insitu.carry_out(path, CsvDelete("status = 'processed'")).splices == len(LOST)
    assert path.read_bytes() == data("gone")
    assert passes == [True, True], "the index is carried over what was committed"


def test_questions_of_a_document_do_too(path: Path, passes: list[bool]) -> None:
    with insitu.open(path) as doc:
        table = doc.csv()
        assert table.count(WHERE) == len(LOST)
        assert [row.index for row in table.filter(WHERE)] == list(LOST)
        assert [row.index for row in table.where_key("id", "000500")] == [500]
        assert table.update({"status": "found, again"}, where=WHERE) == len(LOST)
        table.set(3, "status", "lost")
        assert [row.index for row in table.filter(WHERE)] == [3]
        assert table.count("status = 'found, again'") == len(LOST)
        doc.discard()
        assert table.count("note is null") == 0
    assert passes == [True] * 6


def test_the_error_for_a_row_names_it(path: Path, passes: list[bool]) -> None:
    with insitu.open(path) as doc:
        table = doc.csv()
        doc.replace_span(table.span_of_row(ROWS - 5), b"lost\n")
        with pytest.raises(FormatError, match=rf"Row {ROWS - 4:,}, .*'note'"):
            table.update({"note": "x"}, where="id = 'lost'")
        doc.discard()
    assert passes == [True]


def test_where_many_hold_the_text_every_row_is_split(path: Path, passes: list[bool]) -> None:
    with insitu.open(path, "r") as doc:
        assert doc.csv().count("status = 'paid'") == ROWS - len(LOST)
    assert passes == [False]


@pytest.mark.parametrize("every", [8, 16, 100])
def test_texts_that_come_back_at_a_period_are_few_all_the_same(every: int) -> None:
    reader = BytesReader(b"x,paid\n" * 40_000)
    step = len(reader.data) // every
    index = RowIndex.build(reader, Dialect(header=False), granule_bytes=64)
    for at in range(step // 2 // 7 * 7, len(reader.data), step // 7 * 7):
        reader.data = reader.data[:at] + b"x,lost\n" + reader.data[at + 7 :]
    assert csv_indexed._sparse(reader, index, (b"lost",))


@pytest.mark.parametrize("how", ["none", "other dialect", "changed", "small"])
def test_without_an_index_of_this_file_every_row_is_split(path: Path, passes: list[bool], how: str) -> None:
    dialect = Dialect()
    if how == "none":
        next(path.parent.glob(".insitu/*/rows.index")).unlink()
    elif how == "other dialect":
        dialect = Dialect(lenient=True)
    elif how == "changed":
        path.write_bytes(data().replace(b"000001,paid", b"000001,lost", 1).replace(b"paid", b"held", 9))
    else:
        path.write_bytes(b"".join(data().splitlines(keepends=True)[:2001]))
    expected = path.read_bytes().replace(b",lost,", b",processed,")
    insitu.carry_out(path, CsvUpdate({"status": "processed"}, WHERE, dialect))
    assert path.read_bytes() == expected
    assert passes == []


def test_rows_appended_since_are_seen(path: Path, passes: list[bool]) -> None:
    with path.open("ab") as file:
        file.write(b"9,lost,\n")
    insitu.carry_out(path, CsvUpdate({"status": "processed"}, WHERE))
    assert path.read_bytes() == data().replace(b",lost,", b",processed,") + b"9,processed,\n"
    assert passes == [True]


def test_an_index_that_somebody_made_wrong_is_refused_before_anything_is_changed(path: Path) -> None:
    at = data().index(b'"a note', data().index(b",lost,"))
    changed = data()[:at] + b"'" + data()[at + 1 :]
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"'")
    os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    with pytest.raises(StaleError, match="does not hold the rows"):
        insitu.carry_out(path, CsvUpdate({"status": "processed"}, WHERE))
    assert path.read_bytes() == changed


def test_it_reads_the_file_once_and_what_holds_the_text_again() -> None:
    reader = BytesReader(data())
    index = RowIndex.build(reader, Dialect())
    source = Source(reader, Encoding("utf-8"), "f.csv", lambda _: index)
    selection = Selection.of(source, Dialect(), WHERE)
    wanted = Dialect(), selection.columns, len, selection.sieve
    reader.read_bytes = 0
    passed = csv_indexed.indexed_rows(source, *wanted)
    assert passed is not None
    assert sum(passed) == len(LOST)
    again = 16 + 2 * len(LOST) + 1  # samples; a granule and the one before; the header
    assert reader.size <= reader.read_bytes <= reader.size + again * GRANULE_BYTES
    cancelled = csv_indexed.indexed_rows(source, *wanted, cancel=lambda: True)
    assert cancelled is not None
    with pytest.raises(CancelledError):
        list(cancelled)
