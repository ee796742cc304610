"""The one-call verbs: each is one commit with a receipt, queued behind others, and can be undone."""

from __future__ import annotations

import itertools
import multiprocessing
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import insitu
from insitu.engine import execute, spool
from insitu.errors import (
    AmbiguousError,
    CancelledError,
    ExistingFileError,
    ExpectationError,
    LimitError,
    MissingFileError,
    NoMatchError,
    RequestError,
    SpanError,
    UndoError,
)
from insitu.scan import search

TEXT = b"one\ntwo\nthree\ntwo\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(TEXT)
    return path


def residue(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir() if entry != path)


# Simple verbs


def test_each_verb_makes_one_operation(path: Path) -> None:
    receipts = [
        insitu.write(path, 0, 3, b"ONE!"),
        insitu.insert(path, 0, b"zero\n"),
        insitu.append(path, b"end\n"),
        insitu.delete(path, 5, 10),
        insitu.replace(path, b"two", b"2"),
        insitu.apply(path, [insitu.Edit(bytes=(0, 4), new=b"null")]),
    ]
    assert path.read_bytes() == b"null\n2\nthree\n2\nend\n"
    assert [receipt.operation for receipt in receipts] == [1, 2, 3, 4, 5, 6]
    assert [receipt.splices for receipt in receipts] == [1, 1, 1, 1, 2, 1]
    for before, after in itertools.pairwise(receipts):
        assert before.after == after.before and before.size_after == after.size_before


def test_read_slices_a_file(path: Path) -> None:
    assert insitu.read(path) == TEXT
    assert insitu.read(path, 4, 7) == b"two"
    assert insitu.read(path, -4) == b"two\n"
    assert insitu.read(path, 9, 3) == b""


