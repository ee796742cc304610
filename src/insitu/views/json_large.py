"""A JSON value of any size as a tree: found by scanning windows, in bounded memory.

What a look through a container told is kept while the content stays the same: where its children are,
all of them where there are few, else one in each window, so that the next look starts near its goal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from insitu.core.protocols import Reader
from insitu.core.spans import Span
from insitu.errors import FormatError
from insitu.formats.json_pointer import index_of
from insitu.formats.json_structure import COLON, COMMA, Carry, structure_of
from insitu.formats.json_tree import Child, Survey, is_key
from insitu.scan.windows import WINDOW_BYTES

if TYPE_CHECKING:
    from insitu.formats.json_structure import Column

BOM: Final = b"\xef\xbb\xbf"
_SPACE: Final = b" \t\n\r"

# A container with so many children at most is remembered whole: some hundred kilobytes.
REMEMBERED_CHILDREN: Final = 4096

# White space and keys are read in pieces of this size.
_NEAR_BYTES: Final = 256

# Of a key in quotes, what could still be the one asked for: each of its bytes written as an escape.
_ESCAPED_BYTES: Final = 12


class _Marks(NamedTuple):
    """What one window tells of a container's own level; offsets are those of the reader."""

    separators: Column
    """Commas between its children; at the end of the container also its closing bracket."""
    colons: Column
    keys: Column
    """Where the key before each colon starts; -1 where that lies before the window."""
    key_stops: Column
    escapes: bool
    """Whether keys may be written with escapes."""
    closed: bool
    """Whether the container ends in the window."""


class _Known(NamedTuple):
    """What a look through a container told."""

    child_count: int
    last: Child | None
    children: list[Child] | None
    """All of them, where they are few."""


class _Sample(NamedTuple):
    """A separator of a container: scanning may start behind it."""

    ordinal: int
    """How many separators stand before it: the index of the child behind it is one more."""
    offset: int


