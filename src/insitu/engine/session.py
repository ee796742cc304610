"""Sessions: how documents and verbs get at a file, for reading or for one commit."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple

from insitu.core.policy import Policy
from insitu.core.protocols import Cancel
from insitu.engine.history import next_number
from insitu.engine.lock import OutOfOrderError, Place, locked, place_of
from insitu.engine.recover import pending, placed, recover
from insitu.engine.site import Site
from insitu.engine.snapshot import Generation, Snapshot
from insitu.errors import RecoveryNeededError, StaleError
from insitu.storage.base import File


class Held(NamedTuple):
    """A target that is open for writing, locked and whole."""

    target: File
    lock_wait_s: float


@contextmanager
def writing(
    site: Site,
    policy: Policy,
    lock_timeout_s: float,
    cancel: Cancel | None = None,
    *,
    above: Place | None = None,
) -> Iterator[Held]:
    """Locks a target and finishes what a crash left in it; ``above`` as for ``locked``."""
    while True:
        with locked(site, timeout_s=lock_timeout_s, unlocked=policy.unlocked, cancel=cancel, above=above) as (
            target,
            waited_s,
        ):
            recover(site, target)
            if place_of(site.status()) == place_of(target.stat()):
                yield Held(target, waited_s)
                return
        # Recovery finished a swap: the file to hold is the one swapped in.


@contextmanager
def writing_all(
    sites: Sequence[Site], policy: Policy, lock_timeout_s: float, cancel: Cancel | None = None
) -> Iterator[list[tuple[int, Held]]]:
    """Locks several targets in one order for everybody, so that transactions queue and never deadlock.

    Yields:
        The targets with their places in ``sites``, in the order they were locked in.

    Raises:
        StaleError: two paths have come to name one file.
    """
    until = time.monotonic() + lock_timeout_s
    stack = None
    while stack is None:
        with suppress(OutOfOrderError):
            stack, held = _held_in_order(sites, policy, until, cancel)
    with stack:
        yield held


def _held_in_order(
    sites: Sequence[Site], policy: Policy, until: float, cancel: Cancel | None
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
            left_s = max(0.0, until - time.monotonic())
            one = stack.enter_context(writing(sites[index], policy, left_s, cancel, above=highest))
            held.append((index, one))
            place = place_of(one.target.stat())
            highest = place if highest is None else max(highest, place)
        return stack.pop_all(), held
    raise AssertionError


def snapshot(site: Site, *, write: bool, policy: Policy, lock_timeout_s: float) -> Snapshot:
    """Opens a file for reading, after finishing what a crash left in it.

    Args:
        write: whether this opening may write, and so recover.

    Raises:
        RecoveryNeededError: a commit is half-done and this opening may not finish it.
    """
    file = site.open(write=write)
    try:
        half_done = not placed(site) if pending(site) else file.mark() is not None
        if half_done:
            file.close()
            if not write:
                raise _reported(site)
            with writing(site, policy, lock_timeout_s):
                pass
            file = site.open(write=write)
        return Snapshot(file, generation(site, file))
    except BaseException:
        file.close()
        raise


def generation(site: Site, file: File) -> Generation:
    """The generation of an open file, a commit that only waits to be synced included."""
    return Generation.of(file.stat(), next_number(site) - 1 + pending(site))


def _reported(site: Site) -> RecoveryNeededError:
    return RecoveryNeededError(
        f"A commit of {site.path} is under way or was interrupted, and this opening may only read.",
        hint="Try again in a moment; if no program is editing the file, run: insitu recover FILE",
        path=site.path,
    )
