"""Every planner, forced, on every file system there is: the bytes are those of the model."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import insitu
from insitu import Policy, Span
from insitu.errors import LimitError, NoPlanError
from insitu.storage.portable import PortableVolume
from tests.system.disks import SIZES, mounted

pytestmark = pytest.mark.slow
PLANNERS = ["overwrite", "shift", "blocks", "rewrite"]
SIZE = 20_000_000
BLOCK = 4096
Edits = list[tuple[Span, bytes]]


@pytest.fixture(params=["the folder of tests", "tmpfs", *SIZES])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    if request.param == "the folder of tests":
        yield tmp_path
    elif request.param == "tmpfs":
        if not os.path.ismount("/dev/shm"):
            pytest.skip("there is no tmpfs at /dev/shm")
        folder = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="insitu-test-"))
        yield folder
        shutil.rmtree(folder)
    else:
        with mounted(request.param, tmp_path, 320 << 20) as root:
            yield root


def patch(chance: random.Random, planner: str, size: int) -> Edits:
    """A random patch that the planner can carry out: sorted, disjoint edits."""
    if planner == "blocks":
        at, growth = chance.randrange(size // 2), BLOCK * chance.randrange(1, 400)
        old = chance.choice([0, chance.randrange(5_000)])
        if chance.random() < 0.5:
            return [(Span(at, at + old), chance.randbytes(old + growth))]
        return [(Span(at, at + old + growth), chance.randbytes(old))]
    count = chance.choice([1, 1, 2, 20, 2_000])
    offsets = sorted(chance.sample(range(size), 2 * count))
    edits = []
    for start, limit in zip(offsets[::2], offsets[1::2], strict=True):
        old = chance.choice([0, 1, limit - start, min(limit - start, chance.randrange(1, 20_000))])
        new = chance.choice([old, old, 0, old + 1, chance.randrange(1, 30_000), old // 2])
        edits.append((Span(start, start + old), chance.randbytes(new)))
    return edits


def patched(base: bytes, edits: Edits) -> bytes:
    parts, at = [], 0
    for span, new in edits:
        parts += [base[at : span.start], new]
        at = span.stop
    return b"".join([*parts, base[at:]])


def check_planner(path: Path, planner: str, rounds: int) -> int:
    """Edits and undoes at random; returns in how many rounds the planner could be used."""
    chance = random.Random(f"{planner}")
    base = chance.randbytes(SIZE)
    path.write_bytes(base)
    policy = Policy(planner=planner, history=chance.choice([3, 100]))
    used = 0
    for _ in range(rounds):
        edits = patch(chance, planner, len(base))
        with insitu.open(path, policy=policy) as doc:
            doc.replace_spans(edits)
            try:
                receipt = doc.commit()
            except (NoPlanError, LimitError) as error:
                assert path.read_bytes() == base
                doc.discard()
                print(error)
                continue
        if receipt is None:
            assert not any(span.size or new for span, new in edits)
            continue
        assert receipt.plan.startswith(planner)
        used += 1
        expected = patched(base, edits)
        assert path.read_bytes() == expected, f"{receipt.plan} of {len(edits)} edits"
        if chance.random() < 0.5:
            insitu.undo(path)
            assert path.read_bytes() == base
        else:
            base = expected
    return used


@pytest.mark.parametrize("planner", PLANNERS)
def test_a_forced_planner_makes_what_the_model_makes(disk: Path, planner: str) -> None:
    used = check_planner(disk / "file", planner, 5)
    if planner == "blocks" and used == 0:
        pytest.skip("this file system cannot insert or collapse ranges")
    assert used


@pytest.mark.parametrize("planner", ["overwrite", "shift", "rewrite"])
def test_the_portable_volume_makes_what_the_model_makes(
    tmp_path: Path, planner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("insitu.api.opening.local_volume", PortableVolume)
    assert isinstance(insitu.open.__globals__["local_volume"](), PortableVolume)
    assert check_planner(tmp_path / "file", planner, 5)


@pytest.mark.parametrize("planner", [None, *PLANNERS])
def test_a_patch_of_many_small_edits_is_undone_and_redone(disk: Path, planner: str | None) -> None:
    path = disk / "file"
    line = b"%06d a line of some text\n"
    before = b"".join(line % number for number in range(100_000))
    path.write_bytes(before)
    policy = Policy(planner=planner)
    try:
        receipt = insitu.replace(path, b"7 a line", b"7 another line", policy=policy)
    except NoPlanError:
        assert planner == "blocks"
        return
    after = before.replace(b"7 a line", b"7 another line")
    assert receipt.splices == 10_000
    assert path.read_bytes() == after
    insitu.undo(path, policy=policy)
    assert path.read_bytes() == before
    insitu.redo(path, policy=policy)
    assert path.read_bytes() == after
