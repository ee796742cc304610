"""Calls of Linux that Python has no function for; failures are ``OSError`` as everywhere in ``os``."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import math
import os
import signal
import struct
from contextlib import suppress
from typing import Final

# linux/falloc.h
KEEP_SIZE: Final = 0x01
PUNCH_HOLE: Final = KEEP_SIZE | 0x02  # refused without it
COLLAPSE_RANGE: Final = 0x08
INSERT_RANGE: Final = 0x20

# linux/fs.h
_SYNC_FILE_RANGE_WRITE: Final = 2

# linux/fs.h: _IOW(0x94, 13, struct file_clone_range); this number is that of x86, ARM and RISC-V,
# elsewhere the call is denied and a dearer one takes its place.
_CLONE_RANGE: Final = 0x4020940D
_CLONE_RANGE_FIELDS: Final = struct.Struct("=qQQQ")

_AT_EMPTY_PATH: Final = 0x1000
_STATX_BTIME: Final = 0x800
_STATX_MOUNT: Final = 0x1000
_STATX_MOUNT_ROOT: Final = 0x2000  # among the attributes
_STATX_BYTES: Final = 256  # fixed by the kernel
_STATX_MASK: Final = struct.Struct("=I")
_STATX_ATTRIBUTES_AT: Final = 8
_STATX_ATTRIBUTES_KNOWN_AT: Final = 56
_STATX_BTIME_AT: Final = 80
_STATX_MOUNT_AT: Final = 144
_STATX_TIME: Final = struct.Struct("=qI")
_STATX_ID: Final = struct.Struct("=Q")
_STATFS_BYTES: Final = 256  # more than any architecture's

# What an administrator may set at least but for 0: proc_sys_fs(5).
_LEAST_BREAK_S: Final = 1.0

# linux/openat2.h
NO_CROSSING: Final = 0x01
NO_MAGIC_LINKS: Final = 0x02
NO_LINKS: Final = 0x04
BENEATH: Final = 0x08
# The same number on every architecture but alpha, as of all calls since Linux 5.
_OPENAT2: Final = 437
_OPEN_HOW: Final = struct.Struct("=QQQ")

# fcntl(2): struct flock with 64-bit offsets, its end padded as the compiler does.
_FLOCK: Final = struct.Struct("hhqqi0q")

_libc: Final = ctypes.CDLL(None, use_errno=True)
# 32-bit glibc has 64-bit offsets only under the other name; musl has only this one.
_fallocate: Final = getattr(_libc, "fallocate64", None) or _libc.fallocate
_fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
_sync_file_range: Final = getattr(_libc, "sync_file_range", None)  # absent on some architectures
if _sync_file_range is not None:
    _sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
_openat2: Final = ctypes.CFUNCTYPE(
    ctypes.c_long,
    ctypes.c_long,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_size_t,
    use_errno=True,
)(("syscall", _libc))
_statx: Final = getattr(_libc, "statx", None)  # absent before glibc 2.28


def fallocate(descriptor: int, mode: int, offset: int, size: int) -> None:
    """fallocate(2), begun again where a signal interrupts it before it has done anything."""
    while _fallocate(descriptor, mode, offset, size) != 0:
        if (number := ctypes.get_errno()) != errno.EINTR:
            raise OSError(number, os.strerror(number))


def begin_writing(descriptor: int, offset: int, size: int) -> None:
    """Starts writing dirty pages out, without waiting; a failure is left for the next sync to tell.

    Without the two flags that wait, the call takes no error from the file that fsync would report.
    Source: sync_file_range(2).
    """
    if _sync_file_range is not None:
        _sync_file_range(descriptor, offset, size, _SYNC_FILE_RANGE_WRITE)


def clone_range(source: int, source_offset: int, descriptor: int, offset: int, size: int) -> None:
    """Shares whole blocks of ``source`` with ``descriptor``: ioctl_ficlonerange(2)."""
    request = _CLONE_RANGE_FIELDS.pack(source, source_offset, size, offset)
    while True:
        try:
            fcntl.ioctl(descriptor, _CLONE_RANGE, request)
            return
        except InterruptedError:
            continue


def lease_break_s() -> float:
    """After how many seconds the kernel takes a lease back that somebody waits for, at the earliest."""
    try:
        with open("/proc/sys/fs/lease-break-time", "rb") as file:
            return float(file.read()) or math.inf
    except (OSError, ValueError):
        return _LEAST_BREAK_S


def take_lease(descriptor: int) -> None:
    """Takes a write lease, of whose breaking nobody is told: fcntl(2).

    The kernel would tell by SIGIO, which ends a process that does not expect it. It is to tell by SIGURG,
    which is ignored unless somebody asked for it, and then, since a lease makes its taker the one to be
    told, to tell nobody.
    """
    fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, 0)


def give_lease_back(descriptor: int) -> bool:
    """Lets in who waits; whether there was a write lease that nobody had begun to wait for."""
    with suppress(OSError):  # EAGAIN: the kernel has taken it back
        alone = fcntl.fcntl(descriptor, fcntl.F_GETLEASE) == fcntl.F_WRLCK
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return alone
    return False


def share_byte(descriptor: int, offset: int) -> None:
    """Locks a byte, shared, for as long as the open file lives: fcntl_locking(2), F_OFD_SETLK.

    Not for the process, as plain record locks are, which any of its threads loses to any other's close.
    """
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, offset, 1, 0))


def shared_byte(descriptor: int, start: int, stop: int) -> int | None:
    """A byte that others locked so, from ``start`` up to ``stop``; None where there is none."""
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, stop - start, 0)
    kind, _, found, _, _ = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked))
    return None if kind == fcntl.F_UNLCK else int(found)


def birth_ns(descriptor: int) -> int:
    """When the inode was made, in nanoseconds since 1970; 0 where nobody tells: statx(2)."""
    buffer = _extended_status(descriptor, _STATX_BTIME)
    if buffer is None:
        return 0
    seconds, nanoseconds = _STATX_TIME.unpack_from(buffer, _STATX_BTIME_AT)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)


def mount_id(descriptor: int) -> int:
    """Which mount the file is on; 0 where nobody tells (before Linux 5.8): statx(2)."""
    buffer = _extended_status(descriptor, _STATX_MOUNT)
    return 0 if buffer is None else int(_STATX_ID.unpack_from(buffer, _STATX_MOUNT_AT)[0])


def is_mount_root(descriptor: int) -> bool | None:
    """Whether the file itself is mounted where it was opened; None where nobody tells (before Linux 5.8)."""
    buffer = _extended_status(descriptor, 0)
    if buffer is None:
        return None
    known, attributes = (
        int(_STATX_ID.unpack_from(buffer, at)[0]) for at in (_STATX_ATTRIBUTES_KNOWN_AT, _STATX_ATTRIBUTES_AT)
    )
    return bool(attributes & _STATX_MOUNT_ROOT) if known & _STATX_MOUNT_ROOT else None


def _extended_status(descriptor: int, field: int) -> ctypes.Array[ctypes.c_char] | None:
    """The answer of statx(2) for an open file, if it has the field (0: in any case)."""
    buffer = ctypes.create_string_buffer(_STATX_BYTES)
    if _statx is None or _statx(descriptor, b"", _AT_EMPTY_PATH, field, buffer) != 0:
        return None
    return buffer if _STATX_MASK.unpack_from(buffer)[0] & field == field else None


def open_beneath(folder: int, path: str, flags: int, mode: int, resolve: int) -> int:
    """Opens a relative path beneath an open folder, as the rules in ``resolve`` allow: openat2(2).

    Raises:
        OSError: EXDEV where the path leads out, or into another mount; ELOOP at a link that is not allowed;
            EAGAIN where something above was renamed meanwhile; ENOSYS or EPERM where there is no such call.
    """
    how = ctypes.create_string_buffer(_OPEN_HOW.pack(flags, mode, resolve), _OPEN_HOW.size)
    name = os.fsencode(path)
    if b"\0" in name:
        raise ValueError("embedded null byte")
    while (descriptor := int(_openat2(_OPENAT2, folder, name, how, _OPEN_HOW.size))) < 0:
        if (number := ctypes.get_errno()) != errno.EINTR:
            raise OSError(number, os.strerror(number))
    return descriptor


def file_system_type(descriptor: int) -> int:
    """The magic number of the file system (linux/magic.h); 0 where nobody tells: fstatfs(2)."""
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    if _libc.fstatfs(descriptor, buffer) != 0:
        return 0
    return ctypes.c_long.from_buffer(buffer).value & 0xFFFFFFFF
