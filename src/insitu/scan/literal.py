"""Search for fixed bytes: stringzilla where matches are rare, NumPy where they are dense."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from insitu.core.protocols import Reader
from insitu.core.spans import Span
from insitu.errors import PatternError
from insitu.scan.patterns import MATCH_BYTES_MAX, Columns, Pattern, Template
from insitu.scan.windows import Window

if TYPE_CHECKING:
    import numpy as np

# A call that finds one match takes 0.2 us, whole-array passes 500 us per MiB: these are quicker where
# matches are closer than this on average, probed each time so many matches were found.
DENSE_GAP_BYTES: Final = 400
PROBE_MATCHES: Final = 128

# Bytes that may be gathered at once to compare candidates; more are compared in slices.
GATHER_BYTES: Final = 1 << 22


class Literal(Pattern):
    """Fixed bytes; matches do not overlap, as with repeated ``bytes.find``.

    Raises:
        PatternError: the bytes are empty or more than MATCH_BYTES_MAX.
    """

    def __init__(self, needle: bytes) -> None:
        import stringzilla

        if not needle:
            raise PatternError("The text to search for is empty.", hint="Give at least one byte.")
        if len(needle) > MATCH_BYTES_MAX:
            raise PatternError(
                f"The text to search for has {len(needle)} bytes, more than {MATCH_BYTES_MAX}.",
                hint="Search for its beginning.",
                size=len(needle),
                match_bytes_max=MATCH_BYTES_MAX,
            )
        self.source = needle
        self._needle: Final = needle
        self._find: Any = stringzilla.find
        self._rfind: Any = stringzilla.rfind
        self._count: Any = stringzilla.count
        self._overlaps_itself: Final = _has_border(needle)
        self.countable = not self._overlaps_itself

    def template(self, template: bytes) -> Template:
        return Template(template.replace(b"\\", b"\\\\"), 0, {})

    def context(self, window_bytes: int) -> tuple[int, int]:
        del window_bytes
        return 0, len(self._needle) - 1

    def groups_of(self, text: memoryview, start: int, stop: int) -> Sequence[bytes]:
        return (bytes(text[start:stop]),)

    def count(self, window: Window, bound: Span) -> int:
        return int(self._count(self._text(window, bound), self._needle))

    def last(self, window: Window, bound: Span) -> Span | None:
        found = self._rfind(self._text(window, bound), self._needle)
        return None if found < 0 else Span(found, found + len(self._needle)).moved(window.span.start)

    def stretch(self, reader: Reader, window: Window, bound: Span) -> Columns:
        text = self._text(window, bound)
        size = len(self._needle)
        starts: list[int] = []
        state = 0
        while (found := self._find(text, self._needle, state)) >= 0:
            starts.append(found)
            state = found + size
            if len(starts) % PROBE_MATCHES == 0 and state < len(starts) * DENSE_GAP_BYTES:
                return self._dense(text, starts, window.span.start)
        starts = [start + window.span.start for start in starts]
        return Columns(starts, [start + size for start in starts])

    def _text(self, window: Window, bound: Span) -> memoryview:
        """The bytes in which a match that starts in the window's span has to lie."""
        return window.view[window.before : bound.stop - window.offset]

    def _dense(self, text: memoryview, head: list[int], base: int) -> Columns:
        """The matches of a text whose first ones, ``head``, have shown how close they are."""
        import numpy as np

        size = len(self._needle)
        state = head[-1] + size
        starts = self._candidates(text[state:])
        if self._overlaps_itself and bool((np.diff(starts) < size).any()):
            # Greedy from the left is a chain of decisions; split makes them in C.
            lengths = np.fromiter(map(len, bytes(text[state:]).split(self._needle)), np.int64)
            starts = np.cumsum(lengths[:-1] + size) - size
        starts = np.concatenate((np.array(head, np.int64), starts + state)) + base
        return Columns(starts, starts + size)  # type: ignore[arg-type]

    def _candidates(self, text: memoryview) -> np.ndarray[Any, Any]:
        """Every offset where the needle occurs, overlapping ones included."""
        import numpy as np

        needle = np.frombuffer(self._needle, np.uint8)
        size = len(needle)
        array = np.frombuffer(text, np.uint8)
        room = max(len(array) - size + 1, 0)
        first = array[:room] == needle[0]
        if size > 1:
            first &= array[size - 1 : size - 1 + room] == needle[-1]
        if size > 2:
            first &= array[size // 2 : size // 2 + room] == needle[size // 2]
        starts = np.flatnonzero(first)
        if size <= 3 or not len(starts):
            return starts
        views = np.lib.stride_tricks.sliding_window_view(array, size)
        step = max(GATHER_BYTES // size, 1)
        kept = [
            part[(views[part] == needle).all(axis=1)]
            for part in (starts[low : low + step] for low in range(0, len(starts), step))
        ]
        return np.concatenate(kept)


class WholeUnits(Literal):
    """Fixed code units of several bytes each: a match starts at a whole number of them.

    Half a unit off, the bytes of one character can end another and begin a third.

    Args:
        unit: bytes to one.
    """

    def __init__(self, needle: bytes, unit: int) -> None:
        super().__init__(needle)
        self._unit: Final = unit
        self.countable = False

    def last(self, window: Window, bound: Span) -> Span | None:
        text, size = self._text(window, bound), len(self._needle)
        found = self._rfind(text, self._needle)
        while found >= 0 and (found + window.span.start) % self._unit:
            found = self._rfind(text[: found + size - 1], self._needle)
        return None if found < 0 else Span(found, found + size).moved(window.span.start)

    def stretch(self, reader: Reader, window: Window, bound: Span) -> Columns:
        text, size, base = self._text(window, bound), len(self._needle), window.span.start
        starts: list[int] = []
        state = 0
        while (found := self._find(text, self._needle, state)) >= 0:
            if (found + base) % self._unit:
                state = found + 1
                continue
            starts.append(found + base)
            state = found + size
        return Columns(starts, [start + size for start in starts])


def _has_border(needle: bytes) -> bool:
    """Whether two occurrences can overlap: some proper prefix is also a suffix."""
    longest = 0
    table = [0] * len(needle)
    for index in range(1, len(needle)):
        while longest and needle[index] != needle[longest]:
            longest = table[longest - 1]
        longest += needle[index] == needle[longest]
        table[index] = longest
    return longest > 0
