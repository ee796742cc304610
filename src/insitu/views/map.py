"""``doc.map()``: the whole file as an array that any code may change, recorded when the block ends.

    with doc.map("<f4") as array:
        array *= 2

Changes land in private pages, so memory is the pages touched and the file is not. Leaving the block
compares those pages with the file and records what differs as pending edits; an exception drops them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from types import TracebackType
from typing import Any, Protocol

from insitu.core.spans import Span
from insitu.errors import RequestError, StaleError
from insitu.storage.base import File
from insitu.storage.mapping import PrivateMapping

WINDOW_BYTES = 1 << 20  # read and compared at once: the knee of scan speed

# Changes are told apart in cells, with one comparison each: 256 bytes record dense changes at some 900 MB/s
# in plain Python (64 bytes: a third of it). An edit that bridges a short gap costs no writing, since a
# commit writes whole atoms, and is cheaper to keep than two.
CELL_BYTES = 256


class Mappable(Protocol):
    """What a mapping needs of its document."""

    @property
    def size(self) -> int:
        """Bytes, pending edits included."""
        ...

    @property
    def base_file(self) -> File:
        """The open file under the pending edits."""
        ...

    @property
    def generation(self) -> object:
        """Which contents the document stands on; compared for equality only."""
        ...

    @property
    def changed(self) -> bool:
        """Whether edits are pending."""
        ...

    @property
    def read_only(self) -> bool:
        """Whether the document refuses edits."""
        ...

    def check_generation(self) -> None:
        """Raises StaleError when the file is no longer the one that was opened."""
        ...

    # Parameters without names: documents may call them what they like.
    def replace_spans(self, edits: Iterator[tuple[Span, bytes]], /) -> object:
        """Records sorted, disjoint edits as one pending edit."""
        ...


class Mapping:
    """A context manager whose block sees the file as a flat, writable array of the file's size.

    The array is a view of the file, not a snapshot: bytes nobody touched show what others write meanwhile,
    and if they truncate the file, touching what is gone kills the process (SIGBUS). Whether they did is
    checked when the block ends, and again by the commit. Threads may share the array, but have to be done
    with it when the block ends.

    The array is meant for the block. Afterwards it is read-only and shows the file instead of what was
    recorded, and it keeps the file open until it is deleted; a memoryview is released. Changes made in a
    forked process stay there.

    Args:
        document: has no pending edits, neither now nor later in the block.
        dtype: what the items are: anything ``numpy.dtype`` takes, None for bytes (``numpy.uint8``), or
            the type ``memoryview`` for a plain one of bytes, which does not import numpy.
    Raises:
        RequestError: edits are pending, or the file's size is no multiple of the item's.
        StaleError: on entering or leaving: the file was changed meanwhile. Nothing is recorded.
    Cost: memory for the pages written, which change hands window by window while being recorded; one
        read of these pages from the file; no time for the rest of it (see ``insitu.storage.mapping``).
    """

    def __init__(self, document: Mappable, dtype: Any = None) -> None:
        self._document = document
        self._refuse_pending("cannot map a document that has pending edits")
        self._dtype = dtype
        self._item = _item_type(dtype, document.size)
        self._mapping: PrivateMapping | None = None
        self._generation: object = None
        self._view: Any = None

    def __enter__(self) -> Any:
        if self._mapping is not None:
            raise RequestError(
                "this mapping is in use already; the document is unchanged",
                hint="call map() again for a second one",
            )
        document = self._document
        self._refuse_pending("cannot map a document that has pending edits")
        document.check_generation()
        self._generation = document.generation
        self._item = _item_type(self._dtype, document.size)  # which a commit may have changed since
        writable = not document.read_only
        self._mapping = PrivateMapping(document.base_file.fileno(), document.size, writable=writable)
        self._view = _shown(self._mapping, self._item)
        return self._view

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        mapping, self._mapping = self._mapping, None
        view, self._view = self._view, None
        assert mapping is not None
        try:
            if kind is None and not self._document.read_only:
                self._record(mapping)
        finally:
            if self._item is not None:
                view.setflags(write=False)
            del view
            mapping.close()

    def _record(self, mapping: PrivateMapping) -> None:
        """Makes what differs from the file pending, as one edit of the document; nothing where nothing."""
        self._refuse_pending("the document was edited while it was mapped; the mapped changes are dropped")
        self._document.check_generation()
        if self._document.generation != self._generation:
            raise StaleError(
                "the document was committed while it was mapped; the mapped changes are dropped",
                hint="leave the block before editing the document in other ways",
            )
        edits = _changes(mapping, self._document.base_file)
        first = next(edits, None)
        if first is not None:
            self._document.replace_spans(chain((first,), edits))

    def _refuse_pending(self, message: str) -> None:
        if self._document.changed:
            raise RequestError(message, hint="commit or discard the pending edits first")


def _item_type(dtype: Any, size: int) -> Any:
    """The numpy type of the items, of which ``size`` bytes must be a whole number; None for a memoryview."""
    if dtype is memoryview:
        return None
    import numpy

    try:
        item = numpy.dtype(numpy.uint8 if dtype is None else dtype)
    except (TypeError, ValueError) as error:
        raise RequestError(f"{dtype!r} is not an item type: {error}", hint="give a numpy dtype") from error
    if item.hasobject or not item.itemsize:
        raise RequestError(
            f"items of type {item} are not made of bytes of the file",
            hint="give a numpy dtype of a fixed size without Python objects",
        )
    if remainder := size % item.itemsize:
        raise RequestError(
            f"the file's {size} bytes are not a whole number of items of {item.itemsize} bytes: "
            f"{remainder} are left over",
            hint="map bytes (dtype=None) and take views of the parts that are items",
            size=size,
            item_bytes=item.itemsize,
            remainder=remainder,
        )
    return item


def _shown(mapping: PrivateMapping, item: Any) -> Any:
    """The mapping's buffer itself, or an array of items over it."""
    if item is None:
        return mapping.buffer
    import numpy

    if not mapping.size:
        return numpy.empty(0, item)
    # frombuffer, since it exports the buffer for as long as arrays live: closing then leaves the memory
    # mapped. The constructor numpy.ndarray only borrows the address.
    return numpy.frombuffer(mapping.buffer, item)


