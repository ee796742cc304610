"""Undo is an operation like any other: an inverse, moved to where its bytes lie now, or a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

import insitu
from insitu.core.pieces import Fill
from insitu.errors import UndoError

TEXT = b"".join(b"line %04d\n" % n for n in range(2000))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(TEXT)
    return path


PLANNERS = ["overwrite", "shift", "rewrite", None]


@pytest.mark.parametrize("done", PLANNERS)
@pytest.mark.parametrize("undone", PLANNERS)
def test_what_one_planner_did_any_other_undoes(path: Path, done: str | None, undone: str | None) -> None:
    insitu.replace(path, b"line", b"a longer line", policy=insitu.Policy(planner=done))
    after = path.read_bytes()
    receipt = insitu.undo(path, policy=insitu.Policy(planner=undone))
    assert path.read_bytes() == TEXT and receipt.splices == 2000
    insitu.redo(path, policy=insitu.Policy(planner=done))
    assert path.read_bytes() == after


@pytest.mark.parametrize(
    "edit",
    [
        lambda path: insitu.insert(path, 5000, b"\n" * 4096),
        lambda path: insitu.delete(path, 4096, 12288),
        lambda path: insitu.delete(path, 0, len(TEXT)),
        lambda path: insitu.append(path, Fill(0, 50_000)),
        lambda path: insitu.append(path, insitu.extent(path, (0, len(TEXT)))),
        lambda path: insitu.write(path, 0, len(TEXT), b""),
        lambda path: insitu.replace(path, b"line", b""),
        lambda path: insitu.replace(path, b"\n", b""),
        lambda path: insitu.apply(path, [insitu.Edit(lines=(n, n), new=b"x\n") for n in range(1, 2000, 7)]),
    ],
)
def test_any_edit_is_undone_and_redone(path: Path, edit) -> None:
    edit(path)
    after = path.read_bytes()
    assert after != TEXT
    insitu.undo(path)
    assert path.read_bytes() == TEXT
    insitu.redo(path)
    assert path.read_bytes() == after


def test_all_between_others_is_undone_alone(path: Path) -> None:
    for number in (100, 300, 500, 700):
        insitu.apply(path, [insitu.Edit(match=b"line %04d" % number, new=b"changed %d" % number)])
    insitu.undo(path, 2)
    insitu.undo(path, 3)
    expected = TEXT.replace(b"line 0100", b"changed 100").replace(b"line 0700", b"changed 700")
    assert path.read_bytes() == expected
    with pytest.raises(UndoError, match="not in effect"):
        insitu.undo(path, 2)
    insitu.undo(path, 1)
    assert insitu.undo(path).operation == 8
    assert path.read_bytes() == TEXT


def test_an_undo_in_between_does_not_stand_in_the_way(path: Path) -> None:
    insitu.write(path, 0, 4, b"LINE")
    insitu.write(path, 0, 4, b"Line")
    insitu.undo(path)
    insitu.undo(path, 1)
    assert path.read_bytes() == TEXT


def test_redo_goes_on_after_an_operation_was_undone_out_of_turn(path: Path) -> None:
    insitu.write(path, 0, 4, b"LINE")
    insitu.write(path, 10, 14, b"LINE")
    insitu.undo(path, 1)
    insitu.undo(path, 2)
    insitu.redo(path)
    insitu.redo(path)
    assert path.read_bytes() == b"LINE" + TEXT[4:10] + b"LINE" + TEXT[14:]


def test_a_pure_insertion_is_undone_only_where_its_bytes_still_are(path: Path) -> None:
    insitu.insert(path, 100, b"inserted")
    data = path.read_bytes()
    path.write_bytes(b"moved" + data)
    with pytest.raises(UndoError):
        insitu.undo(path)
    assert path.read_bytes() == b"moved" + data


def test_a_file_cut_by_somebody_is_left_alone(path: Path) -> None:
    insitu.append(path, b"appended")
    with path.open("r+b") as file:
        file.truncate(100)
    with pytest.raises(UndoError):
        insitu.undo(path)
    assert path.read_bytes() == TEXT[:100]


def test_without_history_there_is_nothing_to_undo(path: Path) -> None:
    insitu.append(path, b"1", policy=insitu.Policy(history=0))
    with pytest.raises(UndoError, match="nothing to undo"):
        insitu.undo(path)
    with pytest.raises(UndoError, match="nothing to redo"):
        insitu.redo(path)
    insitu.append(path, b"2")
    insitu.undo(path)
    assert path.read_bytes() == TEXT + b"1"


def test_undo_keeps_to_the_policys_history(path: Path) -> None:
    for letter in (b"A", b"B", b"C"):
        insitu.write(path, 0, 1, letter)
    insitu.undo(path, policy=insitu.Policy(history=2))
    assert [entry.number for entry in insitu.history(path)] == [3, 4]
    with pytest.raises(UndoError):
        insitu.undo(path)
    insitu.redo(path)
    assert path.read_bytes() == b"C" + TEXT[1:]


def test_undo_leaves_the_pending_edits_of_a_document_to_rebase(path: Path) -> None:
    insitu.insert(path, 0, b"head\n")
    with insitu.open(path) as doc:
        doc.append(b"tail\n")
        insitu.undo(path)
        receipt = doc.commit()
        assert receipt is not None and receipt.rebased_over == (2,)
    assert path.read_bytes() == TEXT + b"tail\n"
