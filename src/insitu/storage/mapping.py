"""A file as private memory, and which of its pages were written.

Writes go to private copies of pages (copy-on-write) and never reach the file. Which pages were copied is
asked of the kernel, so that finding three changed bytes in a terabyte costs microseconds and no reading.
There are three ways to ask, tried in this order until one is seen to notice a write:

- ``scan``: the PAGEMAP_SCAN ioctl (Linux 6.7) walks page tables and returns byte ranges.
- ``entries``: /proc/self/pagemap holds eight bytes per page: 2 GiB to read for 1 TiB of mapping.
- ``compare``: the mapping is compared with the file, which reads all of both; every platform can.

Invariant M1: ``touched`` covers every byte that differs from the file as it was mapped. It may cover
more (a byte written with the value it had; on DAX a hole that was read, which shows the zero page), never
less. Huge pages do not weaken this: both kernel ways report whole ranges, split only at page edges.

Source: Documentation/admin-guide/mm/pagemap.rst of Linux; mmap(2), madvise(2).
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from insitu.core.spans import Span, ceil
from insitu.errors import StaleError, StorageError, UnsupportedError

PAGE_BYTES = mmap.PAGESIZE
WINDOW_BYTES = 1 << 20  # the knee of scan speed; 131072 pagemap entries, which stand for 512 MiB

# Without it the kernel would demand that the whole file could be held in memory. The value is that of
# x86, ARM and RISC-V; where it differs a large mapping is refused by the kernel, never made wrongly.
_MAP_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)

_PAGEMAP = "/proc/self/pagemap"

_PAGE_IS_FILE = 1 << 2
_PAGE_IS_PRESENT = 1 << 3
_PAGE_IS_SWAPPED = 1 << 4
_SCAN_ARGUMENT = struct.Struct("=12Q")  # struct pm_scan_arg
_SCAN_REGION = struct.Struct("=3Q")  # struct page_region: start, end, categories
_SCAN_REGIONS = 4096  # per call: 96 KiB
_PAGEMAP_SCAN = 3 << 30 | _SCAN_ARGUMENT.size << 16 | ord("f") << 8 | 16  # _IOWR('f', 16, pm_scan_arg)

_ENTRY_BYTES = 8
_ENTRY_TOP_BYTE = 7 if sys.byteorder == "little" else 0
# Top byte of an entry: bit 63 present, bit 62 swapped, bit 61 page of a file. A private copy is in memory
# or in swap and no longer a page of the file.
_IS_PRIVATE = bytes(int(top & 0xC0 != 0 and top & 0x20 == 0) for top in range(256))


class PrivateMapping:
    """The whole of a file as writable memory whose changes stay in this process.

    Memory is the pages written; pages only read belong to the page cache. Pages never written show what
    the file holds at the moment of reading: this is no snapshot. If somebody truncates the file, touching
    a page past its new end kills the process (SIGBUS); nothing in user space can prevent that.

    After a fork each process has copies of its own: the parent does not see what the child writes.

    Args:
        fileno: a descriptor open for reading. It must stay open until ``close``.
        size: how many bytes to map, from the start; 0 is allowed.
        writable: False makes the buffer read-only, and nothing is ever touched.
    Raises:
        StaleError: the file is shorter than ``size``.
        UnsupportedError: the file system or the address space does not allow the mapping.
    """

    detection: str
    """Which way finds the touched pages: a key of ``DETECTIONS``."""

    def __init__(self, fileno: int, size: int, *, writable: bool = True) -> None:
        self.size = size
        self.buffer = memoryview(bytearray() if writable else b"")
        self.detection = "compare"
        self._fileno = fileno
        self._writable = writable
        self._mapped: mmap.mmap | None = None
        if size:
            self._mapped = _mapped(fileno, size, writable)
            self.buffer = memoryview(self._mapped)
            if writable:
                self.detection = _working_detection(fileno, size)

    def touched(self) -> Iterator[Span]:
        """The spans of pages written since mapping: ascending, disjoint, not adjacent, within ``size``.

        See M1 for what they cover. Lazy; writing while iterating may or may not be noticed.

        Raises:
            StorageError: the system does not tell; the file is unchanged.
        """
        if self._mapped is None or not self._writable:
            return
        try:
            yield from self._joined(DETECTIONS[self.detection](self._mapped, self._fileno))
        except StorageError:
            raise
        except OSError as error:
            raise StorageError(
                f"the changed pages of the mapping cannot be told ({error}); the file is unchanged",
                hint="map the file again and repeat the changes, or edit slices of the document",
            ) from error

    def _joined(self, spans: Iterable[Span]) -> Iterator[Span]:
        pending = Span(0, 0)
        for start, stop in spans:
            if start == pending.stop:
                pending = Span(pending.start, stop)
                continue
            if pending.size:
                yield pending
            pending = Span(start, stop)
        if pending.size:
            # The mapping ends with a whole page, of which the file may use only a part.
            yield Span(pending.start, min(pending.stop, self.size))

    def give_back(self, span: Span) -> None:
        """Frees the private pages of ``span``, which starts on a page: it shows the file again.

        Only Linux promises to free them at once; elsewhere, and for locked memory, they stay until the
        mapping goes.
        """
        if self._mapped is not None and sys.platform == "linux" and span.size:
            with suppress(OSError):
                self._mapped.madvise(mmap.MADV_DONTNEED, span.start, span.size)

    def close(self) -> None:
        """Ends the mapping and drops every change; harmless when repeated.

        Where somebody still holds a view of ``buffer`` the memory stays mapped until that is gone, but its
        private pages are freed, and nothing written to it from now on has an effect outside of it.
        """
        if self._mapped is None:
            return
        try:
            self.buffer.release()
            self._mapped.close()
        except BufferError:
            self.give_back(Span(0, self.size))
        self._mapped = None
        self.buffer = memoryview(b"")


def _mapped(fileno: int, size: int, writable: bool) -> mmap.mmap:
    """A private mapping of the first ``size`` bytes (a shared one where it is only read)."""
    try:
        with _separate(fileno) as source:
            if not writable:
                return mmap.mmap(source, size, access=mmap.ACCESS_READ)
            if sys.platform != "linux":
                return mmap.mmap(source, size, access=mmap.ACCESS_COPY)
            flags = mmap.MAP_PRIVATE | _MAP_NORESERVE
            return mmap.mmap(source, size, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    except ValueError as error:
        raise StaleError(
            f"the file is shorter than the {size} bytes to be mapped; it is unchanged",
            hint="open the file again",
            size=size,
        ) from error
    except (OSError, OverflowError) as error:
        raise UnsupportedError(
            f"{size} bytes of the file cannot be mapped into memory ({error}); it is unchanged",
            hint="read and assign slices of the document instead",
            size=size,
        ) from error


@contextmanager
def _separate(fileno: int) -> Iterator[int]:
    """A descriptor of the same file with an open file description of its own, where that can be had.

    A mapping keeps a duplicate of its descriptor for as long as anybody holds a view of it, and a lock
    taken with flock lives until the last duplicate is closed: a forgotten array would hold the lock.
    """
    try:
        own = os.open(f"/proc/self/fd/{fileno}", os.O_RDONLY)
    except OSError:
        yield fileno
        return
    try:
        yield own
    finally:
        os.close(own)


def _working_detection(fileno: int, size: int) -> str:
    """The first way that notices a write to a private copy of the file's first page.

    A kernel without the call says so, but sandboxes were built whose pagemap reads as zeros: only a write
    that is found proves that none will be lost.
    """
    if sys.platform != "linux":
        return "compare"
    with _mapped(fileno, min(size, PAGE_BYTES), writable=True) as probe:
        probe[0] = probe[0]
        for name in ("scan", "entries"):
            with suppress(OSError):
                if any(span.start == 0 for span in DETECTIONS[name](probe, fileno)):
                    return name
    return "compare"


def _scanned(mapped: mmap.mmap, _fileno: int) -> Iterator[Span]:
    """Private pages as PAGEMAP_SCAN reports them.

    Each call goes on behind the last region of the one before, until one finds nothing. The kernel's own
    ``walk_end`` is no guide: after more than 512 regions in one call it may lie before regions that were
    reported (seen on 6.18), and so would report them twice.

    Raises:
        OSError: the kernel is older than 6.7 (ENOTTY) or forbids it.
    """
    import ctypes
    import fcntl

    first = _address(mapped)
    last = first + ceil(len(mapped), PAGE_BYTES)
    regions = ctypes.create_string_buffer(_SCAN_REGION.size * _SCAN_REGIONS)
    with open(_PAGEMAP, "rb", buffering=0) as pagemap:
        start, found = first, 1
        while found and start < last:
            argument = bytearray(
                _SCAN_ARGUMENT.pack(
                    _SCAN_ARGUMENT.size,
                    0,  # flags: only look
                    start,
                    last,
                    0,  # walk_end
                    ctypes.addressof(regions),
                    _SCAN_REGIONS,
                    0,  # max_pages: no limit
                    _PAGE_IS_FILE,  # inverted: pages that are not the file's,
                    _PAGE_IS_FILE,  # required,
                    _PAGE_IS_PRESENT | _PAGE_IS_SWAPPED,  # and that are somewhere
                    0,  # return_mask: without categories neighbouring pages always join
                )
            )
            found = fcntl.ioctl(pagemap, _PAGEMAP_SCAN, argument, True)
            answer = memoryview(regions)[: found * _SCAN_REGION.size]
            for region_start, start, _ in _SCAN_REGION.iter_unpack(answer):
                yield Span(region_start - first, start - first)


def _read_entries(mapped: mmap.mmap, _fileno: int) -> Iterator[Span]:
    """Private pages as the entries of the pagemap tell.

    Raises:
        OSError: there is no pagemap, or it ended early.
    """
    first_page = _address(mapped) // PAGE_BYTES
    pages = ceil(len(mapped), PAGE_BYTES) // PAGE_BYTES
    with open(_PAGEMAP, "rb", buffering=0) as pagemap:
        page = 0
        while page < pages:
            wanted = min((pages - page) * _ENTRY_BYTES, WINDOW_BYTES)
            entries = os.pread(pagemap.fileno(), wanted, (first_page + page) * _ENTRY_BYTES)
            if not entries:
                raise OSError(f"{_PAGEMAP} ends before the mapping does")
            private = entries[_ENTRY_TOP_BYTE::_ENTRY_BYTES].translate(_IS_PRIVATE)
            start = private.find(1)
            while start >= 0:
                stop = private.find(0, start)
                stop = len(private) if stop < 0 else stop
                yield Span((page + start) * PAGE_BYTES, (page + stop) * PAGE_BYTES)
                start = private.find(1, stop)
            page += len(private)


def _compared(mapped: mmap.mmap, fileno: int) -> Iterator[Span]:
    """Pages that differ from the file, found by reading both from end to end."""
    with _mapped(fileno, len(mapped), writable=False) as file:
        for window in range(0, len(mapped), WINDOW_BYTES):
            old, new = file[window : window + WINDOW_BYTES], mapped[window : window + WINDOW_BYTES]
            if old == new:
                continue
            for page in range(0, len(new), PAGE_BYTES):
                if old[page : page + PAGE_BYTES] != new[page : page + PAGE_BYTES]:
                    yield Span(window + page, window + page + PAGE_BYTES)


def _address(mapped: mmap.mmap) -> int:
    """Where in memory the mapping, which must be writable, starts."""
    import ctypes

    return ctypes.addressof(ctypes.c_char.from_buffer(mapped))


# Each yields ascending, disjoint spans of whole pages, which may be adjacent.
DETECTIONS: dict[str, Callable[[mmap.mmap, int], Iterable[Span]]] = {
    "scan": _scanned,
    "entries": _read_entries,
    "compare": _compared,
}
