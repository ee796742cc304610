"""The block structure of Markdown, line by line: where the headings of a document are.

The exact, slow scanner: containers, laziness, tabs as columns, everything. Only headings that stand in no
container are told, for only those delimit sections. The algorithm is that of the reference
implementation: a line first continues the open containers, then may open new blocks, then is text.

What is between two lines is a ``State``: hashable and small whatever the document holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from insitu.formats.markdown_definitions import Definitions
from insitu.formats.markdown_lines import Line, LineFeed
from insitu.formats.markdown_rules import (
    ATX,
    FENCE,
    HTML_ENDS,
    SETEXT,
    TAB_COLUMNS,
    THEMATIC,
    html_kind,
    list_marker,
)

# Deeper nesting is taken as text, so that the state stays small. Renderers stop at 20 to 100 levels.
DEPTH_MAX: Final = 64

_QUOTE: Final = 0
_SPECIAL: Final = frozenset(b"#`~*+_=<>-0123456789")

Kind = Literal["none", "paragraph", "fence", "html", "code"]


class Leaf(NamedTuple):
    """The innermost open block that holds text."""

    kind: Kind = "none"
    start: int = 0
    """Fence and HTML: the offset of the line that opened it."""
    marker: bytes = b""
    """Fence: the character of its marker."""
    size: int = 0
    """Fence: how many of them opened it, which closing takes at least."""
    html: int = 0
    """HTML: which of the seven kinds."""
    definitions: Definitions = Definitions()
    """Paragraph: how far its link reference definitions reach."""


NO_LEAF: Final = Leaf()


class State(NamedTuple):
    """What is open between two lines.

    Args:
        containers: from the outermost in: 0 for a block quote, for a list item the columns its content is
            indented by, negative as long as it is empty.
    """

    containers: tuple[int, ...] = ()
    leaf: Leaf = NO_LEAF


CLEAN: Final = State()
"""Nothing is open: so it is at the start, and behind every heading outside of containers."""


class Heading(NamedTuple):
    """A heading in no container: its lines with the ending, and its level."""

    start: int
    stop: int
    level: int


class BlockScanner:
    """Feeds on bytes in any pieces and yields the headings.

    Args:
        state: what is open where the bytes begin, which is the start of a line.
        offset: of the first byte.

    Cost: 2 to 5 microseconds a line; memory for one line of at most 64 KiB and the state. Of longer lines
        the first 64 KiB are classified and the rest is searched.
    """

    def __init__(self, state: State = CLEAN, offset: int = 0) -> None:
        self.state = state
        self._lines = LineFeed(offset)

    @property
    def offset(self) -> int:
        """Where the line begins that was not yet taken in: the state is that before it."""
        return self._lines.start

    def feed(self, data: bytes) -> Iterator[Heading]:
        """Takes in more bytes; yields the headings whose last line is complete. Exhaust it."""
        for line in self._lines.feed(data):
            if (heading := self._take(line)) is not None:
                yield heading

    def close(self) -> Iterator[Heading]:
        """Takes the end of the document as the end of the last line."""
        for line in self._lines.close():
            if (heading := self._take(line)) is not None:
                yield heading

    def _take(self, line: Line) -> Heading | None:
        self.state, heading = after(self.state, line)
        return heading


class _Cursor:
    """A place in a line: a byte, and the column it stands in. A tab may be consumed in part."""

    __slots__ = ("at", "column", "data", "goes_on", "next_at", "next_column")

    def __init__(self, line: Line) -> None:
        self.data = line.head
        self.goes_on = not line.rest_is_only(b" \t")
        self.at = self.column = 0
        self.look()

    def look(self) -> None:
        """Finds the next byte that is no blank."""
        data, at, column = self.data, self.at, self.column
        while at < len(data):
            byte = data[at]
            if byte == 0x20:
                column += 1
            elif byte == 0x09:
                column += TAB_COLUMNS - column % TAB_COLUMNS
            else:
                break
            at += 1
        self.next_at, self.next_column = at, column

    @property
    def indent(self) -> int:
        return self.next_column - self.column

    @property
    def blank(self) -> bool:
        return self.next_at == len(self.data) and not self.goes_on

    def skip_blanks(self) -> None:
        self.at, self.column = self.next_at, self.next_column

    def skip_marker(self, size: int) -> None:
        """Passes the blanks and ``size`` bytes behind them."""
        self.at, self.column = self.next_at + size, self.next_column + size
        self.look()

    def skip_columns(self, count: int) -> None:
        """Passes so many columns of blanks; there must be as many."""
        goal = self.column + count
        while self.column < goal:
            if self.data[self.at] == 0x20:
                self.at, self.column = self.at + 1, self.column + 1
                continue
            stop = self.column + TAB_COLUMNS - self.column % TAB_COLUMNS
            if stop > goal:
                self.column = goal
                break
            self.at, self.column = self.at + 1, stop
        self.look()


def after(state: State, line: Line) -> tuple[State, Heading | None]:
    """The state behind a line, and the heading that the line completes."""
    cursor = _Cursor(line)
    containers, leaf = state
    matched = _continued(cursor, containers)
    whole = matched == len(containers)
    if whole and leaf.kind != "none":
        kept = _continued_leaf(cursor, line, leaf)
        if kept is not None:
            return State(containers, kept), None
        if leaf.kind != "paragraph" or cursor.blank:
            leaf = NO_LEAF
        if state.leaf.kind in ("fence", "html") and not cursor.blank:
            return State(containers, NO_LEAF), None
    return _opened(cursor, line, containers, matched, leaf)


def _continued(cursor: _Cursor, containers: tuple[int, ...]) -> int:
    """How many of the containers a line continues; the cursor is then behind their markers."""
    for index, container in enumerate(containers):
        if container == _QUOTE:
            if cursor.indent >= TAB_COLUMNS or cursor.data[cursor.next_at : cursor.next_at + 1] != b">":
                return index
            _pass_quote(cursor)
        elif cursor.blank:
            if container < 0:
                return index
            cursor.skip_blanks()
        elif cursor.indent >= abs(container):
            cursor.skip_columns(abs(container))
        else:
            return index
    return len(containers)


def _pass_quote(cursor: _Cursor) -> None:
    cursor.skip_marker(1)
    if cursor.indent:
        cursor.skip_columns(1)


def _continued_leaf(cursor: _Cursor, line: Line, leaf: Leaf) -> Leaf | None:
    """The leaf behind a line of its own; None where the line may be anything else.

    Invariant: where a fence or HTML ends with this line, the caller is given None and nothing else is
    made of the line, unless it is blank.
    """
    match leaf.kind:
        case "fence":
            closes = cursor.indent < TAB_COLUMNS and _closes(line, cursor.next_at, leaf)
            return None if closes else leaf
        case "html":
            if leaf.html >= len(HTML_ENDS) + 1:
                return None if cursor.blank else leaf
            return None if line.holds(HTML_ENDS[leaf.html - 1], cursor.at) else leaf
        case "code":
            return leaf if cursor.blank or cursor.indent >= TAB_COLUMNS else None
    return None


def _closes(line: Line, at: int, fence: Leaf) -> bool:
    rest = line.head[at:]
    behind = rest.lstrip(fence.marker)
    return len(rest) - len(behind) >= fence.size and not behind.strip(b" \t") and line.rest_is(fence.marker)


def _opened(
    cursor: _Cursor, line: Line, containers: tuple[int, ...], matched: int, leaf: Leaf
) -> tuple[State, Heading | None]:
    """What a line makes that is not in a fence, in HTML or in code: new blocks, then text."""
    whole = matched == len(containers)
    inside = list(containers[:matched])
    # The paragraph the line would continue, and one in a container it does not name, which it may.
    paragraph = leaf if whole and leaf.kind == "paragraph" else None
    lazy = leaf.kind == "paragraph" and not whole
    while not cursor.blank:
        if cursor.indent >= TAB_COLUMNS:
            if paragraph is None and not lazy:
                return State(_fill(inside), Leaf("code")), None
            break
        byte = cursor.data[cursor.next_at]
        if byte not in _SPECIAL:
            break
        if byte == 0x3E and len(inside) < DEPTH_MAX:
            _fill(inside)
            inside.append(_QUOTE)
            _pass_quote(cursor)
            paragraph, lazy = None, False
            continue
        found = _leaf_block(cursor, line, inside, paragraph, lazy)
        if found is not None:
            return found
        width = _list_item(cursor, line, paragraph) if len(inside) < DEPTH_MAX else 0
        if not width:
            break
        _fill(inside)
        inside.append(-width)
        paragraph, lazy = None, False
    if cursor.blank:
        # A blank line ends paragraphs, and the containers it does not continue.
        return State(tuple(inside), NO_LEAF), None
    if lazy:
        return State(containers, _with_text(leaf, cursor, line)), None
    return State(_fill(inside), _with_text(paragraph or Leaf("paragraph"), cursor, line)), None


def _fill(inside: list[int]) -> tuple[int, ...]:
    if inside and inside[-1] < 0:
        inside[-1] = -inside[-1]
    return tuple(inside)


def _with_text(paragraph: Leaf, cursor: _Cursor, line: Line) -> Leaf:
    if line.long:
        known = paragraph.definitions
        start = line.start if known.phase in ("start", "after") else known.text
        return paragraph._replace(definitions=Definitions("text", start))
    text = line.head[cursor.next_at :]
    return paragraph._replace(definitions=paragraph.definitions.with_line(text, line.start))


def _leaf_block(
    cursor: _Cursor, line: Line, inside: list[int], paragraph: Leaf | None, lazy: bool
) -> tuple[State, Heading | None] | None:
    """The heading, fence, HTML block or thematic break that a line is; None where it is none of them."""
    rest = cursor.data[cursor.next_at :]
    byte = rest[0]
    if byte == 0x23 and (atx := ATX.match(rest)):
        return _headed(inside, Heading(line.start, line.stop, atx.end(1)))
    if byte in b"`~":
        found = FENCE.match(rest)
        if found and not (found[1] and line.rest_has(b"`")):
            marker = found[1] or found[2]
            return State(_fill(inside), Leaf("fence", line.start, marker[:1], len(marker))), None
    elif byte == 0x3C:
        kind = html_kind(rest)
        if kind and (kind < 7 or (paragraph is None and not lazy and not line.long)):
            ended = kind <= len(HTML_ENDS) and line.holds(HTML_ENDS[kind - 1], cursor.next_at)
            return State(_fill(inside), NO_LEAF if ended else Leaf("html", line.start, html=kind)), None
    elif byte in b"=-" and paragraph is not None and SETEXT.match(rest) and line.rest_is(rest[:1]):
        start = paragraph.definitions.text_start
        if start is not None:
            return _headed(inside, Heading(start, line.stop, 1 if byte == 0x3D else 2))
    if byte in b"*-_" and line.rest_is_only(rest[:1] + b" \t") and THEMATIC.match(rest):
        return State(_fill(inside), NO_LEAF), None
    return None


def _headed(inside: list[int], heading: Heading) -> tuple[State, Heading | None]:
    return State(_fill(inside), NO_LEAF), None if inside else heading


def _list_item(cursor: _Cursor, line: Line, paragraph: Leaf | None) -> int:
    """The columns that the content of a new list item is indented by; 0 where there is none.

    The cursor is then behind the marker and the blanks that belong to it.
    """
    rest = cursor.data[cursor.next_at :]
    size, interrupts = list_marker(rest)
    if not size or (paragraph is not None and not (interrupts and rest[size:].strip(b" \t"))):
        return 0
    width = cursor.indent + size
    cursor.skip_marker(size)
    if cursor.blank or cursor.indent > TAB_COLUMNS:
        # An empty item, or one that begins with code: one blank belongs to the marker.
        if cursor.indent:
            cursor.skip_columns(1)
        return width + 1
    width += cursor.indent
    cursor.skip_columns(cursor.indent)
    return width
