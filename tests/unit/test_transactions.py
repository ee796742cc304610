"""Transactions: several files change together or not at all, and nothing else is touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import insitu
from insitu import Policy
from insitu.engine.session import writing, writing_all
from insitu.engine.site import Site
from insitu.errors import (
    AmbiguousError,
    CancelledError,
    ExpectationError,
    LimitError,
    LockedError,
    MissingFileError,
    RequestError,
    StaleError,
)
from insitu.storage.local import local_volume


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "a.log", tmp_path / "folder" / "b.csv", tmp_path / "c"]
    paths[1].parent.mkdir()
    for path in paths:
        path.write_bytes(b"one\ntwo\nthree\n")
    return paths


def read(files: list[Path]) -> list[bytes]:
    return [path.read_bytes() for path in files]


def beside(folder: Path) -> list[str]:
    """Everything below a folder but histories."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix != ".op")


OLD = b"one\ntwo\nthree\n"


def test_all_files_change_and_each_has_a_receipt_and_a_history(files: list[Path]) -> None:
    a, b, _ = files
    with insitu.transaction() as t:
        t.open(a).lines[0] = "first"
        t.open(b).append(b"four\n")
    assert read(files) == [b"first\ntwo\nthree\n", OLD + b"four\n", OLD]
    assert t.receipt.paths == (str(a), str(b))
    assert [receipt.operation for receipt in t.receipt.receipts] == [1, 1]
    assert len(t.receipt.id) == 32
    assert [one["path"] for one in t.receipt.as_dict()["files"]] == [str(a), str(b)]
    insitu.undo(a)
    assert read(files) == [OLD, OLD + b"four\n", OLD]
    assert [entry.kind for entry in insitu.history(a)] == ["edit", "undo"]


def test_an_exception_leaves_all_files_and_nothing_beside_them(files: list[Path], tmp_path: Path) -> None:
    before = beside(tmp_path)
    with pytest.raises(KeyError), insitu.transaction() as t:
        t.open(files[0]).append(b"x")
        t.open(files[1]).append(b"x")
        raise KeyError
    assert read(files) == [OLD] * 3
    assert beside(tmp_path) == before


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_one_stale_file_leaves_all_as_they_are(
    files: list[Path], tmp_path: Path, order: tuple[int, int]
) -> None:
    before = beside(tmp_path)
    t = insitu.transaction()
    for index in order:
        t.open(files[index])[0:3] = b"ONE"
    files[1].write_bytes(b"theirs, and of another size")
    with pytest.raises(StaleError):
        t.commit()
    assert read(files) == [OLD, b"theirs, and of another size", OLD]
    assert beside(tmp_path) == before
    assert all(document.changed for document in t.documents)  # what was pending still is
    t.close()


def test_edits_are_moved_past_what_others_committed(files: list[Path]) -> None:
    a, b, _ = files
    with insitu.transaction() as t:
        t.open(a)[4:7] = b"TWO"
        t.open(b)[4:7] = b"TWO"
        insitu.insert(b, 0, b"zero\n")
    assert read(files)[:2] == [b"one\nTWO\nthree\n", b"zero\none\nTWO\nthree\n"]
    assert t.receipt.receipts[1].rebased_over == (1,)


def test_a_limit_of_one_file_leaves_all(files: list[Path], tmp_path: Path) -> None:
    before = beside(tmp_path)
    t = insitu.transaction(policy=Policy(history_bytes=10))
    t.open(files[0])[0:3] = b"ONE"
    del t.open(files[1])[0:12]
    with pytest.raises(LimitError):
        t.commit()
    t.close()
    assert read(files) == [OLD] * 3
    assert beside(tmp_path) == before


def test_cancelling_leaves_all(files: list[Path], tmp_path: Path) -> None:
    before = beside(tmp_path)
    asked: list[int] = []
    t = insitu.transaction()
    for path in files:
        t.open(path).append(b"x")
    with pytest.raises(CancelledError):
        t.commit(cancel=lambda: asked.append(1) or len(asked) > 1)
    t.close()
    assert read(files) == [OLD] * 3
    assert beside(tmp_path) == before


def test_a_held_lock_leaves_all_and_says_who_holds_it(files: list[Path], tmp_path: Path) -> None:
    before = beside(tmp_path)
    site = Site.of(local_volume(), str(files[1]))
    t = insitu.transaction(lock_timeout_s=0.05)
    for path in files:
        t.open(path).append(b"x")
    with writing(site, Policy(), 0), pytest.raises(LockedError):
        t.commit()
    assert read(files) == [OLD] * 3
    assert beside(tmp_path) == before
    t.commit()
    assert read(files) == [OLD + b"x"] * 3
    t.close()


def test_one_file_by_several_names_is_one_document(files: list[Path], tmp_path: Path) -> None:
    link, hard = tmp_path / "link", tmp_path / "hard"
    link.symlink_to(files[0])
    hard.hardlink_to(files[0])
    with insitu.transaction() as t:
        document = t.open(files[0])
        assert t.open(link) is document
        assert t.open(hard) is document
        assert t.open(os.path.relpath(files[0])) is document
        document.append(b"x")
        t.open(files[1]).append(b"x")
    assert read(files) == [OLD + b"x", OLD + b"x", OLD]


