"""The commit: from an unsealed journal to a closed operation, in the one order that survives a crash.

Before the commit point every failure leaves the old file and no trace. After it, in place, a failed write
is rolled back while everything overwritten is saved; a failed sync, or a failure while data is being
moved, leaves the journal for recovery, which goes forward (docs/journal.md).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from insitu.core.check import check
from insitu.core.plan import Choice, Plan
from insitu.core.policy import Policy
from insitu.core.protocols import Cancel, Progress
from insitu.core.records import State
from insitu.core.spans import Span
from insitu.engine.execute import Executor
from insitu.engine.history import last, next_number, replaced, retain
from insitu.engine.journal import Journal
from insitu.engine.lease import Lease
from insitu.engine.medium import blaming_the_medium
from insitu.engine.planning import plan_for
from insitu.engine.pools import PAYLOAD_BYTES, Repeat
from insitu.engine.receipt import Receipt
from insitu.engine.recover import retire, roll_back
from insitu.engine.site import Site
from insitu.engine.snapshot import Generation
from insitu.errors import CancelledError, LimitError, StaleError, StorageError, SyncError
from insitu.storage.base import File, Stat

# How much of the free space the history may take if the policy names no figure.
HISTORY_SHARE = 4


class Commit:
    """One commit to a locked target: splices and their bytes flow into its journal, then it is carried out.

    Args:
        target: open for writing, locked, recovered.
        kind: ``"edit"``, ``"undo"`` or ``"redo"``.
        of: the operation undone or redone.
        keep: takes over the new file of a rewrite, locked, once it is the target; else it is closed.
        draft: id of the file's draft, where that is what is committed; it is removed with the commit (J16).

    Attributes:
        padding_bytes: how many of the new bytes mean nothing; whoever writes them says so.
    """

    def __init__(
        self,
        site: Site,
        target: File,
        policy: Policy,
        *,
        kind: str = "edit",
        of: int = 0,
        draft: str = "",
        lock_wait_s: float = 0.0,
        keep: Callable[[Site, File], None] | None = None,
    ) -> None:
        self.site = site
        self._draft = draft
        self.target = target
        self.policy = policy
        self._began = time.monotonic()
        self._lock_wait_s = lock_wait_s
        self._keep = keep
        self._before = self._seen = target.stat()
        self._lease = Lease(target)
        self.number, follows = next_number(site), last(site)[1]
        self.padding_bytes = 0
        header = {
            "version": 1,
            "operation": self.number,
            "kind": kind,
            "of": of,
            "follows": f"{follows:016x}",
            "identity": target.identity(),
            "before": {
                "size": self._before.size,
                "mtime_ns": self._before.mtime_ns,
                "inode": self._before.inode,
            },
            "boot": site.volume.boot_id(),
            "time": time.time(),
        }
        salt = int.from_bytes(os.urandom(8), "little")
        try:
            site.prepare(self._before)
            site.sweep()
            self.journal = Journal.create(site.volume, site.unsealed, salt, header)
        except StorageError as error:
            if error.file_state == "unknown":
                error.file_state = "old"
            site.tidy()
            raise

    @contextmanager
    def filling(self) -> Iterator[Journal]:
        """Lets the block write splices and their bytes; drops them if it cannot."""
        try:
            yield self.journal
        except BaseException as error:
            self.discard()
            if isinstance(error, StorageError):
                error.file_state = "old"
            raise

    def discard(self) -> None:
        """Drops the journal; the target was not touched."""
        self._lease.release()
        self.journal.close()
        self.site.sweep()
        self.site.tidy()

    def choose(self) -> Choice:
        """The plan that would be carried out."""
        return plan_for(self.site, self.target, self.journal.splices, self.policy)

    def carry_out(
        self,
        *,
        replaced_unit: bytes | None = None,
        rebased_over: tuple[int, ...] = (),
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> Receipt:
        """Carries it out, and closes the journal.

        Args:
            replaced_unit: what every splice replaces, where it is the same for all (search and replace).

        Raises:
            LimitError, NoPlanError, NoSpaceError, CancelledError: before the commit point; old.
            LockedError: by policy, as the file is open elsewhere; old.
            StorageError: see ``file_state``.
        """
        with self.filling():
            plan, kept = self.planned(replaced_unit, cancel)
            run = self._swap if plan.swaps else self._edit_in_place
            commit_point = run(plan, kept, progress)
        try:
            after = commit_point()
        except StorageError as error:
            if error.file_state == "unknown":
                error.file_state = "awaiting recovery"
            raise
        finally:
            self.close()
        return self.receipt(plan, after, rebased_over)

    def close(self) -> None:
        """Closes the journal and lets in whoever waits to open the target."""
        self.journal.close()
        self._lease.release()

    def planned(self, replaced_unit: bytes | None, cancel: Cancel | None) -> tuple[Plan, str]:
        """The plan to carry out, checked, and where what it replaces has been saved for undo."""
        plan = self.choose().plan
        if not self._lease.take(plan, self.policy):
            if self.policy.unleased == "refuse":
                raise self._lease.refused(self.site.path)
            swapping = replace(self.policy, visibility="atomic")
            plan = plan_for(self.site, self.target, self.journal.splices, swapping).plan
        check(plan, self.journal.splices)
        kept = self._save_replaced(plan, replaced_unit)
        if cancel is not None and cancel():
            raise CancelledError(f"Cancelled before the commit point; {self.site.path} is unchanged.")
        return plan, kept

    def receipt(self, plan: Plan, after: Stat, rebased_over: tuple[int, ...]) -> Receipt:
        """What a commit did that left the target as ``after`` says."""
        kept = self.policy.history > 0
        before = Generation.of(self._before, self.number - 1)
        return Receipt(
            operation=self.number,
            before=before,
            after=Generation.of(after, self.number if kept else 0),
            plan=f"{plan.planner}/{plan.form}",
            splices=self.journal.splices.summary.places,
            size_before=self._before.size,
            size_after=after.size,
            bytes_read=plan.cost.read_bytes,
            bytes_written=plan.cost.written_bytes,
            seconds=time.monotonic() - self._began,
            lock_wait_s=self._lock_wait_s,
            rebased_over=rebased_over,
            lease=self._lease.release(),
            padding_bytes=self.padding_bytes,
        )

    def _history_bytes(self) -> int:
        if self.policy.history_bytes is not None:
            return self.policy.history_bytes
        return self.site.facts().free_bytes // HISTORY_SHARE

    def _save_replaced(self, plan: Plan, unit: bytes | None) -> str:
        """Saves what the splices replace, for undo; returns where it is."""
        old_bytes = self.journal.splices.summary.old_bytes
        saved_by_plan = plan.planner == "overwrite"
        if unit and old_bytes and not saved_by_plan:
            # Kept without history, too: it takes no space, and the executor is faster for knowing it.
            self.journal.add_old(Repeat(unit, old_bytes // len(unit)))
            return "pool" if self.policy.history else "none"
        if self.policy.history == 0:
            return "none"
        if old_bytes > self._history_bytes():
            raise LimitError(
                f"Undo would need {old_bytes:,} bytes, and the history may take {self._history_bytes():,}. "
                f"The file {self.site.path} is unchanged.",
                hint="Commit without undo (history=0, --no-undo), or allow more (history_bytes).",
                needed_bytes=old_bytes,
                allowed_bytes=self._history_bytes(),
            )
        if saved_by_plan:
            return "covers"
        if old_bytes:
            for data in replaced(self.journal.splices, self.target):
                self.journal.add_old(data)
        return "pool"

    def _sealed_plan(self, plan: Plan, kept: str, **facts: Any) -> dict[str, Any]:
        return {
            "planner": plan.planner,
            "form": plan.form,
            "layout": plan.layout,
            "swaps": plan.swaps,
            "old": kept,
            "history": self.policy.history > 0,
            **({"draft": self._draft} if self._draft else {}),
            **facts,
        }

    def publish(self, plan: Plan, kept: str, **facts: Any) -> bool:
        """Completes the journal of an in-place plan and gives it its name, which is not durable yet.

        Returns:
            Whether the target is to be marked before its first byte changes (J10).
        """
        site, abilities = self.site, self.site.facts()
        for spans, data in _batches(plan.program.covers(), self.target):
            self.journal.add_covers(spans, data)
        grown = Span(self._before.size, plan.program.result_size + plan.layout.gap_bytes)
        marked = abilities.marks and (plan.moves or self._before.links > 1 or not site.beside)
        self.journal.seal(self._sealed_plan(plan, kept, marked=marked, **facts), plan.layout.atom_bytes)
        self.refuse_if_moved(plan)  # before reserving, which on ext4 moves the time
        if grown.size > 0 and abilities.reserve:
            self._reserve(grown)
            self._seen = self.target.stat()
        site.volume.rename(site.unsealed, site.journal)
        return marked

    def perform(self, plan: Plan, marked: bool, progress: Progress | None, *, sync_last: bool = True) -> None:
        """Runs an in-place plan whose journal is durable."""
        if marked:
            self.target.set_mark(b"%x" % self.journal.salt)  # J10
        sparse = self.site.facts().punch and self.target.next_hole(0) < self._before.size
        executor = Executor(plan, self.journal, self.target, sparse=sparse, intact=True, progress=progress)
        executor.run(sync_last=sync_last)

    def _edit_in_place(self, plan: Plan, kept: str, progress: Progress | None) -> Callable[[], Stat]:
        """Names the durable journal; what is returned passes the commit point and runs the plan."""
        site = self.site
        marked = self.publish(plan, kept)

        def run() -> Stat:
            try:
                with blaming_the_medium():
                    site.volume.sync_folder(site.state)  # J1: from here on recovery runs forward
                    self.perform(plan, marked, progress, sync_last=self.policy.durability == "full")
            except StorageError as error:
                undone = not isinstance(error, SyncError) and self._rolled_back(plan)
                error.file_state = "old" if undone else "awaiting recovery"
                raise
            if self.policy.durability == "fast":
                self.journal.note(State.PLACED, self.journal.progress.segments_done, durable=False)
                # This operation joins the history when its journal is closed.
                retain(site, self.policy.history, self._history_bytes(), waiting=1)
                return self.target.stat()
            return self.retire(self.target)

        return run

    def _rolled_back(self, plan: Plan) -> bool:
        """Whether the target is old again; what failed once may fail again while that is found out."""
        try:
            with blaming_the_medium():
                return roll_back(self.site, self.journal, plan, self.target)
        except StorageError:
            return False

    def retire(self, target: File) -> Stat:
        """Closes the journal; whatever fails now, the edit is made, and recovery closes it again."""
        try:
            with blaming_the_medium():
                after = retire(self.site, self.journal, target)
                retain(self.site, self.policy.history, self._history_bytes())
        except StorageError as error:
            error.file_state = "new"
            self.journal.close()
            raise
        return after

    def _reserve(self, grown: Span) -> None:
        """Allocates what the file grows by, so that a full disk strikes while it is old (J8)."""
        try:
            self.target.reserve(grown)
        except StorageError:
            # Cutting a file to its own size gives back what was allocated behind its end.
            self.target.resize(self._before.size)
            raise

    def build(self, plan: Plan, progress: Progress | None) -> File:
        """Builds the new file of a rewrite: complete, durable and locked (J7)."""
        new = self.site.volume.open(self.site.successor, write=True, create=True)
        try:
            Executor(plan, self.journal, new, source=self.target, progress=progress).build()
            new.take_metadata(self.target)
            new.sync()
            new.lock()
            self.refuse_if_moved(plan)
        except BaseException:
            new.close()
            raise
        return new

    def publish_swap(self, plan: Plan, kept: str, new: File, **facts: Any) -> None:
        """Completes the journal of a rewrite and makes it durable under its name."""
        sealed = self._sealed_plan(plan, kept, marked=False, successor=new.identity(), **facts)
        self.journal.seal(sealed, plan.layout.atom_bytes)
        self.site.volume.rename(self.site.unsealed, self.site.journal)
        self.site.volume.sync_folder(self.site.state)

    def _swap(self, plan: Plan, kept: str, progress: Progress | None) -> Callable[[], Stat]:
        """Builds the new file and renames it over the old one, which is the commit point (J7)."""
        site, volume = self.site, self.site.volume
        new = self.build(plan, progress)
        noted = self.policy.history or self._draft
        try:
            if noted:
                self.publish_swap(plan, kept, new)
            volume.rename(site.successor, site.path)
        except BaseException:
            new.close()
            volume.remove(site.journal)
            raise

        def run() -> Stat:
            # New now; whether it stays new over a power cut is what recovery makes sure of.
            state = "awaiting recovery"
            try:
                with blaming_the_medium():
                    volume.sync_folder(site.folder)
                    state = "new"
                    if noted:
                        after = self.retire(new)
                    else:
                        self.journal.close()
                        site.sweep()
                        retain(site, 0, 0)
                        after = new.stat()
                    self.swapped(new)
                    return after
            except BaseException as error:
                if isinstance(error, StorageError):
                    error.file_state = state
                new.close()
                raise

        return run

    def swapped(self, new: File) -> None:
        """Leaves the new file, which is the target by now, to whoever holds the lock."""
        if self._keep is None:
            new.close()
        else:
            self._keep(self.site, new)

    def _covers_hold(self, plan: Plan) -> bool:
        """Whether the plan touches nothing but what it has saved, and all of that is as it was saved.

        Then what others do elsewhere meanwhile, say append to a log, does not matter.
        """
        if plan.planner != "overwrite" or plan.program.result_size != self._before.size:
            return False
        covers = self.journal.covers
        return all(self.target.read(cover.start, cover.size) == covers.read(cover) for cover in covers)

    def give_back(self) -> None:
        """Gives back what was allocated behind the target's end for a commit that is not made."""
        if self._seen is not self._before and self.target.size() == self._before.size:
            self.target.resize(self._before.size)

    def moved(self, plan: Plan) -> bool:
        """Whether somebody else changed what the plan relies on."""
        now = self.target.stat()
        same = (now.size, now.mtime_ns) == (self._seen.size, self._seen.mtime_ns)
        return not same and not self._covers_hold(plan)

    def refuse_if_moved(self, plan: Plan) -> None:
        """Refuses to go on where somebody else changed what the plan relies on.

        Raises:
            StaleError: their change is kept.
        """
        if not self.moved(plan):
            return
        raise StaleError(
            f"The file {self.site.path} was changed by somebody else while the commit was prepared; "
            "their change is kept, ours was not made.",
            hint="Try again.",
            path=self.site.path,
        )


def _batches(covers: Iterator[Span], target: File) -> Iterator[tuple[list[Span], list[bytes]]]:
    """Yields covers with their bytes, in batches of about a payload."""
    spans: list[Span] = []
    data: list[bytes] = []
    size = 0
    for cover in covers:
        for start in range(cover.start, cover.stop, PAYLOAD_BYTES):
            span = Span(start, min(start + PAYLOAD_BYTES, cover.stop))
            spans.append(span)
            data.append(target.read(span.start, span.size))
            size += span.size
            if size >= PAYLOAD_BYTES:
                yield spans, data
                spans, data, size = [], [], 0
    if spans:
        yield spans, data
