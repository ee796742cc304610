"""A volume in memory that knows which states a crash could leave behind.

It stands in for a disk under the real engine. Programs see one state, the disk surely holds another, and
what lies between is logged: per file by ``simulated_inode``, per folder here. A crash is not acted out by
an exception, which would run handlers that a dead process does not run: before each mutating call (a
*step*) the volume may note a ``CrashPoint``, an immutable picture of everything, and ``survivors`` derives
from it every state that a killed process or a power cut may leave. One run thus yields all crash points.

Names are inode-based. A folder operation is a set of name changes that happen together. Operations wait
until their folder is synced (a rename: the folder it goes to); a power cut keeps any subset of the
waiting ones in which each keeps its predecessors on the same names. Names and contents are independent.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from insitu.core.facts import Facts
from insitu.errors import (
    AccessError,
    ExistingFileError,
    FileKindError,
    InsituError,
    LockedError,
    MissingFileError,
    NoSpaceError,
    RequestError,
    StorageError,
    SyncError,
)
from insitu.storage import base
from insitu.storage.base import PRIVATE, NoQueue, Stat
from insitu.storage.failures import unnamed_unsupported
from insitu.testing.simulated_file import SimulatedFile
from insitu.testing.simulated_inode import FrozenInode, Inode, Partial
from insitu.testing.simulated_media import Geometry, Image, Owner
from insitu.testing.simulated_names import (
    ROOT,
    Entry,
    Names,
    Operation,
    close_over,
    path_parts,
)

Call = Literal[
    "write", "resize", "reserve", "punch", "insert", "collapse", "copy_from", "sync", "set_mark",
    "take_metadata", "create", "rename", "remove", "make_folder", "remove_folder", "sync_folder",
    "open", "read",
]  # fmt: skip

STEPS: Final = frozenset[str](
    {"write", "resize", "reserve", "punch", "insert", "collapse", "copy_from", "sync", "set_mark",
     "take_metadata", "create", "rename", "remove", "make_folder", "remove_folder", "sync_folder"}
)  # fmt: skip
"""The mutating calls: the numbered ones, before and in which a crash can strike."""


_BY_PATH: Final = frozenset[Call](
    {"create", "open", "rename", "remove", "make_folder", "remove_folder", "sync_folder"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Makes a call fail: the ``index``-th (0-based) of its kind, or of all steps where ``call`` is None.

    Args:
        error: ``"io"`` raises ``StorageError`` (``SyncError`` from a sync), ``"no-space"`` ``NoSpaceError``,
            ``"denied"`` ``AccessError`` from calls that take a path, as a disk does that has become so.
        forever: every later call that matches fails as well.
        short: a write puts half of its bytes before it fails.
    """

    error: Literal["io", "no-space", "denied"]
    index: int
    call: Call | None = None
    forever: bool = False
    short: bool = False


@dataclass(frozen=True, slots=True)
class FrozenVolume:
    """The immutable state of a volume at one moment."""

    facts: Facts
    inodes: Mapping[int, FrozenInode]
    names: Names
    durable_names: Names
    folder_owners: Mapping[int, Owner]
    operations: tuple[Operation, ...]
    boots: int
    ticks: int

    @property
    def geometry(self) -> Geometry:
        """Sizes of blocks and atoms."""
        return Geometry(self.facts.block_bytes, self.facts.atom_bytes)

    @property
    def paths(self) -> tuple[tuple[str, int], ...]:
        """Every path with its inode, in order, as programs see it; folders end in a slash."""
        return self.names.paths

    def key(self) -> int:
        """A number that differs where names, contents, holes, marks or what is unsynced differ.

        Inode numbers and times are left out, so that no state is counted twice for them.
        """
        inodes = self.inodes
        seen = tuple((path, inodes[number].key if number in inodes else 0) for path, number in self.paths)
        if not self.operations:
            return hash(seen)
        return hash((seen, self.durable_names.paths, self.operations))

    def contents(self) -> dict[str, bytes]:
        """The bytes of every file, by path, as programs see them."""
        return {path: self.inodes[number].data for path, number in self.paths if number in self.inodes}


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """The moment before a step took effect (or, with ``call`` "end", after the last one)."""

    step: int
    call: str
    path: str
    state: FrozenVolume
    partial: Partial | None = None