def test_files_that_become_one_are_refused(files: list[Path]) -> None:
    t = insitu.transaction()
    for path in files[:2]:
        t.open(path).append(b"x")
    files[1].unlink()
    files[1].hardlink_to(files[0])
    with pytest.raises(StaleError, match="have become one"):
        t.commit()
    t.close()
    assert read(files) == [OLD] * 3


def test_a_document_of_a_transaction_is_not_committed_alone(files: list[Path]) -> None:
    with insitu.transaction() as t:
        with t.open(files[0]) as document:
            document.append(b"x")
            with pytest.raises(RequestError, match="part of a transaction"):
                document.commit()
        assert read(files) == [OLD] * 3
    assert read(files) == [OLD + b"x", OLD, OLD]


def test_a_document_that_was_closed_takes_no_part(files: list[Path]) -> None:
    with insitu.transaction() as t:
        for path in files:
            t.open(path).append(b"x")
        t.open(files[0]).close()
        t.open(files[0]).insert(0, b"again\n")
        t.open(files[1]).close()
    assert read(files) == [b"again\n" + OLD, OLD, OLD + b"x"]


def test_a_transaction_can_be_committed_again(files: list[Path]) -> None:
    with insitu.transaction(policy=Policy(visibility="atomic")) as t:
        documents = [t.open(path) for path in files]
        for number in range(3):
            for document in documents:
                document.append(b"%d" % number)
            t.commit()
        assert t.open(files[0]) is documents[0]  # though its inode is another
        assert [receipt.plan for receipt in t.receipt.receipts] == ["rewrite/swap"] * 3
    assert read(files) == [OLD + b"012"] * 3
    assert t.receipt.receipts == ()  # the end of the block had nothing to do


def test_fewer_than_two_changes_need_no_super_journal(files: list[Path]) -> None:
    with insitu.transaction() as t:
        t.open(files[0])
        with pytest.raises(RequestError, match="not committed yet"):
            _ = t.receipt
    assert (t.receipt.id, t.receipt.receipts) == ("", ())
    with insitu.transaction() as t:
        t.open(files[0]).append(b"x")
        t.open(files[1])
    assert t.receipt.id == ""
    assert read(files) == [OLD + b"x", OLD, OLD]


def test_without_history_nothing_is_left_beside_the_files(files: list[Path], tmp_path: Path) -> None:
    before = beside(tmp_path)
    for policy in (Policy(history=0), Policy(history=0, visibility="atomic")):
        with insitu.transaction(policy=policy) as t:
            for path in files:
                t.open(path).append(b"x")
        assert beside(tmp_path) == before
    assert read(files) == [OLD + b"xx"] * 3


def test_state_may_lie_elsewhere(files: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with insitu.transaction(policy=Policy(state_folder=str(folder))) as t:
        for path in files:
            t.open(path).append(b"x")
    assert read(files) == [OLD + b"x"] * 3
    assert len(list(folder.rglob("*.op"))) == 3


def test_a_piece_of_another_file_of_the_transaction_is_of_its_old_contents(files: list[Path]) -> None:
    a, b, _ = files
    with insitu.transaction() as t:
        t.open(a)[0:3] = b"ONE"
        t.open(b).insert(0, insitu.extent(a, (0, 4)))
    assert read(files)[:2] == [b"ONE\ntwo\nthree\n", b"one\n" + OLD]


def test_a_missing_file_is_refused_before_anything_changes(files: list[Path], tmp_path: Path) -> None:
    with pytest.raises(MissingFileError), insitu.transaction() as t:
        t.open(files[0]).append(b"x")
        t.open(tmp_path / "missing").append(b"x")
    assert read(files) == [OLD] * 3


def test_locks_are_held_in_the_order_of_inodes(files: list[Path]) -> None:
    sites = [Site.of(local_volume(), str(path)) for path in files]
    for arranged in (sites, sites[::-1], [sites[1], sites[2], sites[0]]):
        with writing_all(arranged, Policy(), 0) as held:
            inodes = [one.target.stat().inode for _, one in held]
            assert inodes == sorted(inodes)
            assert [arranged[index].path for index, _ in held] == [one.target.path for _, one in held]


EDITS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12), st.binary(max_size=20)), max_size=3)


@pytest.mark.slow
@settings(max_examples=25)
@given(
    rounds=st.lists(
        st.tuples(st.permutations(range(3)), st.tuples(EDITS, EDITS, EDITS), st.sampled_from(["in", "swap"])),
        max_size=4,
    )
)
def test_any_transactions_leave_what_the_same_edits_of_bytes_leave(
    tmp_path_factory: pytest.TempPathFactory, rounds: list[tuple[list[int], tuple[list, ...], str]]
) -> None:
    folder = tmp_path_factory.mktemp("law")
    paths = [folder / name for name in "abc"]
    expected = [bytearray(b"0123456789" * 3) for _ in paths]
    for path in paths:
        path.write_bytes(expected[0])
    policies = {"in": Policy(history=2), "swap": Policy(history=0, visibility="atomic")}
    for order, edits, how in rounds:
        with insitu.transaction(policy=policies[how]) as t:
            for index in order:
                document = t.open(paths[index])
                for start, size, data in edits[index]:
                    document[start : start + size] = data
                    expected[index][start : start + size] = data
        assert read(paths) == [bytes(data) for data in expected]
        assert not [name for name in beside(folder) if name.endswith(("journal", "undecided", "committed"))]


