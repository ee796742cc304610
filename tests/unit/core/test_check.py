"""The checker lets no plan through that loses a byte; each refusal here is of one kind of mistake."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.core.check import Checker, Origin, Provenance, check
from insitu.core.columns import Splices, block_of
from insitu.core.facts import Facts
from insitu.core.plan import Cost, Layout, Plan, Segment, Target
from insitu.core.policy import Policy
from insitu.core.spans import Span
from insitu.core.steps import Insert, Move, Place, Resize, Transfer
from insitu.errors import InternalError
from insitu.planners.choose import PLANNERS

LAYOUT = Layout(atom_bytes=4, block_bytes=4, segment_bytes=8)
GROWN = Splices.of(16, block_of([(4, 4, 4)]))
"""Four bytes inserted at the first atom's end."""


class Steps:
    """A program as given."""

    def __init__(self, splices: Splices, segments: list[Segment], covers: list[Span]) -> None:
        self.base_size = splices.base_size
        self.result_size = splices.result_size
        self._segments = segments
        self._covers = covers

    def covers(self) -> Iterator[Span]:
        return iter(self._covers)

    def segments(self) -> Iterator[Segment]:
        return iter(self._segments)


def plan(
    *segments: Segment, covers: tuple[Span, ...] = (), swaps: bool = False, splices: Splices = GROWN
) -> Plan:
    return Plan(
        planner="test",
        form="test",
        layout=LAYOUT,
        program=Steps(splices, list(segments), list(covers)),
        cost=Cost(0, 0, 0, 0, 0),
        visibility="committed",
        swaps=swaps,
    )


LEGAL = {
    "from the end": plan(
        (Resize(20),),
        (Place(Span(16, 20), 16),),
        (Place(Span(12, 16), 12),),
        (Place(Span(8, 12), 8),),
        (Place(Span(4, 8), 4),),
    ),
    "from the journal": plan((Resize(20), Place(Span(4, 20), 4)), covers=(Span(4, 16),)),
    "by the file system": plan((Insert(4, 4),), (Place(Span(4, 8), 4),)),
    "into a new file": plan((Transfer(Span(0, 4), 0),), (Place(Span(4, 20), 4),), swaps=True),
    "moved, then put there": plan(
        (Resize(20),),
        (Move(Span(12, 16), 16),),
        (Move(Span(8, 12), 12),),
        (Move(Span(4, 8), 8),),
        (Place(Span(4, 8), 4),),
    ),
}

ILLEGAL = {
    "it reads what it writes": (plan((Resize(20),), (Place(Span(4, 20), 4),)), "reads what it writes"),
    "it overwrites what it needs later": (
        plan((Resize(20),), (Place(Span(4, 8), 4),), (Place(Span(8, 20), 8),)),
        "are gone|reads what it writes",
    ),
    "it leaves some out": (plan((Resize(20),), (Place(Span(16, 20), 16),)), "are not the result's"),
    "it forgets the size": (plan((Insert(8, 4),), (Resize(16),)), "size is not|are not the result's"),
    "it grows by nothing": (plan((Resize(20),)), "are not the result's"),
    "the wrong place": (plan((Insert(8, 4),), (Place(Span(8, 12), 8),)), "are gone|are not the result's"),
    "ranges are not whole blocks": (plan((Insert(2, 4),)), "not whole blocks"),
    "a range step is not alone": (plan((Insert(4, 4), Resize(20))), "shares a segment"),
    "it copies from itself as from an old file": (plan((Transfer(Span(0, 4), 0),)), "only a rewrite"),
    "an atom is spoiled": (
        plan((Resize(20),), (Place(Span(5, 20), 5),), covers=(Span(4, 16),)),
        "are not the result's",
    ),
    "a new file with a hole": (plan((Place(Span(4, 20), 4),), swaps=True), "are not the result's"),
}


@pytest.mark.parametrize("legal", LEGAL.values(), ids=LEGAL)
def test_legal_plans_pass(legal: Plan) -> None:
    check(legal, GROWN)


@pytest.mark.parametrize(("illegal", "reason"), ILLEGAL.values(), ids=ILLEGAL)
def test_illegal_plans_are_refused(illegal: Plan, reason: str) -> None:
    with pytest.raises(InternalError, match=reason):
        check(illegal, GROWN)


def test_segments_are_refused_one_by_one() -> None:
    bad = plan((Resize(20),), (Place(Span(4, 20), 4),))
    checker = Checker(bad, GROWN)
    checker.segment((Resize(20),))
    with pytest.raises(InternalError):
        checker.segment((Place(Span(4, 20), 4),))


@pytest.mark.parametrize("gap", [0, 1, 2, 20])
@pytest.mark.parametrize(("old", "new"), [(1, 0), (1, 2), (3, 1), (2, 2), (1, 5)])
def test_dense_splices_are_no_reason_to_refuse_a_plan(gap: int, old: int, new: int) -> None:
    """More splices in an atom than are listed run by run."""
    count = 20_000
    made = [(n * (gap + old) + gap, (n + 1) * (gap + old), new) for n in range(count)]
    splices = Splices.of(made[-1][1] + 5, block_of(made))
    for name, make in PLANNERS.items():
        offer = make(splices, Facts(ranges=True), Policy(), Target())
        if isinstance(offer, Plan):
            check(offer, splices)
        else:
            assert name == "blocks" or "nothing behind" in offer.reason


puts = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "cut", "slide"]),
        st.integers(0, 30),
        st.integers(0, 12),
        st.sampled_from(Origin),
        st.integers(-5, 5),
    ),
    max_size=15,
)


@given(st.integers(0, 20), puts)
def test_provenance_is_that_of_a_list_of_bytes(size: int, steps) -> None:
    """The oracle holds one (origin, number) for every byte."""
    held = Provenance(Origin.BASE, size)
    oracle: list[tuple[Origin, int] | None] = [(Origin.BASE, n) for n in range(size)]
    for name, at, count, origin, delta in steps:
        if name == "put":
            held.put(Span(at, at + count), origin, delta)
            if count:
                oracle += [None] * (at - len(oracle))
                oracle[at : at + count] = [(origin, at + n + delta) for n in range(count)]
        elif name == "cut":
            held.cut(at)
            oracle[at:] = [None] * (at - len(oracle))
        elif at <= len(oracle):
            if delta > 0:
                held.slide(at, count)
                oracle[at:at] = [None] * count
            elif at + count <= len(oracle) and count:
                held.slide(at, -count)
                del oracle[at : at + count]
    assert held.size == len(oracle)
    told = [
        None if origin is Origin.VOID else (origin, offset + delta)
        for span, (origin, delta) in held.within(Span(0, held.size))
        for offset in range(span.start, span.stop)
    ]
    wanted = [None if entry is None or entry[0] is Origin.VOID else entry for entry in oracle]
    assert told == wanted
    for start in range(0, held.size, 3):
        span = Span(start, min(start + 4, held.size))
        first = wanted[start]
        if first is not None:
            alike = wanted[start : span.stop] == [(first[0], first[1] + n) for n in range(span.size)]
            assert held.holds(span, first[0], first[1] - start) == alike
