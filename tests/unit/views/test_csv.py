"""``doc.csv()``: rows and cells read and edited, and every other byte left as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import insitu
from insitu.core.spans import Span
from insitu.document import Document
from insitu.errors import (
    AmbiguousError,
    ConditionError,
    FormatError,
    InsituError,
    RequestError,
    SpanError,
    TextError,
)
from insitu.views.csv import Csv

SAMPLE = b'id,status,note\r\n1,pending,"a, b"\r\n2,done,"say ""hi"""\r\n3,pending,plain'

Make = Callable[..., tuple[Document, Csv]]


@pytest.fixture
def opened(tmp_path: Path) -> Make:
    def make(data: bytes = SAMPLE, encoding: str | None = None, **dialect: Any) -> tuple[Document, Csv]:
        path = tmp_path / "f.csv"
        path.write_bytes(data)
        document = insitu.open(path, encoding=encoding)
        return document, document.csv(**dialect)

    return make


def content(document: Document) -> bytes:
    return document.read(0, document.size)


def test_rows_are_read_by_index_name_and_slice(opened: Make) -> None:
    _, table = opened()
    assert table.header == ("id", "status", "note")
    assert len(table) == 3
    assert dict(table[1]) == {"id": "2", "status": "done", "note": 'say "hi"'}
    assert (table[-1]["STATUS"], table[-1][2], table.cell(0, "note"), table.cell(0, -1)) == (
        *("pending", "plain", "a, b", "a, b"),
    )
    assert [row["id"] for row in table] == ["1", "2", "3"]
    assert [row.index for row in table[::-1]] == [2, 1, 0]
    assert [row["id"] for row in table[0:3:2]] == ["1", "3"]
    assert table[3:] == []
    assert "status" in table[0] and "other" not in table[0]


def test_spans_name_the_bytes_of_rows_and_cells(opened: Make) -> None:
    document, table = opened()
    assert document[slice(*table.span_of_row(0))] == b'1,pending,"a, b"\r\n'
    assert document[slice(*table.span_of_row(2))] == b"3,pending,plain"
    assert document[slice(*table.span_of_cell(1, "note"))] == b'"say ""hi"""'
    assert table.span_of_row(0).start == 16


@pytest.mark.parametrize(
    ("edit", "before", "after"),
    [
        (lambda t: t.set(0, "status", "done"), b"1,pending", b"1,done"),
        (lambda t: t.set(0, "note", "c"), b'"a, b"', b'"c"'),
        (lambda t: t.set(2, "note", "x, y"), b"plain", b'"x, y"'),
        (lambda t: t.set(2, "note", ""), b"pending,plain", b"pending,"),
        (lambda t: t.set(-2, 1, 'q"'), b"2,done", b'2,"q"""'),
        (lambda t: t.__setitem__(1, {"id": "9", "note": "n"}), b'2,done,"say ""hi"""', b'9,done,"n"'),
        (lambda t: t.__setitem__(0, ["7", "x", "y"]), b'1,pending,"a, b"', b'7,x,"y"'),
        (lambda t: t.__delitem__(0), b'1,pending,"a, b"\r\n', b""),
        (lambda t: t.__delitem__(slice(1, None)), b'2,done,"say ""hi"""\r\n3,pending,plain', b""),
        (lambda t: t.insert(1, ["5", "n", "m"]), b"\n2,", b'\n5,n,"m"\r\n2,'),
        (lambda t: t.insert(0, {"note": "m"}), b"\n1,", b'\n,,"m"\r\n1,'),
        (lambda t: t.append({"id": "4"}), b"plain", b"plain\r\n4,,\r\n"),
        (lambda t: t.extend([["4", "a", "b"], {"id": "5"}]), b"plain", b"plain\r\n4,a,b\r\n5,,\r\n"),
        (lambda t: t.insert(99, ["4", "a", "b,"]), b"plain", b'plain\r\n4,a,"b,"\r\n'),
    ],
)
def test_an_edit_changes_the_bytes_it_names_and_no_others(
    opened: Make, edit: Callable[[Csv], None], before: bytes, after: bytes
) -> None:
    document, table = opened()
    edit(table)
    assert SAMPLE.count(before) == 1
    assert content(document) == SAMPLE.replace(before, after)


