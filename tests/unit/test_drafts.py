"""Drafts through the library: durable edits that the file does not hold yet, and one commit for them all."""

from __future__ import annotations

import os
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

import insitu
from insitu.errors import (
    AccessError,
    InsituError,
    LockedError,
    MissingDraftError,
    RecoveryNeededError,
    RequestError,
    StaleDraftError,
    StaleError,
)
from insitu.views import draft as drafting

BASE = b"".join(b"line %04d\n" % number for number in range(1000))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(BASE)
    return path


def log_of(path: Path) -> Path:
    return path.parent / ".insitu" / f"{path.name}.d" / "draft"


def shown(path: Path) -> bytes:
    with insitu.open(path, "r", draft=True) as doc:
        return doc.read(0, doc.size)


def save(path: Path, *edits: tuple[int, int, bytes]) -> bytes:
    """Makes edits one after the other in the draft, saves each, and returns what it shows then."""
    with insitu.open(path, draft=True) as doc:
        for start, stop, new in edits:
            doc[start:stop] = new
            doc.save_draft()
        return doc.read(0, doc.size)


def test_saved_edits_are_seen_by_who_asks_for_the_draft_alone(path: Path) -> None:
    now = save(path, (0, 0, b"head\n"), (100, 105, b"LONGER TEXT"), (500, 900, b""))
    assert now == shown(path) != BASE
    assert path.read_bytes() == BASE == insitu.read(path)
    assert insitu.history(path) == []


def test_a_commit_makes_them_one_operation_and_removes_the_draft(path: Path) -> None:
    now = save(path, (0, 0, b"head\n"), (9000, 9001, b"X"))
    receipt = insitu.commit_draft(path)
    assert path.read_bytes() == now and receipt.operation == 1 and receipt.splices == 2
    assert not log_of(path).exists()
    insitu.undo(path)
    assert path.read_bytes() == BASE


@pytest.mark.parametrize("planner", ["overwrite", "shift", "rewrite"])
@pytest.mark.parametrize("history", [100, 0])
def test_every_plan_and_no_history_remove_the_draft(path: Path, planner: str, history: int) -> None:
    now = save(path, (5, 7, b"four"), (7000, 7010, b""))
    insitu.commit_draft(path, policy=insitu.Policy(planner=planner, history=history))
    assert path.read_bytes() == now
    assert not log_of(path).exists()
    with pytest.raises(MissingDraftError):
        insitu.commit_draft(path)


def test_a_fast_commit_leaves_no_draft_to_anybody(path: Path) -> None:
    save(path, (5, 7, b"four"))
    with insitu.open(path, policy=insitu.Policy(durability="fast"), draft=True) as doc:
        doc.commit()
        with pytest.raises(MissingDraftError):
            shown(path)
        doc.insert(0, b"another")
        assert doc.save_draft()
    assert shown(path).startswith(b"another")


def test_the_end_of_a_block_saves_and_an_exception_does_not(path: Path) -> None:
    with insitu.open(path, draft=True) as doc:
        doc.insert(0, b"saved")
    with pytest.raises(ZeroDivisionError), insitu.open(path, draft=True) as doc:
        doc.insert(0, b"not saved")
        raise ZeroDivisionError
    assert shown(path) == b"saved" + BASE


def test_discarding_goes_back_to_what_was_saved(path: Path) -> None:
    with insitu.open(path, draft=True) as doc:
        doc.insert(0, b"saved")
        doc.save_draft()
        doc.insert(0, b"not saved")
        doc.discard()
        assert doc.read(0, 10) == b"savedline "
        doc.append(b"end")
    assert shown(path) == b"saved" + BASE + b"end"


def test_undo_and_redo_reach_behind_a_save_and_are_saved(path: Path) -> None:
    big = os.urandom(200_000)
    with insitu.open(path, draft=True) as doc:
        doc.insert(50, big)
        doc.save_draft()
        del doc[10:2_000]
        doc.save_draft()
        assert doc.undo() and doc.undo() and doc.save_draft()
        assert shown(path) == BASE
        assert doc.redo() and doc.save_draft()
        assert shown(path) == BASE[:50] + big + BASE[50:]


def test_an_opening_that_saves_nothing_leaves_nothing(path: Path) -> None:
    with insitu.open(path, draft=True) as doc:
        assert not doc.save_draft()
    assert not (path.parent / ".insitu").exists()
    assert insitu.start_draft(path) and not insitu.start_draft(path)
    with insitu.open(path, draft=True):
        pass
    assert insitu.draft_status(path).places == 0
    insitu.drop_draft(path)
    assert not (path.parent / ".insitu").exists()


