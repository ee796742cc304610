"""A reader over bytes in memory, for the tests of scanning."""

from __future__ import annotations

from collections.abc import Callable

import pytest


class Memory:
    """Bytes in memory as a reader that notes which bytes were read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.highest = 0

    @property
    def size(self) -> int:
        return len(self._data)

    def read(self, offset: int, size: int) -> bytes:
        assert 0 <= offset <= offset + size <= len(self._data)
        self.highest = max(self.highest, offset + size)
        return self._data[offset : offset + size]

    def read_into(self, offset: int, buffer: memoryview) -> None:
        buffer[:] = self.read(offset, len(buffer))


@pytest.fixture
def memory() -> Callable[[bytes], Memory]:
    return Memory
