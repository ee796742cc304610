"""The part of a text that chunks are being made of: narrow bytes with a little context on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from insitu.formats.chunk_narrow import narrow, unit_of

if TYPE_CHECKING:
    from insitu.formats.cells import Bytes

# Whether a place is a natural boundary is told by so many bytes around it and no others, so that neither
# how a file is read nor an edit further away changes the answer.
AROUND: Final = 256


class Stretch(NamedTuple):
    """What is known of a text from a place on. All places below are indexes into ``array``."""

    array: Bytes
    """Narrow: ``AROUND`` bytes of context, the text, again context; NULs where the text begins or ends."""
    base: int
    """What to add to an index to get the offset in the text, in code units."""
    low: int
    """Where what is not yet cut begins."""
    high: int
    """How far everything can be decided."""
    last: bool
    """Whether the text ends at ``high``."""
    raw: bytes
    """The bytes of the text from ``low`` on."""
    encoding: str
    unit: int

    def bytes_of(self, start: int, stop: int) -> bytes:
        """The bytes of the text between two places."""
        return self.raw[(start - self.low) * self.unit : (stop - self.low) * self.unit]


class Tape:
    """Feeds on the bytes of a text and keeps those that are not yet cut.

    Args:
        encoding: of the text.
        offset: of the first byte, in code units.
    """

    def __init__(self, encoding: str, offset: int = 0) -> None:
        import numpy as np

        self._encoding = encoding
        self._unit = unit_of(encoding)
        self._low = offset
        self._array: Bytes = np.zeros(AROUND, np.uint8)
        self._raw = b""
        self._rest = b""

    def feed(self, data: bytes, *, last: bool) -> Stretch:
        """What is known once these bytes follow."""
        import numpy as np

        fresh = self._rest + data if self._rest else data
        array, used = narrow(fresh, self._encoding, last=last)
        self._rest = fresh[used:]
        self._raw += fresh[:used]
        end = [np.zeros(AROUND, np.uint8)] if last else []
        self._array = np.concatenate((self._array, array, *end))
        high = len(self._array) - AROUND
        return Stretch(
            self._array,
            self._low - AROUND,
            AROUND,
            max(AROUND, high),
            last,
            self._raw,
            self._encoding,
            self._unit,
        )

    def cut(self, place: int) -> None:
        """Forgets what lies before a place but for its context."""
        passed = place - AROUND
        self._array = self._array[passed:]
        self._raw = self._raw[passed * self._unit :]
        self._low += passed
