"""What only Linux does: metadata, identities, probing, copies between file systems."""

from __future__ import annotations

import errno
import os
import struct
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("these calls are of Linux", allow_module_level=True)

from insitu.errors import StorageError
from insitu.storage import linux_calls, linux_facts
from insitu.storage.linux import LinuxFile, LinuxVolume
from insitu.storage.local import local_volume

NOBODY = 65534
ACL, DEFAULT_ACL = "system.posix_acl_access", "system.posix_acl_default"
_USER_OBJECT, _USER, _GROUP_OBJECT, _MASK, _OTHER, _NO_ID = 1, 2, 4, 16, 32, 0xFFFFFFFF


def acl(named: int, permissions: int) -> bytes:
    """An access list that lets one more user in: acl(5), linux/posix_acl_xattr.h."""
    entries = (
        (_USER_OBJECT, 6, _NO_ID),
        (_USER, permissions, named),
        (_GROUP_OBJECT, 4, _NO_ID),
        (_MASK, permissions | 4, _NO_ID),
        (_OTHER, 0, _NO_ID),
    )
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def made(folder: Path, name: str) -> LinuxFile:
    file = LinuxVolume().open(str(folder / name), create=True)
    assert isinstance(file, LinuxFile)
    return file


def attributes(file: LinuxFile) -> dict[str, bytes]:
    return {name: os.getxattr(file.fileno(), name) for name in os.listxattr(file.fileno())}


def with_attributes(file: LinuxFile, wanted: dict[str, bytes]) -> None:
    for name, value in wanted.items():
        try:
            os.setxattr(file.fileno(), name, value)
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            pytest.skip(f"{name} does not work on this file system")


def test_attributes_and_access_lists_are_taken(tmp_path: Path) -> None:
    old, new = made(tmp_path, "old"), made(tmp_path, "new")
    os.fchmod(old.fileno(), 0o4750)
    with_attributes(old, {"user.note": b"kept", "user.empty": b"", ACL: acl(1234, 6)})
    with_attributes(new, {"user.stray": b"not of the source"})
    old.set_mark(b"9")
    new.set_mark(b"8")
    new.take_metadata(old)
    assert new.stat().mode == old.stat().mode
    assert attributes(new) == {**attributes(old), linux_facts.MARK: b"8"}


def test_an_access_list_inherited_from_the_folder_is_taken_off(tmp_path: Path) -> None:
    old = made(tmp_path, "old")
    try:
        os.setxattr(tmp_path, DEFAULT_ACL, acl(1234, 7))
    except OSError:
        pytest.skip("access lists do not work on this file system")
    new = made(tmp_path, "new")
    assert ACL in attributes(new)
    new.take_metadata(old)
    assert attributes(new) == {}
    assert new.stat().mode == old.stat().mode


@pytest.mark.root
def test_owner_and_capabilities_are_taken(tmp_path: Path) -> None:
    old, new = made(tmp_path, "old"), made(tmp_path, "new")
    os.fchown(old.fileno(), NOBODY, 1234)
    os.fchmod(old.fileno(), 0o6755)
    # VFS_CAP_REVISION_2 with CAP_NET_BIND_SERVICE permitted: linux/capability.h
    with_attributes(old, {"security.capability": struct.pack("<5I", 0x02000000, 1 << 10, 0, 0, 0)})
    new.take_metadata(old)
    assert new.stat()[5:8] == old.stat()[5:8] == (0o106755, NOBODY, 1234)
    assert attributes(new) == attributes(old) != {}


@pytest.mark.root
def test_what_cannot_be_kept_is_named(tmp_path: Path) -> None:
    old, new = made(tmp_path, "old"), made(tmp_path, "new")
    os.fchmod(old.fileno(), 0o4755)
    with_attributes(old, {"security.capability": struct.pack("<5I", 0x02000000, 1 << 10, 0, 0, 0)})
    os.fchown(new.fileno(), NOBODY, NOBODY)
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        with pytest.raises(StorageError, match="owner") as caught:
            new.take_metadata(old)
    finally:
        os.seteuid(0)
        os.setegid(0)
    assert caught.value.facts["kept_not"] == ["group", "owner", "security.capability"]


def test_an_identity_outlives_links_but_not_the_inode(tmp_path: Path) -> None:
    file = made(tmp_path, "file")
    os.link(tmp_path / "file", tmp_path / "link")
    assert LinuxVolume().open(str(tmp_path / "link")).identity() == file.identity()
    first = file.identity()
    if not first.birth_ns:
        pytest.skip("this file system keeps no birth times")
    file.close()
    for name in ("file", "link"):
        (tmp_path / name).unlink()
    assert all(made(tmp_path, f"new-{number}").identity() != first for number in range(20))


def test_probing_is_repeated_while_the_folder_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linux_facts, "_probed", {})
    monkeypatch.setattr(linux_facts, "_unnamed_file", lambda folder: None)
    poor = LinuxVolume().facts(str(tmp_path))
    assert not (poor.ranges or poor.punch or poor.clone or poor.marks or poor.reserve or poor.kernel_copy)
    monkeypatch.undo()
    monkeypatch.setattr(linux_facts, "_probed", {})
    assert LinuxVolume().facts(str(tmp_path)).reserve


def test_probing_works_without_unnamed_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = LinuxVolume().facts(str(tmp_path))
    monkeypatch.setattr(linux_facts, "_probed", {})
    really_open = os.open

    def refuse_unnamed(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return really_open(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refuse_unnamed)
    found = LinuxVolume().facts(str(tmp_path))
    assert replace(found, free_bytes=0) == replace(expected, free_bytes=0)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="there is no second file system")
def test_copies_between_file_systems_are_exact(tmp_path: Path) -> None:
    data = os.urandom(3 << 20) + b"odd"
    file = made(tmp_path, "file")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        source = made(Path(folder), "source")
        source.write(0, data)
        file.copy_from(source, 0, 0, len(data))
        assert file.read(0, len(data) + 1) == data
        source.close()


@pytest.mark.parametrize("refusal", [errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_copy_goes_on_by_hand_where_the_kernel_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    data = bytes(range(256)) * 100
    source, file = made(tmp_path, "source"), made(tmp_path, "file")
    source.write(0, data)
    really_copy, calls = os.copy_file_range, []

    def copy_some(*arguments: int) -> int:
        calls.append(arguments)
        if len(calls) > 2:
            raise OSError(refusal, os.strerror(refusal))
        return really_copy(arguments[0], arguments[1], 1000, *arguments[3:])

    monkeypatch.setattr(os, "copy_file_range", copy_some)
    file.copy_from(source, 7, 3, len(data) - 7)
    assert file.read(0, len(data)) == bytes(3) + data[7:]
    assert len(calls) == 3


def test_an_interrupted_call_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes

    file = made(tmp_path, "file")
    really, calls = linux_calls._fallocate, []

    def interrupted_once(*arguments: int) -> int:
        calls.append(arguments)
        if len(calls) == 1:
            ctypes.set_errno(errno.EINTR)
            return -1
        return int(really(*arguments))

    monkeypatch.setattr(linux_calls, "_fallocate", interrupted_once)
    linux_calls.fallocate(file.fileno(), linux_calls.KEEP_SIZE, 0, 4096)
    assert len(calls) == 2
    assert os.fstat(file.fileno()).st_blocks > 0


def test_the_boot_has_the_name_the_kernel_gave_it() -> None:
    volume = local_volume()
    assert isinstance(volume, LinuxVolume)
    assert volume.boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
