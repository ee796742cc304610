"""Every plan any planner offers is legal, and leaves what the patch's oracle says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.core import check as checking
from insitu.core import plan as planning
from insitu.core.columns import Splices
from insitu.core.facts import Facts
from insitu.core.patch import Patch, Splice
from insitu.core.pieces import Literal
from insitu.core.plan import Plan, Target
from insitu.core.policy import Policy
from insitu.core.rendering import render
from insitu.core.spans import Span
from insitu.core.steps import Collapse, Insert, Move, Place, Resize, Transfer
from insitu.errors import InternalError
from insitu.planners import shift
from insitu.planners.choose import PLANNERS, PROGRAMS
from insitu.testing.strategies import BytesPool, columns, patches


def run(plan: Plan, splices: Splices, pool: BytesPool, base: bytes) -> bytes:
    """The steps, in memory, over real bytes."""
    covers = [(cover, base[cover.start : cover.stop]) for cover in plan.program.covers()]
    target = bytearray(b"" if plan.swaps else base)

    def reader(displacement: int):
        def read(offset: int, size: int) -> bytes:
            out = bytearray()
            for x in range(offset, offset + size):
                saved = next(
                    (data[x - cover.start] for cover, data in covers if cover.start <= x < cover.stop), None
                )
                if saved is None:
                    saved = (
                        base[x]
                        if plan.swaps
                        else target[x + displacement]
                        if x + displacement < len(target)
                        else 0
                    )
                out.append(saved)
            return bytes(out)

        return read

    for segment in plan.program.segments():
        for step in segment:
            match step:
                case Resize(size):
                    target[size:] = bytes(max(0, size - len(target)))
                case Place(result, offset, displacement):
                    data = bytes(render(splices.window(result), pool, reader(displacement)))
                    assert len(data) == result.size
                    target[offset : offset + len(data)] = data
                case Move(source, offset):
                    target[offset : offset + source.size] = target[source.start : source.stop]
                case Transfer(kept, offset):
                    target[offset : offset + kept.size] = base[kept.start : kept.stop]
                case Insert(offset, size):
                    target[offset:offset] = bytes(size)
                case Collapse(offset, size):
                    del target[offset : offset + size]
    return bytes(target)


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "WINDOW_BYTES", 6)
    monkeypatch.setattr(shift, "SEGMENT_BYTES", 16)
    monkeypatch.setattr(shift, "WINDOW_BYTES", 8)


@given(patches(), st.integers(0, 6), st.sampled_from([1, 2, 4, 8]), st.booleans(), st.booleans())
def test_every_offered_plan_is_legal_and_leaves_the_result(made, cut, atom, ranges, clone) -> None:
    base, patch = made
    splices, pool = columns(patch, cut)
    if not splices.summary.places:
        return
    facts = Facts(block_bytes=atom, atom_bytes=atom, ranges=ranges, clone=clone)
    for make in PLANNERS.values():
        plan = make(splices, facts, Policy(), Target())
        if not isinstance(plan, Plan):
            continue
        checking.check(plan, splices)
        assert run(plan, splices, pool, base) == patch.apply(base), plan.form
        again = PROGRAMS[plan.planner, plan.form](splices, plan.layout)
        assert list(again.segments()) == list(plan.program.segments())


@given(
    patches(),
    st.integers(0, 6),
    st.sampled_from(["right", "left", "gap", "detour"]),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_the_checker_accepts_no_shift_that_goes_wrong(made, cut, form, gap, segment) -> None:
    base, patch = made
    splices, pool = columns(patch, cut)
    if not splices.summary.places:
        return
    layout = planning.Layout(4, 4, segment * 4, gap * 4)
    program = shift.PROGRAMS[form](splices, layout)
    plan = Plan(
        planner="shift",
        form=form,
        layout=layout,
        program=program,
        cost=planning.Cost(0, 0, 0, 0, 0),
        visibility="committed",
    )
    try:
        checking.check(plan, splices)
    except InternalError:
        return
    assert run(plan, splices, pool, base) == patch.apply(base)


@given(patches(), st.integers(0, 6))
def test_inverted_columns_are_the_inverse_patch(made, cut) -> None:
    base, patch = made
    splices, _ = columns(patch, cut)
    inverse, _ = columns(patch.inverse(base), cut)
    ours = [
        (b.starts[i], b.stop(i), b.news[i + 1] - b.news[i])
        for b in splices.inverted().blocks()
        for i in range(len(b.starts))
    ]
    theirs = [
        (b.starts[i], b.stop(i), b.news[i + 1] - b.news[i])
        for b in inverse.blocks()
        for i in range(len(b.starts))
    ]
    assert ours == theirs
    if splices.summary.places:
        assert splices.summary.inverted() == inverse.summary


@given(patches(), st.integers(0, 6), st.data())
def test_any_window_renders_its_part_of_the_result(made, cut, data) -> None:
    base, patch = made
    splices, pool = columns(patch, cut)
    result = patch.apply(base)
    start = data.draw(st.integers(0, len(result)))
    stop = data.draw(st.integers(start, len(result)))
    window = splices.window(Span(start, stop))
    out = bytes(render(window, pool, lambda offset, size: base[offset : offset + size]))
    assert out == result[start:stop]
    assert splices.kept_after(start) <= len(base) and splices.kept_before(stop) <= len(base)


@given(patches(), st.integers(0, 6), st.data())
def test_a_span_moves_past_splices_or_conflicts(made, cut, data) -> None:
    base, patch = made
    splices, _ = columns(patch, cut)
    start = data.draw(st.integers(0, len(base)))
    stop = data.draw(st.integers(start, len(base)))
    touched = any(
        s.span.start < stop and s.span.stop > start if start < stop else s.span.start < start < s.span.stop
        for s in patch.splices
    )
    moved = splices.moved(Span(start, stop))
    assert (moved is None) == touched
    if moved is not None:
        result = patch.apply(base)
        assert result[moved.start : moved.stop] == base[start:stop]


@given(patches(), st.data())
def test_then_and_inverse(made, data) -> None:
    base, p = made
    result = p.apply(base)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(result)), max_size=8)))
    q = Patch(
        len(result),
        tuple(
            Splice(Span(a, b), (Literal(data.draw(st.binary(max_size=9))),))
            for a, b in zip(cuts[::2], cuts[1::2], strict=False)
        ),
    )
    assert p.then(q).apply(base) == q.apply(result)
    assert p.inverse(base).apply(result) == base


@given(patches(), st.lists(st.tuples(st.integers(0, 15), st.integers(0, 3)), max_size=6))
def test_the_checker_by_columns_accepts_what_the_checker_by_provenance_does(made, dropped) -> None:
    _base, patch = made
    splices, _pool = columns(patch)
    plan = PLANNERS["overwrite"](splices, Facts(block_bytes=8, atom_bytes=8), Policy(), Target())
    if not splices.summary.places or not isinstance(plan, Plan):
        return
    (segment,) = plan.program.segments()
    steps = [
        step
        for number, step in enumerate(segment)
        if not any(number == at and what == 0 for at, what in dropped)
    ]
    verdicts = []
    for threshold in (1, 1 << 30):
        checking._COLUMNS_STEPS = threshold
        checker = checking.Checker(plan, splices)
        try:
            checker.segment(tuple(steps))
            checker.finish()
            verdicts.append(True)
        except InternalError:
            verdicts.append(False)
        finally:
            checking._COLUMNS_STEPS = 1 << 12
    assert verdicts[0] == verdicts[1]
