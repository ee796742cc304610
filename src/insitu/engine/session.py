"""Sessions: how documents and verbs get at a file, for reading or for one commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from insitu.core.policy import Policy
from insitu.core.protocols import Cancel
from insitu.engine.history import next_number
from insitu.engine.lock import locked
from insitu.engine.recover import pending, placed, recover
from insitu.engine.site import Site
from insitu.engine.snapshot import Generation, Snapshot
from insitu.errors import RecoveryNeededError
from insitu.storage.base import File


class Held(NamedTuple):
    """A target that is open for writing, locked and whole."""

    target: File
    lock_wait_s: float


@contextmanager
def writing(
    site: Site, policy: Policy, lock_timeout_s: float, cancel: Cancel | None = None
) -> Iterator[Held]:
    """Locks a target and finishes what a crash left in it."""
    with locked(site, timeout_s=lock_timeout_s, unlocked=policy.unlocked, cancel=cancel) as (
        target,
        waited_s,
    ):
        recover(site, target)
        yield Held(target, waited_s)


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
