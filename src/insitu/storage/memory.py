"""Files in memory: the slow, obvious reference of what a storage does.

The contract tests run over it as over every disk, so that tests of the engine may trust it. It keeps
no crash states; ``insitu.testing`` simulates those.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from insitu.core.facts import Facts
from insitu.core.spans import Span, ceil, floor
from insitu.errors import (
    ExistingFileError,
    FileKindError,
    InternalError,
    MissingFileError,
    RequestError,
    StorageError,
    UnsupportedError,
)
from insitu.storage.base import PRIVATE, Buffer, Entry, File, Identity, Lease, NoQueue, Stat
from insitu.storage.failures import unnamed_unsupported

ABLE: Final = Facts(
    filesystem="memory", clone=True, ranges=True, punch=True, reserve=True, kernel_copy=True, marks=True
)
"""Facts with every ability; ``dataclasses.replace`` makes poorer ones."""

_DEVICE: Final = 1
_FILE: Final = 0o100000


@dataclass(slots=True, eq=False)
class _Node:
    """One inode."""

    inode: int
    born: int
    mode: int = _FILE | PRIVATE
    uid: int = 0
    gid: int = 0
    links: int = 1
    data: bytearray = field(default_factory=bytearray)
    holes: set[int] = field(default_factory=set)
    """Numbers of the whole blocks that take no space."""
    mark: bytes | None = None
    changed: int = 0
    holder: MemoryFile | None = None
    """Who has the lock."""


class MemoryFile:
    """A ``File`` of a ``MemoryVolume``."""

    def __init__(self, volume: MemoryVolume, path: str, node: _Node, write: bool) -> None:
        self._volume = volume
        self._path = path
        self._node = node
        self._write = write
        self._open = True

    @property
    def path(self) -> str:
        """The path it was opened by, or bears since it was renamed."""
        return self._path

    def renamed(self, path: str) -> None:
        """Takes note that it bears another path by now."""
        self._path = path

    def fileno(self) -> int:
        """There is no descriptor."""
        raise UnsupportedError(f"{self._path!r} is in memory and has no descriptor", path=self._path)

    def size(self) -> int:
        """The size in bytes."""
        return len(self._reading().data)

    def stat(self) -> Stat:
        """Status of the open file."""
        return _stat(self._reading())

    def identity(self) -> Identity:
        """Identity of the open file."""
        node = self._reading()
        return Identity(_DEVICE, node.inode, node.born)

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes; fewer only where the file ends."""
        return bytes(self._reading().data[offset : offset + size])

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fills ``buffer``; returns how many bytes, fewer only where the file ends."""
        view = buffer.cast("B")
        data = self.read(offset, len(view))
        view[: len(data)] = data
        return len(data)

    def write(self, offset: int, data: Buffer) -> None:
        """Writes all of ``data``."""
        node = self._writing()
        view = memoryview(data).cast("B")
        if not view:
            return
        if offset > len(node.data):
            self.resize(offset)
        node.data[offset : offset + len(view)] = view
        node.holes -= set(self._blocks(offset, offset + len(view)))

    def resize(self, size: int) -> None:
        """Cuts or extends (with zeros) to ``size``."""
        node = self._writing()
        was = len(node.data)
        del node.data[size:]
        node.data.extend(bytes(max(0, size - was)))
        block = self._volume.block_bytes
        last = ceil(size, block) // block
        node.holes = {number for number in node.holes if number < last}
        node.holes |= set(range(ceil(was, block) // block, last))

    def reserve(self, span: Span) -> None:
        """Allocates nothing: memory is there when it is written."""
        self._able("reserve", "reserve space in")
        self._writing()

    def punch(self, span: Span) -> None:
        """Turns ``span``, inside the file, into zeros that take no space."""
        self._able("punch", "punch a hole into")
        node = self._writing()
        stop = min(span.stop, len(node.data))
        if span.start >= stop:
            return
        node.data[span.start : stop] = bytes(stop - span.start)
        block = self._volume.block_bytes
        end = ceil(stop, block) if stop == len(node.data) else stop
        node.holes |= set(range(ceil(span.start, block) // block, floor(end, block) // block))

    def insert(self, offset: int, size: int) -> None:
        """Shifts everything from ``offset`` right by ``size``; both whole blocks, inside the file."""
        self._able("ranges", "insert a range into")
        node = self._writing()
        first, count = self._whole_blocks(offset, size, offset < len(node.data), "insert")
        node.data[offset:offset] = bytes(size)
        node.holes = {number + count * (number >= first) for number in node.holes}
        node.holes |= set(range(first, first + count))

    def collapse(self, offset: int, size: int) -> None:
        """Removes ``size`` bytes at ``offset``; both whole blocks, ending before EOF."""
        self._able("ranges", "collapse a range of")
        node = self._writing()
        first, count = self._whole_blocks(offset, size, offset + size < len(node.data), "collapse")
        del node.data[offset : offset + size]
        node.holes = {
            number - count * (number >= first) for number in node.holes if not first <= number < first + count
        }

    def copy_from(self, source: File, source_offset: int, offset: int, size: int) -> None:
        """Copies from another file."""
        self._writing()
        if abs(source_offset - offset) < size and source.identity() == self.identity():
            raise InternalError(f"a copy inside {self._path!r} overlaps itself", path=self._path)
        data = source.read(source_offset, size)
        self.write(offset, data)
        if len(data) < size:
            raise StorageError(f"{source.path!r} ended while it was copied", file_state="unknown")

    def next_data(self, offset: int) -> int:
        """The first offset at or after ``offset`` that may hold data; the size where there is none."""
        return self._next(offset, hole=False)

    def next_hole(self, offset: int) -> int:
        """The first offset at or after ``offset`` inside a hole; the size where there is none."""
        return self._next(offset, hole=True)

    def expect(self, span: Span) -> None:
        """Nothing: memory needs no hints."""

    def begin_sync(self, span: Span) -> None:
        """Nothing: memory needs no hints."""

    def sync(self) -> None:
        """Nothing to do: memory is as durable as it gets."""
        self._reading()

    def set_mark(self, value: bytes | None) -> None:
        """Sets (None: removes) the mark."""
        if value is not None:
            self._able("marks", "mark")
        self._reading().mark = value

    def mark(self) -> bytes | None:
        """The mark; None where there is none."""
        return self._reading().mark

    def take_metadata(self, source: File) -> None:
        """Copies mode and owner from ``source``; there are no other attributes."""
        node, wanted = self._reading(), source.stat()
        node.mode, node.uid, node.gid = wanted.mode, wanted.uid, wanted.gid

    def lock(self) -> bool:
        """Tries once to take the exclusive lock; True when it is ours now."""
        self._able("locks", "lock")
        node = self._reading()
        if node.holder is None:
            node.holder = self
        return node.holder is self

    def unlock(self) -> None:
        """Gives the lock back; closing does, too."""
        if self._node.holder is self:
            self._node.holder = None

    def lease(self, seconds: float) -> Lease:
        """Denied: only this program can open it."""
        raise UnsupportedError(f"{self._path!r} is in memory: there are no leases", path=self._path)

    def release(self) -> bool:
        """False: there was no lease."""
        return False

    def close(self) -> None:
        """Closes; harmless when repeated."""
        self.unlock()
        self._open = False

    def _reading(self) -> _Node:
        if not self._open:
            raise StorageError(f"the handle of {self._path!r} is closed", path=self._path)
        return self._node

    def _writing(self) -> _Node:
        if not self._write:
            raise StorageError(f"{self._path!r} is open for reading only", path=self._path)
        node = self._reading()
        node.changed = self._volume.tick()
        return node

    def _able(self, ability: str, action: str) -> None:
        if not getattr(self._volume.facts("/"), ability):
            raise UnsupportedError(f"cannot {action} {self._path!r}: the facts deny it", path=self._path)

    def _blocks(self, start: int, stop: int) -> range:
        block = self._volume.block_bytes
        return range(start // block, ceil(stop, block) // block)

    def _whole_blocks(self, offset: int, size: int, fits: bool, action: str) -> tuple[int, int]:
        block = self._volume.block_bytes
        if offset % block or size % block or (size and not fits):
            raise UnsupportedError(
                f"cannot {action} {size} bytes at {offset}: not whole blocks inside the file"
            )
        return offset // block, size // block

    def _next(self, offset: int, *, hole: bool) -> int:
        """The first offset from ``offset`` on, inside the file, whose block is a hole or is not."""
        node, block = self._reading(), self._volume.block_bytes
        for number in self._blocks(offset, len(node.data)):
            if (number in node.holes) == hole:
                return min(max(offset, number * block), len(node.data))
        return len(node.data)


class MemoryVolume:
    """A ``Volume`` of files in memory, with the abilities it is given; the root folder is there."""

    def __init__(self, facts: Facts = ABLE) -> None:
        self.block_bytes = facts.block_bytes
        self._facts = facts
        self._files: dict[str, _Node] = {}
        self._folders: dict[str, Stat] = {"/": _stat(_Node(1, 0, mode=0o040755))}
        self._now = 1

    def tick(self) -> int:
        """A time that passes with every change."""
        self._now += 1
        return self._now

    def open(
        self, path: str, *, write: bool = False, create: bool = False, mode: int = PRIVATE
    ) -> MemoryFile:
        """Opens a file; ``create`` demands that there is none yet."""
        path = self.resolve(path)
        if create:
            if path in self._files or path in self._folders:
                raise ExistingFileError(f"cannot create {path!r}: there is something already", path=path)
            now = self.tick()
            self._files[path] = _Node(now, now, _FILE | mode, changed=now)
        elif path in self._folders:
            raise FileKindError(f"{path!r} is a folder; only regular files can be edited", path=path)
        elif path not in self._files:
            raise MissingFileError(f"cannot open {path!r}: there is no such file", path=path)
        return MemoryFile(self, path, self._files[path], write or create)

    def open_unnamed(self, path: str, mode: int = PRIVATE) -> File:
        """There are none."""
        raise unnamed_unsupported(path)

    def give_name(self, file: File) -> None:
        """There are none to be named."""
        raise unnamed_unsupported(file.path)

    def queue(self, path: str) -> NoQueue:
        """None is kept: everybody is first."""
        return NoQueue()

    def stat(self, path: str) -> Stat | None:
        """Status of what the path names; None where there is nothing."""
        path = _absolute(path)
        return _stat(self._files[path]) if path in self._files else self._folders.get(path)

    def mounted(self, path: str) -> bool:
        """False: nothing is mounted here."""
        return False

    def resolve(self, path: str) -> str:
        """The absolute path; its folder must be there."""
        path = _absolute(path)
        if posixpath.dirname(path) not in self._folders:
            raise MissingFileError(f"there is no folder for {path!r}", path=path)
        return path

    def rename(self, source: str, target: str) -> None:
        """Renames, replacing ``target``."""
        source, target = _absolute(source), self.resolve(target)
        if target in self._folders:
            raise FileKindError(f"{target!r} is a folder", path=target)
        if source not in self._files:
            raise MissingFileError(f"cannot rename {source!r}: there is no such file", path=source)
        node = self._files.pop(source)
        self.remove(target)
        self._files[target] = node

    def remove(self, path: str) -> None:
        """Removes a file; harmless where there is none."""
        path = _absolute(path)
        if path in self._folders:
            raise FileKindError(f"{path!r} is a folder", path=path)
        if node := self._files.pop(path, None):
            node.links -= 1

    def names(self, folder: str) -> list[str]:
        """Sorted names in a folder; empty where there is no such folder."""
        return [entry.name for entry in self.entries(folder)]

    def entries(self, folder: str) -> list[Entry]:
        """What a folder holds, sorted by name; empty where there is no such folder."""
        folder = _absolute(folder)
        if folder in self._files:
            raise FileKindError(f"{folder!r} is not a folder", path=folder)
        found = [Entry(name, "file") for name in _children(self._files, folder)]
        return sorted(found + [Entry(name, "folder") for name in _children(self._folders, folder)])

    def make_folder(self, path: str, like: Stat) -> None:
        """Makes a folder whose owner and read permissions fit the file ``like``; harmless if it exists."""
        path = self.resolve(path)
        if path in self._files:
            raise FileKindError(f"{path!r} is in the way of a folder", path=path)
        if path not in self._folders:
            readable = like.mode & 0o044
            mode = 0o040700 | readable | readable >> 2
            now = self.tick()
            self._folders[path] = _stat(_Node(now, now, mode=mode, uid=like.uid, gid=like.gid))

    def remove_folder(self, path: str) -> None:
        """Removes an empty folder; harmless where it is absent or not empty."""
        path = _absolute(path)
        if not self.names(path):
            self._folders.pop(path, None)

    def sync_folder(self, path: str) -> None:
        """Nothing to do."""
        if _absolute(path) not in self._folders:
            raise MissingFileError(f"there is no folder {path!r}", path=path)

    def facts(self, folder: str) -> Facts:
        """The facts it was made with."""
        return self._facts

    def boot_id(self) -> str:
        """Memory does not outlive a boot."""
        return "memory"


def _children(paths: Iterable[str], folder: str) -> list[str]:
    inside = (path for path in paths if path != "/" and posixpath.dirname(path) == folder)
    return [posixpath.basename(path) for path in inside]


def _absolute(path: str) -> str:
    if not path or "\0" in path:
        raise RequestError(f"{path!r} is no path", path=path)
    return posixpath.normpath(posixpath.join("/", path))


def _stat(node: _Node) -> Stat:
    return Stat(
        size=len(node.data),
        mtime_ns=node.changed,
        ctime_ns=node.changed,
        device=_DEVICE,
        inode=node.inode,
        mode=node.mode,
        uid=node.uid,
        gid=node.gid,
        links=node.links,
    )
