"""The crash protocol, taken apart: without any one sync, order or check of J1 to J17 the engine goes wrong.

Each probe first finds nothing wrong with the real engine; then the mutated one must be found wrong, but for
the mutations that the table calls redundant, with the reason.
"""

from __future__ import annotations

import time

import pytest

from tests.crash import draft_mutations, planted, together_mutations, together_probes
from tests.crash.mutations import MUTATIONS as ALONE
from tests.crash.mutations import Mutation, Probe

MUTATIONS = (*ALONE, *together_mutations.MUTATIONS, *draft_mutations.MUTATIONS)
PROBES = list(dict.fromkeys(mutation.probe for mutation in MUTATIONS))
QUICK = (
    together_probes.absent, together_probes.forced, together_probes.decided,
    together_probes.another_transaction, together_probes.stranger, together_probes.foreign,
    together_probes.foreign_folder, together_probes.changed_before_swap,
    together_probes.changed_while_preparing, together_probes.changed_after_the_commit,
    together_probes.fenced, together_probes.out_of_sight, together_probes.swapped_in_under_the_lock,
)  # fmt: skip


def _marks(probe: Probe) -> tuple[pytest.MarkDecorator, ...]:
    """Explorers are slow; what is planted by hand is not, but for the damage of every byte."""
    planted_by_hand = probe.__module__ == planted.__name__ and probe is not planted.damaged_bytes
    quick = planted_by_hand or probe in QUICK
    return () if quick else (pytest.mark.slow,)


@pytest.fixture(autouse=True)
def one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Journals are as long in every run, so that samples of crash states are the same."""
    monkeypatch.setattr(time, "time", lambda: 1.5)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_every_mutation_finds_the_line_it_is_about(mutation: Mutation) -> None:
    compile(mutation.source(), str(mutation), "exec")


@pytest.mark.parametrize(
    "probe", [pytest.param(probe, marks=_marks(probe), id=probe.__name__) for probe in PROBES]
)
def test_the_real_engine_is_right(probe: Probe) -> None:
    assert probe() == []


@pytest.mark.parametrize(
    "mutation",
    [pytest.param(mutation, marks=_marks(mutation.probe), id=str(mutation)) for mutation in MUTATIONS],
)
def test_every_part_of_the_protocol_is_needed(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    mutation.apply(monkeypatch)
    try:
        found = mutation.probe()
    except Exception as error:
        # A mutated engine may as well trip over what it should not have believed.
        found = [repr(error)]
    assert bool(found) is not bool(mutation.redundant), found
