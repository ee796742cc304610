"""Real system calls that fail under the real executor, each in turn: a true error, and old or new."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import insitu
from tests.system.disks import mounted
from tests.system.programs import start

pytestmark = [pytest.mark.root, pytest.mark.slow]
SHORT, KILL = -1, -2
BEFORE = b"".join(b"%06d a line of some text\n" % number for number in range(20_000))
CALLS = (
    "pwrite",
    "fsync",
    "fdatasync",
    "ftruncate",
    "fallocate",
    "rename",
    "unlink",
    "copy_file_range",
    "pread",
    "fsetxattr",
    "fremovexattr",
)
FULL = (errno.EIO, errno.ENOSPC, errno.EDQUOT)
ERRORS: dict[str, tuple[int, ...]] = {
    "pwrite": (*FULL, errno.EINTR, SHORT),
    "fsync": FULL,
    "fdatasync": FULL,
    "pread": (errno.EIO, errno.EINTR, SHORT),
    "unlink": (errno.EIO,),
}
OTHERS = (errno.EIO, errno.ENOSPC, errno.EINTR)
EDITS = {
    "overwrite": "insitu.write(path, 50_000, 90_000, b'#' * 40_000, policy=P('overwrite'))",
    "places": "insitu.replace(path, b'7 a', b'7 A', policy=P('overwrite'))",
    "right": "insitu.insert(path, 70_001, b'+' * 12_345, policy=P('shift'))",
    "left": "insitu.delete(path, 10_001, 31_007, policy=P('shift'))",
    "insert": "insitu.insert(path, 30_001, b'+' * (1 << 16), policy=P('blocks'))",
    "collapse": "insitu.delete(path, 30_001, 30_001 + (1 << 16), policy=P('blocks'))",
    "rewrite": "insitu.insert(path, 50, b'+' * 7, policy=insitu.Policy(visibility='atomic'))",
    "forgetful rewrite": "insitu.insert(path, 5, b'+', policy=insitu.Policy(visibility='atomic', history=0))",
    "forgetful": "insitu.delete(path, 5, 7, policy=insitu.Policy(planner='shift', history=0))",
}
# Imports once and forks for every case: {"edit", "call", "nth", "error", "times"}.
SERVER = """
import ctypes, json, os, sys, tempfile
import insitu
from insitu.errors import InsituError
faults = ctypes.CDLL(None)
faults.faults_count.restype = ctypes.c_long
P = lambda planner: insitu.Policy(planner=planner)
with tempfile.TemporaryDirectory() as elsewhere:  # loads what the children would load, each for itself
    path = os.path.join(elsewhere, "file")
    with open(path, "wb") as file:
        file.write(b"7 a line, " * 20_000)
    insitu.replace(path, b"7 a", b"7 A")
    insitu.recover(path)
