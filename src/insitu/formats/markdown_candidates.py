"""The lines of a window that could matter outside of containers, found at memory speed.

A line indented by less than two columns is in no list item, and one that does not begin with ``>`` in no
block quote, whatever is open: it is a heading, opens a fence or starts HTML, or is text, and no context but
an open fence or HTML block can change that. So headings can be told from the few lines that begin with a
special character, without following paragraphs, lists and quotes. Where more context is needed (an
underline, two or three columns of indentation) the line is a doubt, for the exact scanner to settle.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from insitu.formats.markdown_keys import window_keys
from insitu.formats.markdown_rules import HTML_ENDS, html_kind
from insitu.formats.markdown_rules import SETEXT as SETEXT_LINE
from insitu.formats.markdown_window import (
    CR,
    LF,
    SPACE,
    TAB,
    WindowLines,
    blank_lines,
    indents_and_leads,
    pooled,
    window_lines,
)

if TYPE_CHECKING:
    from insitu.formats.markdown_window import Bytes, Mask, Offsets

# Enough to see whether the line before a window is blank; where it is not, the line is settled exactly.
BEFORE_BYTES: Final = 256

# Lines that end further behind a window are settled exactly.
AFTER_BYTES: Final = 4 << 10

# Source: section 1.2 of the specification: no list item's content is indented by less than two columns.
_ITEM_COLUMNS: Final = 2

# An item with text right behind its marker: all lines that are blank or indented like the text are in it.
_ITEM: Final = re.compile(rb" ?(?:[-+*]|(\d{1,9})[.)]) {1,4}(?=[A-Za-z0-9`\[(\"'])")

_HASH, _BACKTICK, _TILDE, _LESS, _EQUALS, _MINUS = b"#`~<=-"


# What an event is, as bits of its code.
TICKS: Final = 1
"""A line that begins with a marker of fences, of backticks,"""
TILDES: Final = 2
"""or of tildes; its size is how many."""
HTML: Final = 4
"""A line that could start HTML; its size is the kind."""
CERTAIN: Final = 16
"""No container can hold the line; without this bit the exact scanner must settle what it is."""
OPENS: Final = 32
"""A fence that could open a block."""
CLOSES: Final = 64
"""A fence that could close one; HTML that ends with the line."""
CUT: Final = 128
"""The line ends out of sight."""

FENCES: Final = TICKS | TILDES


class Events(NamedTuple):
    """Lines that may open or close something, or be headings in doubt, as columns in order."""

    offsets: Offsets
    stops: Offsets
    """Behind their endings."""
    indexes: Offsets
    """Of the lines among those that start in the window."""
    codes: Offsets
    sizes: Offsets
    items: Offsets
    """Where the list item starts that holds the line if that is in no fence or HTML; else -1."""
    pairs: Offsets
    """How often, from here on, an event opens a fence for certain and the next one closes it."""


class Candidates(NamedTuple):
    """What one window holds, offsets being those in the document."""

    line_count: int
    """How many lines start in the window."""
    starts: Offsets
    """Headings that are certain if no fence or HTML is open there: ATX, and a line with its underline."""
    stops: Offsets
    """Behind their endings; -1 where that is too far away to be seen."""
    levels: Bytes
    indexes: Offsets
    """Which lines of the window they are."""
    keys: Offsets
    families: Offsets
    """What ``markdown_keys`` makes of their titles."""
    sync_indexes: Offsets
    syncs: Offsets
    """Lines behind a blank one that end all containers, if no fence or HTML is open there."""
    blanks: Offsets
    """Blank lines."""
    events: Events


def candidates(
    view: memoryview, offset: int, before: int, size: int, encoding: str | None, *, first: bool, last: bool
) -> Candidates:
    """Finds what could matter in a window.

    Args:
        view: the bytes of the window, with context around it.
        offset: of ``view[0]`` in the document.
        before: how many bytes of context precede the window.
        size: of the window itself.
        encoding: of the text, which titles are decoded by; None: no keys are made of them.
        first: whether the window starts where nothing is open, at the start of a line.
        last: whether the document ends where the view does.

    Cost: 2 to 3 milliseconds for 1 MiB of prose, most of it without the GIL, plus 1 to 3 microseconds for a
        heading, a fence or a line of HTML.
    """
    import numpy as np

    lines = window_lines(view, before if first else 0, last=last)
    own = np.searchsorted(lines.starts, [before, before + size])
    # What precedes the first line in sight is cut off: it is no line of this window, unless all begins here.
    low = int(own[0]) if first else max(1, int(own[0]))
    high = int(own[1])
    blank = blank_lines(lines)
    behind_blank = np.empty(len(blank), np.bool_)
    behind_blank[1:] = blank[:-1]
    behind_blank[:1] = first
    if not first:
        # The first line in sight is cut off at its start: it only looks blank.
        behind_blank[1:2] = False
    indents, leads = indents_and_leads(lines)
    mine = slice(low, high)
    indent, lead, starts = indents[mine], leads[mine], lines.starts[mine]
    flush = indent < _ITEM_COLUMNS
    syncs = np.flatnonzero(flush & behind_blank[mine] & ~blank[mine])
    found = _Found(lines, low, high, _Items(lines, indents, blank, behind_blank))
    atx = np.flatnonzero(lead == _HASH)
    atx, levels = _atx(lines, starts[atx] + indent[atx], atx)
    sure = flush[atx]
    heads = atx[sure] + low
    found.add(atx[~sure] + low, indent[atx[~sure]], 0, 0)
    fences = np.flatnonzero((lead == _BACKTICK) | (lead == _TILDE))
    found.fences(fences + low, indent[fences])
    html = np.flatnonzero(lead == _LESS)
    found.html(html + low, indent[html], behind_blank)
    rules = np.flatnonzero(((lead == _EQUALS) | (lead == _MINUS)) & ~behind_blank[mine]) + low
    # A line that begins a paragraph in no container; the byte behind its indent was looked at.
    titles = flush & behind_blank[mine] & ~blank[mine]
    underlines, firsts = found.underlines(rules, indents[rules], titles, lead)
    found.open_blank()
    tails = np.concatenate((heads, underlines))
    heads = np.concatenate((heads, underlines - 1))
    levels = np.concatenate((levels[sure], np.where(firsts, 1, 2).astype(np.uint8)))
    order = np.argsort(heads, kind="stable")
    heads, levels, stops = heads[order], levels[order], lines.stops[tails[order]] + offset
    if len(heads) and heads[-1] == found.cut:
        stops[-1] = -1
    keys = families = np.zeros(len(heads), np.int64)
    if encoding is not None:
        keys, families = window_keys(view, lines.starts[heads], lines.ends[heads], encoding)
    return Candidates(
        line_count=high - low,
        starts=lines.starts[heads] + offset,
        stops=stops,
        levels=levels,
        indexes=heads - low,
        keys=keys,
        families=families,
        sync_indexes=syncs,
        syncs=starts[syncs] + offset,
        blanks=lines.starts[mine][blank[mine]] + offset,
        events=found.events(offset),
    )


@cache
def _special() -> Mask:
    """Which first bytes may begin something other than the text of a paragraph."""
    import numpy as np

    table = np.zeros(256, np.bool_)
    table[list(b"\0#`~*+_=<>-[0123456789")] = True
    return table


def _atx(lines: WindowLines, at: Offsets, found: Offsets) -> tuple[Offsets, Bytes]:
    """Those of the lines that are ATX headings, and their levels.

    Args:
        at: where their first ``#`` stands.
    """
    import numpy as np

    data, top = lines.data, len(lines.data) - 1
    levels = np.ones(len(at), np.uint8)
    run = np.ones(len(at), np.bool_)
    for count in range(1, 7):
        run &= (data[np.minimum(at + count, top)] == _HASH) & (at + count <= top)
        levels += run
    behind = data[np.minimum(at + levels, top)]
    ended = (at + levels > top) | (behind == SPACE) | (behind == TAB) | (behind == LF) | (behind == CR)
    right = ended & (levels <= 6)
    return found[right], levels[right]


class _Found:
    """Gathers the events of a window: columns in any order, sorted in the end."""

    def __init__(self, lines: WindowLines, low: int, high: int, items: _Items) -> None:
        self._lines = lines
        self._low = low
        self._items = items
        self._columns: list[tuple[Any, Any, Any, Any]] = []
        self.cut = high - 1 if lines.open_end and low < high == len(lines.starts) else -1
        """The one line whose end is out of sight, if it is of this window."""

    def add(self, found: Offsets, indents: Any, codes: Any, sizes: Any) -> None:
        """Adds lines; codes and sizes may be one for all."""
        import numpy as np

        codes = np.where(found == self.cut, CUT, codes)
        items = self._items.around(found, indents) if len(found) else found
        self._columns.append((found, codes, np.broadcast_to(sizes, found.shape), items))

    def events(self, offset: int) -> Events:
        """All of them, in order."""
        import numpy as np

        found, codes, sizes, items = (
            np.concatenate(column).astype(np.int64) for column in zip(*self._columns, strict=True)
        )
        order = np.argsort(found, kind="stable")
        found = found[order]
        starts, stops = self._lines.starts[found] + offset, self._lines.stops[found] + offset
        items = np.where(items < 0, -1, self._lines.starts[items] + offset)[order]
        codes, sizes = codes[order], sizes[order]
        return Events(starts, stops, found - self._low, codes, sizes, items, _pairs(codes, sizes))

    def fences(self, found: Offsets, indents: Any) -> None:
        """Lines that begin with a marker of fences."""
        import numpy as np

        data, top = self._lines.data, len(self._lines.data) - 1
        at = self._lines.starts[found] + indents
        marker = data[at]
        run = (data[np.minimum(at + 1, top)] == marker) & (data[np.minimum(at + 2, top)] == marker)
        found, at, marker, indents = found[run], at[run], marker[run], indents[run]
        ends = self._lines.ends[found]
        sizes = np.full(len(found), 3, np.int64)
        longer = np.flatnonzero(data[np.minimum(at + 3, top)] == marker)
        for line in longer.tolist():
            text = bytes(self._lines.view[at[line] : ends[line]])
            sizes[line] = len(text) - len(text.lstrip(text[:1]))
        closes = at + sizes >= ends
        for line in np.flatnonzero((data[ends - 1] == SPACE) | (data[ends - 1] == TAB)).tolist():
            closes[line] = not bytes(self._lines.view[at[line] + sizes[line] : ends[line]]).strip(b" \t")
        ticks = marker == _BACKTICK
        opens = np.ones(len(found), np.bool_)
        if len(told := np.flatnonzero(ticks & ~closes)):
            pool, cuts = pooled(data, at[told] + sizes[told], ends[told])
            opens[told] = ~np.logical_or.reduceat(pool == _BACKTICK, cuts)
        codes = np.where(ticks, TICKS, TILDES) | (indents < _ITEM_COLUMNS) * CERTAIN
        self.add(found, indents, codes | opens * OPENS | closes * CLOSES, sizes)

    def html(self, found: Offsets, indents: Any, behind_blank: Mask) -> None:
        """Lines that begin with ``<``."""
        import numpy as np

        codes, sizes = np.zeros(len(found), np.int64), np.zeros(len(found), np.int64)
        for at, (line, indent) in enumerate(zip(found.tolist(), indents.tolist(), strict=True)):
            text = self._lines.content(line)[indent:]
            if kind := html_kind(text):
                # Kind 7 does not interrupt a paragraph.
                sure = indent < _ITEM_COLUMNS and (kind < 7 or bool(behind_blank[line]))
                ends = kind <= len(HTML_ENDS) and HTML_ENDS[kind - 1].search(text) is not None
                codes[at] = HTML | sure * CERTAIN | ends * CLOSES
                sizes[at] = kind
        kept = (sizes > 0) | (found == self.cut)
        self.add(found[kept], indents[kept], codes[kept], sizes[kept])

    def underlines(self, found: Offsets, indents: Any, titles: Mask, leads: Bytes) -> tuple[Offsets, Mask]:
        """Lines that begin with ``=`` or ``-`` and follow one that is not blank.

        Args:
            titles: which lines of the window begin a paragraph in no container, if their first bytes
                (``leads``) begin text.

        Returns:
            Those that follow such a line and so are certain, and which of them are of the first level.
        """
        import numpy as np

        data, starts, ends = self._lines.data, self._lines.starts, self._lines.ends
        final = data[ends[found] - 1]
        lead = data[starts[found] + indents]
        fits = (final == lead) | (final == SPACE) | (final == TAB) | (found == self.cut)
        found, indents, lead = found[fits], indents[fits], lead[fits]
        kept = self._are_underlines(found, indents, lead)
        found, indents, lead = found[kept], indents[kept], lead[kept]
        above = np.maximum(found - self._low - 1, 0)
        certain = (found > self._low) & titles[above] & ~_special()[leads[above]] & (found != self.cut)
        self.add(found[~certain], indents[~certain], 0, 0)
        return found[certain], (lead == _EQUALS)[certain]

    def _are_underlines(self, found: Offsets, indents: Any, lead: Bytes) -> Mask:
        import numpy as np

        if not len(found):
            return np.zeros(0, np.bool_)
        starts, ends = self._lines.starts[found] + indents, self._lines.ends[found]
        pool, cuts = pooled(self._lines.data, starts, ends)
        kept: Mask = ~np.logical_or.reduceat(pool != np.repeat(lead, ends - starts), cuts)
        # With other bytes, only those at the end may be blank.
        for at in np.flatnonzero(~kept).tolist():
            text = bytes(self._lines.view[starts[at] : ends[at]])
            kept[at] = found[at] == self.cut or SETEXT_LINE.match(text) is not None
        return kept

    def open_blank(self) -> None:
        """A last line whose end is out of sight and that may yet turn out blank."""
        import numpy as np

        cut = self.cut >= 0 and not self._lines.content(self.cut).strip(b" \t")
        self.add(np.array([self.cut] * cut, np.int64), np.zeros(int(cut), np.int64), 0, 0)


def _pairs(codes: Offsets, sizes: Offsets) -> Offsets:
    """For each event how many pairs begin with it that follow one upon the other: see ``Events``."""
    import numpy as np

    fences = codes & FENCES
    opens = (fences > 0) & (codes & (CERTAIN | OPENS) == CERTAIN | OPENS)
    paired = np.zeros(len(codes), np.bool_)
    paired[:-1] = opens[:-1] & (codes[1:] & CLOSES > 0)
    paired[:-1] &= (fences[1:] == fences[:-1]) & (sizes[1:] >= sizes[:-1])
    places = np.arange(len(codes))
    ends = np.where(paired, len(codes), places)
    for parity in (0, 1):
        # The next place, in steps of two, that begins no pair.
        ends[parity::2] = np.minimum.accumulate(ends[parity::2][::-1])[::-1]
    return (ends - places) // 2


class _Items:
    """Tells of indented lines whether a list item around them is in sight."""

    def __init__(self, lines: WindowLines, indents: Any, blank: Mask, behind_blank: Mask) -> None:
        import numpy as np

        self._lines = lines
        self._behind_blank = behind_blank
        self._flush = np.flatnonzero((indents < _ITEM_COLUMNS) & ~blank)
        # How many lines up to each are indented by two columns: they end an item of three.
        self._twos = np.cumsum((indents == _ITEM_COLUMNS) & ~blank)
        self._known: dict[int, int] = {}

    def around(self, found: Offsets, indents: Any) -> Offsets:
        """The lines that start the items around some lines; -1 where that is not certain."""
        import numpy as np

        items = np.full(len(found), -1, np.int64)
        at = np.searchsorted(self._flush, found) - 1
        # The first line in sight may be cut off.
        asked = np.flatnonzero((indents >= _ITEM_COLUMNS) & (at >= 0))
        asked = asked[self._flush[at[asked]] > 0]
        starts = self._flush[at[asked]]
        widths = np.array([self._width(line) for line in starts.tolist()], np.int64)
        within = (widths > 0) & (indents[asked] >= widths)
        within &= (widths <= _ITEM_COLUMNS) | (self._twos[found[asked] - 1] == self._twos[starts])
        items[asked[within]] = starts[within]
        return items

    def _width(self, line: int) -> int:
        """The columns that an item's content is indented by; 0 where the line may start none."""
        width = self._known.get(line)
        if width is None:
            found = _ITEM.match(self._lines.content(line))
            width = 0 if found is None else found.end()
            if found and found[1] and int(found[1]) != 1 and not self._behind_blank[line]:
                width = 0
            self._known[line] = width
        return width
