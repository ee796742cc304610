"""The explorers find what is wrong with wrong protocols and nothing wrong with right ones."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import pytest

from insitu.errors import AccessError, StorageError
from insitu.testing.crashes import explore
from insitu.testing.faults import faults
from insitu.testing.scenario import Crash, Failure, Report, Scenario, replayed
from insitu.testing.simulated import SimulatedVolume
from insitu.testing.survivors import Cut, Kill

from .protocols import SIDE, TARGET, bare, insert, scenario, swap, undo_journal

Made = Callable[[Collection[str]], Scenario]


@pytest.mark.parametrize("made", [swap, undo_journal, insert])
def test_a_right_protocol_survives_every_crash_of_commit_recovery_and_second_recovery(made: Made) -> None:
    report = explore(made(()), budget=30_000, depth=3)
    assert report.wrong == []
    assert report.exhaustive
    assert report.states >= 1_000
    assert 150 <= report.distinct <= report.states
    assert 100 <= report.recoveries <= report.states


@pytest.mark.parametrize(
    ("made", "missing"),
    [
        (swap, "data"), (swap, "folder"), (swap, "answer"),
        (undo_journal, "journal"), (undo_journal, "name"), (undo_journal, "target"), (undo_journal, "close"),
        (undo_journal, "check"), (undo_journal, "trust"), (undo_journal, "undone"),
        (insert, "gap"), (insert, "done"), (insert, "probe"),
    ],
)  # fmt: skip
def test_each_missing_safeguard_is_found(made: Made, missing: str) -> None:
    assert explore(made((missing,)), budget=5_000).wrong


def test_an_overwrite_without_a_journal_is_found_by_kill_and_by_power_cut() -> None:
    report = explore(bare(), budget=1_000)
    kinds = {type(wrong.trail[0].left) for wrong in report.wrong}
    assert kinds == {Kill, Cut}


def test_believing_an_unsynced_journal_is_found_only_in_the_crash_of_a_recovery() -> None:
    assert explore(undo_journal(("trust",)), budget=5_000, depth=1).wrong == []
    found = explore(undo_journal(("trust",)), budget=5_000, depth=2).wrong
    assert found
    assert all(len(wrong.trail) == 2 for wrong in found)


@pytest.mark.parametrize("seed", range(3))
def test_a_sample_finds_what_is_wrong_where_the_states_are_too_many(seed: int) -> None:
    old, new = b"abcd" * 8, b"ABCD" * 8

    def run(volume: SimulatedVolume) -> None:
        file = volume.open(TARGET, write=True)
        file.write(0, new)
        file.sync()

    report = explore(scenario("wide", run, lambda volume: None, old=old, new=new), budget=300, seed=seed)
    assert not report.exhaustive
    assert report.wrong
    assert report.states <= 300


def test_the_smallest_budgets_reach_every_step() -> None:
    late = undo_journal(("close",))
    assert any(explore(late, budget=4, seed=seed, depth=1).wrong for seed in range(40))


def test_a_budget_is_kept_and_a_seed_repeats_itself() -> None:
    one, two = (explore(undo_journal(), budget=400, seed=7) for _ in range(2))
    assert one.states <= 400
    assert (one.states, one.distinct, one.recoveries) == (two.states, two.distinct, two.recoveries)


@pytest.mark.parametrize(
    ("missing", "contents"),
    [("journal", "neither old nor new"), ("trust", "neither old nor new"), ("close", "old, but must be new")],
)
def test_what_was_wrong_can_be_seen_again(missing: str, contents: str) -> None:
    protocol = undo_journal((missing,))
    found = explore(protocol, budget=2_000).wrong
    assert found
    for wrong in found:
        volume = replayed(protocol, wrong.trail)
        protocol.recover(volume)
        assert (volume.contents()[TARGET] == b"aaaabbbb") == (missing == "close")
        assert contents in str(wrong)
        assert "; seed 0; step " in str(wrong)


def test_a_target_that_is_old_though_the_commit_returned_is_found() -> None:
    report = explore(scenario("idle", lambda volume: None, lambda volume: None), budget=100)
    assert report.wrong[0].problem == "the commit returned, the targets are old"


@pytest.mark.parametrize(
    ("recover", "problem"),
    [
        (lambda volume: volume.open("/d/other", write=True).write(0, b"x"), "/d/other was touched"),
        (lambda volume: volume.remove("/d/other"), "/d/other was touched"),
        (lambda volume: volume.open("/d/new", create=True), "/d/new was left behind"),
        (lambda volume: volume.open("/d/missing"), "recovery raised MissingFileError"),
        (lambda volume: volume.open(SIDE, create=True), "something is still pending"),
        (lambda volume: volume.open(f"/d/.insitu/{len(volume.names('/d/.insitu'))}", create=True),
         "a second recovery changed something"),
    ],
)  # fmt: skip
def test_what_a_recovery_must_not_do_is_found(
    recover: Callable[[SimulatedVolume], object], problem: str
) -> None:
    def careful(volume: SimulatedVolume) -> None:
        swap().recover(volume)
        recover(volume)

    report = explore(replace(swap(), recover=careful), budget=200, depth=1)
    assert any(wrong.problem.startswith(problem) for wrong in report.wrong)


def test_fast_durability_may_lose_the_commit_to_a_power_cut_but_never_mix() -> None:
    def recover(volume: SimulatedVolume) -> None:
        volume.remove(SIDE)

    fast = replace(swap(("folder",)), recover=recover, durable=False)
    report = explore(fast, budget=5_000)
    assert report.wrong == []
    assert report.states > 100
    assert explore(replace(fast, durable=True), budget=5_000).wrong
    assert explore(replace(swap(("data",)), durable=False), budget=5_000).wrong


def test_fast_durability_may_not_lose_the_commit_to_a_killed_process() -> None:
    def undo(volume: SimulatedVolume) -> None:
        file = volume.open(TARGET, write=True)
        file.write(0, b"aaaabbbb")
        file.sync()

    found = explore(replace(bare(), recover=undo, durable=False), budget=500, depth=1).wrong
    assert [(wrong.trail[0].call, wrong.trail[0].left) for wrong in found] == [("end", Kill())]


def test_what_prepare_did_is_durable_and_part_of_the_old_state() -> None:
    def prepare(volume: SimulatedVolume) -> None:
        volume.open(TARGET, write=True).write(0, b"zzzz")

    protocol = replace(swap(), prepare=prepare, results={TARGET: b"aaaaBBBB"})
    assert protocol.start().contents()[TARGET] == b"zzzzbbbb"
    assert explore(protocol, budget=2_000).wrong == []


def test_a_created_and_a_removed_target_are_outcomes_too() -> None:
    def run(volume: SimulatedVolume) -> None:
        volume.rename(TARGET, "/d/moved")
        volume.sync_folder("/d")

    moved = replace(
        scenario("move", run, lambda volume: volume.sync_folder("/d")),
        results={TARGET: None, "/d/moved": b"aaaabbbb"},
    )
    report = explore(moved, budget=500)
    assert (report.wrong, report.exhaustive) == ([], True)


def test_a_report_prints_as_one_line_of_its_table() -> None:
    line = str(explore(swap(), budget=50, depth=1))
    assert line.count("|") == Report.HEADER.count("|")
    assert line.startswith("| swap without nothing | 5 | ")
    assert "\n" not in line


def truthful_swap(raised: type[Exception] = StorageError, without: Collection[str] = ()) -> Scenario:
    """A swap that says what it no longer knows once the name may have changed."""
    right = swap(without)

    def run(volume: SimulatedVolume) -> None:
        file = volume.open(SIDE, create=True)
        file.write(0, b"aaaaBBBB")
        file.sync()
        volume.rename(SIDE, TARGET)
        try:
            volume.sync_folder("/d")
        except (StorageError, AccessError) as error:
            if raised is StorageError:
                raise StorageError("The name may be lost.", file_state="awaiting recovery") from error
            raise raised("lost") from error

    def recover(volume: SimulatedVolume) -> None:
        try:
            right.recover(volume)
        except (StorageError, AccessError) as error:
            raise StorageError("Recover again.", file_state="awaiting recovery") from error

    return replace(right, run=run, recover=recover)


def test_a_truthful_protocol_survives_every_fault() -> None:
    report = faults(truthful_swap())
    assert report.wrong == []
    assert report.exhaustive
    assert report.steps == 5
    assert report.states >= 100
    assert report.distinct >= 10


def claiming_old(
    program: Callable[[SimulatedVolume], object],
) -> Callable[[SimulatedVolume], object]:
    """The program, except that whatever fails it says that the file is old."""

    def run(volume: SimulatedVolume) -> None:
        try:
            program(volume)
        except StorageError as error:
            error.file_state = "old"
            raise

    return run


def test_an_error_that_says_old_where_new_may_be_is_found() -> None:
    report = faults(replace(swap(), run=claiming_old(swap().run)))
    assert report.wrong
    first = report.wrong[0]
    assert isinstance(first.trail[0], Failure)
    assert first.trail[0].fault.call == "sync_folder"
    volume = replayed(swap(), first.trail)
    swap().recover(volume)
    assert volume.contents()[TARGET] == b"aaaaBBBB"


def test_faults_strike_recoveries_too() -> None:
    right = truthful_swap()
    report = faults(right, budget=0, recoveries=60, seed=1)
    assert (report.wrong, report.exhaustive) == ([], False)
    assert report.states >= 60
    found = faults(
        replace(right, recover=claiming_old(swap().recover)), budget=0, recoveries=60, seed=1
    ).wrong
    assert found
    assert all([type(part) for part in wrong.trail[:2]] == [Crash, Failure] for wrong in found)
    volume = replayed(right, found[0].trail)
    swap().recover(volume)
    assert volume.contents()[TARGET] == b"aaaaBBBB"


def test_an_answer_after_a_failure_that_a_power_cut_takes_back_is_found() -> None:
    found = faults(truthful_swap(without=("answer",))).wrong
    assert {wrong.problem for wrong in found} == {"the targets are old, but must be new"}
    assert all([type(part) for part in wrong.trail] == [Failure, Crash] for wrong in found)


def test_an_error_that_is_none_of_ours_is_found() -> None:
    assert any("is no InsituError" in wrong.problem for wrong in faults(truthful_swap(ValueError)).wrong)


def test_swallowing_a_fault_is_found() -> None:
    def run(volume: SimulatedVolume) -> None:
        file = volume.open(TARGET, write=True)
        try:
            file.write(4, b"BBBB")
        except StorageError:
            return

    report = faults(scenario("silent", run, lambda volume: None))
    assert any("but must be new" in wrong.problem for wrong in report.wrong)


def test_retrying_a_failed_sync_is_found() -> None:
    def run(volume: SimulatedVolume) -> None:
        file = volume.open(SIDE, create=True)
        file.write(0, b"aaaaBBBB")
        try:
            file.sync()
        except StorageError:
            volume.open(SIDE, write=True).sync()
        volume.rename(SIDE, TARGET)
        try:
            volume.sync_folder("/d")
        except (StorageError, AccessError) as error:
            raise StorageError("The name may be lost.", file_state="awaiting recovery") from error

    retrying = replace(swap(), run=run)
    assert explore(retrying, budget=2_000).wrong == []
    found = [str(wrong) for seed in range(4) for wrong in faults(retrying, seed=seed).wrong]
    assert any("neither old nor new" in wrong for wrong in found)
