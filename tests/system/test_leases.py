"""Programs that know nothing of insitu open a file while it is edited in place: old or new, never half made.

Every line of the file carries the number of the version, so that any mixture of two versions shows.
"""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import insitu
from insitu.errors import LockedError
from insitu.storage.linux import LinuxVolume
from tests.cli.running import run
from tests.system import disks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="leases are of Linux")

LINES = 2_000
NOBODY = 65534
BREAK_TIME = Path("/proc/sys/fs/lease-break-time")

# Opens the file whenever it is told to, or again and again; says which versions it saw.
LOOKING = """
import re, sys, time
path, again = sys.argv[1], sys.argv[2] == "again"
def look():
    with open(path, "rb", buffering=0) as file:
        parts = []
        while part := file.read(4096):
            parts.append(part)
    return sorted(set(re.findall(rb"<v0*([0-9]+)>", b"".join(parts))))
print("ready", flush=True)
for line in sys.stdin:
    if not again:
        print(b",".join(look()).decode(), flush=True)
        continue
    until = time.monotonic() + float(line)
    looks = 0
    while time.monotonic() < until:
        versions = look()
        looks += 1
        if len(versions) > 1:
            print("mixed", versions)
        time.sleep(0.001)
    print("looks", looks, flush=True)
"""


class Looker:
    """A program that only opens and reads."""

    def __init__(self, path: Path, how: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", LOOKING, str(path), how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        assert self.process.stdout is not None and self.process.stdout.readline() == "ready\n"

    def tell(self, word: str = "") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")

    def seen(self) -> list[str]:
        """The versions it saw."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip().split(",")

    def answers(self, within_s: float) -> bool:
        """Whether it has looked, or does within so long."""
        return bool(select.select([self.process.stdout], [], [], within_s)[0])

    def end(self) -> str:
        return self.process.communicate(timeout=60)[0]


@contextmanager
def looker(path: Path, how: str = "once") -> Iterator[Looker]:
    found = Looker(path, how)
    try:
        yield found
    finally:
        found.process.kill()
        found.process.communicate()


def made(path: Path, version: int = 0) -> Path:
    path.write_bytes(b"".join(b"%06d <v%06d> %b\n" % (i, version, b"." * 1500) for i in range(LINES)))
    return path


def stamped(number: int, planner: str) -> bytes:
    """Where data is to move, sizes differ."""
    return b"<v%0*d>" % (6 + (number % 3 if planner == "shift" else 0), number)


def edit(doc: insitu.Document, planner: str) -> None:
    """Makes it version 1, in many steps: as one long stretch that is overwritten, or by moving data."""
    if planner == "overwrite":
        doc[:] = doc.read(0, doc.size).replace(stamped(0, planner), stamped(1, planner))
    else:
        doc.replace(stamped(0, planner), stamped(1, planner))


@contextmanager
def disk(kind: str, folder: Path) -> Iterator[Path]:
    with ExitStack() as stack:
        if kind == "tmpfs":
            yield stack.enter_context(disks.temporary(folder))
        elif kind == "overlay":
            yield stack.enter_context(disks.overlaid(stack.enter_context(disks.temporary(folder))))
        elif kind == "here":
            yield folder
        else:
            yield stack.enter_context(disks.mounted(kind, folder))


class Told:
    """Progress that, once the file has begun to change, has somebody open it and gives them time to."""

    def __init__(self, looking: Looker, within_s: float) -> None:
        self.looking, self.within_s = looking, within_s
        self.answered: bool | None = None

    def __call__(self, done: int, total: int) -> None:
        if self.answered is None:
            self.looking.tell()
            self.answered = self.looking.answers(self.within_s)


def commit_while_somebody_looks(
    path: Path, planner: str, looking: Looker, within_s: float
) -> tuple[insitu.Receipt, bool | None, list[str]]:
    """The receipt, whether the other was let in half way, and which versions it saw."""
    told = Told(looking, within_s)
    with insitu.open(path, policy=insitu.Policy(planner=planner), locked=True) as doc:
        edit(doc, planner)
        receipt = doc.commit(progress=told)
    assert receipt is not None
    return receipt, told.answered, looking.seen()


@pytest.mark.parametrize("kind", ["here", "tmpfs", "overlay", "ext4", "xfs", "btrfs"])
def test_an_opening_waits_and_sees_the_new_file(tmp_path: Path, kind: str) -> None:
    planners = ["overwrite", "shift"] if kind == "here" else ["overwrite"]
    for planner in planners:
        with disk(kind, tmp_path) as root, looker(path := made(root / planner)) as looking:
            if not LinuxVolume().facts(str(root)).leases:
                pytest.skip(f"no leases on {kind}")
            receipt, let_in, versions = commit_while_somebody_looks(path, planner, looking, 0.1)
            assert (receipt.lease, let_in, versions) == ("held", False, ["1"])


def test_who_has_the_file_open_is_told_of_and_sees_a_mixture(tmp_path: Path) -> None:
    """What leases are for: without one, the same reader gets in, half way."""
    path = made(tmp_path / "file")
    with looker(path) as looking, open(path, "rb"):
        receipt, let_in, versions = commit_while_somebody_looks(path, "overwrite", looking, 30)
    assert (receipt.lease, let_in, versions) == ("in use", True, ["0", "1"])


@pytest.mark.slow
@pytest.mark.parametrize("planner", ["overwrite", "shift"])
def test_programs_that_open_it_again_and_again_never_see_a_mixture(tmp_path: Path, planner: str) -> None:
    path = made(tmp_path / "file")
    policy = insitu.Policy(planner=planner, unleased="refuse", history=3)
    number = refused = 0
    with looker(path, "again") as one, looker(path, "again") as other:
        for looking in (one, other):
            looking.tell("4")
        until = time.monotonic() + 4
        while time.monotonic() < until:
            old, new = stamped(number, planner), stamped(number + 1, planner)
            try:
                receipt = insitu.replace(path, old, new, policy=policy)
            except LockedError:
                refused += 1
                continue
            assert (receipt.lease, receipt.splices) == ("held", LINES)
            number += 1
        said = [looking.end() for looking in (one, other)]
    print(f"{planner}: {number} commits with a lease, {refused} refused, others: {said}")
    assert not any("mixed" in words for words in said)
    assert all(int(words.split()[1]) > 10 for words in said)
    assert number > 2


def test_a_verb_that_insists_waits_for_nobody_and_says_who_is_to_blame(tmp_path: Path) -> None:
    path = made(tmp_path / "file")
    arguments = ("replace", path, "<v000000>", "<v000001>", "--all", "--planner", "overwrite", "--json")
    with open(path, "rb"):
        refused = run(*arguments, "--unleased", "refuse")
    assert (refused.code, refused.json["error"]["code"]) == (4, "locked")
    assert b"<v000001>" not in path.read_bytes()
    done = run(*arguments, "--unleased", "refuse")
    assert (done.code, done.json["receipt"]["lease"]) == (0, "held")


def test_openings_by_insitu_wait_for_leases_of_others(tmp_path: Path) -> None:
    path = made(tmp_path / "file")
    holding = """
import fcntl, os, sys, time
descriptor = os.open(sys.argv[1], os.O_RDWR)
fcntl.fcntl(descriptor, fcntl.F_SETSIG, 23)
fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print(flush=True)
time.sleep(0.2)
print(time.monotonic())
"""
    with subprocess.Popen(
        [sys.executable, "-c", holding, str(path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert insitu.read(path, 7, 16) == b"<v000000>"
        read_at = time.monotonic()
        assert read_at > float(holder.stdout.read())


SIGNALLED = """
import os, signal, subprocess, sys, time
from insitu.storage.linux import LinuxVolume
heard = []
for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
    before = signal.getsignal(number)
    if number >= signal.SIGRTMIN or number in (signal.SIGIO, signal.SIGURG):
        signal.signal(number, lambda *what: heard.append(what))
file = LinuxVolume().open(sys.argv[1], write=True)
assert file.lease(1.0) == "held"
other = subprocess.Popen([sys.executable, "-c", "import sys; open(sys.argv[1]).close()", sys.argv[1]])
time.sleep(0.3)
assert other.poll() is None
assert file.release()
other.wait()
print(len(heard))
"""


def test_no_signal_comes_of_others_who_wait(tmp_path: Path) -> None:
    path = made(tmp_path / "file")
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "0"


def test_a_lease_is_not_asked_for_where_the_kernel_would_take_it_back_sooner(tmp_path: Path) -> None:
    file = LinuxVolume().open(str(made(tmp_path / "file")), write=True)
    break_s = float(BREAK_TIME.read_text())
    assert file.lease(break_s) == ("too long" if break_s else "held")
    file.close()


@pytest.mark.slow
@pytest.mark.root  # who alone may say how soon leases are taken back
def test_a_lease_that_the_kernel_took_back_is_not_claimed(tmp_path: Path) -> None:
    path = made(tmp_path / "file")
    before = BREAK_TIME.read_text()
    BREAK_TIME.write_text("1")
    try:
        file = LinuxVolume().open(str(path), write=True)
        assert file.lease(0.5) == "held"
        with looker(path) as looking:
            looking.tell()
            looking.seen()  # is let in all the same
        assert not file.release()
        file.close()
    finally:
        BREAK_TIME.write_text(before)


def test_a_locked_document_gets_one_behind_its_own_rewrite(tmp_path: Path) -> None:
    with insitu.open(made(tmp_path / "file"), locked=True) as doc:
        leases = []
        for planner, new in (("rewrite", b"longer than it was"), ("overwrite", b"short")):
            doc.policy = insitu.Policy(planner=planner)
            doc[: len(new)] = new
            receipt = doc.commit()
            assert receipt is not None
            leases.append(receipt.lease)
    assert leases == ["not needed", "held"]


@pytest.mark.root
def test_a_file_of_another_user_gets_none(tmp_path: Path) -> None:
    file = LinuxVolume().open(str(made(tmp_path / "file")), write=True)
    os.seteuid(NOBODY)
    try:
        assert file.lease(0.0) == "not allowed"
    finally:
        os.seteuid(0)
    assert file.lease(0.0) == "held"
    file.close()


def test_doctor_tells_whether_the_file_gets_a_lease(tmp_path: Path) -> None:
    path = made(tmp_path / "file")
    promise = "programs outside insitu wait for short edits"
    assert insitu.doctor(path)["guarantees"][promise].startswith("holds")
    with open(path, "rb"):
        assert "open elsewhere" in insitu.doctor(path)["guarantees"][promise]
    assert insitu.doctor(tmp_path)["facts"]["leases"]
    descriptor = os.open(path, os.O_RDWR)
    assert fcntl.fcntl(descriptor, fcntl.F_GETLEASE) == fcntl.F_UNLCK
    os.close(descriptor)
