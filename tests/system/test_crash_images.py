"""Power cuts of real file systems, replayed from what reached the disk: old or new, recovery cut, too."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from xxhash import xxh3_128_hexdigest

import insitu
from insitu.storage.linux import LinuxVolume
from tests.system.disks import made, room
from tests.system.programs import run
from tests.system.recorder import Event, events, recording
from tests.system.replay import Crashes, allowed, copy_sparse
from tests.system.test_power_cuts import attached, mount, unmount

pytestmark = [pytest.mark.root, pytest.mark.slow]
IMAGES = 110  # on each disk, in `make test`; 4,000 in `make proof`
SIZE = 200_000
NOT_MOUNTED_SHARE = 10  # one in so many torn images may be one that the file system itself refuses

# Disk: kind, size, options of mkfs and mount, whether sectors of one block may tear. (XFS and btrfs
# take blocks of their own metadata to be written whole, and do not mount where they are not.)
DISKS: dict[str, tuple[str, int, list[str], str, bool]] = {
    "ext4": ("ext4", 32 << 20, ["-q", "-m", "0"], "", True),
    "ext4, data in the journal": ("ext4", 32 << 20, ["-q", "-m", "0"], "data=journal", True),
    "ext4, blocks of 1 KiB": ("ext4", 32 << 20, ["-q", "-m", "0", "-b", "1024"], "", True),
    "xfs": ("xfs", 300 << 20, ["-q", "-m", "reflink=1"], "", False),
    "btrfs": ("btrfs", 128 << 20, ["-q", "--mixed"], "", False),
}
EDITS = {
    "overwrite": "insitu.write(path, 50_000, 90_000, b'#' * 40_000, policy=P('overwrite'))",
    "places": "insitu.replace(path, b'7 a', b'7 A', policy=P('overwrite'))",
    "right": "insitu.insert(path, 70_001, b'+' * 12_345, policy=P('shift'))",
    "left": "insitu.delete(path, 10_001, 31_007, policy=P('shift'))",
    "many": "insitu.replace(path, b'55 a', b'55 longer a', policy=P('shift'))",
    "insert": "insitu.insert(path, 30_001, b'+' * (1 << 16), policy=P('blocks'))",
    "collapse": "insitu.delete(path, 30_001, 30_001 + (1 << 16), policy=P('blocks'))",
    "rewrite": "insitu.insert(path, 50, b'+' * 7, policy=insitu.Policy(visibility='atomic'))",
    "append": "insitu.append(path, b'+' * 5_000)",
    "any": "insitu.insert(path, 100_000, b'+' * 777)",
    "fragments": "insitu.insert(path, 8_192, b'+' * 8_192, policy=P('blocks'))",
    "closing": "insitu.delete(path, 8_192, 16_384, policy=P('blocks'))",
    "forgetful": "insitu.delete(path, 5, 7, policy=insitu.Policy(history=0))",
}
FRAGMENTED = {"fragments", "closing"}

# Each edit, then its undo; the marks tell what was begun and what was acknowledged. A later boot checks.
WORK = """
import sys, insitu
from insitu.errors import NoPlanError
from insitu.storage.linux import LinuxVolume
LinuxVolume.boot_id = lambda self: "before the cut"
P = lambda planner: insitu.Policy(planner=planner)
root, marks = sys.argv[1], open(sys.argv[2], "wb", buffering=0)
def mark(word, name, number):
    marks.write(f"{{word}} {{name}} {{number}}".encode())
{steps}
"""
STEP = """
path = root + "/{name}/file"
try:
    insitu.open(path, "r").close()
    mark("begin", "{name}", 0)
    {edit}
    mark("end", "{name}", 0)
    if insitu.history(path):
        mark("begin", "{name}", 1)
        insitu.undo(path)
        mark("end", "{name}", 1)
except NoPlanError:
    mark("end", "{name}", -1)
