"""How much of the past is kept: what the policy says, and never more."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import insitu
from insitu import Policy
from insitu.errors import LimitError, UndoError

EVERY_VISIBILITY = pytest.mark.parametrize("visibility", ["committed", "atomic"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"text")
    return path


def numbers(path: Path) -> list[int]:
    return [operation.number for operation in insitu.history(path)]


def stored_bytes(path: Path) -> int:
    return sum(entry.stat().st_size for entry in (path.parent / ".insitu" / "file.d").iterdir())


@EVERY_VISIBILITY
@pytest.mark.parametrize("durability", ["full", "fast"])
def test_a_history_of_three_keeps_three(path: Path, visibility: str, durability: str) -> None:
    policy = Policy(history=3, visibility=visibility, durability=durability)
    for number in range(1, 8):
        assert insitu.append(path, b"%d" % number, policy=policy).operation == number
    insitu.recover(path)  # which closes what "fast" left to be closed
    assert numbers(path) == [5, 6, 7]
    for _ in range(3):
        insitu.undo(path, policy=Policy(history=10))
    assert path.read_bytes() == b"text1234"
    with pytest.raises(UndoError):
        insitu.undo(path)


@EVERY_VISIBILITY
@pytest.mark.parametrize("durability", ["full", "fast"])
@pytest.mark.parametrize("locked", [False, True])
def test_every_commit_of_one_document_is_kept(
    path: Path, visibility: str, durability: str, locked: bool
) -> None:
    policy = Policy(visibility=visibility, durability=durability)
    with insitu.open(path, policy=policy, locked=locked) as doc:
        for number in range(1, 6):
            doc.append(b"%d" % number)
            doc.commit()
            assert doc[:] == b"text12345"[: 4 + number]
    assert numbers(path) == [1, 2, 3, 4, 5]
    for _ in range(5):
        insitu.undo(path)
    assert path.read_bytes() == b"text"


@EVERY_VISIBILITY
def test_a_history_of_so_many_bytes_keeps_no_more(path: Path, visibility: str) -> None:
    policy = Policy(history_bytes=3_000_000, visibility=visibility)
    path.write_bytes(bytes(1_000_000))
    for number in range(1, 7):
        insitu.write(path, 0, 1_000_000, bytes([number]) * 1_000_000, policy=policy)
        assert stored_bytes(path) <= 3_000_000 or numbers(path) == [number]
    assert numbers(path)[-1] == 6
    insitu.undo(path)
    assert path.read_bytes() == bytes([5]) * 1_000_000


@EVERY_VISIBILITY
def test_an_edit_whose_undo_would_not_fit_is_refused(path: Path, visibility: str) -> None:
    policy = Policy(history_bytes=1_000, visibility=visibility)
    path.write_bytes(bytes(100_000))
    with pytest.raises(LimitError, match="50,000 bytes, and the history may take 1,000"):
        insitu.write(path, 0, 50_000, b"x" * 50_000, policy=policy)
    assert path.read_bytes() == bytes(100_000)
    assert os.listdir(path.parent) == ["file"]


@EVERY_VISIBILITY
@pytest.mark.parametrize("planner", ["overwrite", "shift", None])
@pytest.mark.parametrize("durability", ["full", "fast"])
def test_without_history_nothing_is_left_beside_the_file(
    path: Path, visibility: str, planner: str | None, durability: str
) -> None:
    if visibility == "atomic" and planner is not None:
        pytest.skip("these planners are not atomic")
    policy = Policy(history=0, visibility=visibility, planner=planner, durability=durability)
    path.write_bytes(b"text" * 10_000)
    assert insitu.insert(path, 50, b"more", policy=policy).operation == 1
    insitu.recover(path)
    assert os.listdir(path.parent) == ["file"]
    with insitu.open(path, policy=policy) as doc:
        doc[0:1] = b"T"
        assert doc.lines[0]
    insitu.recover(path)
    assert os.listdir(path.parent) == ["file"]
    with pytest.raises(UndoError):
        insitu.undo(path)
    assert os.listdir(path.parent) == ["file"]


@EVERY_VISIBILITY
def test_turning_history_off_removes_it(path: Path, visibility: str) -> None:
    for _ in range(3):
        insitu.append(path, b"x")
    assert numbers(path) == [1, 2, 3]
    insitu.append(path, b"y", policy=Policy(history=0, visibility=visibility))
    assert os.listdir(path.parent) == ["file"]
    assert numbers(path) == []
    with pytest.raises(UndoError):
        insitu.undo(path)
    assert path.read_bytes() == b"textxxxy"


def test_other_files_keep_theirs(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"text")
    insitu.append(other, b"x")
    insitu.append(path, b"x", policy=Policy(history=0))
    assert numbers(other) == [1]
    assert os.listdir(path.parent / ".insitu") != []


def test_version_control_leaves_the_state_alone(path: Path) -> None:
    insitu.append(path, b"x")
    assert (path.parent / ".insitu" / ".gitignore").read_bytes() == b"*\n"
