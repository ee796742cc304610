"""What finds a transaction's protocol wrong: short ones under the explorers, and answers that nobody gave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from insitu.core.policy import Policy
from insitu.engine.recover import Force, pending, recover
from insitu.engine.session import writing
from insitu.engine.site import Site
from insitu.errors import AccessError, InsituError, RecoveryNeededError, RequestError, StaleError
from insitu.storage.base import File, Stat
from insitu.testing.crashes import explore
from insitu.testing.faults import faults
from insitu.testing.scenario import EITHER, OLD, Recoveries, Scenario, crash_points
from insitu.testing.simulated import CrashPoint, FrozenVolume, SimulatedVolume
from insitu.testing.simulated_media import Owner
from insitu.testing.survivors import Cuts, Kill, left_by
from tests.crash.together import Change, change, recovering, scenario, together

A, B = "/d/a", "/e/b"
_NOBODY = 4_242_424


def _two(first: str, second: str, history: int = 0) -> tuple[Change, Change]:
    return change(A, first, history), change(B, second, history)


_PLAIN = _two("overwrite", "overwrite", 3)
OVERWRITES = scenario("overwrites", _two("overwrite", "overwrite"), (A, B))
BACKWARDS = scenario("overwrites", _PLAIN, (B, A))
REWRITES = scenario("rewrites", _two("rewrite", "rewrite"), (A, B))
MIXED = scenario("mixed", _two("overwrite growing", "rewrite"), (B, A))


def _crashed(subject: Scenario, budget: int = 500, seeds: int = 1) -> list[str]:
    """What is wrong first; where few states show a mistake, several samples are looked at."""
    for seed in range(seeds):
        if wrong := explore(subject, budget=budget, seed=seed, depth=2, enough=1).wrong:
            return list(map(str, wrong))
    return []


def overwrites() -> list[str]:
    return _crashed(OVERWRITES, budget=2_000, seeds=3) or _crashed(BACKWARDS, budget=2_000, seeds=3)


def rewrites() -> list[str]:
    return _crashed(REWRITES) or _crashed(MIXED)


def failing() -> list[str]:
    """Fails every call of the commit; the power is cut before and after the recovery that follows."""
    return [str(wrong) for wrong in faults(BACKWARDS, budget=100, enough=1).wrong]


def failing_bare() -> list[str]:
    return [str(wrong) for wrong in faults(OVERWRITES, budget=100, enough=1).wrong]


def one_by_one() -> list[str]:
    """Kills the commit anywhere; recovers one file, cuts the power at any step of that, recovers both.

    What the one file was read as in between is what both must be at last.
    """
    recoveries = Recoveries(MIXED)
    points, _ = crash_points(MIXED.start(), MIXED.run)
    for point in points:
        for path in (A, B):
            for problem in _alone(recoveries, left_by(point, Kill()), path):
                return [problem]
    return []


def _alone(recoveries: Recoveries, state: FrozenVolume, path: str) -> Iterator[str]:
    steps, volume = crash_points(state, recovering(path))
    read = volume.contents()[path]
    for step in steps:
        for cut in islice(Cuts(step).extremes(), 2):
            after = recoveries.of(left_by(step, cut))
            problem, now = after.wrong(EITHER), after.left.contents()[path]
            if not problem and step.call == "end" and now != read:
                problem = f"{path} was read as {read!r}, and is {now!r}"
            if problem:
                yield f"{path} alone, {step.call} {step.path}: {problem}, {cut}"


def dropped() -> list[str]:
    """Kills a transaction before its commit and its recovery anywhere; cuts the power behind the next one."""
    subject = scenario("dropped", _two("overwrite", "overwrite"), (B, A))
    recoveries = Recoveries(subject)
    prepared = _killed(_two("overwrite", "overwrite"), "prepared")
    first, _ = crash_points(prepared, subject.recover)
    for killed in first:
        second, _ = crash_points(killed.state, subject.recover)
        for point in second[-4:]:
            for cut in islice(Cuts(point).extremes(), 50):
                if problem := recoveries.of(left_by(point, cut)).wrong(OLD):
                    return [f"{killed.call} {killed.path}, {point.call} {point.path}: {problem}, {cut}"]
    return []


# States by hand


def _killed(changes: tuple[Change, Change], after: str) -> FrozenVolume:
    """The volume after a kill: everything ``prepared``, or just ``committed``."""
    points, _ = crash_points(
        scenario("killed", changes, (A, B)).start(), lambda volume: together(volume, changes)
    )
    (renamed,) = [p for p in points if p.call == "rename" and p.path.endswith(".committed")]
    point: CrashPoint = points[renamed.step + (after == "committed")]
    return point.state


def _home(volume: SimulatedVolume) -> str:
    """The path of the super-journal."""
    (path,) = [path for path in volume.contents() if path.endswith((".undecided", ".committed"))]
    return path


def _refused(volume: SimulatedVolume, path: str, what: str) -> list[str]:
    """What is wrong unless a participant is in doubt, untouched."""
    before = volume.contents()[path]
    try:
        recovering(path)(volume)
    except RecoveryNeededError as error:
        touched = volume.contents()[path] != before
        if "--force-undo" not in error.hint or "--force-redo" not in error.hint:
            return [f"{what}: the hint names no way out: {error.hint}"]
        return [f"{what}: {path} was touched"] if touched else []
    except InsituError as error:
        return [f"{what}: {error!r}"]
    return [f"{what} was taken for an answer"]


def _spoiled(spoil: Callable[[SimulatedVolume, str], None], what: str) -> list[str]:
    problems = []
    for after in ("prepared", "committed"):
        volume = SimulatedVolume.thawed(_killed(_PLAIN, after))
        spoil(volume, _home(volume))
        problems += _refused(volume, B, f"{what}, {after}")
    return problems


def absent() -> list[str]:
    """The super-journal is gone, or the disk it lies on is not mounted: no answer."""

    def unmount(volume: SimulatedVolume, path: str) -> None:
        for stray in list(volume.contents()):
            if stray.startswith("/d/"):
                volume.remove(stray)

    return _spoiled(lambda volume, path: volume.remove(path), "an absence") + _spoiled(
        unmount, "an empty mount point"
    )


def forced() -> list[str]:
    """A participant in doubt: a person decides."""
    problems = []
    forces: tuple[Force, ...] = ("undo", "redo")
    for planned in ("overwrite", "shift", "rewrite"):
        for after in ("prepared", "committed"):
            for force in forces:
                changes = _two("overwrite", planned, 3)
                volume = SimulatedVolume.thawed(_killed(changes, after))
                volume.remove(_home(volume))
                site = Site.of(volume, B)
                target = site.open(write=True)
                recover(site, target, force)
                target.close()
                wanted = changes[1].base if force == "undo" else changes[1].result
                if volume.contents()[B] != wanted or pending(site):
                    problems.append(f"{planned}, {after}: --force-{force} did not decide")
    return problems


def decided() -> list[str]:
    """Where there is an answer, force does not overrule a no: the others are old."""
    volume = SimulatedVolume.thawed(_killed(_PLAIN, "prepared"))
    site = Site.of(volume, B)
    target = site.open(write=True)
    recover(site, target, "redo")
    target.close()
    return [] if volume.contents()[B] == _PLAIN[1].base else ["a certain no was overruled"]


def another_transaction() -> list[str]:
    """The super-journal of another transaction, put in the place of this one's."""

    def swap(volume: SimulatedVolume, path: str) -> None:
        other = SimulatedVolume.thawed(_killed(_two("overwrite", "shift", 3), "prepared"))
        _put(volume, path, other.contents()[_home(other)])

    return _spoiled(swap, "another transaction's super-journal")


