"""Checking edits of sections: each is laid over the content, scanned, and refused if it does other things."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import TYPE_CHECKING, Final, NamedTuple

from insitu.core.protocols import Reader
from insitu.errors import RequestError
from insitu.formats.markdown_blocks import Leaf
from insitu.views.markdown_overlay import Edits, Overlay, hull

if TYPE_CHECKING:
    from insitu.views.markdown_outline import Change, Outline

# First as planned, then with a blank line more after, before, and on both sides.
ATTEMPTS: Final = tuple((before, after) for before, after in product((False, True), repeat=2))


class Intent(NamedTuple):
    """What an edit shall do to the outline: the levels of headings that replace those of some indexes."""

    start: int
    stop: int
    levels: Sequence[int]


def checked(
    reader: Reader,
    outline: Outline,
    encoding: str,
    plan: Callable[[tuple[bool, bool]], Edits],
    intent: Intent,
    opened: Leaf | None = None,
) -> tuple[Edits, Outline, Change]:
    """The edits of the first attempt that does what is intended, and the outline it leads to.

    Args:
        plan: the splices, with a blank line more before and after or not.
        opened: what the new text leaves open, for the message.

    Raises:
        RequestError: no attempt does; the message says what would become of the document.
    """
    tried: set[bytes] = set()
    first: Outline | None = None
    for more in ATTEMPTS:
        edits = plan(more)
        mark = b"\0".join(data for _, data in edits)
        if mark in tried:
            continue
        tried.add(mark)
        span, growth = hull(edits)
        after, change = outline.changed(Overlay(reader, edits), encoding, span, growth)
        if _as_intended(outline, after, change, intent):
            return edits, after, change
        first = first or after
    assert first is not None
    raise _refused(outline, first, intent, opened)


def _as_intended(before: Outline, after: Outline, change: Change, intent: Intent) -> bool:
    """Whether the new outline has the intended headings, and else those of the old one."""
    if len(after) != len(before) - (intent.stop - intent.start) + len(intent.levels):
        return False
    if (after.unclosed is None) != (before.unclosed is None):
        return False
    # Outside of both the change and the intent, the columns are the same by construction.
    low = min(change.start, intent.start)
    high = max(change.old_stop, intent.stop)
    first, last = _rows(before, low, intent.start), _rows(before, intent.stop, high)
    at = low + len(first)
    stop = at + len(intent.levels)
    return (
        _rows(after, low, at) == first
        and [level for level, _ in _rows(after, at, stop)] == list(intent.levels)
        and _rows(after, stop, stop + len(last)) == last
    )


def _rows(outline: Outline, start: int, stop: int) -> list[tuple[int, int]]:
    """The levels and keys of some headings."""
    span = slice(start, max(start, stop))
    return list(zip(outline.levels[span].tolist(), outline.keys[span].tolist(), strict=True))


def _refused(before: Outline, after: Outline, intent: Intent, opened: Leaf | None) -> RequestError:
    wanted = len(before) - (intent.stop - intent.start) + len(intent.levels)
    lost = wanted - len(after)
    if opened is not None and opened.kind in ("fence", "html"):
        what = "a code fence" if opened.kind == "fence" else "an HTML block"
        swallowed = f" and swallow {lost:,} of the headings behind it" if lost > 0 else ""
        return RequestError(
            f"The text would leave {what} open{swallowed}; nothing was changed.",
            hint=f"Close it: the line {opened.marker.decode() * opened.size!r} ends it."
            if opened.kind == "fence"
            else "End it, or let a blank line follow it.",
        )
    return RequestError(
        f"The document would not have the sections this edit is to leave: {len(after):,} headings instead "
        f"of {wanted:,}, or others; nothing was changed.",
        hint="Look at the text around the place: an open list, quote, HTML block or fence may reach into it.",
    )


def refuse_levels(levels: Iterable[int], least: int, what: str) -> None:
    """Refuses a text whose headings would end the section, or take those behind it for their own.

    Raises:
        RequestError: it has a heading of a level below ``least``.
    """
    high = min(levels, default=least)
    if high < least:
        raise RequestError(
            f"The text has a heading of level {high}, and {what} may have those from {least} on; nothing "
            "was changed.",
            hint="Demote the headings of the text, or put it before or after a section of that level.",
        )
