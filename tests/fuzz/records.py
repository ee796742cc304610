"""A journal taken apart and sealed again, its checksums valid whatever it says by then."""

from __future__ import annotations

import json
import struct
from typing import Any, NamedTuple

from insitu.core.records import (
    HEAD_BYTES,
    MAGIC,
    PREAMBLE,
    SLOT_BYTES,
    Kind,
    checksum,
    pack_record,
    unpack_block,
    unpack_record,
)  # fmt: skip
from insitu.engine.journal import SLOTS
from insitu.engine.super_journal import MAGIC as SUPER_MAGIC
from tests.fuzz.choices import Choices, mutated_bytes, mutated_json

ATOM = 8
_STRIDE = -(-SLOT_BYTES // ATOM) * ATOM
_JSON = (Kind.HEADER, Kind.PLAN)


class Record(NamedTuple):
    kind: int
    payload: bytes


class Parts(NamedTuple):
    """All that a journal holds."""

    salt: int
    records: list[Record]
    slots: list[bytes]

    @staticmethod
    def of(data: bytes) -> Parts:
        _, salt = PREAMBLE.unpack_from(data)
        at, records = PREAMBLE.size, []
        while head := unpack_record(data[at : at + HEAD_BYTES]):
            records.append(Record(head[0], data[at + HEAD_BYTES : at + HEAD_BYTES + head[1]]))
            at += HEAD_BYTES + head[1]
        begin = -(-at // ATOM) * ATOM
        slots = [data[begin + place * _STRIDE :][:SLOT_BYTES] for place in range(SLOTS)]
        # Unsealed: the checksum of what is sealed again is made anew.
        return Parts(salt, records, [slot[:-8] if any(slot) else b"" for slot in slots])

    def sealed(self) -> bytes:
        data = bytearray(PREAMBLE.pack(MAGIC, self.salt))
        for kind, payload in self.records:
            data += pack_record(kind, payload, self.salt, len(data)) + payload
        data += bytes(-len(data) % ATOM)
        for fields in self.slots:
            sealed = fields + struct.pack("<Q", checksum(fields, self.salt, len(data))) if fields else b""
            data += sealed.ljust(_STRIDE, b"\0")
        return bytes(data)

    def json(self, kind: Kind) -> dict[str, Any]:
        return next(json.loads(payload) for found, payload in self.records if found == kind)


def mutated_journal(choices: Choices, data: bytes) -> bytes:
    """A journal that differs in what it says, and is sealed as if that were its own."""
    parts = Parts.of(data)
    for _ in range(1 + choices.below(3)):
        _mutate(choices, parts)
    return parts.sealed()


def _mutate(choices: Choices, parts: Parts) -> None:
    records = parts.records
    at = choices.below(len(records)) if records else 0
    match choices.below(8):
        case 0 if records:
            del records[at]
        case 1 if records:
            records.insert(choices.below(len(records) + 1), records[at])
        case 2 if records:
            other = choices.below(len(records))
            records[at], records[other] = records[other], records[at]
        case 3:
            place = choices.below(SLOTS)
            fields = list(struct.unpack("<7q", parts.slots[place] or bytes(56)))
            field = choices.below(3)
            number = choices.number(fields[field])
            fields[field] = (number + (1 << 63)) % (1 << 64) - (1 << 63)
            parts.slots[place] = struct.pack("<7q", *fields)
        case _ if records:
            kind, payload = records[at]
            change = mutated_json if kind in _JSON and choices.below(8) else _mutated_columns
            try:
                records[at] = Record(kind, change(choices, payload))
            except (ValueError, RecursionError):  # what was changed before is no JSON any more
                records[at] = Record(kind, mutated_bytes(choices, payload))


def _mutated_columns(choices: Choices, payload: bytes) -> bytes:
    """A payload with one of its numbers changed."""
    if len(payload) < 9 or choices.below(4) == 0:
        return mutated_bytes(choices, payload)
    # Heads of pools begin with a single byte, all others with eight.
    at = choices.below((len(payload) - 1) // 8) * 8 + choices.below(2)
    (was,) = struct.unpack_from("<q", payload, at)
    number = (choices.number(was) + (1 << 63)) % (1 << 64) - (1 << 63)
    return payload[:at] + struct.pack("<q", number) + payload[at + 8 :]


def mutated_super_journal(choices: Choices, data: bytes) -> bytes:
    """A super-journal that says something else, sealed."""
    at = PREAMBLE.size
    _, salt = PREAMBLE.unpack_from(data)
    payload = mutated_json(choices, data[at + HEAD_BYTES :])
    head = pack_record(Kind.HEADER, payload, salt, at)
    return PREAMBLE.pack(SUPER_MAGIC, salt) + head + payload


class Reach(NamedTuple):
    """What a journal may change of its target, told by a reading of it that believes everything."""

    first: int
    """The first byte that a plan that moves data may touch."""
    covers: tuple[tuple[int, int], ...]
    sizes: tuple[int, int]
    brought: int
    """How many bytes the journal brings, repeats unrolled."""

    def allows(self, before: bytes, now: bytes, *, overwrites: bool) -> bool:
        """Whether nothing differs but where the journal says so."""
        if not overwrites:
            return before[: self.first] == now[: self.first]
        free = {at for start, stop in self.covers for at in range(start, min(stop, 1 << 16))}
        low = min(*self.sizes, len(before), len(now))
        return all(at in free or before[at] == now[at] for at in range(low))


def reach(data: bytes) -> Reach | None:
    """None where the journal cannot be read even so."""
    try:
        parts = Parts.of(data)
        unit = max(parts.json(Kind.PLAN)["layout"][:2])
        size = parts.json(Kind.HEADER)["before"]["size"]
        brought, growth, starts, covers = 0, 0, [], []
        for kind, payload in parts.records:
            if kind == Kind.PLAN:
                break  # what follows is not read
            if kind == Kind.SPLICES:
                block = unpack_block(payload)
                starts.append(block.starts[0])
                growth = block.news[-1] - block.olds[-1]
            elif kind in (Kind.NEW, Kind.OLD):
                (times,) = struct.unpack_from("<Q", payload, 9)
                brought += (len(payload) - 17) * times
            elif kind == Kind.COVERS:
                (count,) = struct.unpack_from("<Q", payload)
                spans = struct.unpack_from(f"<{2 * count}q", payload, 8)
                covers += zip(spans[::2], spans[1::2], strict=True)
        first = min(starts, default=0)
        return Reach(first - first % unit, tuple(covers), (size, size + growth), brought)
    except (
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        StopIteration,
        struct.error,
        ZeroDivisionError,
        RecursionError,
        OverflowError,
    ):
        return None
