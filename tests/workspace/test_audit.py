"""Attempts and their records: what is written, when, and what happens where it cannot be."""

from __future__ import annotations

import errno
import hashlib
import hmac
import json
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from insitu.errors import (
    AccessError,
    AuditDamagedError,
    AuditError,
    FileKindError,
    InsituError,
    LockedError,
    MissingFileError,
    RequestError,
)
from insitu.workspace import audit_chain
from insitu.workspace.audit import CHANGES_MAX, AuditLog, Change
from insitu.workspace.audit_folder import refuse_inside
from tests.workspace.audit_logs import HOST, fail, files, look, opened, records, refuse, verified, write


@pytest.fixture
def log(tmp_path: Path) -> Iterator[AuditLog]:
    with opened(tmp_path) as log:
        yield log


def test_a_write_leaves_what_it_meant_to_do_and_what_came_of_it(log: AuditLog, tmp_path: Path) -> None:
    write(log)
    intent, outcome = records(tmp_path)
    common = {
        "tool": "edit",
        "client": {"name": "host", "version": "1.2"},
        "root": "docs",
        "path": "notes.txt",
        "addresses": ["lines 3-4"],
        "changes": [{"start": 10, "old_bytes": 3, "new_bytes": 5}],
        "changes_count": 1,
        "size_before": 100,
    }
    assert intent == intent | common | {"kind": "intent", "seq": 1}
    assert "outcome" not in intent
    ends = {"kind": "outcome", "seq": 2, "intent": 1, "outcome": "ok", "size_after": 102, "operation": 7}
    assert outcome == outcome | common | ends
    assert outcome["duration_s"] >= 0


def test_the_intent_is_there_before_the_file_is_touched(log: AuditLog, tmp_path: Path) -> None:
    with log.attempt("edit", path="a") as attempt:
        assert records(tmp_path) == []
        attempt.intend()
        assert [record["kind"] for record in records(tmp_path)] == ["intent"]
        assert verified(tmp_path).open_intents == [1]
    assert attempt.number == 2
    assert verified(tmp_path).open_intents == []


ENDS = {
    "ok": (look, ["attempt"], "ok", None),
    "refused before the intent": (refuse, ["attempt"], "refused", "stale"),
    "failed after it": (fail, ["intent", "outcome"], "failed", "no-space"),
}


@pytest.mark.parametrize(("act", "written", "outcome", "code"), ENDS.values(), ids=ENDS)
def test_every_end_is_recorded(
    log: AuditLog, tmp_path: Path, act: Any, written: list[str], outcome: str, code: str | None
) -> None:
    act(log)
    found = records(tmp_path)
    assert [record["kind"] for record in found] == written
    assert (found[-1]["outcome"], found[-1].get("code")) == (outcome, code)


def test_an_exception_that_is_not_ours_is_a_failure_and_goes_on(log: AuditLog, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), log.attempt("read"):
        raise ZeroDivisionError
    assert (records(tmp_path)[0]["outcome"], records(tmp_path)[0]["code"]) == ("failed", "ZeroDivisionError")


def test_each_line_is_sealed_as_the_docs_say(log: AuditLog, tmp_path: Path) -> None:
    write(log, "caf\u00e9/\udcff\x1b")
    key = bytes.fromhex((tmp_path / "key").read_text())
    previous = "0" * 64
    for line in files(tmp_path)[0].read_bytes().splitlines():
        record = json.loads(line)
        assert record["previous"] == previous
        assert record["path"] == "caf\u00e9/\udcff\x1b"
        mac = record.pop("mac")
        body = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
        assert hmac.new(key, body, "sha256").hexdigest() == mac
        previous = hashlib.sha256(line).hexdigest()
    assert log.head() == (2, previous)


def test_contents_are_recorded_only_on_request(tmp_path: Path) -> None:
    texts = {"new_text": "password=hunter2 caf\u00e9", "old_text": b"\xff\x00"}
    for wanted in (False, True):
        with opened(tmp_path, contents=wanted) as log, log.attempt("edit", contents=texts):
            pass
    without, with_them = (record["contents"] for record in records(tmp_path))
    size, digest = 22, hashlib.sha256("password=hunter2 caf\u00e9".encode()).hexdigest()
    assert without["new_text"] == {"bytes": size, "sha256": digest}
    assert with_them["new_text"]["text"] == "password=[redacted named secret, 7 characters] caf\u00e9"
    assert with_them["old_text"]["bytes"] == 2
    assert b"hunter2" not in files(tmp_path)[0].read_bytes()


