"""The edits of sections: where each puts what, and what the outline shall be afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

from insitu.core.spans import Span
from insitu.errors import ExpectationError, LimitError, RequestError
from insitu.formats.markdown_blocks import NO_LEAF, Leaf
from insitu.formats.markdown_rules import HEADINGS_MAX
from insitu.formats.markdown_titles import normalized, title_place
from insitu.views.markdown_addresses import Address
from insitu.views.markdown_changes import Intent, checked, refuse_levels
from insitu.views.markdown_edits import (
    HELD_BYTES_MAX,
    Place,
    applied,
    blocks_of,
    core_span,
    headings_of,
    inserted,
    newline_of,
    place_before,
    relevelled,
    with_newline,
)
from insitu.views.markdown_outline import Outline
from insitu.views.markdown_overlay import Edits
from insitu.views.markdown_section import Scope, Section

if TYPE_CHECKING:
    from insitu.views.markdown import Markdown
    from insitu.views.markdown_state import Mapping

Where = Literal["append", "own", "prepend", "before", "after"]

Plan = Callable[[tuple[bool, bool]], Edits]


class New(NamedTuple):
    """A text to put in: whole lines, the levels of its headings, and what it leaves open."""

    data: bytes
    levels: list[int]
    leaf: Leaf


class Verbs:
    """Plans and makes the edits of one view. Arguments as the methods of ``Section``."""

    def __init__(self, view: Markdown) -> None:
        self._view = view
        self._document = view.document

    def put(self, section: Section, text: str | bytes, where: Where, padding: bool) -> None:
        """Puts a text in a gap at, before or behind a section."""
        new = self._new(text)
        if not new.data:
            raise RequestError("There is no text to put in; nothing was changed.")
        outline, index = self._view.outline_of(), section.index
        level = int(outline.levels[index])
        offset, least = self._gap(outline, index, where)
        what = "the section" if where in ("append", "own", "prepend") else "this place"
        refuse_levels(new.levels, least if where in ("before", "after") else max(least, level + 1), what)
        self._put(outline, offset, new, padding)

    def replace(self, section: Section, text: str | bytes, scope: Scope, padding: bool) -> None:
        """Puts a text in the place of a scope."""
        outline, index = self._view.outline_of(), section.index
        level, after = int(outline.levels[index]), outline.next_outside(index)
        heading = outline.heading(index)
        there = section.span(scope)
        if scope == "own":
            there = Span(heading.stop, there.stop)
        given = self._view.encoded(text)
        if len(given) == there.size and self._document.read(*_sized(there)) == given:
            return None
        new = self._new(text)
        match scope:
            case "heading":
                return self._replace_heading(outline, index, new)
            case "own":
                span, inside = Span(heading.stop, outline.own_stop(index)), Span(index + 1, index + 1)
                refuse_levels(new.levels, self._gap(outline, index, "own")[1], "the section")
            case "body":
                span, inside = Span(heading.stop, outline.subtree_stop(index)), Span(index + 1, after)
                refuse_levels(new.levels, level + 1, "the section")
            case "subtree":
                span, inside = Span(heading.start, outline.subtree_stop(index)), Span(index, after)
                refuse_levels(new.levels, level, "this place")
        core = core_span(self._document, span)
        if core.size == 0:
            if new.data:
                self._put(outline, span.stop, new, padding)
            return None
        self._refuse_open(outline, core.start)
        data = new.data
        if not self._document.read(core.stop - 1, 1).endswith((b"\n", b"\r")):
            data = data.rstrip(b"\r\n")
        if core.size == len(data) and self._document.read(core.start, core.size) == data:
            return None
        newline = newline_of(self._document)

        def plan(more: tuple[bool, bool]) -> Edits:
            return [(core, newline * more[0] + data + newline * more[1])]

        return self._make(outline, plan, Intent(*inside, new.levels), new.leaf, padding)

    def delete(self, section: Section) -> None:
        """Deletes a subtree."""
        outline, index = self._view.outline_of(), section.index
        span = self._removed(outline, index)
        newline = newline_of(self._document)
        intent = Intent(index, outline.next_outside(index), [])
        self._make(outline, lambda more: [(span, newline * any(more))], intent)

    def rename(self, section: Section, title: str) -> None:
        """Exchanges the title."""
        outline, index = self._view.outline_of(), section.index
        data = self._view.encoded(title)
        span = outline.heading(index)
        if span.size > HELD_BYTES_MAX:
            raise LimitError(f"The heading of line {section.line:,} is too long; nothing was changed.")
        heading = self._document.read(span.start, span.size)
        place = title_place(heading)
        if heading[place.start - 1 : place.start] == b"#":
            data = b" " + data
        renamed = heading[: place.start] + data + heading[place.stop :]
        found = title_place(renamed)
        if not title.strip() or renamed[found.start : found.stop] != data.strip(b" "):
            raise RequestError(
                f"{title!r} would not be the title as it is written; nothing was changed.",
                hint="A title is one line without blanks around it; a # at its end is written \\#.",
            )
        if data == heading[place.start : place.stop]:
            return
        where = Span(span.start + place.start, span.start + place.stop)
        level = int(outline.levels[index])
        self._make(outline, lambda _: [(where, data)], Intent(index, index + 1, [level]))

    def shift(self, section: Section, by: int) -> None:
        """Changes the levels of a subtree."""
        outline, index = self._view.outline_of(), section.index
        if not by:
            return
        indexes = range(index, outline.next_outside(index))
        edits = list(relevelled(self._document, outline, indexes, by))
        levels = [int(level) + by for level in outline.levels[index : indexes.stop]]
        self._make(outline, lambda _: edits, Intent(index, indexes.stop, levels))

    def move(
        self,
        section: Section,
        before: Section | Address | None,
        after: Section | Address | None,
        under: Section | Address | None,
    ) -> None:
        """Moves a subtree."""
        given = [target for target in (before, after, under) if target is not None]
        if len(given) != 1:
            raise RequestError("Give one of before, after and under.")
        target = self._view.resolved(given[0])
        assert target is not None
        outline, index = self._view.outline_of(), section.index
        stop, at = outline.next_outside(index), target.index
        if index <= at < stop:
            raise RequestError("A section cannot be moved into itself; nothing was changed.")
        goal = at if before is not None else outline.next_outside(at)
        by = int(outline.levels[at]) + (under is not None) - int(outline.levels[index])
        if goal in (index, stop):
            return self.shift(section, by)
        span = Span(int(outline.starts[index]), outline.subtree_stop(index))
        if span.size > HELD_BYTES_MAX:
            raise LimitError(
                f"The section has {span.size:,} bytes, and at most {HELD_BYTES_MAX:,} can be moved at once; "
                "nothing was changed.",
                hint="Move the sections below it one by one.",
            )
        edits = relevelled(self._document, outline, range(index, stop), by) if by else ()
        newline = newline_of(self._document)
        data = applied(self._document.read(*_sized(span)), span.start, edits)
        data = blocks_of(data, newline)
        offset = int(outline.starts[goal]) if goal < len(outline) else outline.size
        self._refuse_open(outline, offset)
        self._refuse_open(outline, span.stop)
        place = self._place(outline, offset)
        removed = self._removed(outline, index)

        def plan(more: tuple[bool, bool]) -> Edits:
            put = Span(offset, offset), inserted(place, data, newline, more=more)
            return sorted([put, (removed, newline * (more[0] and more[1]))])

        intent, mapping = _moved(outline, range(index, stop), goal, by)
        return self._make(outline, plan, intent, mapping=mapping)

    def create(self, title: str, under: Section | None, text: str | bytes, padding: bool) -> Section:
        """Makes a section."""
        outline = self._view.outline_of()
        parent = -1 if under is None else under.index
        level = 1 if parent < 0 else int(outline.levels[parent]) + 1
        if level > HEADINGS_MAX:
            raise RequestError(f"There is no level {level} for a section; nothing was changed.")
        self._refuse_second(outline, parent, title)
        newline = newline_of(self._document)
        head = b"#" * level + b" " + self._view.encoded(title)
        place = title_place(head)
        if not title.strip() or head[place.start : place.stop] != head[level + 1 :]:
            raise RequestError(f"{title!r} cannot be a title as it is; nothing was changed.")
        body = self._new(text)
        refuse_levels(body.levels, level + 1, "the section")
        data = head + newline + (newline + body.data if body.data else b"")
        new = New(data, [level, *body.levels], body.leaf)
        offset = outline.size if parent < 0 else outline.subtree_stop(parent)
        index = self._put(outline, offset, new, padding)
        return self._view.at(index)

    # What they share

    def _new(self, text: str | bytes) -> New:
        newline = newline_of(self._document)
        data = blocks_of(with_newline(self._view.encoded(text), newline), newline)
        found, leaf = headings_of(data)
        return New(data, [heading.level for heading in found], leaf)

    def _gap(self, outline: Outline, index: int, where: Where) -> tuple[int, int]:
        """Where a text goes, and the least level its headings may have there."""
        level = int(outline.levels[index])
        match where:
            case "before":
                return int(outline.starts[index]), level
            case "after":
                return outline.subtree_stop(index), level
            case "append":
                return outline.subtree_stop(index), level + 1
        stop = outline.own_stop(index)
        # A heading of a lower level than the first section below would take that for its own.
        below = outline.next_outside(index) > index + 1
        least = int(outline.levels[index + 1]) if below else level + 1
        if where == "own":
            return stop, least
        core = core_span(self._document, Span(int(outline.stops[index]), stop))
        return core.start if core.size else stop, least

    def _place(self, outline: Outline, offset: int) -> Place:
        import numpy as np

        last = int(np.searchsorted(outline.starts, offset)) - 1
        low = int(outline.stops[last]) if last >= 0 else outline.begin
        return place_before(self._document, offset, low=low)

    def _put(self, outline: Outline, offset: int, new: New, padding: bool) -> int:
        """Puts a text in a gap; returns the index of its first heading."""
        import numpy as np

        self._refuse_open(outline, offset)
        place = self._place(outline, offset)
        newline = newline_of(self._document)
        index = int(np.searchsorted(outline.starts, offset))

        def plan(more: tuple[bool, bool]) -> Edits:
            return [(Span(offset, offset), inserted(place, new.data, newline, more=more))]

        self._make(outline, plan, Intent(index, index, new.levels), new.leaf, padding)
        return index

    def _replace_heading(self, outline: Outline, index: int, new: New) -> None:
        if len(new.levels) != 1:
            raise RequestError(
                "The text is not one heading; nothing was changed.", hint="For example: ## Title"
            )
        span = outline.heading(index)
        data = new.data
        if not self._document.read(span.stop - 1, 1).endswith((b"\n", b"\r")):
            data = data.rstrip(b"\r\n")
        if self._document.read(*_sized(span)) != data:
            self._make(outline, lambda _: [(span, data)], Intent(index, index + 1, new.levels), new.leaf)

    def _removed(self, outline: Outline, index: int) -> Span:
        """What goes with a subtree: the blank lines behind it, or, at the end, those before it."""
        span = Span(int(outline.starts[index]), outline.subtree_stop(index))
        if span.stop < outline.size:
            return span
        low = int(outline.stops[index - 1]) if index else outline.begin
        core = core_span(self._document, Span(low, span.start))
        return Span(core.stop if core.size else low, span.stop)

    def _refuse_open(self, outline: Outline, offset: int) -> None:
        unclosed = outline.unclosed
        if unclosed is not None and offset > unclosed.start:
            raise RequestError(
                f"The code fence of line {self._view.unclosed_fence:,} is never closed, and all behind it is "
                "code; nothing was changed.",
                hint=f"Close it first with a line of {unclosed.marker.decode() * unclosed.size}.",
                offset=unclosed.start,
            )

    def _refuse_second(self, outline: Outline, parent: int, title: str) -> None:
        path = [] if parent < 0 else [self._view.title_of(index) for index in outline.ancestors(parent)]
        names = self._view.named([*path, title])
        for index in names:
            if outline.parent(index) == parent:
                raise ExpectationError(
                    f"There is a section {normalized(title)!r} there already; nothing was changed.",
                    hint=f"It is {self._view.at(index).address!r}.",
                )

    def _make(
        self,
        outline: Outline,
        plan: Plan,
        intent: Intent,
        leaf: Leaf = NO_LEAF,
        padding: bool = False,
        mapping: Mapping | None = None,
    ) -> None:
        """Checks an edit and makes it, as one pending edit."""
        view, document = self._view, self._document
        encoding = document.text.name
        edits, after, _ = checked(document, outline, encoding, plan, intent, leaf)
        if padding:
            self._make_padded(outline, edits, leaf)
            after = outline.changed(document, encoding, edits[0][0], document.size - outline.size)[0]
        else:
            document.replace_spans(edits)
        view.tracked.accept(after, mapping or _shifted(intent))

    def _make_padded(self, outline: Outline, edits: Edits, leaf: Leaf) -> None:
        ((span, data),) = edits
        behind = self._document.read(span.stop, min(1, outline.size - span.stop))
        certain = leaf.kind in ("none", "paragraph") and data.endswith(b"\n") and behind not in (b" ", b"\t")
        if newline_of(self._document) != b"\n" or not certain:
            raise RequestError(
                "Blank lines cannot be put there for certain to mean nothing; nothing was changed.",
                hint="Make the edit without padding.",
            )
        self._document.replace_padded(span, data, filler=b"\n")


def _shifted(intent: Intent) -> Mapping:
    growth = len(intent.levels) - (intent.stop - intent.start)

    def mapping(known: int) -> int:
        if known < intent.start:
            return known
        if known >= intent.stop:
            return known + growth
        # One heading for another: a renamed or relevelled section stays the same.
        return known if not growth else -1

    return mapping


def _moved(outline: Outline, moved: range, goal: int, by: int) -> tuple[Intent, Mapping]:
    """What becomes of the headings between, where some are moved before another."""
    back = goal < moved.start
    low, high = min(moved.start, goal), max(moved.stop, goal)
    levels = outline.levels.astype(int)
    own = (levels[moved.start : moved.stop] + by).tolist()
    passed = levels[goal : moved.start] if back else levels[moved.stop : goal]
    count = len(moved)
    first = goal if back else goal - count

    def mapping(known: int) -> int:
        if known in moved:
            return known - moved.start + first
        if low <= known < high:
            return known + (count if back else -count)
        return known

    return Intent(low, high, [*own, *passed.tolist()] if back else [*passed.tolist(), *own]), mapping


def _sized(span: Span) -> tuple[int, int]:
    return span.start, span.size
