"""``insitu csv``: every command on one small file of every difficulty; what is said, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from insitu.cli.commands.csv import csv
from tests.cli.running import folder_state, run

HEADER, ONE, TWO, THREE, FOUR = (
    b"id,status,value,note\r\n",
    b'1,pending,1500,"x, y"\n',
    b"2,done,20,\r\n",
    b'3,"pending",7,"line\nbreak"\n',
    b"4,pending,2000,z",
)
FILE = HEADER + ONE + TWO + THREE + FOUR
WHERE = ("--where", "status = 'pending' and value > 1000")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_bytes(FILE)
    return path


READ: dict[str, tuple[list[str], bytes]] = {
    "columns": (["columns"], b"1  id\n2  status\n3  value\n4  note\n"),
    "count": (["count"], b"4\n"),
    "count where": (["count", *WHERE], b"2\n"),
    "count empty ones": (["count", "--where", "note is null", "--null-empty"], b"1\n"),
    "count without a header": (["count", "--no-header"], b"5\n"),
    "head": (["head", "-n", "1"], HEADER + ONE),
    "head of nothing": (["head", "-n", "0"], HEADER),
    "head of more": (["head"], FILE),
    "filter": (["filter", *WHERE], HEADER + ONE + FOUR),
    "filter some": (["filter", *WHERE, "--max", "1"], HEADER + ONE),
    "filter none": (["filter", "--where", "value < 0"], HEADER),
    "a row": (["read", "--rows", "3"], THREE),
    "rows": (["read", "--rows", "2-3"], TWO + THREE),
    "rows to the end": (["read", "--rows", "3-"], THREE + FOUR),
    "rows from the start": (["read", "--rows", "-2"], ONE + TWO),
    "cells": (["read", "--rows", "1-3", "--column", "note"], b"x, y\n\nline\nbreak\n"),
}


@pytest.mark.parametrize("name", READ)
def test_what_is_read_is_written_as_it_is(path: Path, name: str) -> None:
    (command, *rest), expected = READ[name]
    done = run("csv", command, path, *rest)
    assert (done.code, done.out, done.err) == (0, expected, "")
    assert path.read_bytes() == FILE


def test_info_shows_the_dialect_and_its_doubts(path: Path) -> None:
    facts = run("csv", "info", path, "--json").json
    assert {name: facts[name] for name in ("delimiter", "quote", "escape", "header", "doubts")} == {
        "delimiter": ",",
        "quote": '"',
        "escape": None,
        "header": True,
        "doubts": [],
    }
    assert facts["columns"] == ["id", "status", "value", "note"]
    told = run("csv", "info", path, "--delimiter", "tab", "--quote", "none", "--no-header", "--json").json
    assert (told["delimiter"], told["quote"], told["header"]) == ("\t", None, False)
    assert b"delimiter" in run("csv", "info", path).out


JSON: dict[str, tuple[list[str], dict[str, Any]]] = {
    "count": (["count", *WHERE], {"count": 2, "where": WHERE[1]}),
    "columns": (["columns"], {"columns": ["id", "status", "value", "note"]}),
    "head": (["head", "-n", "1"], {"rows": [{"row": 1, "cells": ["1", "pending", "1500", "x, y"]}]}),
    "filter": (
        ["filter", "--where", "id = 3"],
        {"rows": [{"row": 3, "cells": ["3", "pending", "7", "line\nbreak"]}]},
    ),
    "rows": (["read", "--rows", "2"], {"rows": [{"row": 2, "cells": ["2", "done", "20", ""]}]}),
    "cells": (
        ["read", "--rows", "2-3", "--column", "id"],
        {"column": "id", "rows": [{"row": 2, "text": "2"}, {"row": 3, "text": "3"}]},
    ),
}


@pytest.mark.parametrize("name", JSON)
def test_json_holds_the_same(path: Path, name: str) -> None:
    (command, *rest), expected = JSON[name]
    found = run("csv", command, path, *rest, "--json").json
    assert found["path"] == str(path)
    assert {key: found[key] for key in expected} == expected


EDITS: dict[str, tuple[list[str], bytes, str]] = {
    "set by row": (
        ["set", "--row", "2", "--column", "status", "open"],
        FILE.replace(b"done", b"open"),
        "row 2",
    ),
    "set in quotes": (
        ["set", "--row", "3", "--column", "status", "a"],
        FILE.replace(b'"pending"', b'"a"'),
        "row 3",
    ),
    "set what needs quotes": (
        ["set", "--row", "4", "--column", "note", 'a,"b'],
        FILE[:-1] + b'"a,""b"',
        "row 4",
    ),
    "set by key": (["set", "--key", "id=2", "--column", "note", "n"], FILE.replace(b"20,", b"20,n"), "row 2"),
    "set as expected": (
        ["set", "--row", "1", "--column", "note", "n", "--expect", "x, y"],
        FILE.replace(b"x, y", b"n"),
        "row 1",
    ),
    "update": (
        ["update", *WHERE, "--set", "status=a=b", "--set", "note="],
        HEADER + b'1,a=b,1500,""\n' + TWO + THREE + b"4,a=b,2000,",
        "updated 4 cells",
    ),
    "update all": (
        ["update", "--all", "--set", "value=1"],
        HEADER + b'1,pending,1,"x, y"\n2,done,1,\r\n3,"pending",1,"line\nbreak"\n4,pending,1,z',
        "4 cells",
    ),
    "update a known number": (
        ["update", *WHERE, "--set", "id=0", "--expect-count", "2"],
        FILE.replace(b"\n1,", b"\n0,").replace(b"\n4,", b"\n0,"),
        "2 cells",
    ),
    "delete where": (["delete", *WHERE], HEADER + TWO + THREE, "deleted"),
    "delete rows": (["delete", "--rows", "2-3"], HEADER + ONE + FOUR, "rows 2 to 3"),
    "delete by key": (["delete", "--key", "id=3"], HEADER + ONE + TWO + FOUR, "row 3"),
    "insert before": (
        ["insert", "--before-row", "2", "--values", '{"id": 9, "note": "a, b"}'],
        HEADER + ONE + b'9,,,"a, b"\n' + TWO + THREE + FOUR,
        "inserted 1 row before row 2",
    ),
    "insert after": (
        ["insert", "--after-row", "2", "--values", "9,new,1,n", "--values", '["10", "new", null, "m"]'],
        HEADER + ONE + TWO + b"9,new,1,n\r\n10,new,,m\r\n" + THREE + FOUR,
        "inserted 2 rows after row 2",
    ),
    "append": (["append", "--values", '9,new,1,"a, b"'], FILE + b'\r\n9,new,1,"a, b"\r\n', "appended 1 row"),
    "add a column": (
        ["add-column", "cur", "--value", "EUR", "--before", "note"],
        b'id,status,value,cur,note\r\n1,pending,1500,EUR,"x, y"\n2,done,20,EUR,\r\n'
        b'3,"pending",7,EUR,"line\nbreak"\n4,pending,2000,EUR,z',
        "'cur'",
    ),
    "drop a column": (
        ["drop-column", "value"],
        FILE.replace(b",value", b"")
        .replace(b",1500", b"")
        .replace(b",20,", b",")
        .replace(b",7,", b",")
        .replace(b",2000", b""),
        "'value'",
    ),
    "drop a column by number": (
        ["drop-column", "--number", "4"],
        b'id,status,value\r\n1,pending,1500\n2,done,20\r\n3,"pending",7\n4,pending,2000',
        "'4'",
    ),
    "rename a column": (["rename-column", "id", "the id"], FILE.replace(b"id", b"the id"), "'the id'"),
    "move a column": (
        ["move-column", "note", "--before", "id"],
        b'note,id,status,value\r\n"x, y",1,pending,1500\n,2,done,20\r\n'
        b'"line\nbreak",3,"pending",7\nz,4,pending,2000',
        "'note'",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_edits_change_what_was_asked_for_and_are_undone(path: Path, name: str) -> None:
    (command, *rest), expected, words = EDITS[name]
    done = run("csv", command, path, *rest)
    assert (done.code, done.out) == (0, b""), done.err
    assert path.read_bytes() == expected
    assert words in done.err
    assert "operation 1" in done.err
    assert run("undo", path).code == 0
    assert path.read_bytes() == FILE


@pytest.mark.parametrize("name", EDITS)
def test_a_dry_run_shows_diff_and_plan_and_changes_nothing(path: Path, name: str) -> None:
    (command, *rest), _, _ = EDITS[name]
    before = folder_state(path.parent)
    done = run("csv", command, path, *rest, "--dry-run")
    assert done.code == 0, done.err
    assert b"--- " in done.out
    assert b"\nplan: " in done.out
    assert "nothing was changed" in done.err
    assert folder_state(path.parent) == before
    assert run("csv", command, path, *rest, "--dry-run", "--json").json["dry_run"] is True


def test_a_dry_run_names_rows_and_cells(path: Path) -> None:
    done = run("csv", "update", path, *WHERE, "--set", "status=new", "--dry-run")
    assert done.out.startswith(b"row 1 column status\nrow 4 column status\n--- ")
    places = run("csv", "delete", path, "--where", "value < 1000", "--dry-run", "--json").json["places"]
    assert places == [{"row": 2, "to": 3}]
    header = run("csv", "rename-column", path, "id", "x", "--dry-run", "--json").json["places"]
    assert header == [{"row": 0, "column": "id"}]


REFUSED: dict[str, tuple[list[str], int, str]] = {
    "an unknown column in a condition": (["update", "--where", "statsu = 1", "--set", "id=1"], 2, "'statsu'"),
    "a condition that does not parse": (["delete", "--where", "status = = 1"], 2, "does not parse"),
    "an unknown column to set": (["update", "--all", "--set", "nope=1"], 2, "'nope'"),
    "no rows to update": (["update", "--set", "id=1"], 2, "--where CONDITION or --all"),
    "no pair": (["update", "--all", "--set", "id"], 2, "COLUMN=VALUE"),
    "one column twice": (["update", "--all", "--set", "id=1", "--set", "id=2"], 2, "set twice"),
    "another number of rows": (
        ["update", *WHERE, "--set", "id=1", "--expect-count", "3"],
        3,
        "2 rows instead of the 3",
    ),
    "no such number": (["delete", "--where", "id = 9", "--expect-count", "1"], 1, "0 rows instead of the 1"),
    "a row past the end": (["set", "--row", "5", "--column", "id", "1"], 2, "no row 5 in"),
    "rows past the end": (["read", "--rows", "4-9"], 2, "no row 9 in"),
    "rows reversed": (["read", "--rows", "3-2"], 2, "is reversed"),
    "row nought": (["read", "--rows", "0"], 2, "count from 1"),
    "no rows at all": (["read", "--rows", "x"], 2, "not of the form"),
    "a place past the end": (["insert", "--after-row", "5", "--values", "1,2,3,4"], 2, "no row 5 in"),
    "no place": (["insert", "--values", "1,2,3,4"], 2, "Give one place"),
    "neither row nor key": (["set", "--column", "id", "1"], 2, "--row N or --key"),
    "a key that is not there": (["set", "--key", "id=9", "--column", "id", "1"], 1, "'9' in column 'id'"),
    "a key of several rows": (
        ["set", "--key", "status=pending", "--column", "id", "1"],
        3,
        "--row 1\n  --row 3\n",
    ),
    "another cell than expected": (
        ["set", "--row", "1", "--column", "id", "2", "--expect", "3"],
        3,
        'has "1" in column',
    ),
    "too few values": (["append", "--values", "1,2"], 2, "2 cells"),
    "values that are no cells": (["append", "--values", "[1, [2]]"], 2, "cannot be a cell"),
    "values that are no JSON": (["append", "--values", "[1,"], 2, "no JSON"),
    "two rows in one": (["append", "--values", "1,2,3,4\n1,2,3,4"], 2, "once for each row"),
    "a column that is there": (["add-column", "note"], 2, "'note' already"),
    "a number that is none": (["drop-column", "--number", "x"], 2, "no number"),
    "a delimiter of two characters": (["count", "--delimiter", "::"], 2, "not one character"),
    "another generation": (
        ["update", "--all", "--set", "id=1", "--if-generation", "0-0-0-0"],
        3,
        "generation",
    ),
    "two ways to name rows": (["delete", "--rows", "1", "--where", "id = 1"], 2, "Give the rows"),
    "a count without a condition": (["delete", "--rows", "1", "--expect-count", "1"], 2, "goes with --where"),
    "a character that cannot be written": (
        ["set", "--row", "1", "--column", "id", "\u20ac", "--encoding", "latin-1"],
        2,
        "U+20AC",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_requests_say_what_and_change_nothing(path: Path, name: str) -> None:
    (command, *rest), code, words = REFUSED[name]
    done = run("csv", command, path, *rest)
    assert (done.code, done.out) == (code, b""), done.err
    assert words in done.err
    assert path.read_bytes() == FILE


BROKEN: dict[str, tuple[bytes, list[str], str]] = {
    "a quote never closed": (b'a,b\n1,"x\n2,3\n', ["update", "--all", "--set", "a=9"], "never closed"),
    "a misplaced quote": (
        b'a,b\n1,"x"y\n2,3\n',
        ["update", "--all", "--set", "a=9", "--strict"],
        "misplaced quote",
    ),
    "a short row": (b"a,b\n1\n2,3\n", ["update", "--all", "--set", "b=9"], "Row 1, at byte 4, is too short"),
    "names that are the same": (b"a,a\n1,2\n", ["update", "--all", "--set", "a=9"], "several columns"),
    "an empty file": (b"", ["add-column", "x"], ""),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_with_a_file_is_named_and_left_alone(tmp_path: Path, name: str) -> None:
    data, (command, *rest), words = BROKEN[name]
    path = tmp_path / "broken.csv"
    path.write_bytes(data)
    done = run("csv", command, path, *rest)
    assert done.code in (2, 3), done.err
    assert words in done.err
    assert path.read_bytes() == data


def test_a_row_too_short_can_be_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ragged.csv"
    path.write_bytes(b"a,b\n1\n2,3\n")
    assert run("csv", "update", path, "--all", "--set", "b=9", "--skip-short").code == 0
    assert path.read_bytes() == b"a,b\n1\n2,9\n"


def test_an_edit_of_a_known_generation_goes_through(path: Path) -> None:
    token = run("info", path, "--json").json["generation"]
    done = run("csv", "update", path, "--all", "--set", "id=7", "--if-generation", token)
    assert done.code == 0, done.err
    assert path.read_bytes().count(b"\n7,") == 4


def test_the_receipt_is_in_the_json(path: Path) -> None:
    receipt = run("csv", "update", path, *WHERE, "--set", "id=7", "--json").json["receipt"]
    assert (receipt["splices"], receipt["operation"]) == (2, 1)


@pytest.mark.parametrize("name", csv.commands)
def test_every_command_has_an_example_and_describes_its_options(name: str) -> None:
    text = run("csv", name, "--help").out.decode()
    assert f"insitu csv {name}" in text
    assert "crash" in text
    assert "--json" in text
    options = [option for option in csv.commands[name].params if isinstance(option, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_the_group_lists_its_commands() -> None:
    text = run("csv", "--help").out.decode()
    assert [name for name in csv.commands if name not in text] == []


def test_errors_are_objects_with_json(path: Path) -> None:
    done = run("csv", "set", path, "--key", "status=pending", "--column", "id", "1", "--json")
    problem = json.loads(done.out)["error"]
    assert (problem["code"], problem["exit_code"]) == ("ambiguous", 3)
    assert problem["facts"]["candidates"] == ["--row 1", "--row 3", "--row 4"]


@pytest.mark.parametrize(
    ("dialect", "data", "values", "row"),
    [
        (["--quote", "'"], b"id;n\n1;'a;b'\n", "3;'x;y'", b"3;'x;y'\n"),
        (["--quote", "none", "--escape", "\\"], b"id;n\n1;a\\;b\n", "3;x\\;y", b"3;x\\;y\n"),
        ([], b"id;n\n1;a\n", '3;"x;y"', b'3;"x;y"\n'),
    ],
)
def test_cells_of_a_new_row_are_read_as_the_file_writes_them(
    path: Path, dialect: list[str], data: bytes, values: str, row: bytes
) -> None:
    path.write_bytes(data)
    done = run("csv", "append", path, *dialect, "--delimiter", ";", "--values", values)
    assert (done.code, path.read_bytes()) == (0, data + row), done.err


def test_a_doubt_about_what_ends_rows_can_be_settled(path: Path) -> None:
    path.write_bytes(b"id,n\n1,x\ry\n2,z\n")
    command = ["csv", "set", path, "--key", "id=2", "--column", "n", "q"]
    refused = run(*command)
    assert (refused.code, "--row-ends" in refused.err) == (3, True)
    assert run(*command, "--row-ends", "lf").code == 0
    assert path.read_bytes() == b"id,n\n1,x\ry\n2,q\n"
    assert run("csv", "count", path, "--row-ends", "any").out == b"3\n"


def test_what_to_look_at_can_be_looked_at(path: Path) -> None:
    path.write_bytes(b'id,n\n1,"open\n2,x\n')
    refused = run("csv", "count", path)
    assert refused.code == 2
    assert "insitu read FILE --bytes 5: | head -c 200" in refused.err
    assert run("read", path, "--bytes", "5:").out == b'1,"open\n2,x\n'
