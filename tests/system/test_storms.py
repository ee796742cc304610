"""Storms: 32 workers do everything at once to a few files, and it all fits into one order."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path

import pytest
from xxhash import xxh3_128_hexdigest

from tests.system import storm
from tests.system.linearity import Event, problems
from tests.system.programs import ended, start
from tests.tidy.tree import ROOT

SECONDS = {"test": 8, "proof": 240 if os.environ.get("INSITU_LONG") else 20}
PROCESSES, THREADS = 8, 4
assert PROCESSES * THREADS == storm.WORKERS
FILES = ("a", "b", "c")

PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from tests.system.storm import work
work(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5], *sys.argv[6:])
"""


def weather(folder: Path, seconds: float, seed: str) -> str:
    """One storm over three files, and its check; says what was tried and found."""
    paths = [folder / name for name in FILES]
    for path in paths:
        path.write_bytes(storm.content())
    before = {path.name: path.read_bytes() for path in paths}
    processes = [
        start(PROGRAM, ROOT, first, THREADS, seconds, seed, *paths)
        for first in range(0, storm.WORKERS, THREADS)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", process.communicate()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    told = [json.loads(line) for out in ended(processes, seconds + 240) for line in out.splitlines()]
    assert [one["failure"] for one in told if one["failure"]] == []
    each = [[Event(*event) for event in one["events"]] for one in told]
    events = [event for one in each for event in one]
    began = time.process_time()
    after = {path.name: path.read_bytes() for path in paths}
    assert problems(before, events, after, storm.MEANING) == []
    checked_s = time.process_time() - began
    for path in paths:
        names = os.listdir(folder / ".insitu" / f"{path.name}.d")
        assert [name for name in names if not name.endswith((".op", "journal", "draft"))] == []
    kinds = Counter(str(event.edit[0]) for event in events)
    drafts = {name for event in events if event.edit[0] == "save" for name in event.numbers}
    assert len(drafts) <= kinds["draft"] + kinds["dropped"] + len(FILES), "a draft was lost"
    commits = [event for event in events if {*event.numbers} & {*FILES} and not event.reads]
    assert all(any(not event.reads for event in one) for one in each), "a worker was starved"
    waits = sorted(event.wait_s for event in commits)
    kinds["together"] = sum({*event.numbers} <= {*FILES} and len(event.numbers) > 1 for event in commits)
    kinds["peek"] = sum(event.reads and len(event.numbers) > 1 for event in events)
    return (
        f"{storm.WORKERS} workers, {len(FILES)} files, {seconds} s: {dict(sorted(kinds.items()))}; all "
        f"{len(commits)} commits and {kinds['look']} readings fit one order (checked in {checked_s:.1f} s); "
        f"wait p50 {waits[len(waits) // 2]:.2f} s, p99 {waits[len(waits) * 99 // 100]:.2f} s; no deadlock"
    )


@pytest.mark.slow
def test_a_storm_could_have_happened_one_after_the_other(tmp_path: Path) -> None:
    print(weather(tmp_path, SECONDS["test"], "test"))


@pytest.mark.proof
def test_a_long_storm_could_have_happened_one_after_the_other(tmp_path: Path) -> None:
    print(weather(tmp_path, SECONDS["proof"], "proof"))


# The check itself finds what is planted.

BEFORE = {"a": b"", "b": b""}
MEANING = {"add": lambda before, text: before + text.encode()}


def wrote(began: float, ended: float, text: str, **numbers: int) -> Event:
    return Event(began, ended, numbers, ("add", text))


def looked(began: float, ended: float, data: bytes, **numbers: int) -> Event:
    return Event(began, ended, numbers, ("look",), xxh3_128_hexdigest(data))


def committed(began: float, ended: float, count: int, **numbers: int) -> Event:
    return Event(began, ended, numbers, ("draft", "d", count))


GOOD = {
    "one after the other": [
        looked(0, 1, b"", a=0),
        wrote(2, 3, "x", a=1),
        looked(4, 5, b"x", a=1),
        wrote(6, 7, "y", a=2),
        Event(8, 9, {"a": 3}, ("undo",)),
        looked(10, 11, b"x", a=3),
    ],
    "at once, in whichever order": [
        wrote(0, 9, "x", a=2),
        wrote(0, 9, "y", a=1),
        looked(1, 8, b"y", a=1),
        looked(0, 2, b"yx", a=2),
    ],
    "what begins as something else ends": [wrote(0, 1, "x", a=1), looked(1, 2, b"", a=0)],
    "together": [wrote(0, 5, "x", a=1, b=1), looked(1, 2, b"x", a=1), looked(3, 4, b"x", b=1)],
    "a draft, read and committed": [
        wrote(0, 1, "x", d=1),
        wrote(2, 3, "y", a=1),
        looked(4, 5, b"yx", a=1, d=1),
        wrote(6, 7, "z", d=2),
        committed(8, 9, 2, a=2, d=3),
        looked(10, 11, b"yxz", a=2),
    ],
    "a draft and its file, read one after the other": [
        wrote(0, 1, "x", d=1),
        looked(2, 9, b"yx", a=1, d=1),
        wrote(3, 4, "z", d=2),
        wrote(5, 6, "y", a=1),
    ],
    "undone back to the first": [
        wrote(0, 1, "x", a=1),
        wrote(2, 3, "y", a=2),
        Event(4, 5, {"a": 3}, ("undo",)),
        Event(6, 7, {"a": 4}, ("undo",)),
        looked(8, 9, b"", a=4),
    ],
}
AFTER = {
    "one after the other": {"a": b"x", "b": b""},
    "at once, in whichever order": {"a": b"yx", "b": b""},
    "what begins as something else ends": {"a": b"x", "b": b""},
    "together": {"a": b"x", "b": b"x"},
    "a draft, read and committed": {"a": b"yxz", "b": b""},
    "a draft and its file, read one after the other": {"a": b"y", "b": b""},
    "undone back to the first": BEFORE,
}
BAD = {
    "a commit is lost": ([wrote(0, 1, "x", a=1), wrote(2, 3, "y", a=1)], b"y", b"", "twice"),
    "a commit that nobody made": ([wrote(0, 1, "x", a=2)], b"x", b"", "missing"),
    "an edit is not in the file": ([wrote(0, 1, "x", a=1)], b"", b"", "does not hold"),
    "somebody else's bytes are": ([wrote(0, 1, "x", a=1)], b"x?", b"", "does not hold"),
    "a reading of a mixture": (
        [wrote(0, 1, "x", a=1), looked(2, 3, b"half", a=1)],
        b"x",
        b"",
        "something else",
    ),
    "a reading of what is still to come": ([looked(0, 1, b"x", a=1)], b"", b"", "was shown"),
    "a stale reading": ([wrote(0, 1, "x", a=1), looked(2, 3, b"", a=0)], b"x", b"", "no order"),
    "a reading from the future": ([looked(0, 1, b"x", a=1), wrote(2, 3, "x", a=1)], b"x", b"", "no order"),
    "a reader that goes back": (
        [wrote(0, 9, "x", a=1), looked(1, 2, b"x", a=1), looked(3, 4, b"", a=0)],
        b"x",
        b"",
        "no order",
    ),
    "commits against the clock": ([wrote(0, 1, "x", a=2), wrote(2, 3, "y", a=1)], b"yx", b"", "no order"),
    "half a transaction is seen": (
        [wrote(0, 9, "x", a=1, b=1), looked(1, 2, b"x", a=1), looked(3, 4, b"", b=0)],
        b"x",
        b"x",
        "no order",
    ),
    "transactions cross": (
        [wrote(0, 9, "x", a=1, b=2), wrote(0, 9, "y", a=2, b=1)],
        b"xy",
        b"yx",
        "no order",
    ),
    "a draft loses a save": (
        [wrote(0, 1, "x", d=1), wrote(2, 3, "z", d=2), looked(4, 5, b"x", a=0, d=1)],
        b"",
        b"",
        "no order",
    ),
    "a save of a draft that lost one": ([wrote(0, 1, "x", d=1), wrote(2, 3, "z", d=1)], b"", b"", "twice"),
    "a draft without what it says": (
        [wrote(0, 1, "x", d=1), looked(2, 3, b"", a=0, d=1)],
        b"",
        b"",
        "something else",
    ),
    "a save is not in the commit": (
        [wrote(0, 1, "x", d=1), committed(2, 3, 1, a=1, d=2)],
        b"",
        b"",
        "does not hold",
    ),
    "a draft over its own commit": (
        [wrote(0, 1, "x", d=1), committed(2, 5, 1, a=1, d=2), looked(3, 4, b"xx", a=1, d=1)],
        b"x",
        b"",
        "something else",
    ),
    "a draft is committed twice": (
        [wrote(0, 1, "x", d=1), committed(2, 3, 1, a=1, d=2), committed(2, 3, 1, a=2, d=2)],
        b"xx",
        b"",
        "twice",
    ),
    "an undo of nothing": ([Event(0, 1, {"a": 1}, ("undo",))], b"", b"", "nothing to act upon"),
    "an undo of the wrong edit": (
        [wrote(0, 1, "x", a=1), wrote(2, 3, "y", a=2), Event(4, 5, {"a": 3}, ("undo",))],
        b"y",
        b"",
        "does not hold",
    ),
}


@pytest.mark.parametrize("case", GOOD)
def test_what_could_have_happened_is_accepted(case: str) -> None:
    assert problems(BEFORE, GOOD[case], AFTER[case], MEANING) == []


@pytest.mark.parametrize("case", BAD)
def test_what_could_not_have_happened_is_found(case: str) -> None:
    events, a, b, words = BAD[case]
    found = problems(BEFORE, events, {"a": a, "b": b}, MEANING)
    assert len(found) == 1, found
    assert words in found[0]
