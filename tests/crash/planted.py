"""What crashes alone do not bring about: damage, stale and planted state, and changes by others.

Each function sets one such thing up, lets the engine at it and returns what was wrong, in words.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from insitu.core.columns import Block
from insitu.core.policy import Policy
from insitu.core.records import HEAD_BYTES, Kind
from insitu.engine.commit import Commit
from insitu.engine.execute import Executor
from insitu.engine.journal import SLOTS, Journal
from insitu.engine.recover import pending, recover
from insitu.engine.session import writing
from insitu.engine.site import Site
from insitu.errors import (
    InsituError,
    JournalDamagedError,
    LockedError,
    NoSpaceError,
    RecoveryNeededError,
    StaleError,
    StorageError,
)
from insitu.storage.base import Volume
from insitu.storage.local import local_volume
from insitu.testing.scenario import Scenario, crash_points
from insitu.testing.simulated import Fault, FrozenVolume, SimulatedVolume
from insitu.testing.simulated_file import SimulatedFile
from insitu.testing.simulated_media import Owner
from insitu.testing.survivors import Cuts, Kill, left_by
from tests.crash.commits import ABLE, BASE, PATH, commit, patch, recovering, scenario

_NOBODY = 4_242_424

_EDITS = ((3, 6, b"xyz"), (18, 20, b"__"))
_OVERWRITING = Policy(history=3, planner="overwrite")
OVERWRITE = scenario("overwrite", BASE, patch(BASE, *_EDITS), policy=_OVERWRITING)
NEW = patch(BASE, *_EDITS).apply(BASE)


def killed(subject: Scenario = OVERWRITE, writes: int = 1) -> FrozenVolume:
    """The volume after a kill, so many writes to the target after the commit point."""
    points, _ = crash_points(subject.start(), subject.run)
    written = [point for point in points if point.call == "write" and point.path == PATH]
    return left_by(written[writes], Kill())


def _opened(volume: SimulatedVolume) -> InsituError | None:
    """Opens the target as the next writer does; returns what refused it."""
    try:
        recovering(volume)
    except InsituError as error:
        return error
    return None


def _refuses(volume: SimulatedVolume, family: type[InsituError], what: str) -> list[str]:
    """What is wrong unless opening is refused and no byte of the target changes."""
    before = volume.contents()[PATH]
    error = _opened(volume)
    if not isinstance(error, family):
        return [f"{what}: {error!r} instead of {family.__name__}"]
    return [f"{what}: the target was touched"] if volume.contents()[PATH] != before else []


def damaged_bytes() -> list[str]:
    """Damages every byte of a published journal, one at a time."""
    state = killed()
    journal = Site.of(SimulatedVolume.thawed(state), PATH).journal
    data = state.contents()[journal]
    slots = _slots(state, journal)
    problems = []
    for at in range(slots[0]):
        for flipped in (0x01, 0x80, 0xFF):
            volume = SimulatedVolume.thawed(state)
            _write(volume, journal, at, bytes([data[at] ^ flipped]))
            problems += _refuses(volume, JournalDamagedError, f"byte {at} ^ {flipped:#x}")
    for at in range(slots[1], len(data)):
        volume = SimulatedVolume.thawed(state)
        _write(volume, journal, at, bytes([data[at] ^ 0xFF]))
        if _opened(volume) is not None or volume.contents()[PATH] != NEW:
            problems.append(f"byte {at} of an unwritten slot mattered")
    return problems


def _slots(state: FrozenVolume, journal: str) -> tuple[int, int]:
    """Where the records of a journal end, and where its slots begin."""
    file = SimulatedVolume.thawed(state).open(journal)
    _, offset, size = list(Journal.load(file)._records())[-1]
    end = len(file.read(0, file.size())) - SLOTS * Journal.load(file)._slot_stride
    return offset + HEAD_BYTES + size, end


def _write(volume: SimulatedVolume, path: str, offset: int, data: bytes) -> None:
    file = volume.open(path, write=True)
    file.write(offset, data)
    file.sync()
    file.close()


def stale_slot() -> list[str]:
    """An earlier journal's closing slot, shown by recycled blocks in the slots of an open one."""
    with pytest.MonkeyPatch.context() as still:
        # Both journals are of one size, so that their slots lie at the same offsets.
        still.setattr(time, "time", lambda: 1.5)
        facts = replace(ABLE, atom_bytes=512)
        first = patch(BASE, (30, 33, b"1st"))
        second = patch(first.apply(BASE), (40, 43, b"2nd"))
        made = scenario("stale", BASE, second, facts=facts, policy=_OVERWRITING, earlier=[first])
        state = killed(made, writes=0)
    contents = state.contents()
    volume = SimulatedVolume.thawed(state)
    site = Site.of(volume, PATH)
    closed, fresh = contents[site.operation(1)], contents[site.journal]
    if len(closed) != len(fresh):
        return ["the two journals differ in size, so nothing was tried"]
    slots = SLOTS * 512
    _write(volume, site.journal, len(fresh) - slots, closed[-slots:])
    error = _opened(volume)
    if error is not None or volume.contents()[PATH] != made.results[PATH]:
        return [f"a stale slot was believed: {error!r}"]
    return []


