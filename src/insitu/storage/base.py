"""The small protocol through which the engine sees the world.

A ``Volume`` holds named files and folders; a ``File`` is an open one. Everything the engine does to a
disk goes through these calls, so that the crash simulator (``insitu.testing``) can stand in for it.
A bare ``OSError`` never crosses this edge: it becomes a ``StorageError`` or ``RequestError`` that says
what state the target is in. Calls a volume's facts deny raise ``UnsupportedError``.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, Protocol

from insitu.core.facts import Facts
from insitu.core.spans import Span

Buffer = bytes | bytearray | memoryview


class Identity(NamedTuple):
    """Which file it is, over reboots and renames: file system id, inode, birth time.

    ``birth_ns`` is 0 where the platform does not tell. Source: statx(2), statvfs(3).
    """

    filesystem: int
    inode: int
    birth_ns: int


class Stat(NamedTuple):
    """What the file system says of a file at one moment."""

    size: int
    mtime_ns: int
    ctime_ns: int
    device: int
    inode: int
    mode: int
    uid: int
    gid: int
    links: int


Lease = Literal["held", "in use", "not allowed", "too long"]
"""Whether a lease was granted, or why not: the file is open elsewhere, too; it is another user's; the
platform takes leases back sooner than that."""

EntryKind = Literal["file", "folder", "link", "other"]


class Entry(NamedTuple):
    """One name in a folder, and what it is itself: a link is a link, whatever it leads to."""

    name: str
    kind: EntryKind


class File(Protocol):
    """An open regular file. Reads may come from several threads; writes from one."""

    @property
    def path(self) -> str:
        """The path it was opened by, or bears since it was renamed; errors tell it."""
        ...

    def renamed(self, path: str) -> None:
        """Takes note that it bears another path by now."""
        ...

    def fileno(self) -> int:
        """The descriptor, where there is one (mapping and locking need it)."""
        ...

    def size(self) -> int:
        """The size in bytes, now."""
        ...

    def stat(self) -> Stat:
        """Status of the open file (not of whatever the path names now)."""
        ...

    def identity(self) -> Identity:
        """Identity of the open file."""
        ...

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes; fewer only where the file ends."""
        ...

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fills ``buffer``; returns how many bytes, fewer only where the file ends."""
        ...

    def write(self, offset: int, data: Buffer) -> None:
        """Writes all of ``data``; a short write is continued, a failure raises."""
        ...

    def resize(self, size: int) -> None:
        """Cuts or extends (with zeros) to ``size``."""
        ...

    def reserve(self, span: Span) -> None:
        """Allocates space for ``span`` without changing size or contents (facts.reserve)."""
        ...

    def punch(self, span: Span) -> None:
        """Turns ``span``, inside the file, into zeros that take no space (facts.punch)."""
        ...

    def insert(self, offset: int, size: int) -> None:
        """Shifts everything from ``offset`` right by ``size``; both whole blocks (facts.ranges)."""
        ...

    def collapse(self, offset: int, size: int) -> None:
        """Removes ``size`` bytes at ``offset``; both whole blocks, ending before EOF (facts.ranges)."""
        ...

    def copy_from(self, source: File, source_offset: int, offset: int, size: int) -> None:
        """Copies from another file by the cheapest call there is: clone, in-kernel copy, read and write."""
        ...

    def next_data(self, offset: int) -> int:
        """The first offset at or after ``offset`` that may hold data; the size where there is none."""
        ...

    def next_hole(self, offset: int) -> int:
        """The first offset at or after ``offset`` inside a hole; the size where there is none."""
        ...

    def expect(self, span: Span) -> None:
        """Hints that ``span`` is going to be read; promises nothing and never fails."""
        ...

    def begin_sync(self, span: Span) -> None:
        """Hints that ``span`` may be written out before the next ``sync``; promises nothing, never fails."""
        ...

    def sync(self) -> None:
        """Makes contents and size durable.

        Raises:
            SyncError: the file is poisoned: every later ``write`` or ``sync`` raises as well.
        """
        ...

    def set_mark(self, value: bytes | None) -> None:
        """Sets (None: removes) the extended attribute ``user.insitu.pending`` and makes it durable."""
        ...

    def mark(self) -> bytes | None:
        """The value of that attribute; None where it is absent or there are no attributes."""
        ...

    def take_metadata(self, source: File) -> None:
        """Copies mode, owner, ACL and extended attributes (not the mark) from ``source``.

        Raises:
            StorageError: something cannot be kept; its name is in ``facts['kept_not']``.
        """
        ...

    def lock(self) -> bool:
        """Tries once to take the exclusive lock on the inode; True when it is ours now.

        Raises:
            UnsupportedError: locks do not work on this file system.
        """
        ...

    def unlock(self) -> None:
        """Gives the lock back; closing does, too."""
        ...

    def lease(self, seconds: float) -> Lease:
        """Tries to keep everybody from opening the file again: until ``release`` that waits, or fails.

        Granted only where this is the one opening there is. No signal comes of others asking for the file.

        Args:
            seconds: for how long it is needed, at least.

        Raises:
            UnsupportedError: there are no leases here.
        """
        ...

    def release(self) -> bool:
        """Gives a lease back, as closing does; whether nobody can have opened the file until now."""
        ...

    def close(self) -> None:
        """Closes; harmless when repeated."""
        ...


class Queue(Protocol):
    """Those who wait for the lock on one file, in the order they came.

    It only advises: whoever ignores it, or dies in it, keeps nobody from the lock for long.
    """

    def join(self, *, ahead: bool = False) -> None:
        """Takes the last place; ``ahead``: the last of those who came ahead, before all others."""
        ...

    def first(self) -> bool:
        """Whether nobody waits who came before; before joining: whether nobody waits."""
        ...

    def close(self) -> None:
        """Gives the place up."""
        ...


class NoQueue:
    """A ``Queue`` where none can be kept: everybody is first."""

    def join(self, *, ahead: bool = False) -> None:
        """Takes no place."""

    def first(self) -> bool:
        """True."""
        return True

    def close(self) -> None:
        """Nothing to give up."""


PRIVATE: Final = 0o600
"""The permissions of what is kept for nobody but its owner."""

SHARED: Final = 0o666
"""The permissions of files that users ask for, as of any program: the umask takes away what it should."""


class Volume(Protocol):
    """Named files and folders."""

    def open(self, path: str, *, write: bool = False, create: bool = False, mode: int = PRIVATE) -> File:
        """Opens a regular file; ``create`` demands that there is none yet.

        Args:
            mode: the permissions of a file that is created, less those that the umask takes away.

        Raises:
            LockedError: somebody holds a lease on it, and goes on holding it.
            MissingFileError, ExistingFileError, AccessError, FileKindError: as their names say.
        """
        ...

    def open_unnamed(self, path: str, mode: int = PRIVATE) -> File:
        """Makes a file that is to have this path, and vanishes with its last descriptor unless it gets it.

        Raises:
            UnsupportedError: there are no files without a name here.
            MissingFileError, AccessError, FileKindError: as ``open``.
        """
        ...

    def give_name(self, file: File) -> None:
        """Has an unnamed file appear under its path; durable after ``sync_folder`` of its folder.

        Raises:
            ExistingFileError: something is there by now, and stays.
            UnsupportedError: it cannot be named here.
        """
        ...

    def queue(self, path: str) -> Queue:
        """The queue for the lock of a file; where none can be kept, one in which everybody is first."""
        ...

    def stat(self, path: str) -> Stat | None:
        """Status of what the path names (links followed); None where there is nothing."""
        ...

    def mounted(self, path: str) -> bool:
        """Whether a file is mounted over the path by itself, as containers do; False where there is none."""
        ...

    def resolve(self, path: str) -> str:
        """The absolute path with every symbolic link followed."""
        ...

    def rename(self, source: str, target: str) -> None:
        """Renames, replacing ``target``; durable after ``sync_folder`` of its folder."""
        ...

    def remove(self, path: str) -> None:
        """Removes a file; harmless where there is none."""
        ...

    def names(self, folder: str) -> list[str]:
        """Sorted names in a folder; empty where there is no such folder."""
        ...

    def entries(self, folder: str) -> list[Entry]:
        """What a folder holds, sorted by name, links not followed; empty where there is no such folder."""
        ...

    def make_folder(self, path: str, like: Stat) -> None:
        """Makes a folder whose owner and read permissions fit the file ``like``; harmless if it exists."""
        ...

    def remove_folder(self, path: str) -> None:
        """Removes an empty folder; harmless where it is absent or not empty."""
        ...

    def sync_folder(self, path: str) -> None:
        """Makes creations, renames and removals in the folder durable (a no-op without facts.folder_sync)."""
        ...

    def facts(self, folder: str) -> Facts:
        """What the storage under ``folder`` can do; probed once per device, free space each time."""
        ...

    def boot_id(self) -> str:
        """Names the time since the last boot: differs exactly when a power cut may lie between."""
        ...
