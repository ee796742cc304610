"""The largest files there are, edited within 64 MiB above the interpreter; and 64 MB for all there is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
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


def test_one_line_of_ten_gigabytes_is_edited_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "line"
    size = 10 << 30
    with open(path, "wb") as file:
        file.truncate(size)
        os.pwrite(file.fileno(), b"\nlast\n", size - 6)
    mib = above("assert len(insitu.open(path, 'r').lines) == 2; insitu.append(path, b'more')", path)
    print(f"a line of 10 GB: {mib} MiB")
    assert mib <= LIMIT_MIB
    assert insitu.read(path, size - 6) == b"\nlast\nmore"


@pytest.fixture
def little_memory() -> Iterator[Path]:
    """The list of processes of a control group that may take 64 MB together, cached pages included."""
    memberships = dict(line.split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text().splitlines())
    if "memory" in memberships:
        parent, limit = Path("/sys/fs/cgroup/memory" + memberships["memory"]), "memory.limit_in_bytes"
    else:
        parent, limit = Path("/sys/fs/cgroup" + memberships.get("", "/")), "memory.max"
    group = parent / f"insitu-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        if not (group / limit).exists():
            pytest.skip("control groups inside this one have no say over memory")
        (group / limit).write_text(str(64 << 20))
        yield group / "cgroup.procs"
    finally:
        group.rmdir()


@pytest.mark.root
def test_a_million_splices_fit_into_64_megabytes_with_the_interpreter(
    tmp_path: Path, little_memory: Path
) -> None:
    path = tmp_path / "log"
    line = b"status=failed and some text that makes a line of a log\n"
    with open(path, "wb") as file:
        for _ in range(100):
            file.write(10_000 * line)

    def insitu_in_little(*arguments: str) -> str:
        entering = f'echo $$ > {little_memory}; exec "$@"'
        command = ["sh", "-c", entering, "sh", sys.executable, "-m", "insitu", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stderr

    assert "1,000,000 places" in insitu_in_little("replace", str(path), "failed", "retried", "--all")
    assert path.stat().st_size == 1_000_000 * (len(line) + 1)
    insitu_in_little("undo", str(path))
    with open(path, "rb") as file:
        assert all(file.read(10_000 * len(line)) == 10_000 * line for _ in range(100))
        assert not file.read(1)
