"""Sessions: how documents and verbs get at a file, for reading or for one commit."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from types import MappingProxyType

from insitu.core.policy import Policy
from insitu.core.protocols import Cancel
from insitu.engine.history import last, state_before
from insitu.engine.lock import PAUSE_MAX_S, PAUSE_MIN_S, OutOfOrderError, Place, locked, place_of
from insitu.engine.recover import pending, placed, recover
from insitu.engine.site import Site
from insitu.engine.snapshot import Generation, Snapshot
from insitu.engine.trail import Trail
from insitu.errors import MissingFileError, RecoveryNeededError, StaleError, UndoError, UnsupportedError
from insitu.storage.base import File


@dataclass(slots=True)
class Held:
    """A target that is open for writing, locked and whole."""

    target: File
    lock_wait_s: float
    _swapped_in: list[File] = field(default_factory=list)

    def go_on_with(self, site: Site, new: File) -> None:
        """Makes a new file, which was swapped in and is locked, the target from now on.

        Nobody gets in between: who has committed never has to wait in order to go on.
        """
        new.renamed(site.path)
        self._swapped_in.append(new)
        self.target = new

    def close(self) -> None:
        """Closes what was swapped in; what was locked first is its opener's to close."""
        for file in self._swapped_in:
            file.close()


@contextmanager
def writing(
    site: Site,
    policy: Policy,
    lock_timeout_s: float,
    cancel: Cancel | None = None,
    *,
    above: Place | None = None,
    opened: File | None = None,
) -> Iterator[Held]:
    """Locks a target and finishes what a crash left in it; ``above`` and ``opened`` as for ``locked``."""
    while True:
        with locked(
            site,
            timeout_s=lock_timeout_s,
            unlocked=policy.unlocked,
            cancel=cancel,
            above=above,
            opened=opened,
        ) as (target, waited_s):
            recover(site, target)
            if place_of(site.status()) == place_of(target.stat()):
                with closing(Held(target, waited_s)) as held:
                    yield held
                return
        # Recovery finished a swap: the file to hold is the one swapped in.


@contextmanager
def writing_all(
    sites: Sequence[Site],
    policy: Policy,
    lock_timeout_s: float,
    cancel: Cancel | None = None,
    opened: Mapping[str, File] = MappingProxyType({}),
) -> Iterator[list[tuple[int, Held]]]:
    """Locks several targets in one order for everybody, so that transactions queue and never deadlock.

    Args:
        opened: openings for writing that are there already, by path, as for ``locked``.

    Yields:
        The targets with their places in ``sites``, in the order they were locked in.

    Raises:
        StaleError: two paths have come to name one file.
    """
    until = time.monotonic() + lock_timeout_s
    stack = None
    while stack is None:
        with suppress(OutOfOrderError):
            stack, held = _held_in_order(sites, policy, until, cancel, opened)
    with stack:
        yield held


def _held_in_order(
    sites: Sequence[Site], policy: Policy, until: float, cancel: Cancel | None, opened: Mapping[str, File]
) -> tuple[ExitStack, list[tuple[int, Held]]]:
    """Tries once: a swap may change a file's place in the order while another one is waited for."""
    places = [place_of(site.status()) for site in sites]
    if len(set(places)) < len(places):
        raise StaleError(
            "Two files of the transaction have become one since they were opened; nothing was changed.",
            hint="Open them again.",
            paths=[site.path for site in sites],
        )
    held: list[tuple[int, Held]] = []
    highest: Place | None = None
    with ExitStack() as stack:
        for index in sorted(range(len(sites)), key=places.__getitem__):
            site, left_s = sites[index], max(0.0, until - time.monotonic())
            there = opened.get(site.path)
            one = stack.enter_context(writing(site, policy, left_s, cancel, above=highest, opened=there))
            held.append((index, one))
            place = place_of(one.target.stat())
            highest = place if highest is None else max(highest, place)
        return stack.pop_all(), held
    raise AssertionError