class LargeTree:
    """A tree over a reader.

    Args:
        reader: holds one JSON value, white space and a byte order mark around it.
        path: what it is called in messages.
        offset: what is added to offsets in messages.

    Raises:
        FormatError: from any call: the text breaks off, or its brackets do not fit.
    Cost: a look through a container is one scan of it (some hundred MB/s), and the next to the same place
        none; memory for one window and what is remembered of each container looked through.
    """

    def __init__(
        self,
        reader: Reader,
        path: str,
        *,
        offset: int = 0,
        window_bytes: int = WINDOW_BYTES,
        remembered_children: int = REMEMBERED_CHILDREN,
    ) -> None:
        self._reader = reader
        self._path = path
        self.offset: Final = offset
        self._window_bytes = window_bytes
        self._remembered_children = remembered_children
        self._known: dict[int, _Known] = {}
        self._samples: dict[int, list[_Sample]] = {}
        self._root: Child | None = None

    @property
    def root(self) -> Child:
        """The whole value, without the white space around it."""
        if self._root is None:
            start = self.space_end(len(BOM) if self._peek(0, len(BOM)) == BOM else 0)
            stop = self._space_start(self._reader.size)
            if start >= stop:
                raise self._fault(start, "there is no value")
            self._root = Child(0, None, Span(start, stop), -1, -1)
        return self._root

    def read(self, span: Span) -> bytes:
        """The bytes of a span."""
        return self._reader.read(span.start, span.stop - span.start)

    def space_end(self, offset: int) -> int:
        """Where the white space that starts at ``offset`` stops."""
        size = _NEAR_BYTES
        while data := self._peek(offset, size):
            if rest := data.lstrip(_SPACE):
                return offset + len(data) - len(rest)
            offset += len(data)
            size = min(2 * size, self._window_bytes)
        return offset

    def find(self, container: Span, token: str) -> list[Child]:
        """The members with a key, in order; or the element of an index, if there is one."""
        if self.read(Span(container.start, container.start + 1)) == b"[":
            index = index_of(token)
            child = None if index is None else self._element(container, index)
            return [] if child is None else [child]
        known = self._known.get(container.start)
        if known is None or known.children is None:
            return self._look_through(container, token)
        return [child for child in known.children if self._is_key(child.key, token)]

    def survey(self, container: Span) -> Survey:
        """How many children an object or an array has, and the last one."""
        if container.start not in self._known:
            self._look_through(container, None)
        known = self._known[container.start]
        return Survey(known.child_count, known.last)

    def keys(self, container: Span) -> Iterator[bytes]:
        """Yields the keys of an object, as they are written, in order."""
        last, colon = container.start, None
        if self.read(Span(at := self.space_end(container.start + 1), at + 1)) == b"}":
            return
        for marks in self._marks(container, container.start, keyed=True):
            colons = marks.colons.tolist()
            if colon is not None:
                colons.insert(0, colon)
            for separator, colon in zip(marks.separators.tolist(), colons, strict=False):
                key = self._child(0, last, colon, separator).key
                assert key is not None
                yield self.read(key)
                last = separator
            colon = colons[-1] if len(colons) > len(marks.separators) else None
        if colon is not None:
            raise self._fault(colon, "a colon without a value")

    # Looking through a container

    def _look_through(self, container: Span, token: str | None) -> list[Child]:
        """Scans a container to its end, remembers what it is like, and finds the members with a key."""
        import numpy as np

        start = container.start
        keyed = self.read(Span(start, start + 1)) == b"{"
        if self.read(Span(at := self.space_end(start + 1), at + 1)) in (b"}", b"]"):
            self._known[start] = _Known(0, None, [])
            return []
        few: list[tuple[Column, Column, Column]] | None = []
        wanted: list[tuple[int, int]] = []  # which members, and where their colons are
        bounds: dict[int, int] = {0: start}  # separators asked for: by how many stand before them
        separators, colons, before, last = 0, 0, start, start
        last_colon = -1
        samples = [_Sample(0, start)]
        for marks in self._marks(container, start, keyed):
            if token is not None:
                found = list(self._matching(marks, colons, token))
                wanted += found
                if found and found[0][0] == separators:
                    bounds[separators] = last
            # Separator number n (from 1; the opening bracket is 0) stands before child n.
            first = separators + 1
            for index, _ in wanted:
                for number in (index, index + 1):
                    if first <= number < first + len(marks.separators):
                        bounds[number] = int(marks.separators[number - first])
            if len(marks.separators):
                before = int(marks.separators[-2]) if len(marks.separators) > 1 else last
                last = int(marks.separators[-1])
            if len(marks.colons):
                last_colon = int(marks.colons[-1])
            separators += len(marks.separators)
            colons += len(marks.colons)
            if few is not None:
                few.append((marks.separators, marks.colons, marks.keys))
                if separators > self._remembered_children:
                    few = None
            if len(marks.separators) and not marks.closed:
                samples.append(_Sample(separators, last))
        if keyed and colons != separators:
            raise self._fault(start, f"an object has {separators:,} members and {colons:,} colons")
        children = None
        if few is not None:
            joined = [np.concatenate(column) for column in zip(*few, strict=True)]
            children = self._children(start, joined[0].tolist(), joined[1].tolist() if keyed else None)
        final = self._child(separators - 1, before, last_colon if keyed else None, last)
        self._known[start] = _Known(separators, final, children)
        self._samples[start] = samples
        if not all({index, index + 1} <= bounds.keys() for index, _ in wanted):
            raise self._fault(start, "an object whose colons and commas do not take turns")
        return [self._child(index, bounds[index], colon, bounds[index + 1]) for index, colon in wanted]

    def _children(self, start: int, separators: list[int], colons: list[int] | None) -> list[Child]:
        befores = [start, *separators[:-1]]
        return [
            self._child(index, before, colons[index] if colons else None, after)
            for index, (before, after) in enumerate(zip(befores, separators, strict=True))
        ]

    def _element(self, container: Span, index: int) -> Child | None:
        """The element of an index; scans no further than to its end."""
        start = container.start
        if (known := self._known.get(start)) is not None:
            if index >= known.child_count:
                return None
            if known.children is not None:
                return known.children[index]
        if self.read(Span(at := self.space_end(start + 1), at + 1)) == b"]":
            return None
        samples = self._samples.setdefault(start, [_Sample(0, start)])
        sample = max(one for one in samples if one.ordinal <= index)
        separators, last, before = sample.ordinal, sample.offset, None
        if index == sample.ordinal:
            before = sample.offset
        for marks in self._marks(container, sample.offset, keyed=False):
            numbers = range(separators + 1, separators + 1 + len(marks.separators))
            if index in numbers:
                before = int(marks.separators[index - numbers.start])
            if index + 1 in numbers and before is not None:
                return self._child(index, before, None, int(marks.separators[index + 1 - numbers.start]))
            separators += len(marks.separators)
            if len(marks.separators):
                last = int(marks.separators[-1])
                if not marks.closed and separators > samples[-1].ordinal:
                    samples.append(_Sample(separators, last))
        return None

    def _child(self, index: int, before: int, colon: int | None, after: int) -> Child:
        start = self.space_end(before + 1)
        key = None
        if colon is not None:
            key = Span(start, self._space_start(colon))
            start = self.space_end(colon + 1)
        stop = self._space_start(after)
        if start >= stop or (key is not None and key.size < 2):
            raise self._fault(before + 1, "a value or a key is missing")
        return Child(index, key, Span(start, stop), before, after)

    # Windows

    def _marks(self, container: Span, offset: int, keyed: bool) -> Iterator[_Marks]:
        """Yields what windows tell of the level inside a container, from a separator of it on."""
        import numpy as np

        closing = ord("}") if self.read(Span(container.start, container.start + 1)) == b"{" else ord("]")
        at, depth, carry = offset + 1, 0, Carry()
        buffer = bytearray(min(self._window_bytes, self._reader.size - at))
        while at < self._reader.size:
            view = memoryview(buffer)[: self._reader.size - at]
            self._reader.read_into(at, view)
            found = structure_of(np.frombuffer(view, np.uint8), carry)
            if found.stray is not None:
                raise self._fault(at + found.stray, "a backslash outside a string")
            depths = found.depths + depth
            ends = np.flatnonzero(depths < 0)
            stop = int(ends[0]) if len(ends) else len(depths)
            places, kinds, depths = found.places[:stop], found.kinds[:stop], depths[:stop]
            own = depths == 0
            separators = places[own & (kinds == COMMA)]
            if len(ends):
                end = int(found.places[stop])
                if found.kinds[stop] != closing:
                    raise self._fault(at + end, f"{chr(found.kinds[stop])} in the place of {chr(closing)}")
                separators = np.append(separators, end)
            colons = places[own & (kinds == COLON)] if keyed else places[:0]
            keys, key_stops = _key_spans(found.quotes, colons)
            keys[keys >= 0] += at
            yield _Marks(separators + at, colons + at, keys, key_stops + at, found.escapes, bool(len(ends)))
            if len(ends):
                return
            depth += int(found.depths[-1]) if len(found.depths) else 0
            carry = found.carry
            at += len(view)
        inside = "a string" if carry.in_string else "an object" if closing == ord("}") else "an array"
        raise self._fault(self._reader.size, f"the end inside {inside}")

    def _matching(self, marks: _Marks, first: int, token: str) -> Iterator[tuple[int, int]]:
        """Yields the members of a window that have a key: which they are, and their colons."""
        import numpy as np

        size = len(token.encode("utf-8", "surrogatepass")) + 2
        sizes = marks.key_stops - marks.keys
        possible = (marks.keys < 0) | (sizes == size)
        if marks.escapes:
            possible |= sizes > size
        for number in np.flatnonzero(possible).tolist():
            colon, start, stop = (
                int(column[number]) for column in (marks.colons, marks.keys, marks.key_stops)
            )
            if start < 0:
                start, stop = self._key_start(colon), self._space_start(colon)
            if self._is_key(Span(start, stop), token):
                yield first + number, colon

    def _key_start(self, colon: int) -> int:
        """Where the key before a colon starts, by reading backwards."""
        stop = self._space_start(colon)
        start, size = stop - 1, _NEAR_BYTES
        while start > 0:
            low = max(0, start - size)
            data = self._reader.read(low, start - low)
            at = data.rfind(b'"')
            while at >= 0 and _is_escaped(self._reader, low + at):
                at = data.rfind(b'"', 0, at)
            if at >= 0:
                return low + at
            start, size = low, min(2 * size, self._window_bytes)
        raise self._fault(colon, "a colon without a key")

    def _is_key(self, span: Span | None, token: str) -> bool:
        """Whether a key is the one asked for; one far longer cannot be."""
        if span is None or span.size > _ESCAPED_BYTES * len(token) + 2:
            return False
        return is_key(self.read(span), token)

    # Near an offset

    def _space_start(self, offset: int) -> int:
        """Where the white space that stops at ``offset`` starts."""
        size = _NEAR_BYTES
        while offset > 0:
            low = max(0, offset - size)
            rest = self._reader.read(low, offset - low).rstrip(_SPACE)
            if rest:
                return low + len(rest)
            offset, size = low, min(2 * size, self._window_bytes)
        return offset

    def _peek(self, offset: int, size: int) -> bytes:
        return self._reader.read(offset, max(0, min(size, self._reader.size - offset)))

    def _fault(self, offset: int, reason: str) -> FormatError:
        return FormatError(
            f"{self._path} is not JSON at byte {self.offset + offset:,}: {reason}; nothing was changed.",
            hint="Find the first fault with: insitu json check FILE",
            offset=self.offset + offset,
        )


def _key_spans(quotes: Column, colons: Column) -> tuple[Column, Column]:
    """Where the string before each colon starts (-1 where that is before the window) and stops."""
    import numpy as np

    closing = np.searchsorted(quotes, colons) - 1
    starts, stops = np.full(len(colons), -1, np.int64), np.full(len(colons), -1, np.int64)
    whole = closing >= 1
    starts[whole] = quotes[closing[whole] - 1]
    stops[whole] = quotes[closing[whole]] + 1
    return starts, stops


def _is_escaped(reader: Reader, offset: int) -> bool:
    """Whether an odd run of backslashes stands before an offset."""
    count = 0
    while offset > count and reader.read(offset - count - 1, 1) == b"\\":
        count += 1
    return count % 2 == 1
