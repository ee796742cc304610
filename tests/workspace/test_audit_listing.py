"""Listing a log gives what a plain look at all of its records gives."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.workspace.audit import Client
from insitu.workspace.audit_lines import Line, backwards, lines_of
from insitu.workspace.audit_listing import Filter, Listing
from insitu.workspace.audit_records import RECORD_BYTES_MAX
from tests.workspace.audit_logs import fail, files, look, opened, records, refuse, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of several files, with two writes that were never finished."""
    folder = tmp_path_factory.mktemp("listed")
    with opened(folder, rotate_bytes=5000) as log:
        for number in range(40):
            act = (write, look, refuse, fail)[number % 4]
            act(log, f"{'notes' if number % 3 else 'src/notes'}/{number}.txt")
            if number in (11, 39):
                log.attempt("move", client=Client("Other"), path="src").intend()
    return folder


def _slow(folder: Path) -> list[dict[str, Any]]:
    """Every attempt, found with everything in memory."""
    found = records(folder)
    closed = {record.get("intent") for record in found}
    shown = []
    for record in found:
        record.pop("mac")
        if record["kind"] != "intent":
            shown.append(record)
        elif record["seq"] not in closed:
            shown.append({**record, "outcome": "open"})
    return shown


def _client(record: dict[str, Any]) -> str:
    name = record["client"]["name"]
    assert isinstance(name, str)
    return name


FILTERS = {
    "all": (Filter(), lambda r: True),
    "tool": (Filter(tool="read"), lambda r: r["tool"] == "read"),
    "client": (Filter(client="OTHER"), lambda r: _client(r) == "Other"),
    "ok": (Filter(outcome="ok"), lambda r: r["outcome"] == "ok"),
    "refused": (Filter(outcome="refused"), lambda r: r["outcome"] == "refused"),
    "failed": (Filter(outcome="failed"), lambda r: r["outcome"] == "failed"),
    "open": (Filter(outcome="open"), lambda r: r["outcome"] == "open"),
    "a path": (Filter(path="notes/7.txt"), lambda r: r["path"] == "notes/7.txt"),
    "the end of a path": (Filter(path="9.txt"), lambda r: r["path"].endswith("/9.txt")),
    "a folder": (Filter(path="src/"), lambda r: r["path"] == "src" or r["path"].startswith("src/")),
    "a pattern": (Filter(path="*/1?.txt"), lambda r: r["path"][-6:-5] == "1" and r["path"][-7:-6] == "/"),
    "nothing": (Filter(path="other"), lambda r: False),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_lists_what_fits(folder: Path, name: str) -> None:
    filter_, fits = FILTERS[name]
    expected = [record for record in _slow(folder) if fits(record)]
    assert bool(expected) == (name != "nothing")
    listing = Listing(folder / "log")
    assert list(listing.forwards(filter_)) == expected
    for count in (1, 3, 1000):
        assert listing.last(count, filter_) == expected[-count:]
    assert listing.unreadable == 0
    listing.close()


def test_times_bound_the_listing(folder: Path) -> None:
    every = _slow(folder)
    first, last = every[10]["time"], every[20]["time"]
    listing = Listing(folder / "log")
    assert list(listing.forwards(Filter(since=first, until=last))) == every[10:21]
    listing.close()


def test_what_is_no_record_is_passed_over_and_counted(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        look(log)
        write(log)
    odd = b'{"seq":9,"previous":"","kind":[],"intent":[1],"client":3,"path":{},"mac":"' + b"0" * 64 + b'"}\n'
    with files(tmp_path)[0].open("ab") as file:
        file.write(b"\nwords\n" + b"x" * (2 * RECORD_BYTES_MAX) + b"\n" + odd + b"being written")
    listing = Listing(tmp_path / "log")
    assert [record["seq"] for record in listing.forwards(Filter())] == [1, 3, 9]
    assert listing.unreadable == 3
    assert [record["seq"] for record in listing.last(9, Filter(path="x"))] == []
    assert [record["seq"] for record in listing.last(9, Filter())] == [1, 3, 9]
    listing.close()


@given(st.lists(st.binary(max_size=40) | st.integers(1, 300_000).map(lambda size: b"y" * size), max_size=8))
def test_lines_are_those_of_the_file(tmp_path_factory: pytest.TempPathFactory, parts: list[bytes]) -> None:
    data = b"\n".join(parts)
    path = tmp_path_factory.mktemp("lines") / "file"
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        found = list(lines_of(descriptor, 0, len(data), "file"))
        reverse = list(backwards(descriptor, len(data), "file"))
    finally:
        os.close(descriptor)
        path.unlink()
    whole = [line + b"\n" for line in data.split(b"\n")[:-1]]
    rest = data[data.rfind(b"\n") + 1 :]
    stop, expected = 0, []
    for number, line in enumerate([*whole, *([rest] if rest else [])], 1):
        stop += len(line)
        expected.append(Line(number, stop, line))
    assert found == expected
    assert reverse == whole[::-1]


def test_a_line_too_long_for_a_record_comes_cut(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one\n" + b"x" * (3 * RECORD_BYTES_MAX) + b"\ntwo\n")
    descriptor = os.open(path, os.O_RDONLY)
    one, long, two = lines_of(descriptor, 0, path.stat().st_size, "file")
    assert list(backwards(descriptor, path.stat().st_size, "file")) == [b"two\n", b"one\n"]
    os.close(descriptor)
    assert (one.data, two.data, two.number) == (b"one\n", b"two\n", 3)
    assert (len(long.data), long.whole) == (RECORD_BYTES_MAX, False)
    assert two.stop - long.stop == 4
