"""A sequence under any mixture of edits, undo and redo is a bytearray with a list of versions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from insitu.core import rope
from insitu.core.patch import Patch
from insitu.core.pieces import Content, Copy, Fill, Kept, Literal, Piece
from insitu.core.sequence import Sequence
from insitu.core.spans import Span

OTHER = b"another\nfile\n\nwith lines\n" * 3

# Few different bytes, and many line ends, so that wrong places show as wrong counts.
texts = st.text("ab\n", max_size=12).map(str.encode)


def bytes_of(content: Content, base: bytes) -> bytes:
    match content:
        case Literal(data):
            return data
        case Fill(byte, count):
            return bytes([byte]) * count
        case Copy("other", span):
            return OTHER[span.start : span.stop]
        case Copy(_, span) | Kept(span):
            return base[span.start : span.stop]


class Newlines:
    """Counts line ends by reading them, and remembers which content was counted."""

    def __init__(self, base: bytes) -> None:
        self.base = base
        self.counted: list[Content] = []

    def count(self, content: Content) -> int:
        self.counted.append(content)
        return bytes_of(content, self.base).count(b"\n")

    def count_before(self, content: Content, offset: int) -> int:
        assert 0 < offset < content.size
        return bytes_of(content, self.base).count(b"\n", 0, offset)

    def find(self, content: Content, index: int) -> int | None:
        places = [at for at, byte in enumerate(bytes_of(content, self.base)) if byte == ord("\n")]
        return places[index] if index < len(places) else None


def check_rope(tree: rope.Rope) -> None:
    """Raises where an invariant of the rope (R1 to R4, see its module) does not hold."""
    sizes = [[part.size for part in block.parts] for block in tree.blocks]
    assert tree.size == sum(map(sum, sizes))
    assert all(size > 0 for block in sizes for size in block), "R1"
    assert all(sizes) or sizes == [[]], "R1"
    assert all(len(block) <= rope.BLOCK_PARTS for block in sizes)
    assert len(sizes) == 1 or all(len(block) >= rope.BLOCK_PARTS // 8 for block in sizes)
    parts = [part for block in tree.blocks for part in block.parts]
    assert all(
        rope.joined(left, right) is None or isinstance(left, rope.Slice) for left, right in pairwise(parts)
    ), "R2"
    kept = [part.span for part in parts if isinstance(part, Kept)]
    assert all(left.stop <= right.start for left, right in pairwise(kept))
    assert tree.columns[0].values == [sum(block) for block in sizes]
    for column in all_columns(tree):
        done = len(column.sums) - 1
        assert column.sums == list(accumulate(column.values[:done], initial=0)), "R3"
        assert rope.UNKNOWN not in column.values[:done], "R3"
    for k, column in enumerate(tree.columns):
        for block, value in zip(tree.blocks, column.values, strict=True):
            own = block.columns[k].values
            assert len(own) == len(block.parts)
            assert value == rope.UNKNOWN or (value == sum(own) and rope.UNKNOWN not in own), "R4"


def all_columns(tree: rope.Rope) -> Iterator[rope.Column]:
    yield from tree.columns
    for block in tree.blocks:
        yield from block.columns


class SequenceMachine(RuleBasedStateMachine):
    @initialize(base=st.text("ab\n", max_size=60).map(str.encode))
    def start(self, base: bytes) -> None:
        self.base = base
        self.sequence = Sequence(len(base))
        self.counter = Newlines(base)
        self.versions = [base]
        self.at = 0

    @property
    def content(self) -> bytes:
        return self.versions[self.at]

    def span(self, data: st.DataObject, size: int | None = None) -> Span:
        whole = len(self.content) if size is None else size
        start = data.draw(st.integers(0, whole))
        longest = data.draw(st.sampled_from([0, 3, 40]))
        return Span(start, data.draw(st.integers(start, min(whole, start + longest))))

    def became(self, content: bytes) -> None:
        del self.versions[self.at + 1 :]
        self.versions.append(content)
        self.at += 1

    @rule(data=st.data(), text=texts)
    def replace(self, data: st.DataObject, text: bytes) -> None:
        span = self.span(data)
        self.sequence.replace(span, text)
        if text or span.size:
            self.became(self.content[: span.start] + text + self.content[span.stop :])

    @rule(data=st.data(), text=texts, deletions=st.integers(0, 3))
    def type_and_delete(self, data: st.DataObject, text: bytes, deletions: int) -> None:
        at = data.draw(st.integers(0, len(self.content)))
        for byte in text:
            self.sequence.replace(Span(at, at), bytes([byte]))
            self.became(self.content[:at] + bytes([byte]) + self.content[at:])
            at += 1
        for _ in range(min(deletions, at)):
            self.sequence.replace(Span(at - 1, at), b"")
            self.became(self.content[: at - 1] + self.content[at:])
            at -= 1

    @rule(data=st.data())
    def replace_many(self, data: st.DataObject) -> None:
        bounds = sorted(data.draw(st.lists(st.integers(0, len(self.content)), max_size=12)))
        spans = [Span(a, b) for a, b in zip(bounds[::2], bounds[1::2], strict=False)]
        edits = [(span, data.draw(texts)) for span in spans]
        self.sequence.replace_many(edits)
        if any(text or span.size for span, text in edits):
            content = self.content
            for span, text in reversed(edits):
                content = content[: span.start] + text + content[span.stop :]
            self.became(content)

    @rule(data=st.data())
    def replace_pieces(self, data: st.DataObject) -> None:
        span = self.span(data)
        pieces: list[Piece] = []
        for kind in data.draw(st.lists(st.sampled_from("lcof"), max_size=4)):
            if kind == "l":
                pieces.append(Literal(data.draw(texts)))
            elif kind == "c":
                pieces.append(Copy(None, self.span(data, len(self.base))))
            elif kind == "o":
                pieces.append(Copy("other", self.span(data, len(OTHER))))
            else:
                pieces.append(Fill(data.draw(st.sampled_from(b"a\n")), data.draw(st.integers(0, 9))))
        self.sequence.replace_pieces(span, pieces)
        put = b"".join(bytes_of(piece, self.base) for piece in pieces)
        if put or span.size:
            self.became(self.content[: span.start] + put + self.content[span.stop :])

    @rule(times=st.integers(1, 6))
    def undo(self, times: int) -> None:
        for _ in range(times):
            assert self.sequence.undo() == (self.at > 0)
            self.at = max(self.at - 1, 0)

    @rule(times=st.integers(1, 6))
    def redo(self, times: int) -> None:
        for _ in range(times):
            assert self.sequence.redo() == (self.at + 1 < len(self.versions))
            self.at = min(self.at + 1, len(self.versions) - 1)

    @rule()
    def clear(self) -> None:
        self.sequence.clear()
        self.versions = [self.base]
        self.at = 0

    @rule(data=st.data())
    def read_a_span(self, data: st.DataObject) -> None:
        span = self.span(data)
        pieces = list(self.sequence.pieces(span))
        assert all(piece.size for piece in pieces)
        data_read = b"".join(bytes_of(piece, self.base) for piece in pieces)
        assert data_read == self.content[span.start : span.stop]

    @rule(data=st.data())
    def count_before(self, data: st.DataObject) -> None:
        offset = data.draw(st.integers(0, len(self.content)))
        count = self.sequence.measure(self.counter).count_before(offset)
        assert count == self.content.count(b"\n", 0, offset)

    @rule(data=st.data())
    def find_a_line_end(self, data: st.DataObject) -> None:
        places = [at for at, byte in enumerate(self.content) if byte == ord("\n")]
        index = data.draw(st.integers(0, len(places)))
        found = self.sequence.measure(self.counter).find(index)
        assert found == (places[index] if index < len(places) else None)

    @rule(data=st.data())
    def map_offsets(self, data: st.DataObject) -> None:
        """Against a walk over the pieces: kept bytes map to themselves, and maps ascend."""
        sequence = self.sequence
        at = 0
        for piece in sequence.pieces(Span(0, sequence.size)):
            if isinstance(piece, Kept):
                inner = data.draw(st.integers(0, piece.size - 1))
                assert sequence.base_to_current(piece.span.start + inner, after=True) == at + inner
                assert sequence.current_to_base(at + inner, after=True) == piece.span.start + inner
            at += piece.size
        for after in (False, True):
            currents = [sequence.base_to_current(o, after=after) for o in range(len(self.base) + 1)]
            bases = [sequence.current_to_base(o, after=after) for o in range(sequence.size + 1)]
            assert currents == sorted(currents)
            assert bases == sorted(bases)

    @invariant()
    def holds(self) -> None:
        sequence = self.sequence
        check_rope(sequence._rope)
        assert sequence.size == len(self.content)
        if self.at == 0:
            assert not sequence.changed
        splices = list(sequence.splices())
        assert sequence.changed == bool(splices)
        assert Patch(len(self.base), tuple(splices)).apply(self.base, self.read_other) == self.content
        assert all(left.span.stop < right.span.start for left, right in pairwise(splices))
        assert all(splice.span.size or splice.new_size for splice in splices)
        changes = sequence.changes()
        assert [change.base for change in changes] == [splice.span for splice in splices]
        for change, splice in zip(changes, splices, strict=True):
            put = b"".join(bytes_of(piece, self.base) for piece in splice.pieces)
            assert self.content[change.current.start : change.current.stop] == put

    @staticmethod
    def read_other(source: str, span: Span) -> bytes:
        assert source == "other"
        return OTHER[span.start : span.stop]


class SmallBlocks(SequenceMachine):
    """The same with blocks so small that they split and merge all the time."""

    @initialize()
    def small(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(rope, "BLOCK_PARTS", 8)
        self.patch.setattr(rope, "SLICE_BYTES", 7)

    def teardown(self) -> None:
        if hasattr(self, "patch"):
            self.patch.undo()


TestSequence: Any = SequenceMachine.TestCase
TestSequence.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestSequenceOfSmallBlocks: Any = SmallBlocks.TestCase
TestSequenceOfSmallBlocks.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
