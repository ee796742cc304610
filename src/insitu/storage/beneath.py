"""Files beneath one folder, and nothing else: where paths come from somebody who is not trusted.

The folder is opened once; every later call starts from that descriptor, so that neither a path nor a race
leads out of it. Paths are those of a world that holds the folder and nothing else. Links and ".." are
followed by ``resolve`` alone, one by one and never out of the folder. Every other call refuses them: a link
that was swapped in after ``resolve`` makes the call fail instead of leading it astray.

Source: openat2(2). Where the kernel or a container does not have that call, each component is opened on its
own, relative to the one before and never through a link; which of the two serves is found out at every call,
since a refusal that is remembered would turn the fence off for good.
"""

from __future__ import annotations

import errno
import os
import stat as modes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from insitu.errors import ForbiddenPathError, OutsideRootsError, UnsupportedError
from insitu.storage.base import PRIVATE, Stat
from insitu.storage.descriptor import PortableFile
from insitu.storage.failures import Barred, failure

if sys.platform == "linux":
    from insitu.storage import linux_calls as calls
    from insitu.storage.linux import LinuxVolume as LocalVolume
else:
    from insitu.storage.portable import PortableVolume as LocalVolume

_FOLDER_FLAGS: Final = (
    getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
)
_LIST_FLAGS: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
# Holds the bit of O_DIRECTORY, too.
_UNNAMED: Final = getattr(os, "O_TMPFILE", os.O_CREAT)
_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
_LINKS_MAX: Final = 40  # as the kernel: path_resolution(7)
_RENAMED_TRIES: Final = 16  # then the component walk takes over, which no rename disturbs
_NEEDED: Final = ("O_NOFOLLOW", "O_DIRECTORY")
_NEED_FOLDER: Final = (os.open, os.stat, os.unlink, os.rename, os.mkdir, os.rmdir, os.readlink)


Permit = Callable[[str, Stat | None], None]


class Trace(NamedTuple):
    """Where a path leads, every link followed, and the folders on the way, the root first.

    The folder that holds the last name is ``folders[len(names) - 1]``; a path that names a folder has one
    more.
    """

    path: str
    names: tuple[str, ...]
    folders: tuple[tuple[int, int], ...]
    """Device and inode."""


