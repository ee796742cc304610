"""The crash protocol, taken apart: without any one sync, order or check of J1 to J10 the engine goes wrong.

Each probe first finds nothing wrong with the real engine; then the mutated one must be found wrong, but for
the mutations that the table calls redundant, with the reason.
"""

from __future__ import annotations

import pytest

from tests.crash.mutations import MUTATIONS, Mutation, Probe

PROBES = list(dict.fromkeys(mutation.probe for mutation in MUTATIONS))


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.__name__)
def test_the_real_engine_is_right(probe: Probe) -> None:
    assert probe() == []


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_every_part_of_the_protocol_is_needed(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    mutation.apply(monkeypatch)
    try:
        found = mutation.probe()
    except Exception as error:
        # A mutated engine may as well trip over what it should not have believed.
        found = [repr(error)]
    assert bool(found) is not bool(mutation.redundant), found
