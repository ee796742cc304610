"""Transactions on real disks: killed, raced and spread over disks, they change all files or none."""

from __future__ import annotations

import os
import random
import re
import signal
import threading
import time
from pathlib import Path
from typing import Literal

import pytest

import insitu
from insitu import Policy
from insitu.engine import together
from insitu.engine.super_journal import SuperJournal
from insitu.errors import RecoveryNeededError, StaleError
from tests.system.programs import ended, start

LONG = bool(os.environ.get("INSITU_LONG"))
MARK = "user.insitu.pending"


def state_of(path: Path) -> Path:
    return path.parent / ".insitu" / f"{path.name}.d"


def strays(path: Path) -> list[str]:
    """What lies beside a file besides its history."""
    state = state_of(path)
    names = sorted(os.listdir(state)) if state.exists() else []
    return [name for name in names if not name.endswith(".op")]


# kill -9

# Each transaction writes one number at the head of one file and at the end of the other.
WRITING = """
import sys, insitu
a, b, number, how = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
policies = {"in place": insitu.Policy(history=3), "bare": insitu.Policy(history=0),
            "swapped": insitu.Policy(history=3, visibility="atomic")}
print("ready", flush=True)
while True:
    with insitu.transaction(policy=policies[how]) as t:
        first, second = t.open(a), t.open(b)
        number += 1
        first[0:10] = b"%010d" % number
        first.insert(11, b"+")
        second.append(b"%010d\\n" % number)
    print(number, flush=True)
"""


def numbers(a: Path, b: Path) -> tuple[int, int]:
    return int(a.read_bytes()[:10]), int(b.read_bytes()[-11:-1])


def killed_storm(folder: Path, how: str, kills: int, seed: int) -> dict[str, int]:
    """Kills a process of transactions again and again; recovers in either order."""
    chance = random.Random(f"{how} {seed}")
    a, b = folder / "a" / "first", folder / "second"
    a.parent.mkdir()
    a.write_bytes(b"%010d\n" % 0 + b"." * 300_000)
    b.write_bytes(b"%010d\n" % 0)
    found = {"kills": 0, "pending in one": 0, "pending in both": 0, "transactions": 0}
    number = 0
    for _ in range(kills):
        process = start(WRITING, a, b, number, how)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", process.communicate()
        # The first transaction pays for imports; what counts comes after it.
        line = process.stdout.readline()
        assert line, process.communicate()
        time.sleep(chance.uniform(0, 0.03))
        process.send_signal(signal.SIGKILL)
        out, _ = process.communicate(timeout=60)
        told = int((line + out).split(b"\n")[-2])
        pending = [(state_of(path) / "journal").exists() for path in (a, b)]
        found["kills"] += 1
        found["pending in one"] += pending in ([True, False], [False, True])
        found["pending in both"] += all(pending)
        for path, waits in zip((a, b), pending, strict=True):
            if waits:
                with pytest.raises(RecoveryNeededError):
                    insitu.read(path, 0, 1)
        for path in chance.sample((a, b), 2):
            insitu.recover(path)
        one, other = numbers(a, b)
        assert one == other, f"{one} in the one, {other} in the other, seed {seed}"
        assert one in (told, told + 1)
        insitu.recover(a)
        assert (strays(a), strays(b)) == ([], [])
        assert MARK not in os.listxattr(a) + os.listxattr(b)
        found["transactions"] = number = one
    return found


@pytest.mark.slow
@pytest.mark.parametrize("how", ["in place", "bare", "swapped"])
def test_a_killed_transaction_leaves_both_old_or_both_new(tmp_path: Path, how: str) -> None:
    print(how, killed_storm(tmp_path, how, 6, seed=1))


@pytest.mark.proof
@pytest.mark.parametrize("how", ["in place", "bare", "swapped"])
def test_many_killed_transactions_leave_both_old_or_both_new(tmp_path: Path, how: str) -> None:
    found = killed_storm(tmp_path, how, 1_000 if LONG else 100, seed=2)
    print(how, found)
    assert found["pending in one"] + found["pending in both"]


# What a crash leaves is found again wherever the files are moved together, and asked for where they part.


class Killed(BaseException):
    """Ends a transaction without any of its handlers for errors."""


def crashed(folder: Path, moment: str) -> tuple[Path, Path]:
    """Two files whose transaction died just before (``prepared``) or behind (``committed``) its commit."""
    folder.mkdir()
    a, b = folder / "a", folder / "b"
    for path in (a, b):
        path.write_bytes(b"old")

    def die(*_: object) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as dying, pytest.raises(Killed):
        dying.setattr(SuperJournal, "commit" if moment == "prepared" else "sync", die)
        dying.setattr(together, "_take_back", lambda *_: None)
        with insitu.transaction() as t:
            for path in (a, b):
                t.open(path)[:] = b"new and longer"
    return a, b


MOMENTS = {"prepared": b"old", "committed": b"new and longer"}