def misplaced_records() -> list[str]:
    """Two records of one kind and size that changed places in one journal."""
    volume = SimulatedVolume.thawed(killed())
    sealed = Journal.load(volume.open(Site.of(volume, PATH).journal))
    journal = Journal.create(volume, "/d/journal", 7, sealed.header)
    journal.add_new(b"first,")
    journal.add_new(b"second")
    journal.add_splices(Block([4], [0, 0], [0, 12]))
    journal.seal({**sealed.plan, "old": "none"}, ABLE.atom_bytes)
    Journal.load(journal.file, whole=True)
    (_, one, size), (_, two, _) = (found for found in journal._records() if found[0] is Kind.NEW)
    size += HEAD_BYTES
    data = journal.file.read(0, journal.file.size())
    journal.file.write(one, data[two : two + size])
    journal.file.write(two, data[one : one + size])
    try:
        Journal.load(journal.file, whole=True)
    except JournalDamagedError:
        return []
    return ["records that changed places were believed"]


def another_file() -> list[str]:
    """The target was replaced by another file, which agrees where the journal looks."""
    volume = SimulatedVolume.thawed(killed())
    contents = bytearray(volume.contents()[PATH])
    contents[30:40] = b"of another"
    volume.remove(PATH)
    file = volume.open(PATH, create=True)
    file.write(0, contents)
    file.close()
    return _refuses(volume, RecoveryNeededError, "another file in its place")


def marked_by_another() -> list[str]:
    """The target bears the mark of another journal."""
    made = scenario("marked", BASE, patch(BASE, (5, 5, b"+++")), policy=Policy(history=3, planner="shift"))
    volume = SimulatedVolume.thawed(killed(made))
    volume.open(PATH, write=True).set_mark(b"other")
    return _refuses(volume, RecoveryNeededError, "another's mark")


def foreign_change() -> list[str]:
    """Somebody changed an overwritten atom after a kill: refused, until a person decides."""
    problems = []
    for force, result in (("undo", BASE), ("redo", NEW)):
        volume = SimulatedVolume.thawed(killed())
        _write(volume, PATH, 1, b"foreign")
        problems += _refuses(volume, RecoveryNeededError, "a foreign change")
        site = Site.of(volume, PATH)
        target = site.open(write=True)
        target.lock()
        try:
            recover(site, target, force=force)
        except InsituError as error:
            problems.append(f"--force-{force}: {error!r}")
        target.close()
        if volume.contents()[PATH] != result or pending(site):
            problems.append(f"--force-{force} did not decide")
    return problems


def foreign_growth() -> list[str]:
    """Somebody appended after a kill."""
    volume = SimulatedVolume.thawed(killed())
    _write(volume, PATH, len(BASE), b"appended")
    return _refuses(volume, RecoveryNeededError, "a foreign append")


def planted_journal() -> list[str]:
    """A journal that others own, or could have written."""
    problems = []
    for owner in (Owner(0o666, 1000, 1000), Owner(0o620, 1000, 1000), Owner(0o600, _NOBODY, 1000)):
        volume = SimulatedVolume.thawed(killed())
        number = dict(volume.freeze().paths)[Site.of(volume, PATH).journal]
        volume.inode(number).take_owner(owner, volume.tick())
        problems += _refuses(volume, RecoveryNeededError, f"a journal of {owner}")
    return problems


