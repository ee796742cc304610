"""Where a file and its state live: the target's resolved path, and the folder beside it.

``.insitu/NAME.d/`` holds the journal, the history and the indexes of the file NAME. It is beside the file
because a half-done commit has to be found by whoever opens the file next.
"""

from __future__ import annotations

import os
import re
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Final

from insitu.core.facts import Facts
from insitu.errors import ExistingFileError, MissingFileError, RecoveryNeededError
from insitu.storage.base import File, Stat, Volume

FOLDER: Final = ".insitu"

# Linux and macOS allow 255 bytes to a name; longer ones, with the suffix, are stood for by their hash.
_NAME_BYTES = 255
_SUFFIX = ".d"
_OPERATION_DIGITS = 10
_OPERATION = re.compile(rf"[0-9]{{{_OPERATION_DIGITS}}}\.op")
_WRITABLE_BY_OTHERS = 0o022
_PREPARE_TRIES = 8


@dataclass(frozen=True)
class Site:
    """A target and its state folder on a volume.

    Attributes:
        path: the target, absolute, every symbolic link followed.
        state: its state folder, which need not exist.
        beside: whether the state folder is beside the target, where everybody looks for it.
    """

    volume: Volume
    path: str
    state: str
    beside: bool

    @staticmethod
    def of(volume: Volume, path: str, state_folder: str | None = None) -> Site:
        """The site of a path, following symbolic links.

        Args:
            state_folder: where states live if not beside their files.
        """
        return Site.at(volume, volume.resolve(path), state_folder)

    @staticmethod
    def at(volume: Volume, resolved: str, state_folder: str | None = None) -> Site:
        """The site of a path that was resolved already, and is not resolved again.

        Where somebody may swap links in, what was judged by its resolved path has to be what is opened.
        """
        folder, name = os.path.split(resolved)
        beside = state_folder is None
        parent = os.path.join(folder, FOLDER) if state_folder is None else state_folder
        encoded = os.fsencode(name if beside else resolved)
        if beside and len(encoded) + len(_SUFFIX) <= _NAME_BYTES:
            state_name = name + _SUFFIX
        else:
            import hashlib

            state_name = hashlib.blake2b(encoded, digest_size=16).hexdigest() + _SUFFIX
        return Site(volume, resolved, os.path.join(parent, state_name), beside)

    @property
    def folder(self) -> str:
        """The folder the target lies in."""
        return os.path.dirname(self.path)

    @property
    def journal(self) -> str:
        """Path of the open journal: it exists exactly while a commit is under way or half-done."""
        return os.path.join(self.state, "journal")

    @property
    def unsealed(self) -> str:
        """Path of a journal before the commit point; means nothing to recovery."""
        return os.path.join(self.state, "journal.tmp")

    @property
    def draft(self) -> str:
        """Path of the log of the file's draft."""
        return os.path.join(self.state, "draft")

    @property
    def new_draft(self) -> str:
        """Path of a draft's log before it is renamed into place; written only under the target's lock."""
        return os.path.join(self.state, "draft.tmp")

    @property
    def successor(self) -> str:
        """Path of the new file of a rewrite, on the target's file system."""
        if self.beside:
            return os.path.join(self.state, "new")
        return os.path.join(self.folder, f".{os.path.basename(self.state)}.insitu-new")

    @property
    def line_index(self) -> str:
        """Path of the line index."""
        return os.path.join(self.state, "lines.index")

    @property
    def row_index(self) -> str:
        """Path of the row index."""
        return os.path.join(self.state, "rows.index")

    def operation(self, number: int) -> str:
        """Path of a closed operation."""
        return os.path.join(self.state, f"{number:0{_OPERATION_DIGITS}d}.op")

    def operations(self) -> list[int]:
        """Numbers of the closed operations, ascending."""
        names = self.volume.names(self.state)
        return [int(name[:_OPERATION_DIGITS]) for name in names if _OPERATION.fullmatch(name)]

    def latest(self) -> int:
        """Number of the newest closed operation; 0 where there is none."""
        for name in reversed(self.volume.names(self.state)):
            if _OPERATION.fullmatch(name):
                return int(name[:_OPERATION_DIGITS])
        return 0

    def facts(self) -> Facts:
        """What the storage can do."""
        facts = self.volume.facts(self.folder)
        if not self.mounted():
            return facts
        # What the file itself lies on was not probed: only what every storage can do is relied on.
        return Facts(block_bytes=facts.block_bytes, atom_bytes=facts.atom_bytes, overwrite_allocates=True)

    def mounted(self) -> bool:
        """Whether a file is mounted over the path by itself, as containers do."""
        return self.volume.mounted(self.path)

    def open(self, *, write: bool = False) -> File:
        """Opens the target."""
        return self.volume.open(self.path, write=write)

    def prepare(self, target: Stat) -> None:
        """Makes the state folder, durably, if it is not there.

        Raises:
            RecoveryNeededError: a folder is there that somebody else could have planted things in.
        """
        for _ in range(_PREPARE_TRIES):
            if self.trusted(target):
                return
            try:
                self._make(target)
            except MissingFileError:
                continue  # another commit in this folder tidied up behind itself just now
        raise MissingFileError(
            f"The state folder {self.state} vanishes as soon as it is made.", path=self.state
        )

    def _make(self, target: Stat) -> None:
        volume, parent = self.volume, os.path.dirname(self.state)
        fresh = volume.stat(parent) is None
        volume.make_folder(parent, target)
        if fresh and self.beside:
            # So that version control leaves journals alone; a commit to another file may be there first.
            with (
                suppress(ExistingFileError),
                closing(volume.open(os.path.join(parent, ".gitignore"), write=True, create=True)) as rules,
            ):
                rules.write(0, b"*\n")
        volume.make_folder(self.state, target)
        volume.sync_folder(parent)
        if fresh:
            volume.sync_folder(os.path.dirname(parent))

    def trusted(self, target: Stat) -> bool:
        """Whether the state folder is there; one that others could write to is refused."""
        return self.trusts(os.path.dirname(self.state), target) and self.trusts(self.state, target)

    def trusts(self, path: str, target: Stat) -> bool:
        """Whether a folder that is to hold state is there.

        Raises:
            RecoveryNeededError: it is there, and others could write to it.
        """
        status = self.volume.stat(path)
        if status is None:
            return False
        if status.uid not in (target.uid, _own_uid()) or status.mode & _WRITABLE_BY_OTHERS:
            raise RecoveryNeededError(
                f"The folder {path} can be written to by others, so nothing in it is believed. "
                f"The file {self.path} was not touched.",
                hint=f"Look into it, then make it yours alone: chmod go-w {path}",
                path=path,
            )
        return True

    def check_journal(self, journal: File, target: Stat, kind: str = "journal") -> None:
        """Refuses a journal, or a draft, that somebody else could have planted.

        Raises:
            RecoveryNeededError: it is linked elsewhere, foreign, or writable by others.
        """
        status = journal.stat()
        own = status.uid in (target.uid, _own_uid())
        if own and status.links == 1 and not status.mode & _WRITABLE_BY_OTHERS:
            return
        raise RecoveryNeededError(
            f"The {kind} {journal.path} is foreign, linked elsewhere or writable by others, so it is not "
            f"believed. The file {self.path} was not touched.",
            hint="If you did not put it there, move it away and check the file.",
            path=journal.path,
        )

    def sweep(self) -> None:
        """Removes what commits that never came to their commit point left behind."""
        self.volume.remove(self.unsealed)
        self.volume.remove(self.successor)
        self.volume.remove(self.new_draft)

    def tidy(self) -> None:
        """Removes the state folder, and the folder around it, if nothing is left in them."""
        parent = os.path.dirname(self.state)
        self.volume.remove_folder(self.state)
        if self.beside and self.volume.names(parent) in ([], [".gitignore"]):
            self.volume.remove(os.path.join(parent, ".gitignore"))
            self.volume.remove_folder(parent)

    def status(self) -> Stat:
        """Status of what the path names now.

        Raises:
            MissingFileError: nothing.
        """
        status = self.volume.stat(self.path)
        if status is None:
            raise MissingFileError(f"There is no file {self.path}.", path=self.path)
        return status


def _own_uid() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0
