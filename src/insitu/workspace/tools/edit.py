"""``file_edit``: edits of text, each found by the text it replaces or by line numbers."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

from insitu.core.spans import Span
from insitu.errors import AmbiguousError, ExpectationError, LimitError, NoMatchError, RequestError, SpanError
from insitu.workspace.changing import Edit, Made, Pending, Work, make_pending
from insitu.workspace.expecting import expected_lines, no_such_line
from insitu.workspace.line_edits import inserted, replaced_lines, with_endings
from insitu.workspace.locating import (
    CANDIDATES_MAX,
    Wanted,
    lines_span,
    missing_text,
    occurrences,
    shown_place,
)
from insitu.workspace.ranges import Numbers, numbers
from insitu.workspace.request import Index, Number, Tool

_PLACES_MAX: Final = 100_000
"""Replaced by one edit: each is held in memory; more are streamed by ``file_replace_all``."""

_KINDS: Final = ("old_text", "lines", "insert_after", "insert_before")


class TextEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One edit of text.

    Exactly one of ``old_text``, ``lines``, ``insert_after`` and ``insert_before`` says where.
    """

    new_text: Annotated[str, Meta(description='"" deletes.')] = ""
    old_text: Annotated[str | None, Meta(description="Exact text, unique unless expect or near_line.")] = None
    expect: Annotated[int | Literal["all"] | None, Meta(description="N places, or all.")] = None
    near_line: Annotated[Number | None, Meta(description="Take the nearest one.")] = None
    within: Annotated[str | None, Meta(description='Only in lines "10-90".')] = None
    lines: Annotated[str | None, Meta(description='"5-7"; with expect_text, anchor or version.')] = None
    expect_text: Annotated[str | None, Meta(description="What they hold now.")] = None
    anchor: Annotated[str | None, Meta(description='"5:a1b2" of the first.')] = None
    insert_after: Annotated[Index | None, Meta(description="0: at the top.")] = None
    insert_before: Number | None = None


class EditText(Edit, frozen=True, kw_only=True):
    """Arguments of ``file_edit``."""

    tool: ClassVar[Tool] = Tool(
        "file_edit",
        "Edit text in a file",
        "Edit text: replace exact text that occurs once, replace or delete lines, or insert lines. Several "
        "edits are one atomic change and all refer to the file as it is now. Line endings are kept; missing "
        "or ambiguous text is refused.",
        "edit",
    )

    edits: Annotated[list[TextEdit], Meta(min_length=1)]

    def make(self, work: Work) -> Made:
        """Places each edit in the file as it is, and makes all of them pending at once."""
        pending: list[Pending] = []
        for number, edit in enumerate(self.edits, 1):
            pending += _placed(edit, work, f"Edit {number}" if len(self.edits) > 1 else "The edit")
        return make_pending(work.document, pending)


def _placed(edit: TextEdit, work: Work, name: str) -> list[Pending]:
    given = [kind for kind in _KINDS if getattr(edit, kind) is not None]
    if len(given) != 1:
        raise RequestError(
            f"{name} says {'nothing' if not given else ' and '.join(given)} of where it belongs; nothing "
            "was changed.",
            hint=f"Give exactly one of {', '.join(_KINDS)}.",
        )
    match given[0]:
        case "old_text":
            return _text_edits(edit, work, name)
        case "lines":
            return [_line_edit(edit, work)]
    return [_insertion(edit, work)]


def _text_edits(edit: TextEdit, work: Work, name: str) -> list[Pending]:
    document, old = work.document, edit.old_text
    assert old is not None
    span = Span(0, document.size)
    if edit.within is not None:
        within = numbers(edit.within, "lines")
        span = lines_span(document, within.first, within.last)
    wanted = Wanted(span, edit.near_line)
    if edit.expect is None:
        places = _first_places(work, old, wanted)
        if len(places) > 1:
            raise _ambiguous(work, name, places)
    else:
        places = list(islice(occurrences(document, old, wanted, work.call), _PLACES_MAX + 1))
        if len(places) > _PLACES_MAX:
            raise LimitError(
                f"{name} has more than {_PLACES_MAX:,} places in {work.path}; nothing was changed.",
                hint="file_replace_all replaces any number of them.",
            )
    if not places and edit.expect != "all":
        everywhere = Wanted(Span(0, document.size))
        if edit.within is not None and (
            there := next(occurrences(document, old, everywhere, work.call), None)
        ):
            raise NoMatchError(
                f"{name} names a text that is not in lines {edit.within} of {work.path}; nothing was "
                "changed.",
                hint="It stands outside of them, as at the candidate.",
                candidates=[shown_place(document, there)],
            )
        raise missing_text(document, old, work.path)
    if isinstance(edit.expect, int) and len(places) != edit.expect:
        raise ExpectationError(
            f"{name} expects its text {edit.expect:,} times in {work.path}, and it occurs {len(places):,} "
            "times; nothing was changed.",
            hint='Give the right number, or expect="all".',
            found=len(places),
            candidates=[shown_place(document, place) for place in places[:CANDIDATES_MAX]],
        )
    return [Pending(place, with_endings(document, edit.new_text, place)) for place in places]


def _first_places(work: Work, text: str, wanted: Wanted) -> list[Span]:
    """The first places of a text; of two that overlap, both: which one is meant cannot be told either."""
    document = work.document
    places = list(islice(occurrences(document, text, wanted, work.call), CANDIDATES_MAX + 1))
    if len(places) == 1 and wanted.near_line is None:
        behind = Wanted(Span(places[0].start + 1, max(places[0].start + 1, wanted.span.stop)))
        following = occurrences(document, text, behind, work.call)
        places += islice((place for place in following if place.stop != places[0].stop), 1)
    return places


def _ambiguous(work: Work, name: str, places: list[Span]) -> AmbiguousError:
    more = len(places) > CANDIDATES_MAX
    return AmbiguousError(
        f"{name} does not say which: its text occurs {'more than ' if more else ''}"
        f"{min(len(places), CANDIDATES_MAX)} times in {work.path}; nothing was changed.",
        hint='Give more of the text around it, or near_line, or expect="all" for every one.',
        candidates=[shown_place(work.document, place) for place in places[:CANDIDATES_MAX]],
    )


def _line_edit(edit: TextEdit, work: Work) -> Pending:
    assert edit.lines is not None
    asked = numbers(edit.lines, "lines")
    first, last = expected_lines(work, asked, edit.expect_text, edit.anchor)
    note = "" if first == asked.first else f"moved here from line {asked.first}"
    span = lines_span(work.document, first, last)
    return Pending(span, replaced_lines(work.document, first, span, edit.new_text), note)


def _insertion(edit: TextEdit, work: Work) -> Pending:
    """Inserts lines beside a line, which may be expected to hold something, or at the top."""
    beside = edit.insert_after if edit.insert_after is not None else edit.insert_before
    assert beside is not None
    if edit.expect_text is not None or edit.anchor is not None or (work.moved_on and beside):
        if beside == 0:
            raise RequestError(
                "There is no line 0 that could hold what is expected; nothing was changed.",
                hint="Leave expect_text and anchor out, or insert_before=1.",
            )
        beside = expected_lines(work, Numbers(beside, beside), edit.expect_text, edit.anchor)[0]
    try:
        offset, data = inserted(work.document, beside - (edit.insert_before is not None), edit.new_text)
    except SpanError:
        raise no_such_line(work, beside) from None
    return Pending(Span(offset, offset), data)
