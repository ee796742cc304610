"""``insitu records``: reading, setting, appending and deleting records of one size."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from tests.cli.running import folder_state, run

DTYPE = "id:<u4, price:<f8, name:S5, pos:(2,)<i2"
FORMAT = "<Id5shh"
COUNT = 10


def record(number: int, price: float | None = None, name: bytes | None = None) -> bytes:
    name = b"n%d" % number if name is None else name
    return struct.pack(FORMAT, number, number / 2 if price is None else price, name, number, -number)


@pytest.fixture
def ticks(tmp_path: Path) -> Path:
    path = tmp_path / "ticks.bin"
    path.write_bytes(b"HEAD" + b"".join(record(number) for number in range(1, COUNT + 1)))
    return path


def laid_out(path: Path) -> tuple[object, ...]:
    return path, "--dtype", DTYPE, "--offset", "4"


def object_of(number: int) -> dict[str, object]:
    return {"id": number, "price": number / 2, "name": f"n{number}", "pos": [number, -number]}


def test_records_are_read_as_json_lines(ticks: Path) -> None:
    done = run("records", "read", *laid_out(ticks), "--records", "2-4")
    assert [json.loads(line) for line in done.out.splitlines()] == [object_of(n) for n in (2, 3, 4)]
    assert run("records", "read", *laid_out(ticks), "--records", "9-", "--field", "id").out == b"9\n10\n"
    assert run("records", "read", *laid_out(ticks), "--field", "id").out.count(b"\n") == COUNT
    found = run("records", "read", *laid_out(ticks), "--records", "-2", "--json").json
    assert (found["first"], found["records"]) == (1, [object_of(1), object_of(2)])


def test_one_value_is_printed_as_it_is(ticks: Path) -> None:
    assert run("records", "get", *laid_out(ticks), "--records", "3", "--field", "name").out == b"n3\n"
    assert run("records", "get", *laid_out(ticks), "--records", "3", "--field", "price").out == b"1.5\n"
    assert run("records", "get", *laid_out(ticks), "--records", "3", "--json").json["value"] == object_of(3)
    assert run("records", "get", *laid_out(ticks), "--records", "3-4").code == 2


def test_records_are_counted(ticks: Path) -> None:
    assert run("records", "count", *laid_out(ticks)).out == b"10\n"
    found = run("records", "count", *laid_out(ticks), "--json").json
    assert (found["records"], found["record_bytes"], found["fields"][0]) == (COUNT, 21, "id")


def test_a_field_is_set_in_one_record_or_many(ticks: Path) -> None:
    done = run("records", "set", *laid_out(ticks), "--records", "3", "--field", "price", "--value", "-9.5")
    assert done.code == 0
    assert "set price of record 3, operation 1" in done.err
    run("records", "set", *laid_out(ticks), "--records", "9-", "--field", "name", "--value", "77")
    expected = [record(number) for number in range(1, COUNT + 1)]
    expected[2], expected[8], expected[9] = record(3, -9.5), record(9, name=b"77"), record(10, name=b"77")
    assert ticks.read_bytes() == b"HEAD" + b"".join(expected)
    run("undo", ticks)
    run("undo", ticks)
    assert ticks.read_bytes() == b"HEAD" + b"".join(record(number) for number in range(1, COUNT + 1))


def test_whole_records_and_some_of_their_fields_are_set(ticks: Path) -> None:
    run("records", "set", *laid_out(ticks), "--records", "1", "--value", '[7, 1, "seven", [1, 2]]')
    run("records", "set", *laid_out(ticks), "--records", "2", "--value", '{"id": 8, "price": "NaN"}')
    assert ticks.read_bytes()[4:25] == struct.pack(FORMAT, 7, 1, b"seven", 1, 2)
    second = json.loads(run("records", "read", *laid_out(ticks), "--records", "2").out)
    assert second == {**object_of(2), "id": 8, "price": "NaN"}


def test_what_is_expected_has_to_be_there(ticks: Path) -> None:
    arguments = ("records", "set", *laid_out(ticks), "--field", "price", "--value", "0")
    before = folder_state(ticks.parent)
    refused = run(*arguments, "--records", "2-3", "--expect", "1")
    assert refused.code == 3
    assert "Record 3 has 1.5, not 1.0; nothing was changed" in refused.err
    assert folder_state(ticks.parent)[ticks.name] == before[ticks.name]
    assert run(*arguments, "--records", "2", "--expect", "1").code == 0


def test_a_dry_run_names_the_records_and_changes_nothing(ticks: Path) -> None:
    before = ticks.read_bytes()
    done = run(
        "records", "set", *laid_out(ticks), "--records", "2-3", "--field", "id", "--value", "1", "--dry-run"
    )
    assert b"would set id of records 2-3" in done.out
    assert b"byte 25" in done.out
    assert ticks.read_bytes() == before


def test_records_are_appended_and_deleted(ticks: Path) -> None:
    value = json.dumps(object_of(11))
    run("records", "append", *laid_out(ticks), "--value", value, "--value", '[12, 6, "n12", [12, -12]]')
    done = run("records", "append", *laid_out(ticks), "-", stdin=json.dumps(object_of(13)).encode() + b"\n\n")
    assert "appended 1 record" in done.err
    assert "deleted records 2-12" in run("records", "delete", *laid_out(ticks), "--records", "2-12").err
    assert ticks.read_bytes() == b"HEAD" + record(1) + record(13)
    run("records", "delete", *laid_out(ticks), "--records", "1-")
    assert run("records", "read", *laid_out(ticks)).out == b""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("read", "--records", "5-11"), "no record 11"),
        (("read", "--records", "0"), "count from 1"),
        (("read", "--records", "5-3"), "reversed"),
        (("read", "--records", "x"), "not of the form"),
        (("read", "--field", "prise"), "The fields are: id, price, name, pos."),
        (
            ("set", "--records", "1", "--field", "price", "--value", "dear"),
            "Field price: 'dear'",
        ),
        (("set", "--records", "1", "--field", "name", "--value", "too long"), "at most 5 bytes"),
        (("set", "--records", "1", "--value", '{"id": '), "is no JSON"),
        (("set", "--records", "11", "--field", "id", "--value", "1"), "no record 11"),
        (("append",), "--value"),
        (("append", "--value", '{"id": 1}'), "no price, name, pos"),
    ],
)
def test_bad_requests_say_what_is_wrong(ticks: Path, arguments: tuple[str, ...], said: str) -> None:
    before = ticks.read_bytes()
    done = run("records", arguments[0], *laid_out(ticks), *arguments[1:])
    assert done.code == 2
    assert said in done.err
    assert ticks.read_bytes() == before


def test_a_layout_that_does_not_divide_the_size_is_refused_with_the_numbers(ticks: Path) -> None:
    done = run("records", "count", ticks, "--dtype", DTYPE)
    assert done.code == 2
    assert "214 bytes" in done.err
    assert "records of 21 bytes: 4 are left over" in done.err
    assert "offset 4 would fit" in done.err
