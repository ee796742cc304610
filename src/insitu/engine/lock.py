"""The lock: on the target's own inode, so that links alias rightly and a dead holder releases it."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from insitu.core.protocols import Cancel
from insitu.engine.site import Site
from insitu.errors import CancelledError, LockedError, UnsupportedError
from insitu.storage.base import File, Queue, Stat

# First and longest pause between tries. Source: exponential backoff with full jitter, as described by
# M. Brooker, "Exponential Backoff And Jitter" (2015); the bounds keep 20 waiting processes below 5 % CPU.
PAUSE_MIN_S = 0.0005
PAUSE_MAX_S = 0.1

# Who is first in the queue pauses for this share of the time it has been first, at most: it adds an eighth
# to a short wait and costs nothing in a long one. The others look whether they are first by now: 5 us each.
_SHARE = 1 / 4
_LOOKING_S = 0.01

# Who waits so long without a try makes one out of turn, lest one who was stopped while first stop them all.
PATIENCE_S = 0.25

Place = tuple[int, int]
"""Device and inode: the order in which several files are locked."""


class OutOfOrderError(Exception):
    """A file turned out to lie below one that is locked already; never leaves the engine."""


def place_of(status: Stat) -> Place:
    """Where a file comes in the order of locks."""
    return status.device, status.inode


@contextmanager
def locked(
    site: Site,
    *,
    timeout_s: float,
    unlocked: bool = False,
    cancel: Cancel | None = None,
    above: Place | None = None,
    opened: File | None = None,
) -> Iterator[tuple[File, float]]:
    """Opens the target for writing and holds its lock.

    After locking, the path must still name the locked inode: a rewrite may have swapped it meanwhile,
    and then the new one is locked instead.

    Args:
        timeout_s: how long to wait; 0 tries once.
        unlocked: go on without a lock where the file system has none.
        above: the highest place that is locked already; an inode at or below it is not waited for.
        opened: an opening for writing that is there already: it is locked, and stays open, if it is of the
            file that the path names. A file that is open twice gets no lease.

    Yields:
        The open target, and how many seconds the lock was waited for.

    Raises:
        LockedError: somebody else held it all the time; ``facts`` name the holder if it can be seen.
        UnsupportedError: locks do not work here.
        OutOfOrderError: waiting could end in a deadlock, for the inode is not above ``above``.
    """
    began = time.monotonic()
    with closing(site.volume.queue(site.path)) as queue:
        # All who wait for files that are held already would wait here as well.
        turn = _Turn(queue, ahead=above is not None)
        target = _acquired(site, turn, began + timeout_s, unlocked, cancel, above, opened)
    try:
        yield target, time.monotonic() - began
    finally:
        _let_go(target, opened)


def _named(site: Site, file: File) -> bool:
    """Whether an open file is the one that the path names."""
    now, held = site.volume.stat(site.path), file.stat()
    return now is not None and place_of(now) == place_of(held)


class _Turn:
    """When to try for a lock that others wait for, too: first come, first served, as far as all are alive.

    The kernel gives a lock that is only tried for to whoever happens to ask next, and that is mostly the one
    who has just given it back: without a queue, seven of eight busy writers wait for seconds.

    Args:
        queue: not joined yet.
        ahead: whether to queue before those who hold nothing.
    """

    def __init__(self, queue: Queue, *, ahead: bool) -> None:
        self._queue = queue
        self._ahead = ahead
        self._joined = False
        self._tries_at = time.monotonic() + PATIENCE_S
        self._first_since = math.inf

    def come(self) -> bool:
        """Whether to try now, in turn or because nobody seems to come to it."""
        now = time.monotonic()
        if self._first_since < now:
            return True
        if self._queue.first():
            self._first_since = now
            return True
        overdue = now >= self._tries_at
        if overdue:
            self._tries_at = now + PATIENCE_S
        return overdue

    def wait(self, left_s: float) -> None:
        """Pauses, in the queue from the first time on."""
        if not self._joined:
            self._queue.join(ahead=self._ahead)
            self._joined, self._first_since = True, math.inf
        bound_s = _SHARE * (time.monotonic() - self._first_since)
        pause_s = min(max(bound_s, PAUSE_MIN_S), PAUSE_MAX_S) if bound_s >= 0 else _LOOKING_S
        time.sleep(min(random.uniform(0, pause_s), max(0.0, left_s)))


def _acquired(
    site: Site,
    turn: _Turn,
    until: float,
    unlocked: bool,
    cancel: Cancel | None,
    above: Place | None,
    opened: File | None,
) -> File:
    """The target, open and locked, as soon as it can be had."""
    began = time.monotonic()
    while True:
        left_s = until - time.monotonic()
        waitable = above is None or place_of(site.status()) > above
        if turn.come() or left_s <= 0 or not waitable:
            target = opened if opened and not unlocked and _named(site, opened) else site.open(write=True)
            try:
                if _taken(target, unlocked):
                    if _named(site, target):
                        return target
                    _let_go(target, opened)
                    continue
                if left_s <= 0:
                    raise _in_vain(site, target, time.monotonic() - began)
            except BaseException:
                _let_go(target, opened)
                raise
            _let_go(target, opened)
            if not waitable:
                raise OutOfOrderError(site.path)
        if cancel is not None and cancel():
            raise CancelledError(f"Cancelled while waiting for the lock on {site.path}; it is unchanged.")
        turn.wait(left_s)


def _let_go(target: File, opened: File | None) -> None:
    """Gives the lock back, and closes the target unless it is somebody else's opening."""
    if target is opened:
        target.unlock()
    else:
        target.close()


def _taken(target: File, unlocked: bool) -> bool:
    try:
        return target.lock()
    except UnsupportedError:
        if unlocked:
            return True
        raise


def _in_vain(site: Site, target: File, waited_s: float) -> LockedError:
    holder = holder_of(target)
    who = f" by process {holder['pid']} ({holder['command']})" if holder else ""
    return LockedError(
        f"The file {site.path} was locked{who} for all of {waited_s:.1f} s; it is unchanged.",
        hint="Try again, wait longer (--lock-timeout), or end the process that holds it.",
        path=site.path,
        waited_s=waited_s,
        **holder,
    )


def holder_of(target: File) -> dict[str, object]:
    """Who holds the lock, as the kernel tells; empty where it does not.

    Source: proc_locks(5); the kernel's own table cannot be stale, as a record in a file can.
    """
    status = target.stat()
    try:
        with open("/proc/locks", "rb") as table:
            for line in table:
                fields = line.split()
                if fields[1] == b"FLOCK" and fields[5].endswith(b":%d" % status.inode):
                    with open(f"/proc/{int(fields[4])}/cmdline", "rb") as command:
                        words = command.read(4096).split(b"\0")
                    shown = b" ".join(words).decode(errors="replace").strip()
                    return {"pid": int(fields[4]), "command": shown[:200]}
    except (OSError, ValueError, IndexError):
        return {}
    return {}
