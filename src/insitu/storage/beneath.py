"""Files beneath one folder, and nothing else: where paths come from somebody who is not trusted.

The folder is opened once; every later call starts from that descriptor, so that neither a path nor a race
leads out of it. Paths are those of a world whose "/" is the folder. Links and ".." are followed by
``resolve`` alone, one by one and never out of the folder; every other call refuses them, so that a link which
was swapped in after ``resolve`` makes the call fail instead of leading it astray.

Source: openat2(2). Where the kernel or a container does not have that call, each component is opened on its
own, relative to the one before and never through a link; which of the two serves is found out at every call,
since a refusal that is remembered would turn the fence off for good.
"""

from __future__ import annotations

import errno
import os
import stat as modes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from insitu.errors import ForbiddenPathError, OutsideRootsError, UnsupportedError
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
_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
_LINKS_MAX: Final = 40  # as the kernel: path_resolution(7)
_RENAMED_TRIES: Final = 16  # then the component walk takes over, which no rename disturbs
_NEEDED: Final = ("O_NOFOLLOW", "O_DIRECTORY")
_NEED_FOLDER: Final = (os.open, os.stat, os.unlink, os.rename, os.mkdir, os.rmdir, os.readlink)


class BeneathVolume(LocalVolume):
    """A ``Volume`` of what lies beneath one folder; its paths are absolute, "/" being that folder.

    Args:
        root: the folder. It is opened now; what its path names later does not matter.
        links: whether ``resolve`` follows symbolic links that stay inside; those that lead out never.
        cross_devices: whether mounts inside the folder may be entered.

    Raises:
        MissingFileError, AccessError, FileKindError: there is no such folder that can be opened.
        UnsupportedError: this platform cannot hold on to a folder while it looks inside.
    """

    def __init__(self, root: str, *, links: bool = True, cross_devices: bool = False) -> None:
        super().__init__()
        if not all(hasattr(os, name) for name in _NEEDED) or not os.supports_dir_fd.issuperset(_NEED_FOLDER):
            raise UnsupportedError(
                "This platform has no calls that stay beneath an open folder, so nothing can be fenced in.",
                hint="Run it on Linux, in a container for instance.",
            )
        self._links = links
        self._cross = cross_devices
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
        if not path:
            raise failure(FileNotFoundError(errno.ENOENT, ""), "resolve", path)
        try:
            with self._walk(path, links=self._links, last_may_miss=True) as (_, names):
                return "/" + "/".join(names)
        except (OSError, ValueError) as error:
            raise failure(error, "resolve", path) from error

    def _opened(self, path: str, flags: int, mode: int) -> int:
        mode = mode if flags & os.O_CREAT else 0
        descriptor = self._opened_by_kernel(path, flags, mode)
        if descriptor is not None:
            return descriptor
        with self._walked_entry(path) as (folder, name):
            try:
                descriptor = os.open(name, flags | _NO_FOLLOW, mode, dir_fd=folder)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENOTDIR) and _is_link(name, folder):
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
        folder, name = _split(path)
        descriptor = self._opened_by_kernel(folder, _FOLDER_FLAGS, 0)
        if descriptor is None:
            with self._walked_entry(path) as entry:
                yield entry
            return
        try:
            yield descriptor, name
        finally:
            os.close(descriptor)

    @contextmanager
    def _walked_entry(self, path: str) -> Iterator[tuple[int, str]]:
        """As ``_entry``, by opening each folder on the way on its own."""
        folder, name = _split(path)
        with self._walk(folder, links=False) as (descriptor, _):
            yield descriptor, name

    def _opened_by_kernel(self, path: str, flags: int, mode: int) -> int | None:
        """A descriptor from openat2; None where it is denied, or gives up because of renames."""
        _refuse_upwards(path)
        if sys.platform != "linux":
            return None
        rules = calls.BENEATH | calls.NO_MAGIC_LINKS | calls.NO_LINKS
        if not self._cross:
            rules |= calls.NO_CROSSING
        for _ in range(_RENAMED_TRIES):
            try:
                return calls.open_beneath(self._root, path.lstrip("/") or ".", flags, mode, rules)
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
        self, path: str, *, links: bool, last_may_miss: bool = False
    ) -> Iterator[tuple[int, list[str]]]:
        """Goes down component by component; the last folder it opened, and the names that led to the end.

        Every folder on the way stays open, so that ".." leads back where the walk came from, whatever has
        been renamed meanwhile.
        """
        steps = _Steps(path)
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
                    if steps.follow(self._target_of(name, open_folders[-1])):
                        names.clear()
                        while len(open_folders) > 1:
                            os.close(open_folders.pop())
                    continue
                names.append(name)
                if modes.S_ISDIR(mode):
                    open_folders.append(self._stepped_into(name, open_folders[-1]))
                elif not steps.at_end:
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            yield open_folders[-1], names
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
        """Where a link leads; an absolute one as a path of this volume."""
        target = os.readlink(name, dir_fd=folder)
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

    def __init__(self, path: str) -> None:
        self._left = _components(path)[::-1]
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

    def follow(self, target: str) -> bool:
        """Puts the components of a link's target next; whether they start at the root."""
        self._links += 1
        if self._links > _LINKS_MAX:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        self._left += _components(target)[::-1]
        return target.startswith("/")


def _components(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in ("", ".")]


def _split(path: str) -> tuple[str, str]:
    """The folder and the name of an entry; the root is the entry "." of itself."""
    _refuse_upwards(path)
    *folder, name = _components(path) or ["."]
    return "/" + "/".join(folder), name


def _refuse_upwards(path: str) -> None:
    """Only ``resolve`` follows "..", since it alone knows what is above; elsewhere it could lead out."""
    if ".." in _components(path):
        raise _outside()


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
