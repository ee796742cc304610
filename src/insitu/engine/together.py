"""The commit of several files: all of them change, or none, through any crash.

prepare    each participant's journal, complete and durable under its name, refers to the super-journal
commit     the super-journal is renamed, durably: from here on every participant runs forward
decide     each participant's journal notes, durably, that it is to be carried out
forget     the super-journal is removed: what is left are plain commits, each recovered on its own
carry out  each participant's plan runs, or its swap is made, and its journal becomes history

Up to ``commit`` a failure takes every journal back, and all files are old.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from insitu.core.plan import Plan
from insitu.core.protocols import Cancel, Progress
from insitu.core.records import State
from insitu.engine.commit import Commit
from insitu.engine.medium import blaming_the_medium
from insitu.engine.receipt import Receipt
from insitu.engine.recover import foreign
from insitu.engine.super_journal import Participant, SuperJournal, check_in_sight
from insitu.errors import InsituError, StorageError
from insitu.storage.base import File, Stat


class Part(NamedTuple):
    """What a transaction does to one file: a written commit, and the operations it was moved past."""

    commit: Commit
    rebased_over: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionReceipt:
    """What a transaction did."""

    id: str
    """Names the transaction; empty where fewer than two files changed, which needs none."""
    paths: tuple[str, ...]
    receipts: tuple[Receipt, ...]
    """For each path, in the order the files were opened; files without changes are not among them."""

    def as_dict(self) -> dict[str, object]:
        """The receipt as plain values, for programs."""
        pairs = zip(self.paths, self.receipts, strict=True)
        return {"id": self.id, "files": [{"path": path, **receipt.as_dict()} for path, receipt in pairs]}


def commit_together(
    parts: Iterable[Part], progress: Progress | None = None, cancel: Cancel | None = None
) -> tuple[str, list[Receipt]]:
    """Commits drafts of several files, which are locked in one order for everybody, together.

    Args:
        parts: in the order of their locks; asked for one by one, and dropped if a later one cannot be made.

    Returns:
        The transaction's id, and the receipts in the same order.

    Raises:
        LimitError, NoPlanError, NoSpaceError, StaleError, CancelledError: before the commit point; all old.
        StorageError: see ``file_state``, which speaks of all of them.
    """
    with ExitStack() as members:
        everyone, super_journal = _prepared(parts, members, progress, cancel)
        try:
            with blaming_the_medium():
                super_journal.sync()  # J12: from here on recovery runs forward, in every participant
                for member in everyone:
                    member.commit.journal.note(State.RUNNING, 0)  # J13: durable before that is forgotten
        except StorageError as error:
            error.file_state = "awaiting recovery"
            raise
        with suppress(InsituError):
            super_journal.remove()  # J14
        return super_journal.id, _carried_out(everyone, progress)


def _prepared(
    parts: Iterable[Part], members: ExitStack, progress: Progress | None, cancel: Cancel | None
) -> tuple[list[_Member], SuperJournal]:
    """Prepares every participant and renames the super-journal; takes all back if it cannot."""
    everyone: list[_Member] = []
    super_journal: SuperJournal | None = None
    try:
        for part in parts:
            everyone.append(members.enter_context(closing(_Member(part))))
        for member in everyone:
            member.plan_it(cancel)
        super_journal = SuperJournal.new(everyone[0].commit.site)
        super_journal.write(
            [Participant(one.commit.site, one.commit.journal.salt) for one in everyone]
        )  # J11
        for member in everyone:
            member.prepare(super_journal, progress)
        for member in everyone:
            member.commit.refuse_if_moved(member.plan)
        super_journal.commit()
    except BaseException as error:
        committed = super_journal is not None and super_journal.committed
        if isinstance(error, StorageError):
            error.file_state = "awaiting recovery" if committed else "old"
        if not committed:
            _take_back(everyone, super_journal)
        raise
    return everyone, super_journal


def _take_back(everyone: Sequence[_Member], super_journal: SuperJournal | None) -> None:
    """Makes all as it was; what cannot be taken back is dropped by recovery, as the super-journal says."""
    with suppress(InsituError):
        for member in everyone:
            member.withdraw()
        if super_journal is not None:
            super_journal.remove()  # J14: the last to go
            super_journal.home.tidy()


def _carried_out(everyone: Sequence[_Member], progress: Progress | None) -> list[Receipt]:
    """Runs every participant's plan, the others', too, where one fails: all of them will be new.

    Swaps come first: what somebody else writes to a file between the last look and its swap is lost.
    """
    receipts: dict[int, Receipt] = {}
    failures: dict[str, StorageError] = {}
    for index, member in sorted(enumerate(everyone), key=lambda one: not one[1].plan.swaps):
        try:
            receipts[index] = member.carry_out(progress)
        except StorageError as error:
            failures[member.commit.site.path] = error
    if not failures:
        return [receipts[index] for index in range(len(everyone))]
    states = {path: failure.file_state for path, failure in failures.items()}
    first = next(iter(failures.values()))
    first.file_state = "new" if set(states.values()) == {"new"} else "awaiting recovery"
    first.facts["states"] = states
    raise first


@dataclass(slots=True)
class _Member:
    """A participant on its way through the commit."""

    part: Part
    plan: Plan = field(init=False)
    _kept: str = ""
    _marked: bool = False
    _new: File | None = None

    @property
    def commit(self) -> Commit:
        return self.part.commit

    def plan_it(self, cancel: Cancel | None) -> None:
        self.plan, self._kept = self.commit.planned(None, cancel)

    def prepare(self, home: SuperJournal, progress: Progress | None) -> None:
        """Makes the journal durable under its name, and all that the commit needs besides it."""
        commit, site = self.commit, self.commit.site
        check_in_sight(site, home, commit.journal.salt, commit.target.stat())
        pointer: dict[str, Any] = {"super": home.pointer(site)}
        if self.plan.swaps:
            self._new = commit.build(self.plan, progress)
            commit.publish_swap(self.plan, self._kept, self._new, **pointer)
        else:
            self._marked = commit.publish(self.plan, self._kept, **pointer)
            site.volume.sync_folder(site.state)  # J11

    def withdraw(self) -> None:
        """Takes back what was prepared; the target was not touched."""
        site = self.commit.site
        self.commit.give_back()
        if site.volume.stat(site.journal) is not None:
            site.volume.remove(site.journal)
            site.volume.sync_folder(site.state)  # J14: before the super-journal goes
        site.sweep()
        site.tidy()

    def carry_out(self, progress: Progress | None) -> Receipt:
        """Makes the file new; a failure leaves that to recovery."""
        commit = self.commit
        try:
            with blaming_the_medium():
                if commit.moved(self.plan):
                    raise foreign(
                        commit.site, "it was changed after the transaction it is part of was committed"
                    )
                after = self._swap(self._new) if self._new is not None else self._run(progress)
        except StorageError as error:
            if error.file_state != "new":
                error.file_state = "awaiting recovery"
            raise
        return commit.receipt(self.plan, after, self.part.rebased_over)

    def _run(self, progress: Progress | None) -> Stat:
        self.commit.perform(self.plan, self._marked, progress)
        return self.commit.retire(self.commit.target)

    def _swap(self, new: File) -> Stat:
        site = self.commit.site
        site.volume.rename(site.successor, site.path)
        site.volume.sync_folder(site.folder)  # J7
        after = self.commit.retire(new)
        self._new = None
        self.commit.swapped(new)
        return after

    def close(self) -> None:
        self.commit.close()
        if self._new is not None:
            self._new.close()
