"""The kept line index on real files: what is read again after which change, and what is never believed."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import insitu.engine.kept_index
from insitu.core.columns import block_of
from insitu.core.patch import Splice
from insitu.core.pieces import Fill, Literal
from insitu.core.policy import Policy
from insitu.core.spans import Span
from insitu.engine.commit import Commit
from insitu.engine.granules import GRANULE_BYTES
from insitu.engine.index import LINES_LAYOUT, LineIndex
from insitu.engine.kept_index import Change, coarse, composed, line_index, moved
from insitu.engine.receipt import Receipt
from insitu.engine.session import snapshot, writing
from insitu.engine.site import Site
from insitu.engine.snapshot import Generation, Snapshot
from insitu.engine.spool import Spool
from insitu.errors import CancelledError, StorageError
from insitu.scan.windows import WINDOW_BYTES
from insitu.storage.local import local_volume
from tests.readers import CountingSnapshot

SIZE = 20 * GRANULE_BYTES
# Of 20 granules, 16 are samples; a change in this one is seen by nothing but rules.
UNSAMPLED = 4 * GRANULE_BYTES + 1000
LONG_AGO_S = 1_000_000_000
KEEPING = Policy()


@cache
def text() -> bytes:
    """Lines of all lengths, the last one unterminated."""
    source = random.Random(7)
    return b"".join(b"x" * source.randrange(150) + b"\n" for _ in range(SIZE // 70))[:SIZE]


def tick() -> None:
    """Waits until the clock of the file system has moved on, so that the next change shows."""
    time.sleep(0.03)


def commit(site: Site, *edits: tuple[int, int, bytes | Fill], policy: Policy = KEEPING) -> Receipt:
    """Commits one patch of ours; then waits a tick."""
    with writing(site, policy, 5.0) as held:
        commit = Commit(site, held.target, policy)
        base = Snapshot(held.target, Generation.of(held.target.stat(), 0))
        spool = Spool(commit.journal, base, lambda _path: base)
        spool.add(
            Splice(Span(start, stop), (Literal(new) if isinstance(new, bytes) else new,))
            for start, stop, new in edits
        )
        spool.finish()
        receipt = commit.carry_out()
    tick()
    return receipt


class Kept:
    """A file of lines, opened anew for every question; ``read_bytes`` is what the last one cost."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(text())
        os.utime(path, (LONG_AGO_S, LONG_AGO_S))
        self.path = path
        self.site = Site.of(local_volume(), str(path))
        self.read_bytes = 0

    def index(self, policy: Policy = KEEPING, *, write: bool = True) -> LineIndex:
        base = snapshot(self.site, write=write, policy=policy, lock_timeout_s=5.0)
        counted = CountingSnapshot(base.file, base.generation)
        index = line_index(self.site, counted, policy)
        # The first window is read each time, to tell which byte ends lines.
        self.read_bytes = counted.read_bytes - min(1 << 20, base.size)
        return index

    @property
    def saved(self) -> Path:
        return Path(self.site.line_index)

    def check(self, index: LineIndex) -> None:
        """Asserts that the index answers as the bytes do."""
        data = self.path.read_bytes()
        assert index.size == len(data)
        assert index.count == data.count(b"\n")
        ends, step = 0, len(data) // 40 + 1
        for offset in range(0, len(data), step):
            assert index.ends_before(offset) == ends
            ends += data.count(b"\n", offset, offset + step)

    def saved_now(self) -> bool:
        """Whether the saved index is of the file as it is."""
        base = snapshot(self.site, write=False, policy=Policy(), lock_timeout_s=5.0)
        stamp = LINES_LAYOUT.saved_stamp(self.site.volume, self.site.line_index)
        base.file.close()
        return stamp == base.generation.token.encode()


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "huge.log")


