"""What authors of storages and formats test their work with; needs pytest and Hypothesis."""

from __future__ import annotations

import pytest

# Before the import, so that a failing assertion of a contract shows its values.
pytest.register_assert_rewrite("insitu.testing.storage_contract")

from insitu.testing.storage_contract import StorageContract  # noqa: E402

__all__ = ["StorageContract"]
