"""The records of a draft's log as bytes; docs/journal.md draws them.

Each record's checksum is seeded with the log's salt, its own offset and the checksum of the record before:
a chain, so that what an earlier, torn save left behind the end is never taken for what follows.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final, NamedTuple

from insitu.core.records import checksum

MAGIC: Final = b"insituD\x01"
PREAMBLE: Final = struct.Struct("<8sQ")
"""Magic (its last byte is the format's version) and salt."""

_HEAD: Final = struct.Struct("<IIQQQQ")
HEAD_BYTES: Final = _HEAD.size
_MARK: Final = 0x66617264
MARK: Final = _MARK.to_bytes(4, "little")


class Kind(IntEnum):
    """What a record of a draft holds."""

    HEADER = 1
    POOL = 2
    STATE = 3
    EDITS = 4
    ATTEMPT = 5


class Record(NamedTuple):
    """The head of a record."""

    kind: Kind
    size: int
    """Of the payload, in bytes."""
    save: int
    """The save that it is part of, from 1."""
    before: int
    """Checksum of the record before; the salt for the first."""
    digest: int


def pack(kind: Kind, payload: bytes | memoryview, save: int, before: int, salt: int, offset: int) -> bytes:
    """The head of a record that is to lie at ``offset``; the payload follows it."""
    return _HEAD.pack(
        _MARK, kind, len(payload), save, before, _digest(kind, payload, save, before, salt, offset)
    )


def unpack(head: bytes | memoryview) -> Record | None:
    """A record's head; None where it is none."""
    if len(head) < HEAD_BYTES:
        return None
    mark, kind, size, save, before, digest = _HEAD.unpack_from(head)
    if mark != _MARK or kind not in Kind.__members__.values():
        return None
    return Record(Kind(kind), size, save, before, digest)


def holds(record: Record, payload: bytes | memoryview, salt: int, offset: int) -> bool:
    """Whether a record that lies at ``offset`` is as it was written."""
    kind, _, save, before, digest = record
    return digest == _digest(kind, payload, save, before, salt, offset)


def _digest(kind: Kind, payload: bytes | memoryview, save: int, before: int, salt: int, offset: int) -> int:
    head = struct.pack("<IQQQ", kind, len(payload), save, before)
    return checksum(payload, checksum(head, salt, offset), offset)
