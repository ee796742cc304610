"""The journal of one operation: unsealed while it is written, open after the commit point, then history.

The file is a preamble, records, and, on atoms of their own, progress slots written in turn. All but
the slots is durable before the file gets the name under which recovery looks for it (J1), so a journal
under that name that does not check out was damaged and is never ignored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from insitu.core.columns import NO_SPLICES, Block, Head, Splices, summarize
from insitu.core.records import (
    HEAD_BYTES,
    MAGIC,
    PREAMBLE,
    SLOT_BYTES,
    Kind,
    Progress,
    State,
    checksum,
    pack_block,
    pack_record,
    pack_slot,
    unpack_block,
    unpack_record,
    unpack_slot,
)
from insitu.core.spans import Span, ceil
from insitu.engine.pools import PAYLOAD_BYTES, Covers, JournalPool, Repeat
from insitu.engine.sealed import check_block, header_of, plan_of
from insitu.errors import InternalError, JournalDamagedError, MissingFileError
from insitu.storage.base import File, Stat, Volume

# Progress slots, written in turn. Two would do if a sync never failed; with four, a slot whose sync failed
# (so that it is seen and yet not durable) may be followed by two more before the last durable one is reused.
SLOTS = 4

_SEQUENCE_MAX = 1 << 62

# Enough of a record to index it without its payload, for most of them.
_GLANCE_BYTES = 4096


class Journal:
    """An operation's record: who did what to which file, its splices, their bytes, and how far it came.

    Attributes:
        header: identity of the target, operation number and kind, size before, time.
        plan: planner, form and layout; empty until ``seal``.
        new: the bytes that splices bring.
        old: the bytes they replace, where they are not in ``covers``.
        covers: saved spans of the base.
    """

    def __init__(self, file: File, salt: int) -> None:
        self.file = file
        self.salt = salt
        self.header: Mapping[str, Any] = {}
        self.plan: Mapping[str, Any] = {}
        self.new = JournalPool(self._load)
        self.old = JournalPool(self._load)
        self.covers = Covers(self._load)
        self._summary = NO_SPLICES
        self._heads: list[Head] = []
        self._blocks: list[int] = []
        self._end = PREAMBLE.size
        self._unwritten = bytearray(PREAMBLE.pack(MAGIC, salt))
        self._slots_at = 0
        self._progress = Progress(0, State.RUNNING, 0)

    # Writing, until it is sealed

    @classmethod
    def create(cls, volume: Volume, path: str, salt: int, header: Mapping[str, Any]) -> Journal:
        """Starts a journal; nothing but the file's name reaches the disk until a MiB has gathered."""
        journal = cls(volume.open(path, write=True, create=True), salt)
        journal.header = header
        journal._append(Kind.HEADER, json.dumps(header).encode())
        return journal

    def add_splices(self, block: Block) -> None:
        """Appends splices that follow those before, in base order."""
        self._summary = summarize(block, self._summary)
        self._heads.append(Head(block.starts[0], block.result_start(0)))
        self._blocks.append(self._append(Kind.SPLICES, pack_block(block)))

    def add_new(self, data: bytes | memoryview | Repeat) -> None:
        """Appends to the bytes that splices bring."""
        self._add_pool(Kind.NEW, self.new, data)

    def add_old(self, data: bytes | memoryview | Repeat) -> None:
        """Appends to the bytes that splices replace."""
        self._add_pool(Kind.OLD, self.old, data)

    def add_covers(self, spans: list[Span], data: list[bytes]) -> None:
        """Saves spans of the base."""
        payload = Covers.pack(spans, data)
        self.covers.note(payload, len(payload), self._append(Kind.COVERS, payload))

    def seal(self, plan: Mapping[str, Any], atom_bytes: int) -> None:
        """Completes the journal and makes its contents durable; its name is the caller's to give (J1)."""
        self.plan = {**plan, "atom_bytes": atom_bytes}
        self._append(Kind.PLAN, json.dumps(self.plan).encode())
        self._slots_at = ceil(self._end, atom_bytes)
        # Slots live on atoms of their own: spoiling one spoils neither the other nor a record.
        end = self._slots_at + SLOTS * self._slot_stride
        self._unwritten += bytes(end - self._end)
        self._end = end
        self._flush()
        self.file.sync()

    def _add_pool(self, kind: Kind, pool: JournalPool, data: bytes | memoryview | Repeat) -> None:
        if isinstance(data, Repeat):
            payload = pool.pack_repeat(data)
            pool.note(payload, len(payload), self._append(kind, payload))
            return
        view = memoryview(data)
        for start in range(0, len(view), PAYLOAD_BYTES):
            payload = pool.pack_bytes(view[start : start + PAYLOAD_BYTES])
            pool.note(payload, len(payload), self._append(kind, payload))

    def _append(self, kind: Kind, payload: bytes) -> int:
        offset = self._end
        self._unwritten += pack_record(kind, payload, self.salt, offset)
        self._unwritten += payload
        self._end += HEAD_BYTES + len(payload)
        if len(self._unwritten) >= PAYLOAD_BYTES:
            self._flush()
        return offset

    def _flush(self) -> None:
        if self._unwritten:
            start = self._end - len(self._unwritten)
            self.file.write(start, self._unwritten)
            if len(self._unwritten) >= PAYLOAD_BYTES:
                self.file.begin_sync(Span(start, self._end))
            self._unwritten = bytearray()

    # Progress

    @property
    def _slot_stride(self) -> int:
        return ceil(SLOT_BYTES, int(self.plan["atom_bytes"]))

    @property
    def progress(self) -> Progress:
        """How far the operation came, as last noted."""
        return self._progress

    def note(
        self, state: State, segments_done: int, *, after: Stat | None = None, durable: bool = True
    ) -> None:
        """Records how far the operation came, in the oldest slot (J5)."""
        closing = (after.size, after.mtime_ns, after.ctime_ns, after.inode) if after else ()
        self._progress = Progress(self._progress.sequence + 1, state, segments_done, *closing)
        at = self._slots_at + self._progress.sequence % SLOTS * self._slot_stride
        self.file.write(at, pack_slot(self._progress, self.salt, at))
        if durable:
            self.file.sync()

    # Reading

    @classmethod
    def load(cls, file: File, *, whole: bool = False) -> Journal:
        """Reads a sealed journal; ``whole`` checks every byte of it, as recovery must before it writes.

        Raises:
            JournalDamagedError: it does not check out.
        """
        magic, salt = _preamble(file)
        if magic != MAGIC:
            raise damaged(file.path, "it does not begin as a journal of this version does")
        journal = cls(file, salt)
        journal._unwritten = bytearray()
        for kind, offset, size in journal._records():
            if whole:
                journal._load(offset)
            try:
                journal._index(kind, offset, size)
                if kind is Kind.PLAN:
                    journal._check_bytes()
            except (ValueError, InternalError) as error:
                raise damaged(file.path, f"the record at byte {offset} makes no sense") from error
            if kind is Kind.PLAN:
                journal._read_slots(offset + HEAD_BYTES + size)
                return journal
        raise damaged(file.path, "it ends before its plan")

    @property
    def splices(self) -> Splices:
        """The operation's splices, over the base."""
        return Splices(int(self.header["before"]["size"]), self._summary, self._heads, self._block)

    def replaced(self) -> Iterator[bytes | memoryview | Repeat]:
        """Yields the bytes that the splices replace, in order."""
        if self.plan["old"] == "pool":
            yield from self.old.stretches()
            return
        for block in self.splices.blocks():
            for i, start in enumerate(block.starts):
                # A stretch may lie over several covers, which end where they please.
                for part, held in self.covers.stretches(Span(start, block.stop(i))):
                    if not held:
                        raise damaged(self.file.path, f"it does not hold bytes {part.start}:{part.stop}")
                    yield self.covers.read(part)

    def is_made(self, boot: str) -> bool:
        """Whether the target holds the outcome: closed, or placed in this boot and only to be synced."""
        state = self.progress.state
        return state is State.CLOSED or (state is State.PLACED and self.header["boot"] == boot)

    def close(self) -> None:
        """Closes the file."""
        self.file.close()

    def _block(self, number: int) -> Block:
        return unpack_block(self._load(self._blocks[number]))

    def _load(self, offset: int) -> bytes:
        """A record's payload, checked."""
        if self._unwritten:
            self._flush()
        record = unpack_record(self.file.read(offset, HEAD_BYTES))
        payload = self.file.read(offset + HEAD_BYTES, record[1]) if record else b""
        if record is None or checksum(payload, self.salt, offset) != record[2]:
            raise damaged(self.file.path, f"the record at byte {offset} fails its checksum")
        return payload

    def _records(self) -> Iterator[tuple[Kind, int, int]]:
        offset, end = PREAMBLE.size, self.file.size()
        while (record := unpack_record(self.file.read(offset, HEAD_BYTES))) is not None:
            kind, size, _ = record
            if offset + HEAD_BYTES + size > end:
                break
            yield kind, offset, size
            offset += HEAD_BYTES + size

    def _index(self, kind: Kind, offset: int, size: int) -> None:
        """Learns where a record's contents are; takes in those of header and plan.

        Raises:
            ValueError, InternalError: they make no sense.
        """
        if (kind is Kind.HEADER) == bool(self.header):
            raise ValueError("a journal has one header, before all else")
        if kind is Kind.HEADER:
            self.header = header_of(self._load(offset))
        elif kind is Kind.PLAN:
            self.plan = plan_of(self._load(offset))
        elif kind is Kind.SPLICES:
            block = unpack_block(self._load(offset))
            check_block(block, self._summary, int(self.header["before"]["size"]))
            self._summary = summarize(block, self._summary)
            self._heads.append(Head(block.starts[0], block.result_start(0)))
            self._blocks.append(offset)
        else:
            self._glance(kind, offset, size)

    def _glance(self, kind: Kind, offset: int, size: int) -> None:
        """Learns where the bytes of a pool or of covers are, without reading them, nor checking them yet."""
        glance = self.file.read(offset + HEAD_BYTES, min(size, _GLANCE_BYTES))
        covers = kind is Kind.COVERS
        needed = Covers.columns_bytes(glance) if covers else JournalPool.noted_bytes(glance, size)
        if needed > size:
            raise ValueError(f"a record of {size} bytes that should have {needed}")
        if needed > len(glance):
            glance = self.file.read(offset + HEAD_BYTES, needed)
        if covers:
            self.covers.note(glance, size, offset)
        else:
            (self.new if kind is Kind.NEW else self.old).note(glance, size, offset)

    def _check_bytes(self) -> None:
        """Refuses splices whose bytes are not all there.

        Raises:
            ValueError: they are not.
        """
        kept = self._summary.old_bytes if self.plan["old"] == "pool" else 0
        if self.new.size < self._summary.new_bytes or self.old.size < kept:
            raise ValueError("splices without their bytes")

    def _read_slots(self, end_of_records: int) -> None:
        self._slots_at = ceil(end_of_records, int(self.plan["atom_bytes"]))
        self._end = self._slots_at + SLOTS * self._slot_stride
        for place in range(SLOTS):
            at = self._slots_at + place * self._slot_stride
            slot = unpack_slot(self.file.read(at, SLOT_BYTES), self.salt, at)
            if slot and slot.sequence > self._progress.sequence and _sound(slot, place):
                self._progress = slot


def salt_at(volume: Volume, path: str) -> int:
    """Which operation's journal lies there; 0 where none does.

    Numbers are used again once a history was dropped; salts are random.
    """
    if volume.stat(path) is None:
        return 0
    try:
        file = volume.open(path)
    except MissingFileError:
        return 0
    try:
        return _preamble(file)[1]
    finally:
        file.close()


def _preamble(file: File) -> tuple[bytes, int]:
    data = file.read(0, PREAMBLE.size)
    if len(data) < PREAMBLE.size:
        return b"", 0
    magic, salt = PREAMBLE.unpack(data)
    return magic, salt


def _sound(slot: Progress, place: int) -> bool:
    """Whether a slot is one of ours: it lies where its sequence says, and another may follow it."""
    return slot.sequence % SLOTS == place and slot.sequence < _SEQUENCE_MAX and slot.segments_done >= 0


def damaged(path: str, what: str) -> JournalDamagedError:
    """The error for a journal that is not to be believed."""
    return JournalDamagedError(
        f"The journal {path} is damaged: {what}. The file it belongs to was not touched.",
        hint="If the file is as you want it, move the journal away; else restore the file from a backup.",
        journal=path,
    )
