"""Every storage that insitu has, under the one contract."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from insitu.core.facts import Facts
from insitu.storage import descriptor
from insitu.storage.base import File, Volume
from insitu.storage.memory import MemoryVolume
from insitu.storage.portable import PortableVolume
from insitu.testing import StorageContract

pytestmark = pytest.mark.filterwarnings("error")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="these calls are of Linux")


class TestMemory(StorageContract):
    @pytest.fixture
    def volume(self) -> Volume:
        return MemoryVolume()

    @pytest.fixture
    def folder(self, volume: Volume) -> str:
        root = volume.stat("/")
        assert root is not None
        volume.make_folder("/folder", root)
        return "/folder"


class TestMemoryWithoutAbilities(TestMemory):
    @pytest.fixture
    def volume(self) -> Volume:
        return MemoryVolume(replace(Facts(), block_bytes=512, locks=False))


class TestPortable(StorageContract):
    @pytest.fixture
    def volume(self) -> Volume:
        return PortableVolume()

    @pytest.fixture
    def folder(self, tmp_path: Path) -> str:
        return str(tmp_path)

    @pytest.fixture(autouse=True)
    def _all_closed(self, volume: PortableVolume, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Closes what a test leaves open, so that no image stays busy."""
        opened: list[File] = []
        really_open = volume.open

        def open_and_note(path: str, **options: Any) -> File:
            opened.append(really_open(path, **options))
            return opened[-1]

        monkeypatch.setattr(volume, "open", open_and_note)
        yield
        for file in opened:
            file.close()


class TestPortableBySeeking(TestPortable):
    """As on Windows, which has no call that reads at an offset."""

    @pytest.fixture(autouse=True)
    def _seeking(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(descriptor, "pread", descriptor.seek_read)
        monkeypatch.setattr(descriptor, "pwrite", descriptor.seek_write)
        monkeypatch.setattr(descriptor, "preadv", descriptor.read_and_copy)


@on_linux
class TestLinuxDisk(TestPortable):
    @pytest.fixture
    def volume(self) -> Volume:
        from insitu.storage.linux import LinuxVolume

        return LinuxVolume()


@on_linux
class TestBeneath(TestPortable):
    """A folder is the whole world; paths in it begin at "/"."""

    @pytest.fixture
    def volume(self, tmp_path: Path) -> Iterator[Volume]:
        from insitu.storage.beneath import BeneathVolume

        (tmp_path / "folder").mkdir()
        volume = BeneathVolume(str(tmp_path))
        yield volume
        volume.close()

    @pytest.fixture
    def folder(self, volume: Volume) -> str:
        return "/folder"


class TestBeneathStepByStep(TestBeneath):
    """As where the kernel or a container denies openat2."""

    @pytest.fixture(autouse=True)
    def _denied(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from insitu.storage import linux_calls

        def denied(*arguments: object) -> int:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

        monkeypatch.setattr(linux_calls, "open_beneath", denied)


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="there is no tmpfs at /dev/shm")
class TestLinuxMemoryDisk(TestLinuxDisk):
    @pytest.fixture
    def folder(self) -> Iterator[str]:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            yield folder


class _OnImage(TestLinuxDisk):
    """A file system of its own, in a loop-mounted image."""

    make: tuple[str, ...]
    image_bytes: int

    @pytest.fixture(scope="class")
    @classmethod
    def mounted(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
        if not shutil.which(cls.make[0]):
            pytest.skip(f"{cls.make[0]} is not installed")
        if os.geteuid() != 0:
            pytest.skip("mounting an image needs root")
        place = tmp_path_factory.mktemp("image")
        image, mount = place / "image", place / "mount"
        mount.mkdir()
        image.touch()
        os.truncate(image, cls.image_bytes)
        subprocess.run([*cls.make, str(image)], check=True, capture_output=True)
        told = subprocess.run(
            ["mount", "-o", "loop", image, mount], capture_output=True, text=True, check=False
        )
        if told.returncode:
            pytest.skip(f"images cannot be mounted here: {told.stderr.strip()}")
        try:
            yield str(mount)
        finally:
            subprocess.run(["umount", mount], check=True)
            image.unlink()

    @pytest.fixture
    def folder(self, mounted: str) -> Iterator[str]:
        with tempfile.TemporaryDirectory(dir=mounted) as folder:
            yield folder


@pytest.mark.root
@pytest.mark.slow
class TestXfs(_OnImage):
    make = ("mkfs.xfs", "-q", "-m", "reflink=1")
    image_bytes = 300 << 20  # the least that mkfs.xfs accepts; sparse

    def test_ranges_and_clones_are_found(self, facts: Facts) -> None:
        assert facts.filesystem == "xfs"
        assert facts.clone and facts.ranges and facts.punch and facts.reserve
        assert not facts.overwrite_allocates


@pytest.mark.root
@pytest.mark.slow
class TestBtrfs(_OnImage):
    make = ("mkfs.btrfs", "-q")
    image_bytes = 114 << 20  # about the least that mkfs.btrfs accepts; sparse

    def test_clones_and_copy_on_write_are_found(self, facts: Facts) -> None:
        assert facts.filesystem == "btrfs"
        assert facts.clone and facts.punch and facts.overwrite_allocates
        assert not facts.ranges


@pytest.mark.root
@pytest.mark.slow
class TestExt4WithSmallBlocks(_OnImage):
    make = ("mkfs.ext4", "-q", "-b", "1024")
    image_bytes = 64 << 20

    def test_its_blocks_are_smaller_than_an_atom(self, facts: Facts) -> None:
        assert (facts.block_bytes, facts.atom_bytes) == (1024, os.sysconf("SC_PAGESIZE"))
        assert facts.ranges and not facts.clone


del _OnImage
