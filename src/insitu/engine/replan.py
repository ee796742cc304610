"""The plan of a journal, compiled again and proved again, before recovery lets it write (J17)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from insitu.core.check import check
from insitu.core.plan import Cost, Layout, Plan
from insitu.core.spans import Span
from insitu.engine.journal import Journal, damaged
from insitu.errors import InternalError
from insitu.planners.choose import PROGRAMS

# 16 TB in segments of a MiB, which are the smallest but for files that are smaller than one.
_SEGMENTS_MAX = 1 << 24


def checked_plan(journal: Journal) -> Plan:
    """The plan a journal holds, as legal as it was when it was sealed (J17).

    Raises:
        JournalDamagedError: it is not, or the covers are not those that it asks for.
    """
    plan = _plan_of(journal)
    layout, splices = plan.layout, journal.splices
    largest = max(splices.base_size, splices.result_size)
    room = layout.segment_bytes + splices.base_size + max(layout.atom_bytes, layout.block_bytes)
    if not splices.summary.places:
        raise damaged(journal.file.path, "it changes nothing")
    if largest // layout.segment_bytes > _SEGMENTS_MAX or layout.gap_bytes > room:
        raise damaged(journal.file.path, "it was laid out for another file")
    try:
        check(plan, splices)
    except InternalError as error:
        raise damaged(journal.file.path, "its plan would not leave the result") from error
    covers, saved = _joined(plan.program.covers()), _joined(journal.covers)
    if any(wanted != held for wanted, held in zip_longest(covers, saved)):
        raise damaged(journal.file.path, "its covers are not those of its plan")
    segments = sum(1 for _ in plan.program.segments())
    if journal.progress.segments_done >= max(segments, 1):
        raise damaged(journal.file.path, f"it says more than all of {segments} segments are done")
    return plan


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Yields spans with those that touch as one: the journal cuts them to its payloads."""
    joined: Span | None = None
    for span in spans:
        if not span.size:
            continue
        if joined is not None and joined.stop == span.start:
            joined = Span(joined.start, span.stop)
        else:
            if joined is not None:
                yield joined
            joined = span
    if joined is not None:
        yield joined


def _plan_of(journal: Journal) -> Plan:
    """The plan a sealed journal holds, compiled again."""
    layout = Layout(*journal.plan["layout"])
    planner, form = journal.plan["planner"], journal.plan["form"]
    return Plan(
        planner=planner,
        form=form,
        layout=layout,
        program=PROGRAMS[planner, form](journal.splices, layout),
        cost=Cost(0, 0, 0, 0, 0),
        visibility="committed",
        swaps=journal.plan["swaps"],
        moves=planner != "overwrite",
    )
