"""Snapshots that others overtake: what they read, what they wait for, and when they give up."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

import insitu
from insitu.engine import commit
from insitu.engine.recover import recover
from insitu.engine.site import Site
from insitu.errors import RequestError, SnapshotExpiredError, StaleError, SyncError, UndoError
from insitu.storage.base import File
from insitu.storage.local import local_volume

BASE = b"".join(b"line %05d\n" % number for number in range(3000))

Case = tuple[str, int, int, bytes]
EDITS: list[Case] = [
    ("overwrite", 5, 10, b"xxxxx"),
    ("overwrite", 4094, 4099, b"cross"),
    ("overwrite", len(BASE), len(BASE), b"appended"),
    ("overwrite", len(BASE) - 9000, len(BASE), b""),
    ("shift", 100, 100, b"inserted"),
    ("shift", 5000, 15_000, b"less"),
    ("blocks", 4096, 4096, b"y" * 8192),
    ("rewrite", 0, 7, b"rewritten"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(BASE)
    return path


def edit(path: Path, case: Case, history: int = 100) -> bytes:
    planner, start, stop, new = case
    with insitu.open(path, policy=insitu.Policy(planner=planner, history=history)) as doc:
        doc[start:stop] = new
    return path.read_bytes()


def check(doc: insitu.Document, oracle: bytes) -> None:
    assert doc.size == len(oracle)
    assert doc[:] == oracle
    for start in range(0, len(oracle), 997):
        assert doc.read(start, min(50, len(oracle) - start)) == oracle[start : start + 50]
    offsets = list(range(0, len(oracle) - 20, 503))
    assert doc.read_many(offsets, 20) == [oracle[offset : offset + 20] for offset in offsets]


@pytest.mark.parametrize("case", EDITS, ids=[f"{case[0]} {case[1]}:{case[2]}" for case in EDITS])
@pytest.mark.parametrize("mode", ["r", "r+"])
def test_a_document_keeps_reading_what_it_was_opened_on(path: Path, case: Case, mode: insitu.Mode) -> None:
    with insitu.open(path, mode) as doc:
        after = edit(path, case)
        check(doc, BASE)
        with insitu.open(path, "r") as newer:
            check(newer, after)
            insitu.undo(path)
            check(newer, after)
        check(doc, BASE)


def test_every_version_in_the_history_can_be_read(path: Path) -> None:
    versions = [BASE, *(edit(path, case) for case in EDITS[:2] + EDITS[4:])]
    for number, content in enumerate(versions):
        with insitu.open(path, at=number) as doc:
            check(doc, content)
            assert doc.lines[-1] == content.splitlines(keepends=True)[-1].decode()
            assert doc.read_only
    with pytest.raises(UndoError):
        insitu.open(path, at=len(versions))


def test_a_version_is_read_on_while_others_commit(path: Path) -> None:
    edit(path, EDITS[0])
    edit(path, EDITS[4])
    with insitu.open(path, at=1) as doc:
        first = doc[:]
        edit(path, EDITS[5])
        edit(path, EDITS[7])
        check(doc, first)


def test_a_version_after_a_fast_commit_is_read(path: Path) -> None:
    doc = insitu.open(path, policy=insitu.Policy(durability="fast"))
    doc[0:4] = b"LINE"
    doc.commit()
    with insitu.open(path, at=0) as older, insitu.open(path, at=1) as newer:
        check(older, BASE)
        check(newer, b"LINE" + BASE[4:])
    doc.close()


def test_an_older_version_can_only_be_read(path: Path) -> None:
    edit(path, EDITS[0])
    with pytest.raises(RequestError):
        insitu.open(path, at=0, locked=True)
    with insitu.open(path, at=0) as doc, pytest.raises(RequestError):
        doc[0:1] = b"x"


def test_reads_expire_with_the_history(path: Path) -> None:
    with insitu.open(path, "r") as doc:
        for number in range(4):
            edit(path, ("overwrite", number, number + 1, b"%d" % number), history=3)
        with pytest.raises(SnapshotExpiredError) as caught:
            doc.read(0, 10)
        assert caught.value.facts["operation"] == 1
        assert isinstance(caught.value, insitu.errors.ConflictError)
    with pytest.raises(UndoError):
        insitu.open(path, at=0)
    with insitu.open(path, at=1) as doc:
        assert doc.read(0, 10) == b"0" + BASE[1:10]


def test_reads_expire_when_the_history_is_dropped(path: Path) -> None:
    edit(path, EDITS[0])
    with insitu.open(path, "r") as doc:
        edit(path, EDITS[4], history=0)
        with pytest.raises(SnapshotExpiredError):
            doc.read(0, 10)


def test_a_strangers_append_does_not_disturb(path: Path) -> None:
    with insitu.open(path, "r") as doc:
        edit(path, EDITS[4])
        with path.open("ab") as file:
            file.write(b"from outside")
        check(doc, BASE)
        edit(path, EDITS[0])
        check(doc, BASE)


def test_a_strangers_change_between_two_operations_is_refused(path: Path) -> None:
    with insitu.open(path, "r") as doc:
        edit(path, EDITS[4])
        path.write_bytes(b"?" * path.stat().st_size)
        edit(path, EDITS[0])
        with pytest.raises(StaleError):
            doc.read(0, 10)


def test_reads_leave_no_descriptor_behind(path: Path) -> None:
    fds = Path("/proc/self/fd")
    before = len(list(fds.iterdir()))
    for number in range(5):
        edit(path, ("shift", number, number, b"z" * (1 << 17)))
        edit(path, ("shift", number, number + (1 << 17), b""))
        with insitu.open(path, at=number) as doc:
            doc[:]
    assert len(list(fds.iterdir())) == before


def test_two_versions_are_compared(path: Path) -> None:
    edit(path, ("overwrite", 5, 10, b"AAAAA"))
    edit(path, ("shift", 0, 0, b"first\n"))
    edit(path, ("overwrite", 11, 16, b"00000"))
    text = insitu.diff(path, 0, 3)
    assert "+first" in text
    assert "AAAAA" not in text
    assert "-first" in insitu.diff(path, 3, 0)
    assert "AAAAA" in insitu.diff(path, 1, 3)
    assert insitu.diff(path, 2, 2).count("\n") == 2
    with pytest.raises(UndoError):
        insitu.diff(path, 0, 9)


def test_nothing_is_saved_of_an_older_version(path: Path) -> None:
    edit(path, EDITS[4])
    with insitu.open(path, at=0) as doc:
        assert len(doc.lines) == 3000
    assert local_volume().stat(Site.of(local_volume(), str(path)).line_index) is None


def test_a_fast_commit_without_undo_is_read_on_once_others_made_it_durable(path: Path) -> None:
    edit(path, EDITS[4])
    with insitu.open(path, policy=insitu.Policy(durability="fast", history=0)) as doc:
        doc[:5] = b"first"
        doc.commit()
        content = b"first" + path.read_bytes()[5:]
        check(doc, content)
        token = doc.generation.token
        insitu.recover(path)
        check(doc, content)
        assert insitu.info(path)["generation"] == token
        assert insitu.history(path) == []
        edit(path, EDITS[0])
        check(doc, content)
        doc[20:22] = b"__"
        assert doc.commit() is not None
        assert path.read_bytes()[:25] == b"firstxxxxx" + content[10:20] + b"__" + content[22:25]


def test_operations_that_got_the_number_of_a_dropped_one_are_told_apart(path: Path) -> None:
    edit(path, ("overwrite", 0, 1, b"1"))
    with insitu.open(path, "r") as doc:
        edit(path, ("overwrite", 0, 1, b"2"), history=0)
        edit(path, ("overwrite", 0, 1, b"3"))
        assert [operation.number for operation in insitu.history(path)] == [1]
        with pytest.raises(SnapshotExpiredError):
            doc.read(0, 1)


@pytest.mark.parametrize("history", [1, 2, 100])
def test_a_fast_commit_belongs_to_the_history_at_once(path: Path, history: int) -> None:
    for number in range(3):
        edit(path, ("overwrite", 0, 1, b"%d" % number))
    with insitu.open(path, policy=insitu.Policy(durability="fast", history=history)) as doc:
        doc[:5] = b"first"
        doc.commit()
        kept = [4, 3, 2, 1][:history][::-1]
        assert [operation.number for operation in insitu.history(path)] == kept
        assert doc.generation.operation == 4
        check(doc, path.read_bytes())
    assert [operation.number for operation in insitu.history(path)] == kept


Policy = insitu.Policy
UNRECORDED = Policy(durability="fast", history=0)


def expires(doc: insitu.Document) -> None:
    with pytest.raises(SnapshotExpiredError):
        doc.read(0, doc.size)


@pytest.mark.parametrize("last", [Policy(history=2), Policy(history=1, durability="fast")])
def test_a_number_used_again_does_not_follow_the_one_that_was_dropped(
    path: Path, last: insitu.Policy
) -> None:
    """The history is dropped, and begun anew, past the number that a snapshot knows."""
    edit(path, ("overwrite", 0, 1, b"1"))
    edit(path, ("overwrite", 0, 1, b"2"))
    with insitu.open(path, "r") as doc:
        insitu.insert(path, 0, b"X" * 10, policy=Policy(history=0))
        for number in range(3):
            insitu.write(path, 50, 51, b"%d" % number, policy=Policy(history=2))
        with insitu.open(path, policy=last) as writer:
            writer[50:51] = b"Z"
            writer.commit()
            expires(doc)


def test_commits_without_undo_between_two_that_a_snapshot_saw_are_noticed(path: Path) -> None:
    with insitu.open(path, "r") as doc, insitu.open(path, policy=UNRECORDED) as writer:
        for number in range(3):
            writer[number * 9000 : number * 9000 + 1] = b"%d" % number
            writer.commit()
            if number == 0:
                check(doc, BASE)
        expires(doc)


def test_a_commit_without_undo_takes_the_history_along_whenever_it_is_killed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(path, ("overwrite", 20_000, len(BASE), b""))
    edit(path, ("overwrite", 0, 1, b"1"))
    # What follows the note that the commit is placed does not happen.
    monkeypatch.setattr(commit, "retain", lambda *_, **__: None)
    with insitu.open(path, policy=UNRECORDED) as writer:
        writer.insert(10, b"N" * 30)
        writer.commit()
        with insitu.open(path, "r") as doc:
            content = path.read_bytes()
            check(doc, content)
            insitu.recover(path)
            check(doc, content)
        assert insitu.history(path) == []


def test_a_commit_that_is_rolled_back_by_force_is_not_read_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site.of(local_volume(), str(path))
    with insitu.open(path, policy=UNRECORDED) as writer:
        writer[0:1] = b"1"
        writer.commit()
        with insitu.open(path, "r") as doc:
            assert doc[:3] == b"1in"
            with closing(site.open(write=True)) as file, monkeypatch.context() as patched:
                sync = type(file).sync

                def failing(self: File) -> None:
                    if self.path == site.path:
                        raise SyncError("The disk failed.")
                    sync(self)

                patched.setattr(type(file), "sync", failing)
                with pytest.raises(SyncError):
                    recover(site, file)
            with closing(site.open(write=True)) as file:
                assert recover(site, file, "undo").outcome == "old"
            assert path.read_bytes() == BASE
            expires(doc)
