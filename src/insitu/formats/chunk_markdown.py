"""Boundaries inside a block of Markdown that is too large: items, lines of text, last fences and tables."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from insitu.formats.byte_tables import is_one_of
from insitu.formats.chunk_places import INNER, LINE, Places, line_places
from insitu.formats.chunk_tape import Stretch
from insitu.formats.markdown_blocks import CLEAN, State, after
from insitu.formats.markdown_lines import Line

if TYPE_CHECKING:
    from insitu.formats.cells import Column, Mask

# Of a line so much is looked at: less than what is in sight beyond the last line that is decided.
_HEAD_BYTES: Final = 200

# A line that is text from its first letter on: what it opens and continues shows in what stands before that.
_WORDED: Final = re.compile(
    rb"[ \t]*(?:(?:[-+*]|\d{1,9}[.)])[ \t]+)*[*_`]{0,2}"
    rb"(?=[A-Za-z\x80-\xff\"'(,;/@$%&?!.^{}\\])"
)

# So many of these beginnings are remembered, with what they lead to.
_KNOWN_MAX: Final = 4096

_SPACE: Final = 0x20

# Items of items of items: all further in are worth the same.
_DEEP: Final = 8


class InnerBlocks:
    """Where blocks start inside a block: items of lists, paragraphs in them, fences."""

    def __init__(self, newline: int) -> None:
        self._newline = newline
        self.at: list[int] = []
        self.worth: list[int] = []
        self.soft: list[int] = []
        """Where lines start that are neither of a table nor of a fence."""
        self._state: State = CLEAN
        self._known: dict[tuple[tuple[int, ...], str, bytes], State] = {}
        self._row = False
        # Up to where lines were read, and whether the block went on there.
        self._read = 0
        self._goes_on = False

    def inside(self, stretch: Stretch, starts: Column, stops: Column) -> Places:
        """See ``Finer``."""
        import numpy as np

        low = stretch.base + stretch.low
        kept = [index for index, at in enumerate(self.at) if at > low]
        self.at, self.worth = [self.at[i] for i in kept], [self.worth[i] for i in kept]
        self.soft = [at for at in self.soft if at > low]
        lines = line_places(stretch, self._newline)
        marked = _marked(stretch, lines)
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            if not (self._goes_on and start == stretch.low):
                self._state, self._row = CLEAN, False
                self._read = stretch.base + start
                self._take(stretch, start, first=True)
            first = int(np.searchsorted(lines, self._read - stretch.base, "right"))
            last = int(np.searchsorted(lines, stop))
            self._take_all(stretch, lines[first:last].tolist(), marked[first:last])
            self._goes_on = stop == stretch.high
            if len(self._known) > _KNOWN_MAX:
                self._known.clear()
        return Places(np.array(self.at, np.int64) - stretch.base, np.array(self.worth, np.int64))

    def _take_all(self, stretch: Stretch, lines: list[int], marked: Mask) -> None:
        """Reads lines; of those in a fence the ones that could end it."""
        index, markers = 0, None
        while index < len(lines):
            state = self._state
            if state.leaf.kind == "fence" and not state.containers:
                if markers is None:
                    markers = [*marked.nonzero()[0].tolist(), len(lines)]
                following = markers[bisect_left(markers, index)]
                if following > index:
                    self._read = stretch.base + lines[following - 1]
                    self._row = False
                    index = following
                    continue
            self._take(stretch, lines[index], first=False)
            index += 1

    def _take(self, stretch: Stretch, place: int, *, first: bool) -> None:
        """Reads the line that starts at a place."""
        head = stretch.array[place : place + _HEAD_BYTES].tobytes()
        end = head.find(self._newline)
        head = (head if end < 0 else head[:end]).rstrip(b"\r")
        offset = stretch.base + place
        self._read = offset
        before = self._state
        if self._row and head.startswith(b"|") and before.leaf.kind == "paragraph" and not before.containers:
            return
        self._state = self._after(before, head, offset)
        row = b"|" in head
        joined = row and self._row
        self._row = row
        if first or not head.strip() or joined:
            return
        same = before.containers == self._state.containers
        if before.leaf.kind in ("fence", "html") and same:
            return
        self.soft.append(offset)
        if before.leaf.kind == "paragraph" and self._state.leaf.kind == "paragraph" and same:
            return
        self.at.append(offset)
        self.worth.append(INNER + _DEEP - min(_DEEP, len(self._state.containers)))

    def _after(self, before: State, head: bytes, offset: int) -> State:
        """The state behind a line.

        Invariant: of a paragraph only that it is one is used of the result, so that a state may stand for
        all that differ in where their text starts.
        """
        leaf = before.leaf
        worded = _WORDED.match(head)
        if worded is None or not (
            leaf.kind == "none" or (leaf.kind == "paragraph" and leaf.definitions.phase == "text")
        ):
            return after(before, Line(offset, offset + len(head), head))[0]
        key = before.containers, leaf.kind, worded[0]
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = after(before, Line(offset, offset + len(head), head))[0]
        return found


# A fence is closed by a line indented by less than four.
_INDENT_MAX: Final = 3


def _marked(stretch: Stretch, lines: Column) -> Mask:
    """Which lines begin with a marker of fences."""
    import numpy as np

    array, top = stretch.array, len(stretch.array) - 1
    at = np.minimum(lines, top)
    for _ in range(_INDENT_MAX):
        at = np.minimum(at + (array[at] == _SPACE), top)
    return is_one_of(array[at], b"`~")


class SoftLines:
    """Lines of text inside a block: all but those of tables and fences."""

    def __init__(self, blocks: InnerBlocks) -> None:
        self._blocks = blocks

    def inside(self, stretch: Stretch, starts: Column, stops: Column) -> Places:
        """See ``Finer``."""
        import numpy as np

        at = np.array(self._blocks.soft, np.int64) - stretch.base
        return Places(at, np.full(len(at), LINE + 1, np.int64))