def test_a_draft_without_changes_is_gone_once_committed(path: Path) -> None:
    insitu.start_draft(path)
    assert insitu.commit_draft(path).operation == 0
    with pytest.raises(MissingDraftError):
        insitu.draft_status(path)


def test_it_moves_past_the_commits_of_others(path: Path) -> None:
    drafted = save(path, (500, 510, b"drafted\n"), (9_000, 9_000, b"far\n"))
    insitu.insert(path, 100, b"early\n")
    insitu.replace(path, b"line 0700", b"LINE 700")
    now = shown(path)
    assert now == (drafted[:100] + b"early\n" + drafted[100:]).replace(b"line 0700", b"LINE 700")
    again = save(path, (0, 0, b"after\n"))
    assert again == b"after\n" + now
    insitu.insert(path, 2_000, b"meanwhile\n")
    insitu.commit_draft(path)
    text = path.read_bytes()
    assert text.replace(b"meanwhile\n", b"") == again
    assert len(text) == len(BASE) + 6 - 1 + 8 - 10 + 4 + 6 + 10


def test_a_commit_of_the_same_bytes_is_a_conflict_that_keeps_both(path: Path) -> None:
    save(path, (500, 510, b"drafted\n"))
    insitu.write(path, 505, 506, b"#")
    with pytest.raises(StaleDraftError, match="Operation 1") as refused:
        insitu.commit_draft(path)
    assert refused.value.facts["moved"] == [(500, 510)]
    assert insitu.draft_status(path).standing == "conflict"
    insitu.undo(path)
    insitu.commit_draft(path)
    assert path.read_bytes() == BASE[:500] + b"drafted\n" + BASE[510:]


def _touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more\n")


