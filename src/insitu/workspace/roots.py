"""The folders an agent may use, and what its paths mean in them.

An agent writes a path in one of three ways: absolute, below a root; relative, to the only root; or
``NAME:path``, relative to the root of that name. ``Roots.place`` says which file that is, every link followed
inside the root, or refuses. What a place may be used for is decided again by the volume, on the file that was
opened, so that nothing depends on the disk holding still in between.
"""

from __future__ import annotations

import itertools
import os
import re
import stat as modes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from insitu.engine.site import FOLDER, Site
from insitu.errors import (
    ForbiddenPathError,
    MissingFileError,
    OutsideRootsError,
    ReadOnlyError,
    RequestError,
)
from insitu.storage.base import Entry, Stat
from insitu.storage.beneath import BeneathVolume, Trace
from insitu.workspace.joined import JoinedVolume
from insitu.workspace.spelling import check_new, check_spelling, folded

_ROOT_NAME: Final = re.compile(r"[\w.-]{1,64}", re.ASCII)
_NAMED: Final = re.compile(r"(?P<name>[\w.-]{1,64}):(?P<path>.*)", re.ASCII | re.DOTALL)
_NO_NAME: Final = re.compile(r"[^\w.-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class RootSpec:
    """A folder that an agent may use.

    Args:
        path: the folder; links in this path are followed once, now.
        writable: whether files in it may be changed.
        name: what ``NAME:path`` calls it; None takes the folder's own name.
    """

    path: str
    writable: bool = True
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Root:
    """A root that is open.

    Attributes:
        name: unlike that of any other root.
        path: the absolute path of the folder, as its paths begin.
        owner: the user id that owns the folder.
    """

    name: str
    path: str
    writable: bool
    volume: BeneathVolume
    owner: int

    def path_of(self, relative: str) -> str:
        """The absolute path of what lies at a path relative to this root."""
        return os.path.join(self.path, relative)


@dataclass(frozen=True, slots=True)
class Place:
    """What a path of an agent means.

    Attributes:
        path: absolute, every link followed, below ``root.path``; the last name need not exist.
    """

    root: Root
    path: str
    _volume: JoinedVolume

    @property
    def relative(self) -> str:
        """The path relative to the root; "." for the root itself."""
        return os.path.relpath(self.path, self.root.path)

    def site(self) -> Site:
        """The file there, for every verb that takes a path; its volume holds all roots and nothing else."""
        return Site.at(self._volume, self.path)

    def status(self) -> Stat | None:
        """The status of what is there; None where there is nothing."""
        return self._volume.stat(self.path)


class Roots:
    """All roots, open until ``close``.

    Args:
        specs: the folders. They may lie in each other; then the inner one's rules hold for what it holds.
        hidden: files or folders that no path may reach, as the audit log: by their absolute paths. They
            need not exist yet.
        links: whether symbolic links that stay in their root are followed.
        hard_links: whether files with several names may be changed; the others may lie outside.
        cross_devices: whether mounts inside a root may be entered.

    Raises:
        RequestError: there is no root, or two are the same folder or have the same name.
        MissingFileError, AccessError: a root cannot be opened.
    """

    def __init__(
        self,
        specs: Sequence[RootSpec],
        *,
        hidden: Iterable[str] = (),
        links: bool = True,
        hard_links: bool = False,
        cross_devices: bool = False,
    ) -> None:
        if not specs:
            raise RequestError("There is no root, so nothing may be used.", hint="Name one: --root DIR.")
        self._hard_links = hard_links
        self._hidden = [os.path.abspath(path) for path in hidden]
        self.roots: tuple[Root, ...] = ()
        self._spellings: list[tuple[list[str], Root]] = []
        try:
            for spec in specs:
                root = self._opened(spec, links, cross_devices)
                self.roots += (root,)
                self._spellings += [(_names(path), root) for path in (root.path, os.path.abspath(spec.path))]
        except BaseException:
            self.close()
            raise
        self._by_identity = {root.volume.root: root for root in self.roots}
        self.volume = JoinedVolume({root.path: root.volume for root in self.roots})

    def close(self) -> None:
        """Lets go of the roots; harmless when repeated."""
        for root in self.roots:
            root.volume.close()

    def place(self, given: str) -> Place:
        """Where a path of an agent leads.

        Raises:
            ForbiddenPathError: it is spelled in a way, or leads to something, that nobody may use.
            OutsideRootsError: it lies in no root, or a link leads out.
            MissingFileError: a folder on the way is not there.
        """
        root, relative = self._root_of(given)
        check_spelling(relative)
        if any(folded(name) == FOLDER for name in _names(relative)):
            raise _own(given)  # there or not
        trace = root.volume.trace(root.path_of(relative.lstrip("/")))
        root, trace = self._innermost(root, trace)
        self._refuse_own(given, root, trace)
        if self.volume.stat(trace.path) is None:
            check_new(relative)
        return Place(root, trace.path, self.volume)

    def place_to_change(self, given: str) -> Place:
        """As ``place``, refusing at once what the volume would refuse to change.

        Raises:
            ReadOnlyError: the root may only be read.
            ForbiddenPathError: the file has several names, set-id bits, or another owner.
        """
        place = self.place(given)
        self._permit(place.root, place.path, place.status())
        return place

    def entries(self, place: Place) -> list[Entry]:
        """What a folder holds, sorted, without what no path may reach.

        Raises:
            MissingFileError: there is no such folder.
            FileKindError: it is a file.
        """
        status = place.status()
        if status is None:
            raise MissingFileError(f"There is no folder {place.path}.", path=place.path)
        own = self._own_names(_identity(status))
        return [entry for entry in self.volume.entries(place.path) if folded(entry.name) not in own]

    # Which root

    def _opened(self, spec: RootSpec, links: bool, cross_devices: bool) -> Root:
        path = os.path.realpath(spec.path)
        root: Root

        def permit(path: str, status: Stat | None) -> None:
            self._permit(root, path, status)

        if any(folded(name) == FOLDER for name in path.split("/")):
            raise ForbiddenPathError(f"{spec.path!r} lies in a folder of insitu's own state.", path=spec.path)
        volume = BeneathVolume(path, at=path, links=links, cross_devices=cross_devices, permit=permit)
        status = volume.stat(path)
        assert status is not None
        root = Root(self._name_of(spec, path), path, spec.writable, volume, status.uid)
        if any(other.volume.root == volume.root for other in self.roots):
            volume.close()
            raise RequestError(f"The root {spec.path!r} is named twice.", hint="Name each folder once.")
        return root

    def _name_of(self, spec: RootSpec, path: str) -> str:
        taken = {root.name for root in self.roots}
        if spec.name is not None:
            if not _ROOT_NAME.fullmatch(spec.name) or spec.name in taken:
                raise RequestError(
                    f"{spec.name!r} cannot name a root: it is taken, or not made of 1 to 64 letters, digits, "
                    'and "_.-".'
                )
            return spec.name
        plain = _NO_NAME.sub("-", os.path.basename(path))[:48] or "root"
        numbered = (f"{plain}-{number}" for number in itertools.count(2))
        return next(name for name in itertools.chain((plain,), numbered) if name not in taken)

    def _root_of(self, given: str) -> tuple[Root, str]:
        """The root that a path begins with, and the rest of it."""
        if given.startswith("/"):
            return self._root_above(given)
        if (named := _NAMED.fullmatch(given)) and (root := self._named(named["name"])):
            return root, named["path"].lstrip("/") or "."
        if named and len(self.roots) > 1:
            raise OutsideRootsError(
                f"There is no root named {named['name']!r}.",
                hint=f"The roots are: {', '.join(root.name for root in self.roots[:9])}",
            )
        if len(self.roots) > 1:
            check_spelling(given)
            raise OutsideRootsError(
                f"There are {len(self.roots)} roots, so the relative path {given!r} may mean several files.",
                hint=f"Write one of: {', '.join(f'{root.name}:{given}' for root in self.roots[:9])}",
            )
        return self.roots[0], given

    def _named(self, name: str) -> Root | None:
        return next((root for root in self.roots if root.name == name), None)

    def _root_above(self, given: str) -> tuple[Root, str]:
        """The innermost root that an absolute path begins with, compared name by name."""
        check_spelling(given)
        names = _names(given)
        fitting = [
            (len(spelling), root) for spelling, root in self._spellings if names[: len(spelling)] == spelling
        ]
        if not fitting:
            raise OutsideRootsError(
                f"The path {given!r} lies in none of the folders that may be used. Nothing was changed.",
                hint=f"They are: {', '.join(root.path for root in self.roots[:9])}",
            )
        length, root = max(fitting, key=lambda found: found[0])
        return root, "/".join(names[length:]) or "."

    def _innermost(self, root: Root, trace: Trace) -> tuple[Root, Trace]:
        """The root whose rules hold where a trace ends: the last one on the way, by identity."""
        for depth in range(len(trace.folders) - 1, 0, -1):
            if inner := self._by_identity.get(trace.folders[depth]):
                rest = "/".join(trace.names[depth:])
                return inner, Trace(
                    os.path.normpath(inner.path_of(rest)), trace.names[depth:], trace.folders[depth:]
                )
        return root, trace

    # What may be done there

    def _refuse_own(self, given: str, root: Root, trace: Trace) -> None:
        """Refuses what leads to insitu's own files.

        By name, since they may not be there yet; and by identity, since file systems know more ways to write
        a name than can be listed.
        """
        own = {identity for path in self._hidden if (identity := _outer_identity(path)) is not None}
        for depth, name in enumerate(trace.names):
            folder = root.path_of("/".join(trace.names[:depth]))
            path = os.path.join(folder, name)
            if (state := root.volume.stat(os.path.join(folder, FOLDER))) is not None:
                own.add(_identity(state))
            reached = trace.folders[depth + 1 : depth + 2] or _identity_of(root, path)
            if folded(name) in self._own_names(trace.folders[depth]) or own.intersection(reached):
                raise _own(given)

    def _own_names(self, folder: tuple[int, int]) -> set[str]:
        """The names in a folder that are insitu's, folded."""
        hidden = {
            folded(os.path.basename(path))
            for path in self._hidden
            if _outer_identity(os.path.dirname(path)) == folder
        }
        return {FOLDER, *hidden}

    def _permit(self, root: Root, path: str, status: Stat | None) -> None:
        """Refuses a change; asked by the volume with the status of the file that it opened."""
        if not root.writable:
            raise ReadOnlyError(
                f"The root {root.name} may only be read, so {path} was not changed.",
                hint="Ask for the root to be made writable: --write-root DIR.",
                path=path,
            )
        if status is None or modes.S_ISDIR(status.mode):
            return
        if status.links > 1 and not self._hard_links:
            raise _not_to_be_changed(
                path,
                f"has {status.links} names (hard links), of which some may lie outside",
                "Copy it, and change the copy.",
            )
        if status.mode & (modes.S_ISUID | modes.S_ISGID):
            raise _not_to_be_changed(path, "runs with the rights of its owner (set-id bit)")
        if status.uid not in (os.geteuid(), 0, root.owner):
            raise _not_to_be_changed(path, "belongs to another user")


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in ("", ".")]


def _identity(status: Stat) -> tuple[int, int]:
    return status.device, status.inode


def _identity_of(root: Root, path: str) -> tuple[tuple[int, int], ...]:
    """The identity of a file, if it is there."""
    status = root.volume.stat(path)
    return () if status is None else (_identity(status),)


def _outer_identity(path: str) -> tuple[int, int] | None:
    """The identity of a hidden file or its folder: the operator named it, so it may lie anywhere."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _own(given: str) -> ForbiddenPathError:
    return ForbiddenPathError(
        f"The path {given!r} leads to files that only insitu itself uses. Nothing was changed.",
        hint="Use the tools for history and undo.",
    )


def _not_to_be_changed(path: str, what: str, hint: str = "") -> ForbiddenPathError:
    return ForbiddenPathError(f"The file {path} {what}, so it was not changed.", hint=hint, path=path)