def stranger() -> list[str]:
    """A super-journal of this id that does not list the participant's journal."""

    def strange(volume: SimulatedVolume, path: str) -> None:
        import json

        from insitu.core.records import HEAD_BYTES, PREAMBLE, Kind, pack_record

        data = volume.contents()[path]
        record = json.loads(data[PREAMBLE.size + HEAD_BYTES :])
        for participant in record["participants"]:
            participant["salt"] += 1
        payload = json.dumps(record).encode()
        _, salt = PREAMBLE.unpack_from(data)
        head = pack_record(Kind.HEADER, payload, salt, PREAMBLE.size)
        _put(volume, path, data[: PREAMBLE.size] + head + payload)

    return _spoiled(strange, "a super-journal that lists others")


def damaged() -> list[str]:
    """Any byte of the super-journal is damaged."""
    problems = []
    state = _killed(_PLAIN, "committed")
    path = _home(SimulatedVolume.thawed(state))
    data = state.contents()[path]
    for at in range(len(data)):
        volume = SimulatedVolume.thawed(state)
        _put(volume, path, data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :])
        problems += _refused(volume, B, f"byte {at}")
    return problems


def _put(volume: SimulatedVolume, path: str, data: bytes) -> None:
    file = volume.open(path, write=True)
    _fill(file, data)
    file.close()


