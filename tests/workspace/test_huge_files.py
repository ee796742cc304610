"""Files far larger than memory: their ends and any place by its bytes answer at once, in flat memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys, time
from insitu.workspace.workspace import Workspace

calls = [
    ("file_info", {}),
    ("file_read", {"lines": "1-3"}),
    ("file_read", {"tail": 5}),
    ("file_read", {"bytes": "5000000:5000100"}),
    ("file_edit", {"lines": "2", "expect_text": "line 2", "new_text": "LINE 2"}),
    ("file_edit", {"old_text": "line 3", "new_text": "LINE 3", "within": "1-9"}),
    ("file_edit_bytes", {"offset": 5000000, "length": 2, "data": "4142"}),
    ("file_append", {"text": "the end"}),
    ("file_history", {}),
]
with Workspace(sys.argv[1]) as workspace:
    for tool, arguments in calls:
        began = time.process_time()
        answer = workspace.call(tool, {"path": "f.log", **arguments})
        assert answer.refused is None, answer.text
        assert time.process_time() - began < 0.5, (tool, time.process_time() - began)
    for tool, arguments in eval(sys.argv[2]):
        answer = workspace.call(tool, {"path": "f.log", **arguments})
        assert answer.refused is None, answer.text
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def resident_bytes(root: Path, slow_calls: list[tuple[str, dict[str, object]]]) -> int:
    """Makes the calls in a process of their own; returns the most memory it took."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(root), repr(slow_calls)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout) * 1024


@pytest.mark.slow
def test_ten_gigabytes_with_a_hole(tmp_path: Path) -> None:
    with (tmp_path / "f.log").open("wb") as file:
        file.write(b"".join(b"line %d\n" % number for number in range(1, 1_000_001)))
        file.truncate(10 << 30)
        file.seek(0, 2)
        file.write(b"\nlast\n")
    assert resident_bytes(tmp_path, []) < 160 << 20
    assert (tmp_path / "f.log").open("rb").read(21) == b"line 1\nLINE 2\nLINE 3\n"


@pytest.mark.slow
def test_many_lines_in_the_middle(tmp_path: Path) -> None:
    with (tmp_path / "f.log").open("wb") as file:
        for number in range(1, 3_000_001, 100_000):
            file.write(b"".join(b"line %d\n" % each for each in range(number, number + 100_000)))
    slow = [
        ("file_read", {"lines": "2000000-2000010"}),
        ("file_edit", {"old_text": "line 2000000\n", "new_text": "LINE 2000000\n"}),
        ("file_edit", {"old_text": "line 1500000\n", "new_text": "middle\n"}),
        ("file_search", {"pattern": "9$", "mode": "regex", "limit": 1000}),
        ("file_search", {"pattern": "line 29", "count_only": True}),
    ]
    assert resident_bytes(tmp_path, slow) < 160 << 20
