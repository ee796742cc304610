"""The lines of a window as columns: where they are, which are blank, and what each begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    Bytes: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]
    Offsets: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
    Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]

LF, CR, TAB, SPACE = b"\n\r\t "


class WindowLines(NamedTuple):
    """The lines in sight; the first may be cut off at its start, the last at its end."""

    view: memoryview
    data: Bytes
    starts: Offsets
    stops: Offsets
    """Behind the endings."""
    ends: Offsets
    """Before the endings."""
    open_end: bool
    """Whether the last line goes on behind what is in sight."""

    def content(self, line: int) -> bytes:
        """The bytes of a line without its ending."""
        return bytes(self.view[self.starts[line] : self.ends[line]])


def window_lines(view: memoryview, skip: int, *, last: bool) -> WindowLines:
    """The lines of a view.

    Args:
        skip: where the first one starts.
        last: whether the document ends where the view does.
    """
    import numpy as np

    data = np.frombuffer(view, np.uint8)
    size = len(data)
    crs = bool((data == CR).any())
    stops = _last_of_ends(data, last=last) if crs else np.flatnonzero(data == LF)
    stops += 1
    if skip:
        stops = stops[np.searchsorted(stops, skip, "right") :]
    starts = np.concatenate((np.array([skip], np.int64), stops))
    open_end = False
    if int(starts[-1]) == size:
        starts = starts[:-1]
    else:
        open_end = not last
        stops = np.append(stops, size)
    ends = stops - 1
    if len(ends) and data[ends[-1]] not in (LF, CR):
        ends[-1] += 1
    if crs and len(ends):
        paired = (data[np.minimum(ends, size - 1)] == LF) & (ends > starts) & (data[ends - 1] == CR)
        ends = ends - paired
    return WindowLines(view, data, starts, stops, ends, open_end)


def _last_of_ends(data: Bytes, *, last: bool) -> Offsets:
    """The last bytes of line endings, some of which hold a CR."""
    import numpy as np

    ending, cr = data == LF, data == CR
    # A CR before an LF ends no line: the LF does.
    ending[:-1] |= cr[:-1] & ~ending[1:]
    # As the last byte in sight it ends one where the document does: what follows else is out of sight.
    ending[-1] |= cr[-1] & last
    return np.flatnonzero(ending)


def blank_lines(lines: WindowLines) -> Mask:
    """Which lines are blank; an open last one is not."""
    import numpy as np

    data, starts, ends = lines.data, lines.starts, lines.ends
    blank: Mask = starts == ends
    spaced = np.flatnonzero(_is_blank(data[starts]))
    for line in spaced[_is_blank(data[ends[spaced] - 1])].tolist():
        blank[line] = not lines.content(line).strip(b" \t")
    if lines.open_end and len(blank):
        blank[-1] = False
    return blank


def _is_blank(found: Bytes) -> Mask:
    mask: Mask = (found == SPACE) | (found == TAB)
    return mask


def indents_and_leads(lines: WindowLines) -> tuple[Any, Bytes]:
    """The columns each line is indented by, 4 for more, and the first byte behind; 0 for more than 3."""
    import numpy as np

    data, starts = lines.data, lines.starts
    top = len(data) - 1
    leads = data[starts]
    indents = np.zeros(len(starts), np.int8)
    spaced = np.flatnonzero(leads == SPACE)
    for column in range(1, 5):
        indents[spaced] = column
        found = data[np.minimum(starts[spaced] + column, top)]
        leads[spaced] = found
        spaced = spaced[found == SPACE]
        if not len(spaced):
            break
    deep = (indents == 4) | (leads == TAB)
    indents[deep] = 4
    leads[deep] = 0
    return indents, leads


def pooled(data: Bytes, starts: Offsets, ends: Offsets) -> tuple[Bytes, Offsets]:
    """The bytes of spans one behind the other, and where each begins; none of the spans is empty.

    Cost: 16 bytes of memory, for a moment, for each one of them.
    """
    import numpy as np

    sizes = ends - starts
    cuts = np.zeros(len(sizes), np.int64)
    np.cumsum(sizes[:-1], out=cuts[1:])
    places = np.repeat(starts - cuts, sizes)
    places += np.arange(len(places))
    return data[places], cuts