class SimulatedVolume:
    """Implements ``insitu.storage.base.Volume`` in memory.

    Args:
        files: contents by absolute path; their folders are made. All of it is durable.
        facts: what it can do; small blocks and atoms give small files many states.
        fault: the call that fails, if any.
        seed: for what a failed sync leaves on the disk.
    """

    def __init__(
        self, files: Mapping[str, bytes], facts: Facts, *, fault: Fault | None = None, seed: int = 0
    ) -> None:
        self._restore(_made(files, facts), fault, seed)

    @classmethod
    def thawed(cls, frozen: FrozenVolume, *, fault: Fault | None = None, seed: int = 0) -> SimulatedVolume:
        """A volume in that state, as a newly started process finds it: no handles, no locks."""
        volume = cls.__new__(cls)
        volume._restore(frozen, fault, seed)
        return volume

    def _restore(self, frozen: FrozenVolume, fault: Fault | None, seed: int) -> None:
        self._facts = frozen.facts
        self.geometry = frozen.geometry
        self._frozen_inodes = dict(frozen.inodes)
        self._inodes: dict[int, Inode] = {}
        self._names = frozen.names
        self._durable_names = frozen.durable_names
        self._folder_owners = frozen.folder_owners
        self._operations = frozen.operations
        self._boots = frozen.boots
        # Inode numbers are taken from the clock, so that none is used twice.
        self._ticks = frozen.ticks
        self._fault = fault
        self._seed = seed
        self.locks: dict[int, SimulatedFile] = {}
        self.leases: dict[int, SimulatedFile] = {}
        self.openings: Counter[int] = Counter()
        self.points: list[CrashPoint] | None = None
        self.steps = 0
        self.calls: dict[str, int] = {}

    # -- what the simulator adds

    def freeze(self) -> FrozenVolume:
        """The state now, immutable; cheap, as only what changed since the last time is copied."""
        for number, inode in self._inodes.items():
            self._frozen_inodes[number] = inode.freeze()
        return FrozenVolume(
            self._facts, dict(self._frozen_inodes), self._names, self._durable_names, self._folder_owners,
            self._operations, self._boots, self._ticks,
        )  # fmt: skip

    def record(self) -> None:
        """From now on notes a crash point before each step."""
        self.points = []

    def settle(self) -> None:
        """Makes everything durable, as if the machine had idled; forgets the steps so far."""
        for inode in self._inodes.values():
            inode.sync()
        self._durable_names, self._operations = self._names, ()
        self.steps = 0
        self.calls.clear()

    def contents(self) -> dict[str, bytes]:
        """The bytes of every file, by path, as programs see them."""
        return self.freeze().contents()

    def step(self, call: Call, path: str, partial: Partial | None = None) -> Fault | None:
        """Counts a call, notes a crash point; returns the fault that strikes it now."""
        if call in STEPS:
            if self.points is not None:
                self.points.append(CrashPoint(len(self.points), call, path, self.freeze(), partial))
            self.steps += 1
        self.calls[call] = self.calls.get(call, 0) + 1
        fault = self._fault
        if fault is None or (fault.call is None and call not in STEPS) or fault.call not in (None, call):
            return None
        index = (self.steps if fault.call is None else self.calls[call]) - 1
        return fault if index == fault.index or (fault.forever and index > fault.index) else None

    def failure(self, fault: Fault, call: Call, path: str) -> InsituError:
        """The error that a fault raises."""
        if fault.error == "denied" and call in _BY_PATH:
            return AccessError(f"Simulated: {call} of {path} is denied.")
        if call in ("sync", "sync_folder"):
            return SyncError(f"Simulated: {call} of {path} failed.")
        if fault.error == "no-space":
            return NoSpaceError(f"Simulated: no space left for {call} of {path}.")
        return StorageError(f"Simulated: {call} of {path} failed.")

    def inode(self, number: int) -> Inode:
        """The live inode."""
        inode = self._inodes.get(number)
        if inode is None:
            inode = self._inodes[number] = Inode(number, self.geometry, self._frozen_inodes[number])
        return inode

    def tick(self) -> int:
        """Moves the clock."""
        self._ticks += 1
        return self._ticks

    def fates(self, count: int) -> list[int]:
        """What a failed sync does to so many pending changes: lost or kept."""
        random_ = random.Random(f"{self._seed} {self.steps}")
        return [random_.randint(0, 1) for _ in range(count)]

    # -- Volume

    def open(
        self, path: str, *, write: bool = False, create: bool = False, mode: int = PRIVATE
    ) -> SimulatedFile:
        """Opens a regular file; ``create`` demands that there is none yet."""
        path = self.resolve(path)
        number = self._find(path)
        if create:
            self._try("create", path)
            if number is not None:
                raise ExistingFileError(f"{path} exists.")
            folder, name = self._parent(path)
            number = self.tick()
            image = Image(b"", frozenset(), Owner(mode, 1000, 1000))
            self._frozen_inodes[number] = FrozenInode.settled(
                image, self.geometry, mark=None, born=number, changed=number
            )
            self._operate((Entry(folder, name, number),))
        else:
            self._try("open", path)
            if number is None:
                raise MissingFileError(f"There is no file {path}.")
            if number in self._names.folders:
                raise FileKindError(f"{path} is a folder.")
            if number in self.leases:
                raise LockedError(f"There is a lease on {path}.")
        return SimulatedFile(self, self.inode(number), path, write or create)

    def open_unnamed(self, path: str, mode: int = PRIVATE) -> SimulatedFile:
        """There are none."""
        raise unnamed_unsupported(path)

    def give_name(self, file: base.File) -> None:
        """There are none to be named."""
        raise unnamed_unsupported(file.path)

    def queue(self, path: str) -> NoQueue:
        """None is kept: everybody is first."""
        return NoQueue()

    def stat(self, path: str) -> Stat | None:
        """Status of what the path names; None where there is nothing."""
        number = self._find(path)
        if number is None:
            return None
        if number in self._names.folders:
            mode, uid, gid = self._folder_owners.get(number, Owner(0o755, 1000, 1000))
            return Stat(0, 0, 0, 1, number, 0o040000 | mode, uid, gid, 2)
        return self.stat_inode(self.inode(number))

    def stat_inode(self, inode: Inode) -> Stat:
        """Status of an inode, named or not."""
        links = int(inode.number in self._names.inodes)  # there are no hard links here
        mode, uid, gid = inode.owner
        changed = inode.changed * 1000
        return Stat(inode.size, changed, changed, 1, inode.number, 0o100000 | mode, uid, gid, links)

    def mounted(self, path: str) -> bool:
        """False: nothing is mounted here."""
        return False

    def resolve(self, path: str) -> str:
        """The absolute path; its folder must be there. There are no links here."""
        parts = path_parts(path)
        if parts:
            self._parent(path)
        return "/" + "/".join(parts)

    def rename(self, source: str, target: str) -> None:
        """Renames, replacing ``target``, in one operation."""
        self._try("rename", f"{source} -> {target}")
        number = self._find(source)
        if number is None:
            raise MissingFileError(f"There is no file {source}.")
        old, new = self._parent(source), self._parent(target)
        replaced = self._names.folders[new[0]].get(new[1])
        if replaced == number:
            return
        if replaced in self._names.folders:
            raise FileKindError(f"{target} is a folder.")
        self._operate((Entry(*new, number), Entry(*old, None)))

    def remove(self, path: str) -> None:
        """Removes a file; harmless where there is none."""
        self._try("remove", path)
        number = self._find(path)
        if number in self._names.folders:
            raise FileKindError(f"{path} is a folder.")
        if number is not None:
            self._operate((Entry(*self._parent(path), None),))

    def names(self, folder: str) -> list[str]:
        """Sorted names in a folder; empty where there is no such folder."""
        return [entry.name for entry in self.entries(folder)]

    def entries(self, folder: str) -> list[base.Entry]:
        """What a folder holds, sorted by name; empty where there is no such folder."""
        number = self._find(folder)
        if number is None:
            return []
        if number not in self._names.folders:
            raise FileKindError(f"{folder} is not a folder.")
        return [
            base.Entry(name, "folder" if inode in self._names.folders else "file")
            for name, inode in sorted(self._names.folders[number].items())
        ]

    def make_folder(self, path: str, like: Stat) -> None:
        """Makes a folder; harmless if it exists."""
        self._try("make_folder", path)
        found = self._find(path)
        if found in self._names.folders:
            return
        if found is not None:
            raise FileKindError(f"{path} is in the way of a folder.")
        folder, name = self._parent(path)
        number = self.tick()
        readable = like.mode & 0o044
        owner = Owner(0o700 | readable | readable >> 2, like.uid, like.gid)
        self._folder_owners = {**self._folder_owners, number: owner}
        self._names = self._names.with_folder(number)
        self._durable_names = self._durable_names.with_folder(number)
        self._operate((Entry(folder, name, number),))

    def remove_folder(self, path: str) -> None:
        """Removes an empty folder; harmless where it is absent or not empty."""
        self._try("remove_folder", path)
        number = self._find(path)
        if number is not None and self._names.folders.get(number) == {}:
            self._operate((Entry(*self._parent(path), None),))

    def sync_folder(self, path: str) -> None:
        """Makes the operations on a folder's names durable, with those they build upon."""
        self._try("sync_folder", path)
        if not self._facts.folder_sync:
            return
        number = self._find(path)
        kept = [operation[0].folder == number for operation in self._operations]
        close_over(self._operations, kept)
        self._durable_names = self._durable_names.after(self._operations, kept)
        pairs = zip(self._operations, kept, strict=True)
        self._operations = tuple(operation for operation, done in pairs if not done)

    def facts(self, folder: str) -> Facts:
        """The facts it was made with."""
        return self._facts

    def boot_id(self) -> str:
        """Differs exactly when a power cut lies between."""
        return f"boot-{self._boots}"

    # -- names

    def _try(self, call: Call, path: str) -> None:
        fault = self.step(call, path)
        if fault is not None:
            raise self.failure(fault, call, path)

    def _find(self, path: str) -> int | None:
        return self._names.find(path)

    def _parent(self, path: str) -> tuple[int, str]:
        *parents, name = path_parts(path)
        folder = self._find("/" + "/".join(parents))
        if folder is None or folder not in self._names.folders:
            raise MissingFileError(f"There is no folder for {path}.")
        return folder, name

    def _operate(self, operation: Operation) -> None:
        self._names = self._names.after((operation,), (True,))
        self._operations += (operation,)


def _made(files: Mapping[str, bytes], facts: Facts) -> FrozenVolume:
    """A settled volume with these files and the folders they need."""
    geometry = Geometry(facts.block_bytes, facts.atom_bytes)
    if max(geometry) % min(geometry):
        raise RequestError("Blocks must be whole atoms, or atoms whole blocks.")
    inodes: dict[int, FrozenInode] = {}
    folders: dict[int, dict[str, int]] = {ROOT: {}}
    number = ROOT
    for path, data in sorted(files.items()):
        *parents, name = path_parts(path)
        folder = ROOT
        for parent in parents:
            if parent not in folders[folder]:
                number += 1
                folders[folder][parent] = number
                folders[number] = {}
            folder = folders[folder][parent]
        number += 1
        folders[folder][name] = number
        image = Image(data, frozenset(), Owner(0o644, 1000, 1000))
        inodes[number] = FrozenInode.settled(image, geometry, mark=None, born=number, changed=number)
    names = Names(folders)
    return FrozenVolume(facts, inodes, names, names, {}, (), 1, number)
