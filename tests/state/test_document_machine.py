"""Documents and one-call verbs on a real file, beside a model of plain bytes with a history of its own.

The model knows, of every commit, the splices it made: so it can say where a later commit finds its own
places, which edits conflict, and what an undo leaves.
"""

from __future__ import annotations

import itertools
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import NamedTuple

import hypothesis.strategies as st
import pytest
from hypothesis import event, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import insitu
from insitu.core import columns, plan, rendering
from insitu.core.pieces import Copy, Fill, Literal
from insitu.engine import execute, journal, pools, spool
from insitu.errors import (
    ExpectationError,
    NoMatchError,
    NoPlanError,
    SnapshotExpiredError,
    StaleError,
    UndoError,
)
from insitu.planners import overwrite, rewrite, shift

BLOCK = 4096
SMALL = [
    (plan, "WINDOW_BYTES", 2 * BLOCK),
    (execute, "WINDOW_BYTES", 2 * BLOCK),
    (execute, "DENSE_PLACES", 3),
    (shift, "WINDOW_BYTES", BLOCK),
    (shift, "SEGMENT_BYTES", 2 * BLOCK),
    (rewrite, "TRANSFER_BYTES", BLOCK),
    (overwrite, "_VECTOR_SPLICES", 4),
    (columns, "_VECTOR_SPLICES", 4),
    (rendering, "_READ_THROUGH_BYTES", 512),
    (spool, "BLOCK_SPLICES", 3),
    *((module, "PAYLOAD_BYTES", 3000) for module in (journal, pools, spool)),
]

Splices = list[tuple[int, int, bytes]]


def spliced(content: bytes, splices: Splices) -> bytes:
    for start, stop, new in reversed(splices):
        content = content[:start] + new + content[stop:]
    return content


def inverse(content: bytes, splices: Splices) -> Splices:
    shift_by, back = 0, []
    for start, stop, new in splices:
        back.append((start + shift_by, start + shift_by + len(new), content[start:stop]))
        shift_by += len(new) - (stop - start)
    return back


def moved(start: int, stop: int, over: Splices) -> int | None:
    """How far a span moves past splices; None where one touches it."""
    for a, b, _ in over:
        if (a < stop and b > start) if start < stop else (a < start < b):
            return None
    return sum(len(new) - (b - a) for a, b, new in over if b <= start)


class Text(NamedTuple):
    """Bytes that print briefly."""

    unit: bytes
    times: int = 1

    @property
    def data(self) -> bytes:
        return self.unit * self.times


@dataclass
class Commit:
    """One operation: what it made of what, and what it counts as."""

    number: int
    kind: str
    of: int
    splices: Splices
    before: bytes
    epoch: int
    """Grows with every change that no operation records."""


@dataclass
class Open:
    """A document and what it should hold."""

    doc: insitu.Document
    base: bytes
    commits: int
    epoch: int
    content: bytes
    past: list[bytes]
    future: list[bytes]
    fresh: bool = True
    """Nobody has committed since, so that its reads are certain."""

    def edited(self, content: bytes) -> None:
        if content is not self.content:
            self.past.append(self.content)
            self.future.clear()
            self.content = content


slots = st.sampled_from("ab")
texts = st.one_of(
    st.builds(Text, st.binary(max_size=6), st.just(1)),
    st.builds(Text, st.binary(min_size=1, max_size=3), st.integers(0, 3000)),
    st.sampled_from([Text(b"x", BLOCK), Text(b"needle"), Text(b"\n", 2 * BLOCK), Text(b"y", 3 * BLOCK)]),
)
policies = st.builds(
    insitu.Policy,
    planner=st.sampled_from([None, None, "overwrite", "shift", "blocks", "rewrite"]),
    visibility=st.sampled_from(["committed", "committed", "atomic"]),
    durability=st.sampled_from(["full", "fast"]),
    history=st.sampled_from([100, 100, 100, 3, 0]),
)


