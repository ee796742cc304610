"""An index of a snapshot, from whatever was kept: loaded, carried over, or built.

    the index saved beside the file is of          what is done
    the snapshot's generation                      loaded
    one that our own operations lead on from       patched over all of them at once
    one that it was only appended to since         extended (after patching, where we edited first)
    any other, or there is none                    built, on every core

That a file was "only appended to" is a heuristic: same inode, larger, modified later, and the samples of
the saved index (the last granule before the old end, and 15 spread evenly) unchanged, so that nothing
before the old end was shifted. Accepted limits:

    a stranger who appends, and changes earlier bytes in place between the samples, is taken for one who
    appended only;
    a stranger who changes bytes, keeps the size and sets the time back to what it was, or does so within
    the tick of the clock in which an operation of ours ended, is not noticed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from heapq import merge
from typing import Final, Generic, NamedTuple, Protocol, Self, TypeVar

from insitu.core.columns import Block, block_of
from insitu.core.policy import Policy
from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.spans import Span
from insitu.engine.granules import GRANULE_BYTES
from insitu.engine.history import State, chained, opened, operations
from insitu.engine.index import LINES_LAYOUT, LineIndex
from insitu.engine.recover import pending
from insitu.engine.saved_index import Sample, save
from insitu.engine.site import Site
from insitu.engine.snapshot import Generation, Snapshot
from insitu.engine.trail import settled
from insitu.errors import FormatError, RequestError, StaleError, StorageError, UndoError
from insitu.formats.lines import detect_newline
from insitu.scan.windows import WINDOW_BYTES
from insitu.storage.base import Volume

# A smaller file is scanned in less time than it takes to open and check another one.
SAVED_FROM_BYTES: Final = 4 << 20

# Reading the journals of more operations than this takes longer than scanning most files.
_OPERATIONS_MAX: Final = 64

# Changes of an operation are told apart down to this share of the file, which bounds them to 10 MB.
_CHANGES_MAX: Final = 1 << 16


class Change(NamedTuple):
    """Bytes ``[start, stop)`` of a base, in whose place there are ``new_size`` others, or maybe the same."""

    start: int
    stop: int
    new_size: int


class Index(Protocol):
    """What an index of a file's bytes has to be able to, to be kept."""

    @property
    def size(self) -> int:
        """How many bytes of the file it covers."""
        ...

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Of a loaded index: what some granules held when it was saved, the last one last."""
        ...

    def extended(
        self, reader: Reader, *, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Self:
        """The index of the file after an append."""
        ...

    def patched(self, blocks: Iterable[Block], reader: Reader, *, cancel: Cancel | None = None) -> Self:
        """The index of the file after splices."""
        ...

    def to_bytes(self, stamp: bytes) -> bytes:
        """The index as bytes."""
        ...


I = TypeVar("I", bound=Index)  # noqa: E741 - it stands for an index


@dataclass(frozen=True)
class Kind(Generic[I]):
    """One kind of index.

    Args:
        path: where it is saved.
        suffix: what its stamp has behind the token of the generation: what else it depends on.
        build: makes it by a read of the file.
        saved_stamp, load: as those of its ``Layout``; ``load`` may refuse an index for reasons of its own.
    """

    path: str
    suffix: bytes
    build: Callable[[Reader, Progress | None, Cancel | None], I]
    saved_stamp: Callable[[Volume, str], bytes | None]
    load: Callable[[Volume, str, Reader, bytes], I | None]


def line_index(
    site: Site,
    base: Snapshot,
    policy: Policy,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> LineIndex:
    """The index of all lines of a snapshot; raises and costs as ``kept``."""
    return kept(site, base, policy, line_kind(site, base), progress, cancel)


def line_kind(site: Site, base: Snapshot) -> Kind[LineIndex]:
    """How the index of a snapshot's lines is kept."""

    @cache
    def newline() -> bytes:
        return detect_newline(base.read(0, min(WINDOW_BYTES, base.size)), more=base.size > WINDOW_BYTES)

    def build(reader: Reader, progress: Progress | None, cancel: Cancel | None) -> LineIndex:
        return LineIndex.build(reader, newline(), progress=progress, cancel=cancel)

    def load(volume: Volume, path: str, reader: Reader, stamp: bytes) -> LineIndex | None:
        index = LineIndex.load(volume, path, reader, stamp)
        return index if index is not None and index.newline == newline() else None

    return Kind(site.line_index, b"", build, LINES_LAYOUT.saved_stamp, load)


