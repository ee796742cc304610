"""The trail: which operations lie between a snapshot's generation and what the file holds now.

A read is checked after it was made, as databases do with an undo log: if no commit of ours was running and
none had been made since the trail was last followed, what was read is right. Else the trail is followed
further, over the journals of the operations since, and the read is made again through them.

what is found after a read             what is done
nothing changed                        the read counts
closed or placed operations            each becomes a layer; read again
an overwrite under way or half-done    read through its covers, which hold all that it may have touched
any other commit under way             waited for, up to the time the lock may be waited for
one that is prepared, or a rewrite     the read counts: it has not touched these bytes, or never does
the file was swapped out               no operation touches these bytes any more
somebody else appended                 the read counts
somebody else cut it                   ``StaleError``, as where they changed it between two operations
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final, NamedTuple

from insitu.engine.history import TIME_UNKNOWN, State, after_of, operation
from insitu.engine.journal import Journal, salt_at
from insitu.engine.layers import Joined, Layer, Overwritten, over
from insitu.engine.lock import PAUSE_MAX_S, PAUSE_MIN_S
from insitu.engine.site import Site
from insitu.engine.super_journal import undecided
from insitu.errors import (
    LockedError,
    MissingFileError,
    SnapshotExpiredError,
    StaleError,
    UndoError,
    UnsupportedError,
)
from insitu.storage.base import File

# How coarse the times of files are. A change within the tick of the one before leaves the time as it was.
# Sources: the kernel's tick is at most 10 ms (CONFIG_HZ, time(7)); FAT has 2 s and others 1 s, to be told
# by times without a fraction.
_TICK_NS: Final = 20_000_000
_COARSE_TICK_NS: Final = 2_000_000_000
_COARSE_UNIT_NS: Final = 1_000_000

# Each layer that could not be joined holds a descriptor and a few frames of the stack.
LAYERS_MAX: Final = 128

Seen = tuple[int, int]
"""Size and time of the file at one look."""


class View(NamedTuple):
    """How far the trail was followed; never changes, so threads share it."""

    seen: Seen
    """The file at a moment when ``layers`` led back from what it held."""
    settled: bool
    """Whether any change since that moment shows in the file's size or time."""
    number: int
    """The last operation that is among the layers, or was when the snapshot was taken."""
    at: State
    """The state that operation left."""
    salt: int = 0
    """Of that operation's journal, for numbers are used again; 0 where it was not looked up."""
    layers: tuple[Layer, ...] = ()
    swapped: bool = False
    """Whether a rewrite put another file in the path's place: what is open here stays as it is."""
    through: int = 0
    """Salt of the running overwrite whose covers the last layer is; 0 for none."""

    def kept_at(self, offset: int, size: int) -> int:
        """Where in the file consecutive bytes lie that nothing touched; -1 where that takes a closer look."""
        if not self.layers:
            return offset
        layer = self.layers[0]
        return layer.kept_at(offset, size) if len(self.layers) == 1 and isinstance(layer, Joined) else -1


