"""The progress bar: late, on terminals only, and gone afterwards."""

from __future__ import annotations

import io
import sys

import pytest

from insitu.cli import progress


class Terminal(io.StringIO):
    """A standard error that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def use_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Makes standard error a terminal. Not a fixture: pytest sets its own one between setup and call."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def test_short_work_shows_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = use_terminal(monkeypatch)
    with progress.work("Moving") as work:
        assert work.progress is not None
        work.progress(1, 2)
        work.progress(2, 2)
    assert terminal.getvalue() == ""


def test_long_work_shows_a_bar_through_all_phases(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = use_terminal(monkeypatch)
    monkeypatch.setattr(progress, "PATIENCE_S", 0.0)
    monkeypatch.setattr(progress, "_REDRAW_S", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    with progress.work("Moving") as work:
        assert work.progress is not None
        for done in range(0, 1000, 100):
            work.progress(done, 1000)
        work.progress(5, 10)
    assert "Moving" in terminal.getvalue()


def test_there_is_no_bar_where_it_would_be_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    use_terminal(monkeypatch)
    with progress.work("Moving", silent=True) as work:
        assert work.progress is None
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress.work("Moving") as work:
        assert work.progress is None