class Documents(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="insitu-machine-"))
        self.path = self.folder / "file"
        self.docs: dict[str, Open] = {}
        self.log: list[Commit] = []
        """Every recorded commit since the last break of the chain, kept or forgotten."""
        self.kept: list[Commit] = []
        self.epoch = 0
        self.monkeypatch = pytest.MonkeyPatch()
        for module, name, value in SMALL:
            self.monkeypatch.setattr(module, name, value)

    def teardown(self) -> None:
        for opened in self.docs.values():
            opened.doc.close()
        self.monkeypatch.undo()
        rmtree(self.folder)

    @initialize(
        unit=st.sampled_from([b"needle in hay\n", b"aaaab", b"\0", b"0123456789abcdef"]),
        size=st.sampled_from([0, 1, 100, BLOCK, 3 * BLOCK + 17, 10 * BLOCK]),
    )
    def begin(self, unit: bytes, size: int) -> None:
        self.now = (unit * (size // len(unit) + 1))[:size]
        self.path.write_bytes(self.now)

    # The model's own book-keeping

    def span(self, size: int, a: int, b: int) -> tuple[int, int]:
        start, stop = sorted((a % (size + 1), b % (size + 1)))
        return (start, stop) if stop - start < 3 * BLOCK or b % 3 else (start, min(start + 5, size))

    def record(
        self,
        receipt: insitu.Receipt,
        splices: Splices,
        policy: insitu.Policy,
        kind: str = "edit",
        of: int = 0,
    ) -> None:
        """Takes a commit over into the model."""
        event(receipt.plan)
        if policy.visibility == "atomic" or policy.planner:
            assert receipt.plan.startswith(policy.planner or "rewrite")
        before, self.now = self.now, spliced(self.now, splices)
        assert (receipt.size_before, receipt.size_after) == (len(before), len(self.now))
        for opened in self.docs.values():
            opened.fresh = False
        if policy.history == 0:
            self.kept.clear()
            self.break_chain()
            return
        done = Commit(receipt.operation, kind, of, splices, before, self.epoch)
        assert not self.kept or receipt.operation == self.kept[-1].number + 1
        self.log.append(done)
        self.kept.append(done)
        self.kept = self.kept[-policy.history :]

    def break_chain(self) -> None:
        self.epoch += 1
        self.log.clear()

    def stacks(self) -> tuple[list[Commit], list[Commit]]:
        done: list[Commit] = []
        undone: list[Commit] = []
        for commit in self.kept:
            if commit.kind == "undo":
                done = [other for other in done if other.number != commit.of]
                undone.append(commit)
            else:
                undone = [other for other in undone if other.number != commit.of]
                undone = [] if commit.kind == "edit" else undone
                done.append(commit)
        return done, undone

    def settle(self) -> None:
        """Lets a fast commit be closed, as the next writer would."""
        insitu.open(self.path).close()
        insitu.recover(self.path)

    # Documents

    def taken(self, slot: str) -> str:
        return slot if slot in self.docs else next(iter(self.docs))

    @rule(slot=slots, policy=policies)
    def open(self, slot: str, policy: insitu.Policy) -> None:
        if slot in self.docs:
            self.docs[slot].doc.close()
        doc = insitu.open(self.path, policy=policy, lock_timeout_s=2.0)
        self.docs[slot] = Open(doc, self.now, len(self.log), self.epoch, self.now, [], [])

    @precondition(lambda self: self.docs)
    @rule(slot=slots, a=st.integers(0, 1 << 20), b=st.integers(0, 1 << 20), text=texts)
    def edit(self, slot: str, a: int, b: int, text: Text) -> None:
        new = text.data
        slot = self.taken(slot)
        opened = self.docs[slot]
        start, stop = self.span(len(opened.content), a, b)
        if new or start < stop:
            opened.doc[start:stop] = new
            opened.edited(opened.content[:start] + new + opened.content[stop:])

    @precondition(lambda self: any(opened.fresh for opened in self.docs.values()))
    @rule(slot=slots, a=st.integers(0, 1 << 20), b=st.integers(0, 1 << 20), at=st.integers(0, 1 << 20))
    def paste(self, slot: str, a: int, b: int, at: int) -> None:
        opened = self.docs[self.taken(slot)]
        if not opened.fresh:
            return
        start, stop = self.span(len(opened.base), a, b)
        at %= len(opened.content) + 1
        if start < stop:
            opened.doc.insert(at, insitu.extent(self.path, (start, stop)))
            opened.edited(opened.content[:at] + opened.base[start:stop] + opened.content[at:])

    @precondition(lambda self: any(opened.fresh for opened in self.docs.values()))
    @rule(slot=slots, new=st.binary(max_size=9), count=st.sampled_from([None, 1, 40]))
    def replace_in_document(self, slot: str, new: bytes, count: int | None) -> None:
        opened = self.docs[self.taken(slot)]
        if not opened.fresh:
            return
        found = (
            opened.content.count(b"needle") if count is None else min(opened.content.count(b"needle"), count)
        )
        assert opened.doc.replace(b"needle", new, count=count) == found
        if found:
            opened.edited(opened.content.replace(b"needle", new, -1 if count is None else count))

    @precondition(lambda self: self.docs)
    @rule(slot=slots, back=st.booleans())
    def step_pending(self, slot: str, back: bool) -> None:
        slot = self.taken(slot)
        opened = self.docs[slot]
        source, target = (opened.past, opened.future) if back else (opened.future, opened.past)
        assert (opened.doc.undo() if back else opened.doc.redo()) == bool(source)
        if source:
            target.append(opened.content)
            opened.content = source.pop()

    @precondition(lambda self: self.docs)
    @rule(slot=slots)
    def discard(self, slot: str) -> None:
        opened = self.docs[self.taken(slot)]
        opened.doc.discard()
        opened.content, opened.past, opened.future = opened.base, [], []

    @precondition(lambda self: self.docs)
    @rule(slot=slots)
    def commit(self, slot: str) -> None:
        slot = self.taken(slot)
        opened = self.docs[slot]
        doc = opened.doc
        if not doc.changed:
            assert opened.content == opened.base and doc.commit() is None
            return
        expected = self.rebased(opened)
        try:
            receipt = doc.commit()
        except StaleError as error:
            assert expected is None, error
            event("stale")
            assert doc.changed
            return
        except NoPlanError:
            assert doc.policy.planner or doc.policy.visibility == "atomic"
            event("no plan")
            return
        assert expected is not None, "a conflicting commit went through"
        assert receipt is not None
        if receipt.rebased_over:
            event("rebased")
        assert len(receipt.rebased_over) == len(self.log) - opened.commits
        self.record(receipt, expected, doc.policy)
        self.docs[slot] = Open(doc, self.now, len(self.log), self.epoch, self.now, [], [])

    def rebased(self, opened: Open) -> Splices | None:
        """The document's splices over the file as it is now; None where they conflict."""
        if opened.epoch != self.epoch:
            return None
        over = [commit.splices for commit in self.log[opened.commits :]]
        present: Splices = []
        for span, pieces in opened.doc.sequence.splices():
            new = b""
            by = self.passed(*span, over)
            for piece in pieces:
                match piece:
                    case Literal(data):
                        new += data
                    case Fill(byte, count):
                        new += bytes((byte,)) * count
                    case Copy(None, copied):
                        by_copy = self.passed(*copied, over)
                        if by_copy is None:
                            return None
                        new += self.now[copied.start + by_copy : copied.stop + by_copy]
                    case _:
                        raise AssertionError(piece)
            if by is None:
                return None
            present.append((span.start + by, span.stop + by, new))
        return present

    def passed(self, start: int, stop: int, over: list[Splices]) -> int | None:
        by = 0
        for splices in over:
            step = moved(start + by, stop + by, splices)
            if step is None:
                return None
            by += step
        return by

    # One call

    @rule(a=st.integers(0, 1 << 20), b=st.integers(0, 1 << 20), text=texts, policy=policies)
    def write(self, a: int, b: int, text: Text, policy: insitu.Policy) -> None:
        new = text.data
        start, stop = self.span(len(self.now), a, b)
        if new or start < stop:
            self.attempt(
                policy, [(start, stop, new)], lambda: insitu.write(self.path, start, stop, new, policy=policy)
            )

    @rule(text=texts, policy=policies)
    def append(self, text: Text, policy: insitu.Policy) -> None:
        new = text.data
        if new:
            end = len(self.now)
            self.attempt(policy, [(end, end, new)], lambda: insitu.append(self.path, new, policy=policy))

    @rule(
        old=st.sampled_from([b"needle", b"aa", b"\n", b"\0", b"ab"]),
        new=st.binary(max_size=4) | st.sampled_from([b"needles!", b"N" * 300]),
        count=st.sampled_from([None, None, 3]),
        policy=policies,
    )
    def replace(self, old: bytes, new: bytes, count: int | None, policy: insitu.Policy) -> None:
        found = itertools.islice(re.finditer(re.escape(old), self.now), count)
        splices = [(*match.span(), new) for match in found]
        if not splices:
            assert insitu.replace(self.path, old, new, count=count, policy=policy).operation == 0
            with pytest.raises(NoMatchError):
                insitu.replace(self.path, old, new, expect=2, policy=policy)
        elif count is None:
            with pytest.raises(ExpectationError):
                insitu.replace(self.path, old, new, expect=len(splices) + 1, policy=policy)
        if splices and len(splices) * len(new) < 1 << 20:
            self.attempt(
                policy, splices, lambda: insitu.replace(self.path, old, new, count=count, policy=policy)
            )

    @rule(policy=policies)
    def replace_with_groups(self, policy: insitu.Policy) -> None:
        splices = [
            (*match.span(), match[2] + b"<" + match[1] + b">")
            for match in re.finditer(rb"([a-f])([0-9]*)\n?", self.now)
        ]
        if splices:
            self.attempt(
                policy,
                splices,
                lambda: insitu.replace(
                    self.path, rb"([a-f])([0-9]*)\n?", rb"\2<\1>", regex=True, policy=policy
                ),
            )

    def attempt(self, policy: insitu.Policy, splices: Splices, verb: Callable[[], insitu.Receipt]) -> None:
        try:
            receipt = verb()
        except NoPlanError:
            assert policy.planner or policy.visibility == "atomic"
            event("no plan")
            self.settle()
            return
        self.settle()
        self.record(receipt, splices, policy)

    @rule(back=st.booleans(), policy=policies)
    def walk(self, back: bool, policy: insitu.Policy) -> None:
        done, undone = self.stacks()
        stack = done if back else undone
        verb = insitu.undo if back else insitu.redo
        if not stack:
            with pytest.raises(UndoError):
                verb(self.path)
            return
        commit = stack[-1]
        splices = inverse(commit.before, commit.splices)
        wrote = sum(stop - start for start, stop, _ in splices)
        certain = commit.epoch == self.epoch or wrote
        try:
            receipt = verb(self.path, policy=policy)
        except UndoError:
            assert not certain, "the latest operation could not be reversed"
            event("undo refused")
            return
        except NoPlanError:
            assert policy.planner or policy.visibility == "atomic"
            self.settle()
            return
        assert certain
        event("walked")
        self.settle()
        self.record(receipt, splices, policy, "undo" if back else "redo", commit.number)

    # Somebody else

    @rule(data=st.binary(min_size=1, max_size=9))
    def foreign_append(self, data: bytes) -> None:
        self.settle()
        with open(self.path, "ab") as file:
            file.write(data)
        self.now += data
        self.break_chain()
        for opened in self.docs.values():
            opened.fresh = False

    # What always holds

    @invariant()
    def the_file_is_the_model(self) -> None:
        if hasattr(self, "now"):
            assert self.path.read_bytes() == self.now

    @invariant()
    def documents_read_their_content(self) -> None:
        for opened in self.docs.values():
            assert len(opened.doc) == len(opened.content)
            if opened.fresh:
                assert opened.doc[:] == opened.content
            elif opened.epoch == self.epoch:
                try:
                    assert opened.doc[:] == opened.content
                except SnapshotExpiredError:
                    event("expired")

    @invariant()
    def the_history_is_the_models(self) -> None:
        if hasattr(self, "now"):
            told = [(entry.number, entry.kind, entry.of) for entry in insitu.history(self.path)]
            assert told == [(commit.number, commit.kind, commit.of) for commit in self.kept]


TestDocuments = pytest.mark.slow(Documents.TestCase)
TestDocuments.settings = settings(
    max_examples=max(25, (settings.default.max_examples if settings.default else 100) // 4),
    stateful_step_count=30,
)
