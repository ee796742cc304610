"""Disks made for one test: images of a file system, mounted for as long as it runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

# What each can be made with at least, and the options that keep small ones small.
OPTIONS = {
    "ext4": ["-q", "-m", "0", "-O", "^has_journal"],
    "xfs": ["-q", "-m", "reflink=1"],
    "btrfs": ["-q", "--mixed"],
}
SIZES = {"ext4": 64 << 20, "xfs": 320 << 20, "btrfs": 256 << 20}


MEMORY = Path("/dev/shm")
ROOM_BYTES = 1 << 30


@contextmanager
def room(folder: Path) -> Iterator[Path]:
    """Where images lie: in memory if there is enough, for all that is written to them is waited for.

    What is tested is the file system in the image, and not the one that the image lies on.
    """
    if not os.path.ismount(MEMORY) or free_bytes(MEMORY) < ROOM_BYTES:
        yield folder
        return
    place = Path(tempfile.mkdtemp(dir=MEMORY, prefix="insitu-disk-"))
    try:
        yield place
    finally:
        shutil.rmtree(place)


def made(
    kind: str, folder: Path, size_bytes: int | None = None, options: Sequence[str] | None = None
) -> Path:
    """An image of a new file system in ``folder``; skips where this machine cannot make it."""
    if os.geteuid() != 0:
        pytest.skip("needs the rights of root to mount a disk")
    if shutil.which(f"mkfs.{kind}") is None:
        pytest.skip(f"mkfs.{kind} is not installed")
    image = folder / f"{kind}.image"
    with open(image, "wb") as file:
        file.truncate(size_bytes or SIZES[kind])
    wanted = OPTIONS[kind] if options is None else options
    _tried([f"mkfs.{kind}", *wanted, str(image)], f"cannot make a file system of {kind}")
    return image


@contextmanager
def mounted(kind: str, folder: Path, size_bytes: int | None = None) -> Iterator[Path]:
    """The root of a new file system in ``folder``; skips where this machine cannot make or mount it."""
    with room(folder) as place:
        image, root = made(kind, place, size_bytes), folder / f"{kind}.disk"
        root.mkdir()
        _tried(["mount", "-o", "loop", str(image), str(root)], f"cannot mount an image of {kind} here")
        try:
            yield root
        finally:
            subprocess.run(["umount", "--lazy", str(root)], check=True)
            image.unlink()


@contextmanager
def temporary(folder: Path) -> Iterator[Path]:
    """The root of a new file system in memory."""
    if os.geteuid() != 0:
        pytest.skip("needs the rights of root to mount a disk")
    root = folder / "memory"
    root.mkdir()
    _tried(["mount", "-t", "tmpfs", "none", str(root)], "cannot mount a tmpfs here")
    try:
        yield root
    finally:
        subprocess.run(["umount", "--lazy", str(root)], check=True)


@contextmanager
def overlaid(disk: Path) -> Iterator[Path]:
    """The root of an overlay whose layers lie on ``disk``."""
    lower, upper, work, root = (disk / name for name in ("lower", "upper", "work", "overlay"))
    for folder in (lower, upper, work, root):
        folder.mkdir()
    layers = f"lowerdir={lower},upperdir={upper},workdir={work}"
    _tried(["mount", "-t", "overlay", "none", "-o", layers, str(root)], "cannot mount an overlay here")
    try:
        yield root
    finally:
        subprocess.run(["umount", "--lazy", str(root)], check=True)


@contextmanager
def bound(source: Path, target: Path) -> Iterator[None]:
    """``source`` mounted over ``target``, as containers do with single files."""
    _tried(["mount", "--bind", str(source), str(target)], "cannot bind-mount a file here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(target)], check=True)


@contextmanager
def full(root: Path, left_bytes: int) -> Iterator[None]:
    """The disk under ``root`` with only so much space left."""
    ballast = root / "ballast"
    with open(ballast, "wb") as file:
        while (free := free_bytes(root)) > left_bytes:
            try:
                os.posix_fallocate(file.fileno(), file.tell(), max(4096, (free - left_bytes) // 4096 * 4096))
            except OSError:
                break  # the file system keeps more for itself than it says
            file.seek(0, os.SEEK_END)
    try:
        yield
    finally:
        ballast.unlink(missing_ok=True)


def free_bytes(root: Path) -> int:
    """What an unprivileged writer may still take."""
    space = os.statvfs(root)
    return space.f_bavail * space.f_frsize


def _tried(command: list[str], reason: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{reason}: {done.stderr.strip()}")
