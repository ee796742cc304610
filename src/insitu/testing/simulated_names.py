"""Names in folders as a disk keeps them: by inode, in operations that a power cut keeps or loses whole."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

from insitu.errors import RequestError

ROOT: Final = 1

Folders = Mapping[int, Mapping[str, int]]
"""What each name in each folder means, by the folder's inode."""


class Entry(NamedTuple):
    """A name in a folder now means that inode; None: nothing."""

    folder: int
    name: str
    inode: int | None


Operation = tuple[Entry, ...]


class Names:
    """All names at one moment; never changed, so that what was asked once need not be looked for again."""

    def __init__(self, folders: Folders) -> None:
        self.folders: Final = folders
        self._found: dict[str, int | None] = {}

    def find(self, path: str) -> int | None:
        """The inode that a path names; None where there is nothing."""
        if path not in self._found:
            number: int | None = ROOT
            for name in path_parts(path):
                number = self.folders.get(number, {}).get(name) if number is not None else None
            self._found[path] = number
        return self._found[path]

    @cached_property
    def paths(self) -> tuple[tuple[str, int], ...]:
        """Every path with its inode, in order; those of folders end in a slash."""
        return tuple(self._walk(ROOT, "/"))

    @cached_property
    def inodes(self) -> frozenset[int]:
        """The inodes that have a name somewhere under the root, and the root."""
        return frozenset({ROOT, *(number for _, number in self.paths)})

    def after(self, operations: tuple[Operation, ...], kept: Sequence[bool]) -> Names:
        """The names after the operations that were kept."""
        result = dict(self.folders)
        for operation, keep in zip(operations, kept, strict=True):
            for folder, name, inode in operation if keep else ():
                names = dict(result[folder])
                if inode is None:
                    names.pop(name, None)
                else:
                    names[name] = inode
                result[folder] = names
        return Names(result)

    def with_folder(self, number: int) -> Names:
        """The names, and a folder that is empty and has no name yet."""
        return Names({**self.folders, number: {}})

    def _walk(self, folder: int, prefix: str) -> Iterator[tuple[str, int]]:
        for name, number in sorted(self.folders[folder].items()):
            if number in self.folders:
                path = f"{prefix}{name}/"
                yield path, number
                yield from self._walk(number, path)
            else:
                yield prefix + name, number


@lru_cache(maxsize=1024)
def surviving_names(durable: Names, operations: tuple[Operation, ...], kept: tuple[bool, ...]) -> Names:
    """The names after a power cut that kept these operations, without folders that have none.

    Remembered, for the thousands of power cuts at one crash point differ in few names.
    """
    after = durable.after(operations, kept)
    return Names({number: names for number, names in after.folders.items() if number in after.inodes})


def close_over(operations: tuple[Operation, ...], kept: list[bool]) -> None:
    """Keeps, too, what kept operations build upon: earlier ones on the same names."""
    needed: set[tuple[int, str]] = set()
    for index in range(len(operations) - 1, -1, -1):
        touched = {(folder, name) for folder, name, _ in operations[index]}
        if kept[index] or touched & needed:
            kept[index] = True
            needed |= touched


@lru_cache(maxsize=1024)
def path_parts(path: str) -> tuple[str, ...]:
    """The names that a path is made of, from the root."""
    if not path or "\0" in path:
        raise RequestError(f"{path!r} is no path.")
    return tuple(part for part in posixpath.normpath("/" + path).split("/") if part)
