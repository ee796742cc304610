"""Long work: a bar on the terminal once it takes a while, and stopping at a safe place."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from insitu.cli.interrupts import defer

# Work that ends sooner needs no bar: about the time after which people wonder.
PATIENCE_S: Final = 0.5

# As often as eyes can follow; the library reports every window.
_REDRAW_S: Final = 0.1


class Work(NamedTuple):
    """What long calls of the library take."""

    progress: Callable[[int, int], None] | None
    cancel: Callable[[], bool]


@contextmanager
def work(label: str, *, silent: bool = False) -> Iterator[Work]:
    """Lets signals stop the work at safe places only, and shows a bar if standard error is a terminal.

    Args:
        label: what is being done, as ``Replacing``.
        silent: no bar.
    """
    bar = _Bar(label) if not silent and sys.stderr is not None and sys.stderr.isatty() else None
    try:
        yield Work(bar.show if bar else None, defer())
    finally:
        if bar:
            bar.close()


class _Bar:
    """A progress bar that appears late and leaves no trace."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._next = time.monotonic() + PATIENCE_S
        self._show: Callable[[int, int], None] | None = None
        self._stop: Callable[[], None] = lambda: None

    def show(self, done: int, total: int) -> None:
        """Moves the bar; a new total starts a new phase."""
        if (now := time.monotonic()) < self._next:
            return
        self._next = now + _REDRAW_S
        if self._show is None:
            self._show, self._stop = _started(self._label)
        self._show(done, total)

    def close(self) -> None:
        """Removes the bar."""
        self._stop()


def _started(label: str) -> tuple[Callable[[int, int], None], Callable[[], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    progress = Progress(
        "{task.description}",
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = progress.add_task(label)
    progress.start()
    return lambda done, total: progress.update(task, completed=done, total=total), progress.stop
