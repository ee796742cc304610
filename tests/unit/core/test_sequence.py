"""Pending edits: what each call does, and what it costs, in single cases."""

from __future__ import annotations

import random
import time
from itertools import pairwise

import pytest

from insitu.core.patch import Patch, Splice
from insitu.core.pieces import Content, Copy, Fill, Kept, Literal
from insitu.core.rope import SLICE_BYTES
from insitu.core.sequence import TYPED_BYTES, Change, Sequence
from insitu.core.spans import Span
from insitu.errors import InternalError, SpanError

BASE = b"one\ntwo\nthree\n"


def sequence() -> Sequence:
    return Sequence(len(BASE))


def content(edited: Sequence, base: bytes = BASE) -> bytes:
    return Patch(len(base), tuple(edited.splices())).apply(base)


def all_pieces(edited: Sequence) -> list[Content]:
    return list(edited.pieces(Span(0, edited.size)))


def test_a_new_sequence_keeps_its_base() -> None:
    edited = sequence()
    assert all_pieces(edited) == [Kept(Span(0, 14))]
    assert not edited.changed
    assert list(edited.splices()) == []


def test_an_edit_of_nothing_by_nothing_is_no_edit() -> None:
    edited = sequence()
    edited.replace(Span(3, 3), b"")
    edited.replace_many([])
    edited.replace_pieces(Span(0, 0), [Fill(0, 0), Copy("x", Span(4, 4)), Literal(b"")])
    assert not edited.undo()


def test_an_edit_of_nothing_keeps_what_can_be_redone() -> None:
    edited = sequence()
    edited.replace(Span(0, 1), b"O")
    edited.undo()
    edited.replace(Span(3, 3), b"")
    assert edited.redo()


def test_a_new_edit_ends_redo() -> None:
    edited = sequence()
    edited.replace(Span(0, 1), b"O")
    edited.undo()
    edited.replace(Span(1, 2), b"N")
    assert not edited.redo()
    assert content(edited) == b"oNe\ntwo\nthree\n"


def test_typing_extends_one_piece_and_is_undone_key_by_key() -> None:
    edited = sequence()
    for at, letter in enumerate(b"typed", start=4):
        edited.replace(Span(at, at), bytes([letter]))
    assert all_pieces(edited) == [Kept(Span(0, 4)), Literal(b"typed"), Kept(Span(4, 14))]
    seen = []
    while edited.undo():
        seen.append(content(edited))
    assert seen == [b"one\n" + b"typed"[:count] + BASE[4:] for count in (4, 3, 2, 1, 0)]
    assert not edited.changed


def test_what_was_deleted_and_brought_back_is_one_kept_piece_again() -> None:
    edited = sequence()
    edited.replace(Span(2, 9), b"")
    edited.replace(Span(1, 3), b"x")
    edited.undo()
    edited.undo()
    assert all_pieces(edited) == [Kept(Span(0, 14))]


def test_everything_between_two_kept_pieces_is_one_splice() -> None:
    edited = sequence()
    edited.replace(Span(4, 7), b"2")
    edited.replace(Span(4, 4), b"<")
    edited.replace(Span(6, 6), b">")
    edited.replace(Span(13, 13), b"")
    assert list(edited.splices()) == [Splice(Span(4, 7), (Literal(b"<2>"),))]


def test_many_replacements_are_one_edit_in_offsets_of_before() -> None:
    edited = sequence()
    edited.replace(Span(0, 0), b"zero\n")
    edited.replace_many([(Span(0, 4), b"0"), (Span(5, 8), b""), (Span(8, 8), b"!"), (Span(8, 8), b"?")])
    assert content(edited) == b"0\n!?\ntwo\nthree\n"
    edited.undo()
    assert content(edited) == b"zero\n" + BASE
    edited.redo()
    assert content(edited) == b"0\n!?\ntwo\nthree\n"


@pytest.mark.parametrize("spans", [[(4, 6), (0, 2)], [(0, 5), (4, 6)], [(0, 1), (13, 15)], [(3, 2)]])
def test_unsorted_overlapping_or_outer_replacements_change_nothing(spans: list[tuple[int, int]]) -> None:
    edited = sequence()
    with pytest.raises(SpanError):
        edited.replace_many([(Span(*span), b"x") for span in spans])
    assert not edited.changed
    assert not edited.undo()


@pytest.mark.parametrize("span", [Span(-1, 3), Span(3, 2), Span(10, 15), Span(15, 15)])
def test_spans_outside_the_content_are_refused(span: Span) -> None:
    edited = sequence()
    with pytest.raises(SpanError):
        edited.replace(span, b"x")
    with pytest.raises(SpanError):
        edited.replace_pieces(span, [Fill(0, 1)])
    with pytest.raises(SpanError):
        edited.pieces(span)
    assert not edited.changed