def test_what_is_assigned_to_itself_changes_nothing(opened: Make) -> None:
    data = b'a,b\n"1", x \n\n,"",""""\n"q"r,s\n\xff\xfe,t'
    document, table = opened(data, "utf-8", lenient=True)
    for row in table:
        table[row.index] = row
        table[row.index] = list(row.cells)
        for column, text in enumerate(row.cells):
            table.set(row.index, column, text)
    assert not document.changed
    assert [row.cells for row in table] == [
        ("1", " x "), ("",), ("", "", '"'), ('"q"r', "s"), ("\udcff\udcfe", "t"),
    ]  # fmt: skip


def test_reads_see_edits_however_they_were_made(opened: Make) -> None:
    document, table = opened()
    table.set(1, "note", "two\nlines")
    assert [row["note"] for row in table] == ["a, b", "two\nlines", "plain"]
    table.insert(1, ["8", "new", ""])
    assert (len(table), table[2]["note"], table[3]["id"]) == (4, "two\nlines", "3")
    document.insert(16, b'"0\n","x","y"\r\n')
    assert (len(table), table[0]["id"], table[4]["id"]) == (5, "0\n", "3")
    document.undo()
    document.undo()
    assert (len(table), table[2]["id"]) == (3, "3")
    document.commit()
    assert (len(table), table[1]["note"]) == (3, "two\nlines")
    document.replace(b"status", b"state")
    assert table.header == ("id", "state", "note")


def test_many_edits_at_random_places_are_followed(opened: Make) -> None:
    _, table = opened(b"k,v\n" + b"".join(b'%d,"a\n%d"\n' % (n, n) for n in range(500)))
    rows = [[str(n), f"a\n{n}"] for n in range(500)]
    for step in range(120):
        at = step * 7919 % len(rows)
        match step % 4:
            case 0:
                table.set(at, "v", f"x\n{step}")
                rows[at][1] = f"x\n{step}"
            case 1:
                del table[at]
                del rows[at]
            case 2:
                table.insert(at, [f"n{step}", "y\n\ny"])
                rows.insert(at, [f"n{step}", "y\n\ny"])
            case _:
                assert list(table[at].cells) == rows[at]
    assert [list(row.cells) for row in table] == rows


