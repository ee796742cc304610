"""Signals: at once before anything is at stake, at the next safe place during an edit."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

import insitu
from insitu.cli import interrupts
from tests.cli.conftest import TEN_LINES
from tests.cli.running import COMMAND, folder_state, run

STOPPING = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@STOPPING
def test_a_command_that_waits_stops_at_once(ten: Path, number: int) -> None:
    import fcntl

    with ten.open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        command = [*COMMAND, "insert", ten, "--end", "--text", "x"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            time.sleep(1.0)  # longer than Python takes to start
            child.send_signal(number)
            _, err = child.communicate(timeout=20)
    assert child.returncode == 128 + number
    assert b"nothing was changed" in err or b"unchanged" in err
    assert b"Traceback" not in err
    assert folder_state(ten.parent) == {"ten.txt": TEN_LINES}


@STOPPING
def test_before_the_commit_point_the_file_stays_old(
    ten: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    edit = insitu.Document.commit

    def commit(self: insitu.Document, **given: object) -> object:
        os.kill(os.getpid(), number)
        return edit(self, **given)  # type: ignore[arg-type]

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
        receipt = edit(self, **given)  # type: ignore[arg-type]
        os.kill(os.getpid(), number)  # also at closing, when there is nothing left to commit
        return receipt

    monkeypatch.setattr(insitu.Document, "commit", commit)
    done = run("write", ten, "--lines", 1, "--text", "x")
    assert done.code == 128 + number
    assert "operation 1" in done.err
    assert "it was completed" in done.err
    assert ten.read_bytes() == TEN_LINES.replace(b"line 1\n", b"x\n")


def test_handlers_are_given_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    run("--help")
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_outside_of_an_edit_raises_where_the_program_is() -> None:
    with interrupts.listening(), pytest.raises(interrupts.Interrupted):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
