"""``insitu outline``: the columns, keys and sections of a file, by its format; and ``info`` and ``index``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import folder_state, run

TABLE = b'id;name;note\n1;"a; b";\n2;"two\nlines";x\n3;c;2026-03-14\n4;d;\n'
RECORDS = b'{"id": 1, "user": {"name": "Ada"}}\n\n{"id": 2.5, "tags": ["a"]}\n'
PAGE = b"---\ntitle: x\n---\n\n# One\n\ntext\n\n```\n# no\n```\n\n## Two\n\n# One\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "table.csv").write_bytes(TABLE)
    (tmp_path / "records.jsonl").write_bytes(RECORDS)
    (tmp_path / "data.json").write_bytes(
        b'{"a/b": {"c": 1}, "list": [1, 2], "text": "x", "twice": 1, "twice": 2}'
    )
    (tmp_path / "array.json").write_bytes(b'[{"id": 1}, {"id": "x"}]')
    (tmp_path / "page.md").write_bytes(PAGE)
    (tmp_path / "plain.txt").write_bytes(b"just text\n" * 5)
    return tmp_path


def test_columns_of_a_table_come_with_the_kinds_of_their_values(folder: Path) -> None:
    done = run("outline", folder / "table.csv")
    assert [line.split() for line in done.out.decode().splitlines()] == [
        ["1", "id", "integer", "1"],
        ["2", "name", "text", "a;", "b"],
        ["3", "note", "empty", "50", "%,", "text", "25", "%,", "date", "25", "%", "x"],
    ]
    assert "delimiter ';'" in done.err
    found = run("outline", folder / "table.csv", "--json").json
    assert (found["format"], found["rows_sampled"], found["more"]) == ("csv", 4, False)
    assert found["columns"][0] == {"number": 1, "name": "id", "kinds": {"integer": 4}, "example": "1"}


def test_keys_of_records_are_pointers(folder: Path) -> None:
    found = run("outline", folder / "records.jsonl", "--json").json
    assert found["format"] == "jsonl"
    assert {key["name"]: key["kinds"] for key in found["keys"]} == {
        "/id": {"integer": 1, "number": 1},
        "/user/name": {"text": 1},
        "/tags": {"array of text": 1},
    }
    assert b"/user/name  text" in run("outline", folder / "records.jsonl").out


def test_a_torn_last_record_is_left_out_and_a_broken_one_named(folder: Path) -> None:
    path = folder / "records.jsonl"
    path.write_bytes(RECORDS + b'{"id": 3, "na')
    assert run("outline", path, "--json").json["records_sampled"] == 2
    path.write_bytes(RECORDS + b"{broken\n" + RECORDS)
    done = run("outline", path, "--format", "jsonl")
    assert done.code == 2
    assert "Record 4" in done.err


def test_keys_of_a_document_say_what_stands_under_them(folder: Path) -> None:
    keys = run("outline", folder / "data.json", "--json").json["keys"]
    assert [(key["pointer"], key["kind"], key["count"]) for key in keys[:3]] == [
        ("/a~1b", "object", 1),
        ("/list", "array", 2),
        ("/text", "text", None),
    ]
    assert keys[1]["span"] == [26, 32]
    assert "several times" in keys[3]["kind"]
    assert b"/list   array of 2 elements" in run("outline", folder / "data.json").out
    array = run("outline", folder / "array.json", "--json").json
    assert (array["elements"], array["keys"][0]["kinds"]) == (2, {"integer": 1, "text": 1})


def test_sections_come_with_their_lines_and_names_to_address_them_by(folder: Path) -> None:
    done = run("outline", folder / "page.md")
    assert [line.split() for line in done.out.decode().splitlines()] == [
        ["5", "#", "One", "35", "B"],
        ["13", "##", "Two", "8", "B"],
        ["15", "#", "One", "6", "B"],
    ]
    found = run("outline", folder / "page.md", "--json").json
    assert (found["format"], found["section_count"], found["unclosed_fence"]) == ("markdown", 3, None)
    second = found["sections"][1]
    assert (second["level"], second["line"], second["path"]) == (2, 13, ["One", "Two"])
    assert second["span"] == [len(PAGE) - 14, len(PAGE) - 6]
    assert run("md", "read", folder / "page.md", second["id"]).out == b"## Two\n\n"
    (folder / "page.md").write_bytes(PAGE + b"\n~~~\n# swallowed\n")
    assert "fence on line 17 is never closed" in run("outline", folder / "page.md").err


def test_no_more_is_listed_than_asked_for(folder: Path) -> None:
    done = run("outline", folder / "data.json", "--max", "2")
    assert done.out.count(b"\n") == 2
    assert "more keys than the 2 shown" in done.err
    assert run("outline", folder / "data.json", "--max", "0", "--json").json["more"] is False


def test_what_has_no_outline_is_refused_and_doubts_are_told(folder: Path) -> None:
    done = run("outline", folder / "plain.txt")
    assert done.code == 2
    assert "plain text" in done.err
    assert "--format" in done.err
    (folder / "misnamed.json").write_bytes(RECORDS)
    done = run("outline", folder / "misnamed.json")
    assert "taken for jsonl, but its name says json" in done.err
    assert b"/id" in done.out


def test_nothing_is_written(folder: Path) -> None:
    before = folder_state(folder)
    for name in ("table.csv", "records.jsonl", "data.json", "page.md"):
        assert run("outline", folder / name).code == 0
    assert folder_state(folder) == before


def test_info_names_the_format_and_its_doubt(folder: Path) -> None:
    assert run("info", folder / "table.csv", "--json").json["format"] == "csv"
    (folder / "misnamed.json").write_bytes(RECORDS)
    found = run("info", folder / "misnamed.json", "--json").json
    assert (found["format"], found["format_doubt"]) == ("jsonl", "its name says json")


def test_index_counts_the_rows_of_a_table_too(folder: Path) -> None:
    found = run("index", folder / "table.csv", "--json").json
    assert (found["lines"], found["rows"]) == (6, 4)
    assert "6 lines, 4 rows" in run("index", folder / "table.csv").err
    assert run("index", folder / "plain.txt", "--json").json["rows"] is None
    (folder / "broken.csv").write_bytes(b'id,name\n1,"never closed\n2,x\n3,y\n')
    assert json.loads(run("index", folder / "broken.csv", "--json").out)["rows"] is None
    large = folder / "large.csv"
    large.write_bytes(b"id,name\n" + b"".join(b'%d,"a\nb"\n' % number for number in range(500_000)))
    for _ in range(2):
        found = run("index", large, "--json").json
        assert (found["lines"], found["rows"]) == (1_000_001, 500_000)
    assert found["index_bytes"] > 0
