"""A file system of one file that records what reaches it: every write, and every flush between them.

Run as a program it serves ``disk`` in a folder; a loop device over that file then records what a real file
system sends to its disk. ``marks`` takes notes of the test in the same order.
"""

from __future__ import annotations

import importlib
import os
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HEAD = struct.Struct("=cQQ")  # kind, offset, size of what follows
WRITE, FLUSH, MARK = b"W", b"F", b"M"
MOUNT_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Event:
    """One thing that reached the disk, or a note about when."""

    kind: bytes
    offset: int
    data: bytes


def events(log: Path) -> list[Event]:
    """What was recorded, in order."""
    data, at, found = log.read_bytes(), 0, []
    while at < len(data):
        kind, offset, size = HEAD.unpack_from(data, at)
        at += HEAD.size
        found.append(Event(kind, offset, data[at : at + size]))
        at += size
    return found


@contextmanager
def recording(image: Path, log: Path) -> Iterator[Path]:
    """A folder with ``disk``, which is ``image``, and ``marks``; what is done to them goes to ``log``."""
    try:
        importlib.import_module("mfusepy")
    except (ImportError, OSError) as error:
        pytest.skip(f"the recorder of disk writes needs mfusepy and libfuse: {error}")
    folder = log.with_suffix(".recorder")
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, __file__, image, log, folder],
        stderr=subprocess.PIPE,
    )
    try:
        until = time.monotonic() + MOUNT_TIMEOUT_S
        while not os.path.ismount(folder) and process.poll() is None:
            assert time.monotonic() < until, f"{folder} was not mounted in time"
            time.sleep(0.01)
        if process.poll() is not None:
            assert process.stderr
            pytest.skip(f"cannot serve a file system here: {process.stderr.read().decode().strip()}")
        yield folder
    finally:
        if subprocess.run(["umount", str(folder)], check=False).returncode:
            process.terminate()
        process.communicate(timeout=20)
        folder.rmdir()


def _serve(image: str, log_path: str, folder: str) -> None:
    import mfusepy

    names = {"/disk": 0, "/marks": 1}
    descriptor = os.open(image, os.O_RDWR)
    log = open(log_path, "wb", buffering=0)  # noqa: SIM115 - as long as the process

    class Recorder(mfusepy.Operations):
        """The two files."""

        use_ns = True

        def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
            if path == "/":
                return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
            if path not in names:
                raise mfusepy.FuseOSError(2)
            size = os.fstat(descriptor).st_size if path == "/disk" else 0
            return {"st_mode": stat.S_IFREG | 0o644, "st_nlink": 1, "st_size": size}

        def open(self, path: str, flags: int) -> int:
            return names[path]

        def truncate(self, path: str, length: int, fh: int | None = None) -> int:
            return 0

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            return os.pread(descriptor, size, offset)

        def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
            if path == "/disk":
                os.pwrite(descriptor, data, offset)
                log.write(HEAD.pack(WRITE, offset, len(data)) + data)
            else:
                log.write(HEAD.pack(MARK, 0, len(data)) + data)
            return len(data)

        def fsync(self, path: str, datasync: int, fh: int) -> int:
            if path == "/disk":
                log.write(HEAD.pack(FLUSH, 0, 0))
            return 0

    mfusepy.FUSE(Recorder(), folder, foreground=True, nothreads=True)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