class BeneathVolume(LocalVolume):
    """A ``Volume`` of what lies beneath one folder.

    Args:
        root: the folder. It is opened now; what its path names later does not matter.
        at: the absolute path that the folder has in the paths this volume takes and gives; any other path
            is outside.
        links: whether ``resolve`` follows symbolic links that stay inside; those that lead out never.
        cross_devices: whether mounts inside the folder may be entered.
        permit: asked before names change, with None, and of every file opened for writing, with its status;
            raises an error of insitu to refuse.

    Raises:
        MissingFileError, AccessError, FileKindError: there is no such folder that can be opened.
        UnsupportedError: this platform cannot hold on to a folder while it looks inside.
    """

    def __init__(
        self,
        root: str,
        *,
        at: str = "/",
        links: bool = True,
        cross_devices: bool = False,
        permit: Permit | None = None,
    ) -> None:
        super().__init__()
        if not all(hasattr(os, name) for name in _NEEDED) or not os.supports_dir_fd.issuperset(_NEED_FOLDER):
            raise UnsupportedError(
                "This platform has no calls that stay beneath an open folder, so nothing can be fenced in.",
                hint="Run it on Linux, in a container for instance.",
            )
        self._links = links
        self._cross = cross_devices
        self._permit = permit
        self._at = _components(at)
        try:
            self._root = os.open(root, _FOLDER_FLAGS)
        except (OSError, ValueError) as error:
            raise failure(error, "open the folder", root) from error
        self._mount = _mount(self._root)
        self._spellings = _spellings(root, self._root)

    @property
    def root(self) -> tuple[int, int]:
        """Device and inode of the folder."""
        status = os.fstat(self._root)
        return status.st_dev, status.st_ino

    def close(self) -> None:
        """Lets go of the folder; harmless when repeated. Files that are open stay so."""
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    def resolve(self, path: str) -> str:
        """The path with every symbolic link followed; the last name need not exist.

        Raises:
            OutsideRootsError: it leads out of the folder; whether there is anything is not told.
        """
        return self.trace(path).path

    def trace(self, path: str) -> Trace:
        """As ``resolve``, with the identities of the folders on the way."""
        if not path:
            raise failure(FileNotFoundError(errno.ENOENT, ""), "resolve", path)
        try:
            parts = self._below(path)
            with self._walk(parts, links=self._links, last_may_miss=True) as (folders, names):
                seen = tuple((status.st_dev, status.st_ino) for status in map(os.fstat, folders))
                return Trace("/" + "/".join((*self._at, *names)), tuple(names), seen)
        except (OSError, ValueError) as error:
            raise failure(error, "resolve", path) from error

    def open(
        self, path: str, *, write: bool = False, create: bool = False, mode: int = PRIVATE
    ) -> PortableFile:
        """Opens a regular file; ``create`` demands that there is none yet."""
        if create:
            self._ask(path)
        file = super().open(path, write=write, create=create, mode=mode)
        if self._permit is not None and write and not create:
            # Asked of the open file: what the path names by now does not matter.
            try:
                self._permit(path, file.stat())
            except BaseException:
                file.close()
                raise
        return file

    def open_unnamed(self, path: str, mode: int = PRIVATE) -> PortableFile:
        """Makes a file that is to have this path, and vanishes with its last descriptor unless it gets it."""
        self._ask(path)
        return super().open_unnamed(path, mode)

    def rename(self, source: str, target: str) -> None:
        """Renames, replacing ``target``; durable after ``sync_folder`` of its folder."""
        self._ask(target)
        super().rename(source, target)

    def remove(self, path: str) -> None:
        """Removes a file; harmless where there is none."""
        self._ask(path)
        super().remove(path)

    def make_folder(self, path: str, like: Stat) -> None:
        """Makes a folder whose owner and read permissions fit the file ``like``; harmless if it exists."""
        self._ask(path)
        super().make_folder(path, like)

    def remove_folder(self, path: str) -> None:
        """Removes an empty folder; harmless where it is absent or not empty."""
        self._ask(path)
        super().remove_folder(path)

    def _ask(self, path: str) -> None:
        if self._permit is not None:
            self._permit(path, None)

    def _below(self, path: str) -> list[str]:
        """The names that lead from the root to what a path names."""
        parts = _components(path)
        if not path.startswith("/"):
            return parts
        if parts[: len(self._at)] != self._at:
            raise _outside()
        return parts[len(self._at) :]

    def _opened(self, path: str, flags: int, mode: int) -> int:
        mode = mode if flags & os.O_CREAT or flags & _UNNAMED == _UNNAMED else 0
        parts = _without_upwards(self._below(path))
        descriptor = self._opened_by_kernel(parts, flags, mode)
        if descriptor is not None:
            return descriptor
        with self._walk(parts[:-1], links=False) as (folders, _):
            folder, name = folders[-1], (parts or ["."])[-1]
            try:
                descriptor = os.open(name, flags | _NO_FOLLOW, mode, dir_fd=folder)
            except OSError as error:
                if error.errno == errno.ELOOP or (error.errno == errno.ENOTDIR and _is_link(name, folder)):
                    raise _linked() from error
                raise
        try:
            self._refuse_crossing(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _status(self, path: str) -> os.stat_result:
        with self._entry(path) as (folder, name):
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if modes.S_ISLNK(status.st_mode):
            raise _linked()
        return status

    @contextmanager
    def _listing(self, folder: str) -> Iterator[Iterator[os.DirEntry[str]]]:
        descriptor = self._opened(folder, _LIST_FLAGS, 0)
        try:
            with os.scandir(descriptor) as listing:
                yield listing
        finally:
            os.close(descriptor)

    @contextmanager
    def _entry(self, path: str) -> Iterator[tuple[int, str]]:
        parts = _without_upwards(self._below(path))
        name = (parts or ["."])[-1]  # the root is the entry "." of itself
        descriptor = self._opened_by_kernel(parts[:-1], _FOLDER_FLAGS, 0)
        if descriptor is None:
            with self._walk(parts[:-1], links=False) as (folders, _):
                yield folders[-1], name
            return
        try:
            yield descriptor, name
        finally:
            os.close(descriptor)

    def _opened_by_kernel(self, parts: list[str], flags: int, mode: int) -> int | None:
        """A descriptor from openat2; None where it is denied, or gives up because of renames."""
        if sys.platform != "linux":
            return None
        rules = calls.BENEATH | calls.NO_MAGIC_LINKS | calls.NO_LINKS
        if not self._cross:
            rules |= calls.NO_CROSSING
        for _ in range(_RENAMED_TRIES):
            try:
                return calls.open_beneath(self._root, "/".join(parts) or ".", flags, mode, rules)
            except OSError as error:
                if error.errno in (errno.ENOSYS, errno.EPERM):
                    return None
                if error.errno == errno.EXDEV:
                    raise _crossing() from error  # what leads out did not come so far
                if error.errno == errno.ELOOP:
                    raise _linked() from error
                if error.errno != errno.EAGAIN:
                    raise
        return None

    @contextmanager
    def _walk(
        self, parts: list[str], *, links: bool, last_may_miss: bool = False
    ) -> Iterator[tuple[list[int], list[str]]]:
        """Goes down component by component; the folders it opened, and the names that led to the end.

        Every folder on the way stays open, so that ".." leads back where the walk came from, whatever has
        been renamed meanwhile.
        """
        steps = _Steps(parts)
        names: list[str] = []
        open_folders = [os.dup(self._root)]
        try:
            for name in steps:
                if name == "..":
                    if not names:
                        raise _outside()
                    names.pop()
                    os.close(open_folders.pop())
                    continue
                try:
                    mode = os.stat(name, dir_fd=open_folders[-1], follow_symlinks=False).st_mode
                except FileNotFoundError:
                    if not (last_may_miss and steps.at_given_end):
                        raise
                    mode = 0
                if modes.S_ISLNK(mode):
                    if not links:
                        raise _linked()
                    target = self._target_of(name, open_folders[-1])
                    steps.follow(target)
                    if target.startswith("/"):
                        names.clear()
                        while len(open_folders) > 1:
                            os.close(open_folders.pop())
                    continue
                names.append(name)
                if modes.S_ISDIR(mode):
                    open_folders.append(self._stepped_into(name, open_folders[-1]))
                elif not steps.at_end:
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            yield open_folders, names
        finally:
            for folder in open_folders:
                os.close(folder)

    def _stepped_into(self, name: str, folder: int) -> int:
        try:
            descriptor = os.open(name, _FOLDER_FLAGS | _NO_FOLLOW, dir_fd=folder)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise _linked() from error  # it was a folder when it was looked at
            raise
        try:
            self._refuse_crossing(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _target_of(self, name: str, folder: int) -> str:
        """Where a link leads; an absolute one as if the root were "/"."""
        try:
            target = os.readlink(name, dir_fd=folder)
        except OSError as error:
            if error.errno == errno.EINVAL:
                raise _linked() from error  # it was a link when it was looked at
            raise
        if not target.startswith("/"):
            return target
        for spelling in self._spellings:
            # Right or wrong, what comes of it is looked up beneath the root.
            if target == spelling or target.startswith(spelling.rstrip("/") + "/"):
                return "/" + target[len(spelling) :]
        raise _outside()

    def _refuse_crossing(self, descriptor: int) -> None:
        if not self._cross and _mount(descriptor) != self._mount:
            raise _crossing()


class _Steps:
    """The components of a path that are still to be taken, those of links put before the rest."""

    def __init__(self, parts: list[str]) -> None:
        self._left = parts[::-1]
        self._given_left = len(self._left)
        self._links = 0

    def __iter__(self) -> Iterator[str]:
        while self._left:
            name = self._left.pop()
            self.at_given_end = len(self._left) < self._given_left and not self._left
            self._given_left = min(self._given_left, len(self._left))
            yield name

    @property
    def at_end(self) -> bool:
        """Whether nothing is left to be taken."""
        return not self._left

    def follow(self, target: str) -> None:
        """Puts the components of a link's target next."""
        self._links += 1
        if self._links > _LINKS_MAX:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        self._left += _components(target)[::-1]


def _components(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in ("", ".")]


def _without_upwards(parts: list[str]) -> list[str]:
    """Only ``resolve`` follows "..", since it alone knows what is above; elsewhere it could lead out."""
    if ".." in parts:
        raise _outside()
    return parts


def _spellings(root: str, descriptor: int) -> list[str]:
    """The absolute paths that mean the root, for links that were made with one."""
    found = []
    for path in dict.fromkeys((os.path.abspath(root), os.path.realpath(root))):
        try:
            if os.path.samestat(os.stat(path), os.fstat(descriptor)):
                found.append(path)
        except OSError:
            continue
    return found


def _mount(descriptor: int) -> tuple[str, int]:
    """What tells one mount from another."""
    if sys.platform == "linux" and (number := calls.mount_id(descriptor)):
        return "mount", number
    return "device", os.fstat(descriptor).st_dev


def _is_link(name: str, folder: int) -> bool:
    try:
        return modes.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _outside() -> Barred:
    return Barred(
        OutsideRootsError, "it leads out of the folder that was opened", "Use a path inside that folder."
    )


def _crossing() -> Barred:
    return Barred(
        OutsideRootsError,
        "another file system is mounted on the way",
        "Open that one as a folder of its own, or allow mounts to be entered.",
    )


def _linked() -> Barred:
    return Barred(
        ForbiddenPathError,
        "a part of it is a symbolic link, or has just become one",
        "Try again; the link is then followed if it stays inside.",
    )
