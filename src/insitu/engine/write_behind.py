"""Writing behind: what was rendered is written on a thread of its own while the next window is rendered.

Rendering holds the interpreter, writing does not. Nothing a segment writes is read in it (the checker says
so), so that within a segment reads need not wait for writes; whatever else is done with the target waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

D = TypeVar("D")


class WriteBehind(Generic[D]):
    """Carries writes out in the order in which they were given, at most one of them waiting.

    Args:
        write: writes data at an offset.

    Cost: memory for what is being written and what waits for it.
    """

    def __init__(self, write: Callable[[int, D], None]) -> None:
        self._write = write
        self._changed = threading.Condition()
        self._given: tuple[int, D] | None = None
        self._error: BaseException | None = None
        self._ended = False
        self._thread: threading.Thread | None = None

    def put(self, offset: int, data: D) -> None:
        """Has data written, which must stay as it is until what is given next is accepted, too.

        Returns when what was given before is written.

        Raises:
            StorageError: an earlier write failed; nothing was written after it.
        """
        self.drain()
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="insitu-write", daemon=True)
                self._thread.start()
            self._given = (offset, data)
            self._changed.notify_all()

    def drain(self) -> None:
        """Returns when everything is written; raises as ``put``."""
        with self._changed:
            while self._given is not None and self._error is None:
                self._changed.wait()
            if self._error is not None:
                raise self._error

    def end(self) -> None:
        """Ends the thread once it has written what was given, whatever came of it."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _serve(self) -> None:
        while (given := self._next()) is not None:
            try:
                self._write(*given)
            except BaseException as error:
                self._error = error
            with self._changed:
                self._given = None
                self._changed.notify_all()

    def _next(self) -> tuple[int, D] | None:
        """What is to be written now; None at the end."""
        with self._changed:
            while self._given is None and not self._ended:
                self._changed.wait()
            return self._given
