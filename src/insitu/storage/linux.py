"""Linux: clones, holes, block ranges, marks, leases and mounts."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from typing import Final

from insitu.core.facts import Facts
from insitu.core.spans import Span, ceil, floor
from insitu.errors import FileKindError, InsituError
from insitu.storage import linux_calls as calls
from insitu.storage.base import PRIVATE, File, Lease, NoQueue, Queue
from insitu.storage.descriptor import PortableFile, tried
from insitu.storage.failures import (
    DENIED,
    UNBRIDGED,
    UNKNOWN,
    failure,
    folder_failure,
    unnamed_unsupported,
)
from insitu.storage.linux_facts import MARK, facts_under, pseudo_name
from insitu.storage.linux_queue import FolderQueue
from insitu.storage.portable import PortableVolume, above_standard

_ACL: Final = "system.posix_acl_access"

# What flock answers when somebody else holds the lock; some network file systems say EACCES.
_HELD: Final = {errno.EWOULDBLOCK, errno.EACCES}

# How the kernel shows a process the files that it has open. Source: proc(5), and open(2) on O_TMPFILE.
_DESCRIPTORS: Final = "/proc/self/fd"
_FOLDER: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_UNNAMED: Final = os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC

# What kernels and file systems without unnamed files answer: older ones take them for a folder to write to.
_NO_UNNAMED: Final = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOSYS}

# Where a policy of the system denies links, or the kernel does not show the file: naming it at once may work.
_NO_NAMING: Final = {errno.EPERM, errno.EACCES, errno.ENOENT}

_COPY_CALL_BYTES: Final = 1 << 30  # below the kernel's limit of 2 GiB less a page; a whole number of blocks


class LinuxFile(PortableFile):
    """A ``File`` with what Linux adds; what its file system lacks raises ``UnsupportedError``."""

    __slots__ = ("_leased_until",)

    def __init__(self, path: str, descriptor: int) -> None:
        super().__init__(path, descriptor)
        # The moment until which the kernel takes no lease back, whoever waits for it; 0 without one.
        self._leased_until = 0.0

    # The lock of filelock is this very call; importing that library takes as long as a small edit.

    @staticmethod
    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _HELD:
                return False
            raise
        return True

    @staticmethod
    def _release(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)

    def reserve(self, span: Span) -> None:
        """Allocates space for ``span`` without changing size or contents."""
        self._allocate(calls.KEEP_SIZE, span.start, span.size, "reserve space in")

    def punch(self, span: Span) -> None:
        """Turns ``span``, inside the file, into zeros that take no space."""
        self._allocate(calls.PUNCH_HOLE, span.start, span.size, "punch a hole into")

    def insert(self, offset: int, size: int) -> None:
        """Shifts everything from ``offset`` right by ``size``.

        Crash: not atomic over a power cut; fragmented files can be left half shifted.
        """
        self._allocate(calls.INSERT_RANGE, offset, size, "insert a range into")

    def collapse(self, offset: int, size: int) -> None:
        """Removes ``size`` bytes at ``offset``.

        Crash: not atomic over a power cut; fragmented files can be left half shifted.
        """
        self._allocate(calls.COLLAPSE_RANGE, offset, size, "collapse a range of")

    def copy_from(self, source: File, source_offset: int, offset: int, size: int) -> None:
        """Copies from another file by the cheapest call there is: clone, in-kernel copy, read and write."""
        self._refuse_overlap(source, source_offset, offset, size)
        block = self._block_bytes()
        start, stop = ceil(offset, block), floor(offset + size, block)
        by = source_offset - offset
        if start < stop and by % block == 0 and self._cloned(source, start + by, start, stop - start):
            self._copy(source, source_offset, offset, start - offset)
            self._copy(source, stop + by, stop, offset + size - stop)
        else:
            self._copy(source, source_offset, offset, size)

    def next_data(self, offset: int) -> int:
        """The first offset at or after ``offset`` that may hold data; the size where there is none."""
        return self._seek(offset, os.SEEK_DATA)

    def next_hole(self, offset: int) -> int:
        """The first offset at or after ``offset`` inside a hole; the size where there is none."""
        return self._seek(offset, os.SEEK_HOLE)

    def begin_sync(self, span: Span) -> None:
        """Hints that ``span`` may be written out already; what fails is told by ``sync``."""
        calls.begin_writing(self._descriptor, span.start, span.size)

    def set_mark(self, value: bytes | None) -> None:
        """Sets (None: removes) the extended attribute ``user.insitu.pending`` and makes it durable."""
        self._refuse_poisoned()
        try:
            if value is None:
                os.removexattr(self._descriptor, MARK)
            else:
                os.setxattr(self._descriptor, MARK, value)
        except OSError as error:
            if value is None and error.errno in (errno.ENODATA, errno.EOPNOTSUPP):
                return
            raise failure(error, "mark", self._path, "old") from error
        self._synced(lambda: os.fsync(self._descriptor))  # fdatasync may leave attributes out

    def mark(self) -> bytes | None:
        """The value of that attribute; None where it is absent or there are no attributes."""
        try:
            return os.getxattr(self._descriptor, MARK)
        except OSError as error:
            if error.errno in (errno.ENODATA, errno.EOPNOTSUPP):
                return None
            raise failure(error, "read the mark of", self._path, "old") from error

    def lease(self, seconds: float) -> Lease:
        """Tries to take a write lease: fcntl(2)."""
        break_s = calls.lease_break_s()
        if seconds >= break_s:
            return "too long"
        began = time.monotonic()
        try:
            calls.take_lease(self._descriptor)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                return "in use"
            if error.errno in (errno.EACCES, errno.EPERM):
                return "not allowed"
            raise self._denied("take a lease on") from error
        self._leased_until = began + break_s
        return "held"

    def release(self) -> bool:
        """Gives the lease back; whether nobody can have opened the file until now."""
        until, self._leased_until = self._leased_until, 0.0
        return until > 0 and (calls.give_lease_back(self._descriptor) or time.monotonic() < until)

    def _birth_ns(self, status: os.stat_result) -> int:
        return calls.birth_ns(self._descriptor)

    def _flush(self) -> None:
        os.fdatasync(self._descriptor)  # covers a changed size: fdatasync(2)

    def _allocate(self, mode: int, offset: int, size: int, action: str) -> None:
        self._refuse_poisoned()
        if size == 0:
            return
        try:
            calls.fallocate(self._descriptor, mode, offset, size)
        except OSError as error:
            if error.errno in DENIED:
                raise self._denied(action) from error
            raise failure(error, action, self._path, UNKNOWN) from error

    def _block_bytes(self) -> int:
        try:
            return max(os.fstatvfs(self._descriptor).f_bsize, 1)
        except OSError as error:
            raise failure(error, "copy into", self._path, "old") from error

    def _cloned(self, source: File, source_offset: int, offset: int, size: int) -> bool:
        """Whether the blocks are shared now."""
        try:
            calls.clone_range(source.fileno(), source_offset, self._descriptor, offset, size)
        except OSError as error:
            if error.errno in UNBRIDGED:
                return False
            raise failure(error, "clone into", self._path, UNKNOWN) from error
        return True

    def _copy(self, source: File, source_offset: int, offset: int, size: int) -> None:
        """Copies inside the kernel, continuing partial counts; from where that is denied, by hand."""
        done = 0
        try:
            while done < size:
                count = os.copy_file_range(
                    source.fileno(),
                    self._descriptor,
                    min(size - done, _COPY_CALL_BYTES),
                    source_offset + done,
                    offset + done,
                )
                if count == 0:
                    break  # the source ended, or is one of those that copy nothing; reading tells which
                done += count
        except OSError as error:
            if error.errno not in UNBRIDGED:
                raise failure(error, "copy into", self._path, UNKNOWN) from error
        if done < size:
            super().copy_from(source, source_offset + done, offset + done, size - done)

    def _seek(self, offset: int, whence: int) -> int:
        try:
            return os.lseek(self._descriptor, offset, whence)
        except OSError as error:
            if error.errno == errno.ENXIO:  # at or past the end, or no more data
                return self.size()
            raise failure(error, "look for holes in", self._path, "old") from error

    def _take_attributes(self, source: File) -> list[str]:
        """Makes the attributes those of ``source`` (ACLs are attributes, too); names what differs after."""
        wanted = _attributes(source)
        for name in _attributes(self).keys() - wanted.keys():
            if not name.startswith("security."):  # given by the system's policy, not by the source's owner
                tried(os.removexattr, self._descriptor, name)
        for name in sorted(wanted, key=lambda name: (name != _ACL, name)):
            tried(os.setxattr, self._descriptor, name, wanted[name])
        got = _attributes(self)
        extra = [name for name in got.keys() - wanted.keys() if not name.startswith("security.")]
        return extra + [name for name, value in wanted.items() if got.get(name) != value]


class LinuxVolume(PortableVolume):
    """The file systems of a Linux machine."""

    file = LinuxFile

    def __init__(self) -> None:
        self._boot_id = ""

    def open_unnamed(self, path: str, mode: int = PRIVATE) -> PortableFile:
        """Makes a file that is to have this path, and vanishes with its last descriptor unless it gets it."""
        if not os.path.isdir(_DESCRIPTORS):
            raise unnamed_unsupported(path)
        try:
            descriptor = self._opened(os.path.dirname(path), _UNNAMED, mode)
        except (OSError, ValueError) as error:
            if getattr(error, "errno", 0) in _NO_UNNAMED:
                raise unnamed_unsupported(path) from error
            raise failure(error, "create", path) from error
        return self.file(path, above_standard(descriptor))

    def give_name(self, file: File) -> None:
        """Has an unnamed file appear under its path; durable after ``sync_folder`` of its folder."""
        try:
            with self._entry(file.path) as (folder, name):
                at = os.open(os.path.dirname(name), _FOLDER) if folder is None else folder
                try:
                    # Only with a descriptor of the folder is the kernel's link followed (linkat, not link).
                    os.link(f"{_DESCRIPTORS}/{file.fileno()}", os.path.basename(name), dst_dir_fd=at)
                finally:
                    if folder is None:
                        os.close(at)
        except (OSError, ValueError) as error:
            if getattr(error, "errno", 0) in _NO_NAMING:
                raise unnamed_unsupported(file.path) from error
            raise failure(error, "create", file.path) from error

    def queue(self, path: str) -> Queue:
        """The queue for the lock of a file; where its folder cannot be opened, everybody is first."""
        folder, name = os.path.split(path)
        try:
            return FolderQueue(self._opened(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, 0), name)
        except (OSError, ValueError, InsituError):
            return NoQueue()

    def mounted(self, path: str) -> bool:
        """Whether a file, of whatever file system, is mounted over the path by itself."""
        try:
            descriptor = self._opened(path, os.O_PATH | os.O_CLOEXEC, 0)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except (OSError, ValueError) as error:
            raise failure(error, "look at", path) from error
        try:
            known = calls.is_mount_root(descriptor)
        finally:
            os.close(descriptor)
        return super().mounted(path) if known is None else known

    def facts(self, folder: str) -> Facts:
        """What the storage under ``folder`` can do, and how much is free. Cost: as ``facts_under``."""
        try:
            at = self._opened(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, 0)
            try:
                return facts_under(at)
            finally:
                os.close(at)
        except (OSError, ValueError) as error:
            raise folder_failure(error, "find out about the storage of", folder) from error

    def boot_id(self) -> str:
        """Names the time since the last boot; without /proc, as on any platform."""
        if not self._boot_id:
            try:
                with open("/proc/sys/kernel/random/boot_id", "rb") as file:
                    self._boot_id = file.read().decode().strip()
            except OSError:
                self._boot_id = super().boot_id()
        return self._boot_id

    def _admit(self, path: str, descriptor: int) -> None:
        super()._admit(path, descriptor)
        name = pseudo_name(descriptor)
        if name:
            raise FileKindError(
                f"{path!r} is a pseudo file of {name}, whose contents the kernel makes up: nothing to edit",
                path=path,
                kind=name,
            )


def _attributes(file: File) -> dict[str, bytes]:
    """Every extended attribute that can be listed, but for the mark."""
    descriptor = file.fileno()
    try:
        return {name: os.getxattr(descriptor, name) for name in os.listxattr(descriptor) if name != MARK}
    except OSError as error:
        if error.errno in DENIED:
            return {}
        raise failure(error, "read the attributes of", file.path, "old") from error
