"""The one place where an ``OSError`` becomes an error of insitu.

A call that names a path may fail for reasons its caller can mend: a ``RequestError``. A call on an
open file fails as the medium does: always a ``StorageError``, so that the engine has one family to
roll back for.
"""

from __future__ import annotations

import errno
import stat as modes
from typing import Final

from insitu.errors import (
    AccessError,
    ExistingFileError,
    FileKindError,
    InsituError,
    LockedError,
    MissingFileError,
    NoSpaceError,
    RequestError,
    StorageError,
    SyncError,
    UnsupportedError,
)

UNKNOWN: Final = "unknown"
"""State of a file that a failed call was changing: only the engine knows what the call was part of."""

DENIED: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY})
"""What a call answers that a file system does not have."""

UNBRIDGED: Final = DENIED | {errno.EXDEV, errno.EPERM, errno.ETXTBSY}
"""What copying in the kernel answers between files that only reading and writing can bridge."""

_REQUEST: Final[dict[int, tuple[type[RequestError | LockedError], str]]] = {
    errno.ENOENT: (MissingFileError, "there is no such file"),
    errno.ENOTDIR: (MissingFileError, "a part of the path before the last is not a folder"),
    errno.EEXIST: (ExistingFileError, "there is something at this path already"),
    errno.EACCES: (AccessError, "permission is denied"),
    errno.EPERM: (AccessError, "it is not permitted (the file may be immutable, append-only or not ours)"),
    errno.EROFS: (AccessError, "the file system is read-only"),
    errno.ETXTBSY: (AccessError, "it is a program that is running"),
    errno.EISDIR: (FileKindError, "it is a folder"),
    errno.ENOTEMPTY: (FileKindError, "it is a folder that is not empty"),
    errno.ENXIO: (FileKindError, "it is a pipe, socket or device"),
    errno.ENODEV: (FileKindError, "it is a device"),
    errno.ELOOP: (RequestError, "its symbolic links form a loop"),
    errno.ENAMETOOLONG: (RequestError, "the name is too long"),
    errno.EAGAIN: (LockedError, "another program holds a lease on the file"),
}
_STORAGE: Final[dict[int, tuple[type[StorageError], str, str]]] = {
    errno.ENOSPC: (NoSpaceError, "the disk is full", "Free some space and try again."),
    errno.EFBIG: (NoSpaceError, "the file would exceed the largest size allowed here", ""),
    errno.EIO: (StorageError, "the medium reports an I/O error", "Check the disk and its logs."),
    errno.EMFILE: (StorageError, "this process has too many open files", "Close some, or raise the limit."),
    errno.ENFILE: (StorageError, "the system has too many open files", ""),
    errno.EBADF: (StorageError, "the handle is closed or not open for this", ""),
    errno.EBUSY: (UnsupportedError, "it is a mount point or in use by the system", ""),
    errno.EXDEV: (UnsupportedError, "the two lie on different file systems", ""),
    errno.ENOSYS: (UnsupportedError, "the system lacks the call", ""),
    errno.ENOTSUP: (UnsupportedError, "the file system does not support it", ""),
    errno.EOPNOTSUPP: (UnsupportedError, "the file system does not support it", ""),
}
if hasattr(errno, "EDQUOT"):
    _STORAGE[errno.EDQUOT] = (NoSpaceError, "the quota is used up", "Free some space and try again.")

_KINDS: Final = (
    (modes.S_ISDIR, "a folder"),
    (modes.S_ISFIFO, "a pipe (FIFO)"),
    (modes.S_ISSOCK, "a socket"),
    (modes.S_ISCHR, "a character device"),
    (modes.S_ISBLK, "a block device"),
)


class Barred(OSError):
    """Raised beneath a root for a path that leads where nobody may follow; ``failure`` makes it an error.

    Args:
        kind: the error it becomes.
        reason: why, without a word of what lies outside.
        hint: what to do next.
    """

    def __init__(self, kind: type[RequestError], reason: str, hint: str = "") -> None:
        super().__init__(errno.EXDEV, reason)
        self.kind = kind
        self.hint = hint


def failure(error: OSError | ValueError, action: str, path: str, state: str = "") -> InsituError:
    """The insitu error for a failed call.

    Args:
        error: what the platform raised (a ``ValueError`` is a path that cannot be passed on).
        action: what was tried, to follow "cannot".
        path: what it was tried on.
        state: for a call on an open file: the state to report; the error is then a ``StorageError``.
    """
    if isinstance(error, Barred):
        message = f"cannot {action} {path!r}: {error.strerror}"
        return error.kind(message, hint=error.hint, path=path, call=action)
    if not isinstance(error, OSError):
        return RequestError(
            f"cannot {action} {path!r}: a path cannot hold a NUL or such characters", path=path, call=action
        )
    number = error.errno or 0
    if not state and number in _REQUEST:
        kind, reason = _REQUEST[number]
        return kind(f"cannot {action} {path!r}: {reason}", path=path, call=action, errno=number)
    family, reason, hint = _STORAGE.get(number, (StorageError, error.strerror or str(error), ""))
    return family(
        f"cannot {action} {path!r}: {reason}",
        hint=hint,
        file_state=state or "old",
        path=path,
        call=action,
        errno=number,
    )


def folder_failure(error: OSError | ValueError, action: str, path: str) -> InsituError:
    """As ``failure``, for calls whose path has to name a folder."""
    if isinstance(error, NotADirectoryError):
        return FileKindError(f"cannot {action} {path!r}: it is not a folder", path=path, call=action)
    return failure(error, action, path)


def unnamed_unsupported(path: str) -> UnsupportedError:
    """The error where files have to have a name from the beginning."""
    return UnsupportedError(f"cannot make {path!r} before it has a name: there are no such files", path=path)


def special(mode: int, path: str) -> FileKindError:
    """The error for a path that names no regular file."""
    kind = next((name for test, name in _KINDS if test(mode)), "not a regular file")
    return FileKindError(f"{path!r} is {kind}; only regular files can be edited", path=path, kind=kind)


def sync_failure(error: OSError | None, path: str) -> SyncError:
    """The error for a failed sync, and (``error`` None) for every call on the poisoned handle after it."""
    if error is None:
        message = f"{path!r} is not written any more: an earlier sync of it failed"
    else:
        message = f"cannot sync {path!r}: {error.strerror}; what the disk holds of it is unknown"
    return SyncError(
        message,
        hint="Check the disk; then open the file again, which recovers it.",
        file_state=UNKNOWN,
        path=path,
        call="sync",
        errno=error.errno if error else None,
    )