def _overwrite_near(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(495)
        file.write(b"#")


def _insert_before(path: Path) -> None:
    path.write_bytes(BASE[:700] + b"+" + BASE[700:])


def _cut(path: Path) -> None:
    os.truncate(path, 600)


@pytest.mark.parametrize(
    ("change", "moved"),
    [
        (_touch, []),
        (_append, []),
        (_overwrite_near, [(500, 510)]),
        (_insert_before, [(9_000, 9_000)]),
        (_cut, [(9_000, 9_000)]),
    ],
)
def test_after_a_change_from_outside_it_is_kept_and_says_what_moved(
    path: Path, change: Callable[[Path], None], moved: list[tuple[int, int]]
) -> None:
    save(path, (500, 510, b"drafted\n"), (8_998, 8_998, b"far\n"))
    log = log_of(path).read_bytes()
    change(path)
    changed = path.read_bytes()
    for look in (shown, insitu.commit_draft, lambda path: insitu.open(path, draft=True)):
        with pytest.raises(StaleDraftError, match="changed by somebody else") as refused:
            look(path)
        assert refused.value.facts["moved"] == moved
        assert "insitu draft" in refused.value.hint
    status = insitu.draft_status(path)
    assert (status.standing, list(status.moved), status.places) == ("changed", moved, 2)
    listing = insitu.draft_diff(path)
    assert "+drafted" in listing and listing.count("not what it was") == len(moved)
    assert path.read_bytes() == changed and log_of(path).read_bytes() == log


def test_where_nothing_near_it_changed_it_can_be_committed_all_the_same(path: Path) -> None:
    save(path, (500, 510, b"drafted\n"))
    _append(path)
    insitu.commit_draft(path, if_intact=True)
    assert path.read_bytes() == BASE[:500] + b"drafted\n" + BASE[510:] + b"more\n"
    save(path, (500, 510, b"again\n"))
    _overwrite_near(path)
    with pytest.raises(StaleDraftError):
        insitu.commit_draft(path, if_intact=True)


def test_an_append_at_an_end_that_moved_is_not_intact(path: Path) -> None:
    save(path, (len(BASE), len(BASE), b"end\n"))
    _append(path)
    with pytest.raises(StaleDraftError):
        insitu.commit_draft(path, if_intact=True)


def test_a_history_that_was_cut_is_as_a_change_from_outside(path: Path) -> None:
    save(path, (500, 510, b"drafted\n"))
    insitu.write(path, 9_000, 9_001, b"#", policy=insitu.Policy(history=0))
    with pytest.raises(StaleDraftError):
        shown(path)
    insitu.commit_draft(path, if_intact=True)


def test_a_commit_that_conflicts_only_now_keeps_the_draft(path: Path) -> None:
    save(path, (500, 510, b"drafted\n"))
    with insitu.open(path, draft=True) as doc:
        insitu.write(path, 505, 506, b"#")
        with pytest.raises(StaleError):
            doc.commit()
        doc.insert(0, b"still editing")
    assert insitu.draft_status(path).standing == "conflict"


def test_a_failed_commit_that_moved_the_time_leaves_a_draft_that_fits(path: Path) -> None:
    now = save(path, (500, 510, b"drafted\n"))
    with insitu.open(path, draft=True) as doc:
        assert doc.commit(cancel=None) is not None
    insitu.undo(path)
    save(path, (500, 510, b"drafted\n"))
    with pytest.raises(InsituError), insitu.open(path, draft=True) as doc:
        doc.commit(cancel=lambda: _touched(path))
    assert shown(path) == now


def _touched(path: Path) -> bool:
    """As reserving space does that is given back."""
    os.utime(path)
    return True


def test_one_edits_it_at_a_time_and_others_wait_or_are_told_who(path: Path) -> None:
    with insitu.open(path, draft=True) as doc:
        doc.insert(0, b"x")
        doc.save_draft()
        with pytest.raises(LockedError, match=f"process {os.getpid()}"):
            insitu.open(path, draft=True, lock_timeout_s=0)
        with pytest.raises(LockedError):
            insitu.drop_draft(path, lock_timeout_s=0)
        assert shown(path) == b"x" + BASE
        insitu.write(path, 100, 101, b"#")  # the file itself is free
    assert insitu.commit_draft(path, lock_timeout_s=0)


def test_edits_of_many_at_once_are_all_there(path: Path) -> None:
    def work(number: int) -> None:
        for turn in range(5):
            with insitu.open(path, draft=True) as doc:
                doc.append(b"<%d.%d>" % (number, turn))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tail = shown(path)[len(BASE) :]
    assert sorted(tail.removesuffix(b">").replace(b"<", b"").split(b">")) == sorted(
        b"%d.%d" % (number, turn) for number in range(6) for turn in range(5)
    )


def test_after_a_commit_the_document_goes_on_with_another_draft(path: Path) -> None:
    with insitu.open(path, draft=True) as doc:
        doc.insert(0, b"one ")
        doc.commit()
        assert path.read_bytes() == b"one " + BASE
        doc.insert(0, b"two ")
        doc.save_draft()
        assert shown(path) == b"two one " + BASE
    save(path, (0, 0, b"three "))
    assert shown(path) == b"three two one " + BASE


def test_after_a_commit_anothers_draft_is_not_written_to(path: Path) -> None:
    with insitu.open(path, draft=True) as doc:
        doc.insert(0, b"one ")
        doc.commit()
        save(path, (0, 0, b"theirs "))
        doc.insert(0, b"mine ")
        with pytest.raises(StaleDraftError, match="Somebody else began a draft"):
            doc.save_draft()
        doc.discard()
    assert shown(path) == b"theirs one " + BASE


def test_a_draft_that_was_taken_away_is_not_written_to(path: Path) -> None:
    with insitu.open(path, draft=True) as doc:
        doc.insert(0, b"one ")
        doc.save_draft()
        log_of(path).unlink()
        doc.insert(0, b"two ")
        with pytest.raises(StaleDraftError, match="taken away"):
            doc.save_draft()
        doc.undo()
        doc.undo()
        assert doc.commit() is None


@pytest.mark.parametrize("given", [{"mode": "x"}, {"locked": True}, {"at": 0}])
def test_a_draft_is_of_the_file_as_it_is(path: Path, given: dict[str, object]) -> None:
    with pytest.raises(RequestError):
        insitu.open(path, **given, draft=True)


def test_a_reader_neither_edits_nor_commits(path: Path) -> None:
    with pytest.raises(MissingDraftError):
        shown(path)
    save(path, (0, 0, b"x"))
    with insitu.open(path, "r", draft=True) as doc:
        with pytest.raises(AccessError):
            doc.insert(0, b"y")
        with pytest.raises(AccessError):
            doc.commit()
    with insitu.open(path) as doc, pytest.raises(RequestError, match="not opened as a draft"):
        doc.save_draft()


def test_what_is_pasted_is_kept_as_it_was(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"<pasted>" * 300_000)
    with insitu.open(path, draft=True) as doc:
        doc.insert(10, insitu.extent(other, (0, other.stat().st_size)))
        doc.insert(5, insitu.extent(path, (0, 9)))
        assert doc.read(0, 24) == b"line line 00000000\n<past"
        doc.save_draft()
        other.unlink()
        assert doc.read(18, 8) == b"\n<pasted"
    insitu.commit_draft(path)
    assert path.read_bytes() == BASE[:5] + BASE[:9] + BASE[5:10] + b"<pasted>" * 300_000 + BASE[10:]


@pytest.mark.slow
def test_saved_bytes_do_not_stay_in_memory_nor_are_read_at_opening(path: Path) -> None:
    with insitu.open(path, draft=True) as doc:
        tracemalloc.start()
        for number in range(60):
            doc.insert(number * 7, os.urandom(1 << 20))
            doc.save_draft()
        saving = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    tracemalloc.start()
    with insitu.open(path, draft=True) as doc:
        assert doc.size == len(BASE) + (60 << 20)
        loading = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert saving < 8 << 20
    assert loading < 8 << 20


def test_a_log_that_grew_far_beyond_what_it_holds_is_compacted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafting, "COMPACT_BYTES", 30_000)
    with insitu.open(path, draft=True) as doc:
        for number in range(40):
            doc[0:4] = b"%04d" % number
            doc.save_draft()
            assert log_of(path).stat().st_size < 60_000
        doc[0:4] = os.urandom(50_000)
        doc.save_draft()
        doc.undo()
        doc.save_draft()
        doc.redo()
        now = doc.read(0, doc.size)
        doc.save_draft()
        doc.undo()
        doc.save_draft()
    assert log_of(path).stat().st_size > 50_000
    with insitu.open(path, draft=True) as doc:
        assert doc.read(0, 8) == b"0039 000"
    assert log_of(path).stat().st_size < 30_000, "what nobody can redo any more is dropped at opening"
    assert shown(path) == b"0039" + BASE[4:] != now