@pytest.mark.parametrize("moment", MOMENTS)
def test_files_that_were_moved_together_find_their_super_journal(tmp_path: Path, moment: str) -> None:
    crashed(tmp_path / "here", moment)
    there = tmp_path / "deeper" / "there"
    there.parent.mkdir()
    (tmp_path / "here").rename(there)
    assert sorted(insitu.pending_below(tmp_path)) == [str(there / "a"), str(there / "b")]
    assert insitu.info(there / "b")["pending"]["state"] == "prepared"
    for name in "ba":
        insitu.recover(there / name)
        assert (there / name).read_bytes() == MOMENTS[moment]
    assert (strays(there / "a"), strays(there / "b")) == ([], [])


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("force", ["undo", "redo"])
def test_a_file_that_lost_its_super_journal_is_in_doubt_until_a_person_decides(
    tmp_path: Path, moment: str, force: Literal["undo", "redo"]
) -> None:
    a, b = crashed(tmp_path / "here", moment)
    # The super-journal lies with the file of the lower inode; the other one is moved away from it.
    home, moved = sorted((a, b), key=lambda path: path.stat().st_ino)
    away = tmp_path / "away"
    (away / ".insitu").mkdir(parents=True)
    (away / ".insitu").chmod(0o755)
    moved.rename(away / "x")
    state_of(moved).rename(state_of(away / "x"))
    for attempt in (insitu.recover, insitu.open):
        with pytest.raises(RecoveryNeededError, match="not there") as caught:
            attempt(away / "x")
        assert caught.value.exit_code == 6
        assert "--force-undo" in caught.value.hint
    assert (away / "x").read_bytes() == b"old"
    insitu.recover(home)
    assert home.read_bytes() == MOMENTS[moment]
    insitu.recover(away / "x", force)
    assert (away / "x").read_bytes() == (b"old" if force == "undo" else b"new and longer")


# Races

# Transfers between accounts: the total stays, whoever interleaves; some swap inodes under the others' locks.
TRANSFERS = """
import random, sys, threading, insitu
from insitu.errors import StaleError
folder, process, transfers, accounts = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
refused = []

def transfer(thread):
    chance = random.Random(f"{process} {thread}")
    for number in range(transfers):
        names = chance.sample(range(accounts), chance.choice((2, 2, 3)))
        swapping = chance.random() < 0.2
        policy = insitu.Policy(history=20, visibility="atomic" if swapping else "committed")
        while True:
            try:
                with insitu.transaction(policy=policy, lock_timeout_s=120) as t:
                    files = [t.open(f"{folder}/{name}") for name in names]
                    values = [int(bytes(file[0:8])) for file in files]
                    values = [values[0] - len(names) + 1, *(value + 1 for value in values[1:])]
                    for file, value in zip(files, values):
                        file[0:8] = b"%08d" % value
                        if chance.random() < 0.1:
                            file.append(b"#")
                break
            except StaleError:
                refused.append(number)

threads = [threading.Thread(target=transfer, args=(thread,)) for thread in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(refused))
"""


def race(folder: Path, processes: int, transfers: int, accounts: int) -> str:
    """Two threads of each process make so many transfers; says what came of it."""
    for name in range(accounts):
        (folder / str(name)).write_bytes(b"%08d\n" % 50_000_000 + b"." * 1_000)
    began = time.monotonic()
    printed = ended(
        [start(TRANSFERS, folder, process, transfers, accounts) for process in range(processes)], 3_000
    )
    files = [folder / str(name) for name in range(accounts)]
    assert sum(int(path.read_bytes()[:8]) for path in files) == 50_000_000 * accounts
    for path in files:
        assert re.fullmatch(rb"\d{8}\n\.{1000}#*", path.read_bytes())
        assert strays(path) == []
    made = 2 * processes * transfers
    refused = sum(map(int, printed))
    return f"{made} transactions, {refused} begun anew, none deadlocked, {time.monotonic() - began:.1f} s"


@pytest.mark.slow
def test_racing_transactions_keep_the_total_and_never_deadlock(tmp_path: Path) -> None:
    print(race(tmp_path, processes=4, transfers=25, accounts=8))


@pytest.mark.proof
def test_ten_thousand_racing_transactions_keep_the_total_and_never_deadlock(tmp_path: Path) -> None:
    print(race(tmp_path, processes=8, transfers=625, accounts=6))


@pytest.mark.slow
def test_transactions_and_single_edits_interleave(tmp_path: Path) -> None:
    """Single edits move under the transactions, which are moved past them; nothing is lost."""
    a, b = tmp_path / "a", tmp_path / "b"
    for path in (a, b):
        path.write_bytes(b"0000\n" + b"." * 500)

    def append(path: Path) -> None:
        for _ in range(40):
            insitu.append(path, b"s", lock_timeout_s=60)

    singles = [threading.Thread(target=append, args=(path,)) for path in (a, b)]
    for thread in singles:
        thread.start()
    for number in range(1, 41):
        while True:
            try:
                with insitu.transaction(lock_timeout_s=60) as t:
                    for path in (b, a):
                        t.open(path)[0:4] = b"%04d" % number
                break
            except StaleError:
                continue
    for thread in singles:
        thread.join()
    assert a.read_bytes() == b.read_bytes() == b"0040\n" + b"." * 500 + b"s" * 40


# Disks


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="needs a second disk: /dev/shm")
def test_files_on_different_disks_change_together(tmp_path: Path) -> None:
    import tempfile

    here = tmp_path / "here"
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        there = Path(memory, "there")
        if os.stat(memory).st_dev == os.stat(tmp_path).st_dev:
            pytest.skip("needs a second disk: /dev/shm lies on the same")
        for path in (here, there):
            path.write_bytes(b"old")
        with insitu.transaction() as t:
            for path in (here, there):
                t.open(path)[:] = b"new and longer"
        assert [path.read_bytes() for path in (here, there)] == [b"new and longer"] * 2
        assert insitu.undo(there).operation == 2
        with pytest.raises(StaleError), insitu.transaction(policy=Policy(history=0)) as t:
            t.open(here).append(b"!")
            t.open(there).append(b"!")
            there.write_bytes(b"theirs")
        assert (here.read_bytes(), there.read_bytes()) == (b"new and longer", b"theirs")
