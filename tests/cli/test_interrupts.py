"""Signals: at once before anything is at stake, at the next safe place during an edit."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from pathlib import Path

import pytest

import insitu
from insitu.cli import interrupts
from insitu.engine import lock
from tests.cli.conftest import TEN_LINES
from tests.cli.running import folder_state, run

STOPPING = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@STOPPING
def test_a_command_that_waits_stops_at_once(ten: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    with ten.open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        monkeypatch.setattr(lock.time, "sleep", lambda _: os.kill(os.getpid(), number))
        done = run("insert", ten, "--end", "--text", "x")
    assert done[:] == (128 + number, b"", "insitu: Interrupted; nothing was changed.\n")
    assert folder_state(ten.parent) == {"ten.txt": TEN_LINES}


@STOPPING
def test_before_the_commit_point_the_file_stays_old(
    ten: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    edit = insitu.Document.commit

    def commit(self: insitu.Document, **given: object) -> object:
        os.kill(os.getpid(), number)
        return edit(self, **given)

    monkeypatch.setattr(insitu.Document, "commit", commit)
    done = run("write", ten, "--lines", 1, "--text", "x")
    assert done.code == 128 + number
    assert "unchanged" in done.err
    assert folder_state(ten.parent) == {"ten.txt": TEN_LINES}


@STOPPING
def test_after_the_commit_point_the_work_is_finished_and_it_says_so(
    ten: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    edit = insitu.Document.commit

    def commit(self: insitu.Document, **given: object) -> object:
        receipt = edit(self, **given)
        os.kill(os.getpid(), number)  # also at closing, when there is nothing left to commit
        return receipt

    monkeypatch.setattr(insitu.Document, "commit", commit)
    done = run("write", ten, "--lines", 1, "--text", "x")
    assert done.code == 128 + number
    assert "operation 1" in done.err
    assert "it was completed" in done.err
    assert ten.read_bytes() == TEN_LINES.replace(b"line 1\n", b"x\n")


def test_an_interrupted_recovery_says_what_is_pending(ten: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def recover(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)

    monkeypatch.setattr(insitu, "recover", recover)
    done = run("recover", ten)
    assert done.code == 130
    assert "still pending" in done.err


def test_handlers_are_given_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    run("--help")
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_outside_of_an_edit_raises_where_the_program_is() -> None:
    with interrupts.listening(), pytest.raises(interrupts.Interrupted):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
