"""What a snapshot reads while a commit of somebody else is half-way: its own version, or it waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import insitu
from insitu.core.patch import Splice
from insitu.core.pieces import Literal
from insitu.core.policy import Policy
from insitu.core.spans import Span
from insitu.engine.commit import Commit
from insitu.engine.recover import recover
from insitu.engine.session import generation, writing
from insitu.engine.site import Site
from insitu.engine.snapshot import Snapshot
from insitu.engine.spool import Spool
from insitu.errors import LockedError, RecoveryNeededError
from insitu.storage.local import local_volume

BASE = b"".join(b"line %05d\n" % number for number in range(3000))


@contextmanager
def half_way(path: Path, planner: str, start: int, stop: int, new: bytes) -> Iterator[None]:
    """A commit whose journal is durable; the target is spoiled where it may be; finished at the end."""
    site, policy = Site.of(local_volume(), str(path)), Policy(planner=planner)
    with writing(site, policy, 0) as held:
        commit = Commit(site, held.target, policy)
        spool = Spool(commit.journal, Snapshot(held.target, generation(site, held.target)), lambda path: None)
        spool.add([Splice(Span(start, stop), (Literal(new),))])
        spool.finish()
        plan, kept = commit.planned(None, None)
        commit.publish(plan, kept)
        for cover in commit.journal.covers:
            held.target.write(cover.start, b"?" * cover.size)
        yield
        for cover in commit.journal.covers:
            held.target.write(cover.start, commit.journal.covers.read(cover))
        commit.journal.close()
        recover(site, held.target)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(BASE)
    return path


@pytest.mark.parametrize("new", [b"X" * 6000, b""], ids=["overwritten", "cut"])
def test_an_overwrite_under_way_is_read_through(path: Path, new: bytes) -> None:
    stop = 4000 + len(new) if new else len(BASE)
    with insitu.open(path, "r", lock_timeout_s=0) as doc:
        insitu.write(path, 0, 4, b"LINE")
        with half_way(path, "overwrite", 4000, stop, new):
            assert b"?" in path.read_bytes()
            for _ in range(3):
                assert doc[:] == BASE
                assert doc.read_many([0, 3998, 9000], 50) == [BASE[at : at + 50] for at in (0, 3998, 9000)]
        assert doc[:] == BASE
    assert path.read_bytes() == b"LINE" + BASE[4:4000] + new + BASE[stop:]


def test_a_shift_under_way_is_waited_for(path: Path) -> None:
    with insitu.open(path, "r", lock_timeout_s=30) as doc, insitu.open(path, "r", lock_timeout_s=0) as hasty:
        found: list[bytes] = []
        reading = threading.Thread(target=lambda: found.append(doc[:]))
        with half_way(path, "shift", 100, 100, b"inserted"):
            reading.start()
            with pytest.raises(LockedError):
                hasty.read(0, 10)
            with pytest.raises(RecoveryNeededError):
                insitu.open(path, "r", lock_timeout_s=0)
            time.sleep(0.05)
            assert not found
        reading.join(10)
        assert found == [BASE]
        assert hasty[:] == BASE


def test_an_opening_waits_for_a_commit_under_way(path: Path) -> None:
    found: list[bytes] = []

    def look() -> None:
        with insitu.open(path, "r") as doc:
            found.append(doc[:])

    opening = threading.Thread(target=look)
    with half_way(path, "shift", 100, 100, b"inserted"):
        opening.start()
        time.sleep(0.05)
        assert not found
    opening.join(10)
    assert found == [BASE[:100] + b"inserted" + BASE[100:]]


def test_a_commit_that_was_waited_for_and_is_not_made_is_forgotten(path: Path) -> None:
    """The snapshot has followed the commits before it by then."""
    site, policy = Site.of(local_volume(), str(path)), Policy(planner="shift")
    with insitu.open(path, "r", lock_timeout_s=0) as doc:
        insitu.delete(path, 100, 200)
        with writing(site, policy, 0) as held:
            commit = Commit(site, held.target, policy)
            with commit.filling() as journal:
                Spool(journal, Snapshot(held.target, generation(site, held.target)), lambda path: None).add(
                    [Splice(Span(7, 7), (Literal(b"inserted"),))]
                )
            plan, kept = commit.planned(None, None)
            commit.publish(plan, kept)
            with pytest.raises(LockedError):
                doc.read(0, 10)
            site.volume.remove(site.journal)
            commit.close()
        assert doc[:] == BASE
