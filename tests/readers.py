"""The readers that tests read from, which tell how much of them was asked for."""

from __future__ import annotations

from insitu.engine.snapshot import Snapshot


class BytesReader:
    """Bytes in memory, as a reader; they may be exchanged meanwhile.

    Attributes:
        read_bytes: how much was read.
        highest: where the furthest reading ended.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.read_bytes = 0
        self.highest = 0

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, size: int) -> bytes:
        assert 0 <= offset <= offset + size <= len(self.data)
        self.read_bytes += size
        self.highest = max(self.highest, offset + size)
        return self.data[offset : offset + size]

    def read_into(self, offset: int, buffer: memoryview) -> None:
        buffer[:] = self.read(offset, len(buffer))


class CountingSnapshot(Snapshot):
    """A snapshot that counts what is read of it, as a whole or in part."""

    read_bytes = 0

    def read(self, offset: int, size: int) -> bytes:
        self.read_bytes += size
        return super().read(offset, size)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        self.read_bytes += len(buffer)
        super().read_into(offset, buffer)