def _link(log: Path) -> None:
    os.link(log, log.parent / "again")


def _open_to_all(log: Path) -> None:
    log.chmod(0o666)


def _foreign(log: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("giving a file away needs the rights of root")
    os.chown(log, 4_242_424, -1)


def _open_folder(log: Path) -> None:
    log.parent.chmod(0o777)


@pytest.mark.parametrize("plant", [_link, _open_to_all, _foreign, _open_folder])
def test_a_draft_that_others_could_have_planted_is_refused(path: Path, plant: Callable[[Path], None]) -> None:
    save(path, (0, 0, b"x"))
    log = log_of(path)
    plant(log)
    for look in (shown, insitu.commit_draft, insitu.draft_status, lambda path: insitu.open(path, draft=True)):
        with pytest.raises(RecoveryNeededError):
            look(path)
    assert path.read_bytes() == BASE


def test_a_damaged_draft_can_be_dropped_and_stops_nobody_else(path: Path) -> None:
    save(path, (0, 0, b"x"))
    log_of(path).write_bytes(b"nonsense" * 100)
    insitu.write(path, 0, 1, b"L")
    insitu.info(path)
    insitu.recover(path)
    assert log_of(path).read_bytes() == b"nonsense" * 100
    insitu.drop_draft(path)
    with pytest.raises(MissingDraftError):
        insitu.draft_status(path)


def test_others_leave_a_draft_alone(path: Path) -> None:
    now = save(path, (500, 510, b"drafted\n"))
    size = log_of(path).stat().st_size
    assert insitu.info(path)["draft_bytes"] == insitu.doctor(path)["draft_bytes"] == size
    insitu.recover(path)
    insitu.build_index(path)
    assert list(insitu.pending_below(path.parent)) == []
    policy = insitu.Policy(history=2)
    for number in range(5):
        insitu.write(path, 9_000 + number, 9_001 + number, b"#", policy=policy)
        with insitu.open(path, draft=True) as doc:  # keeps up with the history, and is saved
            doc.insert(0, b"")
            doc[0:1] = doc.read(0, 1)
    assert len(shown(path)) == len(now)
    assert insitu.draft_status(path).standing == "fits"


def test_a_leftover_of_a_draft_being_begun_is_swept(path: Path) -> None:
    insitu.write(path, 0, 1, b"L")
    leftover = log_of(path).parent / "draft.tmp"
    leftover.write_bytes(b"half")
    insitu.recover(path)
    assert not leftover.exists()
    leftover.write_bytes(b"half")
    assert insitu.start_draft(path)
    assert not leftover.exists()


def test_thousands_of_edits_load_at_once(path: Path) -> None:
    import time

    path.write_bytes(b"0123456789" * 20_000)
    with insitu.open(path, draft=True) as doc:
        for number in range(10_000):
            doc.insert(200_000 - 20 * number - 7, b"inserted")
    began = time.process_time()
    with insitu.open(path, "r", draft=True) as doc:
        assert doc.size == 280_000
    assert time.process_time() - began < 0.8
