"""What a transform does to one window: hands each item to the function and packs what changed.

The same here and in worker processes, which is why nothing in it needs NumPy: results travel as packed
columns of 64-bit integers.
"""

from __future__ import annotations

import traceback
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, chain, compress, islice, repeat
from operator import is_not, length_hint
from typing import Any, Final, NamedTuple

from insitu.core.protocols import Reader
from insitu.core.spans import Span
from insitu.errors import InsituError, TextError
from insitu.formats.lines import LF, assigned_line, assigned_lines
from insitu.views.transform_lines import LineReader

# Items are compared and measured in groups, of which most do not change.
_GROUP_ITEMS: Final = 32

Item = Any
Function = Callable[..., Any]


class Changes(NamedTuple):
    """What changes in one window, as packed columns; ``sizes`` are those of the new bytes in ``data``."""

    starts: bytes
    stops: bytes
    sizes: bytes
    data: bytes


class Failure(NamedTuple):
    """Why an item could not be transformed, and where it starts."""

    offset: int
    error: InsituError | None
    """What we found wrong with the result; None where the function itself raised."""
    summary: str
    traceback: str


class Context:
    """Where an item stands and what is around it; valid while the function runs for that item.

    Attributes:
        before: the items before it, as they are in the file; fewer at its start.
        after: the items behind it, as they are in the file; fewer at its end.
    """

    __slots__ = ("_first_number", "_index", "_offset_of", "after", "before")

    def __init__(self, first_number: Callable[[], int], offset_of: Callable[[int], int]) -> None:
        self.before: tuple[Item, ...] = ()
        self.after: tuple[Item, ...] = ()
        self._first_number = first_number
        self._offset_of = offset_of
        self._index: Callable[[], int] = int
        """Which item of its stretch the function runs for; the first, where there is no other."""

    @property
    def number(self) -> int:
        """Its number, from 1. Counted on when it is asked for: five times as fast as reading lines."""
        return self._first_number() + self._index()

    @property
    def offset(self) -> int:
        """The byte it starts at."""
        return self._offset_of(self._index())


class Around(NamedTuple):
    """Items with what is around them: ``items[first : first + count]`` are passed to the function."""

    context: Context
    items: Sequence[Item]
    first: int
    width: int

    def befores(self) -> Iterator[tuple[Item, ...]]:
        """Yields what is before each item. No step per item runs in Python but at the start of a file."""
        items, first, width = self.items, self.first, self.width
        if not width:
            return repeat(())
        short = (tuple(items[:at]) for at in range(first, width))
        return chain(short, zip(*(islice(items, k, None) for k in range(width)), strict=False))

    def afters(self) -> Iterator[tuple[Item, ...]]:
        """Yields what is behind each item."""
        items, width, start = self.items, self.width, self.first + 1
        if not width:
            return repeat(())
        short = (tuple(items[at:]) for at in range(max(start, len(items) - width + 1), len(items) + 1))
        return chain(zip(*(islice(items, start + k, None) for k in range(width)), strict=False), short)


class ItemError(Exception):
    """An item of a window could not be transformed."""

    def __init__(self, index: int, cause: Exception) -> None:
        super().__init__(index)
        self.index: Final = index
        self.cause: Final = cause


def called(function: Function, items: Sequence[Item], around: Around | None) -> list[Any]:
    """What the function makes of each item; exactly one result to an item.

    Raises:
        ItemError: it raised for one.
    """
    given = iter(items)

    def index() -> int:
        return len(items) - length_hint(given) - 1

    try:
        if around is None:
            results = list(map(function, given))
        else:
            context = around.context
            context._index = index
            results = [
                function(item, context)
                for item, context.before, context.after in zip(
                    given, around.befores(), around.afters(), strict=False
                )
            ]
        if len(results) < len(items):
            raise RuntimeError("the function raised StopIteration")
    except Exception as error:
        raise ItemError(index(), error) from error
    return results


def failure(error: ItemError, offset: int) -> Failure:
    """The facts of an error that can travel: no exception of a stranger's class is sent."""
    cause = error.cause
    summary = traceback.format_exception_only(cause)[-1].strip()
    known = cause if isinstance(cause, InsituError) else None
    return Failure(offset, known, summary, "".join(traceback.format_exception(cause)))