def test_paths_are_strings_or_path_objects_and_links_are_followed(tmp_path: Path, path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    insitu.append(str(link), b"1")
    insitu.append(link, b"2")
    assert path.read_bytes() == TEXT + b"12" and link.is_symlink()
    assert len(insitu.history(path)) == 2
    with pytest.raises(MissingFileError):
        insitu.append(tmp_path / "absent", b"")


@pytest.mark.parametrize(
    "verb",
    [
        lambda path: insitu.write(path, 4, 100, b""),
        lambda path: insitu.write(path, 5, 4, b""),
        lambda path: insitu.insert(path, len(TEXT) + 1, b"x"),
        lambda path: insitu.delete(path, -1, 4),
        lambda path: insitu.apply(path, [insitu.Edit(bytes=(4, 100), new=b"")]),
        lambda path: insitu.apply(path, [insitu.Edit(lines=(9, 9), new=b"")]),
        lambda path: insitu.apply(path, [insitu.Edit(lines=(0, 0), new=b"")]),
    ],
)
def test_a_span_outside_leaves_no_trace(path: Path, verb) -> None:
    with pytest.raises(SpanError):
        verb(path)
    assert path.read_bytes() == TEXT and residue(path) == []


def test_an_edit_that_changes_nothing_is_no_operation(path: Path) -> None:
    for receipt in (
        insitu.append(path, b""),
        insitu.delete(path, 4, 4),
        insitu.apply(path, []),
        insitu.replace(path, b"absent", b"x"),
        insitu.replace(path, b"two", b"x", count=0),
        insitu.replace(path, "^", "", regex=True),
        insitu.replace(path, "(z*)", r"\1", regex=True),
    ):
        assert receipt.operation == 0 and receipt.plan == "nothing" and receipt.splices == 0
        assert receipt.before == receipt.after
    assert path.read_bytes() == TEXT and residue(path) == [] and insitu.history(path) == []


def test_create_makes_a_file_that_was_not_there(tmp_path: Path) -> None:
    assert insitu.create(tmp_path / "new", b"data") == 4
    with pytest.raises(ExistingFileError):
        insitu.create(tmp_path / "new", b"other")
    assert (tmp_path / "new").read_bytes() == b"data"


def test_cancelling_leaves_the_file_and_no_trace(path: Path) -> None:
    for verb in (
        lambda: insitu.append(path, b"x", cancel=lambda: True),
        lambda: insitu.replace(path, b"two", b"2", cancel=lambda: True),
    ):
        with pytest.raises(CancelledError):
            verb()
        assert path.read_bytes() == TEXT and residue(path) == []


@pytest.mark.slow
def test_progress_ends_with_all(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(b"line\n" * 1_000_000)
    told: list[tuple[int, int]] = []
    insitu.replace(path, b"line", b"LINE", progress=lambda done, total: told.append((done, total)))
    assert told and told[-1][0] == told[-1][1] and all(done <= total for done, total in told)


def _append(path: str, mark: bytes, times: int) -> None:
    for _ in range(times):
        insitu.append(path, mark)


@pytest.mark.slow
def test_parallel_verbs_queue_and_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_append, args=(str(path), b"%d" % n, 20)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert sorted(path.read_bytes()) == sorted(b"0123" * 20)
    assert [entry.number for entry in insitu.history(path)] == list(range(1, 81))


# Replacing in mass


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many blocks of columns, and windows that are told apart as dense or not."""
    monkeypatch.setattr(spool, "BLOCK_SPLICES", 500)
    monkeypatch.setattr(search, "BATCH_MATCHES", 500)
    monkeypatch.setattr(execute, "DENSE_PLACES", 8)


MASS = [
    ("same size", b"key=", b"KEY:", False),
    ("longer", b"key", b"a longer key", False),
    ("shorter", b"key=", b"k", False),
    ("deleted", b"key=", b"", False),
    ("every line end", b"\n", b"\r\n", False),
    ("whole groups", rb"(key)=(\d+)", rb"\2=\1", True),
    ("growing groups", rb"^(\w)\w*", rb"\1\1\1\1\1\1", True),
    ("line starts", rb"^", rb"> ", True),
    ("same as before", b"key", b"key", False),
]


def check_mass(path: Path, count: int, old: bytes, new: bytes, regex: bool, planner: str | None) -> None:
    data = b"".join(b"key=%d rest of the line\n" % number for number in range(count))
    path.write_bytes(data)
    if regex:
        expected, times = re.subn(old, new, data, flags=re.MULTILINE)
    else:
        expected, times = data.replace(old, new), data.count(old)
    preview = insitu.preview_replace(path, old, new, regex=regex)
    receipt = insitu.replace(
        path, old, new, regex=regex, expect=preview.splices, policy=insitu.Policy(planner=planner)
    )
    assert path.read_bytes() == expected
    assert receipt.splices == preview.splices == times >= count
    assert receipt.size_after == len(expected)
    insitu.undo(path)
    assert path.read_bytes() == data
    insitu.redo(path)
    assert path.read_bytes() == expected


@pytest.mark.slow
@pytest.mark.parametrize("planner", [None, "overwrite", "shift", "rewrite"])
@pytest.mark.parametrize(("old", "new", "regex"), [case[1:] for case in MASS], ids=[case[0] for case in MASS])
def test_a_match_in_every_line_is_replaced_and_undone_in_many_blocks(
    tmp_path: Path, small_blocks: None, planner: str | None, old: bytes, new: bytes, regex: bool
) -> None:
    check_mass(tmp_path / "mass", 3000, old, new, regex, planner)


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new", "regex"), [case[1:] for case in MASS], ids=[case[0] for case in MASS])
def test_150000_matches_are_replaced_and_undone(tmp_path: Path, old: bytes, new: bytes, regex: bool) -> None:
    check_mass(tmp_path / "mass", 150_000, old, new, regex, None)


@pytest.mark.slow
@settings(max_examples=60)
@given(
    st.lists(st.sampled_from([b"a", b"aa", b"ab", b"b", b"\n"]), max_size=200).map(b"".join),
    st.sampled_from([b"a", b"aa", b"aba", b"abab", b"aaa"]),
    st.sampled_from([b"", b"a", b"aa", b"b", b"aaaa", b"xyz"]),
    st.sampled_from([None, 1, 7]),
    st.sampled_from([None, "shift"]),
)
def test_literals_that_overlap_themselves_are_replaced_as_bytes_replace_does(
    tmp_path_factory, data, old, new, count, planner
) -> None:
    path = tmp_path_factory.getbasetemp() / "overlapping"
    path.write_bytes(data)
    expected = data.replace(old, new, -1 if count is None else count)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(execute, "DENSE_PLACES", 2)
        try:
            insitu.replace(path, old, new, count=count, policy=insitu.Policy(planner=planner, history=0))
        except insitu.InsituError as error:
            assert error.code == "no-plan" and planner
            expected = data
    assert path.read_bytes() == expected


def test_a_dense_replacement_is_shifted(tmp_path: Path) -> None:
    path = tmp_path / "dense"
    data = b"xxab yyab\n" * 20_000
    for old, new in ((b"a", b""), (b"a", b"bb"), (b"ab", b"c")):
        path.write_bytes(data)
        receipt = insitu.replace(path, old, new, policy=insitu.Policy(planner="shift", history=0))
        assert receipt.plan.startswith("shift/") and path.read_bytes() == data.replace(old, new)


def test_long_texts_are_replaced_undone_and_redone(tmp_path: Path) -> None:
    old, new = random.Random(1).randbytes(9000), random.Random(2).randbytes(9001)
    path = tmp_path / "long"
    path.write_bytes(data := old + b"-" + old + b"--" + old)
    for planner in ("rewrite", "shift"):
        insitu.replace(path, old, new, policy=insitu.Policy(planner=planner))
        insitu.undo(path)
        assert path.read_bytes() == data
        insitu.redo(path)
        assert path.read_bytes() == data.replace(old, new)
        insitu.undo(path)


def test_replace_counts_and_expects(path: Path) -> None:
    with pytest.raises(ExpectationError):
        insitu.replace(path, b"two", b"2", expect=3)
    with pytest.raises(NoMatchError):
        insitu.replace(path, b"absent", b"2", expect=1)
    with pytest.raises(RequestError):
        insitu.replace(path, b"two", b"2", count=-1)
    assert path.read_bytes() == TEXT and residue(path) == []
    assert insitu.replace(path, b"absent", b"", expect=0).operation == 0
    assert insitu.replace(path, "two", "zwei", count=1).splices == 1
    assert path.read_bytes() == b"one\nzwei\nthree\ntwo\n"
    assert insitu.replace(path, r"t(\w)", r"\1t", regex=True, engine="re", expect=2).splices == 2
    assert path.read_bytes() == b"one\nzwei\nhtree\nwto\n"


def test_previews_touch_nothing(path: Path) -> None:
    preview = insitu.preview_replace(path, b"two", b"2")
    assert preview.splices == 2 and preview.choice is not None
    assert "-two\n+2\n" in preview.diff
    assert insitu.preview_replace(path, b"absent", b"2") == insitu.Preview(None, "", 0)
    preview = insitu.preview_apply(path, [insitu.Edit(match=b"three", new=b"3")])
    assert preview.splices == 1 and "-three\n+3\n" in preview.diff
    assert insitu.preview_apply(path, []) == insitu.Preview(None, "", 0)
    with pytest.raises(NoMatchError):
        insitu.preview_apply(path, [insitu.Edit(match=b"absent", new=b"3")])
    assert path.read_bytes() == TEXT and residue(path) == []


# Applying


def test_edits_of_one_request_take_effect_at_once(path: Path) -> None:
    insitu.apply(
        path,
        [
            insitu.Edit(match=b"three", new=b"two"),
            insitu.Edit(lines=(1, 1), new=b"1\n", expect=b"one\n"),
            insitu.Edit(lines=(5, 4), new=b"end\n"),
            insitu.Edit(bytes=(0, 0), new=b"zero\n"),
        ],
    )
    assert path.read_bytes() == b"zero\n1\ntwo\ntwo\ntwo\nend\n"
    assert len(insitu.history(path)) == 1


@pytest.mark.parametrize(
    ("edits", "error"),
    [
        ([insitu.Edit(match=b"two", new=b"")], AmbiguousError),
        ([insitu.Edit(match=b"absent", new=b"")], NoMatchError),
        ([insitu.Edit(bytes=(0, 3), new=b"", expect=b"two")], ExpectationError),
        ([insitu.Edit(bytes=(0, 3), new=b""), insitu.Edit(bytes=(2, 5), new=b"")], SpanError),
        ([insitu.Edit(bytes=(0, 3), new=b""), insitu.Edit(bytes=(1, 1), new=b"x")], SpanError),
    ],
)
def test_one_edit_that_does_not_fit_stops_them_all(path: Path, edits, error) -> None:
    with pytest.raises(error):
        insitu.apply(path, [insitu.Edit(bytes=(4, 5), new=b"X"), *edits])
    assert path.read_bytes() == TEXT and residue(path) == []


# Undo and redo


def test_undo_walks_back_and_redo_forth(path: Path) -> None:
    versions = [TEXT]
    for letter in (b"B", b"C", b"D"):
        insitu.write(path, 0, 1, letter)
        versions.append(path.read_bytes())
    for _ in range(2):
        for version in versions[-2::-1]:
            assert insitu.undo(path).operation
            assert path.read_bytes() == version
        with pytest.raises(UndoError, match="nothing to undo"):
            insitu.undo(path)
        for version in versions[1:]:
            insitu.redo(path)
            assert path.read_bytes() == version
        with pytest.raises(UndoError, match="nothing to redo"):
            insitu.redo(path)
    insitu.undo(path)
    insitu.undo(path)
    insitu.write(path, 0, 1, b"E")
    with pytest.raises(UndoError):
        insitu.redo(path)
    assert path.read_bytes() == b"E" + TEXT[1:]


def test_an_older_operation_is_undone_past_later_ones(path: Path) -> None:
    insitu.write(path, 8, 13, b"3")
    insitu.insert(path, 0, b"zero\n")
    insitu.append(path, b"end\n")
    insitu.undo(path, 1)
    assert path.read_bytes() == b"zero\n" + TEXT + b"end\n"
    insitu.redo(path)
    assert path.read_bytes() == b"zero\n" + TEXT.replace(b"three", b"3") + b"end\n"


def test_an_older_operation_whose_bytes_were_changed_is_not_undone(path: Path) -> None:
    insitu.write(path, 8, 13, b"3rd")
    insitu.write(path, 9, 10, b"R")
    with pytest.raises(UndoError) as caught:
        insitu.undo(path, 1)
    assert caught.value.facts["blocked_by"] == 2
    assert path.read_bytes() == b"one\ntwo\n3Rd\ntwo\n"
    for number in (0, 3, 99):
        with pytest.raises(UndoError):
            insitu.undo(path, number)


def test_undo_is_refused_where_somebody_changed_the_bytes(path: Path) -> None:
    insitu.write(path, 8, 13, b"3rd")
    path.write_bytes(path.read_bytes().replace(b"3rd", b"4th"))
    with pytest.raises(UndoError):
        insitu.undo(path)
    assert path.read_bytes() == b"one\ntwo\n4th\ntwo\n"


def test_undo_goes_past_what_somebody_appended(path: Path) -> None:
    insitu.write(path, 8, 13, b"3rd")
    with path.open("ab") as file:
        file.write(b"appended\n")
    insitu.undo(path)
    assert path.read_bytes() == TEXT + b"appended\n"


def test_undo_of_a_deletion_is_refused_when_somebody_changed_the_file(path: Path) -> None:
    insitu.delete(path, 0, 4)
    with path.open("ab") as file:
        file.write(b"appended\n")
    with pytest.raises(UndoError):
        insitu.undo(path)
    assert path.read_bytes() == TEXT[4:] + b"appended\n"


def test_another_process_undoes_what_this_one_did(path: Path) -> None:
    insitu.replace(path, b"two", b"zwei")
    program = "import insitu, sys; print(insitu.undo(sys.argv[1]).operation)"
    told = subprocess.run([sys.executable, "-c", program, path], check=True, capture_output=True, text=True)
    assert told.stdout == "2\n" and path.read_bytes() == TEXT
    insitu.redo(path)
    assert path.read_bytes() == TEXT.replace(b"two", b"zwei")


def test_history_lists_what_was_done(path: Path) -> None:
    insitu.append(path, b"x")
    insitu.replace(path, b"two", b"2")
    insitu.undo(path)
    insitu.redo(path)
    told = [(entry.number, entry.kind, entry.of, entry.splices) for entry in insitu.history(path)]
    assert told == [(1, "edit", 0, 1), (2, "edit", 0, 2), (3, "undo", 2, 2), (4, "redo", 3, 2)]
    sizes = [(entry.size_before, entry.size_after) for entry in insitu.history(path)]
    assert sizes == [(18, 19), (19, 15), (15, 19), (19, 15)]
    assert all(entry.stored_bytes > 0 and entry.planner for entry in insitu.history(path))
    assert "-two\n+2\n" in insitu.diff(path, 2) and "-2\n+two\n" in insitu.diff(path, 3)
    with pytest.raises(UndoError):
        insitu.diff(path, 9)
    with pytest.raises(MissingFileError):
        insitu.history(path.parent / "absent")


def test_history_keeps_as_many_as_the_policy_says(path: Path) -> None:
    for number in range(5):
        insitu.append(path, b"%d" % number, policy=insitu.Policy(history=3))
    assert [entry.number for entry in insitu.history(path)] == [3, 4, 5]
    for _ in range(3):
        insitu.undo(path)
    assert path.read_bytes() == TEXT + b"01"
    with pytest.raises(UndoError):
        insitu.undo(path)
    insitu.append(path, b"!", policy=insitu.Policy(history=0))
    assert residue(path) == [] and insitu.history(path) == []


def test_an_operation_whose_undo_would_not_fit_is_refused(path: Path) -> None:
    with pytest.raises(LimitError) as caught:
        insitu.delete(path, 0, 10, policy=insitu.Policy(history_bytes=9, planner="rewrite"))
    assert caught.value.facts["needed_bytes"] == 10
    assert path.read_bytes() == TEXT and residue(path) == []
    insitu.delete(path, 0, 10, policy=insitu.Policy(history_bytes=9, history=0))
    assert path.read_bytes() == TEXT[10:]


def test_recover_says_what_it_found(path: Path) -> None:
    assert insitu.recover(path).outcome == "clean"
    with insitu.open(path, policy=insitu.Policy(durability="fast")) as doc:
        doc.append(b"x")
        doc.commit()
        assert path.read_bytes() == TEXT + b"x" == doc[:]
        assert insitu.recover(path) == insitu.Recovered(str(path), "new", 1)
    assert insitu.recover(path).outcome == "clean"
    insitu.undo(path)
    assert path.read_bytes() == TEXT
