"""The log of a draft: every save appended and synced once; the last one, if a crash tore it, is not there.

The file is a preamble, a header, and saves. A save is the bytes that its edits bring (POOL records), then
what they do: EDITS, or STATE, which starts anew. It begins on an atom of its own, so that a torn one spoils
none before it (J15). All but appending goes through a new file that is renamed into place.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple

from insitu.core.draft_records import (
    HEAD_BYTES,
    MAGIC,
    PREAMBLE,
    Kind,
    Record,
    holds,
    pack,
    unpack,
)
from insitu.core.drafted import Columns, check_kept, load_state, replay
from insitu.core.sequence import Keeper, Sequence
from insitu.core.spans import ceil
from insitu.engine.medium import blaming_the_medium
from insitu.engine.pools import JournalPool
from insitu.engine.site import Site
from insitu.engine.snapshot import Generation
from insitu.errors import InsituError, InternalError, JournalDamagedError, MissingFileError, SpanError
from insitu.storage.base import File, Volume

# What is read ahead while the records of a log are walked.
_WINDOW_BYTES: Final = 1 << 20

# Enough of a pool's record to index it.
_GLANCE_BYTES: Final = 64

_LENGTH: Final = struct.Struct("<Q")


class Base(NamedTuple):
    """What a draft is a draft of."""

    generation: Generation
    boot: str
    """The time since the last boot in which the file was seen so."""

    def pack(self) -> bytes:
        """The base as bytes, which tell their own length."""
        data = json.dumps({"generation": self.generation.token, "boot": self.boot}).encode()
        return _LENGTH.pack(len(data)) + data

    @staticmethod
    def unpack(data: memoryview) -> tuple[Base, int]:
        """The base that ``pack`` made bytes of, and how many they are.

        Raises:
            ValueError, KeyError, struct.error: nobody packed this.
        """
        (size,) = _LENGTH.unpack_from(data)
        values = json.loads(bytes(data[_LENGTH.size : _LENGTH.size + size]))
        generation = Generation.parse(values["generation"])
        if generation is None:
            raise ValueError(values["generation"])
        return Base(generation, str(values["boot"])), _LENGTH.size + size


class _Placed(NamedTuple):
    """A record and where it lies."""

    offset: int
    record: Record


class DraftLog:
    """See the module.

    Attributes:
        path: where it lies; one that is written anew gets its name last.
        header: the size of the atoms that saves begin on, and when the draft was begun.
        saves: how many were appended since the log was begun or compacted.
        base: what its edits are made on.
        attempt: what was to be committed over, where that was begun, and the draft is still there.
        pool: the bytes that saved edits bring.
        digests: of what the base holds around each place where edits cut it.
        size: of the log, in bytes, a torn save left out.
    """

    def __init__(self, volume: Volume, file: File, path: str, salt: int) -> None:
        self._volume = volume
        self.file = file
        self.path = path
        self.salt = salt
        self.header: Mapping[str, Any] = {}
        self.saves = 0
        self.base: Base
        self.attempt: Base | None = None
        self.pool = JournalPool(self._pool_payload)
        self.digests: dict[int, int] = {}
        self.size = PREAMBLE.size
        self._before = salt

    @property
    def _atom_bytes(self) -> int:
        return max(1, int(self.header["atom_bytes"]))

    @property
    def id(self) -> str:
        """Names the draft in the journal of the operation that commits it."""
        return f"{self.salt:016x}"

    # Writing

    @classmethod
    def create(cls, volume: Volume, path: str, salt: int, header: Mapping[str, Any]) -> DraftLog:
        """Starts a log under a name that means nothing yet; its first save has to follow."""
        volume.remove(path)
        file = volume.open(path, write=True, create=True)
        log = cls(volume, file, path, salt)
        log.header = header
        file.write(0, PREAMBLE.pack(MAGIC, salt))
        log._append(Kind.HEADER, json.dumps(header).encode(), 0)
        return log

    def save(self, pool: Iterable[bytes], columns: Columns, base: Base | None = None) -> None:
        """Appends what was done since the last save and makes it durable: one sync.

        Args:
            pool: the bytes to append to the pool, in parts of up to a payload.
            columns: the exchanges made; with ``base``, the state as a whole, on another base from now on.

        Raises:
            StorageError: the draft is as it was saved last; a failed sync leaves it so, or saved.
        """
        notes: list[tuple[bytes, int, int]] = []
        with self._saving() as number:
            ahead_bytes = 0
            for data in pool:
                payload = self.pool.pack_bytes(data, ahead_bytes)
                ahead_bytes += len(data)
                offset = self._append(Kind.POOL, payload, number)
                notes.append((payload[:_GLANCE_BYTES], len(payload), offset))
            if base is None:
                self._append(Kind.EDITS, columns.pack(), number)
            else:
                self._append(Kind.STATE, base.pack() + columns.pack(), number)
        for note in notes:
            self.pool.note(*note)
        if base is not None:
            self.base, self.digests = base, {}
        self.digests.update(columns.digests_by_edge())

    def note_attempt(self, on: Base) -> None:
        """Notes, durably, that a commit is begun: one that is not made may leave the file another time."""
        with self._saving() as number:
            self._append(Kind.ATTEMPT, on.pack(), number)
        self.attempt = on

    @contextmanager
    def _saving(self) -> Iterator[int]:
        """Makes what the block appends durable, or takes it back."""
        before = self.size, self._before
        if self.saves:
            self.size = ceil(self.size, self._atom_bytes)  # J15
        try:
            with blaming_the_medium():
                yield self.saves + 1
                self.file.sync()
        except BaseException:
            self.size, self._before = before
            self._take_back()
            raise
        self.saves += 1

    def _take_back(self) -> None:
        """Cuts off what may have been appended, so that nobody takes for saved what no sync has confirmed."""
        with suppress(InsituError):
            file = self._volume.open(self.path, write=True)
            try:
                file.resize(self.size)
            finally:
                file.close()

    def _append(self, kind: Kind, payload: bytes, number: int) -> int:
        offset = self.size
        head = pack(kind, payload, number, self._before, self.salt, offset)
        self.file.write(offset, head + payload)
        self.size += HEAD_BYTES + len(payload)
        record = unpack(head)
        assert record is not None
        self._before = record.digest
        return offset

    # Reading

    @classmethod
    def load(cls, volume: Volume, file: File, path: str, keeper: Keeper | None) -> tuple[DraftLog, Sequence]:
        """Reads a log and makes the saved edits.

        Args:
            path: where it lies by now.
            keeper: of the sequence.

        Raises:
            JournalDamagedError: it does not check out.
        """
        try:
            return cls._loaded(volume, file, path, keeper)
        except (InternalError, SpanError, ValueError, KeyError, TypeError, struct.error) as error:
            raise _damaged(path, "its contents make no sense") from error

    @classmethod
    def _loaded(
        cls, volume: Volume, file: File, path: str, keeper: Keeper | None
    ) -> tuple[DraftLog, Sequence]:
        window = _Window(file)
        start = window.read(0, PREAMBLE.size)
        magic, salt = PREAMBLE.unpack(start) if len(start) == PREAMBLE.size else (b"", 0)
        if magic != MAGIC:
            raise _damaged(path, "it does not begin as a draft of this version does")
        log = cls(volume, file, path, salt)
        walk = _Walk(window, salt, log.size)
        log.header = walk.header()
        sequence: Sequence | None = None
        for records in walk.saves(log._atom_bytes):
            sequence = log._take(records, window, sequence, keeper)
        if sequence is None or walk.resumes(ceil(log.size, log._atom_bytes), log._atom_bytes, log.saves + 2):
            raise _damaged(path, "a record in it fails its checksum")
        check_kept(sequence)
        return log, sequence

    def _take(
        self, records: list[_Placed], window: _Window, sequence: Sequence | None, keeper: Keeper | None
    ) -> Sequence:
        """Takes in one save."""
        for offset, record in records[:-1]:
            glance = window.read(offset + HEAD_BYTES, min(record.size, _GLANCE_BYTES))
            self.pool.note(glance, record.size, offset)
        offset, record = records[-1]
        data = memoryview(window.read(offset + HEAD_BYTES, record.size))
        if record.kind is Kind.STATE:
            self.base, at = Base.unpack(data)
            sequence = Sequence(self.base.generation.size, keeper)
            columns = Columns.unpack(data[at:])
            load_state(sequence, columns, self.pool.size)
            self.digests = {}
        elif sequence is None:
            raise InternalError("A draft begins with edits of nothing.")
        elif record.kind is Kind.ATTEMPT:
            self.attempt, _ = Base.unpack(data)
            columns = Columns.of((), {})
        else:
            columns = Columns.unpack(data)
            replay(sequence, columns, self.pool.size)
        self.digests.update(columns.digests_by_edge())
        self.saves, self.size, self._before = record.save, offset + HEAD_BYTES + record.size, record.digest
        return sequence

    def _pool_payload(self, offset: int) -> bytes:
        """A pool record's payload, checked."""
        record = unpack(self.file.read(offset, HEAD_BYTES))
        payload = self.file.read(offset + HEAD_BYTES, record.size) if record else b""
        if record is None or not holds(record, payload, self.salt, offset):
            raise _damaged(self.path, f"the record at byte {offset} fails its checksum")
        return payload


