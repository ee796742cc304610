"""The folder of an audit log and its key: opened so that nobody else can have put them there."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat as modes
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from insitu.errors import AccessError, AuditError, FileKindError, InsituError, MissingFileError, RequestError
from insitu.storage.failures import failure

HEAD_NAME: Final = "head.json"
KEY_BYTES: Final = 32

_FILE_NAME: Final = re.compile(r"audit-(\d{6,})\.jsonl")
# Never through a link, never waiting for a pipe's other end, never a terminal of ours, never inherited.
_SAFE: Final = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
_OTHERS_WRITE: Final = 0o022
_OTHERS: Final = 0o077


def default_folder() -> str:
    """Where the log is kept unless a place is named: in the user's state folder."""
    from platformdirs import user_state_dir

    return os.path.join(user_state_dir("insitu"), "audit")


def default_key_path() -> str:
    """Where the key is kept unless a place is named: beside the default log's folder, not in it."""
    from platformdirs import user_state_dir

    return os.path.join(user_state_dir("insitu"), "audit.key")


def file_name(number: int) -> str:
    """The name of one file of the log."""
    return f"audit-{number:06}.jsonl"


def refuse_inside(paths: Iterable[str | os.PathLike[str]], roots: Sequence[str | os.PathLike[str]]) -> None:
    """Refuses an audit log or key that the files of a root could reach.

    Folders are compared by device and inode, so that neither links nor other spellings hide one.

    Args:
        paths: the log's folder and the key's file; they need not exist yet.
        roots: folders that agents may work in.

    Raises:
        RequestError: one lies inside a root, or is one.
    """
    for path in [os.fspath(path) for path in paths]:
        for root in [os.fspath(root) for root in roots]:
            if lies_in(path, root):
                raise RequestError(
                    f"The audit log {path!r} lies inside the root {root!r}, where agents could change it.",
                    hint="Name a folder outside every root, or none: the user's state folder is taken then.",
                    path=path,
                    root=root,
                )


def lies_in(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> bool:
    """Whether a path is a folder or below it; neither needs to exist yet."""
    place, wanted = Path(os.path.realpath(path)), _identity(os.path.realpath(folder))
    return any(_identity(str(parent)) == wanted for parent in (place, *place.parents))


def _identity(path: str) -> tuple[int, int] | str:
    """Device and inode; of what is not there, its real path."""
    try:
        status = os.stat(path)
    except OSError:
        return path
    return status.st_dev, status.st_ino


@contextmanager
def reported(action: str, path: str) -> Iterator[None]:
    """Turns what the platform raises inside into an ``AuditError``."""
    try:
        yield
    except InsituError:
        raise  # said already; some of ours are kinds of OSError
    except OSError as error:
        cause = failure(error, action, path, "old")
        raise AuditError(
            f"The audit log cannot be kept: {cause.message}.",
            hint=cause.hint or "Check the folder of the log and its disk.",
            file_state="old",
            path=path,
        ) from error


class Folder:
    """An audit folder, held open: files are opened in it by name and nowhere else.

    Args:
        path: the folder.
        create: it and its files are to be written: makes it (0700) where it is missing, and demands that it
            and they are ours and writable by nobody else.

    Raises:
        MissingFileError: there is none, and it is not to be made.
        AccessError: others could write there.
    """

    def __init__(self, path: str | os.PathLike[str], *, create: bool = False) -> None:
        self.path: Final = os.path.abspath(os.fspath(path))
        self._writes: Final = create
        if create:
            with reported("make the folder", self.path):
                os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
                with suppress(FileExistsError):
                    os.mkdir(self.path, 0o700)
                    _sync_folder(os.path.dirname(self.path))
        try:
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | _SAFE)
        except FileNotFoundError:
            raise MissingFileError(
                f"There is no audit log in {self.path!r}.",
                hint="Name its folder with --log, as it was given to the server.",
                path=self.path,
            ) from None
        except OSError as error:
            raise failure(error, "open the folder", self.path) from error
        if create:
            try:
                self._check(os.fstat(self._descriptor), self.path)
            except BaseException:
                self.close()
                raise

    def open(self, name: str, *, create: bool = False) -> int:
        """A descriptor of one of its files: regular, with one name, and (for writing) ours alone.

        Raises:
            FileNotFoundError: there is none.
        """
        path = os.path.join(self.path, name)
        flags = (os.O_RDWR if self._writes else os.O_RDONLY) | _SAFE | (os.O_CREAT if create else 0)
        try:
            descriptor = os.open(name, flags, 0o600, dir_fd=self._descriptor)
        except FileNotFoundError:
            raise
        except OSError as error:
            with reported("open", path):
                raise error
        try:
            status = os.fstat(descriptor)
            if not modes.S_ISREG(status.st_mode):
                raise FileKindError(f"{path!r} is no regular file; an audit log has no others.", path=path)
            if self._writes:
                self._check(status, path)
                if status.st_nlink != 1:
                    raise AccessError(f"{path!r} has other names; an audit log's files have one.", path=path)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def numbers(self) -> list[int]:
        """The numbers of the log's files, ascending."""
        with reported("list", self.path):
            names = os.listdir(self._descriptor)
        return sorted(int(found[1]) for name in names if (found := _FILE_NAME.fullmatch(name)))

    def size_of(self, number: int) -> int:
        """The size in bytes of what has the name of a file of the log; 0 where there is nothing."""
        path = os.path.join(self.path, file_name(number))
        with reported("look at", path):
            try:
                return os.stat(file_name(number), dir_fd=self._descriptor, follow_symlinks=False).st_size
            except FileNotFoundError:
                return 0

    def remove(self, number: int) -> None:
        """Removes one file of the log; harmless where there is none."""
        with reported("remove an old file of", self.path), suppress(FileNotFoundError):
            os.unlink(file_name(number), dir_fd=self._descriptor)

    def sync(self) -> None:
        """Makes creations durable."""
        with reported("sync", self.path):
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Closes; harmless when repeated."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    @staticmethod
    def _check(status: os.stat_result, path: str) -> None:
        if status.st_uid != os.geteuid() or status.st_mode & _OTHERS_WRITE:
            raise AccessError(
                f"{path!r} is not ours alone: others can write to the audit log.",
                hint=f"Take it over: chown {os.geteuid()} and chmod go-w, or name another folder.",
                path=path,
            )


