"""kill -9 at any moment of a commit: recovery leaves old or new, and undo leads back to old.

Edits are killed through the library and through the command line (servers: ``tests/mcp/test_crashes.py``), in
processes that have loaded insitu before, so that every kill lands in the edit and not in the start of Python.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import insitu
from insitu import Policy
from insitu.errors import RecoveryNeededError
from tests.system.killing import Moment, check_nothing_is_left_over, landed, run

# Kills in `make test`: 20 + 120 + 132 here, 15 of servers, 18 of transactions, 24 of drafts.
LARGE_KILLS = {"test": 20, "proof": 400 if os.environ.get("INSITU_LONG") else 40}
SMALL_KILLS = {"test": 12, "proof": 2_000 if os.environ.get("INSITU_LONG") else 20}
LINE = b"%07d the quick brown fox jumps over the lazy dog, over and over again.\n"
SIZE = 80_000_000  # more than a segment of a shift
SMALL_SIZE = 2_000_000


def P(planner: str) -> Policy:
    """A policy that leaves one planner."""
    return Policy(planner=planner)


# Every edit is one commit.
EDITS: dict[str, Callable[[Path], object]] = {
    "overwrite a stretch": lambda path: insitu.write(
        path, 30 << 20, 50 << 20, b"#" * (20 << 20), policy=P("overwrite")
    ),
    "overwrite in many places": lambda path: insitu.replace(
        path, b"555 the", b"555 THE", policy=P("overwrite")
    ),
    "shift by a few bytes": lambda path: insitu.insert(path, 7_000_001, b"+" * 12_345, policy=P("shift")),
    "shift far right": lambda path: insitu.insert(path, 50_000_001, b"+" * 20_000_000, policy=P("shift")),
    "shift left": lambda path: insitu.delete(path, 1_000_001, 21_000_007, policy=P("shift")),
    "shift left by a few bytes": lambda path: insitu.delete(path, 60_000_001, 60_000_008, policy=P("shift")),
    "grow in many places": lambda path: insitu.replace(
        path, b"777 the", b"777 longer the", policy=P("shift")
    ),
    "insert blocks": lambda path: insitu.insert(path, 3_000_001, b"+" * (1 << 20), policy=P("blocks")),
    "collapse blocks": lambda path: insitu.delete(path, 3_000_001, 3_000_001 + (1 << 20), policy=P("blocks")),
    "rewrite": lambda path: insitu.insert(path, 50, b"+" * 7, policy=Policy(visibility="atomic")),
}
SMALL_EDITS: dict[str, Callable[[Path], object]] = {
    "overwrite a stretch": lambda path: insitu.write(path, 5, 5_000, b"#" * 4_995, policy=P("overwrite")),
    "overwrite in many places": lambda path: insitu.replace(
        path, b"55 the", b"55 THE", policy=P("overwrite")
    ),
    "shift by a few bytes": lambda path: insitu.insert(path, 70_001, b"+" * 345, policy=P("shift")),
    "shift far right": lambda path: insitu.insert(path, 50_001, b"+" * 700_000, policy=P("shift")),
    "shift left": lambda path: insitu.delete(path, 1_001, 701_007, policy=P("shift")),
    "grow in many places": lambda path: insitu.replace(path, b"77 the", b"77 longer the", policy=P("shift")),
    "insert blocks": lambda path: insitu.insert(path, 30_001, b"+" * (1 << 16), policy=P("blocks")),
    "collapse blocks": lambda path: insitu.delete(path, 30_001, 30_001 + (1 << 16), policy=P("blocks")),
    "rewrite": EDITS["rewrite"],
    "rewrite without undo": lambda path: insitu.insert(
        path, 50, b"+" * 7, policy=Policy(visibility="atomic", history=0)
    ),
}
COMMANDS = {
    "replace": ["replace", "FILE", "55 the", "55 THE!", "--all"],
    "replace by as many": ["replace", "FILE", "55 the", "55 THE", "--all"],
    "write": ["write", "FILE", "--bytes", "1000:3000", "--text", "short", "--exact"],
    "insert a line": ["insert", "FILE", "--before-line", "10", "--text", "a new line"],
    "append": ["insert", "FILE", "--end", "--text", "a last line"],
    "delete lines": ["delete", "FILE", "--lines", "1000-2000"],
    "delete blocks": ["delete", "FILE", "--bytes", "8192:73728", "--planner", "blocks"],
    "overwrite": ["write", "FILE", "--bytes", "100:107", "--text", "1234567", "--exact"],
    "shift": ["insert", "FILE", "--at", "70001", "--text", "++++", "--exact", "--planner", "shift"],
    "atomic": ["insert", "FILE", "--at", "70001", "--text", "++++", "--exact", "--atomic"],
    "rewrite": ["delete", "FILE", "--bytes", "1:3", "--planner", "rewrite"],
}


def by_library(edits: str, edit: str, path: Path) -> None:
    """Makes an edit of one of the tables."""
    {"large": EDITS, "small": SMALL_EDITS}[edits][edit](path)


def by_command(name: str, path: Path) -> None:
    """Becomes ``insitu COMMAND``, which nobody listens to."""
    nobody = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nobody, stream)
    from insitu.cli.main import cli

    arguments = [str(path) if argument == "FILE" else argument for argument in COMMANDS[name]]
    cli.main(arguments, standalone_mode=False)


def recovering(path: Path) -> None:
    """Recovers, to be killed as well."""
    insitu.recover(path)


def lines(path: Path, size: int) -> None:
    """Writes a file of numbered lines."""
    with open(path, "wb") as file:
        for number in range(0, size // len(LINE % 0), 10_000):
            file.write(b"".join(LINE % line for line in range(number, number + 10_000)))
        file.truncate(size)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file of lines; every test leaves it as it was."""
    path = tmp_path_factory.mktemp("kills") / "lines"
    lines(path, SIZE)
    yield path
    path.unlink()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A smaller one, for many kills."""
    path = tmp_path / "folder" / "lines"
    path.parent.mkdir()
    lines(path, SMALL_SIZE)
    return path


def digest(path: Path) -> str:
    from xxhash import xxh3_128

    state = xxh3_128()
    with open(path, "rb", buffering=0) as file:
        while data := file.read(1 << 20):
            state.update(data)
    return state.hexdigest()


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


def back_to(path: Path, old: str, recorded: bool) -> None:
    """Undoes the edit, and what recovery by a verb wrote; or puts the old bytes back by hand."""
    now = digest(path)
    for _ in range(2):
        if now != old and recorded:
            insitu.undo(path)
            now = digest(path)
    assert now == old, "undone to something else"


def kills(
    work: tuple[Callable[..., None], *tuple[object, ...]], path: Path, count: int, seed: str
) -> Counter[str]:
    """Kills a commit ``count`` times; returns where the kills landed, and what was recovered."""
    chance = random.Random(f"{work[1:]} {seed}")
    keeps = path.read_bytes() if path.stat().st_size <= SMALL_SIZE else b""
    old = digest(path)
    _, full_s = run(*work, path)
    new = digest(path)
    assert new != old
    recorded = bool(insitu.history(path))

    def restore() -> None:
        if not recorded and digest(path) != old:
            path.write_bytes(keeps)
        back_to(path, old, recorded)

    restore()
    found: Counter[str] = Counter()
    moment = Moment(path, full_s, chance)
    for _ in range(count):
        run(*work, path, kill=moment)
        where = landed(path, lambda: digest(path) != old)
        found[where] += 1
        if where == "pending":
            with pytest.raises(RecoveryNeededError):
                insitu.read(path, 0, 1)
            if chance.random() < 0.5:
                done, _ = run(recovering, path, kill=Moment(path, full_s, chance))
                found["recovery killed, too"] += not done
        recovered(path, chance.randrange(3))
        now = digest(path)
        assert now in (old, new), f"a mixture after {work[1:]}, seed {seed}"
        check_nothing_is_left_over(path)
        found["new" if now == new else "old"] += 1
        restore()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("edit", EDITS)
def test_a_killed_commit_is_recovered_to_old_or_new(edit: str, original: Path) -> None:
    print(edit, dict(kills((by_library, "large", edit), original, LARGE_KILLS["test"] // len(EDITS), "test")))


@pytest.mark.slow
@pytest.mark.parametrize("edit", SMALL_EDITS)
def test_a_killed_commit_of_a_small_file_is_recovered_to_old_or_new(edit: str, small: Path) -> None:
    found = kills((by_library, "small", edit), small, SMALL_KILLS["test"], "test")
    print(edit, dict(found))
    assert found["pending"] + found["preparing"] + found["after"], "no kill landed in the commit"


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_killed_command_is_recovered_to_old_or_new(command: str, small: Path) -> None:
    found = kills((by_command, command), small, SMALL_KILLS["test"], "test")
    print(command, dict(found))
    assert found["pending"] + found["preparing"] + found["after"], "no kill landed in the commit"


@pytest.mark.proof
@pytest.mark.parametrize("edit", EDITS)
def test_many_killed_commits_are_recovered_to_old_or_new(edit: str, original: Path) -> None:
    found = kills((by_library, "large", edit), original, LARGE_KILLS["proof"] // len(EDITS), "proof")
    print(edit, dict(found))
    assert found["old"]
    assert found["new"]


@pytest.mark.proof
@pytest.mark.parametrize("edit", SMALL_EDITS)
def test_many_killed_commits_of_a_small_file_are_recovered(edit: str, small: Path) -> None:
    print(edit, dict(kills((by_library, "small", edit), small, SMALL_KILLS["proof"], "proof")))


@pytest.mark.proof
@pytest.mark.parametrize("command", COMMANDS)
def test_many_killed_commands_are_recovered(command: str, small: Path) -> None:
    print(command, dict(kills((by_command, command), small, SMALL_KILLS["proof"], "proof")))


CREATED = LINE * (SIZE // 4 // len(LINE))
CREATIONS = 25


def creating(path: Path) -> None:
    """Makes a new file."""
    insitu.create(path, CREATED)


def test_a_killed_creation_leaves_all_of_the_file_or_nothing(tmp_path: Path) -> None:
    path, chance = tmp_path / "new", random.Random("creation")
    _, full_s = run(creating, path)
    found: Counter[str] = Counter()
    for _ in range(CREATIONS):
        path.unlink(missing_ok=True)
        run(creating, path, kill=lambda process: (time.sleep(full_s * chance.random()), process.kill()))
        left = [name.name for name in tmp_path.iterdir()]
        assert left in ([], ["new"]), left
        if left:
            assert path.read_bytes() == CREATED
        found["made" if left else "killed"] += 1
    assert found["killed"], "no kill landed in time"
