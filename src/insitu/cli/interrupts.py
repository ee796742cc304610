"""Signals that ask to stop: at once while nothing is at stake, at the next safe place during an edit.

At first SIGINT and SIGTERM raise ``Interrupted`` where the program is. From ``defer`` on they are only noted,
and the library asks for the note between windows, up to the commit point; past it, it finishes, and so
does the command: what it says about the file must be true.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from insitu.cli.output import write_line

# Source: POSIX shells report death by signal N as 128 + N.
SIGNAL_EXIT: Final = 128

_STOPPING: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """A signal asked to stop at a moment when that is safe; ``message`` says what it left."""

    message = "Interrupted; nothing was changed."

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code: Final = SIGNAL_EXIT + number


class _Notes:
    """What has arrived, and whether it may stop the program where it is."""

    def __init__(self) -> None:
        self.received = 0
        self.deferring = False

    def take(self, number: int, _frame: FrameType | None) -> None:
        """Handles a signal."""
        self.received = number
        if not self.deferring:
            raise Interrupted(number)


_notes = _Notes()


@contextmanager
def listening() -> Iterator[None]:
    """Handles the stopping signals while the block runs, then gives them back."""
    _notes.received = 0
    _notes.deferring = False
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals; elsewhere they are the host program's affair
        return
    before = {number: signal.signal(number, _notes.take) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def defer() -> Callable[[], bool]:
    """Lets the stopping signals wait until the command ends; returns what tells whether one does."""
    _notes.deferring = True
    return lambda: _notes.received != 0


def signal_exit_code() -> int:
    """The exit code of the signal that asked to stop; SIGINT's where none was seen."""
    return SIGNAL_EXIT + (_notes.received or signal.SIGINT)


def exit_code_afterwards() -> int:
    """0, or, where a signal came too late to stop the work, its code; then it says so."""
    if not _notes.received:
        return 0
    write_line("insitu: the signal came too late to stop the work; it was completed.", err=True)
    return signal_exit_code()