def read_key(path: str | os.PathLike[str]) -> bytes:
    """The key in a file that only its owner can read.

    Raises:
        MissingFileError: there is none.
        AccessError: others could read or write it, or it may not be read.
    """
    path = os.fspath(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | _SAFE)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ELOOP:
            raise AccessError(f"The key {path!r} is a symbolic link.", path=path) from error
        raise failure(error, "open the key of the audit log", path) from error
    try:
        status = os.fstat(descriptor)
        if not modes.S_ISREG(status.st_mode):
            raise FileKindError(f"The key {path!r} is no regular file.", path=path)
        if status.st_mode & _OTHERS or status.st_uid not in (os.geteuid(), 0):
            raise AccessError(
                f"The key {path!r} of the audit log is open to others.",
                hint="If nobody can have read it: chmod 600. Else begin a new log with a new key.",
                path=path,
            )
        text = os.read(descriptor, 4 * KEY_BYTES)
    except InsituError:
        raise
    except OSError as error:
        raise failure(error, "read the key of the audit log", path) from error
    finally:
        os.close(descriptor)
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise AccessError(f"{path!r} holds no key of an audit log ({KEY_BYTES} bytes in hex).", path=path)
    return key


def made_key(path: str | os.PathLike[str]) -> bytes:
    """The key in a file, made with mode 0600 where there is none.

    It appears whole or not at all, and the first of several makers wins.
    """
    path = os.path.abspath(os.fspath(path))
    if os.path.lexists(path):
        return read_key(path)
    fresh = f"{path}.{secrets.token_hex(8)}"
    with reported("make the key", path):
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE, 0o600)
        try:
            os.write(descriptor, secrets.token_bytes(KEY_BYTES).hex().encode() + b"\n")
            os.fsync(descriptor)
            with suppress(FileExistsError):
                os.link(fresh, path)
        finally:
            os.close(descriptor)
            os.unlink(fresh)
        _sync_folder(os.path.dirname(path))
    return read_key(path)


def _sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
