"""The simulated volume against plain bytes, and what it says a power cut may leave."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.core.facts import Facts
from insitu.core.spans import Span
from insitu.errors import (
    ExistingFileError,
    MissingFileError,
    NoSpaceError,
    StorageError,
    SyncError,
    UnsupportedError,
)
from insitu.storage.base import Volume
from insitu.testing import StorageContract
from insitu.testing.simulated import CrashPoint, Fault, SimulatedVolume
from insitu.testing.simulated_file import SimulatedFile
from insitu.testing.survivors import Cut, Cuts, Kill, kills, left_by


class TestContract(StorageContract):
    """What every storage is held to, in blocks that its files are wide enough for."""

    @pytest.fixture(params=[512, 4096])
    def volume(self, request: pytest.FixtureRequest) -> Volume:
        rich = Facts(block_bytes=512, atom_bytes=request.param, ranges=True, punch=True, reserve=True,
                     clone=True, kernel_copy=True, leases=True, marks=True)  # fmt: skip
        poor = Facts(block_bytes=512, locks=False)
        volume = SimulatedVolume({}, rich if request.param == 512 else poor)
        root = volume.stat("/")
        assert root is not None
        volume.make_folder("/folder", root)
        return volume

    @pytest.fixture
    def folder(self, volume: Volume) -> str:
        return "/folder"


FACTS = Facts(block_bytes=8, atom_bytes=4, ranges=True, punch=True, reserve=True, marks=True)
SIZES = [(8, 8), (8, 4), (8, 1), (4, 8)]


def point_of(volume: SimulatedVolume) -> CrashPoint:
    return CrashPoint(0, "end", "", volume.freeze())


def cut_contents(volume: SimulatedVolume, path: str) -> set[bytes | None]:
    """What a power cut now may leave of one file, in every way."""
    point = point_of(volume)
    return {left_by(point, cut).contents().get(path) for cut in Cuts(point).every()}


# One mutation of a file: a name and two numbers that each call reads as it can.
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["write", "resize", "punch", "insert", "collapse", "reserve", "sync"]),
        st.integers(0, 40),
        st.integers(0, 20),
    ),
    max_size=8,
)


def change(file: SimulatedFile, model: bytearray, block: int, call: tuple[str, int, int]) -> None:
    """Does the same to the simulated file and to the plain model."""
    name, first, second = call
    whole, count = first // block * block, second // block * block
    if name == "write":
        data = bytes((first + i) % 255 + 1 for i in range(second))
        file.write(first, data)
        if data and first > len(model):
            model.extend(bytes(first - len(model)))
        model[first : first + second] = data
    elif name == "resize":
        file.resize(first)
        model[:] = model[:first].ljust(first, b"\0")
    elif name == "reserve":
        file.reserve(Span(first, first + second))
    elif name == "sync":
        file.sync()
    elif name == "punch" and first + second <= len(model):
        file.punch(Span(first, first + second))
        model[first : first + second] = bytes(second)
    elif name == "insert" and whole < len(model):
        file.insert(whole, count)
        model[whole:whole] = bytes(count)
    elif name == "collapse" and whole + count < len(model):
        file.collapse(whole, count)
        del model[whole : whole + count]


@pytest.mark.parametrize(("block", "atom"), SIZES)
@given(start=st.binary(max_size=30), changes=CHANGES)
def test_without_a_crash_it_is_a_plain_file(
    block: int, atom: int, start: bytes, changes: list[tuple[str, int, int]]
) -> None:
    facts = Facts(block_bytes=block, atom_bytes=atom, ranges=True, punch=True, reserve=True)
    file = SimulatedVolume({"/f": start}, facts).open("/f", write=True)
    model = bytearray(start)
    for each in changes:
        change(file, model, block, each)
        assert file.read(0, 1000) == model
        assert file.size() == len(model)
        for offset in range(0, len(model), 3):
            hole, data = file.next_hole(offset), file.next_data(offset)
            assert offset in (hole, data)
            assert not any(model[offset:data])


@pytest.mark.parametrize(("block", "atom"), SIZES)
@given(start=st.binary(max_size=30), changes=CHANGES)
def test_a_power_cut_leaves_all_where_all_is_kept_and_the_synced_where_all_is_lost(
    block: int, atom: int, start: bytes, changes: list[tuple[str, int, int]]
) -> None:
    facts = Facts(block_bytes=block, atom_bytes=atom, ranges=True, punch=True, reserve=True)
    volume = SimulatedVolume({"/f": start}, facts)
    file = volume.open("/f", write=True)
    model, synced = bytearray(start), start
    for each in changes:
        change(file, model, block, each)
        if each[0] == "sync":
            synced = bytes(model)
    point = point_of(volume)
    kept, _, lost, *_ = Cuts(point).extremes()
    survivor = SimulatedVolume.thawed(left_by(point, kept))
    again = survivor.open("/f")
    assert again.read(0, 1000) == model
    assert [again.next_hole(at) for at in range(len(model))] == [
        file.next_hole(at) for at in range(len(model))
    ]
    assert left_by(point, lost).contents()["/f"] == synced
    file.sync()
    assert cut_contents(volume, "/f") == {bytes(model)}
    assert survivor.boot_id() != volume.boot_id()


def test_two_unsynced_writes_of_one_atom_leave_old_first_second_or_garbage() -> None:
    facts = Facts(block_bytes=4, atom_bytes=4)
    volume = SimulatedVolume({"/f": b"aaaa"}, facts)
    file = volume.open("/f", write=True)
    file.write(0, b"bbbb")
    file.write(0, b"cccc")
    left = cut_contents(volume, "/f")
    assert {b"aaaa", b"bbbb", b"cccc", b"bbaa", b"aabb", b"ccaa", b"ccbb"} <= left
    assert any(not set(data) & set(b"abc") for data in left if data)


def test_atoms_survive_independently_and_neighbours_are_untouched() -> None:
    volume = SimulatedVolume({"/f": b"aaaabbbbcccc"}, FACTS)
    volume.open("/f", write=True).write(4, b"BBBBCCCC")
    left = cut_contents(volume, "/f")
    assert {b"aaaaBBBBcccc", b"aaaabbbbCCCC"} <= left
    assert all(data is not None and data[:4] == b"aaaa" for data in left)


def test_a_spoiled_atom_takes_its_unwritten_bytes_along() -> None:
    volume = SimulatedVolume({"/f": b"aaaaaaaa"}, Facts(block_bytes=4, atom_bytes=8))
    volume.open("/f", write=True).write(1, b"X")
    spoiled = [data for data in cut_contents(volume, "/f") if data and b"a" not in data and b"X" not in data]
    assert [len(data) for data in spoiled] == [8]


def test_growth_survives_without_its_data_and_data_without_its_growth() -> None:
    volume = SimulatedVolume({"/f": b"aaaaaaaa"}, FACTS)
    volume.open("/f", write=True).write(8, b"bbbb")
    left = cut_contents(volume, "/f")
    assert {b"aaaaaaaa", b"aaaaaaaa\0\0\0\0", b"aaaaaaaabbbb"} <= left
    assert any(data and len(data) == 12 and data[8:] not in (b"\0\0\0\0", b"bbbb") for data in left)


def test_a_cut_is_kept_or_lost_and_spoils_nothing_before_it() -> None:
    volume = SimulatedVolume({"/f": b"aaaabbbb"}, FACTS)
    volume.open("/f", write=True).resize(2)
    left = cut_contents(volume, "/f")
    assert {b"aa", b"aaaabbbb"} <= left
    assert all(data is not None and data[:2] == b"aa" for data in left)


def test_what_was_cut_off_does_not_come_back_when_the_file_grows_again() -> None:
    volume = SimulatedVolume({"/f": b"aaaabbbb"}, FACTS)
    file = volume.open("/f", write=True)
    file.resize(2)
    file.resize(8)
    kept = next(iter(Cuts(point_of(volume)).extremes()))
    assert left_by(point_of(volume), kept).contents()["/f"] == b"aa\0\0\0\0\0\0"
    assert b"aaaabbbb" in cut_contents(volume, "/f")


def test_only_mutating_calls_are_steps() -> None:
    volume = SimulatedVolume({"/f": b"abc"}, FACTS)
    volume.record()
    file = volume.open("/f", write=True)
    file.read(0, 3)
    file.write(0, b"x")
    volume.remove("/missing")
    assert volume.points is not None
    assert [(point.step, point.call) for point in volume.points] == [(0, "write"), (1, "remove")]
    assert volume.calls == {"open": 1, "read": 1, "write": 1, "remove": 1}


def test_names_and_contents_are_independent() -> None:
    volume = SimulatedVolume({"/f": b"old"}, FACTS)
    volume.open("/g", create=True).write(0, b"new")
    volume.rename("/g", "/f")
    left = cut_contents(volume, "/f")
    assert {b"old", b"", b"new", b"\0\0\0"} <= left
    assert None not in left


def test_a_synced_file_whose_folder_was_not_synced_may_be_missing() -> None:
    volume = SimulatedVolume({}, FACTS)
    file = volume.open("/g", create=True)
    file.write(0, b"new")
    file.sync()
    assert cut_contents(volume, "/g") == {None, b"new"}
    volume.sync_folder("/")
    assert cut_contents(volume, "/g") == {b"new"}


def test_a_rename_leaves_exactly_one_of_its_two_names() -> None:
    volume = SimulatedVolume({"/a/f": b"one", "/b/g": b"two"}, FACTS)
    volume.rename("/a/f", "/b/g")
    point = point_of(volume)
    left = [left_by(point, cut).contents() for cut in Cuts(point).every()]
    assert left == [{"/a/f": b"one", "/b/g": b"two"}, {"/b/g": b"one"}]
    volume.sync_folder("/a")
    assert cut_contents(volume, "/a/f") == {None, b"one"}
    volume.sync_folder("/b")
    assert cut_contents(volume, "/a/f") == {None}


def test_operations_on_other_names_survive_in_any_order() -> None:
    volume = SimulatedVolume({"/f": b"", "/g": b"", "/h": b""}, FACTS)
    volume.remove("/f")
    volume.remove("/g")
    volume.rename("/h", "/g")
    point = point_of(volume)
    names = {tuple(left_by(point, cut).contents()) for cut in Cuts(point).every()}
    assert names == {
        ("/f", "/g", "/h"), ("/g", "/h"), ("/f", "/h"), ("/h",), ("/f", "/g"), ("/g",),
    }  # fmt: skip


def test_a_chain_of_renames_is_kept_up_to_some_point() -> None:
    volume = SimulatedVolume({"/a": b"", "/z": b""}, FACTS)
    for source, target in ("ab", "bc", "cd"):
        volume.rename(f"/{source}", f"/{target}")
    volume.remove("/z")
    point = point_of(volume)
    names = {tuple(left_by(point, cut).contents()) for cut in Cuts(point).every()}
    assert names == {(f"/{one}", *rest) for one in "abcd" for rest in ((), ("/z",))}
    sampled = {left_by(point, Cuts(point).sample(random.Random(seed))).key() for seed in range(300)}
    assert sampled == {left_by(point, cut).key() for cut in Cuts(point).every()}


def test_syncing_a_folder_brings_along_what_its_names_came_from() -> None:
    volume = SimulatedVolume({"/a/f": b"x", "/b/h": b"", "/c/i": b""}, FACTS)
    volume.rename("/a/f", "/b/f")
    volume.rename("/b/f", "/c/f")
    volume.sync_folder("/c")
    assert cut_contents(volume, "/c/f") == {b"x"}
    assert cut_contents(volume, "/a/f") == cut_contents(volume, "/b/f") == {None}


def test_a_folder_that_is_lost_takes_its_files_along() -> None:
    volume = SimulatedVolume({"/f": b""}, FACTS)
    stat = volume.stat("/f")
    assert stat is not None
    volume.make_folder("/d", stat)
    file = volume.open("/d/g", create=True)
    file.write(0, b"x")
    file.sync()
    volume.sync_folder("/d")
    assert cut_contents(volume, "/d/g") == {None, b"x"}
    volume.sync_folder("/")
    assert cut_contents(volume, "/d/g") == {b"x"}
    assert volume.names("/") == ["d", "f"]


def test_a_mark_is_durable_at_once_and_nothing_else_is() -> None:
    volume = SimulatedVolume({"/f": b"a"}, FACTS)
    file = volume.open("/f", write=True)
    file.write(0, b"b")
    file.set_mark(b"pending")
    point = point_of(volume)
    for cut in Cuts(point).every():
        assert SimulatedVolume.thawed(left_by(point, cut)).open("/f").mark() == b"pending"
    assert b"a" in cut_contents(volume, "/f")


BLOCKS = [bytes([letter]) * 8 for letter in b"abcd"]


def half_states(volume: SimulatedVolume) -> list[tuple[bytes, list[int]]]:
    point = point_of(volume)
    states = []
    for cut in Cuts(point).every():
        file = SimulatedVolume.thawed(left_by(point, cut)).open("/f")
        holes = [at // 8 for at in range(0, file.size(), 8) if file.next_hole(at) == at]
        states.append((file.read(0, 100), holes))
    return states


def test_a_half_done_insert_has_one_hole_that_wanders_from_the_end() -> None:
    a, b, c, d = BLOCKS
    volume = SimulatedVolume({"/f": a + b + c + d[:3]}, FACTS)
    volume.open("/f", write=True).insert(8, 8)
    zero = bytes(8)
    assert half_states(volume) == [
        (a + b + c + d[:3], []),
        (a + b + c + d[:3] + zero, [4]),
        (a + b + c + zero + d[:3], [3]),
        (a + b + zero + c + d[:3], [2]),
        (a + zero + b + c + d[:3], [1]),
    ]


def test_a_half_done_collapse_has_one_hole_that_wanders_to_the_end() -> None:
    a, b, c, d = BLOCKS
    volume = SimulatedVolume({"/f": a + b + c + d[:3]}, FACTS)
    volume.open("/f", write=True).collapse(0, 16)
    zero = bytes(8)
    assert half_states(volume) == [
        (a + b + c + d[:3], []),
        (zero + b + c + d[:3], [0]),
        (zero + zero + c + d[:3], [0, 1]),
        (c + zero + zero + d[:3], [1, 2]),
        (c + d[:3].ljust(8, b"\0") + zero + zero[:3], [2, 3]),
        (c + d[:3], []),
    ]


@pytest.mark.parametrize("tail", [0, 3])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_half_done_insert_is_undone_by_collapsing_at_the_hole(tail: int, count: int) -> None:
    """The probe-and-repair rule for dense tails: cut a hole that reaches the end, else collapse it."""
    before = b"".join(BLOCKS) + b"efg"[:tail]
    volume = SimulatedVolume({"/f": before}, FACTS)
    volume.open("/f", write=True).insert(8, 8 * count)
    repaired = 0
    point = point_of(volume)
    for cut in Cuts(point).every():
        file = SimulatedVolume.thawed(left_by(point, cut)).open("/f", write=True)
        if file.size() != len(before):
            hole = file.next_hole(8)
            if file.next_data(hole) == file.size():
                file.resize(len(before))
            else:
                file.collapse(hole, 8 * count)
            repaired += 1
        assert file.read(0, 1000) == before
    assert repaired >= 4


@pytest.mark.parametrize("tail", [0, 3])
@pytest.mark.parametrize("count", [1, 2])
def test_every_half_done_collapse_is_finished_at_the_hole(tail: int, count: int) -> None:
    before = b"".join(BLOCKS) + b"efg"[:tail]
    after = before[:8] + before[8 + 8 * count :]
    volume = SimulatedVolume({"/f": before}, FACTS)
    volume.open("/f", write=True).collapse(8, 8 * count)
    finished = 0
    point = point_of(volume)
    for cut in Cuts(point).every():
        file = SimulatedVolume.thawed(left_by(point, cut)).open("/f", write=True)
        hole = file.next_hole(8)
        if file.size() == len(before) and hole < len(before):
            if file.next_data(hole) == file.size():
                file.resize(len(after))
            else:
                # The range may be punched in part only: the hole says where, the plan how much.
                file.collapse(hole, 8 * count)
            finished += 1
        assert file.read(0, 1000) == (after if file.size() == len(after) else before)
    assert finished >= 3


def test_a_write_after_an_unsynced_insert_goes_where_its_block_lies() -> None:
    a, b, *_ = BLOCKS
    volume = SimulatedVolume({"/f": a + b}, FACTS)
    file = volume.open("/f", write=True)
    file.insert(0, 8)
    file.write(8, b"AAAAAAAA")
    left = cut_contents(volume, "/f")
    assert {a + b, b"A" * 8 + b, bytes(8) + a + b, bytes(8) + b"A" * 8 + b} <= left


def test_a_killed_write_leaves_any_prefix_that_a_later_cut_may_lose() -> None:
    volume = SimulatedVolume({"/f": b"aaaabbbb"}, FACTS)
    file = volume.open("/f", write=True)
    volume.record()
    file.write(0, b"AAAABBBB")
    assert volume.points is not None
    (point,) = volume.points
    states = [left_by(point, kill) for kill in kills(point)]
    assert [state.contents()["/f"] for state in states] == [
        b"aaaabbbb", b"AAaabbbb", b"AAAAbbbb", b"AAAABBbb",
    ]  # fmt: skip
    killed = SimulatedVolume.thawed(states[-1])
    assert killed.boot_id() == volume.boot_id()
    assert b"aaaabbbb" in cut_contents(killed, "/f")
    assert left_by(point, Kill()) is point.state


def test_a_failed_sync_marks_pages_clean_and_poisons_the_handle() -> None:
    left = set()
    for seed in range(20):
        volume = SimulatedVolume({"/f": b"aaaabbbb"}, FACTS, fault=Fault(error="io", call="sync", index=0),
                                 seed=seed)  # fmt: skip
        file = volume.open("/f", write=True)
        file.write(0, b"AAAABBBB")
        with pytest.raises(SyncError):
            file.sync()
        with pytest.raises(SyncError):
            file.sync()
        with pytest.raises(SyncError):
            file.write(0, b"x")
        volume.open("/f", write=True).sync()
        assert volume.contents()["/f"] == b"AAAABBBB"
        left |= cut_contents(volume, "/f")
    assert left == {b"aaaabbbb", b"AAAAbbbb", b"aaaaBBBB", b"AAAABBBB"}


def test_what_a_failed_sync_dropped_is_durable_once_it_is_written_again() -> None:
    for seed in range(8):
        fault = Fault(error="io", call="sync", index=0)
        volume = SimulatedVolume({"/f": b"aaaabbbb"}, FACTS, fault=fault, seed=seed)
        file = volume.open("/f", write=True)
        file.write(0, b"AAAABBBB")
        with pytest.raises(SyncError):
            file.sync()
        again = SimulatedVolume.thawed(volume.freeze())
        second = again.open("/f", write=True)
        second.write(0, b"AAAABBBB")
        second.sync()
        assert cut_contents(again, "/f") == {b"AAAABBBB"}


@pytest.mark.parametrize("forever", [False, True])
def test_the_nth_call_fails_once_or_for_ever(forever: bool) -> None:
    fault = Fault(error="no-space", call="write", index=1, forever=forever, short=True)
    volume = SimulatedVolume({"/f": b""}, FACTS, fault=fault)
    file = volume.open("/f", write=True)
    file.write(0, b"aaaa")
    with pytest.raises(NoSpaceError):
        file.write(4, b"bbbb")
    assert file.read(0, 9) == b"aaaabb"
    if forever:
        with pytest.raises(NoSpaceError):
            file.write(4, b"bbbb")
    else:
        file.write(4, b"bbbb")
        assert file.read(0, 9) == b"aaaabbbb"


def test_any_step_can_fail_and_then_does_nothing() -> None:
    volume = SimulatedVolume({"/f": b"x"}, FACTS, fault=Fault(error="io", index=0))
    with pytest.raises(StorageError):
        volume.rename("/f", "/g")
    assert volume.contents() == {"/f": b"x"}


def test_requests_that_do_not_fit_are_refused_before_they_count() -> None:
    volume = SimulatedVolume({"/f": b"12345678" * 2}, Facts(block_bytes=8, atom_bytes=8))
    ranged = SimulatedVolume({"/f": b"12345678" * 2}, FACTS).open("/f", write=True)
    with pytest.raises(UnsupportedError):
        ranged.insert(4, 8)
    with pytest.raises(UnsupportedError):
        ranged.insert(16, 8)
    with pytest.raises(UnsupportedError):
        ranged.collapse(8, 8)
    with pytest.raises(UnsupportedError):
        volume.open("/f", write=True).insert(0, 8)
    with pytest.raises(StorageError):
        volume.open("/f").write(0, b"x")
    with pytest.raises(ExistingFileError):
        volume.open("/f", create=True)
    with pytest.raises(MissingFileError):
        volume.open("/g")
    with pytest.raises(UnsupportedError):
        volume.open("/f", write=True).set_mark(b"x")


def test_a_lock_excludes_other_handles_until_it_is_closed_or_its_process_dies() -> None:
    volume = SimulatedVolume({"/f": b""}, FACTS)
    first, second = volume.open("/f"), volume.open("/f")
    assert first.lock() and first.lock()
    assert not second.lock()
    assert SimulatedVolume.thawed(volume.freeze()).open("/f").lock()
    first.close()
    assert second.lock()


def test_equal_states_have_equal_keys_whatever_their_history() -> None:
    one = SimulatedVolume({"/f": b"aaaa"}, FACTS)
    two = SimulatedVolume({"/f": b"bbbb"}, FACTS)
    two.open("/g", create=True)
    two.remove("/g")
    file = two.open("/f", write=True)
    file.write(0, b"aaaa")
    assert one.freeze().key() != two.freeze().key()
    two.settle()
    assert one.freeze().key() == two.freeze().key()
    file.set_mark(b"")
    assert one.freeze().key() != two.freeze().key()


def test_sampled_cuts_are_among_the_possible_ones() -> None:
    volume = SimulatedVolume({"/f": b"aaaa"}, Facts(block_bytes=2, atom_bytes=2))
    volume.open("/f", write=True).write(0, b"bbbb")
    volume.remove("/f")
    point = point_of(volume)
    cuts = Cuts(point)
    every = set(cuts.every())
    assert len(every) == cuts.count() == 2 * 5**2
    assert {cuts.sample(random.Random(seed)) for seed in range(2000)} == every
    assert set(cuts.extremes()) <= every
    assert all(isinstance(cut, Cut) for cut in every)
