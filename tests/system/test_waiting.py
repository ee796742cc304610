"""How long writers wait for each other: 8 that never pause, and 32 readers, on one file."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.system.programs import ended, start

WRITERS = 8
READING_PROCESSES, READERS = 4, 8  # 8 threads each
SECONDS = 60 if os.environ.get("INSITU_LONG") else 4
WAIT_P99_S = 1.0
# On a disk that takes longer for its syncs than an eighth of that, all wait; what counts then is that no
# writer waits many times as long as the others.
WAIT_P99_BY_P50 = 5

# Commits as fast as it can, and tells how long each commit waited for the lock.
WRITER = """
import json, sys, time, insitu
path, number, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
policy = insitu.Policy(history=20)
at = number * 100
insitu.write(path, at, at + 5, b"ready", policy=policy, lock_timeout_s=120)
print("ready", flush=True)
sys.stdin.readline()
until = time.monotonic() + seconds
waits = []
while time.monotonic() < until:
    data = b"%05d" % (len(waits) % 100_000)
    waits.append(insitu.write(path, at, at + 5, data, policy=policy, lock_timeout_s=120).lock_wait_s)
print(json.dumps(waits))
"""

READER = """
import sys, threading, time, insitu
path, threads, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
reads = []
insitu.read(path)
print("ready", flush=True)
sys.stdin.readline()
until = time.monotonic() + seconds
def work():
    while time.monotonic() < until:
        with insitu.open(path, "r") as doc:
            assert len(doc.read(0, doc.size)) == doc.size
        reads.append(1)
        time.sleep(0.05)
workers = [threading.Thread(target=work) for _ in range(threads)]
for worker in workers: worker.start()
for worker in workers: worker.join()
print(len(reads))
"""


def begin(processes: list[subprocess.Popen[bytes]]) -> None:
    """Lets all go at once, as soon as each is ready."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", process.communicate()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()


@pytest.mark.slow
def test_no_writer_waits_for_long_and_none_is_starved(tmp_path: Path) -> None:
    path = tmp_path / "shared"
    path.write_bytes(b"." * 100_000)
    writers = [start(WRITER, path, number, SECONDS) for number in range(WRITERS)]
    readers = [start(READER, path, READERS, SECONDS) for _ in range(READING_PROCESSES)]
    begin(writers + readers)
    each = [json.loads(line) for line in ended(writers)]
    reads = sum(map(int, ended(readers)))
    waits = sorted(wait for one in each for wait in one)
    p50, p99 = (waits[len(waits) * share // 100] for share in (50, 99))
    commits = [len(one) for one in each]
    print(
        f"{len(waits)} commits of {WRITERS} writers, {min(commits)} to {max(commits)} each, beside {reads} "
        f"reads of {READING_PROCESSES * READERS} readers: wait p50 {p50 * 1000:.0f} ms, "
        f"p99 {p99 * 1000:.0f} ms, longest {waits[-1] * 1000:.0f} ms"
    )
    assert reads
    assert p99 < max(WAIT_P99_S, WAIT_P99_BY_P50 * p50)
    assert 2 * min(commits) >= max(commits)
