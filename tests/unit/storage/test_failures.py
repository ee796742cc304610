"""Failures of an open file: which error, in which words, and what may still be done."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from insitu.core.spans import Span
from insitu.errors import (
    AccessError,
    ExistingFileError,
    FileKindError,
    InsituError,
    MissingFileError,
    NoSpaceError,
    RequestError,
    StorageError,
    SyncError,
    UnsupportedError,
)
from insitu.storage.descriptor import PortableFile
from insitu.storage.failures import UNKNOWN, failure
from insitu.storage.linux import LinuxVolume
from insitu.storage.portable import PortableVolume

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="faults are made with the means of Linux")


@pytest.fixture(params=[PortableVolume, LinuxVolume])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PortableFile]:
    made = request.param().open(str(tmp_path / "file"), create=True)
    made.write(0, b"old")
    yield made
    made.close()


@pytest.mark.parametrize(
    ("number", "of_path", "of_file"),
    [
        (errno.ENOENT, MissingFileError, StorageError),
        (errno.ENOTDIR, MissingFileError, StorageError),
        (errno.EEXIST, ExistingFileError, StorageError),
        (errno.EACCES, AccessError, StorageError),
        (errno.EPERM, AccessError, StorageError),
        (errno.EROFS, AccessError, StorageError),
        (errno.EISDIR, FileKindError, StorageError),
        (errno.ELOOP, RequestError, StorageError),
        (errno.ENAMETOOLONG, RequestError, StorageError),
        (errno.ENOSPC, NoSpaceError, NoSpaceError),
        (errno.EDQUOT, NoSpaceError, NoSpaceError),
        (errno.EFBIG, NoSpaceError, NoSpaceError),
        (errno.EXDEV, UnsupportedError, UnsupportedError),
        (errno.EBUSY, UnsupportedError, UnsupportedError),
        (errno.EOPNOTSUPP, UnsupportedError, UnsupportedError),
        (errno.EIO, StorageError, StorageError),
        (errno.ESTALE, StorageError, StorageError),
    ],
)
def test_each_number_becomes_one_error(
    number: int, of_path: type[InsituError], of_file: type[InsituError]
) -> None:
    error = OSError(number, os.strerror(number))
    assert type(failure(error, "open", "a")) is of_path
    told = failure(error, "write", "a", UNKNOWN)
    assert type(told) is of_file
    assert isinstance(told, StorageError)
    assert (told.file_state, told.facts) == (UNKNOWN, {"path": "a", "call": "write", "errno": number})


def test_after_a_failed_sync_nothing_is_written_any_more(
    file: PortableFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        patch.setattr(os, "fdatasync", fail)
        with pytest.raises(SyncError, match="what the disk holds of it is unknown"):
            file.sync()
    for change in (
        file.sync,
        lambda: file.write(0, b"new"),
        lambda: file.resize(0),
        lambda: file.copy_from(file, 0, 9, 3),
    ):
        with pytest.raises(SyncError, match="an earlier sync of it failed"):
            change()
    assert file.read(0, 9) == b"old"


def test_calls_of_linux_are_refused_after_a_failed_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = LinuxVolume().open(str(tmp_path / "file"), create=True)

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        with pytest.raises(SyncError):
            file.sync()
    for change in (
        lambda: file.reserve(Span(0, 4096)),
        lambda: file.punch(Span(0, 4096)),
        lambda: file.insert(0, 4096),
        lambda: file.collapse(0, 4096),
        lambda: file.set_mark(b"1"),
    ):
        with pytest.raises(SyncError):
            change()


def test_a_write_cut_short_by_a_limit_is_continued_and_then_fails(file: PortableFile) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, before[1]))
    try:
        with pytest.raises(NoSpaceError, match="largest size") as caught:
            file.write(4000, b"n" * 4000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.file_state == UNKNOWN
    assert file.size() == 5000


def test_short_reads_and_writes_are_continued(file: PortableFile, monkeypatch: pytest.MonkeyPatch) -> None:
    from insitu.storage import descriptor

    monkeypatch.setattr(descriptor, "pread", lambda fd, size, at: os.pread(fd, min(size, 3), at))
    monkeypatch.setattr(descriptor, "pwrite", lambda fd, data, at: os.pwrite(fd, memoryview(data)[:3], at))
    monkeypatch.setattr(descriptor, "preadv", descriptor.read_and_copy)
    file.write(1, b"0123456789")
    file.write(3, memoryview(b"abcd").cast("H"))
    assert file.read(0, 99) == b"o01abcd6789"
    buffer = bytearray(12)
    assert file.read_into(2, memoryview(buffer)) == 9
    assert buffer == b"1abcd6789\0\0\0"


@pytest.mark.root
def test_a_full_disk_is_said(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(tmp_path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        file = LinuxVolume().open(str(tmp_path / "file"), create=True)
        with pytest.raises(NoSpaceError, match="the disk is full"):
            file.write(0, bytes(1 << 20))
        with pytest.raises(NoSpaceError):
            file.reserve(Span(0, 1 << 20))
        assert LinuxVolume().facts(str(tmp_path)).free_bytes < 256 << 10
        file.close()
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_lock_that_the_file_system_lacks_is_unsupported(
    file: PortableFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def fail(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(UnsupportedError, match="locks do not work"):
        file.lock()


def test_the_lock_is_the_one_of_filelock(file: PortableFile) -> None:
    from filelock import FileLock, Timeout

    assert file.lock()
    with pytest.raises(Timeout):
        FileLock(file.path, timeout=0).acquire()
    file.unlock()
    with FileLock(file.path, timeout=0):
        assert not file.lock()


def test_no_file_takes_the_place_of_a_standard_stream(tmp_path: Path) -> None:
    code = (
        "import os, sys; os.close(0); os.close(1)\n"
        "from insitu.storage.local import local_volume\n"
        "file = local_volume().open(sys.argv[1], create=True)\n"
        "assert file.fileno() > 2 and not os.get_inheritable(file.fileno())\n"
        "for low in (0, 1):\n"
        "    try: os.fstat(low)\n"
        "    except OSError: continue\n"
        "    sys.exit(1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "file")],
        check=False,
        env={**os.environ, "PYTHONPATH": _source()},
    )
    assert done.returncode == 0


def _source() -> str:
    import insitu.errors

    return str(Path(insitu.errors.__file__).parents[1])
