"""Peak resident memory stays within 64 MiB of the bare interpreter's, whatever the file's size."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.programs import run

pytestmark = pytest.mark.slow
LIMIT_MIB = 64
SIZE = 300_000_000
LINE = b"%08d some text in a line\n"

MEASURED = """
import sys, resource
def peak():
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmHWM"):
                return int(line.split()[1]) // 1024
path = sys.argv[1]
{code}
print(peak())
"""
SMALL = """
import insitu
insitu.append(path, b"x")
insitu.undo(path)
"""

WORK = {
    "replace a match in every line, same size": "insitu.replace(path, b'some text', b'SOME TEXT')",
    "replace a match in every line, longer": "insitu.replace(path, b'some text', b'some more text')",
    "insert at the front": "insitu.insert(path, 1, b'hello')",
    "insert at the front, readers see old or new": (
        "insitu.insert(path, 1, b'hello', policy=insitu.Policy(visibility='atomic'))"
    ),
    "delete half": "insitu.delete(path, 1_000, 150_000_000)",
    "overwrite in 30,000 places": "insitu.apply(path, (insitu.Edit(new=b'0123456789', bytes=(at, at + 10)) "
    "for at in range(0, 300_000_000, 10_000)))",
    "undo of a deleted half": "insitu.delete(path, 1_000, 150_000_000); insitu.undo(path)",
    "paste a file": "insitu.insert(path, 5, insitu.extent(path + '.other', (0, 100_000_000)))",
    "count lines": "print(len(insitu.open(path, 'r').lines), file=sys.stderr)",
    "read the last line": "insitu.open(path, 'r').lines[-1]",
    "build the index": "insitu.build_index(path)",
    "find a regular expression": (
        "assert insitu.open(path, 'r').find(rb'no such [a-z]+ text', regex=True) == -1"
    ),
    "count matches of a regular expression": (
        r"assert insitu.open(path, 'r').count(rb'\d+[05] some', regex=True) > 1_000_000"
    ),
}


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("memory") / "lines"
    size = len(LINE % 0)
    with open(path, "wb") as file:
        for number in range(0, SIZE // size, 100_000):
            file.write(b"".join(LINE % line for line in range(number, number + 100_000)))
        file.truncate(SIZE)
    yield path
    path.unlink()


@pytest.fixture
def path(lines: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the file, without the time of making one where the disk shares blocks."""
    path = tmp_path / "lines"
    shutil.copyfile(lines, path)
    os.link(lines, tmp_path / "lines.other")
    yield path
    shutil.rmtree(tmp_path)


@pytest.fixture(scope="module")
def bare_mib() -> int:
    return int(run(MEASURED.format(code=""), "none"))


def test_an_edit_of_a_small_file_needs_little(tmp_path: Path, bare_mib: int) -> None:
    path = tmp_path / "small"
    path.write_bytes(b"text")
    above = int(run(MEASURED.format(code=SMALL), path)) - bare_mib
    print(f"bare {bare_mib} MiB, an append and its undo {above} MiB above")
    assert above <= 24


@pytest.mark.parametrize("work", WORK)
def test_work_on_a_large_file_stays_within_its_memory(path: Path, work: str, bare_mib: int) -> None:
    above = int(run(MEASURED.format(code=f"import insitu\n{WORK[work]}"), path)) - bare_mib
    print(f"{work}: {above} MiB above the bare interpreter's {bare_mib}")
    assert above <= LIMIT_MIB


def test_replacing_by_a_template_in_every_line_stays_within_its_memory(path: Path, bare_mib: int) -> None:
    os.truncate(path, 15_000_000)  # it takes a microsecond a match and more; the peak is reached by then
    code = r"import insitu; insitu.replace(path, rb'(\d+) some', rb'\1', regex=True)"
    above = int(run(MEASURED.format(code=code), path)) - bare_mib
    print(f"replacing by a template: {above} MiB above the bare interpreter's {bare_mib}")
    assert above <= LIMIT_MIB
