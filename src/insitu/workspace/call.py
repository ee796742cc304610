"""One call of a tool: who made it, how long it may take, and how it is told of progress or called off."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from insitu.workspace.audit import Attempt, Change, Client

__all__ = ["Call", "Client"]

SECONDS_MAX: Final = 20.0
"""Clients give up after 60 seconds by default (typescript-sdk#849); a scan ends well before and can go on."""

PYTHON: Final = Client("python")


@dataclass
class Call:
    """What a tool may know of the call it serves.

    Args:
        client: who calls.
        seconds: how long scans may take before they stop and say where to go on.
        cancelled: asked between windows of long work, before the commit point.
        progress: told (bytes done, bytes in all).
        attempt: the call's entry in the audit log; None where there is no log.
    """

    client: Client = PYTHON
    seconds: float = SECONDS_MAX
    cancelled: Callable[[], bool] = lambda: False
    progress: Callable[[int, int], None] | None = None
    attempt: Attempt | None = None
    began: float = field(default_factory=time.monotonic)

    def intend(self, changes: Sequence[Change] = (), **facts: Any) -> None:
        """Puts on record, durably and where there is a log, what is about to be written.

        Raises:
            AuditError, LockedError: as ``Attempt.intend``: do not write.
        """
        if self.attempt is not None:
            self.attempt.intend(changes, **facts)

    def note(self, **facts: Any) -> None:
        """Adds what became known to the record, where there is a log; facts as of ``Attempt.note``."""
        if self.attempt is not None:
            self.attempt.note(**facts)

    def late(self) -> bool:
        """Whether the time for scans is up."""
        return time.monotonic() - self.began > self.seconds

    def stop(self) -> bool:
        """Whether work that can go on later should end now: cancelled, or late."""
        return self.cancelled() or self.late()
