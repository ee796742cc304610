"""An open file through calls that every platform has."""

from __future__ import annotations

import errno
import os
import stat as modes
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from insitu.core.spans import Span
from insitu.errors import InternalError, StorageError, UnsupportedError
from insitu.storage.base import Buffer, File, Identity, Lease, Stat
from insitu.storage.failures import (
    DENIED,
    UNKNOWN,
    failure,
    sync_failure,
)

COPY_WINDOW_BYTES: Final = 1 << 20  # the knee of read and write throughput; held in memory once


def stat_of(status: os.stat_result) -> Stat:
    """The platform's answer as a ``Stat``."""
    return Stat(
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_dev,
        status.st_ino,
        status.st_mode,
        status.st_uid,
        status.st_gid,
        status.st_nlink,
    )


_seeking: Final = threading.Lock()


def seek_read(descriptor: int, size: int, offset: int) -> bytes:
    """``os.pread`` where there is none."""
    with _seeking:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, size)


def seek_write(descriptor: int, data: Buffer, offset: int) -> int:
    """``os.pwrite`` where there is none."""
    with _seeking:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.write(descriptor, data)


def read_and_copy(descriptor: int, buffers: list[memoryview], offset: int) -> int:
    """``os.preadv`` into one buffer where there is none."""
    data = pread(descriptor, len(buffers[0]), offset)
    buffers[0][: len(data)] = data
    return len(data)


pread: Callable[[int, int, int], bytes] = getattr(os, "pread", seek_read)
pwrite: Callable[[int, Buffer, int], int] = getattr(os, "pwrite", seek_write)
preadv: Callable[[int, list[memoryview], int], int] = getattr(os, "preadv", read_and_copy)


_CLOSED: Final = (1 << 31) - 1
"""Takes a closed descriptor's place: no process can have this one, so that every call answers EBADF."""


