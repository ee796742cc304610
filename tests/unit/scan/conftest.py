"""A reader over bytes in memory, for the tests of scanning."""

from __future__ import annotations

import pytest

from tests.readers import BytesReader


@pytest.fixture
def memory() -> type[BytesReader]:
    return BytesReader
