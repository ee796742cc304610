"""Recovery: what a crash left is found by the next opening that may write, and finished.

what is found                          what is done
an unsealed journal, a successor       removed: they never came to a commit point
a journal that cannot be trusted       refused: nothing is touched, nothing is ignored
a placed one, in the same boot         synced; becomes history
    a closed journal                       becomes history
    one of a draft                         the draft is removed first (J16)
one that waits for its super-journal   committed: as below; not committed: removed, the file is old;
                                       no answer: refused (J13)
a rewrite, the swap done               becomes history;  not done: removed, the file is old;
                                       part of a transaction that was committed: swapped now
an aborted journal                     the covers are written back: old
any other                              run on from its last checkpoint: new
a marked file without a journal        refused: it may be half-moved
"""

from __future__ import annotations

import os
from itertools import islice
from typing import Any, Literal, NamedTuple

from insitu.core.plan import Layout, Plan
from insitu.core.records import State
from insitu.core.rendering import render
from insitu.core.spans import Span
from insitu.core.steps import Collapse, Insert, Place
from insitu.engine.draft_log import forget
from insitu.engine.execute import Executor
from insitu.engine.history import forget_operations
from insitu.engine.journal import Journal
from insitu.engine.medium import blaming_the_medium
from insitu.engine.replan import checked_plan
from insitu.engine.site import Site
from insitu.engine.super_journal import committed, settle, settle_all, undecided
from insitu.errors import RecoveryNeededError, StorageError
from insitu.storage.base import File, Identity, Stat

Force = Literal["undo", "redo"]

# A time no file has: what is closed with it is never taken for the state a file is found in.
NO_CHAIN = -1

# A sector may be old while its neighbour is new. Source: ATA/NVMe logical blocks of 512 bytes.
SECTOR_BYTES = 512


class Recovered(NamedTuple):
    """What recovery found and did."""

    path: str
    outcome: Literal["clean", "new", "old"]
    operation: int = 0


def pending(site: Site) -> bool:
    """Whether a commit is under way or half-done."""
    return site.volume.stat(site.journal) is not None


def placed(site: Site) -> bool:
    """Whether what is pending is written in full and only waits to be synced, so that it may be read."""
    file = site.volume.open(site.journal)
    try:
        return _placed(site, Journal.load(file))
    finally:
        file.close()


def _placed(site: Site, journal: Journal) -> bool:
    return journal.progress.state is State.PLACED and journal.header["boot"] == site.volume.boot_id()


def recover(site: Site, target: File, force: Force | None = None) -> Recovered:
    """Finishes what a crash left, on a locked target.

    Args:
        force: go on although the file holds bytes that are neither before nor after.

    Raises:
        RecoveryNeededError, JournalDamagedError: nothing was touched; a person has to choose.
    """
    if not (site.trusted(target.stat()) and pending(site)):
        return _without_journal(site, target)
    file = site.volume.open(site.journal, write=True)
    try:
        with blaming_the_medium():
            site.check_journal(file, target.stat())
            journal = Journal.load(file, whole=True)
            _check_number(site, journal)
            made = not undecided(journal) or _committed(site, journal, target, force)  # J13
            outcome = _go_on(site, journal, target, force) if made else _drop(site, journal)
    except StorageError as error:
        error.file_state = "awaiting recovery"
        raise
    finally:
        file.close()
    with blaming_the_medium():
        site.sweep()
        if pointer := journal.plan.get("super"):
            settle(site, pointer)
        site.tidy()
    return outcome


def _committed(site: Site, journal: Journal, target: File, force: Force | None) -> bool:
    """Whether the transaction that a journal is part of was committed; in doubt, as ``force`` says."""
    try:
        return committed(site, journal.plan["super"], journal.salt, target.stat())
    except RecoveryNeededError:
        if force is None:
            raise
        return force == "redo"


def _drop(site: Site, journal: Journal) -> Recovered:
    """Removes a journal whose target was not touched: the file is old."""
    site.volume.remove(site.journal)
    site.volume.sync_folder(site.state)
    return Recovered(site.path, "old", int(journal.header["operation"]))


