"""Another program appends, without the lock, while insitu edits the middle of the file.

What holds: an edit that leaves the size alone loses nothing. One that moves the tail or swaps the file cannot
keep out who does not ask for the lock; what is appended before the commit point refuses the edit, what comes
later is either still there or overwritten, and the history tells that the file is not as it was left.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

import insitu
from insitu import Policy
from insitu.errors import RecoveryNeededError, StaleError
from insitu.storage.linux import LinuxFile, LinuxVolume
from tests.system.programs import ended, start

APPENDING = """
import os, sys, time
file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
print("ready", flush=True)
for number in range(int(sys.argv[2])):
    os.write(file, b"<%06d>" % number)
    time.sleep(0.002)
"""
APPENDS = 700


def found(path: Path) -> list[int]:
    return [int(number) for number in re.findall(rb"<(\d{6})>", path.read_bytes())]


@pytest.mark.slow
def test_overwriting_loses_nothing_that_others_append_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"." * 1_000_000)
    process = start(APPENDING, path, APPENDS)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    refused = edits = 0
    while process.poll() is None:
        try:
            insitu.write(path, 500_000, 500_004, b"%04d" % edits, policy=Policy(planner="overwrite"))
            edits += 1
        except StaleError:
            refused += 1
    ended([process])
    print(f"{edits} edits, {refused} refused")
    assert edits
    assert found(path) == list(range(APPENDS))
    assert path.stat().st_size == 1_000_000 + 8 * APPENDS
    assert path.read_bytes()[500_000:500_004] == b"%04d" % (edits - 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "policy", [Policy(planner="shift"), Policy(visibility="atomic")], ids=["shift", "rewrite"]
)
def test_what_others_append_between_two_edits_is_kept(tmp_path: Path, policy: Policy) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"." * 100_000)
    for number in range(20):
        with open(path, "ab") as log:
            log.write(b"<%06d>" % number)
        insitu.insert(path, 50_000, b"middle", policy=policy)
    assert found(path) == list(range(20))
    assert path.stat().st_size == 100_000 + 20 * 14


@pytest.fixture
def append(tmp_path: Path) -> Iterator[Callable[[], int]]:
    """Appends to the log, which somebody opened long ago: a lease would keep them waiting in this thread."""
    path = tmp_path / "log"
    path.write_bytes(b"." * 100_000)
    with open(path, "ab", buffering=0) as log:
        yield partial(log.write, b"<theirs>")


@pytest.mark.parametrize("planner", ["overwrite", "shift", "blocks", "rewrite"])
def test_an_append_before_the_commit_point_refuses_the_edit_or_is_kept(
    tmp_path: Path, append: Callable[[], int], planner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    really_sync = LinuxFile.sync
    done = []

    def sync(self: LinuxFile) -> None:
        really_sync(self)
        if not done:  # the first sync is that of the journal, or of the new file: before the commit point
            done.append(self.path)
            append()

    monkeypatch.setattr(LinuxFile, "sync", sync)
    with pytest.raises(StaleError, match="changed by somebody else"):
        insitu.insert(path, 50_000, b"+" * 4096, policy=Policy(planner=planner))
    assert path.read_bytes() == b"." * 100_000 + b"<theirs>"
    assert os.listdir(tmp_path) == ["log"]


def test_an_append_during_an_overwrite_of_the_same_size_is_kept(
    tmp_path: Path, append: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    really_rename = LinuxVolume.rename

    def rename(self: LinuxVolume, source: str, target: str) -> None:
        really_rename(self, source, target)
        if target.endswith("journal"):  # just past the commit point
            append()

    monkeypatch.setattr(LinuxVolume, "rename", rename)
    insitu.write(path, 99_990, 100_000, b"0123456789", policy=Policy(planner="overwrite"))
    assert path.read_bytes() == b"." * 99_990 + b"0123456789" + b"<theirs>"
    monkeypatch.undo()
    insitu.undo(path)
    assert path.read_bytes() == b"." * 100_000 + b"<theirs>"


@pytest.mark.slow
@pytest.mark.parametrize("planner", ["shift", "blocks", "rewrite"])
def test_moving_a_tail_under_a_busy_log_never_mixes_what_was_there(tmp_path: Path, planner: str) -> None:
    """What others append while bytes move may be lost (they hold no lock); nothing else ever is."""
    path = tmp_path / "log"
    before = b"".join(b"line %06d\n" % number for number in range(100_000))
    path.write_bytes(before)
    process = start(APPENDING, path, APPENDS)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    refused = edits = 0
    middle = before[:600_000]
    while process.poll() is None:
        try:
            insitu.insert(path, 600_000, b"+" * 4096, policy=Policy(planner=planner))
            edits += 1
        except StaleError:
            refused += 1
        time.sleep(0.02)
    ended([process])
    now = path.read_bytes()
    assert now.startswith(middle + b"+" * 4096 * edits + before[600_000:])
    print(f"{planner}: {edits} edits, {refused} refused, {len(found(path))} of {APPENDS} appends left")


KILLED = """
import os, sys, insitu
from insitu.storage.linux import LinuxFile
really_write = LinuxFile.write
def write(self, offset, data):
    if self.path == sys.argv[1]:
        os._exit(0)
    really_write(self, offset, data)
LinuxFile.write = write
insitu.write(sys.argv[1], 50_000, 50_004, b"ours")
"""


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """A log that another program went on writing to after an overwrite of it was killed."""
    path = tmp_path / "log"
    path.write_bytes(b"." * 100_000)
    ended([start(KILLED, path)])
    with open(path, "ab") as log:
        log.write(b"<theirs>")
    return path


def test_an_interrupted_overwrite_of_a_log_that_went_on_is_left_to_a_person(interrupted: Path) -> None:
    """J3: nothing is touched; redoing by force keeps what was appended."""
    with pytest.raises(RecoveryNeededError, match="somebody else changed the file"):
        insitu.recover(interrupted)
    assert interrupted.read_bytes() == b"." * 100_000 + b"<theirs>"
    insitu.recover(interrupted, "redo")
    assert interrupted.read_bytes() == b"." * 50_000 + b"ours" + b"." * 49_996 + b"<theirs>"


def test_undoing_an_interrupted_overwrite_by_force_keeps_what_was_appended(interrupted: Path) -> None:
    insitu.recover(interrupted, "undo")
    assert interrupted.read_bytes() == b"." * 100_000 + b"<theirs>"