path = sys.argv[1]
folder = os.path.dirname(path).encode()
insitu.doctor(path)
for line in sys.stdin:
    case = json.loads(line)
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        told = {"state": "new", "error": ""}
        faults.faults_arm(folder, case["call"], ctypes.c_long(case["nth"]), case["error"], case["times"])
        try:
            exec(case["edit"])
        except InsituError as error:
            told = {"state": getattr(error, "file_state", "old"), "error": repr(error)}
        except BaseException as error:
            told = {"state": "a bug of ours", "error": repr(error)}
        told["counts"] = [faults.faults_count(kind) for kind in range(11)]
        os.write(write, json.dumps(told).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        told = answer.read()
    os.waitpid(child, 0)
    print(told or json.dumps({"state": "killed", "error": "", "counts": []}), flush=True)
"""


class Faulty:
    """A process whose system calls fail as told, and the file it works on."""

    def __init__(self, folder: Path, library: Path) -> None:
        self.path = folder / "file"
        self.path.write_bytes(BEFORE)
        code = f"import os; os.environ.pop('LD_PRELOAD', None)\n{SERVER}"
        self.process = start(code, self.path, preload=library)
        self.met: Counter[str] = Counter()

    def run(self, edit: str, call: int = len(CALLS), nth: int = 1, error: int = 0, times: int = 0) -> Any:
        """What an edit said when so many calls of a kind failed."""
        assert self.process.stdin
        assert self.process.stdout
        case = {"edit": edit, "call": call, "nth": nth, "error": error, "times": times}
        self.process.stdin.write(json.dumps(case).encode() + b"\n")
        self.process.stdin.flush()
        told = json.loads(self.process.stdout.readline())
        self.met[told["state"]] += 1
        return told

    def reset(self) -> None:
        shutil.rmtree(self.path.parent / ".insitu", ignore_errors=True)
        self.path.write_bytes(BEFORE)

    def check(self, told: Any, new: bytes, words: str) -> None:
        """The file, recovered without faults, is what was said of it."""
        insitu.recover(self.path)
        now = self.path.read_bytes()
        assert now in (BEFORE, new), f"neither old nor new: {words}: {told}"
        assert told["state"] in ("old", "new", "awaiting recovery", "killed"), f"{words}: {told}"
        if told["state"] in ("old", "new"):
            assert (now == new) == (told["state"] == "new"), f"it said otherwise: {words}: {told}"
        assert "user.insitu.pending" not in os.listxattr(self.path)
        state = self.path.parent / ".insitu" / "file.d"
        left = os.listdir(state) if state.exists() else []
        assert all(name.endswith(".op") for name in left), f"{left}: {words}: {told}"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shim, compiled."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    made = tmp_path_factory.mktemp("faults") / "faults.so"
    source = Path(__file__).with_name("faults.c")
    done = subprocess.run(
        ["gcc", "-O1", "-shared", "-fPIC", "-o", made, source, "-ldl"], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"cannot compile for this C library: {done.stderr.decode()}")
    return made


@pytest.fixture
def faulty(tmp_path: Path, library: Path) -> Iterator[Faulty]:
    with mounted("ext4", tmp_path) as root:
        folder = root / "folder"
        folder.mkdir()
        found = Faulty(folder, library)
        try:
            yield found
        finally:
            found.process.kill()
            found.process.communicate()


def faults(
    counts: list[int], chance: random.Random, limit: int | None
) -> Iterator[tuple[int, int, int, int]]:
    """Yields call, which of them, error, and how often; at most so many of each call and error."""
    for call, count in enumerate(counts):
        for error in ERRORS.get(CALLS[call], OTHERS):
            # For ever interrupted is waiting for ever, as it is for any program.
            for times in (1, 3) if error in (errno.EINTR, SHORT) else (1, 0):
                numbers = range(1, count + 1)
                for nth in numbers if limit is None or count <= limit else chance.sample(numbers, limit):
                    yield call, nth, error, times


def strike(faulty: Faulty, edit: str, limit: int | None) -> dict[str, int]:
    """Lets the calls of an edit fail, and those of the recovery of an edit that was killed."""
    chance = random.Random(f"faults {edit}")
    code = EDITS[edit]
    whole = faulty.run(code)
    assert whole["state"] == "new", whole
    new = faulty.path.read_bytes()
    faulty.reset()
    found = {"faults": 0, "in recovery": 0}
    for call, nth, error, times in faults(whole["counts"], chance, limit):
        told = faulty.run(code, call, nth, error, times)
        faulty.check(told, new, f"{edit}: {CALLS[call]} {nth} answers {error}, {times or 'all'} times")
        faulty.reset()
        found["faults"] += 1
    moments = [
        (CALLS.index(call), nth)
        for call in ("fdatasync", "rename")
        for nth in range(1, whole["counts"][CALLS.index(call)] + 1)
    ]
    for kind, moment in moments if limit is None else chance.sample(moments, min(3, len(moments))):
        faulty.run(code, kind, moment, KILL)
        journal = faulty.path.parent / ".insitu" / "file.d" / "journal"
        if not journal.exists():
            faulty.reset()
            continue
        for call, nth, error, times in faults(_recovery_counts(faulty), chance, limit and 1):
            faulty.run(code, kind, moment, KILL)
            told = faulty.run("insitu.recover(path)", call, nth, error, times)
            words = f"recovery of {edit}: {CALLS[call]} {nth} answers {error}, {times or 'all'} times"
            assert told["state"] != "a bug of ours", f"{words}: {told}"
            faulty.check({**told, "state": "killed"}, new, words)
            faulty.reset()
            found["in recovery"] += 1
    return found | faulty.met


def _recovery_counts(faulty: Faulty) -> list[int]:
    """How many calls a recovery of what is pending makes; the file is reset."""
    counts: list[int] = faulty.run("insitu.recover(path)")["counts"]
    faulty.reset()
    return counts


@pytest.mark.parametrize("edit", EDITS)
def test_any_call_that_fails_leaves_what_the_error_says(edit: str, faulty: Faulty) -> None:
    print(edit, strike(faulty, edit, 2))


@pytest.mark.proof
@pytest.mark.parametrize("edit", EDITS)
def test_every_call_that_fails_leaves_what_the_error_says(edit: str, faulty: Faulty) -> None:
    print(edit, strike(faulty, edit, None))