def kept(
    site: Site,
    base: Snapshot,
    policy: Policy,
    kind: Kind[I],
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> I:
    """The index of a snapshot, at the least cost; saved for the next time.

    Raises:
        CancelledError: ``cancel`` said so.
        StaleError: the file was cut shorter meanwhile.

    Cost: from a read of the saved index to a read of the file. Nothing is kept of a file below 4 MiB, nor
    where the policy keeps no history; that it cannot be saved is no failure.
    """
    certain = settled(base.generation.mtime_ns)  # asked before the first read
    if base.size < SAVED_FROM_BYTES:
        return kind.build(base, progress, cancel)
    index, saved = _known(site, base, kind, progress, cancel)
    if index is None:
        index = kind.build(base, progress, cancel)
    elif index.size < base.size:
        index = index.extended(base, progress=progress, cancel=cancel)
    elif saved:
        return index
    if certain:
        save_kept(site, base, policy, kind, index)
    return index


def kept_part(site: Site, base: Snapshot, policy: Policy, kind: Kind[I], cancel: Cancel | None) -> I | None:
    """The index of the first bytes of a snapshot, as far as it is kept; None where nothing is."""
    certain = settled(base.generation.mtime_ns)
    if base.size < SAVED_FROM_BYTES:
        return None
    index, saved = _known(site, base, kind, None, cancel)
    if index is not None and not saved and certain:
        save_kept(site, base, policy, kind, index)
    return index


def _known(
    site: Site, base: Snapshot, kind: Kind[I], progress: Progress | None, cancel: Cancel | None
) -> tuple[I | None, bool]:
    """The index of a snapshot or of its first bytes, from what is kept; and whether it is saved as it is."""
    saved = _saved(site, base, kind)
    if saved is None:
        return None, False
    index, then = saved
    if then == base.generation:
        return index, True
    return None if base.overtaken else _carried(site, base, index, then, progress, cancel), False


def coarse(blocks: Iterable[Block], near_bytes: int) -> Iterator[Change]:
    """Yields the changes that splices make, those at most ``near_bytes`` apart in a block as one.

    Cost: steps over all splices within ``near_bytes`` at once, however many.
    """
    for block in blocks:
        first, count = 0, len(block.starts)
        while first < count:
            last = first
            while (further := bisect_right(block.starts, block.stop(last) + near_bytes, last + 1)) > last + 1:
                last = further - 1
            growth = block.displacement(last) - (block.news[first] - block.olds[first])
            start, stop = block.starts[first], block.stop(last)
            yield Change(start, stop, stop - start + growth)
            first = last + 1


def composed(first: Iterable[Change], second: Iterable[Change], near_bytes: int = 0) -> list[Change]:
    """The changes that do ``first`` and then ``second``, those at most ``near_bytes`` apart as one.

    Both are sorted and disjoint: ``first`` in coordinates of the base, as is what is returned; ``second``
    of what ``first`` makes of it. What lies outside of the changes returned, neither touched.
    """
    # In coordinates of the middle, which both know: (start, stop, growth by the first, by the second).
    # Those that merely touch are one, too: between them may lie what the first deleted.
    made = ((start, stop, 0, new_size - (stop - start)) for start, stop, new_size in second)
    changes: list[Change] = []
    low, high, before, grown, growth = 0, -1, 0, 0, 0
    for start, stop, first_growth, second_growth in merge(_placed(first), made):
        if high >= 0 and start - high > near_bytes:
            changes.append(Change(low - before, high - before - grown, high - low + growth))
            before, grown, growth, high = before + grown, 0, 0, -1
        if high < 0:
            low = start
        high = max(high, stop)
        grown += first_growth
        growth += second_growth
    if high >= 0:
        changes.append(Change(low - before, high - before - grown, high - low + growth))
    return changes


def moved(span: Span, changes: Iterable[Change]) -> Span | None:
    """Where bytes of the base are after changes; None where one touched them."""
    displacement = 0
    for start, stop, new_size in changes:
        if stop <= span.start:
            displacement += new_size - (stop - start)
        elif start < span.stop:
            return None
        else:
            break
    return span.moved(displacement)


def _placed(changes: Iterable[Change]) -> Iterator[tuple[int, int, int, int]]:
    """Yields where changes lie in what they make, and how much each grew."""
    displacement = 0
    for start, stop, new_size in changes:
        at = start + displacement
        growth = new_size - (stop - start)
        yield at, at + new_size, growth, 0
        displacement += growth


def _saved(site: Site, base: Snapshot, kind: Kind[I]) -> tuple[I, Generation] | None:
    """The saved index, and which generation of the file it belongs to."""
    try:
        if not site.trusted(base.file.stat()):
            return None
    except StorageError:
        return None  # what others could have planted is no index
    stamp = kind.saved_stamp(site.volume, kind.path)
    if stamp is None or not stamp.endswith(kind.suffix):
        return None
    then = Generation.parse(stamp[: len(stamp) - len(kind.suffix)].decode("ascii", "replace"))
    if then is None:
        return None
    index = kind.load(site.volume, kind.path, base, stamp)
    return None if index is None or index.size > then.size else (index, then)


def _carried(
    site: Site,
    base: Snapshot,
    index: I,
    then: Generation,
    progress: Progress | None,
    cancel: Cancel | None,
) -> I | None:
    """The index of an older generation, carried over to the snapshot; None where it cannot be."""
    now = base.generation
    near_bytes = max(GRANULE_BYTES, index.size // _CHANGES_MAX, now.size // _CHANGES_MAX)
    try:
        led = _led(site, then, now, near_bytes)
    except (StorageError, RequestError, UndoError):
        return None  # the history was pruned meanwhile, or cannot be read
    if led is None:
        return None
    changes, size = led
    appended = size < now.size
    part = index.size < then.size
    if part:
        # It knows the first bytes only, and what changed behind them is nothing to it.
        changes = [change for change in changes if change.start < index.size]
        if changes and changes[-1].stop > index.size:
            return None
        size = index.size + sum(change.new_size - (change.stop - change.start) for change in changes)
    # Every change costs the granule around it, too. Past half of the file, all of it is read in less time.
    if sum(change.new_size + GRANULE_BYTES for change in changes) > now.size // 2:
        return None
    if not _recognized(base, index.samples, changes, appended=appended):
        return None
    ours = base if size == now.size else base.cut(size)
    try:
        patched = index.patched([block_of(changes)], ours, cancel=cancel)
        return (
            patched if base.size == size or part else patched.extended(base, progress=progress, cancel=cancel)
        )
    except FormatError:
        return None  # what was appended may have mended it


def _recognized(
    base: Snapshot, samples: Sequence[Sample], changes: Sequence[Change], *, appended: bool
) -> bool:
    """Whether the samples that no change touched are what they were.

    After an append the last one has to be among them: it tells whether anything before it was shifted.
    """
    from xxhash import xxh3_64_intdigest

    for number, (span, digest) in enumerate(samples, 1):
        now = moved(span, changes)
        if now is None:
            if appended and number == len(samples):
                return False
        elif now.stop > base.size or xxh3_64_intdigest(base.read(now.start, now.size)) != digest:
            return False
    return True


def _led(site: Site, then: Generation, now: Generation, near_bytes: int) -> tuple[list[Change], int] | None:
    """What our operations since ``then`` changed, and the file's size after them.

    Returns:
        None where anything else happened to the file, but for an append after the last of them.
    """
    # A commit that is not closed yet is in no history, and could pass for an append.
    if now.operation - then.operation > _OPERATIONS_MAX or pending(site):
        return None
    kept = operations(site)
    was: State = (then.inode, then.size, then.mtime_ns)
    left = kept[-1].after if kept and kept[-1].number > then.operation else was
    numbers = chained(site, was, then.operation, left)
    if numbers is None or not _same_or_appended(left, now):
        return None
    changes: list[Change] = []
    for number in numbers:
        with opened(site, number) as journal:
            splices = journal.splices
            if splices.result_size != journal.progress.size:
                return None  # somebody appended while it was carried out
            changes = composed(changes, coarse(splices.blocks(), near_bytes), near_bytes)
    return changes, left[1]


def _same_or_appended(left: State, now: Generation) -> bool:
    """Whether a file left in one state shows no sign of more than an append."""
    inode, size, mtime_ns = left
    same = (size, mtime_ns) == (now.size, now.mtime_ns)
    return inode == now.inode and (same or (size < now.size and mtime_ns < now.mtime_ns))


def save_kept(site: Site, base: Snapshot, policy: Policy, kind: Kind[I], index: I) -> None:
    """Saves the index, if it is of one generation throughout and there is a place for it."""
    if policy.history <= 0:
        return
    with suppress(StorageError, RequestError, StaleError):
        data = index.to_bytes(base.generation.token.encode() + kind.suffix)
        status = base.file.stat()
        if not base.generation.same_contents(status):
            return  # somebody changed the file while it was read
        site.prepare(status)
        try:
            save(site.volume, kind.path, data)
        except BaseException:
            site.tidy()
            raise
