"""The log of a draft: what was saved is there, what was torn is not, and no bytes are believed unchecked."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import insitu
from insitu.core.draft_records import PREAMBLE
from insitu.engine.draft_log import DraftLog
from insitu.errors import JournalDamagedError
from insitu.storage.local import local_volume

BASE = b"".join(b"line %04d\n" % number for number in range(300))


class Saved:
    """A draft with what it showed, and how long its log was, after each save."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path.parent / ".insitu" / f"{path.name}.d" / "draft"
        self.shown: list[bytes] = []
        self.sizes: list[int] = []

    def note(self, doc: insitu.Document) -> None:
        self.shown.append(doc.read(0, doc.size))
        self.sizes.append(self.log.stat().st_size)

    def now(self) -> bytes:
        with insitu.open(self.path, "r", draft=True) as doc:
            return doc.read(0, doc.size)


@pytest.fixture
def saved(tmp_path: Path) -> Iterator[Saved]:
    path = tmp_path / "file"
    path.write_bytes(BASE)
    saved = Saved(path)
    with insitu.open(path, draft=True) as doc:
        saved.note(doc)
        for edit in (
            lambda: doc.insert(100, b"inserted"),
            lambda: doc.replace(b"line", b"LINE"),
            doc.undo,
            lambda: doc.append(bytes(range(256)) * 20),
            lambda: doc.insert(0, insitu.extent(path, (50, 70))),
        ):
            edit()
            assert doc.save_draft()
            saved.note(doc)
    yield saved
    assert path.read_bytes() == BASE


def test_what_was_saved_is_what_is_shown(saved: Saved) -> None:
    assert saved.now() == saved.shown[-1]


def test_a_log_cut_anywhere_shows_the_last_save_that_is_whole(saved: Saved) -> None:
    whole = saved.log.read_bytes()
    chance = random.Random(5)
    for cut in sorted(chance.sample(range(saved.sizes[0], len(whole)), 60)) + saved.sizes:
        saved.log.write_bytes(whole[:cut])
        expected = max(index for index, size in enumerate(saved.sizes) if size <= cut)
        assert saved.now() == saved.shown[expected]


def test_a_torn_save_is_written_over_by_the_next(saved: Saved) -> None:
    whole = saved.log.read_bytes()
    saved.log.write_bytes(whole[: saved.sizes[-1] - 3] + b"???")
    with insitu.open(saved.path, draft=True) as doc:
        assert doc.read(0, doc.size) == saved.shown[-2]
        doc.insert(0, b"x")
        doc.save_draft()
        now = doc.read(0, doc.size)
    assert saved.now() == now


def test_a_flipped_byte_is_refused_or_was_in_the_last_save(saved: Saved) -> None:
    whole = saved.log.read_bytes()
    chance = random.Random(7)
    outcomes = set()
    for at in [*range(60), *chance.sample(range(60, len(whole)), 200), *range(len(whole) - 20, len(whole))]:
        spoiled = bytearray(whole)
        spoiled[at] ^= 1 << chance.randrange(8)
        saved.log.write_bytes(spoiled)
        try:
            now = saved.now()
        except JournalDamagedError as error:
            assert "not touched" in error.message
            outcomes.add("refused")
        else:
            # What lies between two saves counts for nothing; the last one cannot be told from a torn one.
            assert now in saved.shown[-2:]
            outcomes.add("last" if now == saved.shown[-1] else "before")
    assert outcomes == {"refused", "last", "before"}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.binary(max_size=400), keep=st.integers(0, 400), start=st.booleans())
def test_any_bytes_are_refused_and_never_crash(saved: Saved, data: bytes, keep: int, start: bool) -> None:
    whole = saved.log.read_bytes()
    try:
        saved.log.write_bytes((whole[:keep] if start else PREAMBLE.pack(b"insituD\x01", 5)) + data)
        with closing(local_volume().open(str(saved.log))) as file, suppress(JournalDamagedError):
            DraftLog.load(local_volume(), file, file.path, None)
    finally:
        saved.log.write_bytes(whole)
