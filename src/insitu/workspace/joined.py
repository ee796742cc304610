"""Several roots as one volume, so that a piece of a file in one can be pasted into a file in another."""

from __future__ import annotations

from collections.abc import Mapping

from insitu.core.facts import Facts
from insitu.errors import OutsideRootsError, UnsupportedError
from insitu.storage.base import PRIVATE, Entry, File, Queue, Stat, Volume


class JoinedVolume:
    """A ``Volume`` that passes each call to the volume whose root its path begins with, the longest.

    Args:
        volumes: by the absolute path that their paths begin with; not empty.
    """

    def __init__(self, volumes: Mapping[str, Volume]) -> None:
        roots = ((tuple(_names(path)), volume) for path, volume in volumes.items())
        self._volumes = sorted(roots, key=lambda root: -len(root[0]))

    def open(self, path: str, *, write: bool = False, create: bool = False, mode: int = PRIVATE) -> File:
        """Opens a regular file; ``create`` demands that there is none yet."""
        return self._of(path).open(path, write=write, create=create, mode=mode)

    def open_unnamed(self, path: str, mode: int = PRIVATE) -> File:
        """Makes a file that is to have this path."""
        return self._of(path).open_unnamed(path, mode)

    def give_name(self, file: File) -> None:
        """Has an unnamed file appear under its path."""
        self._of(file.path).give_name(file)

    def queue(self, path: str) -> Queue:
        """The queue for the lock of a file."""
        return self._of(path).queue(path)

    def stat(self, path: str) -> Stat | None:
        """Status of what the path names; None where there is nothing."""
        return self._of(path).stat(path)

    def mounted(self, path: str) -> bool:
        """Whether a file is mounted over the path by itself."""
        return self._of(path).mounted(path)

    def resolve(self, path: str) -> str:
        """The absolute path with every symbolic link followed."""
        return self._of(path).resolve(path)

    def rename(self, source: str, target: str) -> None:
        """Renames, replacing ``target``; both in one root."""
        volume = self._of(source)
        if volume is not self._of(target):
            raise UnsupportedError(f"cannot rename {source!r} to {target!r}: they lie in different roots")
        volume.rename(source, target)

    def remove(self, path: str) -> None:
        """Removes a file; harmless where there is none."""
        self._of(path).remove(path)

    def names(self, folder: str) -> list[str]:
        """Sorted names in a folder; empty where there is no such folder."""
        return self._of(folder).names(folder)

    def entries(self, folder: str) -> list[Entry]:
        """What a folder holds, sorted by name, links not followed; empty where there is no such folder."""
        return self._of(folder).entries(folder)

    def make_folder(self, path: str, like: Stat) -> None:
        """Makes a folder whose owner and read permissions fit the file ``like``; harmless if it exists."""
        self._of(path).make_folder(path, like)

    def remove_folder(self, path: str) -> None:
        """Removes an empty folder; harmless where it is absent or not empty."""
        self._of(path).remove_folder(path)

    def sync_folder(self, path: str) -> None:
        """Makes creations, renames and removals in the folder durable."""
        self._of(path).sync_folder(path)

    def facts(self, folder: str) -> Facts:
        """What the storage under ``folder`` can do."""
        return self._of(folder).facts(folder)

    def boot_id(self) -> str:
        """Names the time since the last boot."""
        return self._volumes[0][1].boot_id()

    def _of(self, path: str) -> Volume:
        names = tuple(_names(path))
        for root, volume in self._volumes:
            if names[: len(root)] == root and path.startswith("/"):
                return volume
        raise OutsideRootsError(f"The path {path!r} lies in none of the folders that may be used.", path=path)


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in ("", ".")]
