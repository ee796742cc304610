"""Calls of tools on threads of their own: told of progress, called off, and waited for at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import anyio
import anyio.to_thread
from mcp.server.context import ServerRequestContext

from insitu.workspace.call import Call, Client
from insitu.workspace.workspace import Answer

AT_ONCE: Final = 16
"""Calls that run at once; more wait. Each may hold some windows of 1 MiB, and the server 160 MiB in all."""

_PROGRESS_S: Final = 1.0

Work = Callable[[Call], Answer]


class Calls:
    """The calls that are under way.

    Args:
        seconds: how long the scans of one call may take.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._stopping = threading.Event()
        self._limiter = anyio.CapacityLimiter(AT_ONCE)
        self._under_way = 0
        self._idle = anyio.Event()

    def stop(self) -> None:
        """Calls off what has not reached its commit point, now and from now on; safe in a signal handler."""
        self._stopping.set()

    async def run(self, context: ServerRequestContext[Any, Any], work: Work) -> Answer:
        """Runs one call to its end, on a thread.

        A client that cancels, or goes away, calls it off up to the commit point; past it, it is finished.
        """
        called_off = threading.Event()
        progress = _Progress()
        call = Call(
            client=_client_of(context),
            seconds=self._seconds,
            cancelled=lambda: called_off.is_set() or self._stopping.is_set(),
            progress=progress.note,
        )
        self._under_way += 1
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_watch, called_off)
                tasks.start_soon(progress.report, context)
                answer = await anyio.to_thread.run_sync(work, call, limiter=self._limiter)
                tasks.cancel_scope.cancel()
            return answer
        finally:
            self._under_way -= 1
            self._idle.set()

    async def idle(self) -> None:
        """Waits until no call is under way."""
        while self._under_way:
            self._idle = anyio.Event()
            await self._idle.wait()


class _Progress:
    """What a call did so far: noted by its thread at any rate, reported to the client once a second."""

    def __init__(self) -> None:
        self._done = (0, 0)

    def note(self, done: int, total: int) -> None:
        """Takes note; called from the thread."""
        self._done = (done, total)

    async def report(self, context: ServerRequestContext[Any, Any]) -> None:
        """Tells the client while it changes; the protocol wants it to grow, whatever the work starts anew."""
        told = 0
        while True:
            await anyio.sleep(_PROGRESS_S)
            done, total = self._done
            if done > told:
                told = done
                await context.session.report_progress(done, total, f"{done:,} of {total:,} bytes")


async def _watch(called_off: threading.Event) -> None:
    """Notes that the request around it was cancelled, which a thread cannot see."""
    try:
        await anyio.sleep_forever()
    finally:
        called_off.set()


def _client_of(context: ServerRequestContext[Any, Any]) -> Client:
    params = context.session.client_params
    if params is None:
        return Client("unknown")
    return Client(params.client_info.name, params.client_info.version)