def _fill(file: File, data: bytes) -> None:
    file.resize(0)
    file.write(0, data)
    file.sync()


def foreign() -> list[str]:
    """The super-journal belongs to somebody else, or others may write to it."""
    problems = []
    for owner in (Owner(0o666, 1000, 1000), Owner(0o620, 1000, 1000), Owner(0o600, _NOBODY, 1000)):

        def spoil(volume: SimulatedVolume, path: str, owner: Owner = owner) -> None:
            number = dict(volume.freeze().paths)[path]
            volume.inode(number).take_owner(owner, volume.tick())

        problems += _spoiled(spoil, f"a super-journal of {owner}")
    return problems


def foreign_folder() -> list[str]:
    """The folder of the super-journal belongs to somebody else, who can rename what lies in it."""
    problems = []
    for after in ("prepared", "committed"):
        state = _killed(_PLAIN, after)
        owners = dict(state.folder_owners)
        folders = dict(state.paths)
        for folder in ("/d/.insitu/", "/d/.insitu/a.d/"):
            changed = {**owners, folders[folder]: Owner(0o700, _NOBODY, 1000)}
            volume = SimulatedVolume.thawed(state.__class__(**{**_fields(state), "folder_owners": changed}))
            problems += _refused(volume, B, f"{folder} of somebody else, {after}")
    return problems


def _fields(state: FrozenVolume) -> dict[str, object]:
    return {name: getattr(state, name) for name in FrozenVolume.__dataclass_fields__}


def changed_before_swap() -> list[str]:
    """Somebody changes a file whose new one waits to be swapped in: refused, and their change is kept."""
    volume = SimulatedVolume.thawed(_killed(_two("overwrite", "rewrite", 3), "committed"))
    file = volume.open(B, write=True)
    file.write(0, b"foreign")
    file.close()
    return _refused(volume, B, "a foreign change before a swap")


def changed_while_preparing() -> list[str]:
    """Somebody changes the first file while the second is prepared: all stay, with their change."""
    changes = _two("overwrite", "rewrite", 3)
    volume = SimulatedVolume({one.path: one.base for one in changes}, scenario("x", changes, (A, B)).facts)
    real, done = SimulatedVolume.sync_folder, []
    opened = volume.open(A, write=True)  # before there is a lease on it

    def sync_folder(self: SimulatedVolume, path: str) -> None:
        real(self, path)
        if path == "/d/.insitu/a.d" and volume.stat("/d/.insitu/a.d/journal") and not done:
            opened.write(3, b"THEIRS")
            done.append(path)

    with pytest.MonkeyPatch.context() as busy:
        busy.setattr(SimulatedVolume, "sync_folder", sync_folder)
        try:
            together(volume, changes)
        except StaleError:
            theirs = {A: changes[0].base[:3] + b"THEIRS" + changes[0].base[9:], B: changes[1].base}
            return [] if volume.contents() == theirs else [f"something was touched: {volume.contents()}"]
    return ["a change made meanwhile was lost"]


