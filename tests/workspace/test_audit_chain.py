"""The chain holds over crashes, kills, power cuts, rotation, threads and processes."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from insitu.errors import AuditDamagedError
from insitu.workspace.audit import AuditLog
from insitu.workspace.audit_chain import UNSYNCED_MAX
from insitu.workspace.audit_folder import read_key
from insitu.workspace.audit_records import HEAD_BYTES, Head, Point
from tests.tidy.tree import ROOT
from tests.workspace.audit_logs import files, kinds, look, opened, records, verified, write


def _head(folder: Path) -> Head:
    head = Head.parsed((folder / "log/head.json").read_bytes(), read_key(folder / "key"))
    assert head is not None
    return head


def _set_head(folder: Path, head: Head) -> None:
    (folder / "log/head.json").write_bytes(head.rendered(read_key(folder / "key")))


def _whole(folder: Path, count: int) -> None:
    """The log verifies, and has so many records in order."""
    report = verified(folder)
    assert (report.findings, report.torn_bytes, report.behind_head) == ([], 0, 0)
    assert [record["seq"] for record in records(folder)] == list(range(1, count + 1))


@pytest.mark.slow
def test_a_crash_at_any_byte_of_an_append_leaves_a_log_that_goes_on(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    with opened(origin) as log:
        write(log)
        head = (origin / "log/head.json").read_bytes()
        size = files(origin)[0].stat().st_size
        look(log)
    data = files(origin)[0].read_bytes()
    for stop in sorted({*range(size, len(data), 12), size + 1, len(data) - 1, len(data)}):
        folder = tmp_path / "crashed"
        shutil.copytree(origin, folder)
        (folder / "log/head.json").write_bytes(head)
        files(folder)[0].write_bytes(data[:stop])
        report = verified(folder)
        whole = stop == len(data)
        assert (report.findings, report.behind_head) == ([], int(whole))
        assert report.torn_bytes == (0 if whole else stop - size)
        with opened(folder) as log:
            write(log)
        torn = [record["torn_bytes"] for record in records(folder) if record["kind"] == "repair"]
        assert torn == ([stop - size] if size < stop < len(data) else [])
        _whole(folder, 4 + (stop > size))
        shutil.rmtree(folder)


def test_a_crash_while_rotating_leaves_a_log_that_goes_on(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        write(log)
    (tmp_path / "log/audit-000002.jsonl").touch(0o600)
    assert not verified(tmp_path).damaged
    with opened(tmp_path, rotate_bytes=1) as log:
        write(log)
    _whole(tmp_path, 4)
    assert len(files(tmp_path)) == 3


@pytest.mark.parametrize("left", ["whole records", "a torn one", "zeros", "other bytes"])
def test_a_power_cut_takes_only_what_was_not_to_be_durable(tmp_path: Path, left: str) -> None:
    with opened(tmp_path) as log:
        write(log)
        for _ in range(5):
            look(log)
        head = _head(tmp_path)
    assert (head.synced_count, head.count) == (2, 7)
    data = files(tmp_path)[0].read_bytes()
    lines = data.splitlines(keepends=True)
    three = b"".join(lines[:3])
    after = {
        "whole records": three,
        "a torn one": three + lines[3][:50],
        "zeros": three + bytes(len(data) - len(three)),
        "other bytes": three + b"\n{}\n" + lines[4],
    }
    files(tmp_path)[0].write_bytes(after[left])
    _set_head(tmp_path, head)
    if left != "zeros":  # appending looks at sizes, not again at bytes that it once knew
        with opened(tmp_path) as log, pytest.raises(AuditDamagedError):
            log.head()
    assert verified(tmp_path).damaged  # there was no power cut: the machine runs since
    _set_head(tmp_path, replace(head, boot="an earlier one.."))
    if left in ("whole records", "a torn one", "zeros"):
        report = verified(tmp_path)
        assert (report.findings, report.lost_records) == ([], 4)
    with opened(tmp_path) as log:
        look(log)
    _whole(tmp_path, 5)
    repair = records(tmp_path)[3]
    assert (repair["kind"], repair["lost_records"]) == ("repair", 4)


def test_a_power_cut_never_takes_what_was_to_be_durable(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        write(log)
    data = files(tmp_path)[0].read_bytes()
    files(tmp_path)[0].write_bytes(data[: data.index(b"\n") + 1])
    _set_head(tmp_path, replace(_head(tmp_path), boot="an earlier one.."))
    assert kinds(verified(tmp_path)) == ["cut-off"]
    with opened(tmp_path) as log, pytest.raises(AuditDamagedError):
        log.head()


def test_only_records_of_this_chain_are_taken_in_behind_the_head(tmp_path: Path) -> None:
    others = tmp_path / "others"
    with opened(tmp_path) as log, AuditLog(others / "log", key=tmp_path / "key") as other:
        write(log)
        write(other, "other.txt")
        look(other)
        with files(tmp_path)[0].open("ab") as file:
            file.write(files(others)[0].read_bytes().splitlines(keepends=True)[2])
        with pytest.raises(AuditDamagedError):
            log.head()
    assert verified(tmp_path).damaged


def test_a_record_of_the_same_number_does_not_take_the_place_of_the_last(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        write(log)
        shutil.copytree(tmp_path, tmp_path / "branch")
        look(log, "what was read")
    with opened(tmp_path / "branch") as log:
        look(log, "something else")
    files(tmp_path)[0].write_bytes(files(tmp_path / "branch")[0].read_bytes())
    with opened(tmp_path) as log, pytest.raises(AuditDamagedError, match="record 3"):
        log.head()
    for keyed in (True, False):
        assert kinds(verified(tmp_path, keyed=keyed)) == ["changed"]


def test_a_torn_record_that_the_head_counts_is_damage(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        write(log)
        look(log)
    files(tmp_path)[0].write_bytes(files(tmp_path)[0].read_bytes()[:-9])
    report = verified(tmp_path)
    assert (kinds(report), report.torn_bytes) == (["changed"], 0)


def test_reads_are_durable_some_time(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        for _ in range(UNSYNCED_MAX - 1):
            look(log)
        assert _head(tmp_path).synced_count == 0
        look(log)
        assert _head(tmp_path).synced_count == UNSYNCED_MAX


def test_the_chain_goes_on_over_files_and_openings(tmp_path: Path) -> None:
    for _ in range(3):
        with opened(tmp_path, rotate_bytes=2000, files_kept=None) as log:
            for _ in range(5):
                write(log)
                look(log)
    assert len(files(tmp_path)) > 5
    assert all(file.stat().st_size <= 2000 for file in files(tmp_path))
    _whole(tmp_path, 45)
    report = verified(tmp_path)
    assert (report.files, report.first, report.last) == (len(files(tmp_path)), 1, 45)


def test_the_oldest_files_are_removed_and_the_rest_verifies(tmp_path: Path) -> None:
    with opened(tmp_path, rotate_bytes=2000, files_kept=3) as log:
        for _ in range(30):
            write(log)
            assert len(files(tmp_path)) <= 3
            assert not verified(tmp_path).damaged
    report = verified(tmp_path)
    assert (report.files, report.last) == (3, 60)
    assert report.first == records(tmp_path)[0]["seq"] > 40
    assert not verified(tmp_path, keyed=False).damaged
    files(tmp_path)[0].unlink()
    assert kinds(verified(tmp_path)) == ["missing-file", "removed"]


def test_the_last_of_a_crash_between_naming_and_removing_the_oldest_is_not_looked_at(tmp_path: Path) -> None:
    with opened(tmp_path, rotate_bytes=2000, files_kept=2) as log:
        oldest = None
        for _ in range(20):
            write(log)
            oldest = oldest or (files(tmp_path)[0].name, files(tmp_path)[0].read_bytes())
        left = tmp_path / "log" / oldest[0]
        left.touch(0o600)
        left.write_bytes(oldest[1])
        assert not verified(tmp_path).damaged
        for _ in range(5):
            write(log)
    assert not left.exists()


def test_a_head_fits_its_sector_whatever_the_numbers() -> None:
    huge, digest = 10**17, "f" * 64
    head = Head(10**12, digest, 999_999, huge, 10**12, digest, huge, 999_998, 10**12, digest, "0" * 16)
    assert len(head.rendered(b"k")) == HEAD_BYTES
    assert Head.parsed(head.rendered(b"k"), b"k") == head
    assert Head.parsed(head.rendered(b"k"), b"l") is None
    assert Head.parsed(head.rendered(b"k"), None) == head


def test_two_logs_on_one_folder_append_to_one_chain(tmp_path: Path) -> None:
    with opened(tmp_path, rotate_bytes=3000) as one, opened(tmp_path, rotate_bytes=3000) as two:
        for _ in range(10):
            write(one)
            look(two)
            assert one.head() == two.head()
    _whole(tmp_path, 30)


def test_threads_share_a_log(tmp_path: Path) -> None:
    with opened(tmp_path, rotate_bytes=20_000, files_kept=None) as log:
        threads = [
            threading.Thread(target=lambda i=i: [look(log, f"{i}-{n}") for n in range(50)]) for i in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    _whole(tmp_path, 200)
    assert len({record["path"] for record in records(tmp_path)}) == 200


_APPENDING = """
import sys
from pathlib import Path
from tests.workspace.audit_logs import look, opened, write
folder, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with opened(folder, rotate_bytes=50_000, files_kept=None) as log:
    print("ready", flush=True)
    for number in range(count):
        (write if number % 10 == 0 else look)(log, f"{name}/{number}")
"""


def _appending(folder: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _APPENDING, str(folder), name, str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_processes_share_a_log(tmp_path: Path) -> None:
    processes = [_appending(tmp_path, str(number), 250) for number in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    _whole(tmp_path, 4 * 275)
    done = [record["path"] for record in records(tmp_path) if record["kind"] != "intent"]
    assert len(set(done)) == len(done) == 1000
    for number in range(4):
        mine = [path for path in done if path.startswith(f"{number}/")]
        assert mine == [f"{number}/{i}" for i in range(250)]
    assert verified(tmp_path).open_intents == []


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_a_log_that_verifies(tmp_path: Path) -> None:
    draw = random.Random(7)
    for _ in range(8):
        process = _appending(tmp_path, "x", 10**6)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(draw.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        report = verified(tmp_path)
        assert report.findings == []
        assert report.behind_head <= 1
    with opened(tmp_path) as log:
        write(log)
        end = log.head()
    report = verified(tmp_path)
    assert Point(report.last, report.head) == end
    assert not report.damaged and len(report.open_intents) <= 8