def _go_on(site: Site, journal: Journal, target: File, force: Force | None) -> Recovered:
    # What is read here may be in the page cache alone: the process was killed before it synced, or its
    # sync failed, after which syncing again proves nothing and only writing anew does (J1, J4, J5).
    journal.file.sync()
    if journal.progress.state is not State.CLOSED:
        journal.note(journal.progress.state, journal.progress.segments_done)
    site.volume.sync_folder(site.state)
    return _finish(site, journal, target, force)


def _without_journal(site: Site, target: File) -> Recovered:
    mark = target.mark()
    if mark is None:
        names = site.volume.names(site.state)
        settle_all(site, names)
        if any(os.path.basename(path) in names for path in (site.unsealed, site.successor, site.new_draft)):
            # A killed rewrite without history may have swapped, and not synced: what is seen now must stay.
            site.volume.sync_folder(site.folder)
            site.sweep()
            site.tidy()
        return Recovered(site.path, "clean")
    raise RecoveryNeededError(
        f"The file {site.path} is marked as half-edited, and its journal is not where it should be "
        f"({site.journal}); it may have been moved away from it.",
        hint="Bring file and .insitu folder together again and run: insitu recover FILE",
        path=site.path,
    )


def _finish(site: Site, journal: Journal, target: File, force: Force | None) -> Recovered:
    number = int(journal.header["operation"])
    if journal.progress.state is State.CLOSED:
        _archive(site, journal)
        return Recovered(site.path, "new", number)
    if journal.plan["swaps"]:
        return _finish_swap(site, journal, target, force)
    if _placed(site, journal):
        # If this sync fails, the next recovery has to write again before it syncs again (J4).
        journal.note(State.RUNNING, journal.progress.segments_done)
        target.sync()
        retire(site, journal, target)
        return Recovered(site.path, "new", number)
    if force is None:
        _check_identity(site, journal, target)
        _check_size(site, journal, target)
    plan = checked_plan(journal)
    if force is None:
        _check_contents(site, journal, plan, target)
        _check_begun(site, journal, plan, target)
    if journal.progress.state is State.ABORTED or force == "undo":
        if not roll_back(site, journal, plan, target):
            raise RecoveryNeededError(
                f"The commit of {site.path} was moving data and can only go forward.",
                hint="Run: insitu recover --force-redo FILE",
                path=site.path,
            )
        return Recovered(site.path, "old", number)
    sparse = site.facts().punch and target.next_hole(0) < target.size()
    if journal.plan["marked"] and target.mark() is None:
        # The crash came between journal and mark: nothing has moved yet, and it must not unmarked.
        target.set_mark(b"%x" % journal.salt)
    Executor(plan, journal, target, sparse=sparse).run(journal.progress.segments_done)
    retire(site, journal, target, forced=force is not None)
    return Recovered(site.path, "new", number)


def _finish_swap(site: Site, journal: Journal, target: File, force: Force | None) -> Recovered:
    number = int(journal.header["operation"])
    if Identity(*journal.plan["successor"]) == target.identity():
        site.volume.sync_folder(site.folder)
        retire(site, journal, target)
        return Recovered(site.path, "new", number)
    if "super" not in journal.plan or force == "undo":
        return _drop(site, journal)
    if force is None:
        _check_identity(site, journal, target)
        _check_unchanged(site, journal, target)
    _swap_in(site, journal)
    return Recovered(site.path, "new", number)


def _swap_in(site: Site, journal: Journal) -> None:
    """Makes the swap of a rewrite that was committed with other files; the target held is the old one then.

    Raises:
        RecoveryNeededError: the new file is not there any more.
    """
    if site.volume.stat(site.successor) is None:
        raise foreign(site, f"the new file {site.successor} is gone")
    new = site.volume.open(site.successor, write=True)
    try:
        if Identity(*journal.plan["successor"]) != new.identity():
            raise foreign(site, f"{site.successor} is another file than was built")
        new.lock()
        site.volume.rename(site.successor, site.path)
        site.volume.sync_folder(site.folder)
        retire(site, journal, new)
    finally:
        new.close()


