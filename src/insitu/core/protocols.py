"""What the floors above share without knowing each other: reading bytes, reporting, cancelling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Reader(Protocol):
    """Bytes of a known size, readable at any offset, by several threads at once."""

    @property
    def size(self) -> int:
        """How many bytes there are; does not change while the reader is used."""
        ...

    def read(self, offset: int, size: int) -> bytes:
        """Returns exactly the bytes ``[offset, offset + size)``, which must lie inside.

        Raises:
            StaleError: the file behind the reader became shorter meanwhile.
        """
        ...

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fills ``buffer`` (writable, of bytes) from ``offset``; as ``read`` otherwise."""
        ...


# Called with (bytes done, bytes in all); called from the working thread, a few times a second at most.
Progress = Callable[[int, int], None]

# Asked between windows of long work; True means: stop before the commit point.
Cancel = Callable[[], bool]