class PortableFile:
    """A ``File`` over a descriptor; every special ability is denied."""

    __slots__ = ("_descriptor", "_identity", "_path", "_poisoned")

    def __init__(self, path: str, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._poisoned = False
        self._identity: Identity | None = None

    @property
    def path(self) -> str:
        """The path it was opened by, or bears since it was renamed."""
        return self._path

    def renamed(self, path: str) -> None:
        """Takes note that it bears another path by now."""
        self._path = path

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def size(self) -> int:
        """The size in bytes, now."""
        return self._fstat().st_size

    def stat(self) -> Stat:
        """Status of the open file."""
        return stat_of(self._fstat())

    def identity(self) -> Identity:
        """Identity of the open file; asked of the system once, since it cannot change while open."""
        if self._identity is None:
            status = self._fstat()
            try:
                has_id = hasattr(os, "fstatvfs")
                volume = os.fstatvfs(self._descriptor).f_fsid if has_id else status.st_dev
            except OSError as error:
                raise failure(error, "identify the file system of", self._path, "old") from error
            self._identity = Identity(volume, status.st_ino, self._birth_ns(status))
        return self._identity

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes; fewer only where the file ends."""
        try:
            data = pread(self._descriptor, size, offset)
            if len(data) == size or not data:
                return data
            parts = [data]
            have = len(data)
            while have < size and (data := pread(self._descriptor, size - have, offset + have)):
                parts.append(data)
                have += len(data)
        except OSError as error:
            raise failure(error, "read", self._path, "old") from error
        return b"".join(parts) if len(parts) > 1 else parts[0]

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fills ``buffer``; returns how many bytes, fewer only where the file ends."""
        view = buffer if buffer.itemsize == 1 else buffer.cast("B")
        have = 0
        try:
            while have < len(view) and (count := preadv(self._descriptor, [view[have:]], offset + have)):
                have += count
        except OSError as error:
            raise failure(error, "read", self._path, "old") from error
        return have

    def write(self, offset: int, data: Buffer) -> None:
        """Writes all of ``data``; a short write is continued, a failure raises."""
        self._refuse_poisoned()
        view = memoryview(data)
        try:
            done = pwrite(self._descriptor, data, offset)
            if done < view.nbytes:
                view = view.cast("B")
                while done < len(view):
                    count = pwrite(self._descriptor, view[done:], offset + done)
                    if count <= 0:
                        raise OSError(errno.EIO, os.strerror(errno.EIO))
                    done += count
        except OSError as error:
            raise failure(error, "write", self._path, UNKNOWN) from error

    def resize(self, size: int) -> None:
        """Cuts or extends (with zeros) to ``size``."""
        self._refuse_poisoned()
        try:
            os.ftruncate(self._descriptor, size)
        except OSError as error:
            raise failure(error, "resize", self._path, UNKNOWN) from error

    def reserve(self, span: Span) -> None:
        """Denied: the portable call for it changes the size."""
        raise self._denied("reserve space in")

    def punch(self, span: Span) -> None:
        """Denied."""
        raise self._denied("punch a hole into")

    def insert(self, offset: int, size: int) -> None:
        """Denied."""
        raise self._denied("insert a range into")

    def collapse(self, offset: int, size: int) -> None:
        """Denied."""
        raise self._denied("collapse a range of")

    def copy_from(self, source: File, source_offset: int, offset: int, size: int) -> None:
        """Copies from another file by reading and writing, a window at a time."""
        self._refuse_overlap(source, source_offset, offset, size)
        buffer = memoryview(bytearray(min(size, COPY_WINDOW_BYTES)))
        done = 0
        while done < size:
            part = buffer[: size - done]
            if not (count := source.read_into(source_offset + done, part)):
                raise self._source_ended(source)
            self.write(offset + done, part[:count])
            done += count

    def next_data(self, offset: int) -> int:
        """``offset`` itself: anything may be data."""
        return min(offset, self.size())

    def next_hole(self, offset: int) -> int:
        """The size: no holes are known of."""
        return self.size()

    def expect(self, span: Span) -> None:
        """Hints that ``span`` is going to be read, where the platform takes hints."""
        if hasattr(os, "posix_fadvise"):
            with suppress(OSError):
                os.posix_fadvise(self._descriptor, span.start, span.size, os.POSIX_FADV_WILLNEED)

    def begin_sync(self, span: Span) -> None:
        """Nothing: no platform but Linux has a call for it."""

    def sync(self) -> None:
        """Makes contents and size durable; a failure poisons the file."""
        self._synced(self._flush)

    def set_mark(self, value: bytes | None) -> None:
        """Denied, but for removing what cannot be there."""
        if value is not None:
            raise self._denied("mark")

    def mark(self) -> bytes | None:
        """None: there are no attributes."""
        return None

    def take_metadata(self, source: File) -> None:
        """Copies owner, mode and what else this platform can list from ``source``.

        To be called after the last write: writing may take set-user-id bits and capabilities away.
        """
        wanted = source.stat()
        self._take_owner(wanted)
        # After the owner, since changing that clears set-user-id; before the ACL, since that refines it.
        tried(os.chmod, self._target(), modes.S_IMODE(wanted.mode))
        lost = self._take_attributes(source)
        got = self.stat()
        checks = (
            ("owner", got.uid, wanted.uid),
            ("group", got.gid, wanted.gid),
            ("mode", got.mode, wanted.mode),
        )
        lost += [name for name, now, then in checks if now != then]
        if lost:
            names = sorted(set(lost))
            raise StorageError(
                f"{self._path!r} cannot be given these properties of {source.path!r}: {', '.join(names)}",
                hint="Edit in place, which leaves them alone, or run as the owner of the file.",
                kept_not=names,
                path=self._path,
            )

    def lock(self) -> bool:
        """Tries once to take the exclusive lock on the inode; True when it is ours now."""
        try:
            return self._try_lock(self._descriptor)
        except OSError as error:
            if error.errno in DENIED or error.errno == errno.ENOLCK:
                raise UnsupportedError(
                    f"cannot lock {self._path!r}: locks do not work on this file system",
                    path=self._path,
                    call="lock",
                    errno=error.errno,
                ) from error
            raise failure(error, "lock", self._path, "old") from error

    def unlock(self) -> None:
        """Gives the lock back; closing does, too."""
        try:
            self._release(self._descriptor)
        except OSError as error:
            raise failure(error, "unlock", self._path, UNKNOWN) from error

    @staticmethod
    def _try_lock(descriptor: int) -> bool:
        from filelock import lock_descriptor

        return lock_descriptor(descriptor, blocking=False)

    @staticmethod
    def _release(descriptor: int) -> None:
        from filelock import unlock_descriptor

        unlock_descriptor(descriptor)

    def lease(self, seconds: float) -> Lease:
        """Denied."""
        raise self._denied("take a lease on")

    def release(self) -> bool:
        """False: there was no lease."""
        return False

    def close(self) -> None:
        """Closes; harmless when repeated."""
        descriptor, self._descriptor = self._descriptor, _CLOSED
        if descriptor != _CLOSED:
            try:
                os.close(descriptor)
            except OSError as error:
                raise failure(error, "close", self._path, UNKNOWN) from error

    def _fstat(self) -> os.stat_result:
        try:
            return os.fstat(self._descriptor)
        except OSError as error:
            raise failure(error, "look at", self._path, "old") from error

    def _birth_ns(self, status: os.stat_result) -> int:
        return int(getattr(status, "st_birthtime", 0) * 1e9)

    def _flush(self) -> None:
        # macOS acknowledges fsync before the drive's cache is written; its other call waits for that.
        if sys.platform == "darwin":
            import fcntl

            try:
                fcntl.fcntl(self._descriptor, fcntl.F_FULLFSYNC)
                return
            except OSError as error:
                if error.errno not in DENIED:  # network mounts have only the plain call
                    raise
        os.fsync(self._descriptor)

    def _synced(self, flush: Callable[[], None]) -> None:
        """Runs ``flush``; its failure is never retried, since the kernel forgets what it could not write.

        XFS that shuts down drops what it had not logged, and then has nothing left to sync: that succeeds.
        It shows no file from then on, so looking once more tells the two apart.
        """
        self._refuse_poisoned()
        try:
            flush()
            os.fstat(self._descriptor)
        except OSError as error:
            self._poisoned = True
            raise sync_failure(error, self._path) from error

    def _refuse_poisoned(self) -> None:
        if self._poisoned:
            raise sync_failure(None, self._path)

    def _refuse_overlap(self, source: File, source_offset: int, offset: int, size: int) -> None:
        """A copy that overlaps itself would read what it has just written."""
        self._refuse_poisoned()
        if abs(source_offset - offset) < size and source.identity() == self.identity():
            raise InternalError(f"a copy inside {self._path!r} overlaps itself", path=self._path)

    def _denied(self, action: str) -> UnsupportedError:
        message = f"cannot {action} {self._path!r}: this storage has no such call"
        return UnsupportedError(message, path=self._path, call=action)

    def _source_ended(self, source: File) -> StorageError:
        message = f"{source.path!r} ended while it was copied into {self._path!r}"
        return StorageError(message, file_state=UNKNOWN, path=source.path)

    def _target(self) -> int | str:
        """What calls that take a descriptor or a path are given."""
        return self._descriptor if os.chmod in os.supports_fd else self._path

    def _take_owner(self, wanted: Stat) -> None:
        """Gives the file its owner and group, or the group where only that is allowed."""
        now = self.stat()
        if (now.uid, now.gid) == (wanted.uid, wanted.gid) or not hasattr(os, "chown"):
            return
        if not tried(os.chown, self._target(), wanted.uid, wanted.gid):
            tried(os.chown, self._target(), -1, wanted.gid)

    def _take_attributes(self, source: File) -> list[str]:
        """Names of attributes that could not be copied; this platform can list none."""
        return []


def tried(call: Callable[..., object], *arguments: object) -> bool:
    """Whether the call succeeds; what comes of a failure is seen by reading back."""
    try:
        call(*arguments)
    except OSError:
        return False
    return True