def test_rows_are_found_by_the_text_of_a_cell(opened: Make) -> None:
    _, table = opened()
    assert [row.index for row in table.where_key("status", "pending")] == [0, 2]
    assert next(table.where_key("note", 'say "hi"'))["id"] == "2"
    assert list(table.where_key("id", "4")) == []
    table.set(1, "status", "pending")
    assert [row.index for row in table.where_key(1, "pending")] == [0, 1, 2]


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda t: t[3], SpanError, "There is no row 3; there are 3"),
        (lambda t: t[-4], SpanError, "There is no row -4"),
        (lambda t: t[0]["stats"], ConditionError, "no column 'stats'"),
        (lambda t: t.set(0, 7, "x"), RequestError, "no column 7; there are 3"),
        (lambda t: t.append(["1", "2"]), RequestError, "2 cells and the file 3 columns"),
        (lambda t: t.__setitem__(0, "abc"), RequestError, "not one text"),
        (lambda t: t.__setitem__(slice(0, 1), []), RequestError, "one by one"),
        (lambda t: t.append({"nope": "1"}), ConditionError, "no column 'nope'"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_changes(
    opened: Make, ask: Callable[[Csv], Any], error: type[InsituError], words: str
) -> None:
    document, table = opened()
    with pytest.raises(error, match=words):
        ask(table)
    assert not document.changed


def test_ragged_rows_have_the_cells_they_have(opened: Make) -> None:
    document, table = opened(b"a,b,c\n1\n1,2,3,4\n5,6,7\n8,9,0\n")
    assert (table[0].cells, dict(table[0]), table[0].get("b"), table[1][3]) == (("1",), {"a": "1"}, None, "4")
    with pytest.raises(FormatError, match=r"Row 1 has only 1 cell,.*'c'"):
        table[0]["c"]
    with pytest.raises(FormatError, match="Row 1 has only 1 cell"):
        table.set(0, "b", "x")
    table[0] = {"c": "x,"}
    assert content(document).startswith(b'a,b,c\n1,,"x,"\n1,2,3,4\n')


def test_names_that_stand_for_several_columns_are_refused(opened: Make) -> None:
    _, table = opened(b"a,b,a\n1,2,3\n")
    assert table[0].cells == ("1", "2", "3")
    with pytest.raises(ConditionError, match="several columns"):
        table[0]["a"]
    assert table[0][2] == "3"


def test_a_doubtful_dialect_is_read_but_not_written(opened: Make) -> None:
    document, table = opened(b"a,b;c\nd,e;f\n")
    assert len(table) == 1
    assert table.doubts
    for edit in (
        lambda: table.set(0, 0, "x"),
        lambda: table.append(["1", "2"]),
        lambda: table.__delitem__(0),
        lambda: table.__setitem__(0, ["x", "y"]),
    ):
        with pytest.raises(AmbiguousError, match="give delimiter="):
            edit()
    assert not document.changed
    table = document.csv(delimiter=";")
    table.set(0, "c", "x")
    assert content(document) == b"a,b;c\nd,e;x\n"


def test_files_without_header_or_content(opened: Make) -> None:
    document, table = opened(b"1,2\n3,4\n")
    assert (table.header, len(table), table[0]["c2"]) == (("c1", "c2"), 2, "2")
    table.append(["5", "6"])
    assert content(document) == b"1,2\n3,4\n5,6\n"
    document, table = opened(b"a,b")
    assert len(table) == 0
    table.append(["1", "2"])
    assert content(document) == b"a,b\n1,2\n"
    document, table = opened(b"", delimiter=",", header=False)
    table.append(["1", "2"])
    assert content(document) == b"1,2\n"
    document, table = opened(b"", delimiter=",", header=True)
    with pytest.raises(RequestError, match="no header"):
        table.append(["1"])


def test_marks_encodings_and_line_ends_stay_as_they_are(opened: Make) -> None:
    document, table = opened(b"\xef\xbb\xbfid,n\n1,\xc3\xa4\n")
    assert (table.header, table[0]["n"]) == (("id", "n"), "\xe4")
    table.append(["2", "\xf6"])
    assert content(document) == b"\xef\xbb\xbfid,n\n1,\xc3\xa4\n2,\xc3\xb6\n"
    document, table = opened(b"id,n\r1,\xe4\r", encoding="latin-1")
    table.append(["2", "\xf6"])
    assert content(document) == b"id,n\r1,\xe4\r2,\xf6\r"
    with pytest.raises(TextError):
        table.set(0, "n", "\u20ac")
    document, table = opened("id,n\n1,\u30bd\u8868\n".encode("shift_jis"), encoding="shift_jis")
    assert table[0]["n"] == "\u30bd\u8868"
    with pytest.raises(RequestError, match="half of a character"):
        opened("id|n\n1|\u30bd\u8868\n".encode("shift_jis"), encoding="shift_jis")
    with pytest.raises(RequestError, match="byte by byte"):
        opened("id,n\n".encode("utf-16"))


def test_an_unclosed_quote_is_named(opened: Make) -> None:
    _, table = opened(b'a,b\n1,2\n3,"4\n5,6\n')
    with pytest.raises(FormatError, match=r"Row 2, at byte 8, opens a quote that is never closed"):
        len(table)
    _, table = opened(b'a,b\n1,2\n3,"4\n5,6\n', quote="")
    assert table[1].cells == ("3", '"4')


def test_a_dialect_can_be_told(opened: Make) -> None:
    _, table = opened(
        b"a;'b;c'\n1;'2\\'3'\n", delimiter=";", quote="'", escape="\\", header=False, lenient=True
    )
    assert table[0].cells == ("a", "b;c")
    assert table[1].cells == ("1", "2'3")
    for bad in ({"newline": "\r\n"}, {"delimiter": "ab"}, {"delimiter": "\u00a7"}, {"quote": ","}):
        with pytest.raises(RequestError):
            opened(SAMPLE, **bad)


@pytest.mark.slow
def test_rows_of_a_large_file_are_iterated_in_windows(opened: Make) -> None:
    rows = [[str(n), "x" * (n % 900) + "\n"] for n in range(3000)]
    rows[1500][1] = "y\n" * 200_000
    data = b"k,v\n" + b"".join(b'%s,"%s"\n' % (k.encode(), v.encode()) for k, v in rows)
    _, table = opened(data)
    assert [list(row.cells) for row in table] == rows
    assert table.span_of_row(0) == Span(4, 10)
