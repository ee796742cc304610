"""The largest files there are, edited within 64 MiB above the interpreter."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import insitu
from tests.system.programs import run

pytestmark = pytest.mark.slow
LIMIT_MIB = 64
TERABYTE = 1 << 40

# The peak since the program began, less what it was before insitu came.
MEASURED = """
import sys
def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) // 1024 for line in file if line.startswith("VmHWM"))
bare = peak()
import insitu
path = sys.argv[1]
{code}
print(peak() - bare)
"""


def above(code: str, path: Path) -> int:
    """How many MiB above the bare interpreter some work took."""
    return int(run(MEASURED.format(code=code), path))


@pytest.fixture
def huge(tmp_path: Path) -> Path:
    """Four terabytes, nearly all of them a hole."""
    path = tmp_path / "huge"
    with open(path, "wb") as file:
        try:
            file.truncate(4 * TERABYTE)
        except OSError as error:
            pytest.skip(f"this file system has no files of 4 TB: {error.strerror}")
        file.seek(3 * TERABYTE)
        file.write(b"here")
    return path


def test_four_terabytes_are_edited_where_they_are(huge: Path) -> None:
    code = """
insitu.write(path, 3 << 40, (3 << 40) + 5, b"THERE")
insitu.append(path, b"the end")
insitu.write(path, 1 << 40, (1 << 40) + 5, b"amid!")
insitu.undo(path)
"""
    before = huge.stat().st_blocks
    mib = above(code, huge)
    print(f"4 TB: {mib} MiB")
    assert mib <= LIMIT_MIB
    assert insitu.read(huge, 3 * TERABYTE, 3 * TERABYTE + 5) == b"THERE"
    assert insitu.read(huge, TERABYTE, TERABYTE + 5) == bytes(5)
    assert huge.stat().st_size == 4 * TERABYTE + 7
    assert huge.stat().st_blocks <= before + 4_096


def test_one_line_of_a_gigabyte_is_edited_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "line"
    with open(path, "wb") as file:
        file.truncate(1 << 30)
        os.pwrite(file.fileno(), b"\nlast\n", (1 << 30) - 6)
    mib = above("assert len(insitu.open(path, 'r').lines) == 2; insitu.append(path, b'more')", path)
    print(f"a line of 1 GB: {mib} MiB")
    assert mib <= LIMIT_MIB
    assert insitu.read(path, (1 << 30) - 6) == b"\nlast\nmore"