# Edits of several files at once

CHANGES = b"""\
{"path": "a.log", "lines": "1", "text": "first\\n"}

{"path": "folder/b.csv", "match": "two", "text": "2", "expect": "two"}
{"path": "a.log", "bytes": "4:8", "text": ""}
"""
DIFF = b"""\
diff --git a/a.log b/a.log
index 1..2 100644
--- a/a.log
+++ b/a.log
@@ -1,3 +1,3 @@
-one
+-- one
 two
 three
--- a/folder/b.csv\t2026-01-01
+++ b/folder/b.csv\t2026-01-01
@@ -2,2 +2,3 @@
 two
+two and a half
 three
"""


def test_edits_of_several_files_from_json_lines(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files[0].parent)
    changes = insitu.parse_changes(CHANGES)
    assert {path: len(edits) for path, edits in changes.items()} == {"a.log": 2, "folder/b.csv": 1}
    previews = insitu.preview_together(changes)
    assert [preview.splices for preview in previews.values()] == [2, 1]
    assert read(files) == [OLD] * 3
    receipt = insitu.apply_together(changes)
    assert read(files) == [b"first\nthree\n", b"one\n2\nthree\n", OLD]
    assert [one.operation for one in receipt.receipts] == [1, 1]


def test_edits_of_several_files_from_a_diff(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files[0].parent)
    insitu.apply_together(insitu.parse_changes(DIFF))
    assert read(files) == [b"-- one\ntwo\nthree\n", b"one\ntwo\ntwo and a half\nthree\n", OLD]


def test_paths_of_a_plain_diff_are_taken_as_they_are() -> None:
    plain = DIFF.replace(b"--- a/", b"--- ").replace(b"+++ b/", b"+++ ")
    assert list(insitu.parse_changes(plain)) == ["a.log", "folder/b.csv"]


@pytest.mark.parametrize(
    ("spoiled", "says"),
    [
        (CHANGES.replace(b'"path": "a.log", ', b""), "Line 1 of the edits has no path"),
        (DIFF.replace(b"--- a/folder/b.csv\t2026-01-01", b"--- /dev/null"), "Line 10 .* makes or removes"),
        (DIFF.replace(b"+++ b/folder/b.csv\t2026-01-01", b"+++ /dev/null"), "Line 10 .* makes or removes"),
        (b"@@ -1 +1 @@\n-one\n+1\n", "does not say which file"),
        (DIFF.replace(b"index 1..2 100644", b"rename from x"), "Line 2 .* more than other text"),
    ],
)
def test_what_is_no_edit_of_named_files_is_refused(spoiled: bytes, says: str) -> None:
    with pytest.raises(RequestError, match=says):
        insitu.parse_changes(spoiled)


def test_a_diff_of_several_files_is_refused_for_one() -> None:
    with pytest.raises(RequestError, match=r"Line 10 .* second file") as caught:
        insitu.parse_edits(DIFF)
    assert "--transaction" in caught.value.hint


@pytest.mark.parametrize(
    ("edit", "error"),
    [
        (insitu.Edit(new=b"x", lines=(1, 1), expect=b"other\n"), ExpectationError),
        (insitu.Edit(new=b"x", match=b"t"), AmbiguousError),
    ],
)
def test_an_edit_that_does_not_fit_leaves_all(
    files: list[Path], edit: insitu.Edit, error: type[Exception]
) -> None:
    good = insitu.Edit(new=b"x", lines=(1, 1))
    with pytest.raises(error):
        insitu.apply_together({str(files[0]): [good], str(files[1]): [edit]})
    assert read(files) == [OLD] * 3


def test_two_paths_of_one_file_are_refused(files: list[Path], tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(files[0])
    edit = insitu.Edit(new=b"x", lines=(1, 1))
    with pytest.raises(RequestError, match="named twice"):
        insitu.apply_together({str(files[0]): [edit], str(link): [edit]})
    assert read(files) == [OLD] * 3


def test_edits_are_placed_anew_where_somebody_came_in_between(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first try is stale; the second one finds the file as it is by then."""
    from insitu.api import transactions

    real, tries = transactions.Transaction.commit, []

    def commit(self: insitu.Transaction, **options: object) -> insitu.TransactionReceipt:
        if not tries:
            files[1].write_bytes(b"zero\n" + OLD)
        tries.append(1)
        return real(self, **options)

    monkeypatch.setattr(transactions.Transaction, "commit", commit)
    edit = insitu.Edit(new=b"2", match=b"two")
    insitu.apply_together({str(files[0]): [edit], str(files[1]): [edit]})
    assert read(files)[:2] == [b"one\n2\nthree\n", b"zero\none\n2\nthree\n"]
