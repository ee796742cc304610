"""The life of a draft: begun, claimed by the one who edits it, read by all, compacted, dropped.

Whoever edits a draft holds the lock on its log, from opening it on, so that no edit is lost to another's.
It is taken before the target's lock, never after. The log's name changes hands only under the target's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace

from insitu.core.drafted import Columns
from insitu.core.policy import Policy
from insitu.core.records import State
from insitu.core.sequence import Keeper, Sequence
from insitu.engine.draft_log import Base, DraftLog
from insitu.engine.journal import Journal
from insitu.engine.lock import locked, place_of
from insitu.engine.medium import blaming_the_medium
from insitu.engine.recover import pending
from insitu.engine.session import generation, writing
from insitu.engine.site import Site
from insitu.errors import InsituError, LockedError, MissingDraftError, MissingFileError, StorageError
from insitu.storage.base import File


@dataclass(slots=True)
class Claim:
    """A draft that nobody else can change until it is closed.

    Attributes:
        sequence: the edits saved, for whoever claims it to go on with.
        begun: whether there was no draft before.
        named: whether a power cut cannot take the log's name back: then what is saved to it is safe.
    """

    site: Site
    policy: Policy
    lock_timeout_s: float
    log: DraftLog
    sequence: Sequence
    begun: bool
    _open: ExitStack
    named: bool = True

    def stands(self) -> bool:
        """Whether what is claimed is still the file's draft; nobody else removes it but by hand."""
        now, held = self.site.volume.stat(self.site.draft), self.log.file.stat()
        return now is not None and place_of(now) == place_of(held)

    def rewrite(self, pool: Iterable[bytes], columns: Columns, base: Base) -> None:
        """Replaces the log by one that holds nothing but this state, durably.

        Not while the file is being committed to, nor on a disk that does not want to: ``log`` stays then.

        Crash: the draft is as it was saved last, or this state.
        """
        with suppress(LockedError, StorageError), blaming_the_medium(), writing(self.site, self.policy, 0):
            site, volume = self.site, self.site.volume
            log = DraftLog.create(volume, site.new_draft, self.log.salt, self.log.header)
            try:
                log.save(pool, columns, base)
                if self.log.attempt is not None:
                    log.note_attempt(self.log.attempt)
                log.file.lock()
                volume.rename(site.new_draft, site.draft)
            except BaseException:
                log.file.close()
                volume.remove(site.new_draft)
                raise
            self._open.callback(log.file.close)
            self.log, self.named, log.path = log, False, site.draft
            volume.sync_folder(site.state)
            self.named = True

    def drop(self) -> None:
        """Removes the draft, durably; the claim ends."""
        with self._open, writing(self.site, self.policy, self.lock_timeout_s):
            _remove(self.site)

    def close(self) -> None:
        """Lets others have it."""
        self._open.close()


def begin(site: Site, policy: Policy, lock_timeout_s: float) -> bool:
    """Makes an empty draft of the file as it is now, durably; False where there is a draft already."""
    volume = site.volume
    with writing(site, policy, lock_timeout_s) as held:
        if volume.stat(site.draft) is not None:
            return False
        site.prepare(held.target.stat())
        header = {"version": 1, "atom_bytes": site.facts().atom_bytes, "time": time.time()}
        base = Base(generation(site, held.target), volume.boot_id())
        try:
            log = DraftLog.create(volume, site.new_draft, int.from_bytes(os.urandom(8), "little"), header)
            try:
                log.save((), Columns.of((), {}), base)
            finally:
                log.file.close()
            volume.rename(site.new_draft, site.draft)
            with blaming_the_medium():
                volume.sync_folder(site.state)
        except BaseException:
            with suppress(InsituError):  # where even this fails, whoever begins a draft next does it
                volume.remove(site.new_draft)
                site.tidy()
            raise
    return True


