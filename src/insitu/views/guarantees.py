"""Which promises hold on a disk, and why not where they do not: what ``doctor`` tells people."""

from __future__ import annotations

from typing import Final

from insitu.core.facts import Facts
from insitu.engine.lease import Outcome

HOLDS: Final = "holds"


def guarantees(
    facts: Facts, *, locks: bool, links: int = 1, mounted: bool = False, lease: Outcome = "held"
) -> dict[str, str]:
    """By promise, ``"holds"`` or the reason why it does not, or not wholly.

    Args:
        locks: whether locks work here.
        links: how many names the file has.
        mounted: whether the file is mounted over its path by itself, as containers do.
        lease: whether a lease is granted.
    """
    return {
        "old or new after a crash": HOLDS,
        "returned means durable": _durable(facts),
        "one writer at a time": HOLDS
        if locks
        else "no: locks do not work here, so that writing is refused unless the policy says unlocked",
        "any reader sees old or new": _atomic(facts, links, mounted),
        "programs outside insitu wait for short edits": _waiting(lease),
        "a half-done file moved away is noticed": HOLDS
        if facts.marks
        else "no: there are no user attributes here to mark the file with",
        "a full disk strikes while the file is old": _space(facts),
        "holes stay holes": HOLDS if facts.punch else "no: holes cannot be punched here, zeros are written",
        "rewriting copies only what changes": HOLDS
        if facts.clone
        else "no: ranges cannot be cloned here, so that a rewrite copies the whole file",
    }


def _durable(facts: Facts) -> str:
    if not facts.folder_sync:
        return "not over a power cut: folders cannot be synced here, so that new names may be lost"
    return f"{HOLDS}, unless the disk reports flushes that it has not made: that cannot be seen from here"


def _atomic(facts: Facts, links: int, mounted: bool) -> str:
    if links > 1:
        return f"no: the file has {links} names, and can only be edited in place"
    if mounted:
        return "no: the file is a mount point, and can only be edited in place"
    return f'{HOLDS} with visibility="atomic"; readers outside insitu may see a mixture otherwise'


def _waiting(lease: Outcome) -> str:
    if lease == "not supported":
        return "no: there are no leases here, so that they may see an edit in place half made"
    if lease == "not allowed":
        return "no: the file is another user's, and leases on those need CAP_LEASE"
    if lease == "in use":
        return "not now: the file is open elsewhere, and who has it open may see an edit in place half made"
    return f"{HOLDS} where no other program has the file open when the edit begins"


def _space(facts: Facts) -> str:
    if facts.overwrite_allocates:
        return "not always: overwriting takes new space here; the edit is then rolled back"
    if not facts.reserve:
        return "not always: space cannot be set aside here; the edit is then rolled back"
    return HOLDS