def test_a_copy_from_beyond_the_base_is_refused() -> None:
    edited = sequence()
    with pytest.raises(SpanError, match="base"):
        edited.replace_pieces(Span(0, 0), [Copy(None, Span(10, 15))])
    edited.replace_pieces(Span(0, 0), [Copy("elsewhere", Span(10, 15))])
    assert edited.size == 19


def test_huge_pieces_are_never_read() -> None:
    edited = Sequence(1 << 50)
    edited.replace_pieces(Span(5, 5), [Copy("other", Span(0, 40 << 30)), Fill(0, 1 << 40)])
    middle = 5 + (40 << 30)
    assert list(edited.pieces(Span(middle - 1, middle + 1))) == [
        Copy("other", Span((40 << 30) - 1, 40 << 30)),
        Fill(0, 1),
    ]


def test_kept_bytes_pasted_back_in_their_place_are_a_copy() -> None:
    edited = sequence()
    edited.replace_pieces(Span(4, 8), [Copy(None, Span(4, 8))])
    assert edited.changed
    assert list(edited.splices()) == [Splice(Span(4, 8), (Copy(None, Span(4, 8)),))]


def test_a_long_literal_is_handed_on_uncopied() -> None:
    data = b"x" * (3 * SLICE_BYTES + 5)
    edited = sequence()
    edited.replace(Span(4, 4), data)
    (splice,) = edited.splices()
    (literal,) = splice.pieces
    assert isinstance(literal, Literal)
    assert literal.data is data
    assert max(piece.size for piece in edited.pieces(Span(4, 4 + len(data)))) == SLICE_BYTES


def test_a_long_literal_pasted_into_itself_comes_out_in_order() -> None:
    data = bytes(range(256)) * 1024
    edited = Sequence(0)
    edited.replace(Span(0, 0), data)
    edited.replace_pieces(Span(1000, len(data)), [Literal(data)])
    assert content(edited, b"") == data[:1000] + data


@pytest.mark.parametrize("size", [1, TYPED_BYTES, TYPED_BYTES + 1])
def test_data_that_its_owner_changes_later_was_copied(size: int) -> None:
    data = bytearray(size)
    edited = Sequence(0)
    edited.replace(Span(0, 0), data)
    data[0] = 1
    assert content(edited, b"") == bytes(size)


def test_clearing_leaves_nothing_to_undo_or_redo() -> None:
    edited = sequence()
    edited.replace(Span(0, 1), b"O")
    edited.replace(Span(1, 2), b"N")
    edited.undo()
    edited.clear()
    assert not edited.changed
    assert not edited.undo()
    assert not edited.redo()
    assert all_pieces(edited) == [Kept(Span(0, 14))]


def test_offsets_are_mapped_around_changed_places() -> None:
    edited = sequence()
    edited.replace(Span(4, 7), b"second")  # replaced: base 4:7, current 4:10
    edited.replace(Span(11, 11), b"new\n")  # put in: base 8:8, current 11:15
    assert edited.changes() == [Change(Span(4, 7), Span(4, 10)), Change(Span(8, 8), Span(11, 15))]
    assert [edited.base_to_current(at) for at in (0, 4, 5, 7, 8, 9, 14)] == [0, 4, 4, 10, 11, 16, 21]
    assert [edited.base_to_current(at, after=True) for at in (4, 5, 7, 8)] == [4, 10, 10, 15]
    assert [edited.current_to_base(at) for at in (4, 8, 10, 11, 13, 15, 21)] == [4, 4, 7, 8, 8, 8, 14]
    assert edited.current_to_base(8, after=True) == 7


def test_offsets_are_mapped_around_a_deletion() -> None:
    edited = sequence()
    edited.replace(Span(4, 8), b"")
    assert [edited.base_to_current(at) for at in (3, 4, 6, 8, 9)] == [3, 4, 4, 4, 5]
    assert edited.current_to_base(4) == 4
    assert edited.current_to_base(4, after=True) == 8


class LineEnds:
    """Counts the line ends of ``BASE`` and of literals, and tells what it was asked to count."""

    def __init__(self) -> None:
        self.counted: list[Content] = []

    def _bytes(self, piece: Content) -> bytes:
        if isinstance(piece, Kept):
            return BASE[piece.span.start : piece.span.stop]
        assert isinstance(piece, Literal)
        return piece.data

    def count(self, content: Content) -> int:
        self.counted.append(content)
        return self._bytes(content).count(b"\n")

    def count_before(self, content: Content, offset: int) -> int:
        return self._bytes(content).count(b"\n", 0, offset)

    def find(self, content: Content, index: int) -> int | None:
        places = [at for at, byte in enumerate(self._bytes(content)) if byte == ord("\n")]
        return places[index] if index < len(places) else None