def _check_unchanged(site: Site, journal: Journal, target: File) -> None:
    """Refuses to replace a file that somebody else changed since the new one was built from it.

    A power cut may have taken the time of an earlier commit back, but puts none forward.
    """
    before, now = journal.header["before"], target.stat()
    rebooted = journal.header["boot"] != site.volume.boot_id()
    earlier = rebooted and now.mtime_ns < before["mtime_ns"]
    if now.size != before["size"] or (now.mtime_ns != before["mtime_ns"] and not earlier):
        raise foreign(site, "it is not as it was when the new one was built")


def _check_number(site: Site, journal: Journal) -> None:
    """Refuses a journal of an operation that is history: somebody put an old one back (J17)."""
    number, latest = int(journal.header["operation"]), site.latest()
    if number <= latest:
        raise foreign(site, f"the journal is that of operation {number}, and {latest} is in the history")


def retire(site: Site, journal: Journal, target: File, *, forced: bool = False) -> Stat:
    """Closes a journal whose plan is durable in the target (J2); returns the target's status.

    Args:
        forced: the file held somebody else's bytes, so no chain of operations leads over this one.
    """
    if journal.plan["marked"]:
        target.set_mark(None)
    after = target.stat()
    # Not synced: if a power cut takes it back, recovery finds every byte in place and closes it again.
    closed = after._replace(mtime_ns=NO_CHAIN) if forced else after
    journal.note(State.CLOSED, journal.progress.segments_done, after=closed, durable=False)
    _archive(site, journal)
    return after


def _archive(site: Site, journal: Journal) -> None:
    journal.close()
    if draft := journal.plan.get("draft"):
        forget(site, draft)  # J16: before its journal is
    if journal.plan["history"]:
        site.volume.rename(site.journal, site.operation(int(journal.header["operation"])))
    else:
        forget_operations(site)  # before the journal goes, whose operation breaks the chain from them
        site.volume.remove(site.journal)
        site.tidy()


def roll_back(site: Site, journal: Journal, plan: Plan, target: File) -> bool:
    """Writes the covers back, if they hold all that may have been overwritten; old afterwards.

    It begins with a durable abort record, after which recovery only runs backward.

    Returns:
        Whether it could; where it could not, the journal stays and recovery goes forward.
    """
    size = int(journal.header["before"]["size"])
    if not _reversible(journal, plan, target, size):
        return False
    try:
        if journal.progress.state is not State.ABORTED:
            journal.note(State.ABORTED, 0)  # J9: durable before the first byte is written back
        if plan.planner == "overwrite":
            for cover in journal.covers:
                target.write(cover.start, journal.covers.read(cover))
        if plan.program.result_size != size or plan.layout.gap_bytes:
            # Not otherwise: what others appended meanwhile is theirs.
            target.resize(size)
        target.sync()
        if journal.plan["marked"]:
            target.set_mark(None)
        journal.close()
        site.volume.remove(site.journal)
        site.volume.sync_folder(site.state)
    except StorageError:
        return False
    site.tidy()
    return True


def _reversible(journal: Journal, plan: Plan, target: File, size: int) -> bool:
    """Whether all that may have been written lies in covers or behind the old end."""
    if plan.planner == "overwrite":
        return True
    if journal.progress.segments_done:
        return False
    first = next(iter(plan.program.segments()))[0]
    if isinstance(first, Place):
        return False
    if isinstance(first, Insert | Collapse):
        return target.size() == size and target.next_hole(first.offset) >= size
    return True


def _check_identity(site: Site, journal: Journal, target: File) -> None:
    was = Identity(*journal.header["identity"])
    now = target.identity()
    mark = target.mark()
    marked_by_us = mark is not None and mark == b"%x" % journal.salt
    if (was.inode, was.birth_ns) != (now.inode, now.birth_ns) or (mark is not None and not marked_by_us):
        raise foreign(site, "it is another file than the journal was written for")


