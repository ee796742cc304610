"""Updates, deletions, functions and queries over CSV: only the cells asked for, every other byte kept."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insitu import undo
from insitu.api.mass import carry_out, preview
from insitu.core.replacements import listed
from insitu.errors import (
    CancelledError,
    ConditionError,
    ExpectationError,
    FormatError,
    FunctionError,
    NoMatchError,
    RequestError,
    TextError,
)
from insitu.formats.csv_dialect import Dialect
from insitu.views.csv_apply import CsvApply
from insitu.views.csv_mass import CsvDelete, CsvUpdate
from insitu.views.csv_selection import count, header_of, matching
from insitu.views.streaming import MassEdit, Source
from insitu.views.text import Encoding
from tests.readers import BytesReader
from tests.unit.formats import csv_oracle


def source_of(data: bytes, encoding: str = "utf-8") -> Source:
    return Source(BytesReader(data), Encoding(encoding), "x.csv")


def edited(data: bytes, edit: MassEdit, encoding: str = "utf-8") -> bytes:
    """The data with the edit made; the edit is sorted, disjoint, and has no splice without effect."""
    splices = [one for batch in edit.batches(source_of(data, encoding)) for one in listed(batch)]
    assert all(left.stop <= right.start for (left, _), (right, _) in pairwise(splices))
    assert all(data[span.start : span.stop] != new for span, new in splices)
    pieces, at = [], 0
    for span, new in splices:
        pieces += [data[at : span.start], new]
        at = span.stop
    return b"".join((*pieces, data[at:]))


ORDERS = (
    b"id,status,value,note\r\n"
    b'1,pending,1500.5,"a ""quoted"", note"\r\n'
    b'2,"pending",2000,\r\n'
    b"3,shipped,5000,x\r\n"
    b'4,"pend""ing",9e9,"two\r\nlines"\r\n'
    b"5,pending,n/a,y\r\n"
    b"6,processed,1e4,z"
)

UPDATES: dict[str, tuple[CsvUpdate, list[tuple[bytes, bytes]]]] = {
    "what the issue promises": (
        CsvUpdate({"status": "processed"}, "status = 'pending' and value > 1000"),
        [(b"1,pending", b"1,processed"), (b'2,"pending"', b'2,"processed"')],
    ),
    "only what differs": (CsvUpdate({"status": "processed"}, "id = 6"), []),
    "however it is written": (CsvUpdate({"status": 'pend"ing'}, "id = 4"), []),
    "quotes only where the value needs them": (
        CsvUpdate({"status": 'a,"b"'}, "id IN (1, 2)"),
        [(b"1,pending", b'1,"a,""b"""'), (b'2,"pending"', b'2,"a,""b"""')],
    ),
    "several columns": (
        CsvUpdate({"note": "n", "id": "0"}, "status = 'shipped'"),
        [(b"3,shipped,5000,x", b"0,shipped,5000,n")],
    ),
    "nothing as an empty cell": (
        CsvUpdate({"note": None}, "id IN (2, 3, 4)"),
        [(b"5000,x", b"5000,"), (b'"two\r\nlines"', b'""')],
    ),
    "what was compared is set": (CsvUpdate({"value": "0"}, "value > 1e8"), [(b"9e9", b"0")]),
    "the last cell of a file without a last line end": (
        CsvUpdate({"note": "Z"}, "id = 6"),
        [(b"1e4,z", b"1e4,Z")],
    ),
    "names but for case": (CsvUpdate({"STATUS": "s"}, "ID = 3"), [(b"shipped", b"s")]),
    "what SQLite is asked": (
        CsvUpdate({"note": "odd"}, "id % 2 = 1 AND abs(id) > 2"),
        [(b",x\r", b",odd\r"), (b",y\r", b",odd\r")],
    ),
}


@pytest.mark.parametrize(("edit", "changes"), UPDATES.values(), ids=UPDATES)
def test_only_the_cells_asked_for_change(edit: CsvUpdate, changes: list[tuple[bytes, bytes]]) -> None:
    expected = ORDERS
    for old, new in changes:
        assert expected.count(old) == 1
        expected = expected.replace(old, new)
    assert edited(ORDERS, edit) == expected


