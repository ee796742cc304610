"""The pass by two processes: the same bytes as one leaves, whatever windows are guessed to begin with."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

import insitu
from insitu.core.spans import Span
from insitu.engine.row_index import RowIndex
from insitu.errors import CancelledError, ConditionError, FormatError, InsituError
from insitu.formats.csv_dialect import Dialect
from insitu.formats.csv_scan import Rows
from insitu.scan import pair
from insitu.scan.companion import Companion
from insitu.views import csv_selection
from insitu.views.csv_mass import CsvDelete, CsvUpdate
from insitu.views.csv_pair import RowWork, scan_paired
from insitu.views.csv_scan import scan_rows
from insitu.views.csv_selection import count, matching
from insitu.views.csv_window import data_start
from insitu.views.streaming import MassEdit, Source
from insitu.views.text import Encoding
from tests.laws.test_csv_laws import DIALECTS, MESSY, TIDY
from tests.readers import BytesReader

WINDOW_BYTES = 64 << 10


def offsets(rows: Rows) -> list[int]:
    return [*(rows.starts + rows.offset).tolist(), *(rows.cells[1].starts + rows.offset).tolist()]


def outcome(passed: Callable[[], Any]) -> Any:
    try:
        return [offset for offsets in passed() for offset in offsets]
    except InsituError as error:
        return type(error), error.message


@given(MESSY, DIALECTS)
@settings(max_examples=300, deadline=None)
def test_windows_on_a_guess_hold_the_rows_that_they_hold_exactly(data: bytes, dialect: Dialect) -> None:
    same_rows(data * 3, dialect, 5)


@given(TIDY, DIALECTS)
@settings(max_examples=100, deadline=None)
def test_windows_of_tidy_rows_do_too(data: bytes, dialect: Dialect) -> None:
    same_rows(data * 5, dialect, 64)


def same_rows(data: bytes, dialect: Dialect, window_bytes: int) -> None:
    reader = BytesReader(data)
    source = Source(reader, Encoding("utf-8"), "f.csv")
    try:
        span = Span(data_start(reader, dialect), len(data))
    except InsituError:
        return
    work = RowWork(dialect, (1,), None, offsets, window_bytes)
    expected = outcome(lambda: scan_rows(source, dialect, (1,), offsets, window_bytes=window_bytes))
    assert outcome(lambda: scan_paired(reader, None, work, span)) == expected


ROWS = 30_000
STATUSES = ("pending", "paid", '"pending"', "open")


def rows(*, broken: int = -1) -> bytes:
    """Rows with quoted line ends; one has a misplaced quote."""
    made = []
    for number in range(ROWS):
        note = f'"a note, of ""{number}""\nand more{"," * (number % 90)}"' if number % 3 == 0 else "plain"
        note = 'x"y' if number == broken else note
        made.append(f"{number},{STATUSES[number % 4]},{number % 2_000}.5,{note}\n")
    return ("id,status,value,note\n" + "".join(made)).encode()


@pytest.fixture
def paired(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Two processes for small files, in many small windows; returns what counts the companion's answers."""
    monkeypatch.setattr(pair, "PAIR_FROM_BYTES", 1)
    monkeypatch.setattr(csv_selection, "PAIR_FROM_BYTES", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    monkeypatch.setattr(RowWork, "__init__", small_windows(RowWork.__init__))
    monkeypatch.setattr(Companion, "begin", waiting(Companion.begin))
    return counted(monkeypatch)


def waiting(begin: Callable[..., Any]) -> Callable[..., Any]:
    """Small files are done before a companion has started, if it is not waited for."""

    def ready(self: Any, start: Callable[..., Any]) -> None:
        begin(self, start)
        while not (self.ready or self.ended):
            assert self.answers(0.1) == []

    return ready


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counts: list[int] = []
    answers = Companion.answers

    def counting(self: Any, timeout_s: float = 0.0) -> Any:
        found = answers(self, timeout_s)
        counts.append(len(found))
        return found

    monkeypatch.setattr(Companion, "answers", counting)
    return counts


def small_windows(made: Callable[..., None]) -> Callable[..., None]:
    def init(self: Any, *arguments: Any) -> None:
        made(self, *arguments[:4], WINDOW_BYTES)

    return init


UPDATE = CsvUpdate({"status": "processed"}, "status = 'pending' and value > 1000")
EDITS: dict[str, MassEdit] = {
    "a status": UPDATE,
    "two columns": CsvUpdate({"status": 'in "quotes", all', "id": None}, "value > 1500", short="skip"),
    "what SQLite decides": CsvUpdate({"note": "odd"}, "abs(value) % 2 = 1.0 and upper(status) = 'OPEN'"),
    "rows that go": CsvDelete("status <> 'open'"),
}


def companions() -> list[int]:
    """Companions that live; other tests leave other children behind."""
    pids: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that has just ended
            pids += map(int, (task / "children").read_text().split())
    return [pid for pid in pids if Companion.__module__.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.slow
@pytest.mark.parametrize("edit", EDITS)
def test_two_processes_leave_the_bytes_that_one_leaves(
    tmp_path: Path, edit: str, request: pytest.FixtureRequest
) -> None:
    alone, helped = tmp_path / "alone.csv", tmp_path / "helped.csv"
    alone.write_bytes(rows())
    helped.write_bytes(rows())
    receipt = insitu.carry_out(alone, EDITS[edit])
    answered = request.getfixturevalue("paired")
    other = insitu.carry_out(helped, EDITS[edit])
    assert other.splices >= receipt.splices > 0  # runs of rows that go are cut at windows
    assert helped.read_bytes() == alone.read_bytes()
    insitu.undo(helped)
    assert helped.read_bytes() == rows()
    assert sum(answered) > 5 and not companions()


@pytest.mark.slow
def test_a_killed_companion_changes_nothing_about_the_result(tmp_path: Path, paired: list[int]) -> None:
    path, expected = tmp_path / "f.csv", tmp_path / "expected.csv"
    killed: list[int] = []

    def kill() -> bool:
        for pid in companions():
            killed.append(pid)
            os.kill(pid, signal.SIGKILL)
        return False

    for each, cancel in ((expected, lambda: False), (path, kill)):
        each.write_bytes(rows())
        insitu.carry_out(each, UPDATE, cancel=cancel)
    assert killed
    assert path.read_bytes() == expected.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("broken", [0, 12_345, ROWS - 1])
def test_a_fault_is_told_as_by_one_process(
    tmp_path: Path, broken: int, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(rows(broken=broken))
    messages = []
    for _ in range(2):
        with pytest.raises(
            FormatError, match=rf"Row {broken + 1:,}, at byte [0-9,]+, has a misplaced"
        ) as raised:
            insitu.carry_out(path, UPDATE)
        messages.append(raised.value.message)
        request.getfixturevalue("paired")
    assert messages[0] == messages[1]
    assert path.read_bytes() == rows(broken=broken)


@pytest.mark.slow
def test_cancelling_and_what_a_condition_refuses_leave_the_file_and_no_process(
    tmp_path: Path, paired: list[int]
) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(rows())
    asked = iter(range(100))
    with pytest.raises(CancelledError):
        insitu.carry_out(path, UPDATE, cancel=lambda: next(asked) > 5)
    with pytest.raises(ConditionError):
        insitu.carry_out(
            path, CsvUpdate({"status": "x"}, "length(replace(note, 'a', printf('%99999999d', 1))) > 1")
        )
    assert path.read_bytes() == rows() and not companions()


@pytest.mark.slow
@pytest.mark.parametrize("disturbed", [False, True])
def test_two_processes_build_the_index_that_one_builds(
    tmp_path: Path, paired: list[int], disturbed: bool
) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(rows() * 3)
    expected = RowIndex.build(BytesReader(rows() * 3), Dialect()).to_bytes(b"")
    commits: list[int] = []

    def commit(done: int, size: int) -> None:
        if disturbed and not commits:
            receipt = insitu.write(path, 100, 103, b"\n\n\n")
            commits.append(receipt.operation)

    with insitu.open(path, "r") as doc:
        index = RowIndex.build(doc.base, Dialect(), progress=commit)
        assert index.to_bytes(b"") == expected
    assert sum(paired) > 0 and bool(commits) == disturbed and not companions()


def test_a_disturbed_snapshot_says_so(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"0123456789")
    insitu.write(path, 1, 2, b"x")
    with insitu.open(path, "r") as doc:
        assert doc.base.undisturbed and not doc.base.settled
        insitu.write(path, 2, 3, b"y")
        assert not doc.base.undisturbed
        assert doc[:] == b"0x23456789"
        assert not doc.base.undisturbed


WHERE = "status = 'pending' and value > 1000"


@pytest.mark.slow
@pytest.mark.parametrize("disturbed", [False, True])
def test_two_processes_find_the_rows_that_one_finds(
    tmp_path: Path, disturbed: bool, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(rows())
    insitu.write(path, 0, 2, b"id")  # so that there is a history
    with insitu.open(path, "r") as doc:
        source, dialect = Source(doc.base, doc.text, doc.path), Dialect()
        expected = [found._asdict() for found in matching(source, dialect, WHERE)]
        answered = request.getfixturevalue("paired")
        commits: list[int] = []

        def commit(done: int, size: int) -> None:
            if disturbed and not commits:
                receipt = insitu.write(path, len(rows()) - 5, len(rows()) - 1, b'"\n"\n')
                commits.append(receipt.operation)

        assert count(source, dialect, WHERE) == sum(len(found["numbers"]) for found in expected) > 0
        assert doc.csv().count(WHERE) == count(source, dialect, WHERE)
        answers = sum(answered)
        found = [one._asdict() for one in matching(source, dialect, WHERE, progress=commit)]
        for name in ("numbers", "starts", "stops"):
            assert joined(found, name) == joined(expected, name)
        assert b"".join(one["data"] for one in found) == b"".join(one["data"] for one in expected)
        assert answers > 5 and sum(answered) > answers
        assert bool(commits) == disturbed and not companions()
        assert count(source, dialect, WHERE) == len(joined(expected, "numbers"))


def joined(found: list[dict[str, Any]], name: str) -> list[int]:
    return [number for one in found for number in one[name].tolist()]
