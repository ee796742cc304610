"""A draft under a document: its pending edits, and what makes those since the last save durable."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final, Literal

from insitu.core.drafted import Columns, edges_of, state_of
from insitu.core.pieces import Copy
from insitu.core.policy import Policy
from insitu.core.protocols import Reader
from insitu.core.sequence import Exchange, Sequence
from insitu.engine.draft_log import Base, DraftLog
from insitu.engine.drafts import Claim, claim, seen, stands
from insitu.engine.pools import JournalPool
from insitu.engine.session import generation
from insitu.engine.site import Site
from insitu.engine.snapshot import Snapshot
from insitu.errors import SnapshotExpiredError, StaleDraftError, StaleError, StorageError
from insitu.storage.base import File
from insitu.views.draft_fit import around_many, fitted
from insitu.views.draft_pool import DraftPool, packed

Drafting = Literal["history", "surroundings"]
"""What has to lead from the file as the draft knew it to the file as it is: insitu's history; or else, where
somebody else changed the file, the same bytes around every edit."""

# A log is compacted when it is so many times as large as what it has to hold, and at least so large.
COMPACT_TIMES: Final = 4
COMPACT_BYTES: Final = 1 << 20

# A draft of so few parts is saved as a whole: it fits into the atom that a save takes anyway.
FEW_PARTS: Final = 64

# What a part costs in the log: its columns, and its share of those of its splice.
_PART_BYTES: Final = 40


class Draft:
    """The draft of one file, for one document; a ``Keeper`` of what is edited.

    Args:
        read_only: shows the draft as it was saved last; else it is claimed, and begun where there is none.
        fit: see ``Drafting``.
    """

    def __init__(
        self, site: Site, policy: Policy, lock_timeout_s: float, *, read_only: bool, fit: Drafting
    ) -> None:
        self._site = site
        self._policy = policy
        self._lock_timeout_s = lock_timeout_s
        self._read_only = read_only
        self._fit: Drafting = fit
        self._claim: Claim | None = None
        self._seen: DraftLog | None = None
        self._committed = False
        self._saved = False
        self._exchanges: list[Exchange] = []
        self._edges: dict[int, None] = {}
        self._base: Snapshot
        self._sequence: Sequence
        self._moved = self._whole = False
        self.pool: DraftPool

    @property
    def id(self) -> str:
        """Names it in the journal of its commit; empty where nothing was saved since the last."""
        return self._claim.log.id if self._claim else ""

    def start(
        self, take: Callable[[], Snapshot], open_source: Callable[[str], Reader]
    ) -> tuple[Snapshot, Sequence]:
        """What was saved, over the file as it is now.

        Args:
            take: takes a snapshot.

        Raises:
            MissingDraftError: there is none, and it is only to be read.
            StaleDraftError: the file was changed so that the draft does not fit it any more.
            LockedError: somebody else edits it.
        """
        while True:
            log, sequence = self._load()
            base = take()
            try:
                if log is None or not self._read_only or stands(self._site, log):
                    self._sequence, moved = fitted(self._site, log, sequence, base, self, self._fit)
                    self._begin_saving(moved=moved)
                    break
            except BaseException:
                base.close()
                raise
            base.close()
        self.pool = DraftPool(log.pool if log else JournalPool(_no_log), open_source)
        self._base = base
        return base, self._sequence

    def _begin_saving(self, *, moved: bool) -> None:
        """From here on edits are noted for the next save.

        Args:
            moved: the base is another one than that of the log.
        """
        self._exchanges, self._edges = [], {}
        self._moved = moved
        # What is written as a state is read in a moment; of so few parts it is no longer than an atom.
        self._whole = moved or self._sequence.part_count <= FEW_PARTS

    def _load(self) -> tuple[DraftLog | None, Sequence | None]:
        """The log as it is on the disk, with what was saved; none where it was committed just now."""
        if self._read_only:
            self.close()
            self._seen, sequence = seen(self._site)
            return self._seen, sequence
        if self._claim is None:
            if self._committed:
                return None, None
            self._claim = claim(self._site, self._policy, self._lock_timeout_s, self)
            sequence = self._compacted(self._claim)
        else:
            sequence = self._reloaded(self._claim)
        return self._claim.log, sequence

    def _compacted(self, claim: Claim) -> Sequence:
        """Drops from a log what nothing refers to any more, where that is most of it."""
        if not _bloated(claim.log, _PART_BYTES * claim.sequence.part_count):
            return claim.sequence  # whatever of the pool is still needed
        state = list(state_of(claim.sequence))
        moved, spans = packed(state)
        kept_bytes = sum(span.size for span in spans) + _PART_BYTES * claim.sequence.part_count
        if not _bloated(claim.log, kept_bytes):
            return claim.sequence
        log = claim.log
        pool = DraftPool(log.pool, _no_source)
        claim.rewrite(pool.parts(spans), Columns.of(moved, log.digests), log.base)
        if claim.log is log:
            return claim.sequence
        return self._reloaded(claim)

    def _reloaded(self, claim: Claim) -> Sequence:
        """What the log of a claim holds on the disk."""
        claim.log, sequence = DraftLog.load(self._site.volume, claim.log.file, self._site.draft, self)
        return sequence

    # As a keeper

    def keep(self, piece: bytes | Copy) -> Copy:
        """Puts bytes into the pool."""
        return self.pool.keep(piece)

    def note(self, exchange: Exchange, cut: Callable[[int], int | None]) -> None:
        """Notes an exchange, to be saved, and unless all will be saved anew, where it cuts the base."""
        self._exchanges.append(exchange)
        if self._whole:
            return
        start, size, _ = exchange
        for offset in (start, start + size) if size else (start,):
            if (edge := cut(offset)) is not None:
                self._edges[int(edge)] = None  # NumPy's integers come with mass edits

    # Saving

    def save(self) -> bool:
        """Makes what was done since the last save durable; False where nothing was.

        Raises:
            StaleDraftError: after a commit, somebody else began a draft meanwhile.
            StorageError: the draft is as it was saved last; what was done since is still pending.

        Cost: as much as was done since, and one sync; now and then as much as the whole draft.
        """
        if not self._exchanges:
            return False
        claim = self._claim or self._begun()
        if not claim.stands():
            raise StaleDraftError(
                f"The draft of {self._site.path} was taken away while it was edited; what was done is not "
                "saved.",
                hint="Open the file's draft anew and make the edits there.",
                path=self._site.path,
            )
        log = claim.log
        named = claim.named
        if self._whole:
            log.save(self.pool.fresh(), self._state(log), self._now())
        else:
            digests = self._digests(edge for edge in self._edges if edge not in log.digests)
            log.save(self.pool.fresh(), Columns.of(self._exchanges, digests))
        self._saved = True
        self._begin_saving(moved=False)
        self.pool.settle(log.pool)
        if not named or _bloated(log, self.pool.size + _PART_BYTES * self._sequence.part_count):
            # All of the pool is kept: what was undone may be redone.
            claim.rewrite(self.pool.whole(), self._state(log), self._now())
            self.pool.settle(claim.log.pool)
        if not (named or claim.named):
            raise StorageError(
                f"The draft of {self._site.path} was written anew, and the disk failed to make the new log's "
                "name durable: what was done since is saved, but a power cut may take it back.",
                hint="Look after the disk, then save again after another edit.",
                path=self._site.path,
            )
        return True

    def _begun(self) -> Claim:
        self._claim = claim(self._site, self._policy, self._lock_timeout_s, self)
        if not self._claim.begun:
            self._claim.close()
            self._claim = None
            raise StaleDraftError(
                f"Somebody else began a draft of {self._site.path} since ours was committed; "
                "what was done since is not saved.",
                hint="Commit it, or open the file's draft anew and make the edits there.",
                path=self._site.path,
            )
        # What it was begun on need not be what this document shows.
        self._moved = self._whole = True
        return self._claim

    def _now(self) -> Base:
        return Base(self._base.generation, self._site.volume.boot_id())

    def _state(self, log: DraftLog) -> Columns:
        state = list(state_of(self._sequence))
        known = {} if self._moved else log.digests
        edges = list(edges_of(state))
        digests = self._digests(edge for edge in edges if edge not in known)
        digests.update((edge, known[edge]) for edge in edges if edge in known)
        return Columns.of(state, digests)

    def _digests(self, edges: Iterable[int]) -> dict[int, int]:
        """Of what the base holds around some places; a place that cannot be read any more has none."""
        found: dict[int, int] = {}
        with suppress(StaleError, SnapshotExpiredError):
            found.update(around_many(self._base, edges))
        return found

    # Ending

    def attempt(self, target: File) -> None:
        """Notes that a commit to a locked target is begun."""
        if self._claim is not None:
            on = Base(generation(self._site, target), self._site.volume.boot_id())
            self._claim.log.note_attempt(on)

    def committed(self) -> None:
        """Ends the claim: the draft was removed with its commit. The next save begins another one."""
        self._committed = True
        self.close()

    def drop(self) -> None:
        """Removes the draft."""
        if self._claim is not None:
            self._claim.drop()
            self._claim = None
        self._committed = True

    def close(self) -> None:
        """Lets others have the draft; one that was begun here, and never saved to, is removed."""
        if self._seen is not None:
            self._seen.file.close()
            self._seen = None
        if self._claim is not None:
            mine, self._claim = self._claim, None
            if mine.begun and not self._saved and not self._committed:
                mine.drop()
            mine.close()


def _bloated(log: DraftLog, kept_bytes: int) -> bool:
    return log.size > max(COMPACT_BYTES, COMPACT_TIMES * kept_bytes)


def _no_source(path: str) -> Reader:
    raise AssertionError(path)


def _no_log(offset: int) -> bytes:
    raise AssertionError(offset)
