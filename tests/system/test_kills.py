"""kill -9 at any moment of a commit: recovery leaves old or new, and undo leads back to old."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import insitu
from insitu.errors import RecoveryNeededError
from tests.system.programs import start

KILLS = 400 if os.environ.get("INSITU_LONG") else 40
LINE = b"%07d the quick brown fox jumps over the lazy dog, over and over again.\n"
SIZE = 80_000_000  # more than a segment of a shift
MARK = "user.insitu.pending"

# Every edit is one commit, as source that a child runs; {path} is the file, P makes a policy.
EDITS = {
    "overwrite a stretch": "insitu.write(path, 30 << 20, 50 << 20, b'#' * (20 << 20), policy=P('overwrite'))",
    "overwrite in many places": "insitu.replace(path, b'55 the', b'55 THE', policy=P('overwrite'))",
    "shift by a few bytes": "insitu.insert(path, 7_000_001, b'+' * 12_345, policy=P('shift'))",
    "shift far right": "insitu.insert(path, 50_000_001, b'+' * 20_000_000, policy=P('shift'))",
    "shift left": "insitu.delete(path, 1_000_001, 21_000_007, policy=P('shift'))",
    "shift left by a few bytes": "insitu.delete(path, 60_000_001, 60_000_008, policy=P('shift'))",
    "grow in many places": "insitu.replace(path, b'77 the', b'77 longer the', policy=P('shift'))",
    "insert blocks": "insitu.insert(path, 3_000_001, b'+' * (1 << 20), policy=P('blocks'))",
    "collapse blocks": "insitu.delete(path, 3_000_001, 3_000_001 + (1 << 20), policy=P('blocks'))",
    "rewrite": "insitu.insert(path, 50, b'+' * 7, policy=insitu.Policy(visibility='atomic'))",
}
PROGRAM = """
import sys, insitu
path = sys.argv[1]
P = lambda planner: insitu.Policy(planner=planner)
insitu.info(path)
print("ready", flush=True)
{edit}
print("done", flush=True)
"""
RECOVERING = """
import sys, insitu
print("ready", flush=True)
insitu.recover(sys.argv[1])
print("done", flush=True)
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file of lines; every test leaves it as it was."""
    path = tmp_path_factory.mktemp("kills") / "lines"
    with open(path, "wb") as file:
        for number in range(0, SIZE // len(LINE % 0), 10_000):
            file.write(b"".join(LINE % line for line in range(number, number + 10_000)))
        file.truncate(SIZE)
    yield path
    path.unlink()


def digest(path: Path) -> str:
    from xxhash import xxh3_128

    state = xxh3_128()
    with open(path, "rb", buffering=0) as file:
        while data := file.read(1 << 20):
            state.update(data)
    return state.hexdigest()


def killed(code: str, path: Path, after_s: float | None) -> tuple[bool, float]:
    """Runs a program, killed so long after it said it was ready; whether it was done, and its seconds."""
    process = start(code, path)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n", process.communicate()
    began = time.monotonic()
    if after_s is not None:
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
    out, words = process.communicate(timeout=120)
    seconds = time.monotonic() - began
    assert process.returncode in (0, -signal.SIGKILL), words.decode()
    return out == b"done\n", seconds


def recovered(path: Path, how: int) -> None:
    """Recovers by name, or by opening the file for writing or for a verb."""
    if how == 0:
        insitu.recover(path)
    elif how == 1:
        with insitu.open(path) as doc:
            assert doc.size == path.stat().st_size
        # An opening without a lock leaves drafts alone: somebody may be writing them.
        insitu.recover(path)
    else:
        insitu.write(path, 0, 1, b"0")  # as it was, but a commit


def check_nothing_is_left_over(path: Path) -> None:
    state = path.parent / ".insitu" / f"{path.name}.d"
    names = sorted(os.listdir(state)) if state.exists() else []
    assert [name for name in names if not name.endswith(".op")] == []
    assert sorted(os.listdir(path.parent)) in ([".insitu", path.name], [path.name])
    assert MARK not in os.listxattr(path)


def kills(edit: str, original: Path, count: int, seed: object) -> dict[str, int]:
    """Kills a commit ``count`` times; returns how often each outcome was met."""
    chance = random.Random(f"{edit} {seed}")
    code = PROGRAM.format(edit=EDITS[edit])
    old = digest(original)
    _, full_s = killed(code, original, None)
    new = digest(original)
    assert new != old
    insitu.undo(original)
    assert digest(original) == old
    outcomes = {"old": 0, "new": 0, "interrupted": 0, "interrupted again": 0}
    for _ in range(count):
        killed(code, original, chance.uniform(0, 1.1 * full_s))
        pending = (original.parent / ".insitu" / "lines.d" / "journal").exists()
        outcomes["interrupted"] += pending
        if pending:
            with pytest.raises(RecoveryNeededError):
                insitu.read(original, 0, 1)
            if chance.random() < 0.5:
                done, _ = killed(RECOVERING, original, chance.uniform(0, full_s))
                outcomes["interrupted again"] += not done
        recovered(original, chance.randrange(3))
        now = digest(original)
        assert now in (old, new), f"a mixture after {edit}, seed {seed}"
        check_nothing_is_left_over(original)
        outcomes["new" if now == new else "old"] += 1
        for _ in range(2):  # the edit, and what recovery by a verb wrote
            if now != old:
                insitu.undo(original)
                now = digest(original)
        assert now == old, f"undone to something else after {edit}, seed {seed}"
    return outcomes


@pytest.mark.slow
@pytest.mark.parametrize("edit", EDITS)
def test_a_killed_commit_is_recovered_to_old_or_new(edit: str, original: Path) -> None:
    print(edit, kills(edit, original, 40 // len(EDITS), "test"))


@pytest.mark.proof
@pytest.mark.parametrize("edit", EDITS)
def test_many_killed_commits_are_recovered_to_old_or_new(edit: str, original: Path) -> None:
    outcomes = kills(edit, original, KILLS // len(EDITS), "proof")
    print(edit, outcomes)
    assert outcomes["old"]
    assert outcomes["new"]
