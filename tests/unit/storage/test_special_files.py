"""What is no regular file is refused by name, without being touched."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from insitu.errors import (
    AccessError,
    ExistingFileError,
    FileKindError,
    InsituError,
    MissingFileError,
    RequestError,
    UnsupportedError,
)
from insitu.storage.linux import LinuxVolume
from insitu.storage.portable import PortableVolume

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these kinds of files are those of Linux")
NOBODY = 65534


@pytest.fixture(params=[PortableVolume, LinuxVolume])
def volume(request: pytest.FixtureRequest) -> PortableVolume:
    made = request.param()
    assert isinstance(made, PortableVolume)
    return made


@contextmanager
def as_nobody() -> Iterator[None]:
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.mark.parametrize("write", [False, True])
def test_a_pipe_is_refused_without_waiting_for_its_other_end(
    volume: PortableVolume, tmp_path: Path, write: bool
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileKindError, match="is a pipe"):
        volume.open(str(tmp_path / "pipe"), write=write)


def test_a_pipe_put_there_at_the_last_moment_is_refused_as_well(
    volume: PortableVolume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.touch()
    really_open, opened = os.open, []

    def swap_and_open(name: str, flags: int, mode: int = 0o777) -> int:
        path.unlink()
        os.mkfifo(path)
        opened.append(really_open(name, flags, mode))
        return opened[-1]

    monkeypatch.setattr(os, "open", swap_and_open)
    with pytest.raises(FileKindError, match="is a pipe"):
        volume.open(str(path))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened[0])


def test_sockets_devices_and_folders_are_refused(volume: PortableVolume, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for path, kind in ((tmp_path / "socket", "socket"), ("/dev/null", "device"), (tmp_path, "folder")):
            with pytest.raises(FileKindError, match=kind):
                volume.open(str(path), write=True)


def test_a_device_is_not_even_opened(volume: PortableVolume, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", lambda *arguments: opened.append(arguments))
        with pytest.raises(FileKindError):
            volume.open("/dev/null")
    assert opened == []


@pytest.mark.parametrize("path", ["/proc/self/environ", "/sys/kernel/profiling", "/proc/version"])
def test_pseudo_files_are_refused_by_the_name_of_their_file_system(path: str) -> None:
    if not os.path.exists(path):
        pytest.skip(f"there is no {path}")
    with pytest.raises(FileKindError, match=r"pseudo file of (proc|sysfs)"):
        LinuxVolume().open(path)


def test_links_that_lead_nowhere_are_told_apart(volume: PortableVolume, tmp_path: Path) -> None:
    loop, dangling = tmp_path / "loop", tmp_path / "dangling"
    loop.symlink_to(loop)
    dangling.symlink_to(tmp_path / "gone")
    for use in (volume.open, volume.resolve):
        with pytest.raises(RequestError, match="loop"):
            use(str(loop))
        with pytest.raises(MissingFileError):
            use(str(dangling))
    with pytest.raises(ExistingFileError):
        volume.open(str(dangling), create=True)
    assert not (tmp_path / "gone").exists()


def test_a_link_resolves_to_its_target_and_dots_to_where_the_link_led(
    volume: PortableVolume, tmp_path: Path
) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "er")
    real = os.path.realpath(tmp_path)
    assert volume.resolve(f"{tmp_path}/link/../file") == f"{real}/deep/file"
    assert volume.resolve(f"{tmp_path}/link/../new") == f"{real}/deep/new"


def test_names_that_are_too_long_are_refused(volume: PortableVolume, tmp_path: Path) -> None:
    for path in (f"{tmp_path}/{'n' * 300}", f"{tmp_path}/{'d/' * 3000}"):
        for use in (volume.open, volume.resolve, volume.stat):
            with pytest.raises(RequestError, match="too long") as caught:
                use(path)
            assert caught.value.facts["errno"] == errno.ENAMETOOLONG


def test_every_error_names_path_and_call(volume: PortableVolume, tmp_path: Path) -> None:
    with pytest.raises(InsituError) as caught:
        volume.open(str(tmp_path / "missing"))
    assert caught.value.facts == {"path": str(tmp_path / "missing"), "call": "open", "errno": errno.ENOENT}
    assert str(caught.value) == f"cannot open {str(tmp_path / 'missing')!r}: there is no such file"


@pytest.mark.root
def test_missing_permission_is_said(volume: PortableVolume, tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    (tmp_path / "mine").touch(0o600)
    (tmp_path / "closed").mkdir(0o700)
    folder = os.open(tmp_path, os.O_PATH)  # nobody may not walk to it
    try:
        here = f"/proc/self/fd/{folder}"
        with as_nobody():
            for path, write in (("mine", False), ("mine", True), ("closed/file", False)):
                with pytest.raises(AccessError, match="permission is denied"):
                    volume.open(f"{here}/{path}", write=write)
            with pytest.raises(AccessError):
                volume.open(f"{here}/new", create=True)
    finally:
        os.close(folder)


@pytest.mark.root
def test_a_file_mounted_over_cannot_be_renamed_over(volume: PortableVolume, tmp_path: Path) -> None:
    source, target, new = tmp_path / "source", tmp_path / "target", tmp_path / "new"
    for path in (source, target, new):
        path.write_text(path.name)
    if subprocess.run(["mount", "--bind", source, target], check=False, capture_output=True).returncode:
        pytest.skip("files cannot be bind-mounted here")
    try:
        with pytest.raises(UnsupportedError, match="mount point"):
            volume.rename(str(new), str(target))
        assert (new.read_text(), target.read_text()) == ("new", "source")
    finally:
        subprocess.run(["umount", target], check=True)


def test_a_link_in_place_of_a_folder_is_refused(volume: PortableVolume, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "elsewhere")
    like = volume.stat(str(tmp_path / "elsewhere"))
    assert like is not None
    with pytest.raises(FileKindError, match="in the way"):
        volume.make_folder(str(tmp_path / "state"), like)


@pytest.mark.root
def test_a_folder_gets_the_owner_of_the_file(volume: PortableVolume, tmp_path: Path) -> None:
    (tmp_path / "file").touch(0o640)
    os.chown(tmp_path / "file", NOBODY, NOBODY)
    like = volume.stat(str(tmp_path / "file"))
    assert like is not None
    volume.make_folder(str(tmp_path / "state"), like)
    made = os.stat(tmp_path / "state")
    assert (made.st_uid, made.st_gid, made.st_mode & 0o7777) == (NOBODY, NOBODY, 0o750)


@pytest.mark.root
def test_a_folder_lets_no_other_group_in(volume: PortableVolume, tmp_path: Path) -> None:
    (tmp_path / "file").touch(0o640)
    like = volume.stat(str(tmp_path / "file"))  # of root's group, which nobody is not in
    assert like is not None
    tmp_path.chmod(0o777)
    folder = os.open(tmp_path, os.O_PATH)
    try:
        with as_nobody():
            volume.make_folder(f"/proc/self/fd/{folder}/state", like._replace(uid=NOBODY))
    finally:
        os.close(folder)
    assert (tmp_path / "state").stat().st_mode & 0o7777 == 0o700
