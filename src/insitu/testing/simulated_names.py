"""Names in folders as a disk keeps them: by inode, in operations that a power cut keeps or loses whole."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from insitu.errors import RequestError

ROOT: Final = 1

Folders = Mapping[int, Mapping[str, int]]


class Entry(NamedTuple):
    """A name in a folder now means that inode; None: nothing."""

    folder: int
    name: str
    inode: int | None


Operation = tuple[Entry, ...]


def played(folders: Folders, operations: tuple[Operation, ...], kept: Sequence[bool]) -> Folders:
    """The folders after the operations that were kept."""
    result = dict(folders)
    for operation, keep in zip(operations, kept, strict=True):
        for folder, name, inode in operation if keep else ():
            names = dict(result[folder])
            if inode is None:
                names.pop(name, None)
            else:
                names[name] = inode
            result[folder] = names
    return result


def close_over(operations: tuple[Operation, ...], kept: list[bool]) -> None:
    """Keeps, too, what kept operations build upon: earlier ones on the same names."""
    needed: set[tuple[int, str]] = set()
    for index in range(len(operations) - 1, -1, -1):
        touched = {(folder, name) for folder, name, _ in operations[index]}
        if kept[index] or touched & needed:
            kept[index] = True
            needed |= touched


def walk(folders: Folders, folder: int = ROOT, prefix: str = "/") -> list[tuple[str, int]]:
    """Every path with its inode, in order; those of folders end in a slash."""
    found: list[tuple[str, int]] = []
    for name, number in sorted(folders[folder].items()):
        if number in folders:
            path = f"{prefix}{name}/"
            found.append((path, number))
            found += walk(folders, number, path)
        else:
            found.append((prefix + name, number))
    return found


@lru_cache(maxsize=1024)
def path_parts(path: str) -> tuple[str, ...]:
    """The names that a path is made of, from the root."""
    if not path or "\0" in path:
        raise RequestError(f"{path!r} is no path.")
    return tuple(part for part in posixpath.normpath("/" + path).split("/") if part)


def reachable(folders: Folders) -> set[int]:
    """The inodes that have a name somewhere under the root."""
    found, waiting = {ROOT}, [ROOT]
    while waiting:
        for number in folders.get(waiting.pop(), {}).values():
            if number not in found:
                found.add(number)
                waiting.append(number)
    return found