def claim(site: Site, policy: Policy, lock_timeout_s: float, keeper: Keeper) -> Claim:
    """Locks a file's draft, which is begun where there is none.

    Raises:
        LockedError: somebody else edits it.
        RecoveryNeededError, JournalDamagedError: it cannot be trusted, or read.
    """
    until = time.monotonic() + lock_timeout_s
    begun = False
    while True:
        left_s = max(0.0, until - time.monotonic())
        if site.volume.stat(site.draft) is None:
            begun = begin(site, policy, left_s)
        with ExitStack() as stack, suppress(MissingFileError):
            file = _locked(site, policy, left_s, stack)
            if pending(site):
                # It may be the commit of this very draft that a crash, or a fast commit, left to be finished.
                with writing(site, policy, left_s):
                    pass
                if site.volume.stat(site.draft) is None:
                    continue
            checked(site, file)
            log, sequence = DraftLog.load(site.volume, file, site.draft, keeper)
            if not begun:
                # What is read may be in the page cache alone: who saved it was killed before it was synced.
                with blaming_the_medium():
                    file.sync()
                    site.volume.sync_folder(site.state)
            return Claim(site, policy, lock_timeout_s, log, sequence, begun, stack.pop_all())
        site.status()  # it is the draft that is missing, and not the file


def _locked(site: Site, policy: Policy, left_s: float, stack: ExitStack) -> File:
    try:
        at_draft = locked(replace(site, path=site.draft), timeout_s=left_s, unlocked=policy.unlocked)
        return stack.enter_context(at_draft)[0]
    except LockedError as error:
        who = f" by process {error.facts['pid']}" if "pid" in error.facts else ""
        raise LockedError(
            f"The draft of {site.path} was being edited{who} for all of {error.facts['waited_s']:.1f} s.",
            hint="Try again, wait longer (--lock-timeout), or end the process that holds it.",
            **{**error.facts, "path": site.path},
        ) from error


def checked(site: Site, file: File) -> None:
    """Refuses a draft's log that somebody else could have planted.

    Raises:
        RecoveryNeededError: it is foreign, linked elsewhere, or others may write to it or its folder.
    """
    target = site.status()
    site.trusted(target)
    site.check_journal(file, target, "draft")


def seen(site: Site) -> tuple[DraftLog, Sequence]:
    """A file's draft as it was saved last, for reading; its file is the caller's to close.

    Raises:
        MissingDraftError: there is none.
        RecoveryNeededError, JournalDamagedError: it cannot be trusted, or read.
    """
    try:
        file = site.volume.open(site.draft)
    except MissingFileError as error:
        raise missing(site) from error
    try:
        checked(site, file)
        return DraftLog.load(site.volume, file, site.draft, None)
    except BaseException:
        file.close()
        raise


def stands(site: Site, log: DraftLog) -> bool:
    """Whether a draft that was read is still the file's draft; else whoever asks looks again.

    Raises:
        MissingDraftError: it was committed fast, and is there only until that is made durable.
    """
    with suppress(MissingFileError):
        if pending(site):
            file = site.volume.open(site.journal)
            try:
                journal = Journal.load(file)
            finally:
                file.close()
            if journal.plan.get("draft") == log.id:
                if journal.progress.state is State.PLACED:
                    raise missing(site)
                return False
        now, held = site.volume.stat(site.draft), log.file.stat()
        return now is not None and place_of(now) == place_of(held)
    return False  # the journal was closed just now


def drop(site: Site, policy: Policy, lock_timeout_s: float) -> None:
    """Removes a file's draft, durably, whatever state it is in.

    Raises:
        MissingDraftError: there is none.
        LockedError: somebody edits it.
    """
    with ExitStack() as stack:
        try:
            _locked(site, policy, lock_timeout_s, stack)
        except MissingFileError as error:  # there was none, or none any more when its lock was to be had
            raise missing(site) from error
        stack.enter_context(writing(site, policy, lock_timeout_s))
        _remove(site)


def _remove(site: Site) -> None:
    site.volume.remove(site.draft)
    with blaming_the_medium():
        site.volume.sync_folder(site.state)
        site.tidy()


def missing(site: Site) -> MissingDraftError:
    """The error for a file without a draft."""
    return MissingDraftError(
        f"There is no draft of {site.path}.", hint="Begin one with: insitu draft start FILE", path=site.path
    )