def _changes(mapping: PrivateMapping, base: File) -> Iterator[tuple[Span, bytes]]:
    """What the mapping's pages hold in place of the file's bytes: sorted, disjoint, a window at most each.

    Pages are given back once their changes were taken, so that pages and pending bytes together are never
    more than the pages were (plus a window).
    """
    for touched in mapping.touched():
        for start in range(touched.start, touched.stop, WINDOW_BYTES):
            window = Span(start, min(start + WINDOW_BYTES, touched.stop))
            old = base.read(window.start, window.size)
            if len(old) < window.size:
                raise StaleError(
                    "the file became shorter while it was mapped; the mapped changes are dropped",
                    hint="open the file again",
                )
            new = bytes(mapping.buffer[window.start : window.stop])
            for run in _differing(old, new):
                yield run.moved(start), new[run.start : run.stop]
            mapping.give_back(window)


def _differing(old: bytes, new: bytes) -> Iterator[Span]:
    """Spans whose first and last bytes differ and which bridge fewer than two cells of equal bytes.

    They are ascending and disjoint, and outside of them both are equal.
    """
    if old == new:
        return
    size = len(new)
    start = None
    for cell in range(0, size, CELL_BYTES):
        if old[cell : cell + CELL_BYTES] != new[cell : cell + CELL_BYTES]:
            start = cell if start is None else start
        elif start is not None:
            yield _trimmed(old, new, Span(start, cell))
            start = None
    if start is not None:
        yield _trimmed(old, new, Span(start, size))


def _trimmed(old: bytes, new: bytes, run: Span) -> Span:
    """``run``, whose first and last cells hold differences, without the equal bytes at both ends."""
    head = slice(run.start, min(run.start + CELL_BYTES, run.stop))
    tail = slice((run.stop - 1) // CELL_BYTES * CELL_BYTES, run.stop)
    # As little-endian numbers, the lowest set bit of the difference lies in its first differing byte, the
    # highest in its last.
    low = int.from_bytes(old[head], "little") ^ int.from_bytes(new[head], "little")
    high = int.from_bytes(old[tail], "little") ^ int.from_bytes(new[tail], "little")
    return Span(
        run.start + ((low & -low).bit_length() - 1) // 8,
        tail.start + (high.bit_length() + 7) // 8,
    )
