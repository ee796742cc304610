"""Snapshots held over random commits: each reads exactly its own generation, whatever is done to the file.

The model is the whole content after every operation; a snapshot's oracle is the bytes it was opened on.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from shutil import rmtree

import hypothesis.strategies as st
import pytest
from hypothesis import event, settings
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

import insitu
from insitu.core import columns, plan, rendering
from insitu.engine import execute, journal, layers, pools, spool
from insitu.errors import NoPlanError, SnapshotExpiredError, UndoError
from insitu.planners import overwrite, rewrite, shift

BLOCK = 4096
SMALL = [
    (plan, "WINDOW_BYTES", 2 * BLOCK),
    (execute, "WINDOW_BYTES", 2 * BLOCK),
    (shift, "WINDOW_BYTES", BLOCK),
    (shift, "SEGMENT_BYTES", 2 * BLOCK),
    (rewrite, "TRANSFER_BYTES", BLOCK),
    (overwrite, "_VECTOR_SPLICES", 4),
    (columns, "_VECTOR_SPLICES", 4),
    (rendering, "_READ_THROUGH_BYTES", 512),
    (spool, "BLOCK_SPLICES", 3),
    (layers, "JOINED_PIECES", 12),
    (layers, "HELD_BYTES", 5000),
    (layers, "_SCATTERED_PLACES", 3),
    *((module, "PAYLOAD_BYTES", 3000) for module in (journal, pools, spool, layers)),
]
START = b"".join(b"%05d needle\n" % number for number in range(2000))
HISTORY = 6

policies = st.builds(
    insitu.Policy,
    planner=st.sampled_from([None, None, "overwrite", "shift", "blocks", "rewrite"]),
    durability=st.sampled_from(["full", "fast"]),
    history=st.just(HISTORY),
)
places = st.floats(0, 1)


class Snapshots(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="insitu-snapshots-"))
        self.path = self.folder / "file"
        self.path.write_bytes(START)
        self.versions = [START]
        self.held: list[tuple[insitu.Document, int]] = []
        self.monkeypatch = pytest.MonkeyPatch()
        for module, name, value in SMALL:
            self.monkeypatch.setattr(module, name, value)

    def teardown(self) -> None:
        for doc, _ in self.held:
            doc.close()
        self.monkeypatch.undo()
        rmtree(self.folder)

    @property
    def now(self) -> bytes:
        return self.versions[-1]

    def made(self, content: bytes) -> None:
        self.versions.append(content)
        assert self.path.read_bytes() == content

    def span(self, place: float, size: int) -> tuple[int, int]:
        start = int(place * len(self.now))
        return start, min(start + size, len(self.now))

    @rule(place=places, size=st.sampled_from([0, 1, 7, 300, 9000]), new=st.integers(0, 9000), policy=policies)
    def edit(self, place: float, size: int, new: int, policy: insitu.Policy) -> None:
        start, stop = self.span(place, size)
        data = (b"%d " % new * 9000)[: new if size else max(new, 1)]
        if self.now[start:stop] == data:
            return
        try:
            with insitu.open(self.path, policy=policy) as doc:
                doc[start:stop] = data
        except NoPlanError:
            return
        self.made(self.now[:start] + data + self.now[stop:])

    @rule(place=places, size=st.sampled_from([1, 300, 9000]), policy=policies)
    def overwrite(self, place: float, size: int, policy: insitu.Policy) -> None:
        start, stop = self.span(place, size)
        self.edit_to(start, stop, bytes(byte ^ 1 for byte in self.now[start:stop]), policy)

    def edit_to(self, start: int, stop: int, data: bytes, policy: insitu.Policy) -> None:
        if start < stop:
            try:
                with insitu.open(self.path, policy=policy) as doc:
                    doc[start:stop] = data
            except NoPlanError:
                return
            self.made(self.now[:start] + data + self.now[stop:])

    @rule(new=st.sampled_from([b"thread", b"pin", b"haystack"]), policy=policies)
    @precondition(lambda self: b"needle" in self.now)
    def replace_all(self, new: bytes, policy: insitu.Policy) -> None:
        try:
            insitu.replace(self.path, b"needle", new, policy=policy)
        except NoPlanError:
            return
        self.made(self.now.replace(b"needle", new))

    @rule(redo=st.booleans())
    def reverse(self, redo: bool) -> None:
        try:
            (insitu.redo if redo else insitu.undo)(self.path, policy=insitu.Policy(history=HISTORY))
        except UndoError:
            return
        self.made(self.path.read_bytes())

    @rule(place=places)
    def transact(self, place: float) -> None:
        other = self.folder / "other"
        other.write_bytes(b"0")
        start, stop = self.span(place, 3)
        with insitu.transaction(policy=insitu.Policy(history=HISTORY)) as both:
            both.open(self.path)[start:stop] = b"[both]"
            both.open(other)[:] = b"1"
        self.made(self.now[:start] + b"[both]" + self.now[stop:])

    @rule(read_only=st.booleans())
    @precondition(lambda self: len(self.held) < 5)
    def hold(self, read_only: bool) -> None:
        doc = insitu.open(self.path, "r" if read_only else "r+")
        self.held.append((doc, len(self.versions) - 1))

    @rule(back=st.integers(0, HISTORY + 1))
    @precondition(lambda self: len(self.held) < 5)
    def look_back(self, back: int) -> None:
        number = max(0, len(self.versions) - 1 - back)
        try:
            doc = insitu.open(self.path, at=number)
        except UndoError:
            assert len(self.versions) - 1 - number >= HISTORY - 1
            return
        assert doc.size == len(self.versions[number])
        self.held.append((doc, number))

    @rule(which=st.integers(0, 4), place=places, size=st.sampled_from([1, 100, 7000]))
    @precondition(lambda self: self.held)
    def read(self, which: int, place: float, size: int) -> None:
        doc, number = self.held[which % len(self.held)]
        oracle = self.versions[number]
        start = int(place * len(oracle))
        stop = min(start + size, len(oracle))
        try:
            assert doc.read(start, stop - start) == oracle[start:stop]
            assert doc[:] == oracle
            if size <= len(oracle):
                assert doc.read_many([0, len(oracle) - size], size) == [oracle[:size], oracle[-size:]]
            assert doc.count(b"needle") == oracle.count(b"needle")
            assert len(doc.lines) == len(oracle.splitlines())
        except SnapshotExpiredError:
            event("expired")
            assert len(self.versions) - 1 - number >= HISTORY - 1
            self.held.remove((doc, number))
            doc.close()

    @rule(which=st.integers(0, 4))
    @precondition(lambda self: self.held)
    def let_go(self, which: int) -> None:
        doc, _ = self.held.pop(which % len(self.held))
        doc.discard()
        doc.close()


TestSnapshots = Snapshots.TestCase
TestSnapshots.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
