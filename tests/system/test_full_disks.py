"""A disk that fills up: the edit is refused or rolled back, the file is old, nothing is left behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import insitu
from insitu import Policy
from insitu.errors import InsituError, LimitError, NoPlanError, NoSpaceError
from tests.system.disks import free_bytes, full, mounted

pytestmark = [pytest.mark.root, pytest.mark.slow]
BEFORE = bytes(range(256)) * (8 << 12)  # 8 MiB
KIB = 1 << 10
REFUSALS = (NoSpaceError, LimitError, NoPlanError)

# By planner, an edit that needs a few MiB.
EDITS: dict[str, Callable[[Path, Policy], object]] = {
    "overwrite": lambda path, policy: insitu.write(path, 1 << 20, 5 << 20, b"#" * (4 << 20), policy=policy),
    "shift": lambda path, policy: insitu.insert(path, 1_000, b"#" * (2 << 20), policy=policy),
    "shift left": lambda path, policy: insitu.delete(path, 1_000, 3_000_000, policy=policy),
    "blocks": lambda path, policy: insitu.insert(path, 5_000, b"#" * (2 << 20), policy=policy),
    "rewrite": lambda path, policy: insitu.insert(path, 1_000, b"#" * 50, policy=policy),
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mounted("ext4", tmp_path, 48 << 20) as root:
        yield root


def contents(root: Path) -> list[str]:
    return sorted(
        os.path.relpath(os.path.join(folder, name), root)
        for folder, _, names in os.walk(root)
        for name in names
        if name != "ballast"
    )


def written(path: Path) -> int:
    """Writes the file, and returns how many sectors it takes once the disk has placed it."""
    with open(path, "wb") as file:
        file.write(BEFORE)
        file.flush()
        os.fsync(file.fileno())
    return path.stat().st_blocks


@pytest.mark.parametrize("history", [100, 0])
@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("left_bytes", [0, 4 * KIB, 40 * KIB, 400 * KIB, 2_200 * KIB])
def test_an_edit_on_a_full_disk_leaves_the_old_file_and_nothing_else(
    disk: Path, edit: str, history: int, left_bytes: int
) -> None:
    path = disk / "file"
    stored = written(path)
    there = contents(disk)
    policy = Policy(planner=edit.split(maxsplit=1)[0], history=history, history_bytes=1 << 30)
    with full(disk, left_bytes):
        free = free_bytes(disk)
        try:
            EDITS[edit](path, policy)
        except REFUSALS as error:
            assert error.exit_code in (2, 5)
            assert getattr(error, "file_state", "old") == "old"
            assert path.read_bytes() == BEFORE
            assert contents(disk) == there
            assert path.stat().st_blocks <= stored + 8  # a block of the extent tree may stay
            assert free_bytes(disk) >= free - 4 * KIB
            assert "user.insitu.pending" not in os.listxattr(path)
        else:
            assert path.read_bytes() != BEFORE  # it did fit
            assert left_bytes >= 40 * KIB
    EDITS[edit](path, policy)  # with space it works
    if history:
        while insitu.read(path) != BEFORE:
            insitu.undo(path, policy=Policy(history_bytes=1 << 30))
    else:
        assert contents(disk) == there


@pytest.mark.parametrize("edit", EDITS)
def test_a_disk_that_is_fuller_than_it_said_leaves_the_old_file(
    disk: Path, edit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """J8: the space that the plan counted on is taken by others before it is allocated."""
    from dataclasses import replace

    from insitu.storage.linux import LinuxVolume

    really = LinuxVolume.facts
    monkeypatch.setattr(
        LinuxVolume, "facts", lambda self, folder: replace(really(self, folder), free_bytes=1 << 40)
    )
    path = disk / "file"
    stored = written(path)
    there = contents(disk)
    for left_bytes in (0, 40 * KIB, 1_000 * KIB, 3_000 * KIB):
        with full(disk, left_bytes):
            try:
                EDITS[edit](path, Policy(planner=edit.split(maxsplit=1)[0], history=0))
            except NoSpaceError as error:
                assert error.file_state == "old"
                assert path.read_bytes() == BEFORE
                assert contents(disk) == there
                assert path.stat().st_blocks <= stored + 8  # a block of the extent tree may stay
                assert "user.insitu.pending" not in os.listxattr(path)
            else:
                path.write_bytes(BEFORE)
                os.truncate(path, len(BEFORE))


@pytest.mark.parametrize("planner", ["overwrite", "shift", "rewrite"])
@pytest.mark.parametrize("history", [100, 0])
def test_a_full_disk_under_the_state_alone_leaves_the_old_file(
    disk: Path, tmp_path: Path, planner: str, history: int
) -> None:
    path, state = tmp_path / "file", disk / "state"
    state.mkdir()
    path.write_bytes(BEFORE)
    policy = Policy(planner=planner, state_folder=str(state), history=history)
    with full(disk, 40 * KIB):
        with pytest.raises(InsituError) as caught:
            insitu.write(path, 1_000, 3_000_000, b"#" * 2_900_000, policy=policy)
        assert isinstance(caught.value, REFUSALS), repr(caught.value)
        assert getattr(caught.value, "file_state", "old") == "old"
        assert path.read_bytes() == BEFORE
        assert os.listdir(state) == []
    assert "user.insitu.pending" not in os.listxattr(path)
    insitu.write(path, 1_000, 3_000_000, b"#" * 2_900_000, policy=policy)
    assert sorted(name for name in os.listdir(tmp_path) if not name.startswith("ext4")) == ["file"]
