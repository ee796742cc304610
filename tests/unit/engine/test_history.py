"""The history: which operations lead where, what undo and redo take next, and what is forgotten."""

from __future__ import annotations

from contextlib import closing

import pytest

from insitu.core.columns import Splices, block_of
from insitu.core.patch import Patch, Splice
from insitu.core.pieces import Literal
from insitu.core.policy import Policy
from insitu.core.records import State
from insitu.core.spans import Span
from insitu.engine import history, undo
from insitu.engine.commit import Commit
from insitu.engine.journal import Journal
from insitu.engine.receipt import Receipt
from insitu.engine.session import generation, snapshot, writing
from insitu.engine.site import Site
from insitu.engine.snapshot import Generation, Snapshot
from insitu.engine.spool import Spool
from insitu.errors import UndoError
from insitu.storage.memory import MemoryVolume

BASE = b"0123456789" * 10


@pytest.fixture
def site() -> Site:
    volume = MemoryVolume()
    file = volume.open("/file", write=True, create=True)
    file.write(0, BASE)
    file.close()
    return Site.of(volume, "/file")


def contents(site: Site) -> bytes:
    file = site.open()
    return file.read(0, file.size())


def edit(site: Site, start: int, stop: int, new: bytes, policy: Policy = Policy()) -> Receipt:  # noqa: B008
    with writing(site, policy, 0) as held:
        commit = Commit(site, held.target, policy)
        spool = Spool(commit.journal, Snapshot(held.target, generation(site, held.target)), lambda path: None)
        spool.add([Splice(Span(start, stop), (Literal(new),))])
        spool.finish()
        return commit.carry_out()


def back(site: Site, number: int | None = None) -> Receipt:
    with writing(site, Policy(), 0) as held:
        return undo.undo(site, held.target, Policy(), number, 0).carry_out()


def forth(site: Site) -> Receipt:
    with writing(site, Policy(), 0) as held:
        return undo.redo(site, held.target, Policy(), 0).carry_out()


def state(site: Site) -> history.State:
    status = site.status()
    return status.inode, status.size, status.mtime_ns


# Steps: "e" an edit, "u" an undo, "r" a redo; then (operations in effect, undos that can be taken back).
WALKS = {
    "": ([], []),
    "eee": ([1, 2, 3], []),
    "eeu": ([1], [3]),
    "eeuu": ([], [3, 4]),
    "eeuur": ([5], [3]),
    "eeuurr": ([5, 6], []),
    "eeuurru": ([5], [7]),
    "eue": ([3], []),
    "eeue": ([1, 4], []),
    "eururur": ([7], []),
}


@pytest.mark.parametrize(("walk", "stacks"), WALKS.items())
def test_what_undo_and_redo_take_next(site: Site, walk: str, stacks: tuple[list[int], list[int]]) -> None:
    for step in walk:
        if step == "e":
            edit(site, 5, 6, b"x")
        else:
            (back if step == "u" else forth)(site)
    assert history.stacks(site) == stacks


def test_effects_since_leave_out_what_was_reversed(site: Site) -> None:
    for letter in b"abc":
        edit(site, 5, 6, bytes((letter,)))
    assert history.since(site, 1) == [2, 3]
    back(site)  # 4, of 3
    back(site)  # 5, of 2
    assert history.since(site, 1) == []
    assert history.since(site, 2) == [5]
    forth(site)  # 6, of 5
    assert history.since(site, 4) == []
    forth(site)  # 7, of 4
    assert contents(site)[5:6] == b"c"


def test_a_chain_leads_from_state_to_state_or_is_broken(site: Site) -> None:
    start = state(site)
    edit(site, 5, 6, b"longer")
    middle = state(site)
    edit(site, 0, 1, b"")
    end = state(site)
    assert history.chained(site, start, 0, end) == [1, 2]
    assert history.chained(site, middle, 1, end) == [2]
    assert history.chained(site, end, 2, end) == []
    assert history.chained(site, start, 0, middle) is None
    assert history.chained(site, middle, 0, end) is None
    file = site.open(write=True)
    file.write(0, b"!")
    assert history.chained(site, start, 0, state(site)) is None
    file.close()
    edit(site, 0, 1, b"?")
    assert history.chained(site, start, 0, state(site)) is None


