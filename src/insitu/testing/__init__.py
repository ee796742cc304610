"""What authors of storages, planners and formats test their work with; needs pytest and Hypothesis."""

from __future__ import annotations

import pytest

# Before the import, so that a failing assertion of a contract shows its values.
pytest.register_assert_rewrite("insitu.testing.storage_contract")

from insitu.testing.crashes import explore  # noqa: E402
from insitu.testing.faults import faults  # noqa: E402
from insitu.testing.scenario import Report, Scenario, Wrong, replayed  # noqa: E402
from insitu.testing.simulated import Fault, SimulatedVolume  # noqa: E402
from insitu.testing.storage_contract import StorageContract  # noqa: E402
from insitu.testing.strategies import columns, patches  # noqa: E402

__all__ = [
    "Fault",
    "Report",
    "Scenario",
    "SimulatedVolume",
    "StorageContract",
    "Wrong",
    "columns",
    "explore",
    "faults",
    "patches",
    "replayed",
]
