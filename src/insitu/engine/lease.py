"""The lease: while a short in-place plan runs, programs that know nothing of insitu wait to open the file.

It is taken before the journal is complete, so that policy can still decide otherwise, and given back when
the file is new. A process that is killed loses it, and the file is then as recovery finds it.
"""

from __future__ import annotations

import time
from typing import Final, Literal

from insitu.core.plan import Plan
from insitu.core.policy import Policy
from insitu.errors import InsituError, LockedError, NoPlanError, UnsupportedError
from insitu.storage import base
from insitu.storage.base import File

Outcome = base.Lease | Literal["broken", "not supported", "not needed"]

# Others that only look whether they can have the lock have the file open for microseconds.
_PAUSES_S: Final = (0.0, 0.001, 0.005, 0.02)

_REASONS: Final[dict[Outcome, str]] = {
    "in use": "another program, or another document of this one, has the file open",
    "not allowed": "the file is another user's (that needs CAP_LEASE)",
    "not supported": "there are no leases here",
    "too long": "the edit takes too long to keep them waiting",
}


class Lease:
    """A write lease on a target, for as long as one commit takes.

    Attributes:
        outcome: how it went, as ``Receipt.lease`` tells.
    """

    def __init__(self, target: File) -> None:
        self.outcome: Outcome = "not needed"
        self._target = target
        self._held = False

    def take(self, plan: Plan, policy: Policy) -> bool:
        """Whether the plan is to run: a lease is held, not needed, or by policy not insisted on."""
        if plan.swaps:
            return True
        self.outcome = self._asked_for(plan)
        if policy.unleased != "proceed":
            for pause_s in _PAUSES_S:
                if self.outcome != "in use":
                    break
                time.sleep(pause_s)
                self.outcome = self._asked_for(plan)
        self._held = self.outcome == "held"
        return self._held or policy.unleased == "proceed"

    def _asked_for(self, plan: Plan) -> Outcome:
        if not plan.brief:
            return "too long"
        try:
            return self._target.lease(plan.cost.seconds_at_worst())
        except UnsupportedError:
            return "not supported"

    def refused(self, path: str) -> InsituError:
        """The error where policy insists on a lease and none was granted."""
        message = (
            f"Programs that know nothing of insitu cannot be kept waiting while {path} is edited: "
            f"{_REASONS[self.outcome]}. The file is unchanged."
        )
        kind = LockedError if self.outcome == "in use" else NoPlanError
        return kind(
            message,
            hint="Close it there and try again, write a new file (--unleased rewrite), or let them see the "
            "edit half made (--unleased proceed).",
            path=path,
            lease=self.outcome,
        )

    def release(self) -> Outcome:
        """Gives it back, if it is held; how it went in all."""
        held, self._held = self._held, False
        if held and not self._target.release():
            self.outcome = "broken"
        return self.outcome
