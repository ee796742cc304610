"""Whatever the storage and the planner: a commit leaves what the patch says, and undo gives the base back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from insitu.core import check as checking
from insitu.core import columns, plan, rendering
from insitu.core.patch import Patch, Splice
from insitu.core.pieces import Copy, Fill, Literal
from insitu.core.policy import Policy
from insitu.core.spans import Span
from insitu.engine import commit, execute, history, journal, pools, spool, undo
from insitu.engine.commit import Commit
from insitu.engine.receipt import Receipt
from insitu.engine.session import generation, writing
from insitu.engine.site import Site
from insitu.engine.snapshot import Snapshot
from insitu.errors import NoPlanError
from insitu.planners import overwrite, rewrite, shift
from insitu.planners.choose import PLANNERS
from insitu.storage.base import Volume
from insitu.storage.linux import LinuxVolume
from insitu.storage.memory import ABLE, MemoryVolume
from insitu.storage.portable import PortableVolume

EXAMPLES = settings.default.max_examples if settings.default else 100
BLOCK = 16
TINY = replace(ABLE, block_bytes=BLOCK, atom_bytes=BLOCK)
OTHER = bytes(range(200))


def shrink(monkeypatch: pytest.MonkeyPatch, unit: int) -> None:
    """Lets files of some units have many windows, segments, payloads and column blocks."""
    monkeypatch.setattr(plan, "WINDOW_BYTES", 4 * unit)
    monkeypatch.setattr(execute, "WINDOW_BYTES", 4 * unit)
    monkeypatch.setattr(shift, "WINDOW_BYTES", 2 * unit)
    monkeypatch.setattr(shift, "SEGMENT_BYTES", 4 * unit)
    monkeypatch.setattr(rewrite, "TRANSFER_BYTES", 2 * unit + 8)
    monkeypatch.setattr(checking, "_RUNS_LISTED", 1)
    monkeypatch.setattr(checking, "_COLUMNS_STEPS", 2)
    monkeypatch.setattr(execute, "DENSE_PLACES", 2)
    monkeypatch.setattr(overwrite, "_VECTOR_SPLICES", 3)
    monkeypatch.setattr(columns, "_VECTOR_SPLICES", 3)
    monkeypatch.setattr(rendering, "_READ_THROUGH_BYTES", unit + 4)
    monkeypatch.setattr(spool, "BLOCK_SPLICES", 3)
    for module in (commit, history, journal, pools, spool):
        monkeypatch.setattr(module, "PAYLOAD_BYTES", 3 * unit + 2)


@pytest.fixture(autouse=True)
def small_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch, BLOCK)


@st.composite
def patches(draw: st.DrawFn, unit: int) -> tuple[bytes, Patch]:
    """A base of some units and a patch whose offsets and sizes are near multiples of the unit, or not."""
    near = st.builds(
        lambda units, off: max(0, units * unit + off), st.integers(0, 9), st.sampled_from([0, 0, -1, 1, 7])
    )
    size = draw(near)
    base = random.Random(draw(st.integers(0, 99))).randbytes(size)
    cuts = sorted(min(cut, size) for cut in draw(st.lists(near | st.integers(0, size), max_size=12)))
    sources = st.builds(lambda a, b: Span(min(a, b), max(a, b)), st.integers(0, 200), st.integers(0, 200))
    splices = []
    for a, b in zip(cuts[::2], cuts[1::2], strict=False):
        new = draw(st.sampled_from([b - a, 0, unit, b - a + unit, max(0, b - a - unit), 3]))
        pieces: list[Literal | Copy | Fill] = [Literal(random.Random(a).randbytes(new))]
        match draw(st.sampled_from(["literal", "literal", "fill", "base", "other"])):
            case "fill":
                pieces.append(Fill(draw(st.integers(0, 255)), draw(st.integers(0, 2 * unit))))
            case "base":
                span = draw(sources)
                pieces.insert(0, Copy(None, Span(min(span.start, size), min(span.stop, size))))
            case "other":
                pieces.append(Copy("other", draw(sources)))
        splices.append(Splice(Span(a, b), tuple(pieces)))
    return base, Patch(size, tuple(splices))


class Held:
    """Another file, in memory."""

    size = len(OTHER)

    def read(self, offset: int, size: int) -> bytes:
        return OTHER[offset : offset + size]

    def read_into(self, offset: int, buffer: memoryview) -> None:
        buffer[:] = self.read(offset, len(buffer))


def made(volume: Volume, path: str, data: bytes) -> Site:
    file = volume.open(path, write=True, create=True)
    file.write(0, data)
    file.close()
    return Site.of(volume, path)


def contents(site: Site) -> bytes:
    file = site.open()
    try:
        return file.read(0, file.size())
    finally:
        file.close()


def committed(site: Site, patch: Patch, policy: Policy) -> Receipt | None:
    """Commits a patch; None where it changes nothing."""
    with writing(site, policy, 1.0) as held:
        commit = Commit(site, held.target, policy)
        base = Snapshot(held.target, generation(site, held.target))
        spooled = spool.Spool(commit.journal, base, lambda path: Held())
        spooled.add(patch.splices)
        spooled.finish()
        if not commit.journal.splices.summary.places:
            commit.discard()
            return None
        return commit.carry_out()


def undone(site: Site, policy: Policy) -> Receipt:
    with writing(site, policy, 1.0) as held:
        return undo.undo(site, held.target, policy, None, 0.0).carry_out()


def redone(site: Site, policy: Policy) -> Receipt:
    with writing(site, policy, 1.0) as held:
        return undo.redo(site, held.target, policy, 0.0).carry_out()


def check_laws(site: Site, base: bytes, patch: Patch, policy: Policy) -> None:
    result = patch.apply(base, lambda path, span: OTHER[span.start : span.stop])
    try:
        receipt = committed(site, patch, policy)
    except NoPlanError:
        assert contents(site) == base
        assert site.volume.names(site.folder) == [site.path.rpartition("/")[2]], "a refusal left something"
        event("refused")
        return
    assert contents(site) == result
    if receipt is None:
        assert result == base
        return
    event(receipt.plan)
    assert (receipt.size_before, receipt.size_after) == (len(base), len(result))
    with writing(site, policy, 1.0):
        pass  # a fast commit is closed by whoever locks next
    assert contents(site) == result
    if not policy.history:
        assert site.volume.names(site.folder) == [site.path.rpartition("/")[2]]
        return
    backwards = replace(policy, planner=None)
    undone(site, backwards)
    assert contents(site) == base
    redone(site, backwards)
    assert contents(site) == result


policies = st.builds(
    Policy,
    planner=st.sampled_from([None, *PLANNERS, "shift", "blocks"]),
    durability=st.sampled_from(["full", "fast"]),
    history=st.sampled_from([100, 100, 0]),
)


@pytest.mark.slow
@settings(max_examples=3 * EXAMPLES)
@given(patches(BLOCK), policies, st.booleans(), st.booleans())
@example(
    (bytes(range(256)), Patch(256, (Splice(Span(16, 16), (Literal(bytes(32)),)),))),
    Policy(planner="blocks"),
    True,
    True,
)
def test_in_memory_any_plan_leaves_the_result_and_undo_the_base(given_patch, policy, ranges, marks) -> None:
    base, patch = given_patch
    volume = MemoryVolume(replace(TINY, ranges=ranges, marks=marks, punch=marks))
    check_laws(made(volume, "/file", base), base, patch, policy)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("laws")


@pytest.mark.slow
@settings(max_examples=EXAMPLES * 4 // 5)
@given(patches(4096), policies, st.sampled_from([LinuxVolume, PortableVolume]))
def test_on_a_disk_any_plan_leaves_the_result_and_undo_the_base(folder, given_patch, policy, kind) -> None:
    base, patch = given_patch
    with TemporaryDirectory(dir=folder) as place, pytest.MonkeyPatch.context() as monkeypatch:
        shrink(monkeypatch, 4096)
        check_laws(made(kind(), f"{place}/file", base), base, patch, policy)


@pytest.mark.slow
@settings(max_examples=EXAMPLES * 4 // 5)
@given(patches(BLOCK), st.lists(st.tuples(st.integers(0, 300), st.binary(max_size=40)), max_size=4))
def test_any_number_of_commits_is_walked_back_and_forth(given_patch, more) -> None:
    base, patch = given_patch
    site = made(MemoryVolume(TINY), "/file", base)
    versions = [base]
    if committed(site, patch, Policy()) is not None:
        versions.append(contents(site))
    for at, data in more:
        size = len(versions[-1])
        span = Span(min(at, size), min(at + len(data) // 2, size))
        if committed(site, Patch(size, (Splice(span, (Literal(data),)),)), Policy()) is not None:
            versions.append(contents(site))
    for version in versions[-2::-1]:
        undone(site, Policy())
        assert contents(site) == version
    for version in versions[1:]:
        redone(site, Policy())
        assert contents(site) == version
    for version in versions[-2::-1]:
        undone(site, Policy())
        assert contents(site) == version


@pytest.mark.slow
@settings(max_examples=3 * EXAMPLES)
@given(
    st.binary(min_size=1, max_size=60),
    st.lists(
        st.tuples(st.integers(0, 80), st.integers(0, 12), st.binary(max_size=12)), min_size=2, max_size=5
    ),
    st.data(),
)
def test_an_older_operation_is_undone_past_later_ones_or_refused(base, edits, data) -> None:
    """The oracle gives each byte a name, so that it is known where an operation's bytes went."""
    site = made(MemoryVolume(TINY), "/file", base)
    tokens: list[tuple[object, int]] = [(("base", i), byte) for i, byte in enumerate(base)]
    done: dict[int, tuple[list[tuple[object, int]], list[tuple[object, int]]]] = {}
    for at, size, new in edits:
        span = Span(min(at, len(tokens)), min(at + size, len(tokens)))
        patch = Patch(len(tokens), (Splice(span, (Literal(new),)),))
        receipt = committed(site, patch, Policy())
        if receipt is None:
            continue
        fresh: list[tuple[object, int]] = [((receipt.operation, i), byte) for i, byte in enumerate(new)]
        done[receipt.operation] = (tokens[span.start : span.stop], fresh)
        tokens[span.start : span.stop] = fresh
    writers = [number for number, (_, fresh) in done.items() if fresh]
    if not writers:
        return
    number = data.draw(st.sampled_from(writers))
    old, fresh = done[number]
    at = tokens.index(fresh[0]) if fresh[0] in tokens else -1
    with writing(site, Policy(), 1.0) as held:
        if at >= 0 and tokens[at : at + len(fresh)] == fresh:
            undo.undo(site, held.target, Policy(), number, 0.0).carry_out()
            tokens[at : at + len(fresh)] = old
            event("undone")
        else:
            with pytest.raises(undo.UndoError, match="is unchanged"):
                undo.undo(site, held.target, Policy(), number, 0.0).carry_out()
            event("refused")
    assert contents(site) == bytes(byte for _, byte in tokens)
