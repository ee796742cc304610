"""An open file of a ``SimulatedVolume``: checks each request, counts it, lets faults strike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from insitu.core.spans import Span
from insitu.errors import InternalError, RequestError, StorageError, SyncError, UnsupportedError
from insitu.storage.base import Buffer, File, Identity, Lease, Stat
from insitu.testing.simulated_inode import Inode, Partial

if TYPE_CHECKING:
    from insitu.testing.simulated import Call, SimulatedVolume

_FILESYSTEM: Final = 0x51


class SimulatedFile:
    """Implements ``insitu.storage.base.File``; made by ``SimulatedVolume.open``."""

    def __init__(self, volume: SimulatedVolume, inode: Inode, path: str, writable: bool) -> None:
        self._volume = volume
        self._inode = inode
        self._path = path
        self._writable = writable
        volume.openings[inode.number] += 1
        self._closed = False
        self._poisoned = False

    @property
    def path(self) -> str:
        """The path it was opened by, or bears since it was renamed."""
        return self._path

    def renamed(self, path: str) -> None:
        """Takes note that it bears another path by now."""
        self._path = path

    def fileno(self) -> int:
        """There is no descriptor."""
        raise UnsupportedError(f"{self._path} is simulated: it has no descriptor.")

    def size(self) -> int:
        """The size in bytes, now."""
        return self._open().size

    def stat(self) -> Stat:
        """Status of the open file, named or not."""
        return self._volume.stat_inode(self._open())

    def identity(self) -> Identity:
        """Identity of the open file; stays over crashes."""
        return Identity(_FILESYSTEM, self._open().number, self._inode.born)

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes; fewer only where the file ends."""
        inode = self._open()
        fault = self._volume.step("read", self._path)
        if fault is not None:
            raise self._volume.failure(fault, "read", self._path)
        return inode.read(offset, size)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fills ``buffer``; returns how many bytes, fewer only where the file ends."""
        view = buffer.cast("B")
        data = self.read(offset, len(view))
        view[: len(data)] = data
        return len(data)

    def write(self, offset: int, data: Buffer) -> None:
        """Writes all of ``data``."""
        self._write("write", offset, bytes(data))

    def resize(self, size: int) -> None:
        """Cuts or extends (with zeros)."""
        self._begin("resize").resize(size, self._volume.tick())

    def reserve(self, span: Span) -> None:
        """Changes nothing that can be read: reserved blocks stay holes."""
        self._able("reserve", "reserve")
        self._begin("reserve")

    def punch(self, span: Span) -> None:
        """Turns ``span``, inside the file, into zeros; whole blocks in it become holes."""
        self._able("punch", "punch")
        span = Span(span.start, min(span.stop, self.size()))
        inode = self._begin("punch")
        if span.size > 0:
            inode.punch(span, self._volume.tick())

    def insert(self, offset: int, size: int) -> None:
        """Shifts everything from ``offset`` right; both whole blocks, ``offset`` before the end."""
        self._able("ranges", "insert")
        self._whole_blocks("insert", offset, size, offset < self.size())
        self._begin("insert").insert(offset, size, self._volume.tick())

    def collapse(self, offset: int, size: int) -> None:
        """Removes whole blocks, ending before the end of the file."""
        self._able("ranges", "collapse")
        self._whole_blocks("collapse", offset, size, offset + size < self.size())
        self._begin("collapse").collapse(offset, size, self._volume.tick())

    def copy_from(self, source: File, source_offset: int, offset: int, size: int) -> None:
        """Copies as a write would: the bytes that are there when the copy begins."""
        inode = _simulated(source)._open()
        if inode is self._inode and abs(source_offset - offset) < size:
            raise InternalError(f"A copy inside {self._path} overlaps itself.")
        data = inode.read(source_offset, size)
        self._write("copy_from", offset, data)
        if len(data) < size:
            raise StorageError(f"{source.path} ended while it was copied.", file_state="unknown")

    def next_data(self, offset: int) -> int:
        """The first offset at or after ``offset`` that lies in no hole; the size where there is none."""
        return self._open().next_data(offset)

    def next_hole(self, offset: int) -> int:
        """The first offset at or after ``offset`` that lies in a hole; the size where there is none."""
        return self._open().next_hole(offset)

    def expect(self, span: Span) -> None:
        """Nothing: the simulator has no cache."""

    def begin_sync(self, span: Span) -> None:
        """Nothing: any unsynced write may reach the simulated disk at any time, hinted or not."""

    def sync(self) -> None:
        """Makes contents and size durable; a failure drops some pending pages and poisons the handle."""
        inode = self._open()
        if self._poisoned:
            raise SyncError(f"{self._path} is poisoned: an earlier sync failed.")
        fault = self._volume.step("sync", self._path)
        if fault is not None:
            self._poisoned = True
            inode.fail_sync(self._volume.fates(inode.pending()))
            raise self._volume.failure(fault, "sync", self._path)
        inode.sync()

    def set_mark(self, value: bytes | None) -> None:
        """Sets or removes the mark, durably at once; what else is unsynced stays so."""
        if value is not None:
            self._able("marks", "set_mark")
        self._begin("set_mark", writes=False).set_mark(value, self._volume.tick())

    def mark(self) -> bytes | None:
        """The mark; None where it is absent."""
        return self._open().mark

    def take_metadata(self, source: File) -> None:
        """Copies mode and owner; durable after ``sync``."""
        owner = _simulated(source)._open().owner
        self._begin("take_metadata", writes=False).take_owner(owner, self._volume.tick())

    def lock(self) -> bool:
        """Tries once to take the exclusive lock on the inode."""
        number = self._open().number
        self._able("locks", "lock")
        return self._volume.locks.setdefault(number, self) is self

    def unlock(self) -> None:
        """Gives the lock back."""
        if self._volume.locks.get(self._inode.number) is self:
            del self._volume.locks[self._inode.number]

    def lease(self, seconds: float) -> Lease:
        """Tries to be the only opening until ``release``."""
        number = self._open().number
        self._able("leases", "lease")
        if self._volume.openings[number] > 1:
            return "in use"
        self._volume.leases[number] = self
        return "held"

    def release(self) -> bool:
        """Gives the lease back."""
        held = self._volume.leases.get(self._inode.number) is self
        if held:
            del self._volume.leases[self._inode.number]
        return held

    def close(self) -> None:
        """Closes; harmless when repeated."""
        self.unlock()
        if not self._closed:
            self.release()
            self._volume.openings[self._inode.number] -= 1
        self._closed = True

    # -- checks before a call is counted

    def _open(self) -> Inode:
        if self._closed:
            raise StorageError(f"{self._path} is closed.")
        return self._inode

    def _able(self, ability: str, call: str) -> None:
        if not getattr(self._volume.facts(self._path), ability):
            raise UnsupportedError(f"The storage of {self._path} lacks {call}.")

    def _whole_blocks(self, call: Call, offset: int, size: int, fits: bool) -> None:
        block_bytes = self._volume.geometry.block_bytes
        if offset % block_bytes or size % block_bytes or (size and not fits):
            raise UnsupportedError(f"{call} at {offset} of {size} bytes: not whole blocks in {self._path}.")

    def _begin(self, call: Call, *, writes: bool = True, partial: Partial | None = None) -> Inode:
        """Checks and counts a mutating call; where a fault strikes, it raises here."""
        inode = self._open()
        if writes and not self._writable:
            raise StorageError(f"{self._path} was opened for reading only.")
        if writes and self._poisoned:
            raise SyncError(f"{self._path} is poisoned: an earlier sync failed.")
        fault = self._volume.step(call, self._path, partial)
        if fault is not None:
            if fault.short and partial is not None:
                done = partial.data[: len(partial.data) // 2]
                inode.write(partial.offset, done, self._volume.tick())
            raise self._volume.failure(fault, call, self._path)
        return inode

    def _write(self, call: Call, offset: int, data: bytes) -> None:
        inode = self._begin(call, partial=Partial(self._inode.number, offset, data))
        inode.write(offset, data, self._volume.tick())


def _simulated(file: File) -> SimulatedFile:
    if not isinstance(file, SimulatedFile):
        raise RequestError("A simulated file copies from simulated files only.")
    return file
