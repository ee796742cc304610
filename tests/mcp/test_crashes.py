"""Deaths at any moment: the server's by kill -9, the host's in mid-call. The file is old or new."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

import insitu
from tests.mcp.raw import hosting
from tests.system.killing import Landed, Moment, landed

KILLS = 15
KILLS_LONG = 300

LINE = b"%07d the quick brown fox jumps over the lazy dog, over and over again.\n"
LINES = 30_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a file of lines."""
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "lines.txt").write_bytes(b"".join(LINE % number for number in range(LINES)))
    return folder


def edit(number: int, length: int) -> dict[str, object]:
    """A call that replaces a line of the first file by one of another length, so that all else must move."""
    text = f"edit {number} {'+' * length}\n"
    return {
        "name": "file_edit",
        "arguments": {
            "path": "lines.txt",
            "edits": [{"old_text": (LINE % number).decode(), "new_text": text}],
        },
    }


def kill(root: Path, chance: random.Random, longest_s: float) -> Landed:
    """Kills a server while it edits; where that landed. The edit is taken back."""
    path = root / "lines.txt"
    old = path.read_bytes()
    number, length = chance.randrange(LINES), chance.randrange(200)
    new = old.replace(LINE % number, b"edit %d %s\n" % (number, b"+" * length))
    with hosting(root) as host:
        host.begin()
        host.request("tools/call", edit(number, length))
        Moment(path, longest_s, chance)(host.process)
        assert host.ended() == -signal.SIGKILL
    where = landed(path, lambda: path.read_bytes() != old)
    if chance.random() < 0.2:
        with hosting(root) as host:  # another server finds what the first one left
            host.begin()
            assert not host.call("file_read", path="lines.txt", lines="1").get("isError")
    else:
        insitu.recover(path)
    found = path.read_bytes()
    assert found in (old, new)
    if found == new:
        insitu.undo(path)
        assert path.read_bytes() == old
    return where


def kills(root: Path, count: int) -> None:
    """Kills so often, over the time that an edit takes."""
    with hosting(root) as host:
        host.begin()
        began = time.monotonic()
        assert not host.ask("tools/call", edit(0, 7))["result"].get("isError")
        longest_s = time.monotonic() - began
    insitu.undo(root / "lines.txt")
    chance = random.Random(count)
    found = Counter(kill(root, chance, longest_s) for _ in range(count))
    print(dict(found))
    assert len(found) > 1, "the moments of the kills were all the same"


@pytest.mark.slow
def test_a_kill_leaves_old_or_new(root: Path) -> None:
    kills(root, KILLS)


@pytest.mark.proof
def test_three_hundred_kills_leave_old_or_new(root: Path) -> None:
    kills(root, KILLS_LONG if os.environ.get("INSITU_LONG") else KILLS)


@pytest.mark.slow
def test_a_host_that_vanishes_in_mid_call_leaves_old_or_new(root: Path) -> None:
    path = root / "lines.txt"
    chance = random.Random(7)
    for number in range(0, 10_000, 1_000):
        old = path.read_bytes()
        new = old.replace(LINE % number, b"edit %d ++++\n" % number)
        with hosting(root) as host:
            host.begin()
            host.request("tools/call", edit(number, 4))
            time.sleep(chance.uniform(0, 0.05))
            host.vanish()
            assert host.ended() == 0
        assert path.read_bytes() in (old, new)
        assert sorted(os.listdir(root)) in ([".insitu", "lines.txt"], ["lines.txt"])
