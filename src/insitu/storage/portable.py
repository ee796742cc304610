"""Files and folders through calls that every platform has.

What macOS and Windows get, and what ``linux`` adds its special calls to.
"""

from __future__ import annotations

import errno
import os
import stat as modes
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Final

from insitu.core.facts import Facts
from insitu.errors import FileKindError
from insitu.storage.base import PRIVATE, Entry, EntryKind, File, NoQueue, Queue, Stat
from insitu.storage.descriptor import PortableFile, stat_of
from insitu.storage.failures import (
    DENIED,
    failure,
    folder_failure,
    special,
    sync_failure,
    unnamed_unsupported,
)

__all__ = ["PortableFile", "PortableVolume"]

_OPEN_FLAGS: Final = (
    getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)
_FOLDERS_OPEN: Final = hasattr(os, "O_DIRECTORY")  # not on Windows, which makes renames durable itself
_FOLDER_FLAGS: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_LAST_STANDARD: Final = 2

# Short edits hold a lease for milliseconds, and never much longer than a second.
LEASE_PATIENCE_S: Final = 10.0
_LEASE_PAUSE_S: Final = 0.002
_PROCESS_ID: Final = os.urandom(16).hex()


class PortableVolume:
    """A ``Volume`` over the platform's own files and folders; every special ability is denied.

    How a path reaches the platform is the business of four methods (``_opened``, ``_status``, ``_listing``,
    ``_entry``), so that a volume that lies beneath a root shares all the rest.
    """

    file: type[PortableFile] = PortableFile

    def open(
        self, path: str, *, write: bool = False, create: bool = False, mode: int = PRIVATE
    ) -> PortableFile:
        """Opens a regular file; ``create`` demands that there is none yet."""
        flags = _OPEN_FLAGS | (os.O_RDWR if write or create else os.O_RDONLY)
        if create:
            flags |= os.O_CREAT | os.O_EXCL
        else:
            self._look_first(path)
        try:
            descriptor = self._opened_at_last(path, flags, mode)
            descriptor = above_standard(descriptor)
        except (OSError, ValueError) as error:
            raise failure(error, "create" if create else "open", path) from error
        try:
            # Looked at again, since the path may have come to name something else.
            self._admit(path, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return self.file(path, descriptor)

    def _opened_at_last(self, path: str, flags: int, mode: int) -> int:
        """Opens, and waits as long as somebody holds a lease on the file, since nothing here is to block."""
        until = time.monotonic() + LEASE_PATIENCE_S
        while True:
            try:
                return self._opened(path, flags, mode)
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise
            time.sleep(_LEASE_PAUSE_S)

    def open_unnamed(self, path: str, mode: int = PRIVATE) -> PortableFile:
        """There are none."""
        raise unnamed_unsupported(path)

    def give_name(self, file: File) -> None:
        """There are none to be named."""
        raise unnamed_unsupported(file.path)

    def queue(self, path: str) -> Queue:
        """None is kept: everybody is first."""
        return NoQueue()

    def stat(self, path: str) -> Stat | None:
        """Status of what the path names (links followed); None where there is nothing."""
        try:
            return stat_of(self._status(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise failure(error, "look at", path) from error

    def mounted(self, path: str) -> bool:
        """Whether a file of another file system than its folder's is mounted over the path."""
        file, folder = self.stat(path), self.stat(os.path.dirname(path))
        return file is not None and folder is not None and file.device != folder.device

    def resolve(self, path: str) -> str:
        """The absolute path with every symbolic link followed; the last name need not exist.

        Strict throughout: otherwise a path longer than the system allows passes half resolved.
        """
        try:
            os.lstat(path)
            return os.path.realpath(path, strict=True)
        except FileNotFoundError as error:
            if not path or os.path.islink(path):
                raise failure(error, "resolve", path) from error
        except (OSError, ValueError) as error:
            raise failure(error, "resolve", path) from error
        folder, name = os.path.split(path)
        try:
            return os.path.join(os.path.realpath(folder, strict=True), name)
        except OSError as error:
            raise failure(error, "resolve", path) from error

    def rename(self, source: str, target: str) -> None:
        """Renames, replacing ``target``; durable after ``sync_folder`` of its folder.

        Raises:
            UnsupportedError: ``target`` is a mount point of its own, or on another file system.
        """
        try:
            with self._entry(source) as (folder, name), self._entry(target) as (to_folder, to_name):
                os.replace(name, to_name, src_dir_fd=folder, dst_dir_fd=to_folder)
        except (OSError, ValueError) as error:
            raise failure(error, f"rename {source!r} to", target) from error

    def remove(self, path: str) -> None:
        """Removes a file; harmless where there is none."""
        try:
            with self._entry(path) as (folder, name):
                os.unlink(name, dir_fd=folder)
        except (FileNotFoundError, NotADirectoryError):
            return
        except (OSError, ValueError) as error:
            raise failure(error, "remove", path) from error

    def names(self, folder: str) -> list[str]:
        """Sorted names in a folder; empty where there is no such folder."""
        return self._listed(folder, lambda entry: entry.name)

    def entries(self, folder: str) -> list[Entry]:
        """What a folder holds, sorted by name, links not followed; empty where there is no such folder."""
        return self._listed(folder, lambda entry: Entry(entry.name, _kind(entry)))

    def _listed(self, folder: str, told: Callable[[os.DirEntry[str]], Any]) -> list[Any]:
        try:
            with self._listing(folder) as listing:
                return sorted(map(told, listing))
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise folder_failure(error, "list", folder) from error

    def make_folder(self, path: str, like: Stat) -> None:
        """Makes a folder whose owner and read permissions fit the file ``like``; harmless if it exists.

        A symbolic link is refused: whoever planted it would choose where the files go.
        """
        try:
            with self._entry(path) as (folder, name):
                try:
                    os.mkdir(name, 0o700, dir_fd=folder)
                    self._fit_folder(folder, name, like)
                    return
                except FileExistsError:
                    there = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        except (OSError, ValueError) as error:
            raise folder_failure(error, "make the folder", path) from error
        if not modes.S_ISDIR(there):
            raise FileKindError(f"{path!r} is in the way of a folder", path=path)

    def remove_folder(self, path: str) -> None:
        """Removes an empty folder; harmless where it is absent or not empty."""
        try:
            with self._entry(path) as (folder, name):
                os.rmdir(name, dir_fd=folder)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None) not in (errno.ENOTEMPTY, errno.EEXIST):
                raise folder_failure(error, "remove the folder", path) from error

    def sync_folder(self, path: str) -> None:
        """Makes creations, renames and removals in the folder durable (a no-op without facts.folder_sync)."""
        if not _FOLDERS_OPEN:
            return
        try:
            descriptor = self._opened(path, _FOLDER_FLAGS, 0)
        except (OSError, ValueError) as error:
            raise folder_failure(error, "open the folder", path) from error
        try:
            os.fsync(descriptor)
            os.fstat(descriptor)  # as for files: a sync of what a dying file system dropped is no sync
        except OSError as error:
            if error.errno not in DENIED:  # denied is what facts.folder_sync tells
                raise sync_failure(error, path) from error
        finally:
            os.close(descriptor)

    def facts(self, folder: str) -> Facts:
        """No special abilities; free space as of now."""
        from shutil import disk_usage

        try:
            return Facts(folder_sync=_FOLDERS_OPEN, free_bytes=disk_usage(folder).free)
        except (OSError, ValueError) as error:
            raise folder_failure(error, "ask for the free space of", folder) from error

    def boot_id(self) -> str:
        """A new name in each process: without a portable one, a power cut may always lie between."""
        return _PROCESS_ID

    def _opened(self, path: str, flags: int, mode: int) -> int:
        """A descriptor of what the path names."""
        return os.open(path, flags, mode)

    def _status(self, path: str) -> os.stat_result:
        """The status of what the path names."""
        return os.stat(path)

    def _listing(self, folder: str) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
        """What is in a folder, while the block runs."""
        return os.scandir(folder)

    def _entry(self, path: str) -> AbstractContextManager[tuple[int | None, str]]:
        """The entry that the path names, be it a link or nothing: an open folder, and the name in it."""
        return nullcontext((None, path))

    def _look_first(self, path: str) -> None:
        """Raises where there is no regular file: merely opening a device can set it off."""
        try:
            mode = self._status(path).st_mode
        except (OSError, ValueError) as error:
            raise failure(error, "open", path) from error
        if not modes.S_ISREG(mode):
            raise special(mode, path)

    def _admit(self, path: str, descriptor: int) -> None:
        """Raises ``FileKindError`` where the open file is nothing to edit."""
        try:
            mode = os.fstat(descriptor).st_mode
        except OSError as error:
            raise failure(error, "look at", path) from error
        if not modes.S_ISREG(mode):
            raise special(mode, path)

    def _fit_folder(self, folder: int | None, name: str, like: Stat) -> None:
        if not _FOLDERS_OPEN:
            return  # permissions are inherited there
        # By descriptor, and not through a link, so that nobody can put another folder in between.
        descriptor = os.open(name, _FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=folder)
        try:
            made = os.fstat(descriptor)
            if os.geteuid() == 0 and made.st_uid != like.uid:
                os.fchown(descriptor, like.uid, like.gid)
            elif made.st_gid != like.gid:
                with suppress(OSError):
                    os.fchown(descriptor, -1, like.gid)
            mode = 0o700
            # The group that may read the file is not let in under the name of another group.
            if like.mode & modes.S_IRGRP and os.fstat(descriptor).st_gid == like.gid:
                mode |= modes.S_IRGRP | modes.S_IXGRP
            if like.mode & modes.S_IROTH:
                mode |= modes.S_IROTH | modes.S_IXOTH
            os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)


def _kind(entry: os.DirEntry[str]) -> EntryKind:
    """What an entry is; of one that vanishes just now, "other"."""
    try:
        if entry.is_symlink():
            return "link"
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        return "file" if entry.is_file(follow_symlinks=False) else "other"
    except OSError:
        return "other"


def above_standard(descriptor: int) -> int:
    """A descriptor above 2: a stray print to a closed standard stream must not land in a user's file."""
    low = [descriptor]
    while low[-1] <= _LAST_STANDARD:
        low.append(os.dup(low[-1]))
    for spare in low[:-1]:
        os.close(spare)
    return low[-1]
