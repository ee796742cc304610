"""Readers that hold snapshots while real processes commit as fast as they can: no version is ever mixed.

Every line of the file carries the number of the version, so that any mixture of two versions shows.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from hashlib import blake2b
from pathlib import Path
from threading import Thread

import pytest

import insitu
from insitu.errors import SnapshotExpiredError

LINES = 300
SECONDS = 4

WRITER = """
import random, sys, time, insitu
path, planner, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
until = time.monotonic() + seconds
def stamped(number):
    # Sizes differ, so that later bytes move, unless nothing may.
    return b"<v%0*d>" % (6 if planner == "overwrite" else 3 + number % 3, number)
policy = insitu.Policy(planner=planner, history=60, durability=random.choice(["full", "fast"]))
number, commits = int(sys.argv[4]), 0
while time.monotonic() < until:
    insitu.replace(path, stamped(number), stamped(number + 1), policy=policy)
    number += 1
    commits += 1
    if random.random() < 0.3:
        insitu.undo(path, policy=policy)
        number -= 1
        commits += 1
print(commits)
"""

TOKEN = re.compile(rb"<v0*(\d+)>")


def made(path: Path, planner: str) -> None:
    width = 6 if planner == "overwrite" else 3
    filler = b"." * 15_000
    path.write_bytes(b"".join(b"%06d <v%0*d> %b\n" % (i, width, 0, filler) for i in range(LINES)))


class Reader:
    """Opens, looks again and again, and notes what was wrong."""

    def __init__(self, path: Path, until: float) -> None:
        self.path, self.until = path, until
        self.snapshots = self.reads = self.overtaken = self.expired = 0
        self.wrong: list[str] = []

    def __call__(self) -> None:
        try:
            while time.monotonic() < self.until:
                self.hold()
        except BaseException as error:
            self.wrong.append(repr(error))

    def hold(self) -> None:
        with insitu.open(self.path, "r") as doc:
            self.snapshots += 1
            try:
                first = self.look(doc)
                for _ in range(6):
                    again = self.look(doc)
                    if again != first:
                        self.wrong.append(f"{again} after {first} of {doc.generation.token}")
            except SnapshotExpiredError:
                self.expired += 1
            self.overtaken += doc.base.overtaken

    def look(self, doc: insitu.Document) -> tuple[object, ...]:
        data = doc.read(0, doc.size)
        versions = set(TOKEN.findall(data))
        if len(versions) != 1 or data.count(b"\n") != LINES:
            self.wrong.append(f"a mixture of versions {sorted(versions)[:5]}")
        token = TOKEN.search(data)
        assert token is not None
        # Scans on several threads, each of which may find the file changed.
        places = doc.count(token[0])
        if places != LINES:
            self.wrong.append(f"{places} lines of version {token[1]!r} instead of {LINES}")
        self.reads += 1
        return blake2b(data).digest(), places, len(doc.lines)


@pytest.mark.slow
@pytest.mark.parametrize("planner", ["overwrite", "shift", "rewrite"])
def test_readers_never_see_a_mixture(tmp_path: Path, planner: str) -> None:
    path = tmp_path / "file"
    made(path, planner)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), planner, str(SECONDS), "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    readers = [Reader(path, time.monotonic() + SECONDS) for _ in range(2)]
    threads = [Thread(target=reader) for reader in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    commits, _ = writer.communicate(timeout=60)
    assert writer.returncode == 0
    reads, overtaken = sum(reader.reads for reader in readers), sum(reader.overtaken for reader in readers)
    expired = sum(reader.expired for reader in readers)
    print(
        f"{planner}: {commits.strip()} commits, {reads} whole reads, {overtaken} overtaken, {expired} expired"
    )
    assert [reader.wrong for reader in readers] == [[], []]
    assert reads > 10
    assert planner == "rewrite" or overtaken