class LineWork:
    """Passes the lines that start in a window through a function.

    Args:
        width: how many lines of context; None where the function takes no context.
        as_bytes: lines are bytes, else text.
        parse: what makes an item of context out of a line; None leaves it as it is.
    """

    def __init__(
        self,
        lines: LineReader,
        function: Function,
        *,
        width: int | None,
        as_bytes: bool,
        parse: Callable[[Any], Any] | None = None,
    ) -> None:
        self._lines = lines
        self._function = function
        self._width = width
        self._as_bytes = as_bytes
        self._parse = parse
        self._counted = lines.origin, 0

    def __call__(self, window: Span) -> Changes | Failure:
        """Works on one window."""
        offset, data = self._lines.starting_in(window)
        if not data:
            return Changes(b"", b"", b"", b"")
        items = self._items(data, offset)
        ascii_ = self._lines.unit == 1 and data.isascii()
        places = _Places(offset, data, items if ascii_ else None, self._lines)
        try:
            results = called(self._function, items, self._around(items, places))
            rendering = _Rendering(self._lines, places, as_bytes=self._as_bytes, plain=b"\r" not in data)
            return _packed(results, items, places, rendering)
        except ItemError as error:
            return failure(error, places.offset(error.index))

    def _items(self, data: bytes, offset: int) -> list[Any]:
        return self._lines.split(data) if self._as_bytes else self._lines.texts(data, offset)

    def _around(self, items: list[Any], places: _Places) -> Around | None:
        if self._width is None:
            return None
        before = self._items(self._lines.before(places.start, self._width), places.start)
        after = self._items(self._lines.after(places.stop, self._width), places.stop)
        around = [*before, *items, *after]
        if self._parse is not None:
            around = list(map(self._parse, around))
        context = Context(lambda: self._lines_before(places.start) + 1, places.offset)
        return Around(context, around, len(before), self._width)

    def _lines_before(self, offset: int) -> int:
        """How many lines there are before one that starts at an offset; counts on from the latest answer."""
        at, count = self._counted
        if offset != at:
            self._counted = offset, count + self._lines.count(Span(at, offset))
        return self._counted[1]


class _Places:
    """Where the lines of a stretch are; found when first asked, for most stretches do not change.

    Args:
        items: the lines, where each is as long as its bytes.
    """

    def __init__(self, start: int, data: bytes, items: list[Any] | None, lines: LineReader) -> None:
        self.start: Final = start
        self.stop: Final = start + len(data)
        self._items = items
        self._lines = lines
        self._data = data
        self._starts = [start]
        """Where each group of lines starts, as far as anybody asked."""
        self._group = -1
        self._bounds: list[int] = []
        """Of that group."""

    def offset(self, index: int) -> int:
        """The offset of a line, or behind the last one."""
        group = index // _GROUP_ITEMS
        if group != self._group:
            if self._items is None:
                self._items = self._lines.split(self._data)
            items, starts, nothing = self._items, self._starts, self._items[0][:0]
            while len(starts) <= group:
                low = (len(starts) - 1) * _GROUP_ITEMS
                # Faster than adding up their lengths.
                starts.append(starts[-1] + len(nothing.join(items[low : low + _GROUP_ITEMS])))
            lengths = map(len, items[group * _GROUP_ITEMS : (group + 1) * _GROUP_ITEMS])
            self._bounds, self._group = list(accumulate(lengths, initial=starts[group])), group
        return self._bounds[index % _GROUP_ITEMS]

    def line(self, index: int) -> bytes:
        """The bytes of a line."""
        return self._data[self.offset(index) - self.start : self.offset(index + 1) - self.start]


