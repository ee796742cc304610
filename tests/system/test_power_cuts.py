"""The shutdown ioctl, a power cut for one disk, under eight writers: no acknowledged commit is lost."""

from __future__ import annotations

import fcntl
import json
import os
import random
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from xxhash import xxh3_128_hexdigest

import insitu
from tests.system.disks import made, room
from tests.system.programs import start

pytestmark = [pytest.mark.root, pytest.mark.slow]
CUTS = {"test": 25, "proof": 500}  # each, on each of the two file systems
WRITERS = 8
SIZE = 200_000
# XFS_IOC_GOINGDOWN and EXT4_IOC_SHUTDOWN are one number: _IOR('X', 125, __u32). 2 does not even flush the
# log: what is in memory stays there.
SHUTDOWN = 0x8004587D
WITHOUT_FLUSHING = struct.pack("=I", 2)
KINDS = {"ext4": (96 << 20, ["-q", "-m", "0"]), "xfs": (320 << 20, ["-q", "-m", "reflink=1"])}

# Commits until the disk is gone, then tells what the file was at the last acknowledged commit, what the
# running one makes of it, and what its error said. The same chance decides where, how and how much.
WRITER = """
import json, os, random, sys
from xxhash import xxh3_128_hexdigest as digest
import insitu
from insitu.errors import InsituError, NoPlanError, StorageError

def change(chance, path, now, planner):
    at, size = chance.randrange(len(now)), chance.choice([1, 50, 5_000])
    policy = insitu.Policy(planner=planner, history=3)
    if planner == "overwrite":
        stop = min(len(now), at + size)
        new = chance.randbytes(stop - at)
        return now[:at] + new + now[stop:], lambda: insitu.write(path, at, stop, new, policy=policy)
    if planner == "blocks":
        size = 16_384
    if chance.random() < 0.5 and len(now) > size + 50_000:
        at = chance.randrange(len(now) - size)
        return now[:at] + now[at + size :], lambda: insitu.delete(path, at, at + size, policy=policy)
    new = chance.randbytes(size)
    return now[:at] + new + now[at:], lambda: insitu.insert(path, at, new, policy=policy)

def held(path):
    mine = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    return [os.readlink(one) for one in mine if os.path.dirname(path) in os.path.realpath(one)]

for line in sys.stdin:
    path, seed = json.loads(line)
    chance = random.Random(seed)
    previous = now = open(path, "rb").read()
    undoable = False
    told = {"commits": 0, "error": "", "state": "", "next": ""}
    print("ready", flush=True)
    while not told["error"]:
        if undoable and chance.random() < 0.2:
            after, edit, undoable = previous, lambda: insitu.undo(path), False
        else:
            planner = chance.choice(["overwrite", "overwrite", "shift", "blocks", "rewrite", None])
            after, edit = change(chance, path, now, planner)
            undoable = True
        try:
            edit()
        except NoPlanError:
            undoable = False
            continue
        except InsituError as error:
            told["error"] = repr(error)
            told["state"] = getattr(error, "file_state", "old")
            told["next"] = digest(after)
        else:
            previous, now = now, after
            told["commits"] += 1
    print(json.dumps({**told, "now": digest(now), "open": held(path)}), flush=True)
"""


@contextmanager
def attached(image: Path) -> Iterator[str]:
    """The loop device of an image."""
    device = subprocess.run(
        ["losetup", "--find", "--show", str(image)], check=True, capture_output=True, text=True
    ).stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def mount(device: str, root: Path, options: str = "") -> None:
    subprocess.run(["mount", *(["-o", options] if options else []), device, str(root)], check=True)


def unmount(root: Path) -> None:
    """Really unmounts, so that mounting again reads what the disk holds."""
    for _ in range(200):
        done = subprocess.run(["umount", str(root)], check=False, capture_output=True, text=True)
        if done.returncode == 0:
            return
        time.sleep(0.01)
    raise AssertionError(done.stderr)


def cut(root: Path) -> None:
    folder = os.open(root, os.O_RDONLY)
    try:
        fcntl.ioctl(folder, SHUTDOWN, WITHOUT_FLUSHING)
    finally:
        os.close(folder)


def check_file(path: Path, told: dict[str, str], chance: random.Random) -> str:
    """Recovers a file after the cut; returns which of the two it is."""
    if chance.random() < 0.5:
        insitu.recover(path)
    else:
        with insitu.open(path):
            pass
    outcome = {told["next"]: "new", told["now"]: "old"}.get(xxh3_128_hexdigest(path.read_bytes()))
    assert outcome, f"neither old nor new: {told}"
    if told["state"] in ("old", "new"):
        assert outcome == told["state"], f"the error said otherwise: {told}"
    insitu.recover(path)
    state = path.parent / ".insitu" / f"{path.name}.d"
    assert not state.exists() or all(name.endswith(".op") for name in os.listdir(state)), os.listdir(state)
    assert "user.insitu.pending" not in os.listxattr(path)
    return outcome


def cuts(kind: str, folder: Path, count: int) -> dict[str, int]:
    """Cuts the power of a disk under its writers; returns how often each outcome was met."""
    size_bytes, options = KINDS[kind]
    root = folder / "disk"
    root.mkdir()
    chance = random.Random(f"cuts of {kind}")
    found = {"cuts": 0, "commits": 0, "old": 0, "new": 0, "pending": 0}
    writers = [start(WRITER) for _ in range(WRITERS)]
    with room(folder) as place, attached(made(kind, place, size_bytes, options)) as device:
        mount(device, root)
        try:
            paths = [root / str(number) / "file" for number in range(WRITERS)]
            for path in paths:
                path.parent.mkdir()
                path.write_bytes(chance.randbytes(SIZE))
            for number in range(count):
                if number % 25 == 24:  # back to the first size, whatever the edits have come to
                    for path in paths:
                        insitu.write(path, 0, path.stat().st_size, chance.randbytes(SIZE))
                os.sync()
                for writer, path in zip(writers, paths, strict=True):
                    assert writer.stdin
                    writer.stdin.write(json.dumps([str(path), f"{number} {path}"]).encode() + b"\n")
                    writer.stdin.flush()
                for writer in writers:
                    assert writer.stdout
                    assert writer.stdout.readline() == b"ready\n", writer.communicate()
                time.sleep(chance.uniform(0.005, 0.15))
                cut(root)
                tellings = [json.loads(writer.stdout.readline()) for writer in writers if writer.stdout]
                assert not any(told["open"] for told in tellings), tellings
                unmount(root)
                mount(device, root)
                for path, told in zip(paths, tellings, strict=True):
                    found["pending"] += (path.parent / ".insitu" / "file.d" / "journal").exists()
                    found[check_file(path, told, chance)] += 1
                    found["commits"] += told["commits"]
                found["cuts"] += 1
        finally:
            for writer in writers:
                writer.kill()
                writer.communicate()
            unmount(root)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_no_acknowledged_commit_is_lost_to_a_power_cut(kind: str, tmp_path: Path) -> None:
    found = cuts(kind, tmp_path, CUTS["test"])
    print(kind, found)
    assert found["commits"]


@pytest.mark.proof
@pytest.mark.parametrize("kind", KINDS)
def test_many_power_cuts_lose_no_acknowledged_commit(kind: str, tmp_path: Path) -> None:
    found = cuts(kind, tmp_path, CUTS["proof"])
    print(kind, found)
    assert found["pending"]