"""


@pytest.fixture(name="room")
def _room(tmp_path: Path) -> Iterator[Path]:
    with room(tmp_path) as folder:
        yield folder


def filled(path: Path, *, fragmented: bool) -> bytes:
    """Makes the file of one edit, of lines; in fragments where another file takes every second block."""
    data = b"".join(b"%06d a line of some text\n" % number for number in range(SIZE // 27))
    path.parent.mkdir()
    with open(path, "wb") as file, open(path.with_name("other"), "wb") as other:
        for at in range(0, len(data), 4096) if fragmented else ():
            os.posix_fallocate(file.fileno(), at, 4096)
            os.posix_fallocate(other.fileno(), at, 4096)
        os.ftruncate(file.fileno(), 0 if not fragmented else len(data))
        os.pwrite(file.fileno(), data, 0)
    return data


class Disk:
    """A kind of disk with the edits made on it once, as recorded."""

    def __init__(self, name: str, room: Path) -> None:
        kind, size_bytes, options, self.mounting, self.torn = DISKS[name]
        self.room, self.root = room, room / "root"
        self.root.mkdir()
        fresh = made(kind, room, size_bytes, options)
        self.base = room / "base"
        old: dict[str, bytes] = {}
        with self.there(fresh):
            for edit in EDITS:
                old[edit] = filled(self.root / edit / "file", fragmented=edit in FRAGMENTED)
        copy_sparse(fresh, self.base)
        fresh.unlink()
        self.log = self._recorded()
        self.states = {edit: [xxh3_128_hexdigest(data)] * 3 for edit, data in old.items()}
        for edit, data in old.items():
            self.states[edit][1] = xxh3_128_hexdigest(self._expected(edit, data))

    def _recorded(self) -> list[Event]:
        live, log = self.room / "live", self.room / "log"
        copy_sparse(self.base, live)
        with recording(live, log) as folder, self.there(folder / "disk"):
            steps = "".join(STEP.format(name=name, edit=edit) for name, edit in EDITS.items())
            run(WORK.format(steps=steps), self.root, folder / "marks")
        live.unlink()
        found = events(log)
        log.unlink()
        return found

    def _expected(self, edit: str, data: bytes) -> bytes:
        """What the edit makes of the file, on a plain folder."""
        path = self.room / "model"
        path.write_bytes(data)
        exec(EDITS[edit], {"insitu": insitu, "path": path, "P": lambda planner: insitu.Policy()})
        after = path.read_bytes()
        path.unlink()
        shutil.rmtree(self.room / ".insitu", ignore_errors=True)
        return after

    def there(self, image: Path) -> Mounted:
        """The image, mounted."""
        return Mounted(image, self.root, self.mounting)


class NotMountedError(Exception):
    """The file system finds its own metadata torn; what insitu would find in it cannot be asked."""


class Mounted:
    """An image mounted at a folder, for as long as a block."""

    def __init__(self, image: Path, root: Path, options: str) -> None:
        self._device = attached(image)
        self._root, self._options = root, options

    def __enter__(self) -> None:
        device = self._device.__enter__()
        try:
            mount(device, self._root, self._options)
        except subprocess.CalledProcessError as error:
            self._device.__exit__(None, None, None)
            raise NotMountedError from error

    def __exit__(self, *_: object) -> None:
        unmount(self._root)
        self._device.__exit__(None, None, None)


def recover(disk: Disk, begun: dict[str, tuple[int, int]]) -> int:
    """Recovers what is pending; returns how many files were."""
    pending = 0
    for name in begun:
        path = disk.root / name / "file"
        state = path.parent / ".insitu" / "file.d"
        left = os.listdir(state) if state.exists() else []
        if not all(one.endswith(".op") for one in left) or "user.insitu.pending" in os.listxattr(path):
            pending += "journal" in left
            insitu.recover(path)
    return pending


def check(disk: Disk, begun: dict[str, tuple[int, int]], words: str) -> None:
    for name, (first, last) in begun.items():
        path = disk.root / name / "file"
        states = disk.states[name][first : last + 1]
        assert xxh3_128_hexdigest(path.read_bytes()) in states, f"{name} is neither old nor new after {words}"
        assert "user.insitu.pending" not in os.listxattr(path)
        state = path.parent / ".insitu" / "file.d"
        assert not state.exists() or all(one.endswith(".op") for one in os.listdir(state)), words


def crash_again(disk: Disk, begun: dict[str, tuple[int, int]], chance: random.Random, count: int) -> int:
    """Recovers the image while that is recorded, and checks crash images of the recovery, too."""
    base, again, log = disk.room / "crashed", disk.room / "again", disk.room / "log"
    copy_sparse(disk.room / "image", base)
    copy_sparse(base, again)
    with recording(again, log) as folder, disk.there(folder / "disk"):
        recover(disk, begun)
    crashes = Crashes(base, events(log), chance, torn=disk.torn)
    log.unlink()
    made_images = 0
    for moment, way in crashes.images(count, again):
        with disk.there(again):
            recover(disk, begun)
            check(disk, begun, f"a second crash, moment {moment}, {way}")
        made_images += 1
    return made_images


def replay(name: str, room: Path, count: int) -> dict[str, int]:
    """Checks crash images of all edits on a kind of disk; returns what was met."""
    chance = random.Random(f"replay {name} {count}")
    disk = Disk(name, room)
    found = {"events": len(disk.log), "images": 0, "pending": 0, "crashed again": 0, "not mounted": 0}
    crashes = Crashes(disk.base, disk.log, chance, torn=disk.torn)
    for moment, way in crashes.images(count, room / "image"):
        begun = _begun(disk.log, moment)
        try:
            if found["pending"] and chance.random() < 0.03:
                found["crashed again"] += crash_again(disk, begun, chance, 3)
            with disk.there(room / "image"):
                found["pending"] += recover(disk, begun)
                check(disk, begun, f"a crash at moment {moment}, {way}")
        except NotMountedError:
            if not disk.torn:
                raise
            found["not mounted"] += 1
        found["images"] += 1
    assert found["not mounted"] * NOT_MOUNTED_SHARE <= found["images"]
    return found


def _begun(log: Sequence[Event], moment: int) -> dict[str, tuple[int, int]]:
    return {name: states for name, states in allowed(log, moment).items() if states != (0, 0)}


@pytest.mark.parametrize("name", DISKS)
def test_every_crash_image_is_old_or_new(name: str, room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LinuxVolume, "boot_id", lambda self: "after the cut")
    found = replay(name, room, IMAGES)
    print(name, found)
    assert found["pending"]


@pytest.mark.proof
@pytest.mark.parametrize("name", DISKS)
def test_thousands_of_crash_images_are_old_or_new(
    name: str, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LinuxVolume, "boot_id", lambda self: "after the cut")
    found = replay(name, room, 4_000)
    print(name, found)
    assert found["crashed again"]
