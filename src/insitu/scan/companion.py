"""A second process for a pass over a file: it is asked one question after the other, and answers in order.

It is started afresh, so that neither a thread nor a lock is copied, and without the caller's script, which
need not be made for being run twice. What it does not answer, whoever asked does itself: that there is no
second process, or no longer, costs time and nothing else.

It ends when the one who started it does, however that ends: it then reads or writes a pipe without a reader.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, Final, Generic, TypeVar

from insitu.scan.scratch import collect_rarely, keep_scratch

Q = TypeVar("Q")
A = TypeVar("A")

_HEAD: Final = struct.Struct("<Q")
_READ_BYTES: Final = 1 << 20

# Python itself takes some 20 ms to start, NumPy 100: nothing that has started in vain takes longer to end.
_END_TIMEOUT_S: Final = 2.0


class Companion(Generic[Q, A]):
    """The process, from the side of the one who asks; everything here returns at once, or when told to.

    Attributes:
        pid: its number.
        ready: whether it has started and may be asked.
        ended: whether it will not answer any more.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid
        self._received = bytearray()
        self.ready = False
        self.ended = False

    @classmethod
    def spawned(cls, *modules: str) -> Companion[Q, A] | None:
        """Starts a process that loads some modules and waits for ``begin``; None where there can be none."""
        if os.name != "posix" or not sys.executable or getattr(sys, "frozen", False):
            return None
        path = [str(Path(__file__).parents[2]), *filter(None, sys.path)]
        serving = f"from {__name__} import serve; serve({modules})"
        try:
            process = subprocess.Popen(
                (sys.executable, "-S", "-c", f"import sys; sys.path[:] = {path!r}; {serving}"),
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return None
        return cls(process)

    def begin(self, start: Callable[[], Callable[[Q], A]]) -> None:
        """Says what is to be done; it ends where that cannot be sent.

        Args:
            start: makes, over there, what answers questions. It is pickled, as questions and answers are.
        """
        try:
            self._send(pickle.dumps(start, pickle.HIGHEST_PROTOCOL))
        except (pickle.PicklingError, TypeError, AttributeError):
            self.end()

    def ask(self, question: Q) -> None:
        """Sends a question; it waits over there until those before are answered."""
        self._send(pickle.dumps(question, pickle.HIGHEST_PROTOCOL))

    def answers(self, timeout_s: float = 0.0) -> list[A]:
        """The answers that have come, in order; waits for one so long, or until it ends."""
        import select

        if self.ended:
            return []
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        found: list[A] = []
        until = time.monotonic() + timeout_s
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        while not self.ended and poll.poll(0 if found else max(0.0, until - time.monotonic()) * 1000):
            data = os.read(pipe, _READ_BYTES)
            self._received += data
            self.ended = not data
            found += self._complete()
        return found

    def end(self) -> None:
        """Ends the process, whatever it does."""
        self.ended = True
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_TIMEOUT_S)

    def _complete(self) -> list[A]:
        """Takes what is complete of what was received; the first of all says that it has started."""
        found: list[A] = []
        at = 0
        while len(self._received) - at >= _HEAD.size:
            (size,) = _HEAD.unpack_from(self._received, at)
            stop = at + _HEAD.size + size
            if stop > len(self._received):
                break
            if self.ready:
                found.append(pickle.loads(memoryview(self._received)[at + _HEAD.size : stop]))
            self.ready = True
            at = stop
        del self._received[:at]
        return found

    def _send(self, packed: bytes) -> None:
        assert self._process.stdin is not None
        left = memoryview(packed)
        try:
            while left:  # a signal may cut a write short
                left = left[os.write(self._process.stdin.fileno(), left) :]
        except OSError:
            self.ended = True


def serve(modules: tuple[str, ...]) -> None:
    """What the process does: answers questions until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who started us is told, and ends us
    keep_scratch()
    collect_rarely()
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as pipe, suppress(EOFError, BrokenPipeError):
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what is printed is no answer
        for module in modules:
            import_module(module)
        answer = pickle.load(sys.stdin.buffer)()
        _say(pipe, b"")
        while True:
            question = pickle.load(sys.stdin.buffer)
            _say(pipe, pickle.dumps(answer(question), pickle.HIGHEST_PROTOCOL))


def _say(pipe: BinaryIO, packed: bytes) -> None:
    pipe.write(_HEAD.pack(len(packed)))
    pipe.write(packed)
    pipe.flush()
