"""The journal's records and progress slots as bytes; docs/journal.md draws them.

Every checksum is seeded with the journal's salt and the record's offset, so that a stale or misplaced
record is never believed (J3).
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from insitu.core.columns import Block, evenly

MAGIC = b"insitu\x00\x01"
PREAMBLE = struct.Struct("<8sQ")
"""Magic (its last byte is the format's version) and salt."""

_HEAD = struct.Struct("<IIQQ")
HEAD_BYTES = _HEAD.size
_RECORD_MARK = 0x6A736E69

# Spreads offsets over the seed's 64 bits: 2**64 divided by the golden ratio, an odd number.
# Source: Knuth, TAOCP vol. 3, 6.4 (Fibonacci hashing).
_SPREAD = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


class Kind(IntEnum):
    """What a record holds."""

    HEADER = 1
    SPLICES = 2
    NEW = 3
    OLD = 4
    COVERS = 5
    PLAN = 6


class State(IntEnum):
    """Where an operation stands, as its progress slots tell."""

    RUNNING = 1
    ABORTED = 2
    CLOSED = 3
    PLACED = 4
    """Every byte is written, and not synced yet (``durability="fast"``): whole until the machine stops."""


class Progress(NamedTuple):
    """One progress slot: the slot with the greatest ``sequence`` that checks out counts."""

    sequence: int
    state: State
    segments_done: int
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    inode: int = 0
    """Size, times and inode of the target when the operation was closed."""


_SLOT = struct.Struct("<7qQ")
SLOT_BYTES = _SLOT.size


def checksum(payload: bytes | bytearray | memoryview, salt: int, offset: int) -> int:
    """XXH3 of the payload, seeded with salt and offset."""
    import xxhash

    return xxhash.xxh3_64_intdigest(payload, seed=(salt ^ offset * _SPREAD) & _MASK)


def pack_record(kind: Kind, payload: bytes | bytearray, salt: int, offset: int) -> bytes:
    """The head of a record that is to lie at ``offset``; the payload follows it."""
    return _HEAD.pack(_RECORD_MARK, kind, len(payload), checksum(payload, salt, offset) ^ kind)


def unpack_record(head: bytes) -> tuple[Kind, int, int] | None:
    """Kind, payload size and checksum from a record's head; None where it is none."""
    if len(head) < HEAD_BYTES:
        return None
    mark, kind, size, digest = _HEAD.unpack_from(head)
    if mark != _RECORD_MARK or kind not in Kind.__members__.values():
        return None
    return Kind(kind), size, digest ^ kind


def pack_slot(progress: Progress, salt: int, offset: int) -> bytes:
    """A progress slot that is to lie at ``offset``."""
    fields = struct.pack("<7q", *progress)
    return fields + struct.pack("<Q", checksum(fields, salt, offset))


def unpack_slot(data: bytes, salt: int, offset: int) -> Progress | None:
    """The slot's contents; None where it was never written, or is torn."""
    if len(data) < SLOT_BYTES:
        return None
    *fields, digest = _SLOT.unpack_from(data)
    if (
        digest != checksum(data[: SLOT_BYTES - 8], salt, offset)
        or fields[1] not in State.__members__.values()
    ):
        return None
    return Progress(fields[0], State(fields[1]), *fields[2:])


_COLUMNS = struct.Struct("<QqqqqB")


def pack_block(block: Block) -> bytes:
    """Splices as bytes; columns that grow evenly (a mass replacement) are stored as their stride."""
    count = len(block.starts)
    old_stride, new_stride = _stride(block.olds), _stride(block.news)
    even = old_stride is not None and new_stride is not None
    head = _COLUMNS.pack(count, block.olds[0], block.news[0], old_stride or 0, new_stride or 0, even)
    columns = [block.starts] if even else [block.starts, block.olds, block.news]
    return head + b"".join(_bytes_of(column) for column in columns)


def unpack_block(payload: bytes | memoryview) -> Block:
    """The splices of a block that ``pack_block`` made.

    Raises:
        ValueError: it did not make this.
    """
    if len(payload) < _COLUMNS.size:
        raise ValueError("a block without its head")
    count, old, new, old_stride, new_stride, even = _COLUMNS.unpack_from(payload)
    view = memoryview(payload)[_COLUMNS.size :]
    if len(view) != (count * 8 if even else count * 24 + 16):
        raise ValueError("a block without its columns")
    starts = array("q")
    starts.frombytes(view[: count * 8])
    if even:
        return Block(starts, evenly(old, old_stride, count), evenly(new, new_stride, count))
    olds, news = array("q"), array("q")
    olds.frombytes(view[count * 8 : count * 16 + 8])
    news.frombytes(view[count * 16 + 8 : count * 24 + 16])
    return Block(starts, olds, news)


def _stride(column: Sequence[int]) -> int | None:
    """The constant difference of a column; None where it varies."""
    if isinstance(column, range):
        return column.step
    step = column[1] - column[0]
    if column[-1] != column[0] + step * (len(column) - 1):
        return None
    even = evenly(column[0], step, len(column) - 1)
    return step if array("q", column) == array("q", even) else None


def _bytes_of(column: Sequence[int]) -> bytes:
    return (column if isinstance(column, array) else array("q", column)).tobytes()