def test_arguments_lose_their_secrets_and_their_length(log: AuditLog, tmp_path: Path) -> None:
    arguments = {
        "pattern": "ghp_" + "a" * 36,
        "token": "x",
        "long": "y" * 100_000,
        "n": 3,
        "many": [1] * 1000,
    }
    with log.attempt("search", arguments=arguments):
        pass
    found = records(tmp_path)[0]["arguments"]
    assert found["pattern"] == "[redacted GitHub token, 40 characters]"
    assert found["token"] == "[redacted named secret, 1 characters]"
    assert len(found["long"]) < 3000
    assert found["n"] == 3
    assert len(found["many"]) == 101


def test_a_record_is_never_too_long(log: AuditLog, tmp_path: Path) -> None:
    arguments = {f"{i}{'k' * 2000}": ["v" * 2000] * 100 for i in range(100)}
    changes = [Change(i, 1, 1, "a" * 64, "b" * 64) for i in range(10 * CHANGES_MAX)]
    with log.attempt("x" * 10_000, path="p" * 10_000, arguments=arguments) as attempt:
        attempt.intend(changes)
    assert [record["changes_count"] for record in records(tmp_path)] == [10 * CHANGES_MAX] * 2
    assert not verified(tmp_path).damaged
    assert files(tmp_path)[0].stat().st_size < 100_000


def test_folder_and_files_are_ours_alone(log: AuditLog, tmp_path: Path) -> None:
    look(log)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "log").iterdir()}
    assert modes == {"head.json": 0o600, "audit-000001.jsonl": 0o600}
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def _link(folder: Path, name: str) -> None:
    (folder / name).rename(folder / "elsewhere")
    (folder / name).symlink_to(folder / "elsewhere")


def _second_name(folder: Path, name: str) -> None:
    os.link(folder / name, folder / "second")


def _fifo(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name, 0o600)


UNSAFE = {
    "others may write to the folder": (lambda folder: (folder / "log").chmod(0o770), AccessError),
    "others may write to the head": (lambda folder: (folder / "log/head.json").chmod(0o620), AccessError),
    "others may read the key": (lambda folder: (folder / "key").chmod(0o640), AccessError),
    "the key is a link": (lambda folder: _link(folder, "key"), AccessError),
    "the key is gone": (lambda folder: (folder / "key").unlink(), MissingFileError),
    "the key is none": (lambda folder: (folder / "key").write_text("abc"), AccessError),
    "the key is another": (lambda folder: (folder / "key").write_text("ab" * 32), AuditDamagedError),
    "the head is a link": (lambda folder: _link(folder / "log", "head.json"), InsituError),
    "the head has two names": (lambda folder: _second_name(folder / "log", "head.json"), AccessError),
    "the head is a pipe": (lambda folder: _fifo(folder / "log", "head.json"), FileKindError),
    "the head is empty": (lambda folder: (folder / "log/head.json").write_bytes(b""), AuditDamagedError),
    "the folder is a link": (lambda folder: _link(folder, "log"), InsituError),
}


@pytest.mark.parametrize(("spoil", "error"), UNSAFE.values(), ids=UNSAFE)
def test_what_others_could_have_made_is_refused(tmp_path: Path, spoil: Any, error: type[Exception]) -> None:
    with opened(tmp_path) as log:
        look(log)
    spoil(tmp_path)
    before = files(tmp_path)[0].read_bytes() if files(tmp_path) else b""
    with pytest.raises(error):
        opened(tmp_path)
    assert not files(tmp_path) or files(tmp_path)[0].read_bytes() == before


DAMAGE = {
    "cut off": lambda folder: os.truncate(files(folder)[0], 10),
    "emptied": lambda folder: os.truncate(files(folder)[0], 0),
    "removed": lambda folder: files(folder)[0].unlink(),
    "another put in its place": lambda folder: (
        files(folder)[0].rename(folder / "old"),
        (folder / "log/audit-000001.jsonl").write_bytes((folder / "old").read_bytes()[:-5]),
    ),
    "a line added": lambda folder: files(folder)[0].open("ab").write(b"{}\n"),
    "the head removed": lambda folder: (folder / "log/head.json").unlink(),
    "the head changed": lambda folder: (folder / "log/head.json").write_bytes(b" " * 511 + b"\n"),
}


@pytest.mark.parametrize("spoil", DAMAGE.values(), ids=DAMAGE)
def test_nothing_is_added_to_a_damaged_log(tmp_path: Path, spoil: Any) -> None:
    with opened(tmp_path) as log:
        write(log)
        spoil(tmp_path)
        with pytest.raises(AuditDamagedError) as caught, log.attempt("edit") as attempt:
            attempt.intend()
    assert caught.value.exit_code == 6
    assert "Nothing was written" in caught.value.message
    assert "audit verify" in caught.value.hint
    assert verified(tmp_path).damaged