def forget(site: Site, id: str) -> None:
    """Removes a file's draft, durably, if it is the one that was committed (J16)."""
    try:
        file = site.volume.open(site.draft)
    except MissingFileError:
        return
    try:
        start = file.read(0, PREAMBLE.size)
    finally:
        file.close()
    if start == PREAMBLE.pack(MAGIC, int(id, 16)):
        site.volume.remove(site.draft)
        site.volume.sync_folder(site.state)


class _Window:
    """What is read of a file to its end, a window ahead."""

    def __init__(self, file: File) -> None:
        self._file = file
        self.size = file.size()
        self._start = 0
        self._data = b""

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes; fewer only where the file ends."""
        if not self._start <= offset or offset + size > self._start + len(self._data):
            self._start = offset
            self._data = self._file.read(offset, min(max(size, _WINDOW_BYTES), max(0, self.size - offset)))
        at = offset - self._start
        return self._data[at : at + size]


class _Walk:
    """Follows the chain of records, a save behind: what is not the last save was synced before the next."""

    def __init__(self, window: _Window, salt: int, offset: int) -> None:
        self._window = window
        self._salt = salt
        self._offset = offset
        self._before = salt

    def header(self) -> Mapping[str, Any]:
        """What the first record says.

        Raises:
            InternalError: there is none.
        """
        placed = self._next(0)
        if placed is None or placed.record.kind is not Kind.HEADER or not self._intact(placed):
            raise InternalError("A draft has no header.")
        values = json.loads(self._window.read(placed.offset + HEAD_BYTES, placed.record.size))
        if not isinstance(values, dict):
            raise InternalError("A draft has no header.")
        return values

    def saves(self, atom_bytes: int) -> Iterator[list[_Placed]]:
        """Yields the records of each save that counts."""
        held: list[_Placed] = []
        number = 1
        while (found := self._save(number)) is not None:
            if held:
                yield held
            held = found
            number += 1
            self._offset = ceil(self._offset, atom_bytes)
        if held and all(map(self._intact, held)):
            yield held

    def resumes(self, offset: int, atom_bytes: int, save: int) -> bool:
        """Whether a later save lies behind what does not check out: then that was damaged, and not torn.

        A save is begun when the one before it is durable, so ``save`` is the one after the torn one.
        """
        for at in range(offset, self._window.size, atom_bytes):
            record = unpack(self._window.read(at, HEAD_BYTES))
            if record is not None and record.save >= save and self._intact(_Placed(at, record)):
                return True
        return False

    def _save(self, number: int) -> list[_Placed] | None:
        records = []
        while (placed := self._next(number)) is not None:
            records.append(placed)
            if placed.record.kind is not Kind.POOL:
                ends = placed.record.kind is not Kind.HEADER and self._intact(placed)
                return records if ends else None
        return None

    def _next(self, number: int) -> _Placed | None:
        """The next record of a save, if it belongs to the chain."""
        record = unpack(self._window.read(self._offset, HEAD_BYTES))
        if record is None or record.save != number or record.before != self._before:
            return None
        placed = _Placed(self._offset, record)
        if self._offset + HEAD_BYTES + record.size > self._window.size:
            return None
        self._offset += HEAD_BYTES + record.size
        self._before = record.digest
        return placed

    def _intact(self, placed: _Placed) -> bool:
        offset, record = placed
        if offset + HEAD_BYTES + record.size > self._window.size:
            return False
        return holds(record, self._window.read(offset + HEAD_BYTES, record.size), self._salt, offset)


def _damaged(path: str, what: str) -> JournalDamagedError:
    return JournalDamagedError(
        f"The draft {path} is damaged: {what}. The file it belongs to was not touched.",
        hint="Drop it (insitu draft drop FILE), or move it away to look into it.",
        draft=path,
    )