def test_an_update_of_a_file_can_be_previewed_and_undone(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(ORDERS)
    edit = CsvUpdate({"status": "done"}, "status LIKE '%pend%'")
    assert preview(path, edit).splices == 4
    assert path.read_bytes() == ORDERS
    assert carry_out(path, edit).splices == 4
    assert path.read_bytes().count(b"done") == 4
    undo(path)
    assert path.read_bytes() == ORDERS


def test_a_row_without_the_cell_is_refused_by_its_place_or_skipped() -> None:
    data = b"a,b,c\n1,2,3\n4,5\n\n6,7,8\n"
    with pytest.raises(FormatError, match="Row 2, at byte 12, is too short to have a cell 'c'") as caught:
        edited(data, CsvUpdate({"c": "x"}))
    assert "insitu read FILE --bytes 12:" in caught.value.hint
    assert edited(data, CsvUpdate({"c": "x"}, short="skip")) == b"a,b,c\n1,2,x\n4,5\n\n6,7,x\n"
    assert edited(data, CsvUpdate({"c": None})) == b"a,b,c\n1,2,\n4,5\n\n6,7,\n"
    assert edited(data, CsvUpdate({"a": "x"})) == b"a,b,c\nx,2,3\nx,5\n\nx,7,8\n"


def test_a_file_of_one_column_never_gets_blank_lines() -> None:
    assert edited(b"a\n1\n\n", CsvUpdate({"a": ""})) == b'a\n""\n\n'
    assert edited(b"a\n1\n\n", CsvUpdate({"a": "2"})) == b"a\n2\n2\n"


def test_rows_are_deleted_with_their_line_ends() -> None:
    assert edited(ORDERS, CsvDelete("status = 'pending' OR id = 4")) == (
        b"id,status,value,note\r\n3,shipped,5000,x\r\n6,processed,1e4,z"
    )
    assert edited(b"a\n1\n2", CsvDelete("a = 2")) == b"a\n1\n"
    [batch] = CsvDelete("a < 3").batches(source_of(b"a\n1\n2\n3\n"))
    assert len(batch.starts) == 1


def test_exactly_as_many_rows_as_expected() -> None:
    assert edited(ORDERS, CsvUpdate({"note": "n"}, "id < 3", expect=2)) != ORDERS
    for edit in (
        CsvUpdate({"note": "n"}, "id < 3", expect=1),
        CsvDelete("id < 3", expect=3),
    ):
        with pytest.raises(ExpectationError, match="true of 2 rows"):
            edited(ORDERS, edit)
    with pytest.raises(NoMatchError):
        edited(ORDERS, CsvDelete("id = 99", expect=1))


REFUSED: dict[str, tuple[CsvUpdate, type[RequestError]]] = {
    "an unknown column in the condition": (CsvUpdate({"id": "1"}, "statsu = 'x'"), ConditionError),
    "an unknown column to set": (CsvUpdate({"statsu": "1"}), ConditionError),
    "no condition": (CsvUpdate({"id": "1"}, "id = "), ConditionError),
    "one column twice": (CsvUpdate({"id": "1", "ID": "2"}), RequestError),
    "what cannot be written": (
        CsvUpdate({"id": "a,b"}, dialect=Dialect(quote=None), where="id = 1"),
        TextError,
    ),
}


@pytest.mark.parametrize(("edit", "error"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(edit: CsvUpdate, error: type[RequestError]) -> None:
    with pytest.raises(error, match="nothing was changed"):
        edited(ORDERS, edit)


def test_a_value_that_the_encoding_cannot_hold_is_refused() -> None:
    with pytest.raises(TextError, match="U\\+20AC"):
        edited(b"a\n1\n", CsvUpdate({"a": "€"}), "latin-1")
    assert edited("a\né\n".encode("latin-1"), CsvUpdate({"a": "ü"}, "a = 'é'"), "latin-1") == b"a\n\xfc\n"


def test_names_of_a_file_without_a_header() -> None:
    dialect = Dialect(header=False, delimiter=b";")
    assert header_of(source_of(b"x;y;z\n", "utf-8"), dialect) == ("c1", "c2", "c3")
    assert edited(b"1;x\n2;y\n", CsvUpdate({"c2": "z"}, "c1 = 2", dialect)) == b"1;x\n2;z\n"


def test_a_header_of_any_width_and_spelling() -> None:
    names = [f"column {number}" for number in range(150)]
    assert header_of(source_of(",".join(names).encode()), Dialect()) == tuple(names)
    assert header_of(source_of(b'\xef\xbb\xbf"a ""b""",c\n1,2\n'), Dialect(bom=b"\xef\xbb\xbf")) == (
        'a "b"',
        "c",
    )
    assert header_of(source_of(b""), Dialect()) == ()


def test_a_function_gets_rows_and_says_what_they_are_to_be() -> None:
    seen: list[dict[str, str | None]] = []

    def function(row: dict[str, str | None]) -> dict[str, str | None] | None:
        seen.append(row)
        return (
            {**row, "note": (row["note"] or "").upper(), "value": None} if row["id"] in ("1", "3") else None
        )

    expected = ORDERS.replace(b'1500.5,"a ""quoted"", note"', b',"A ""QUOTED"", NOTE"').replace(
        b"5000,x", b",X"
    )
    assert edited(ORDERS, CsvApply(function, "id <> 6")) == expected
    assert [row["id"] for row in seen] == ["1", "2", "3", "4", "5"]
    assert seen[3] == {"id": "4", "status": 'pend"ing', "value": "9e9", "note": "two\r\nlines"}
    assert (
        edited(b"a,b\n1,2\n3\n", CsvApply(lambda row: {"a": f"{row['a']}{row['b']}"}))
        == b"a,b\n12,2\n3None\n"
    )


def test_a_function_that_fails_is_named_by_the_row() -> None:
    with pytest.raises(FunctionError, match=r"row 5, at byte \d+: KeyError\('x'\)"):
        edited(ORDERS, CsvApply(lambda row: row["x"] if row["id"] == "5" else None, columns=("id",)))
    for answer in ({"nowhere": "1"}, {"id": 1}):
        with pytest.raises(FunctionError, match="at row 1, at byte 22"):
            edited(ORDERS, CsvApply(lambda row, answer=answer: answer))
    with pytest.raises(FormatError, match="too short"):
        edited(b"a,b\n1\n", CsvApply(lambda row: {"b": "x"}))


def test_queries() -> None:
    source, dialect = source_of(ORDERS), Dialect()
    assert count(source, dialect) == 6
    assert count(source, dialect, "status = 'pending'") == 3
    assert count(source, dialect, "note IS NULL", null_empty=True) == 1
    [found] = matching(source, dialect, "id > 4")
    assert found.data == b"5,pending,n/a,y\r\n6,processed,1e4,z"
    assert found.numbers.tolist() == [4, 5]
    assert [ORDERS[a:b] for a, b in zip(found.starts, found.stops, strict=True)] == [
        b"5,pending,n/a,y\r\n",
        b"6,processed,1e4,z",
    ]
    [first] = matching(source, dialect, limit=2)
    assert first.data == ORDERS[22 : ORDERS.index(b"3,")]
    assert list(matching(source, dialect, limit=0)) == []
    assert list(matching(source, dialect, "id = 99")) == []


def test_work_can_be_cancelled() -> None:
    with pytest.raises(CancelledError):
        list(CsvUpdate({"id": "x"}).batches(source_of(ORDERS), cancel=lambda: True))


@pytest.mark.slow
def test_a_file_of_many_windows() -> None:
    rows = [
        f'{number},{("pending", "done")[number % 3 > 0]},"text, {"x" * (number % 90)}\n{number}"\n'
        for number in range(60_000)
    ]
    data = ("id,status,note\n" + "".join(rows)).encode()
    assert len(data) > 4 << 20
    source = source_of(data)
    where = "status = 'pending' AND id >= 30000 AND length(note) > 20"
    chosen = [
        number
        for number in range(30_000, 60_000)
        if number % 3 == 0 and len(f"text, {'x' * (number % 90)}\n{number}") > 20
    ]
    assert count(source, Dialect(), where) == len(chosen)
    expected = list(rows)
    for number in chosen:
        expected[number] = expected[number].replace(",pending,", ",much longer,")
    assert (
        edited(data, CsvUpdate({"status": "much longer"}, where))
        == ("id,status,note\n" + "".join(expected)).encode()
    )
    assert (
        b"".join(found.data for found in matching(source, Dialect(), where))
        == "".join(rows[number] for number in chosen).encode()
    )
    assert sum(len(found.numbers) for found in matching(source, Dialect(), where, limit=1234)) == 1234
    gone = set(chosen)
    left = [row for number, row in enumerate(rows) if number not in gone]
    assert edited(data, CsvDelete(where)) == ("id,status,note\n" + "".join(left)).encode()


def meant(data: bytes, cell: csv_oracle.Cell, dialect: Dialect) -> bytes:
    """What a cell says, character by character."""
    inside = data[cell.start + cell.quoted : cell.stop - cell.quoted]
    said, at = b"", 0
    while at < len(inside):
        byte = inside[at : at + 1]
        pair = byte == dialect.escape or (cell.quoted and byte == dialect.quote)
        at += 1 if pair and at + 1 < len(inside) else 0
        said += inside[at : at + 1]
        at += 1
    return said


def written(text: bytes, dialect: Dialect, quoted: bool) -> bytes:
    """How a value is written in place of a cell, quotes included."""
    quote, escape = dialect.quote, dialect.escape
    assert quote is not None
    special = [quote, dialect.delimiter, b"\r", b"\n", escape or quote]
    body = text
    if escape is not None:
        body = body.replace(escape, escape + escape)
    body = body.replace(quote, (escape or quote) + quote)
    return quote + body + quote if quoted or any(byte in text for byte in special) else text


dialects = st.builds(
    Dialect,
    delimiter=st.sampled_from([b",", b";"]),
    quote=st.sampled_from([b'"', b"'"]),
    escape=st.sampled_from([None, None, b"\\"]),
    lenient=st.just(True),
)
bodies = st.lists(st.sampled_from([*b"ab19,;\n\n\"\"''\\ \r"]), max_size=60).map(bytes)
cell_texts = st.text("ab1,;\"'\\\n ", max_size=4)


@pytest.mark.slow
@given(
    dialects, bodies, cell_texts, cell_texts, st.sampled_from(["x", "y", "z"]), st.sampled_from(["x", "y"])
)
@settings(max_examples=500)
def test_any_file_is_updated_as_if_by_hand(
    dialect: Dialect, body: bytes, sought: str, new: str, target: str, looked_at: str
) -> None:
    data = dialect.delimiter.join([b"x", b"y", b"z"]) + b"\n" + body
    read = csv_oracle.read(data, dialect)
    where = f"{looked_at} <> '{sought.replace(chr(39), chr(39) * 2)}'"
    edit = CsvUpdate({target: new}, where, dialect, short="skip")
    if not read.closed:
        with pytest.raises(RequestError, match="never closed"):
            edited(data, edit)
        return
    column, key = "xyz".index(target), "xyz".index(looked_at)
    expected = bytearray()
    at = 0
    chosen = []
    for number, row in enumerate(read.rows[1:]):
        if key < len(row.cells) and meant(data, row.cells[key], dialect) != sought.encode():
            chosen.append(number)
            if column < len(row.cells) and row.stop > row.start:
                cell = row.cells[column]
                if meant(data, cell, dialect) != new.encode():
                    expected += data[at : cell.start] + written(new.encode(), dialect, cell.quoted)
                    at = cell.stop
    expected += data[at:]
    assert edited(data, edit) == bytes(expected)
    if target != looked_at:
        assert edited(bytes(expected), edit) == bytes(expected)
    assert count(source_of(data), dialect, where) == len(chosen)
    kept = b"".join(
        data[row.start : row.end] for number, row in enumerate(read.rows[1:]) if number not in chosen
    )
    assert edited(data, CsvDelete(where, dialect)) == data[: read.rows[0].end] + kept


@given(dialects, bodies)
def test_a_function_that_changes_nothing_changes_no_byte(dialect: Dialect, body: bytes) -> None:
    data = dialect.delimiter.join([b"x", b"y", b"z"]) + b"\n" + body
    if csv_oracle.read(data, dialect).closed:
        assert edited(data, CsvApply(lambda row: row, dialect=dialect)) == data
        assert b"".join(found.data for found in matching(source_of(data), dialect)) == body
