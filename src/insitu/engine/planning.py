"""The choice of a plan for an open file: what the file system and the file itself leave to choose from."""

from __future__ import annotations

from insitu.core.columns import Splices
from insitu.core.plan import Choice, Target
from insitu.core.policy import Policy
from insitu.engine.pools import PAYLOAD_BYTES
from insitu.engine.site import Site
from insitu.planners.choose import choose
from insitu.storage.base import File


def plan_for(site: Site, target: File, splices: Splices, policy: Policy) -> Choice:
    """The plan for a patch of an open target."""
    status = target.stat()
    info = Target(
        links=status.links,
        dense_from=_dense_from(target, splices.summary.first, status.size),
        swappable=not site.mounted(),
        history=policy.history > 0,
    )
    return choose(splices, site.facts(), policy, info)


def _dense_from(target: File, first: int, size: int) -> int:
    """An offset from which on the file has no hole, not after ``first`` if there is none behind it."""
    start = max(0, first - PAYLOAD_BYTES)
    return start if size == 0 or target.next_hole(start) >= size else size
