"""What a commit says it did."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from insitu.engine.lease import Outcome
from insitu.engine.snapshot import Generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a commit did."""

    operation: int
    """The operation's number in the file's history; 0 where nothing changed."""
    before: Generation
    after: Generation
    plan: str
    """Planner and form, as ``overwrite/atoms``."""
    splices: int
    size_before: int
    size_after: int
    bytes_read: int
    bytes_written: int
    seconds: float
    lock_wait_s: float
    rebased_over: tuple[int, ...] = ()
    """Operations of others, committed since the document was opened, that this one was moved past."""
    lease: Outcome = "not needed"
    """Whether programs that know nothing of insitu could see old or new only while an in-place plan ran:
    ``"held"``, they waited; ``"broken"``, the platform let them in before the end; or why they were not kept
    waiting: ``"in use"``, ``"not allowed"``, ``"too long"``, ``"not supported"``. ``"not needed"``: nothing
    was changed, or by a swap. What was refused and then made by a swap has its reason."""
    padding_bytes: int = 0
    """Bytes without meaning that were added so that the size changes by whole blocks (``padding=True``)."""

    def as_dict(self) -> dict[str, object]:
        """The receipt as plain values, for programs."""
        values = asdict(self)
        return {**values, "before": self.before.token, "after": self.after.token}
