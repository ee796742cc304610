"""Undo and redo: an operation's inverse, moved to where its bytes lie now, as an operation of its own."""

from __future__ import annotations

from typing import NamedTuple

from insitu.core.columns import Splices
from insitu.core.policy import Policy
from insitu.core.protocols import Cancel, Progress
from insitu.core.spans import Span
from insitu.engine.commit import Commit
from insitu.engine.history import chained, check_written, moved_past, opened, operations, since, stacks
from insitu.engine.journal import Journal
from insitu.engine.receipt import Receipt
from insitu.engine.site import Site
from insitu.errors import UndoError
from insitu.storage.base import File


class Reversal(NamedTuple):
    """A commit that takes an operation back, filled: to be carried out, or looked at and discarded.

    Args:
        number: of the operation.
        unit: the bytes that are replaced, where they are the same everywhere.
    """

    number: int
    commit: Commit
    unit: bytes | None

    def carry_out(self, progress: Progress | None = None, cancel: Cancel | None = None) -> Receipt:
        """Commits. Arguments and errors as ``Commit.carry_out``."""
        return self.commit.carry_out(replaced_unit=self.unit, progress=progress, cancel=cancel)


def undo(site: Site, target: File, policy: Policy, number: int | None, lock_wait_s: float) -> Reversal:
    """What undoes an operation (None: the latest still in effect) of a locked, recovered target.

    Raises:
        UndoError: there is none, it is undone already, or its bytes are no longer what it wrote.
    """
    done, _ = stacks(site)
    if number is None:
        if not done:
            raise UndoError(f"There is nothing to undo in {site.path}.", hint="See: insitu history FILE")
        number = done[-1]
    elif number not in done:
        raise UndoError(
            f"Operation {number} of {site.path} is not in effect or no longer kept.",
            hint=f"Operations in effect: {', '.join(map(str, done)) or 'none'}.",
        )
    return _reversal(site, target, policy, number, "undo", lock_wait_s)


def redo(site: Site, target: File, policy: Policy, lock_wait_s: float) -> Reversal:
    """What takes the latest undo back.

    Raises:
        UndoError: nothing was undone since the last edit.
    """
    _, undone = stacks(site)
    if not undone:
        raise UndoError(f"There is nothing to redo in {site.path}.", hint="See: insitu history FILE")
    return _reversal(site, target, policy, undone[-1], "redo", lock_wait_s)


def _reversal(
    site: Site, target: File, policy: Policy, number: int, kind: str, lock_wait_s: float
) -> Reversal:
    with opened(site, number) as journal:
        if journal.plan["old"] == "none":
            raise UndoError(f"Operation {number} of {site.path} was committed without undo.")
        splices = _moved_to_now(site, journal, number)
        _check_size(site, target, number, splices)
        check_written(journal, splices, target)
        commit = Commit(site, target, policy, kind=kind, of=number, lock_wait_s=lock_wait_s)
        with commit.filling() as inverse:
            for block in splices.blocks():
                inverse.add_splices(block)
            for data in journal.replaced():
                inverse.add_new(data)
        unit = journal.new.uniform if journal.new.size else None
        return Reversal(number, commit, unit)


def _moved_to_now(site: Site, journal: Journal, number: int) -> Splices:
    """The inverse's splices, past every later operation that is still in effect."""
    splices = journal.splices.inverted()
    for later in since(site, number):
        with opened(site, later) as other:
            moved = moved_past(splices, other.splices)
        if isinstance(moved, Span):
            raise UndoError(
                f"Operation {later} changed some of what operation {number} wrote; {site.path} is unchanged.",
                hint=f"Undo operation {later} first.",
                operation=number,
                blocked_by=later,
            )
        splices = moved
    return splices


def _check_size(site: Site, target: File, number: int, splices: Splices) -> None:
    """Refuses where somebody else's change may have moved the bytes that are to be restored.

    What was appended by others moved nothing; a pure deletion wrote no bytes to recognize its place by.
    """
    operation = next(entry for entry in operations(site) if entry.number == number)
    status = target.stat()
    now = (status.inode, status.size, status.mtime_ns)
    if chained(site, operation.after, number, now) is not None:
        return
    if status.size < splices.base_size or splices.summary.old_bytes == 0:
        raise UndoError(
            f"The file {site.path} was changed by somebody else since operation {number}, so where its bytes "
            "lie now is not certain; the file is unchanged.",
            hint="See what it changed with: insitu diff FILE OP",
            operation=number,
        )
