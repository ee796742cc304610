"""The reader that tests read from: bytes in memory, and how much of them was asked for."""

from __future__ import annotations


class BytesReader:
    """Bytes in memory, as a reader that counts what is read; they may be exchanged meanwhile."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.read_bytes = 0

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, size: int) -> bytes:
        assert 0 <= offset <= offset + size <= len(self.data)
        self.read_bytes += size
        return self.data[offset : offset + size]

    def read_into(self, offset: int, buffer: memoryview) -> None:
        buffer[:] = self.read(offset, len(buffer))
