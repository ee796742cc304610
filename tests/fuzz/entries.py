"""One entry per kind of file: bytes go in, recovery runs over them, and what must hold is asserted.

Every entry starts from a genuine state, made once through the engine on the simulated disk, and puts in the
place of one file: other bytes; the same with some of them changed; or what it held, changed in its meaning
and sealed again with valid checksums, which reaches behind them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from insitu.core.policy import Policy
from insitu.core.records import Kind as RecordKind
from insitu.engine.history import operations
from insitu.engine.index import LineIndex
from insitu.engine.session import writing
from insitu.engine.site import Site
from insitu.engine.snapshot import Generation, Snapshot
from insitu.engine.undo import redo, undo
from insitu.errors import InsituError, InternalError
from insitu.storage.memory import MemoryVolume
from insitu.testing.scenario import Scenario, crash_points
from insitu.testing.simulated import FrozenVolume, SimulatedVolume
from insitu.testing.survivors import Kill, left_by
from tests.crash import together
from tests.crash.commits import BASE, PATH, commit, patch, scenario
from tests.fuzz.choices import Choices, mutated_bytes
from tests.fuzz.records import Parts, Reach, mutated_journal, mutated_super_journal, reach

# A journal that brings more than this by repeating a unit says so itself, and is obeyed; not on a disk that
# lies in memory.
_SIZE_MAX = 1 << 16

_NONE_OF_OURS = "0" * 32 + ".undecided"
BYSTANDERS = {
    "/d/g": b"a neighbour",
    "/d/.insitu/g.d/0000000001.op": b"of the neighbour",
    f"/d/.insitu/g.d/{_NONE_OF_OURS}": b"not ours",
    f"/c/{_NONE_OF_OURS}": b"not ours",
    "/c/.insitu/.gitignore": b"*\n",
    "/c/f": b"far away",
}


class State(NamedTuple):
    """A genuine state, and the file in it whose bytes are to be fuzzed."""

    frozen: FrozenVolume
    path: str
    targets: dict[str, tuple[bytes, ...]]
    """What each target may be recovered to when nobody lied: old or new."""


@cache
def journals() -> list[State]:
    """Killed commits of every planner, at several moments; and participants of transactions."""
    far = BASE * 2
    made = [
        scenario(
            "overwrite",
            BASE,
            patch(BASE, (3, 6, b"xyz"), (30, 34, b"____")),
            policy=_by("overwrite"),
            earlier=[patch(BASE, (40, 41, b"1")), patch(BASE, (44, 45, b"2"))],
        ),
        scenario("growing", BASE, patch(BASE, (20, 21, b"longer than it was")), policy=_by("overwrite")),
        scenario("shift", far, patch(far, (5, 5, b"+++"), (60, 62, b"q")), policy=_by("shift")),
        scenario("left", far, patch(far, (7, 55, b"")), policy=_by("shift")),
        scenario("blocks", BASE, patch(BASE, (11, 11, b"I" * 16)), policy=_by("blocks")),
        scenario("rewrite", BASE, patch(BASE, (5, 9, b"rewritten")), policy=_by("rewrite")),
        scenario("fast", BASE, patch(BASE, (4, 8, b"fast")), policy=Policy(durability="fast")),
    ]
    found = []
    for one in made:
        found += _killed(_among_others(one), Site.of(SimulatedVolume(one.files, one.facts), PATH).journal)
    pair = together.scenario(
        "pair", [together.change("/d/a", "overwrite"), together.change("/d/b", "rewrite")], ("/d/a", "/d/b")
    )
    for path in ("/d/.insitu/a.d/journal", "/d/.insitu/b.d/journal"):
        found += _killed(_among_others(pair), path)
    return found


@cache
def super_journals() -> list[State]:
    """Transactions killed before and after their commit point."""
    pair = together.scenario(
        "pair", [together.change("/d/a", "overwrite"), together.change("/d/b", "shift")], ("/d/a", "/d/b")
    )
    one = _among_others(pair)
    points, _ = crash_points(one.start(), one.run)
    found = []
    for suffix in (".undecided", ".committed"):
        states = [left_by(point, Kill()) for point in points]
        held = [state for state in states if any(_super(path, suffix) for path in state.contents())]
        for state in (held[len(held) // 2], held[-1]):
            path = next(path for path in state.contents() if _super(path, suffix))
            found.append(State(state, path, _outcomes(one)))
    return found


@cache
def histories() -> list[State]:
    """A file with a history, some of it undone."""
    volume = SimulatedVolume({PATH: BASE, **BYSTANDERS}, scenario("", BASE, patch(BASE)).facts)
    was = BASE
    for planner, edit in (
        ("overwrite", (3, 6, b"xyz")),
        ("shift", (10, 10, b"more")),
        ("rewrite", (0, 2, b"")),
    ):
        edits = patch(was, edit)
        commit(volume, edits, _by(planner))
        was = edits.apply(was)
    site = Site.of(volume, PATH)
    with writing(site, _by("shift"), 0) as held:
        undo(site, held.target, _by("shift"), 1, 0.0).carry_out()
    volume.settle()
    frozen, now = volume.freeze(), volume.contents()[PATH]
    return [State(frozen, site.operation(number), {PATH: (now,)}) for number in site.operations()]


def _too_far(far: Reach | None) -> bool:
    return far is not None and max(far.brought, *far.sizes) > _SIZE_MAX


def journal(data: bytes) -> None:
    """An open journal of any bytes."""
    choices = Choices(data)
    state = choices.one_of(journals())
    changed, believed = _changed(choices, state, mutated_journal)
    far = reach(changed)
    if _too_far(far):
        return
    volume = _with(state, changed)
    for path, outcomes in state.targets.items():
        before = volume.freeze()
        error = _recovered(volume, path)
        now = volume.contents()[path]
        _nothing_else(before, volume, path)
        was = before.contents()[path]
        own = state.path.startswith(Site.of(volume, path).state + "/")
        if error is not None:
            assert now == was, f"refused, and yet changed: {error!r}"
        elif own and (believed or _slots(changed) != _slots(state.frozen.contents()[state.path])):
            # Slots that are lost look like torn ones: those before them count (assumption 2).
            allowed = far is not None and far.allows(was, now, overwrites=_overwrites(changed))
            assert now in (*outcomes, was) or allowed, "written outside of what the journal names"
        else:
            assert now in outcomes, "neither old nor new"


def super_journal(data: bytes) -> None:
    """A super-journal of any bytes."""
    choices = Choices(data)
    state = choices.one_of(super_journals())
    changed, _ = _changed(choices, state, mutated_super_journal)
    volume = _with(state, changed)
    for path, outcomes in state.targets.items():
        before = volume.freeze()
        error = _recovered(volume, path)
        _nothing_else(before, volume, path)
        now = volume.contents()[path]
        assert now == before.contents()[path] if error is not None else now in outcomes


def history(data: bytes) -> None:
    """A closed operation of any bytes: listed, undone and redone."""
    choices = Choices(data)
    state = choices.one_of(histories())
    changed, _ = _changed(choices, state, mutated_journal)
    if _too_far(reach(changed)):
        return
    number = 1 + choices.below(4)
    deeds: list[Callable[[SimulatedVolume, Site], object]] = [
        lambda volume, site: operations(site),
        lambda volume, site: _reversed(site, number),
        lambda volume, site: _reversed(site, None),
        lambda volume, site: _recovered(volume, PATH),
    ]
    for deed in deeds:
        volume = _with(state, changed)
        before = volume.freeze()
        try:
            deed(volume, Site.of(volume, PATH))
        except InsituError as error:
            assert not isinstance(error, InternalError), error
            assert volume.contents()[PATH] == before.contents()[PATH]
        _nothing_else(before, volume, PATH)


def index(data: bytes) -> None:
    """A saved index of lines of any bytes: no index, or right.

    Its checksum is no secret: what is sealed again may tell wrong lines, or say that it cannot.
    """
    choices = Choices(data)
    text = b"".join(b"x" * (at * 7 % 23) + b"\n" for at in range(40)) + b"no end"
    volume = MemoryVolume()
    file = volume.open("/f", create=True)
    file.write(0, text)
    reader = Snapshot(file, Generation.of(file.stat(), 0))
    plain = LineIndex.build(reader, granule_bytes=32)
    genuine = plain.to_bytes(b"stamp")
    changed = choices.rest() if choices.below(8) == 7 else mutated_bytes(choices, genuine)
    believed = choices.below(2)
    if believed:
        changed = changed[:-8] + struct.pack("=Q", xxh3_64_intdigest(changed[:-8]))
    saved = volume.open("/index", create=True)
    saved.write(0, changed)
    loaded = LineIndex.load(volume, "/index", reader, b"stamp")
    if loaded is None:
        return
    number = choices.below(len(text) + 9)
    questions: list[Callable[[LineIndex], object]] = [
        lambda index: index.line_count,
        lambda index: list(islice(index.spans(), 100)),
        lambda index: index.end_offset(number),
        lambda index: index.ends_before(number),
        lambda index: list(islice(index.extended(reader).spans(), 100)),
        lambda index: index.patched([], reader).line_count,
    ]
    for question in questions:
        answer = _answer(question, loaded)
        assert believed or answer == _answer(question, plain)


def _answer(question: Callable[[LineIndex], object], index: LineIndex) -> object:
    try:
        return question(index)
    except InsituError as error:
        return type(error)


def _by(planner: str) -> Policy:
    return Policy(history=9, planner=planner)


def _slots(data: bytes) -> object:
    try:
        return Parts.of(data).slots
    except (ValueError, struct.error):
        return None


def _super(path: str, suffix: str) -> bool:
    return path.endswith(suffix) and path not in BYSTANDERS


def _among_others(one: Scenario) -> Scenario:
    def prepare(volume: SimulatedVolume) -> None:
        one.prepare(volume)
        volume.make_folder("/c/.insitu/f.d", volume.open("/c/f").stat())

    return replace(one, files={**one.files, **BYSTANDERS}, prepare=prepare)


def _outcomes(one: Scenario) -> dict[str, tuple[bytes, ...]]:
    before = one.start().contents()
    return {path: (before[path], new) for path, new in one.results.items() if new is not None}


def _killed(one: Scenario, path: str) -> list[State]:
    """The states in which the journal is there: first, middle and last."""
    points, _ = crash_points(one.start(), one.run)
    states = [left_by(point, Kill()) for point in points]
    held = [state for state in states if path in state.contents()]
    return [State(held[at], path, _outcomes(one)) for at in (0, len(held) // 2, len(held) - 1)]


def _changed(choices: Choices, state: State, sealed: Callable[[Choices, bytes], bytes]) -> tuple[bytes, bool]:
    """Other bytes for the file, and whether they are sealed."""
    genuine = state.frozen.contents()[state.path]
    match choices.below(8):
        case 0:
            return choices.rest(), False
        case 1:
            return mutated_bytes(choices, genuine), False
        case _:
            return sealed(choices, genuine), True


def _with(state: State, data: bytes) -> SimulatedVolume:
    """The volume as it was, with other bytes in the file."""
    volume = SimulatedVolume.thawed(state.frozen)
    file = volume.open(state.path, write=True)
    file.resize(0)
    file.write(0, data)
    file.close()
    volume.settle()
    return volume


def _recovered(volume: SimulatedVolume, path: str) -> InsituError | None:
    """Opens a file as the next writer does; returns what refused it."""
    try:
        with writing(Site.of(volume, path), Policy(), 0):
            return None
    except InternalError:
        raise
    except InsituError as error:
        return error


def _reversed(site: Site, number: int | None) -> None:
    with writing(site, _by("overwrite"), 0) as held:
        undo(site, held.target, Policy(history=9), number, 0.0).carry_out()
    with writing(site, Policy(), 0) as held:
        redo(site, held.target, Policy(history=9), 0.0).carry_out()


def _nothing_else(before: FrozenVolume, volume: SimulatedVolume, path: str) -> None:
    """Asserts that no file was made, changed or removed but the target and what is its own."""
    was, now = before.contents(), volume.contents()
    state = Site.of(volume, path).state + "/"
    for other in sorted(was.keys() | now.keys()):
        name = other.removeprefix(state)
        finished = name in ("journal", "journal.tmp", "new") or (name.endswith(".op") and other not in was)
        transaction = "/.insitu/" in other and other not in BYSTANDERS and _is_super(name)
        if other == path or (other.startswith(state) and finished) or transaction:
            continue
        assert was.get(other) == now.get(other), f"{other} was touched"
    folders = {found for found, _ in before.paths if found.endswith("/")}
    left = {found for found, _ in volume.freeze().paths if found.endswith("/")}
    gone = {folder for folder in folders - left if not folder.startswith("/d/.insitu/")}
    assert not gone, f"{gone} went"


def _is_super(name: str) -> bool:
    return name.endswith((".undecided", ".committed"))


def _overwrites(data: bytes) -> bool:
    return bool(Parts.of(data).json(RecordKind.PLAN)["planner"] == "overwrite")