def stale_journal() -> list[str]:
    """A whole journal of an operation that is history by now, put back as if it were open."""
    volume = SimulatedVolume({PATH: BASE}, ABLE)
    first = patch(BASE, (3, 6, b"1st"))
    commit(volume, first, _OVERWRITING)
    commit(volume, patch(first.apply(BASE), (3, 6, b"2nd")), _OVERWRITING)
    site = Site.of(volume, PATH)
    problems = []
    for number in site.operations():
        for slots in ("closed", "none"):
            found = SimulatedVolume.thawed(volume.freeze())
            _plant(found, site.journal, found.contents()[site.operation(number)], slots == "none")
            before = found.contents()
            what = f"operation {number} of 2, slots {slots}"
            problems += _refuses(found, RecoveryNeededError, what)
            if found.contents() != before:
                problems.append(f"{what}: the history was touched")
    return problems


def stale_move() -> list[str]:
    """The journal of a move that was finished without history, put back from before its first step."""
    made = scenario("move", BASE, patch(BASE, (5, 5, b"+++")), policy=Policy(history=0, planner="shift"))
    points, _ = crash_points(made.start(), made.run)
    opened = next(left_by(point, Kill()) for point in points if point.call == "set_mark")
    volume = SimulatedVolume.thawed(points[-1].state)
    site = Site.of(volume, PATH)
    site.prepare(site.status())
    _plant(volume, site.journal, opened.contents()[site.journal], unstarted=False)
    return _refuses(volume, RecoveryNeededError, "a move that was made")


def journal_of_another() -> list[str]:
    """The whole journal of another file, put where that of this one would lie."""
    volume = SimulatedVolume.thawed(killed())
    other = Site.of(volume, "/d/other")
    _plant(volume, other.path, BASE, unstarted=False)
    other.prepare(other.status())
    _plant(volume, other.journal, volume.contents()[Site.of(volume, PATH).journal], unstarted=False)
    try:
        with writing(other, Policy(), 0):
            pass
    except RecoveryNeededError:
        touched = volume.contents()[other.path] != BASE
        return ["the journal of another file was carried out"] if touched else []
    return ["the journal of another file was believed"]


def _plant(volume: SimulatedVolume, path: str, data: bytes, unstarted: bool) -> None:
    """Makes a file of these bytes; ``unstarted`` takes the slots of a journal away."""
    file = volume.open(path, create=True)
    file.write(0, data)
    if unstarted:
        file.write(Journal.load(file)._slots_at, bytes(SLOTS * 64))
    file.close()
    volume.settle()


class _Killed(BaseException):
    """Ends a commit without any of its handlers for errors."""


def _really_killed(folder: str) -> Site:
    """A pending commit on the machine's own file system."""
    path = Path(folder, "f")
    path.write_bytes(BASE)
    volume: Volume = local_volume()
    site = Site.of(volume, str(path))

    def die(*_: object, **__: object) -> None:
        raise _Killed

    with pytest.MonkeyPatch.context() as dying, pytest.raises(_Killed):
        dying.setattr(Executor, "run", die)
        with writing(site, _OVERWRITING, 0) as held:
            commit = Commit(site, held.target, _OVERWRITING)
            commit.journal.add_new(b"xyz")
            commit.journal.add_splices(Block([3], [0, 3], [0, 3]))
            commit.carry_out()
    commit.journal.close()
    assert pending(site)
    return site