@pytest.fixture
def no_build(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Forbids to build from here on."""

    def refuse(*_args: object, **_options: object) -> LineIndex:
        raise AssertionError("built again")

    return lambda: monkeypatch.setattr(LineIndex, "build", refuse)


def test_an_index_is_built_once_and_loaded_after(kept: Kept, no_build: Callable[[], None]) -> None:
    kept.check(kept.index())
    no_build()
    kept.check(kept.index(write=False))
    assert kept.read_bytes == 0


def test_one_operation_is_patched_in(kept: Kept, no_build: Callable[[], None]) -> None:
    kept.index()
    commit(kept.site, (2_000_000, 2_000_100, b"a\nb\nc\n"))
    no_build()
    kept.check(kept.index())
    assert kept.saved_now()


@pytest.mark.parametrize("planner", ["shift", "rewrite"])
def test_several_operations_are_patched_in_at_once(
    kept: Kept, no_build: Callable[[], None], planner: str
) -> None:
    kept.index()
    policy = Policy(planner=planner)
    commit(kept.site, (1_000_000, 1_000_000, b"\n" * 1000), (4_000_000, 4_100_000, b""), policy=policy)
    commit(kept.site, (500_000, 1_000_500, b"y\n"), policy=policy)
    commit(kept.site, (0, 0, b"first\n"), (4_400_000, 4_400_001, b"\n"), policy=policy)
    no_build()
    kept.check(kept.index())
    assert kept.saved_now()
    kept.check(kept.index())


def test_what_was_appended_is_added(kept: Kept, no_build: Callable[[], None]) -> None:
    kept.index()
    with kept.path.open("ab") as log:
        log.write(b"more\n" * 100)
    tick()
    no_build()
    kept.check(kept.index())
    assert kept.saved_now()


def test_what_was_appended_after_an_operation_is_added(kept: Kept, no_build: Callable[[], None]) -> None:
    kept.index()
    commit(kept.site, (2_000_000, 2_000_100, b"a\nb\nc\n"))
    with kept.path.open("ab") as log:
        log.write(b"more\n" * 100)
    tick()
    no_build()
    kept.check(kept.index())


def test_what_a_stranger_appended_during_a_commit_is_counted(kept: Kept) -> None:
    kept.index()
    with writing(kept.site, KEEPING, 5.0) as held:
        commit = Commit(kept.site, held.target, Policy(planner="overwrite"))
        commit.journal.add_splices(block_of([(100, 101, 1)]))
        commit.journal.add_new(b"\n")

        def append(_done: int, _size: int) -> None:
            with kept.path.open("ab") as log:
                log.write(b"more\n")

        commit.carry_out(progress=append)
    tick()
    assert kept.path.stat().st_size > SIZE
    kept.check(kept.index())


def overwritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(UNSAMPLED)
        file.write(b"\n" * 1000)


def inserted_in_place(path: Path) -> None:
    data = path.read_bytes()
    with path.open("r+b") as file:
        file.write(data[:UNSAMPLED] + b"a line\n" + data[UNSAMPLED:])


def grown_and_changed_at_the_old_end(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(SIZE - 5)
        file.write(b"\n" * 100)


def cut(path: Path) -> None:
    os.truncate(path, 4_500_000)


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes() + b"more\n")
    overwritten(other)
    other.replace(path)


def restored_from_long_ago(path: Path) -> None:
    with path.open("ab") as log:
        log.write(b"more\n")
    overwritten(path)
    os.utime(path, (LONG_AGO_S - 9, LONG_AGO_S - 9))


STRANGERS = [
    overwritten,
    inserted_in_place,
    grown_and_changed_at_the_old_end,
    cut,
    replaced,
    restored_from_long_ago,
]


@pytest.mark.parametrize("change", STRANGERS, ids=lambda change: change.__name__)
@pytest.mark.parametrize("after_ours", [False, True])
def test_what_a_stranger_changed_is_counted_again(
    kept: Kept, change: Callable[[Path], None], after_ours: bool
) -> None:
    kept.index()
    if after_ours:
        commit(kept.site, (100, 101, b"\n"))
    change(kept.path)
    tick()
    kept.check(kept.index())
    assert kept.saved_now()


def test_a_uniform_file_with_a_line_inserted_by_a_stranger_is_not_taken_for_appended_to(kept: Kept) -> None:
    # Every granule but one keeps its count, so that only the bytes tell.
    data = bytearray(b"0123456789abcd\n\n" * (SIZE // 16))
    data[3_000_000:3_000_016] = b"\n" * 16
    kept.path.write_bytes(data)
    os.utime(kept.path, (LONG_AGO_S, LONG_AGO_S))
    kept.index()
    kept.path.open("r+b").write(data[:1_000_000] + b"0123456789abcde\n" + data[1_000_000:])
    tick()
    kept.check(kept.index())


def test_after_a_change_of_ours_at_the_end_growth_is_not_taken_for_an_append(kept: Kept) -> None:
    kept.index()
    commit(kept.site, (SIZE - 10, SIZE - 9, b"\n"))
    data = kept.path.read_bytes()
    start = 18 * GRANULE_BYTES + 1000  # behind it there is no sample but the one we changed
    with kept.path.open("r+b") as file:
        file.write(data[:start] + b"\n" * 500 + data[start:])
    tick()
    kept.check(kept.index())


def test_a_strangers_change_between_operations_breaks_the_chain(kept: Kept) -> None:
    kept.index()
    commit(kept.site, (100, 101, b"\n"))
    overwritten(kept.path)
    tick()
    commit(kept.site, (100, 101, b"\n\n"))
    kept.check(kept.index())


def test_an_operation_without_history_breaks_the_chain(kept: Kept) -> None:
    kept.index()
    commit(kept.site, (100, 2_000_100, b"\n\n"), policy=Policy(history=0))
    kept.check(kept.index())


def test_more_operations_than_are_worth_reading_rebuild(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.index()
    monkeypatch.setattr(insitu.engine.kept_index, "_OPERATIONS_MAX", 1)
    for _ in range(2):
        commit(kept.site, (100, 101, b"\n\n"))
    kept.check(kept.index())
    assert kept.read_bytes >= SIZE


def test_an_operation_that_changed_most_of_the_file_rebuilds(kept: Kept) -> None:
    kept.index()
    commit(kept.site, (100, 3_000_000, Fill(10, 3_000_000)))
    kept.check(kept.index())
    assert kept.read_bytes >= SIZE


def test_a_change_of_the_byte_that_ends_lines_rebuilds(kept: Kept) -> None:
    kept.path.write_bytes(b"mac\r" * (SIZE // 4))
    os.utime(kept.path, (LONG_AGO_S, LONG_AGO_S))
    assert kept.index().newline == b"\r"
    commit(kept.site, (3, 4, b"\n"))
    assert kept.index().newline == b"\n"
    kept.check(kept.index())


def test_a_commit_that_is_not_closed_yet_does_not_pass_for_an_append(kept: Kept) -> None:
    kept.index()
    fast = Policy(durability="fast")
    commit(kept.site, (UNSAMPLED, UNSAMPLED + 100, b"\n" * 100), (SIZE, SIZE, b"end\n"), policy=fast)
    file = kept.site.open()
    base = Snapshot(file, Generation.of(file.stat(), 0))
    kept.check(line_index(kept.site, base, fast))


def test_an_ending_cut_by_the_first_window_is_whole(kept: Kept) -> None:
    kept.path.write_bytes(b"x" * (WINDOW_BYTES - 1) + b"\r\n" * 9)
    assert kept.index().newline == b"\n"


@pytest.mark.parametrize(
    ("policy", "size"), [(Policy(history=0), SIZE), (Policy(), 4_000_000)], ids=["no history", "small"]
)
def test_nothing_is_left_beside_the_file(kept: Kept, policy: Policy, size: int) -> None:
    os.truncate(kept.path, size)
    os.utime(kept.path, (LONG_AGO_S, LONG_AGO_S))
    kept.check(kept.index(policy))
    assert [entry.name for entry in kept.path.parent.iterdir()] == ["huge.log"]


SECOND_NS = 1_000_000_000


@pytest.mark.parametrize(
    ("age_ns", "fraction_ns", "saved"),
    [
        (-3_600 * SECOND_NS, 1, False),
        (SECOND_NS // 2, 0, False),
        (SECOND_NS // 2, 1, True),
        (3 * SECOND_NS, 0, True),
    ],
    ids=["time to come", "a moment ago, coarse", "a moment ago", "coarse"],
)
def test_an_index_read_within_the_tick_of_a_change_is_not_saved(
    kept: Kept, age_ns: int, fraction_ns: int, saved: bool
) -> None:
    changed_ns = (time.time_ns() - age_ns) // 1_000_000 * 1_000_000 + fraction_ns
    os.utime(kept.path, ns=(changed_ns, changed_ns))
    kept.check(kept.index())
    assert kept.saved_now() == saved


def test_an_index_read_at_once_after_a_change_is_not_saved(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns = time.time_ns() | 1
    os.utime(kept.path, ns=(now_ns, now_ns))
    monkeypatch.setattr(time, "time_ns", lambda: now_ns + 10_000_000)
    kept.check(kept.index())
    assert not kept.saved.exists()


def test_an_index_that_cannot_be_saved_is_as_good(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object) -> None:
        raise StorageError("The disk is full.")

    monkeypatch.setattr("insitu.engine.kept_index.save", full)
    kept.check(kept.index())
    assert not (kept.path.parent / ".insitu").exists()


def test_a_file_that_changed_while_it_was_read_is_not_saved(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = LineIndex.build

    def slow(*args: object, **options: object) -> LineIndex:
        index = build(*args, **options)
        overwritten(kept.path)
        return index

    monkeypatch.setattr(LineIndex, "build", slow)
    kept.index()
    assert not kept.saved.exists()


def test_an_index_in_a_folder_open_to_others_is_not_believed(kept: Kept) -> None:
    kept.index()
    kept.saved.parent.chmod(0o777)
    kept.check(kept.index())
    assert kept.read_bytes >= SIZE


@pytest.mark.parametrize("damage", [b"", b"?" * 300])
def test_a_damaged_index_is_built_again(kept: Kept, damage: bytes) -> None:
    kept.index()
    kept.saved.write_bytes(damage)
    kept.check(kept.index())
    assert kept.saved_now()


def test_building_can_be_cancelled(kept: Kept) -> None:
    base = snapshot(kept.site, write=True, policy=Policy(), lock_timeout_s=5.0)
    with pytest.raises(CancelledError):
        line_index(kept.site, base, Policy(), cancel=lambda: True)
    assert not kept.saved.exists()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["edit", "append", "overwrite", "cut", "replace", "ask"]),
        st.floats(0, 1),
        st.sampled_from([0, 1, 100, 70_000, 1_000_000]),
        st.sampled_from([b"", b"\n", b"a\nb", b"line\n" * 20_000, b"x" * 300_000]),
    ),
    min_size=1,
    max_size=5,
)


@pytest.mark.slow
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_happened_the_kept_index_answers_as_the_bytes_do(
    tmp_path: Path, steps: list[tuple[str, float, int, bytes]]
) -> None:
    shutil.rmtree(tmp_path / ".insitu", ignore_errors=True)
    kept = Kept(tmp_path / "huge.log")
    kept.check(kept.index())
    for what, where, old_size, new in steps:
        size = kept.path.stat().st_size
        start = int(where * size)
        stop = min(start + old_size, size)
        if what == "edit":
            if stop - start + len(new):
                commit(kept.site, (start, stop, new))
        elif what == "append":
            with kept.path.open("ab") as file:
                file.write(new)
        elif what == "overwrite":
            # With an append between two questions it could be missed: see the module's limits.
            kept.check(kept.index())
            with kept.path.open("r+b") as file:
                file.seek(start)
                file.write(new)
            tick()
            kept.check(kept.index())
        elif what == "cut":
            os.truncate(kept.path, max(start, size // 2))
        elif what == "replace":
            replaced(kept.path)
        else:
            kept.check(kept.index())
        tick()
    kept.check(kept.index())


GENERATIONS = st.builds(
    Generation,
    st.integers(0, 1 << 64),
    st.integers(0, 1 << 40),
    st.integers(0, 1 << 64),
    st.integers(-(1 << 63), 1 << 63),
)


@given(generation=GENERATIONS)
def test_a_generation_is_what_its_token_names(generation: Generation) -> None:
    assert Generation.parse(generation.token) == generation


@pytest.mark.parametrize(
    "text",
    ["", "1", "1-2-3", "1-2-3-", "1-2-3-4-5", "1-2-3-g", "01-2-3-4", "1-0x2-3-4", "1-2-3-A", "1- 2-3-4"],
)
def test_what_is_no_token_names_no_generation(text: str) -> None:
    assert Generation.parse(text) is None


# The pure steps, on bytes that all differ, so that what was kept can be told from what was not.

EDITS = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 12), st.integers(0, 12)), max_size=6)


def changes_of(edits: list[tuple[int, int, int]], size: int) -> list[Change]:
    """Sorted, disjoint changes over ``size`` bytes."""
    changes: list[Change] = []
    at = 0
    for gap, old, new in sorted(edits):
        start = min(at + gap // 4, size)
        at = min(start + old, size)
        changes.append(Change(start, at, new))
    return changes


def apply(base: list[object], changes: list[Change]) -> list[object]:
    for start, stop, new_size in reversed(changes):
        base = [*base[:start], *(object() for _ in range(new_size)), *base[stop:]]
    return base


@given(sequence=st.lists(EDITS, max_size=4), near=st.integers(0, 9))
def test_composed_changes_keep_what_every_operation_kept(
    sequence: list[list[tuple[int, int, int]]], near: int
) -> None:
    base: list[object] = list(range(60))
    now, changes = base, list[Change]()
    for edits in sequence:
        step = changes_of(edits, len(now))
        now = apply(now, step)
        changes = composed(changes, step, near)
    rest, at = list(now), 0
    for start, stop, new_size in changes:
        assert at <= start <= stop
        assert rest[: start - at] == base[at:start]
        rest, at = rest[start - at + new_size :], stop
    assert rest == base[at:]


@given(sequence=st.lists(EDITS, max_size=4), at=st.integers(0, 60), size=st.integers(1, 10))
def test_moved_bytes_are_found_or_were_touched(
    sequence: list[list[tuple[int, int, int]]], at: int, size: int
) -> None:
    base: list[object] = list(range(70))
    now, changes = base, list[Change]()
    for edits in sequence:
        step = changes_of(edits, len(now))
        now, changes = apply(now, step), composed(changes, step)
    span = moved(Span(at, at + size), changes)
    wanted = base[at : at + size]
    if span is not None:
        assert now[span.start : span.stop] == wanted
    else:
        assert any(start < at + size and at < stop for start, stop, _new_size in changes)


@given(
    edits=st.lists(EDITS, max_size=3).map(lambda lists: [edit for one in lists for edit in one]),
    cut=st.integers(0, 18),
    near=st.integers(0, 30),
)
def test_coarse_changes_are_the_splices_those_near_as_one(
    edits: list[tuple[int, int, int]], cut: int, near: int
) -> None:
    splices = changes_of(edits, 300)
    first = block_of(splices[:cut])
    blocks = [first, block_of(splices[cut:], olds=first.olds[-1], news=first.news[-1])]
    changes = composed([], coarse(blocks, near), near)
    assert changes == composed([], splices, near)
    assert all(after.start - before.stop > near for before, after in pairwise(changes))


def test_changes_far_apart_stay_apart() -> None:
    first, second = [Change(10, 20, 5), Change(100, 100, 10)], [Change(0, 1, 1), Change(50, 50, 3)]
    assert composed(first, second) == [(0, 1, 1), (10, 20, 5), (55, 55, 3), (100, 100, 10)]


def test_a_mass_of_splices_becomes_few_changes() -> None:
    block = block_of((at, at + 1, 2) for at in range(0, 10_000_000, 100))
    assert list(coarse([block], GRANULE_BYTES)) == [(0, 9_999_901, 9_999_901 + 100_000)]