class ChunkWork:
    """Passes one chunk of bytes through a function.

    Args:
        width: how many chunks of context; None where the function takes no context.
    """

    def __init__(self, content: Reader, function: Function, *, chunk_bytes: int, width: int | None) -> None:
        self._content = content
        self._function = function
        self._chunk_bytes = chunk_bytes
        self._width = width

    def __call__(self, span: Span) -> Changes | Failure:
        """Works on one chunk."""
        chunk = self._content.read(span.start, span.size)
        around = None
        if self._width is not None:
            reach = self._width * self._chunk_bytes
            before = self._chunks(max(0, span.start - reach), span.start)
            after = self._chunks(span.stop, min(span.stop + reach, self._content.size))
            context = Context(lambda: span.start // self._chunk_bytes + 1, lambda _index: span.start)
            around = Around(context, [*before, chunk, *after], len(before), self._width)
        try:
            new = called(self._function, [chunk], around)[0]
            made = chunk if new is chunk else _chunk_of(new)
        except ItemError as error:
            return failure(error, span.start)
        if made == chunk:
            return Changes(b"", b"", b"", b"")
        head, tail = _alike(chunk, made)
        starts, stops = array("q", (span.start + head,)), array("q", (span.stop - tail,))
        data = made[head : len(made) - tail]
        return Changes(starts.tobytes(), stops.tobytes(), array("q", (len(data),)).tobytes(), data)

    def _chunks(self, start: int, stop: int) -> list[bytes]:
        step = self._chunk_bytes
        return [self._content.read(low, min(step, stop - low)) for low in range(start, stop, step)]


def _chunk_of(new: Any) -> bytes:
    """The bytes a chunk is replaced by."""
    if new is None:
        return b""
    if isinstance(new, bytes | bytearray | memoryview):
        return bytes(new)
    try:
        if isinstance(new, str) or not isinstance(new, Iterable):
            raise _not_an_item(new, as_bytes=True)
        return b"".join(map(_as_bytes, new))
    except Exception as error:
        raise ItemError(0, error) from error


def _alike(old: bytes, new: bytes) -> tuple[int, int]:
    """How many bytes are the same at the start, and at the end of the rest."""
    shorter = min(len(old), len(new))
    head = _reach(shorter, lambda size: old[:size] == new[:size])
    tail = _reach(shorter - head, lambda size: old[len(old) - size :] == new[len(new) - size :])
    return head, tail


def _reach(limit: int, same: Callable[[int], bool]) -> int:
    """The largest size up to a limit for which a condition holds that holds for all smaller ones."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if same(middle) else (low, middle - 1)
    return low


class _Rendering:
    """Makes bytes of what the function returned, by the rules that lines are assigned by."""

    def __init__(self, lines: LineReader, places: _Places, *, as_bytes: bool, plain: bool) -> None:
        self._lines = lines
        self._places = places
        self._as_bytes = as_bytes
        # No line of the stretch ends with more than LF: a new one that does is written as it is.
        self._plain = plain and lines.newline == LF and lines.unit == 1

    def __call__(self, new: Any, item: Any, index: int) -> bytes:
        """The bytes that take a line's place."""
        if new is None:
            return b""
        if isinstance(new, str | bytes):
            data: bytes = self._encode(new)
            if self._plain and data[-1:] == b"\n":
                return data
            return self._assigned([data], index)
        if not isinstance(new, Iterable):
            raise _not_an_item(new, self._as_bytes)
        old = self._places.line(index)
        several = list(new)
        return self._assigned([old if one == item else self._encode(one) for one in several], index)

    def _encode(self, new: Any) -> bytes:
        if self._as_bytes:
            return _as_bytes(new)
        if not isinstance(new, str):
            raise _not_an_item(new, as_bytes=False)
        return self._lines.text.encode(new)

    def _assigned(self, texts: list[bytes], index: int) -> bytes:
        lines, old = self._lines, self._places.line(index)
        replaced = lines.utf8(old)
        neighbour = lines.newline
        if not replaced.endswith(neighbour):
            neighbour = lines.ending_before(self._places.offset(index)) or neighbour
        narrow = [lines.utf8(text) for text in texts]
        if len(narrow) == 1:
            made = assigned_line(narrow[0], replaced, neighbour, lines.newline)
        else:
            made = b"".join(assigned_lines(narrow, [replaced], neighbour, lines.newline))
        return lines.from_utf8(made)


def _as_bytes(new: Any) -> bytes:
    if not isinstance(new, bytes):
        raise _not_an_item(new, as_bytes=True)
    return new


def _not_an_item(new: Any, as_bytes: bool) -> TextError:
    wanted = "bytes" if as_bytes else "a str"
    return TextError(
        f"The function returned {type(new).__name__}, where {wanted}, several of them or None is asked for.",
        hint="Return the item to keep it, None to drop it, a list to put several in its place.",
    )


def _others(results: Sequence[Any], items: Sequence[Any]) -> Iterator[int]:
    """Yields the indexes of results that are not the very items; most groups are told to be at one glance."""
    for low in range(0, len(items), _GROUP_ITEMS):
        made, given = results[low : low + _GROUP_ITEMS], items[low : low + _GROUP_ITEMS]
        if made != given:
            yield from compress(range(low, low + len(given)), map(is_not, made, given))


def _packed(
    results: Sequence[Any], items: Sequence[Any], places: Any, render: Callable[[Any, Any, int], bytes]
) -> Changes:
    """The items that changed."""
    starts, stops, sizes = array("q"), array("q"), array("q")
    data: list[bytes] = []
    for index in _others(results, items):
        new, item = results[index], items[index]
        if new == item:
            continue
        try:
            made = render(new, item, index)
        except Exception as error:
            raise ItemError(index, error) from error
        if made != places.line(index):
            starts.append(places.offset(index))
            stops.append(places.offset(index + 1))
            sizes.append(len(made))
            data.append(made)
    return Changes(starts.tobytes(), stops.tobytes(), sizes.tobytes(), b"".join(data))