def _check_size(site: Site, journal: Journal, target: File) -> None:
    before, after = int(journal.header["before"]["size"]), journal.splices.result_size
    low, high = min(before, after), max(before, after) + Layout(*journal.plan["layout"]).gap_bytes
    if not low <= target.size() <= high:
        raise foreign(site, f"its size is {target.size():,}, neither old nor new nor in between")


def _check_begun(site: Site, journal: Journal, plan: Plan, target: File) -> None:
    """Refuses a move that is to begin and has nothing to begin with (J10, J17).

    A target without the mark was not touched yet, or all is done and later slots say so: a journal without
    them is an old one that was put back, or lost its slots.
    """
    begins = plan.moves and journal.plan["marked"] and not journal.progress.segments_done
    if not begins or target.mark() is not None or target.size() == journal.header["before"]["size"]:
        return
    if next(islice(plan.program.segments(), 1, None), None) is not None:
        raise foreign(site, "it bears no mark, and yet its size is not the old one")


def _check_contents(site: Site, journal: Journal, plan: Plan, target: File) -> None:
    """Refuses a file that somebody else changed since the crash (J3).

    Overwritten atoms must hold their bytes from before or after, or be torn between them; after a power
    cut they may hold anything, for a cut may spoil them. What is being moved cannot be told from outside.
    """
    if plan.planner != "overwrite" or journal.header["boot"] != site.volume.boot_id():
        return
    for cover in journal.covers:
        now = target.read(cover.start, cover.size)
        old = bytes(journal.covers.read(cover))
        new = _after(journal, cover)
        if now not in (old, new) and not _torn(now, old, new):
            raise foreign(site, f"bytes {cover.start}:{cover.stop} are neither old nor new")


def _after(journal: Journal, cover: Span) -> bytes:
    splices = journal.splices
    result = Span(cover.start, min(cover.stop, splices.result_size))
    if result.size <= 0:
        return b""

    def saved(offset: int, size: int) -> bytes:
        span = Span(offset, offset + size)
        return b"".join(
            bytes(journal.covers.read(part)) if held else bytes(part.size)
            for part, held in journal.covers.stretches(span)
        )

    return bytes(render(splices.window(result), journal.new, saved))


def _torn(now: bytes, old: bytes, new: bytes) -> bool:
    """Whether every sector is old or new, or made of nothing but old and new bytes.

    A file that was cut reads as zeros behind its new end where the disk took the bytes, and not the size.
    """
    old, new = old.ljust(len(now), b"\0"), new.ljust(len(now), b"\0")
    for at in range(0, len(now), SECTOR_BYTES):
        sector = slice(at, at + SECTOR_BYTES)
        a, b, c = now[sector], old[sector], new[sector]
        if a in (b[: len(a)], c[: len(a)]):
            continue
        if any(a[i : i + 1] not in (b[i : i + 1], c[i : i + 1]) for i in range(len(a))):
            return False
    return True


def foreign(site: Site, what: str) -> RecoveryNeededError:
    """The error for a file that somebody else changed behind a commit point: a person has to choose."""
    return RecoveryNeededError(
        f"A commit of {site.path} was interrupted, and somebody else changed the file since: {what}. "
        "Nothing was touched.",
        hint="Choose with: insitu recover --force-undo FILE, or insitu recover --force-redo FILE",
        path=site.path,
    )


def report(site: Site) -> dict[str, Any]:
    """What is pending at a site, for people and programs, without touching anything."""
    file = site.volume.open(site.journal)
    try:
        journal = Journal.load(file)
        return {
            "path": site.path,
            "operation": journal.header["operation"],
            "planner": journal.plan["planner"],
            "segments_done": journal.progress.segments_done,
            "state": "prepared" if undecided(journal) else journal.progress.state.name.lower(),
            "began": journal.header["time"],
        }
    finally:
        file.close()