class Trail:
    """Leads from what a file holds back to one generation of it; for several threads at once.

    Args:
        file: open; as it was when operation ``pinned`` was the latest, or later.
        number: the operation to which the generation belongs.
        at: the state it left.
        pinned: the latest operation when ``file`` was opened: those up to it may lie in other inodes.
        wait_s: how long a commit that is moving data is waited for.
        salt: of the journal of that operation, where it is the latest.
    """

    def __init__(
        self, site: Site, file: File, number: int, at: State, pinned: int, wait_s: float, *, salt: int = 0
    ) -> None:
        self._site = site
        self._file = file
        self._first = number + 1
        self._pinned = pinned
        self._wait_s = wait_s
        self._inode = file.stat().inode
        self._look = _looking(file)
        self._following = threading.Lock()
        self.view = View(at[1:], False, number, at, salt)
        if pinned > number:
            self.view = self.followed(self.view)

    @property
    def overtaken(self) -> bool:
        """Whether what the file holds is no longer the generation itself."""
        return bool(self.view.layers)

    def holds(self, view: View) -> bool:
        """Whether what was just read by ``view`` is the generation's."""
        if view.through:
            return self._untouched(view)
        seen = self._look()
        if seen == view.seen and view.settled:
            return True
        now_ns = time.time_ns()
        seen = self._look()
        if not view.swapped and not self._untouched(view):
            return False
        if view.layers and seen[0] < view.seen[0]:
            raise self._stale()
        # Somebody else's change, or space reserved for a commit to come: the next look goes by this one.
        self._note(view, view._replace(seen=seen, settled=settled(seen[1], now_ns)))
        return True

    def _note(self, view: View, newer: View) -> None:
        with self._following:
            if self.view is view:
                self.view = newer

    def _untouched(self, view: View) -> bool:
        """Whether no operation has touched the file since ``view``, up to the end of this call."""
        # In this order: an operation that is no journal any more has its place in the history.
        journal = self._pending()
        if journal is not None:
            with closing(journal):
                if view.through:
                    return journal.salt == view.through
                if journal.salt == view.salt:
                    return self._is_made(journal)
                if not _harmless(journal):
                    return False
        return not view.through and self._site.latest() == view.number and self._is_kept(view)

    def followed(self, view: View) -> View:
        """The trail as it is now, once ``view`` no longer holds.

        Raises:
            SnapshotExpiredError: an operation on it is no longer kept.
            StaleError: somebody else changed the file.
            LockedError: a commit went on for longer than was to be waited.
        """
        until = time.monotonic() + self._wait_s
        pause_s = PAUSE_MIN_S
        while True:
            with self._following:
                if self.view is not view and not self.view.through:
                    return self.view  # another thread followed it meanwhile
                found = self._further(self.view)
                if found is not None:
                    return found
                view = self.view
            if time.monotonic() >= until:
                raise LockedError(
                    f"A commit of {self._site.path} went on, or lay half-done, for all of the "
                    f"{self._wait_s:g} s that a reader of an older version was to wait.",
                    hint="Try again; if no program is editing the file, run: insitu recover FILE",
                    path=self._site.path,
                )
            time.sleep(random.uniform(0, pause_s))
            pause_s = min(2 * pause_s, PAUSE_MAX_S)

    def _further(self, view: View) -> View | None:
        """Follows the trail by one look; None where a commit has to be waited for."""
        self._site.trusted(self._file.stat())
        journal = self._pending()
        try:
            follows = journal is not None and _number(journal) == view.number + 1
            view = self.view = self._over_closed(view, follows)
            if journal is not None and not view.swapped and not _harmless(journal):
                number = _number(journal)
                if self._is_made(journal):
                    if number == view.number + 1 and journal.salt != view.salt:
                        view = self.view = self._over(view, journal)
                        journal = None
                elif number != view.number + 1 or journal.plan["planner"] != "overwrite":
                    return None
                else:
                    through = Overwritten(journal)
                    self._check_link(view, journal)
                    salt, journal = journal.salt, None
                    return view._replace(layers=(*view.layers, through), through=salt, settled=False)
        finally:
            if journal is not None:
                journal.close()
        return self._arrived(view)

    def _arrived(self, view: View) -> View | None:
        """The view, once it is sure that its end is what the file holds."""
        now_ns = time.time_ns()
        seen = self._look()
        if not view.swapped and view.at[1:] != seen:
            if not self._untouched(view):
                return None
            if view.layers and seen[0] < view.at[1]:
                raise self._stale()
            if view.at[2] == TIME_UNKNOWN and view.at[1] == seen[0]:
                view = view._replace(at=(view.at[0], *seen))
        self.view = view._replace(seen=seen, settled=settled(seen[1], now_ns))
        return self.view

    def _over_closed(self, view: View, follows: bool) -> View:
        """The view with the operations closed since.

        Args:
            follows: whether the one after it was pending, which tells where it comes from.
        """
        numbers = self._site.operations()
        if view.layers and numbers[:1] > [self._first]:
            raise self._expired(self._first)
        further = [number for number in numbers if number > view.number]
        # One that was there may be gone: a commit without undo drops the whole history.
        if (view.number in numbers or not (further or follows)) and not self._is_kept(view):
            raise self._expired(view.number)
        for number in further:
            if view.swapped:
                break
            if number != view.number + 1:
                raise self._expired(view.number + 1)
            try:
                journal = operation(self._site, number)
            except (UndoError, MissingFileError) as error:
                raise self._expired(number) from error
            view = self._over(view, journal)
        return view

    def _is_kept(self, view: View) -> bool:
        """Whether the last operation of a view is there: no other that got its number."""
        if view.salt == 0:
            return True
        if view.number == 0:
            return self._look() == view.at[1:]  # it has left no record, but its outcome
        site = self._site
        # In this order, for it may be closed between two looks.
        paths = site.operation(view.number), site.journal, site.operation(view.number)
        return any(salt_at(site.volume, path) == view.salt for path in paths)

    def _over(self, view: View, journal: Journal) -> View:
        """The view with one more operation, whose journal it takes over."""
        before, number = _before(journal), _number(journal)
        if number > self._pinned and (before[0] != self._inode or journal.plan["swaps"]):
            journal.close()
            return view._replace(number=number, salt=journal.salt, swapped=True)
        self._check_link(view, journal)
        if len(view.layers) >= LAYERS_MAX:
            raise self._expired(number)
        at, salt, recorded = after_of(journal), journal.salt, journal.plan["history"]
        layers = over(view.layers, journal)
        if not recorded:
            # Closing it leaves no record: what follows counts from the original on again.
            self._first, self._pinned, number = 1, 0, 0
        # Threads may read by this view before anybody has looked at the file again.
        return view._replace(seen=at[1:], settled=False, number=number, at=at, salt=salt, layers=layers)

    def _check_link(self, view: View, journal: Journal) -> None:
        """Refuses an operation that does not follow that of a view, or not with an append between at most."""
        before, follows = _before(journal), journal.header.get("follows")
        inode, size, mtime_ns = view.at
        if view.number == 0 and view.salt:
            # Of an unrecorded operation, only the state it left tells what follows it.
            if before != view.at:
                raise self._expired(_number(journal))
            return
        known = follows is not None and (view.salt or view.number == 0)
        if known and follows != f"{view.salt:016x}":
            raise self._expired(_number(journal))
        same = before[:2] == (inode, size) and mtime_ns in (before[2], TIME_UNKNOWN)
        if not (same or (before[0] == inode and before[1] > size)):
            raise self._stale()

    def _pending(self) -> Journal | None:
        """The open journal, if it concerns the file that is open here."""
        site = self._site
        if site.volume.stat(site.journal) is None:
            return None
        try:
            file = site.volume.open(site.journal)
        except MissingFileError:
            return None  # it was closed just now
        try:
            site.check_journal(file, self._file.stat())
            journal = Journal.load(file)
        except BaseException:
            file.close()
            raise
        if _before(journal)[0] != self._inode and _number(journal) > self._pinned:
            file.close()
            return None
        return journal

    def _is_made(self, journal: Journal) -> bool:
        return journal.is_made(self._site.volume.boot_id())

    def _expired(self, number: int) -> SnapshotExpiredError:
        made = f"Operation {number}, made" if number else "What was done without undo"
        return SnapshotExpiredError(
            f"{made} since the version of {self._site.path} that is being read, is not kept (any more), so "
            "that version cannot be read any more.",
            hint="Open the file again; a longer history (Policy.history) keeps versions for longer.",
            path=self._site.path,
            operation=number,
        )

    def _stale(self) -> StaleError:
        return StaleError(
            f"The file {self._site.path} was changed by somebody else, and through insitu, since it was "
            "opened; what it held then cannot be told any more.",
            hint="Open it again.",
            path=self._site.path,
        )

    def close(self) -> None:
        """Closes the journals it reads from."""
        with self._following:
            for layer in self.view.layers:
                layer.close()


def settled(mtime_ns: int, now_ns: int | None = None) -> bool:
    """Whether any change since ``now_ns`` (None: from now on) gives a file of this time another one."""
    tick_ns = _TICK_NS if mtime_ns % _COARSE_UNIT_NS else _COARSE_TICK_NS
    return (time.time_ns() if now_ns is None else now_ns) - mtime_ns > tick_ns


def _harmless(journal: Journal) -> bool:
    """Whether what is pending has not touched the target's bytes yet, or never does."""
    return bool(journal.plan["swaps"]) or undecided(journal)


def _number(journal: Journal) -> int:
    return int(journal.header["operation"])


def _before(journal: Journal) -> State:
    before: dict[str, Any] = journal.header["before"]
    return before["inode"], before["size"], before["mtime_ns"]


def _looking(file: File) -> Callable[[], Seen]:
    """What asks for size and time of a file, as cheaply as can be."""
    try:
        descriptor = file.fileno()
    except UnsupportedError:

        def ask() -> Seen:
            status = file.stat()
            return status.size, status.mtime_ns

        return ask
    fstat = os.fstat

    def look() -> Seen:
        status = fstat(descriptor)
        return status.st_size, status.st_mtime_ns

    return look