def _really_refuses(spoil: Callable[[Site], None], what: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        site = _really_killed(folder)
        spoil(site)
        try:
            with writing(site, Policy(), 0):
                pass
        except RecoveryNeededError:
            return [] if Path(site.path).read_bytes() == BASE else [f"{what}: the target was touched"]
        return [f"{what} was believed"]


def linked_journal() -> list[str]:
    """A journal with a second name."""
    return _really_refuses(lambda site: os.link(site.journal, site.path + ".link"), "a linked journal")


def open_folder() -> list[str]:
    """A state folder that everybody may write to."""
    problems = _really_refuses(lambda site: os.chmod(site.state, 0o777), "an open state folder")
    return problems + _really_refuses(
        lambda site: os.chmod(os.path.dirname(site.state), 0o777), "an open .insitu"
    )


def _rewriting(volume: SimulatedVolume, report: Callable[[int, int], None]) -> None:
    site, policy = Site.of(volume, PATH), Policy(history=3, planner="rewrite")
    with writing(site, policy, 0) as held:
        commit = Commit(site, held.target, policy)
        commit.journal.add_new(b"rewritten")
        commit.journal.add_splices(Block([5], [0, 4], [0, 9]))
        commit.carry_out(progress=report)


def changed_meanwhile() -> list[str]:
    """Somebody changes the file while it is being rewritten."""
    volume = SimulatedVolume({PATH: BASE}, ABLE)
    theirs = b"T" + BASE[1:]
    try:
        _rewriting(volume, lambda done, total: _write(volume, PATH, 0, b"T"))
    except StaleError:
        return [] if volume.contents() == {PATH: theirs} else ["something was touched"]
    return ["a change made meanwhile was lost"]


def locked_while_swapping() -> list[str]:
    """Another writer comes between the swap and the end of the commit."""
    volume = SimulatedVolume({PATH: BASE}, ABLE)
    real, let_in = SimulatedVolume.sync_folder, []

    def sync_folder(self: SimulatedVolume, path: str) -> None:
        if path == "/d" and volume.contents()[PATH] != BASE:
            try:
                with writing(Site.of(self, PATH), Policy(), 0):
                    let_in.append("another writer was let in before the swap was durable")
            except LockedError:
                pass
        real(self, path)

    with pytest.MonkeyPatch.context() as busy:
        busy.setattr(SimulatedVolume, "sync_folder", sync_folder)
        try:
            _rewriting(volume, lambda done, total: None)
        except InsituError as error:
            let_in.append(repr(error))
    return let_in


def full_disk() -> list[str]:
    """The disk has no block left for what the target grows by, and stays full."""
    volume = SimulatedVolume({PATH: BASE}, ABLE)
    real = SimulatedFile._begin

    def begin(self: SimulatedFile, call: str, **details: object) -> object:
        partial = details.get("partial")
        grows = partial is not None and partial.offset + len(partial.data) > len(BASE)
        if self.path == PATH and (call == "reserve" or (call == "write" and grows)):
            raise NoSpaceError(f"No space left for {self.path}.")
        return real(self, call, **details)

    with pytest.MonkeyPatch.context() as full:
        full.setattr(SimulatedFile, "_begin", begin)
        try:
            commit(volume, patch(BASE, (10, 10, b"R" * 40)), Policy(planner="shift"))
        except StorageError as error:
            state = error.file_state
        else:
            return ["a full disk was not noticed"]
        stuck = _opened(volume)
    if state != "old" or stuck is not None or volume.contents() != {PATH: BASE}:
        return [f"a full disk left the file {state}; opening it again: {stuck!r}"]
    return []


def changed_after_rollback() -> list[str]:
    """A commit is rolled back and says so; then somebody else edits; then the power fails."""
    points, _ = crash_points(OVERWRITE.start(), OVERWRITE.run)
    last = [point for point in points if point.call == "write" and point.path == PATH][-1]
    index = sum(point.call == "write" for point in points[: last.step])
    volume = SimulatedVolume.thawed(OVERWRITE.start(), fault=Fault(error="io", call="write", index=index))
    try:
        OVERWRITE.run(volume)
    except StorageError as error:
        if error.file_state != "old":
            return [f"not rolled back: {error!r}"]
    _write(volume, PATH, 1, b"foreign")
    theirs = volume.contents()[PATH]
    volume.record()
    volume.remove("/d/none")
    (point,) = volume.points or []
    problems = []
    for cut in Cuts(point).extremes():
        after = SimulatedVolume.thawed(left_by(point, cut))
        refusal = _opened(after)
        if refusal is not None or after.contents()[PATH] != theirs:
            problems.append(f"{cut}: an aborted journal came back, {refusal!r}")
    return problems