def test_line_ends_are_counted_and_found_through_edits() -> None:
    edited = sequence()
    lines = edited.measure(LineEnds())
    edited.replace(Span(4, 7), b"2\n2")
    assert [lines.count_before(at) for at in (0, 4, 5, 6, 8, 14)] == [0, 1, 1, 2, 3, 4]
    assert [lines.find(index) for index in range(5)] == [3, 5, 7, 13, None]


def test_finding_a_line_near_the_start_counts_nothing_behind_it() -> None:
    edited = sequence()
    counter = LineEnds()
    edited.replace(Span(4, 4), b"x")
    assert edited.measure(counter).find(1) == 8
    assert counter.counted == [Kept(Span(0, 4)), Literal(b"x")]


def test_counts_survive_edits_elsewhere() -> None:
    edited = sequence()
    counter = LineEnds()
    lines = edited.measure(counter)
    edited.replace(Span(4, 7), b"2")
    assert lines.count_before(edited.size) == 3
    counter.counted.clear()
    edited.replace(Span(0, 1), b"O")
    assert lines.count_before(edited.size) == 3
    assert counter.counted == [Literal(b"O"), Kept(Span(1, 4))]


def test_an_insertion_between_two_pieces_recounts_neither() -> None:
    edited = sequence()
    counter = LineEnds()
    lines = edited.measure(counter)
    edited.replace_pieces(Span(4, 7), [Literal(b"2" * 2000)])
    lines.count_before(edited.size)
    counter.counted.clear()
    edited.replace(Span(4, 4), b"\n")
    assert lines.count_before(edited.size) == 4
    assert counter.counted == [Literal(b"\n")]


def test_the_same_counter_is_given_the_same_measure() -> None:
    edited = sequence()
    counter = LineEnds()
    assert edited.measure(counter) is edited.measure(counter)
    assert edited.measure(counter) is not edited.measure(LineEnds())


def test_a_counter_that_does_not_find_what_it_counted_is_a_bug() -> None:
    class Forgetful(LineEnds):
        def find(self, content: Content, index: int) -> int | None:
            return None

    lines = sequence().measure(Forgetful())
    with pytest.raises(InternalError):
        lines.find(1)


def key_strokes(count: int, base_size: int) -> list[tuple[Span, bytes]]:
    """Edits as a person types them: runs of letters with some backspaces, and jumps between the runs."""
    chance = random.Random(7)
    edits: list[tuple[Span, bytes]] = []
    at, size = base_size // 2, base_size
    while len(edits) < count:
        near = chance.random() < 0.7
        at = min(max(at + chance.randrange(-500, 500), 0), size) if near else chance.randrange(size)
        for _ in range(min(chance.randrange(1, 60), count - len(edits))):
            if at and chance.random() < 0.08:
                edits.append((Span(at - 1, at), b""))
                at, size = at - 1, size - 1
            else:
                edits.append((Span(at, at), b"x"))
                at, size = at + 1, size + 1
    return edits


def seconds_for(edits: list[tuple[Span, bytes]], base_size: int) -> float:
    edited = Sequence(base_size)
    started_s = time.process_time()
    for span, data in edits:
        edited.replace(span, data)
    return time.process_time() - started_s


@pytest.mark.slow
@pytest.mark.parametrize("base_size", [10_000, 1 << 40])
def test_typing_costs_the_same_however_much_was_typed(base_size: int) -> None:
    few, many = (seconds_for(key_strokes(count, base_size), base_size) for count in (10_000, 80_000))
    assert many < 8 * few * 3


@pytest.mark.slow
def test_replacing_many_matches_takes_linear_time() -> None:
    def seconds(count: int) -> float:
        edited = Sequence(1 << 40)
        edits = [(Span(at, at + 5), b"longer") for at in range(0, count * 50, 50)]
        started_s = time.process_time()
        edited.replace_many(edits)
        edited.undo()
        assert not edited.changed
        return time.process_time() - started_s

    few, many = seconds(5_000), seconds(40_000)
    assert many < 8 * few * 3


def test_thousands_of_edits_leave_sorted_splices_that_do_not_touch() -> None:
    base = random.Random(3).randbytes(5_000)
    edited, oracle = Sequence(len(base)), bytearray(base)
    for span, data in key_strokes(4_000, len(base)):
        edited.replace(span, data)
        oracle[span.start : span.stop] = data
    splices = list(edited.splices())
    assert len(splices) > 20
    assert all(left.span.stop < right.span.start for left, right in pairwise(splices))
    assert content(edited, base) == oracle