def test_numbers_go_on_from_what_is_kept(site: Site) -> None:
    assert history.next_number(site) == 1
    for _ in range(3):
        edit(site, 0, 0, b"x", Policy(history=2))
    assert site.operations() == [2, 3] and history.next_number(site) == 4


def test_the_oldest_are_forgotten_when_they_take_too_much(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "LARGE_BYTES", 1)
    for number in range(4):
        edit(site, 0, 10, b"%010d" % number)
    sizes = [operation.stored_bytes for operation in history.operations(site)]
    history.retain(site, 100, sum(sizes))
    assert site.operations() == [1, 2, 3, 4]
    history.retain(site, 100, sizes[-1] + sizes[-2])
    assert site.operations() == [3, 4]
    history.retain(site, 100, 0)
    assert site.operations() == [4], "the newest is always kept"
    history.retain(site, 0, 1 << 40)
    assert site.operations() == [] and site.volume.names("/") == ["file"]


def test_an_operation_that_is_not_kept_is_named(site: Site) -> None:
    edit(site, 0, 1, b"x")
    with pytest.raises(UndoError) as caught, history.opened(site, 9):
        pass
    assert "1 to 1" in caught.value.hint


def test_replaced_bytes_are_read_together_where_they_are_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "NEAR_BYTES", 8)
    monkeypatch.setattr(history, "PAYLOAD_BYTES", 16)

    class Counted:
        reads: list[tuple[int, int]] = []  # noqa: RUF012

        def read(self, offset: int, size: int) -> bytes:
            self.reads.append((offset, size))
            return BASE[offset : offset + size]

    spans = [(0, 2), (4, 5), (9, 12), (40, 41), (50, 90)]
    splices = Splices.of(100, block_of((a, b, 0) for a, b in spans))
    found = b"".join(history.replaced(splices, Counted()))
    assert found == b"".join(BASE[a:b] for a, b in spans)
    assert Counted.reads == [(0, 12), (40, 1), (50, 16), (66, 16), (82, 8)]


def test_splices_move_past_others_or_name_the_conflict() -> None:
    ours = Splices.of(100, block_of([(10, 12, 3), (50, 50, 1), (70, 75, 0)]))
    moved = history.moved_past(ours, Splices.of(100, block_of([(0, 0, 5), (20, 30, 0), (50, 50, 2)])))
    assert isinstance(moved, Splices) and moved.base_size == 97
    (block,) = moved.blocks()
    assert list(block.starts) == [15, 47, 67] and moved.result_size == 97 - 7 + 4
    assert history.moved_past(ours, Splices.of(100, block_of([(72, 73, 0)]))) == Span(70, 75)
    patch = Patch(97, (Splice(Span(15, 17), (Literal(b"abc"),)),))
    assert patch.result_size == 98


def test_a_snapshot_reads_the_size_it_was_opened_with(site: Site) -> None:
    view = snapshot(site, write=False, policy=Policy(), lock_timeout_s=0)
    edit(site, 100, 100, b"appended")
    assert view.size == 100 and view.read(90, 10) == b"0123456789"
    assert generation(site, view.file).operation == 1


def test_a_generation_has_a_token_that_names_it() -> None:
    generation = Generation(inode=123, operation=7, size=1 << 40, mtime_ns=987654321)
    assert Generation.parse(generation.token) == generation
    for text in ("", "7", "7-7b-x-y", generation.token + "0-", "07" + generation.token[1:]):
        assert Generation.parse(text) != generation


@pytest.mark.parametrize("state", [State.PLACED, State.CLOSED])
def test_an_operation_is_found_before_its_journal_is_history(site: Site, state: State) -> None:
    edit(site, 0, 1, b"a")
    edit(site, 1, 2, b"b", Policy(durability="fast"))
    with closing(Journal.load(site.volume.open(site.journal, write=True))) as journal:
        journal.note(state, 0, after=site.status())
    assert history.last(site)[0] == 2
    assert [entry.number for entry in history.operations(site)] == [1, 2]
    with history.opened(site, 2) as found:
        assert found.header["operation"] == 2
    assert history.state_before(site, 2)[1] == len(BASE)
