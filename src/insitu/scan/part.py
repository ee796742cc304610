"""A span of a reader, as a reader of its own."""

from __future__ import annotations

from insitu.core.protocols import Reader
from insitu.core.spans import Span


class Part:
    """The bytes of a span; offset 0 is where it starts."""

    def __init__(self, reader: Reader, span: Span) -> None:
        self._reader = reader
        self._start = span.start
        self.size = span.size

    def read(self, offset: int, size: int) -> bytes:
        """Exactly these bytes."""
        return self._reader.read(self._start + offset, size)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fills ``buffer`` from ``offset``."""
        self._reader.read_into(self._start + offset, buffer)