def changed_after_the_commit() -> list[str]:
    """Somebody appends to one file while another is carried out: their change is kept, a person chooses."""
    return [problem for planned in ("shift", "rewrite") for problem in _appended_to(planned)]


def _appended_to(planned: str) -> Iterator[str]:
    changes = _two("shift", planned, 3)
    # Swaps are made first, then what is in place, in the order of locks.
    first, second = (B, A) if planned == "rewrite" else (A, B)
    bases = {one.path: one.base for one in changes}
    theirs = bases[second] + b"THEIRS" * 10
    volume = SimulatedVolume(bases, scenario("x", changes, (A, B)).facts)
    real = SimulatedVolume.remove
    opened = volume.open(second, write=True)  # before there is a lease on it

    def remove(self: SimulatedVolume, path: str) -> None:
        real(self, path)
        if path.endswith(".committed"):
            _fill(opened, theirs)

    with pytest.MonkeyPatch.context() as busy:
        busy.setattr(SimulatedVolume, "remove", remove)
        try:
            together(volume, changes)
            yield f"{planned}: a change made meanwhile was lost"
        except RecoveryNeededError as error:
            if error.file_state != "awaiting recovery" or list(error.facts["states"]) != [second]:
                yield f"{planned}: said to be {error.file_state}, {error.facts['states']}"
    now = volume.contents()
    results = {one.path: one.result for one in changes}
    if now[first] != results[first] or now[second] != theirs:
        yield f"{planned}: {now}"
    yield from _refused(volume, second, f"{planned}: a change after the commit")


class _Fenced(SimulatedVolume):
    """Shows nothing but the folder of one file, as a volume beneath a root does."""

    def stat(self, path: str) -> Stat | None:
        if not path.startswith("/e"):
            raise AccessError(f"{path} lies outside.")
        return super().stat(path)


def fenced() -> list[str]:
    """Recovery that may not look beyond a root: in doubt, unless the participant has noted the answer."""
    problems = []
    for after in ("prepared", "committed"):
        problems += _refused(_Fenced.thawed(_killed(_PLAIN, after)), B, f"a super-journal outside, {after}")
    points, _ = crash_points(BACKWARDS.start(), BACKWARDS.run)
    noted = [point for point in points if point.call == "write" and point.path == B]
    volume = _Fenced.thawed(noted[0].state)
    recovering(B)(volume)
    if volume.contents()[B] != _PLAIN[1].result:
        problems.append("a noted answer was not acted upon")
    return problems


def out_of_sight() -> list[str]:
    """A participant on a volume of its own, from where the super-journal cannot be seen, is refused."""
    changes = _PLAIN
    facts = scenario("x", changes, (A, B)).facts
    volumes = [SimulatedVolume({one.path: one.base, "/d/x": b""}, facts) for one in changes]
    try:
        together(volumes, changes)
    except RequestError:
        left = [volume.contents() for volume in volumes]
        clean = [{one.path: one.base, "/d/x": b""} for one in changes]
        return [] if left == clean else [f"something was left behind: {left}"]
    return ["files that cannot see each other changed together"]


def swapped_in_under_the_lock() -> list[str]:
    """Recovery swaps a file in: whoever asked for it holds the new one, not the one that is gone."""
    changes = _two("overwrite", "rewrite", 3)
    volume = SimulatedVolume.thawed(_killed(changes, "committed"))
    site = Site.of(volume, B)
    with writing(site, Policy(), 0) as held:
        if held.target.read(0, held.target.size()) != changes[1].result:
            return ["the lock is on the file that was swapped out"]
    return []
