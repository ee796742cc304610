"""A document is a bytearray on disk: edits are pending until commit, reads see them, a commit makes them."""

from __future__ import annotations

import io
import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import insitu
from insitu.core.pieces import Fill
from insitu.errors import (
    AccessError,
    ExistingFileError,
    ExpectationError,
    LimitError,
    LockedError,
    MissingFileError,
    NoPlanError,
    PatternError,
    RequestError,
    SpanError,
    StaleError,
    TextError,
)
from insitu.scan.windows import WINDOW_BYTES

TEXT = b"one two three two one\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(TEXT)
    return path


# Indexes and slices


@pytest.mark.slow
@given(
    st.binary(max_size=40),
    st.one_of(st.none(), st.integers(-50, 50)),
    st.one_of(st.none(), st.integers(-50, 50)),
    st.one_of(st.none(), st.integers(-5, 5).filter(bool)),
    st.booleans(),
)
def test_reading_slices_follows_bytearray(tmp_path_factory, data, start, stop, step, pending) -> None:
    path = tmp_path_factory.getbasetemp() / "slices"
    path.write_bytes(data)
    with insitu.open(path, "r+") as doc:
        if pending:
            doc.insert(len(data) // 2, b"pending")
            data = data[: len(data) // 2] + b"pending" + data[len(data) // 2 :]
        assert doc[start:stop:step] == data[start:stop:step]
        doc.discard()


@pytest.mark.slow
@given(
    st.binary(max_size=30),
    st.one_of(st.none(), st.integers(-40, 40)),
    st.one_of(st.none(), st.integers(-40, 40)),
    st.binary(max_size=50),
)
def test_assigning_and_deleting_slices_follows_bytearray(tmp_path_factory, data, start, stop, new) -> None:
    path = tmp_path_factory.getbasetemp() / "assigned"
    path.write_bytes(data)
    oracle = bytearray(data)
    with insitu.open(path, policy=insitu.Policy(history=0)) as doc:
        doc[start:stop] = new
        oracle[start:stop] = new
        assert doc[:] == oracle
        del doc[stop:start]
        del oracle[stop:start]
        assert doc[:] == oracle
        assert len(doc) == doc.size == len(oracle)
    assert path.read_bytes() == oracle


@pytest.mark.parametrize("index", [0, 5, len(TEXT) - 1, -1, -len(TEXT)])
def test_an_index_is_one_byte_as_an_integer(path: Path, index: int) -> None:
    oracle = bytearray(TEXT)
    with insitu.open(path) as doc:
        assert doc[index] == oracle[index]
        doc[index] += 1
        oracle[index] += 1
        assert doc[:] == oracle
        del doc[index]
        del oracle[index]
    assert path.read_bytes() == oracle


@pytest.mark.parametrize("index", [len(TEXT), -len(TEXT) - 1, 1 << 40])
def test_an_index_outside_is_an_index_error(path: Path, index: int) -> None:
    with insitu.open(path) as doc:
        for attempt in (
            lambda: doc[index],
            lambda: doc.__setitem__(index, 1),
            lambda: doc.__delitem__(index),
        ):
            with pytest.raises(IndexError) as caught:
                attempt()
            assert isinstance(caught.value, SpanError)
        assert not doc.changed


@pytest.mark.parametrize(
    "edit",
    [
        lambda doc: doc.insert(len(TEXT) + 1, b"x"),
        lambda doc: doc.insert(-len(TEXT) - 1, b"x"),
        lambda doc: doc.delete(3, len(TEXT) + 1),
        lambda doc: doc.delete(5, 3),
        lambda doc: doc.replace_span(insitu.Span(-1, 2), b""),
        lambda doc: doc.insert(len(TEXT) + 1, Fill(0, 5)),
        lambda doc: doc.read(0, len(TEXT) + 1),
        lambda doc: doc.read(-1, 1),
        lambda doc: doc.replace_spans([(insitu.Span(4, 6), b""), (insitu.Span(5, 7), b"")]),
    ],
)
def test_spans_outside_are_refused_and_change_nothing(path: Path, edit) -> None:
    with insitu.open(path) as doc:
        with pytest.raises(SpanError):
            edit(doc)
        assert not doc.changed and doc[:] == TEXT


@pytest.mark.parametrize(
    "edit",
    [
        lambda doc: doc.__setitem__(slice(0, 3), 5),
        lambda doc: doc.__setitem__(slice(0, 3), "abc"),
        lambda doc: doc.__setitem__(0, b"a"),
        lambda doc: doc.__setitem__(slice(0, 6, 2), b"abc"),
        lambda doc: doc.append("text"),
        lambda doc: doc.insert(0, 3),
        lambda doc: doc.replace(b"one", b"1", count=-1),
    ],
)
def test_what_is_no_bytes_is_refused_and_changes_nothing(path: Path, edit) -> None:
    with insitu.open(path) as doc:
        with pytest.raises(RequestError):
            edit(doc)
        assert not doc.changed


def test_any_buffer_is_bytes(path: Path) -> None:
    with insitu.open(path) as doc:
        doc[0:3] = bytearray(b"eins")
        doc.append(memoryview(b"!"))
        doc.insert(-1, Fill(ord("."), 3))
        assert doc[:] == b"eins" + TEXT[3:] + b"...!"


def test_insert_append_and_delete(path: Path) -> None:
    with insitu.open(path) as doc:
        doc.insert(0, b"<")
        doc.append(b">")
        doc.delete(1, 5)
        doc.insert(len(doc), b"end")
        assert doc[:] == b"<" + TEXT[4:] + b">end"


def test_iteration_and_membership_see_pending_edits(path: Path) -> None:
    with insitu.open(path) as doc:
        doc[0:3] = b"ONE"
        assert bytes(doc) == b"ONE" + TEXT[3:]
        assert list(doc) == list(b"ONE" + TEXT[3:])
        assert b"ONE" in doc and ord("N") in doc
        assert b"ONEX" not in doc and 0 not in doc
        doc.discard()


def test_a_document_is_true_even_when_empty_and_tells_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with insitu.open(tmp_path / "empty") as doc:
        assert doc and len(doc) == 0 and doc[:] == b"" and list(doc) == []
        assert "0 bytes, unchanged" in repr(doc)
        doc.append(b"x")
        assert "1 bytes, changed" in repr(doc)
        doc.discard()


# Search


def test_find_takes_a_span(path: Path) -> None:
    with insitu.open(path) as doc:
        assert doc.find(b"two") == 4
        assert doc.find(b"two", 5) == 14
        assert doc.find(b"two", 5, 16) == -1
        assert doc.find("two", 5, 17) == 14
        assert doc.find(rb"t\w+e", regex=True) == 8
        assert [tuple(span) for span in doc.finditer(b"one")] == [(0, 3), (18, 21)]
        assert doc.count(b"two") == 2 and doc.count(r"\bt", regex=True) == 3
        with pytest.raises(PatternError):
            doc.find(b"")
        with pytest.raises(SpanError):
            doc.find(b"one", 0, len(TEXT) + 1)


@pytest.mark.parametrize("at", [WINDOW_BYTES - 3, WINDOW_BYTES, 3 * WINDOW_BYTES - 1, 5 * WINDOW_BYTES])
def test_pending_text_is_found_over_window_edges(tmp_path: Path, at: int) -> None:
    path = tmp_path / "long"
    path.write_bytes(bytes(5 * WINDOW_BYTES))
    with insitu.open(path) as doc:
        doc.insert(at, b"nee")
        doc.insert(at + 3, b"dle")
        assert doc.find(b"needle") == at
        assert doc.find(rb"ne+dle", regex=True) == at
        assert [span.start for span in doc.finditer(b"needle")] == [at]
        assert doc.replace(b"needle", b"") == 1
        assert doc[:] == bytes(5 * WINDOW_BYTES)
        assert doc.undo() and doc.count(b"needle") == 1
        doc.discard()


@pytest.mark.slow
def test_many_threads_read_the_same_pending_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    path = tmp_path / "long"
    path.write_bytes(bytes(8 * WINDOW_BYTES))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with insitu.open(path) as doc:
            step = 4096
            doc.replace_spans((insitu.Span(at, at), b"needle") for at in range(0, 8 * WINDOW_BYTES, step))
            for _ in range(3):
                doc.insert(0, b".")
                assert doc.count(b"needle") == 8 * WINDOW_BYTES // step
            doc.discard()
    finally:
        sys.setswitchinterval(interval)


def test_replace_counts_and_expects(path: Path) -> None:
    with insitu.open(path) as doc:
        assert doc.replace(b"two", b"2", count=1) == 1
        assert doc[:] == b"one 2 three two one\n"
        assert doc.replace(b"two", b"2", count=0) == 0
        with pytest.raises(ExpectationError) as caught:
            doc.replace(b"one", b"1", expect=3)
        assert caught.value.facts == {"found": 2, "expected": 3}
        assert doc[:] == b"one 2 three two one\n"
        assert doc.replace(b"one", b"1", expect=2) == 2
        assert doc.replace(rb"(t)(\w)", rb"\2\1", regex=True) == 2
        assert doc[:] == b"1 2 htree wto 1\n"
        assert doc.replace(b"absent", b"") == 0
        assert doc.undo() and doc[:] == b"1 2 three two 1\n", "one replace is one edit"
        doc.discard()


def test_replace_of_too_many_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("insitu.views.editable.PENDING_MAX", 10)
    path = tmp_path / "file"
    path.write_bytes(b"x" * 50)
    with insitu.open(path) as doc:
        for count in (None, 60):
            with pytest.raises(LimitError):
                doc.replace(b"x", b"yy", count=count)
        assert not doc.changed
        assert doc.replace(b"x", b"y", count=3) == 3


def test_text_is_replaced_in_the_files_encoding(tmp_path: Path) -> None:
    path = tmp_path / "latin"
    path.write_bytes("caf\xe9 caf\xe9".encode("latin-1"))
    with insitu.open(path, encoding="latin-1") as doc:
        assert doc.replace("caf\xe9", "th\xe9") == 2
        assert "th\xe9".encode("latin-1") in doc
        with pytest.raises(TextError):
            doc.replace("th", "\u20ac")
    assert path.read_bytes() == "th\xe9 th\xe9".encode("latin-1")


# Reading many


@pytest.mark.parametrize("pending", [False, True])
def test_read_many_reads_in_the_order_asked(tmp_path: Path, pending: bool) -> None:
    import numpy as np

    data = random.Random(1).randbytes(100_000)
    path = tmp_path / "file"
    path.write_bytes(data)
    with insitu.open(path) as doc:
        if pending:
            doc[50_000:50_010] = b"pending edits"
            data = data[:50_000] + b"pending edits" + data[50_010:]
        offsets = [random.Random(2).randrange(len(data) - 20) for _ in range(3000)]
        expected = [data[at : at + 20] for at in offsets]
        assert doc.read_many(offsets, 20) == expected
        assert doc.read_many(np.array(offsets), 20) == expected
        assert doc.read_many([], 20) == []
        for bad in (-1, len(data) - 19, 1 << 62):
            with pytest.raises(SpanError):
                doc.read_many([0, bad], 20)
            with pytest.raises(SpanError):
                doc.read_many(np.array([0, bad]), 20)
        doc.discard()


# Pending edits


def test_undo_and_redo_of_pending_edits(path: Path) -> None:
    with insitu.open(path) as doc:
        assert not doc.undo() and not doc.redo()
        doc.append(b"1")
        doc.append(b"2")
        assert doc.undo() and doc[:] == TEXT + b"1"
        assert doc.redo() and doc[:] == TEXT + b"12"
        assert doc.undo() and doc.undo() and not doc.undo()
        assert doc[:] == TEXT and not doc.changed
        doc.append(b"3")
        assert not doc.redo(), "a new edit ends the way forward"
        doc.commit()
        assert not doc.undo(), "a commit is not undone by the document"
        assert path.read_bytes() == TEXT + b"3"


def test_discard_drops_everything_pending(path: Path) -> None:
    with insitu.open(path) as doc:
        doc[0:3] = b"X"
        doc.discard()
        assert doc[:] == TEXT and not doc.changed and not doc.undo()
        assert doc.commit() is None
    assert path.read_bytes() == TEXT
    assert insitu.history(path) == []


def test_the_end_of_the_block_commits_and_an_exception_discards(path: Path) -> None:
    with insitu.open(path) as doc:
        doc.append(b"kept")
    assert path.read_bytes() == TEXT + b"kept"
    with pytest.raises(ZeroDivisionError), insitu.open(path) as doc:
        doc.append(b"dropped")
        raise ZeroDivisionError
    assert path.read_bytes() == TEXT + b"kept"
    assert len(insitu.history(path)) == 1


def test_a_document_goes_on_after_its_commit(path: Path) -> None:
    with insitu.open(path) as doc:
        first = doc.generation
        doc.append(b"1")
        receipt = doc.commit()
        assert receipt is not None and receipt.before == first and receipt.after == doc.generation
        assert (receipt.operation, receipt.splices) == (1, 1)
        assert (receipt.size_before, receipt.size_after) == (len(TEXT), len(TEXT) + 1)
        assert receipt.bytes_written > 0 and receipt.seconds > 0 and receipt.lock_wait_s >= 0
        assert receipt.as_dict()["after"] == doc.generation.token
        doc.insert(0, b"2")
        second = doc.commit()
        assert second is not None and second.operation == 2 and second.before == receipt.after
    assert path.read_bytes() == b"2" + TEXT + b"1"


def test_plan_says_what_a_commit_would_do_and_why_not_otherwise(path: Path) -> None:
    with insitu.open(path) as doc:
        with pytest.raises(RequestError):
            doc.plan()
        doc[0:3] = b"ONE"
        choice = doc.plan()
        assert str(choice).startswith("plan: overwrite (atoms), readers see committed")
        assert "not shift: " in str(choice) and "not rewrite: " in str(choice)
        values = choice.as_dict()
        assert values["planner"] == "overwrite" and values["written_bytes"]
        assert {loser["planner"] for loser in values["rejected"]} == {"blocks", "shift", "rewrite"}
        assert path.read_bytes() == TEXT
        receipt = doc.commit()
        assert receipt is not None and receipt.plan == "overwrite/atoms"


def test_a_policy_that_nothing_fits_is_refused_and_the_edits_stay_pending(path: Path) -> None:
    with insitu.open(path, policy=insitu.Policy(planner="shift", visibility="atomic")) as doc:
        doc.append(b"x")
        with pytest.raises(NoPlanError):
            doc.commit()
        assert doc.changed and path.read_bytes() == TEXT
        assert [entry.name for entry in path.parent.iterdir()] == ["file"]
        doc.discard()


# Opening


def test_a_read_only_document_refuses_edits(path: Path) -> None:
    with insitu.open(path, "r") as doc:
        for edit in (
            lambda: doc.append(b"x"),
            lambda: doc.append(Fill(0, 1)),
            lambda: doc.__setitem__(0, 1),
            lambda: doc.__delitem__(slice(0, 1)),
            lambda: doc.replace(b"one", b"1"),
            lambda: doc.file().write(b"x"),
            lambda: doc.lines.append("x"),
        ):
            with pytest.raises(AccessError):
                edit()
        assert doc[:] == TEXT
    assert path.read_bytes() == TEXT


def test_mode_x_makes_a_new_file_only(tmp_path: Path) -> None:
    with insitu.open(tmp_path / "new", "x") as doc:
        assert len(doc) == 0
        doc.append(b"fresh")
    assert (tmp_path / "new").read_bytes() == b"fresh"
    with pytest.raises(ExistingFileError):
        insitu.open(tmp_path / "new", "x")
    assert (tmp_path / "new").read_bytes() == b"fresh"
    with pytest.raises(MissingFileError):
        insitu.open(tmp_path / "absent")
    with pytest.raises(RequestError):
        insitu.open(tmp_path / "new", "w")


def test_a_locked_document_keeps_others_waiting(path: Path) -> None:
    with insitu.open(path, locked=True) as doc:
        with pytest.raises(LockedError):
            insitu.append(path, b"x", lock_timeout_s=0.05)
        doc.append(b"1")
        doc.commit()
        with pytest.raises(LockedError):
            insitu.append(path, b"x", lock_timeout_s=0.05)
        doc.append(b"2")
    insitu.append(path, b"3")
    assert path.read_bytes() == TEXT + b"123"


# The file object


def test_the_file_object_works_through_the_standard_layers(path: Path) -> None:
    with insitu.open(path) as doc:
        buffered = io.BufferedRandom(doc.file())
        assert buffered.read(3) == b"one"
        buffered.seek(4)
        buffered.write(b"TWO")
        buffered.seek(0, io.SEEK_END)
        buffered.write(b"more\nlines\n")
        buffered.flush()
        text = io.TextIOWrapper(doc.file(), "utf-8", newline="\n")
        assert text.readlines() == ["one TWO three two one\n", "more\n", "lines\n"]
    assert path.read_bytes() == b"one TWO three two one\nmore\nlines\n"


# Pasting


def test_a_piece_of_another_file_is_pasted(tmp_path: Path, path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(bytes(range(256)) * 10)
    with insitu.open(path) as doc:
        doc.insert(4, insitu.extent(other, (250, 270)))
        doc.append(insitu.extent(other, insitu.Span(0, 0)))
        pasted = (bytes(range(256)) * 2)[250:270]
        assert doc[:] == TEXT[:4] + pasted + TEXT[4:]
        assert doc.find(pasted) == 4
    assert path.read_bytes() == TEXT[:4] + pasted + TEXT[4:]
    with pytest.raises(SpanError):
        insitu.extent(other, (0, 2561))


def test_a_piece_of_the_file_itself_is_pasted_as_it_was(path: Path) -> None:
    with insitu.open(path) as doc:
        piece = insitu.extent(path, (4, 8))
        doc[0:8] = b""
        doc.insert(0, piece)
        doc.append(piece)
    assert path.read_bytes() == b"two " + TEXT[8:] + b"two "


# Others


def test_edits_of_two_documents_that_do_not_touch_both_land(path: Path) -> None:
    with insitu.open(path) as ours, insitu.open(path) as theirs:
        ours.insert(18, insitu.extent(path, (8, 13)))
        ours[14:17] = b"second"
        theirs[0:3] = b"the first"
        theirs.commit()
        receipt = ours.commit()
        assert receipt is not None and receipt.rebased_over == (1,)
    assert path.read_bytes() == b"the first two three second threeone\n"


def test_overlapping_edits_are_stale_and_the_operation_is_named(path: Path) -> None:
    with insitu.open(path) as ours, insitu.open(path) as theirs:
        ours[4:7] = b"2"
        theirs[6:9] = b"x"
        theirs.commit()
        with pytest.raises(StaleError) as caught:
            ours.commit()
        assert caught.value.facts["operation"] == 1 and "Operation 1" in str(caught.value)
        assert ours.changed
        ours.discard()
    assert path.read_bytes() == TEXT[:6] + b"x" + TEXT[9:]


def test_a_pasted_piece_that_somebody_changed_is_stale(path: Path) -> None:
    with insitu.open(path) as ours:
        ours.append(insitu.extent(path, (0, 8)))
        insitu.write(path, 4, 5, b"T")
        with pytest.raises(StaleError):
            ours.commit()
        ours.discard()


def test_insertions_at_the_same_place_both_land(path: Path) -> None:
    with insitu.open(path) as ours:
        ours.insert(4, b"ours ")
        insitu.insert(path, 4, b"theirs ")
        ours.commit()
    assert path.read_bytes() == b"one theirs ours two three two one\n"


def test_a_change_without_insitu_is_stale(path: Path) -> None:
    with insitu.open(path) as doc:
        doc[0:1] = b"O"
        with path.open("ab") as file:
            file.write(b"appended")
        with pytest.raises(StaleError, match="somebody else"):
            doc.commit()
        with pytest.raises(StaleError):
            doc.check_generation()
        doc.discard()
    assert path.read_bytes() == TEXT + b"appended"


def test_reading_a_file_that_was_cut_is_stale(path: Path) -> None:
    with insitu.open(path, "r") as doc:
        with path.open("r+b") as file:
            file.truncate(3)
        with pytest.raises(StaleError):
            doc[:]


# At length


@pytest.mark.slow
def test_a_long_typing_session_is_quick_and_right(tmp_path: Path) -> None:
    rng = random.Random(7)
    oracle = bytearray(random.Random(1).randbytes(200_000))
    path = tmp_path / "typed"
    path.write_bytes(oracle)
    strokes = []
    at = 0
    size = len(oracle)
    for _ in range(250_000):
        if rng.random() < 0.02:
            at = rng.randrange(size + 1)
        if rng.random() < 0.1 and at:
            at -= 1
            size -= 1
            strokes.append((at, b""))
        else:
            strokes.append((at, b"%c" % rng.randrange(97, 123)))
            at += 1
            size += 1
    with insitu.open(path) as doc:
        began = time.process_time()
        for at, key in strokes:
            if key:
                doc.insert(at, key)
            else:
                del doc[at]
        doc.commit()
        spent_s = time.process_time() - began
    for at, key in strokes:
        if key:
            oracle[at:at] = key
        else:
            del oracle[at]
    assert path.read_bytes() == oracle
    assert spent_s < 10


@pytest.mark.slow
def test_pasting_200_megabytes_takes_flat_memory(tmp_path: Path) -> None:
    import subprocess
    import sys

    size = 200 << 20
    source, path = tmp_path / "source", tmp_path / "file"
    with source.open("wb") as file:
        for number in range(200):
            file.write(random.Random(number).randbytes(1 << 20))
    path.write_bytes(TEXT)
    program = (
        "import insitu, resource, sys\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "with insitu.open(sys.argv[1], policy=insitu.Policy(history=0)) as doc:\n"
        "    doc.insert(4, insitu.extent(sys.argv[2], (0, int(sys.argv[3]))))\n"
        "print(peak() - before)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, path, source, str(size)], check=True, capture_output=True, text=True
    )
    assert int(told.stdout) < 64 << 10, "KiB"
    assert path.stat().st_size == size + len(TEXT)
    with path.open("rb") as pasted, source.open("rb") as given_file:
        assert pasted.read(4) == TEXT[:4]
        while block := given_file.read(1 << 20):
            assert pasted.read(len(block)) == block
        assert pasted.read() == TEXT[4:]
    path.unlink()
    source.unlink()


def test_all_lines_can_be_assigned_and_added_to(path: Path) -> None:
    path.write_bytes(b"a\r\nb\r\n")
    with insitu.open(path) as doc:
        doc.lines += ["c"]
        assert doc[:] == b"a\r\nb\r\nc\r\n"
        doc.lines = ["x", "y"]
        assert doc[:] == b"x\r\ny\r\n"
