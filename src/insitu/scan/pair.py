"""A pass over a file by two processes, this one and a companion, each of which takes the next window.

For work that is many short calls of NumPy two threads gain next to nothing: each waits for the interpreter
while the other holds it. Two processes do not.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

from insitu.core.protocols import Cancel
from insitu.core.spans import Span
from insitu.errors import CancelledError
from insitu.scan.companion import Companion
from insitu.scan.scratch import keep_scratch

A = TypeVar("A")

# In less, the companion would have started when half of the work is done: Python, NumPy and we take 0.2 s.
PAIR_FROM_BYTES: Final = 96 << 20

# The companion has its next window waiting while it works on one.
_ASKED_MAX: Final = 2

# So many windows are taken ahead of the one whose turn it is: what is made of them waits in memory.
_AHEAD: Final = 4

# A companion that does not answer for so long is stopped, swapped out or stuck.
_PATIENCE_S: Final = 5.0
_CANCEL_INTERVAL_S: Final = 0.1


def pays(size: int) -> bool:
    """Whether a second process pays for so many bytes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return size >= PAIR_FROM_BYTES and cores > 1


def windows_of(span: Span, window_bytes: int) -> list[Span]:
    """The windows that tile a span."""
    starts = range(span.start, span.stop, window_bytes)
    return [Span(start, min(start + window_bytes, span.stop)) for start in starts]


class Pair(Generic[A]):
    """One pass.

    Args:
        windows: what is to be done.
        answer: does a window in this process; what it returns for one does not depend on the others.
        companion: does the same in another one; None: this process does all.
        holds: asked when the companion has answered, whether what it looked at was what it should; if not,
            the answer is dropped, and this process does all that is left.

    Cost: the results of at most four windows wait for their turn.
    """

    def __init__(
        self,
        windows: list[Span],
        answer: Callable[[Span], A],
        companion: Companion[Span, A] | None,
        holds: Callable[[], bool] = lambda: True,
    ) -> None:
        self._windows = windows
        self._answer = answer
        self._companion = companion
        self._holds = holds
        # Windows are taken in order, by either; of those the companion was asked, it answers the first first.
        self._taken = 0
        self._asked: deque[int] = deque()
        self._ready: dict[int, A] = {}

    def answers(self, cancel: Cancel | None) -> Iterator[tuple[Span, A]]:
        """Yields the windows with what was made of them, in order; ends the companion however it is left.

        Raises:
            CancelledError: ``cancel`` said so.
            Exception: what ``answer`` raised in this process.
        """
        keep_scratch()
        try:
            for number, window in enumerate(self._windows):
                yield window, self._answered(number, cancel)
        finally:
            self._part()

    def _answered(self, number: int, cancel: Cancel | None) -> A:
        """What is made of the window whose turn it is; meanwhile the next ones are worked on."""
        until = time.monotonic() + _PATIENCE_S
        while True:
            if cancel is not None and cancel():
                raise CancelledError("The pass over the file was cancelled; the file is unchanged.")
            self._hear(0.0)
            self._ask(number)
            if number in self._ready:
                return self._ready.pop(number)
            if number not in self._asked:
                self._taken = max(self._taken, number + 1)
                return self._answer(self._windows[number])
            if self._taken < self._limit(number):
                self._taken += 1
                self._ready[self._taken - 1] = self._answer(self._windows[self._taken - 1])
            elif time.monotonic() < until:
                self._hear(_CANCEL_INTERVAL_S)
            else:
                self._part()

    def _limit(self, number: int) -> int:
        """Before which window the next one to be taken has to be."""
        return min(len(self._windows), number + _AHEAD)

    def _ask(self, number: int) -> None:
        """Gives the companion windows, as many as it may have."""
        companion = self._companion
        while (
            companion is not None
            and companion.ready
            and len(self._asked) < _ASKED_MAX
            and self._taken < self._limit(number)
        ):
            companion.ask(self._windows[self._taken])
            self._asked.append(self._taken)
            self._taken += 1

    def _hear(self, timeout_s: float) -> None:
        """Takes what the companion has answered."""
        if self._companion is None:
            return
        answers = self._companion.answers(timeout_s)
        right = not answers or self._holds()
        for answer in answers if right else ():
            self._ready[self._asked.popleft()] = answer
        if self._companion.ended or not right:
            self._part()

    def _part(self) -> None:
        """Goes on without the companion: what it was asked and has not answered is done here."""
        if self._companion is not None:
            self._companion.end()
        self._companion = None
        self._asked.clear()
