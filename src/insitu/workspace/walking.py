"""Walking folders below a root: in order, without what a .gitignore leaves out, never through a link."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from insitu.engine.site import FOLDER
from insitu.errors import InsituError, RequestError
from insitu.storage.base import Entry, EntryKind, Volume
from insitu.workspace.spelling import folded

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

    from insitu.workspace.desk import Desk
    from insitu.workspace.roots import Place

IGNORE_FILE: Final = ".gitignore"
_IGNORE_BYTES_MAX: Final = 1 << 20
_NEVER: Final = (FOLDER, ".git")


def fits_glob(glob: str | None, folder: str) -> Callable[[str], bool]:
    """Whether a path fits a glob below a folder, as a line of .gitignore does; None: every path does.

    Raises:
        RequestError: it is no glob.
    """
    if glob is None:
        return lambda path: True
    from pathspec import GitIgnoreSpec

    try:
        spec = GitIgnoreSpec.from_lines([glob])
    except ValueError as error:
        raise RequestError(f"{glob[:80]!r} is no glob: {error}.", hint='As in "src/**/*.py".') from None
    return lambda path: spec.match_file(matched(posixpath.relpath(path, folder)))


class Found(NamedTuple):
    """A name below a folder.

    Args:
        path: on the volume.
        size: of a file, in bytes.
    """

    path: str
    kind: EntryKind
    size: int = 0
    mtime_ns: int = 0


class _Rules(NamedTuple):
    """The .gitignore of a folder, which holds for all below it."""

    folder: str
    spec: GitIgnoreSpec


class _Folder(NamedTuple):
    """A folder that is being walked."""

    path: str
    entries: Iterator[Entry]
    rules: list[_Rules]


def walk(desk: Desk, place: Place, *, depth: int | None = None, ignored: bool = False) -> Iterator[Found]:
    """Yields what is below a folder: each folder's names in order, a folder before what it holds.

    Args:
        depth: how many folders deep; 1 is the folder's own names, None all.
        ignored: whether what .gitignore files leave out is yielded, too.
    """
    volume = desk.roots.volume

    def opened(folder: str, rules: list[_Rules]) -> _Folder:
        entries = desk.roots.entries(desk.roots.place(desk.shown_below(place, folder)))
        if not ignored and (own := _rules_of(volume, folder)) is not None:
            rules = [*rules, own]
        return _Folder(folder, iter(entries), rules)

    waiting = [opened(place.path, [] if ignored else _rules_above(volume, place.path, place.root.path))]
    while waiting:
        folder, entries, rules = waiting[-1]
        entry = next(entries, None)
        if entry is None:
            waiting.pop()
            continue
        path = posixpath.join(folder, entry.name)
        if folded(entry.name) in _NEVER or _is_ignored(path, entry.kind, rules):
            continue
        status = volume.stat(path) if entry.kind == "file" else None
        if status is None:
            if entry.kind != "file":
                yield Found(path, entry.kind)
        else:
            yield Found(path, entry.kind, status.size, status.mtime_ns)
        if entry.kind == "folder" and (depth is None or len(waiting) < depth):
            with suppress(InsituError):  # a folder that we may not look into hides only itself
                waiting.append(opened(path, rules))


def _rules_above(volume: Volume, folder: str, top: str) -> list[_Rules]:
    """The rules of the folders above, the outermost first."""
    found = []
    while folder != top:
        folder = posixpath.dirname(folder)
        if (rules := _rules_of(volume, folder)) is not None:
            found.append(rules)
    return found[::-1]


def _rules_of(volume: Volume, folder: str) -> _Rules | None:
    if (IGNORE_FILE, "file") not in volume.entries(folder):
        return None
    from pathspec import GitIgnoreSpec

    try:
        file = volume.open(posixpath.join(folder, IGNORE_FILE))
        try:
            text = file.read(0, _IGNORE_BYTES_MAX).decode("utf-8", "replace")
        finally:
            file.close()
        return _Rules(folder, GitIgnoreSpec.from_lines(text.splitlines()))
    except (InsituError, ValueError):
        return None  # rules that cannot be read leave nothing out


def _is_ignored(path: str, kind: EntryKind, rules: list[_Rules]) -> bool:
    """By the innermost rules that say anything of the name."""
    for folder, spec in reversed(rules):
        relative = posixpath.relpath(path, folder) + ("/" if kind == "folder" else "")
        include = spec.check_file(matched(relative)).include
        if include is not None:
            return include
    return False


def matched(path: str) -> str:
    """A path as patterns see it: bytes that are no text fit no letter of a pattern."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
