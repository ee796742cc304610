"""What a draft holds and whether it fits the file, without claiming it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any, Literal

from insitu.core.drafted import POOL, state_of
from insitu.core.pieces import Copy
from insitu.core.policy import Policy
from insitu.core.protocols import Reader
from insitu.core.rope import Part
from insitu.core.sequence import Sequence
from insitu.core.spans import Span
from insitu.engine.draft_log import DraftLog
from insitu.engine.drafts import seen
from insitu.engine.session import snapshot
from insitu.engine.site import Site
from insitu.errors import StaleDraftError
from insitu.views.draft_fit import fitted, placed

Standing = Literal["fits", "conflict", "changed"]

# A listing names so many spans, with so many bytes of what each gets.
_LISTED = 20
_LISTED_BYTES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftStatus:
    """What a draft holds, and whether it fits the file."""

    path: str
    standing: Standing
    """``"fits"``: it can be edited and committed; ``"conflict"``: an operation committed since it was saved
    changed the same bytes; ``"changed"``: somebody else changed the file."""
    why: str
    """What is in the way; empty where it fits."""
    generation: str
    """Token of the generation that its edits were saved on."""
    begun: float
    """Seconds since the epoch."""
    places: int
    old_bytes: int
    """How many bytes of the file its edits replace."""
    new_bytes: int
    """How many bytes take their place."""
    stored_bytes: int
    """What keeping it costs on disk."""
    moved: tuple[Span, ...] = ()
    """Where it does not fit: the spans of the file as it was that may not be where they were."""

    def as_dict(self) -> dict[str, Any]:
        """The status as plain values, for programs."""
        return asdict(self)


def status(site: Site, policy: Policy, lock_timeout_s: float) -> DraftStatus:
    """What a file's draft holds, and whether it fits the file.

    Raises:
        MissingDraftError: there is none.
        RecoveryNeededError, JournalDamagedError: it cannot be trusted, or read.
    """
    log, sequence = seen(site)
    standing: Standing = "fits"
    why, moved = "", ()
    with closing(log.file):
        base = snapshot(site, write=False, policy=policy, lock_timeout_s=lock_timeout_s)
        with closing(base):
            try:
                fitted(site, log, sequence, base, None, "history")
            except StaleDraftError as error:
                standing = "conflict" if "operation" in error.facts else "changed"
                why, moved = error.message, tuple(error.facts["moved"])
        splices = list(state_of(sequence))
        return DraftStatus(
            path=site.path,
            standing=standing,
            why=why,
            generation=log.base.generation.token,
            begun=float(log.header["time"]),
            places=len(splices),
            old_bytes=sum(size for _, size, _ in splices),
            new_bytes=sum(part.size for _, _, parts in splices for part in parts),
            stored_bytes=log.size,
            moved=moved,
        )


def listed(site: Site, policy: Policy, lock_timeout_s: float) -> str:
    """What a draft that does not fit the file would do, span by span, bounded in length."""
    log, sequence = seen(site)
    with closing(log.file):
        base = snapshot(site, write=False, policy=policy, lock_timeout_s=lock_timeout_s)
        with closing(base):
            return "".join(_lines(log, sequence, base))


def _lines(log: DraftLog, sequence: Sequence, base: Reader) -> Iterator[str]:
    places = placed(log, sequence, base)
    moved = set(places.moved)
    yield f"--- the file as its draft knew it, {log.base.generation.size:,} bytes\n"
    for number, (start, size, parts) in enumerate(state_of(sequence)):
        if number == _LISTED:
            yield f"... {len(moved) + len(places.intact) - number:,} more places are not shown\n"
            return
        fresh = sum(part.size for part in parts)
        intact = "not what it was" if Span(start, start + size) in moved else "as it was"
        yield f"@@ byte {start:,}, {size:,} bytes -> {fresh:,} bytes; around it, the file is {intact} @@\n"
        text = b"".join(_shown(log, part) for part in parts)[:_LISTED_BYTES]
        for line in text.decode("utf-8", "backslashreplace").splitlines():
            yield f"+{line}\n"


def _shown(log: DraftLog, part: Part) -> bytes:
    """The first bytes of a part, where they are in the draft."""
    if isinstance(part, Copy) and part.source == POOL:
        return log.pool.read(part.span.start, min(part.size, _LISTED_BYTES))
    return b"..."