def snapshot(site: Site, *, write: bool, policy: Policy, lock_timeout_s: float) -> Snapshot:
    """Opens a file for reading, after finishing what a crash left in it.

    Args:
        write: whether this opening may write, and so recover.
        lock_timeout_s: how long a commit under way is waited for, now and when the snapshot is read.

    Raises:
        RecoveryNeededError: a commit is half-done and this opening may not finish it.
    """
    return _opened(site, None, write=write, policy=policy, lock_timeout_s=lock_timeout_s)


def past(site: Site, number: int, *, policy: Policy, lock_timeout_s: float) -> Snapshot:
    """Opens a file, only for reading, as operation ``number`` left it; 0 is the original.

    Raises:
        UndoError: there was no such operation, or not all that were made since are kept.
        StaleError: somebody else changed the file since.
        RecoveryNeededError: as ``snapshot``.
    """
    return _opened(site, number, write=False, policy=policy, lock_timeout_s=lock_timeout_s)


def _opened(
    site: Site, version: int | None, *, write: bool, policy: Policy, lock_timeout_s: float
) -> Snapshot:
    until = time.monotonic() + lock_timeout_s
    while True:
        file = site.open(write=write)
        try:
            if _half_done(site, file):
                if write:
                    with writing(site, policy, max(0.0, until - time.monotonic())):
                        pass
                else:
                    _wait_for(site, until)
            elif (found := _version(site, file, version, lock_timeout_s)) is not None:
                return found
        except BaseException:
            file.close()
            raise
        file.close()


def _half_done(site: Site, file: File) -> bool:
    """Whether a commit is under way, or was interrupted, that is not in place yet."""
    if not pending(site):
        return file.mark() is not None
    try:
        return not placed(site)
    except MissingFileError:
        return True  # it was closed just now, or was it: whoever asks looks again


def _wait_for(site: Site, until: float) -> None:
    """Waits for a commit under way, of which the lock tells.

    Raises:
        RecoveryNeededError: nobody is at it, or it went on for too long.
    """
    pause_s = PAUSE_MIN_S
    while True:
        with closing(site.open()) as probe:
            if not _half_done(site, probe):
                return
            idle = time.monotonic() >= until
            with suppress(UnsupportedError):
                idle = idle or probe.lock()
            if idle and _half_done(site, probe):
                raise _reported(site)
        time.sleep(random.uniform(0, pause_s))
        pause_s = min(2 * pause_s, PAUSE_MAX_S)


def _version(site: Site, file: File, version: int | None, wait_s: float) -> Snapshot | None:
    """The snapshot of a file, or of a version before; None where a commit came in between."""
    number, salt = last(site)
    now = Generation.of(file.stat(), number)
    # Asked for again when none is under way: one that was at the first look has left its last trace by then.
    if _half_done(site, file) or generation(site, file) != now or site.status().inode != now.inode:
        return None
    if version is None or version == number:
        state = (now.inode, now.size, now.mtime_ns)
        return Snapshot(file, now, Trail(site, file, number, state, number, wait_s, salt=salt))
    if not 0 <= version <= number:
        raise UndoError(
            f"Operation {version} of {site.path} was never made.",
            hint=f"The last one is {number}; 0 is the original.",
            operation=version,
        )
    inode, size, mtime_ns = state = state_before(site, version + 1)
    trail = Trail(site, file, version, state, number, wait_s)
    return Snapshot(file, Generation(inode, version, size, mtime_ns), trail)


def generation(site: Site, file: File) -> Generation:
    """The generation of an open file, a commit that only waits to be synced included."""
    return Generation.of(file.stat(), last(site)[0])


def _reported(site: Site) -> RecoveryNeededError:
    return RecoveryNeededError(
        f"A commit of {site.path} is under way or was interrupted, and this opening may only read.",
        hint="Try again in a moment; if no program is editing the file, run: insitu recover FILE",
        path=site.path,
    )