def test_an_older_state_put_back_under_a_running_server_is_noticed(log: AuditLog, tmp_path: Path) -> None:
    write(log)
    kept = {path: path.read_bytes() for path in (tmp_path / "log").iterdir()}
    with opened(tmp_path) as other:
        write(other)
    assert log.head().records == 4
    for path, data in kept.items():
        path.write_bytes(data)
    with pytest.raises(AuditDamagedError, match="counts 2 records, and there were 4"):
        log.head()


def test_a_forked_child_does_not_append_through_its_parents_lock(log: AuditLog, tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            log.head()
        except AuditError:
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    write(log)
    assert verified(tmp_path).records == 2


@contextmanager
def no_more_than(size: int) -> Iterator[None]:
    """Files of this process grow no further: writes past that fail as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_write_that_cannot_be_recorded_is_refused(log: AuditLog, tmp_path: Path) -> None:
    write(log)
    touched = False
    with (
        no_more_than(files(tmp_path)[0].stat().st_size + 100),
        pytest.raises(AuditError, match="Nothing was written"),
        log.attempt("edit") as attempt,
    ):
        attempt.intend()
        touched = True
    assert not touched
    assert attempt.problem
    write(log)
    report = verified(tmp_path)
    assert (report.damaged, report.records, report.torn_bytes) == (False, 4, 0)


def test_best_effort_goes_ahead_and_says_so(tmp_path: Path) -> None:
    with opened(tmp_path, required=False) as log:
        write(log)
        with no_more_than(files(tmp_path)[0].stat().st_size + 100), log.attempt("edit") as attempt:
            attempt.intend()
        assert attempt.problem.startswith("Not recorded in the audit log: ")
        write(log)
    assert verified(tmp_path).records == 4


def test_what_was_written_is_not_taken_for_refused_where_only_its_outcome_is_lost(
    log: AuditLog, tmp_path: Path
) -> None:
    with log.attempt("edit") as attempt:
        attempt.intend()
        limit = no_more_than(files(tmp_path)[0].stat().st_size)
        limit.__enter__()
    limit.__exit__(None, None, None)
    assert attempt.problem
    assert verified(tmp_path).open_intents == [1]


def test_a_failed_sync_is_never_retried_to_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(descriptor: int) -> None:
        raise OSError(errno.EIO, "I/O error")

    with opened(tmp_path) as log:
        write(log)
        with monkeypatch.context() as patch:
            patch.setattr(audit_chain, "_sync", failing)
            with pytest.raises(AuditError, match="could not be recorded"), log.attempt("edit") as attempt:
                attempt.intend()
        with pytest.raises(AuditError, match="an earlier sync"), log.attempt("edit") as attempt:
            attempt.intend()
    with opened(tmp_path) as log:
        write(log)
    report = verified(tmp_path)
    assert (report.findings, report.records, report.open_intents) == ([], 5, [3])


def test_a_read_that_cannot_be_recorded_says_so(log: AuditLog, tmp_path: Path) -> None:
    look(log)
    with no_more_than(files(tmp_path)[0].stat().st_size), log.attempt("read") as attempt:
        pass
    assert attempt.problem


def test_a_stuck_neighbour_is_waited_for_no_longer_than_asked(tmp_path: Path) -> None:
    from filelock import lock_descriptor

    with opened(tmp_path, lock_timeout_s=0.01) as log:
        holder = os.open(tmp_path / "log/head.json", os.O_RDWR)
        lock_descriptor(holder, blocking=False)
        with pytest.raises(LockedError, match="Nothing was written"), log.attempt("edit") as attempt:
            attempt.intend()
        os.close(holder)
        write(log)


def test_a_closed_log_records_nothing(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.close()
    log.close()
    with pytest.raises(AuditError), log.attempt("edit") as attempt:
        attempt.intend()


def test_a_log_that_agents_could_reach_is_refused(tmp_path: Path) -> None:
    root, other = tmp_path / "agents", tmp_path / "other"
    (root / "sub").mkdir(parents=True)
    other.mkdir()
    (tmp_path / "link").symlink_to(root / "sub")
    for inside in (root, root / "sub", root / "new/log", tmp_path / "link/log", other / "../agents/log"):
        with pytest.raises(RequestError, match="inside the root"):
            refuse_inside([inside], [other / "missing", root])
    refuse_inside([tmp_path / "log", other], [root])
    with pytest.raises(RequestError):
        AuditLog(tmp_path / "log", key=root / "key", roots=[root])
    with pytest.raises(RequestError):
        AuditLog(tmp_path / "log", key=tmp_path / "log/key")
    assert list(root.iterdir()) == [root / "sub"]
    assert not (tmp_path / "log").exists()


def test_unless_told_it_lives_in_the_users_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with AuditLog() as log, log.attempt("read", client=HOST):
        pass
    assert log.folder == str(tmp_path / "insitu/audit")
    assert (tmp_path / "insitu/audit.key").is_file()
