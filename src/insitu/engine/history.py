"""The history: closed journals, from which operations are undone, redone and shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from operator import sub

from insitu.core.columns import NO_SPLICES, Block, Head, Splices, summarize, vector
from insitu.core.records import State as Standing
from insitu.core.spans import Span
from insitu.engine.journal import Journal, damaged, salt_at
from insitu.engine.pools import PAYLOAD_BYTES
from insitu.engine.site import Site
from insitu.errors import JournalDamagedError, MissingFileError, UndoError
from insitu.storage.base import File

# Stands for the time of a state of which only inode and size are known.
TIME_UNKNOWN = 0

# Spans closer than this are read together: a page more costs less than another call.
NEAR_BYTES = 4096

# Fewer splices than this are walked in Python; more are worth importing NumPy (about 95 ms). Of so many,
# spans some pages apart are read together, too: to read what lies between them costs less than to walk
# through groups that are too small to be gathered at once.
_VECTOR_SPLICES = 1 << 12
_VECTOR_NEAR_TIMES = 4
_VECTOR_GROUP_SPLICES = 1 << 8

# The history is weighed after an operation that stores so much, and after every so many small ones.
LARGE_BYTES = 1 << 20
WEIGHED_EVERY = 16

State = tuple[int, int, int]
"""Inode, size and mtime of a file at one moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One committed edit."""

    number: int
    kind: str
    """``"edit"``, ``"undo"`` or ``"redo"``."""
    of: int
    """The operation that an undo or redo speaks of; 0 for an edit."""
    time: float
    """Seconds since the epoch."""
    planner: str
    splices: int
    size_before: int
    size_after: int
    stored_bytes: int
    """What keeping it costs on disk."""
    before: State
    after: State


def operations(site: Site) -> list[Operation]:
    """The operations of a file that are still kept, oldest first, with one that only waits to be synced."""
    found = []
    numbers = site.operations()
    held, _ = last(site)
    for number in numbers if held in (0, *numbers) else [*numbers, held]:
        with suppress(UndoError), opened(site, number) as journal:  # it may be forgotten meanwhile
            found.append(_operation(journal))
    return found


def last(site: Site) -> tuple[int, int]:
    """Number of the operation whose outcome the file holds, and salt of its journal.

    One that only waits to be synced is included. The original is 0, and so is what an operation left of
    which no record is kept.
    """
    with suppress(MissingFileError, JournalDamagedError):
        if site.volume.stat(site.journal) is not None:
            with closing(site.volume.open(site.journal)) as file:
                journal = Journal.load(file)
            if journal.is_made(site.volume.boot_id()):
                return int(journal.header["operation"]) if journal.plan["history"] else 0, journal.salt
    number = site.latest()
    return number, salt_at(site.volume, site.operation(number)) if number else 0


def next_number(site: Site) -> int:
    """The number of the next operation; 0 is the original."""
    return site.latest() + 1


@contextmanager
def opened(site: Site, number: int) -> Iterator[Journal]:
    """The journal of a closed operation, as ``operation``, for a block."""
    journal = operation(site, number)
    try:
        yield journal
    finally:
        journal.close()


def operation(site: Site, number: int) -> Journal:
    """The journal of an operation, open: a closed one, or the latest where it only waits to be synced.

    Raises:
        UndoError: it is not kept (any more).
    """
    for path in (site.operation(number), site.journal, site.operation(number)):
        # In this order, for it may be closed between two looks.
        if site.volume.stat(path) is None:
            continue
        with suppress(MissingFileError):
            file = site.volume.open(path)
            try:
                journal = Journal.load(file)
                if path != site.journal and journal.header["operation"] != number:
                    raise damaged(path, f"it is that of operation {journal.header['operation']}")
            except BaseException:
                file.close()
                raise
            made = journal.header["operation"] == number and journal.is_made(site.volume.boot_id())
            if path != site.journal or made:
                return journal
            file.close()
    kept = site.operations()
    span = f"{kept[0]} to {kept[-1]}" if kept else "none"
    raise UndoError(
        f"Operation {number} of {site.path} is not in the history.",
        hint=f"Operations kept: {span}.",
        operation=number,
    )


def _operation(journal: Journal) -> Operation:
    header, plan = journal.header, journal.plan
    before = header["before"]
    return Operation(
        number=header["operation"],
        kind=header["kind"],
        of=header["of"],
        time=header["time"],
        planner=plan["planner"],
        splices=journal.splices.summary.places,
        size_before=before["size"],
        size_after=journal.splices.result_size,
        stored_bytes=journal.file.size(),
        before=(before["inode"], before["size"], before["mtime_ns"]),
        after=after_of(journal),
    )


def after_of(journal: Journal) -> State:
    """The state an operation left, as its closing slot says, or as far as the rest of its journal does."""
    closed = journal.progress
    if closed.state is Standing.CLOSED:
        return closed.inode, closed.size, closed.mtime_ns
    _, inode, _ = journal.plan.get("successor") or journal.header["identity"]
    return inode, journal.splices.result_size, TIME_UNKNOWN


def state_before(site: Site, number: int) -> State:
    """The state of the file before an operation.

    Raises:
        UndoError: the operation is not kept.
    """
    with opened(site, number) as journal:
        before = journal.header["before"]
    return before["inode"], before["size"], before["mtime_ns"]


def replaced(splices: Splices, target: File) -> Iterator[bytes]:
    """Yields what splices replace in a file, in order, in parts of up to a payload.

    Cost: one read for all spans that lie near each other.
    """
    for block in splices.blocks():
        groups = _near(block) if len(block.starts) < _VECTOR_SPLICES else _near_by_columns(block)
        for first, last in groups:
            begin, stop = block.starts[first], block.stop(last - 1)
            if last == first + 1:
                for at in range(begin, stop, PAYLOAD_BYTES):
                    yield target.read(at, min(PAYLOAD_BYTES, stop - at))
            else:
                yield _taken(block, first, last, target.read(begin, stop - begin))


def _near(block: Block) -> Iterator[tuple[int, int]]:
    """Yields the splices, from one up to another, that are read at once: near each other, up to a payload."""
    starts = block.starts
    first = 0
    while first < len(starts):
        last = first + 1
        stop = block.stop(first)
        while last < len(starts) and starts[last] - stop < NEAR_BYTES:
            if block.stop(last) - starts[first] > PAYLOAD_BYTES:
                break
            stop = block.stop(last)
            last += 1
        yield first, last
        first = last


def _near_by_columns(block: Block) -> Iterator[tuple[int, int]]:
    """As ``_near`` for many splices, without a step for each."""
    import numpy as np

    starts = vector(block.starts)
    stops = starts + np.diff(vector(block.olds))
    apart = np.flatnonzero(starts[1:] - stops[:-1] >= _VECTOR_NEAR_TIMES * NEAR_BYTES) + 1
    for low, high in pairwise((0, *apart.tolist(), len(starts))):
        first = low
        while first < high:
            fit = int(np.searchsorted(stops[first:high], starts[first] + PAYLOAD_BYTES, "right"))
            yield first, first + max(fit, 1)
            first += max(fit, 1)


def _taken(block: Block, first: int, last: int, data: bytes) -> bytes:
    """What some splices replace, from the bytes from the first to the last of them."""
    begin, olds = block.starts[first], block.olds
    size = olds[first + 1] - olds[first]
    many = len(block.starts) >= _VECTOR_SPLICES and last - first >= _VECTOR_GROUP_SPLICES
    if many and olds[last] - olds[first] == size * (last - first):
        import numpy as np

        if (np.diff(vector(olds)[first : last + 1]) == size).all():
            at = (vector(block.starts)[first:last] - begin)[:, None] + np.arange(size)
            taken: bytes = np.frombuffer(data, np.uint8)[at].tobytes()
            return taken
    sizes = map(sub, olds[first + 1 : last + 1], olds[first:last])
    spans = zip(block.starts[first:last], sizes, strict=True)
    return b"".join([data[start - begin : start - begin + size] for start, size in spans])


def retain(site: Site, count: int, size_bytes: int, *, waiting: int = 0) -> None:
    """Forgets the oldest operations beyond ``count`` or ``size_bytes``; the newest is always kept.

    With ``count`` 0 nothing is left beside the file: an operation that is not recorded breaks the chain
    from those before it, and from an index, to the file as it is.

    Args:
        waiting: how many operations have still to join those that are closed; they count, too.

    Cost: sizes are asked for only after a large operation, and now and then: small ones can exceed the
        bytes allowed by a few MiB for a while.
    """
    if count == 0:
        site.volume.remove(site.line_index)
        site.volume.remove(site.row_index)
    forget_operations(site, min(max(count - waiting, 0), _within(site, site.operations(), size_bytes)))
    if count == 0:
        site.tidy()


def forget_operations(site: Site, kept: int = 0) -> None:
    """Forgets all closed operations but so many of the newest."""
    numbers = site.operations()
    for old in numbers[: max(0, len(numbers) - kept)]:
        site.volume.remove(site.operation(old))


def _within(site: Site, numbers: list[int], size_bytes: int) -> int:
    """How many of the newest operations take no more than ``size_bytes``; at least one."""
    if not numbers or (numbers[-1] % WEIGHED_EVERY and _stored(site, numbers[-1]) < LARGE_BYTES):
        return len(numbers)
    total = 0
    for kept, number in enumerate(reversed(numbers)):
        total += _stored(site, number)
        if kept and total > size_bytes:
            return kept
    return len(numbers)


def _stored(site: Site, number: int) -> int:
    status = site.volume.stat(site.operation(number))
    return status.size if status else 0


def stacks(site: Site) -> tuple[list[int], list[int]]:
    """What undo and redo would take next, at the ends of two lists.

    Returns:
        Numbers of the edits and redos in effect, and of the undos that no redo has taken back.
    """
    done: list[int] = []
    undone: list[int] = []
    for operation in operations(site):
        if operation.kind == "undo":
            done = [number for number in done if number != operation.of]
            undone.append(operation.number)
            continue
        if operation.kind == "edit":
            undone.clear()
        else:
            undone = [number for number in undone if number != operation.of]
        done.append(operation.number)
    return done, undone


def since(site: Site, number: int) -> list[int]:
    """The operations after ``number`` whose effects remain: an undo or redo takes along what it reverses."""
    left: list[int] = []
    for operation in operations(site):
        if operation.number <= number:
            continue
        if operation.kind != "edit" and left and left[-1] == operation.of:
            left.pop()
        else:
            left.append(operation.number)
    return left


def chained(site: Site, then: State, number: int, now: State) -> list[int] | None:
    """The operations that lead from one state of the file to another; None where something else did.

    Args:
        then: the state when operation ``number`` was the latest.
    """
    at = then
    numbers = [later for later in site.operations() if later > number]
    for later in numbers:
        with opened(site, later) as journal:
            made = _operation(journal)
        if not _same(at, made.before):
            return None
        at = made.after
    return numbers if _same(at, now) else None


def _same(recorded: State, found: State) -> bool:
    """Whether a recorded state is the one found; a power cut may have taken the time of the record back."""
    return recorded == found or (recorded[2] == TIME_UNKNOWN and recorded[:2] == found[:2])


def moved_past(splices: Splices, over: Splices) -> Splices | Span:
    """The splices as they are after ``over`` was applied to the same base.

    Returns:
        The moved splices; or the first span that ``over`` changed, which is a conflict.
    """
    blocks = []
    summary = NO_SPLICES
    for block in splices.blocks():
        starts = []
        for i, start in enumerate(block.starts):
            span = over.moved(Span(start, block.stop(i)))
            if span is None:
                return Span(start, block.stop(i))
            starts.append(span.start)
        blocks.append(Block(starts, block.olds, block.news))
        summary = summarize(blocks[-1], summary)
    heads = [Head(block.starts[0], block.result_start(0)) for block in blocks]
    return Splices(over.result_size, summary, heads, blocks.__getitem__)


def check_written(journal: Journal, splices: Splices, target: File) -> None:
    """Refuses where the file no longer holds what the operation wrote.

    Args:
        splices: the inverse of the operation's, moved to where they lie now.
    """
    offset = 0
    for data in replaced(splices, target):
        if data != journal.new.read(offset, len(data)):
            raise UndoError(
                f"{target.path} no longer holds all that operation {journal.header['operation']} wrote; "
                "it is unchanged.",
                hint="Somebody else changed it since. See: insitu diff FILE OP",
            )
        offset += len(data)
