"""A bounded unified diff of pending or committed changes, however large they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from insitu.core.protocols import Reader
from insitu.core.spans import Span

# What a diff shows at most: hunks, lines of one side of a hunk, and bytes of a line.
HUNKS_MAX = 20
LINES_MAX = 20
LINE_BYTES_MAX = 240

# Changes in neighbouring lines are joined to hunks of so many: where every line changes, each hunk is shown
# whole, and the twentieth is reached without looking at the millionth change.
JOINED_LINES = 8


class Change(Protocol):
    """A changed place: its span before and after."""

    @property
    def base(self) -> Span: ...
    @property
    def current(self) -> Span: ...


def unified(
    before: Reader,
    after: Reader,
    changes: Iterable[Change],
    name: str,
    context: int = 3,
    *,
    after_name: str = "",
) -> str:
    """Shows each changed place with the lines around it, old and new.

    Hunks are headed by byte offsets, since line numbers would need a scan of the file.

    Cost: reads the shown lines only.
    """
    lines = [f"--- {name}", f"+++ {after_name or f'{name} (edited)'}"]
    for shown, hunk in enumerate(_hunks(before, changes, context)):
        if shown == HUNKS_MAX:
            lines.append("... more places are not shown")
            break
        lines += _shown_hunk(before, after, hunk)
    return "\n".join(lines) + "\n"


class _Hunk(NamedTuple):
    """Changes that are shown together, with so many lines before and behind."""

    base: Span
    current: Span
    lead: int
    trail: int


def _hunks(before: Reader, changes: Iterable[Change], context: int) -> Iterator[_Hunk]:
    """Joins changes whose lines and context would overlap, while they can be shown whole."""
    pending: _Hunk | None = None
    for change in changes:
        lead = context
        if pending is not None:
            meets = _meet(before, pending.base, change.base, context)
            if meets and _has_room(before, pending.base):
                pending = pending._replace(
                    base=Span(pending.base.start, change.base.stop),
                    current=Span(pending.current.start, change.current.stop),
                )
                continue
            lead = 0 if meets else context
            yield pending._replace(trail=lead)
        pending = _Hunk(change.base, change.current, lead, context)
    if pending is not None:
        yield pending


def _meet(before: Reader, first: Span, second: Span, context: int) -> bool:
    """Whether the context behind one change and that before the next would overlap."""
    gap = second.start - first.stop
    if gap > 2 * (context + 1) * LINE_BYTES_MAX:
        return False
    return before.read(first.stop, gap).count(b"\n") <= 2 * context


def _has_room(before: Reader, span: Span) -> bool:
    """Whether a hunk may become larger."""
    if span.size > LINES_MAX * LINE_BYTES_MAX:
        return False
    return before.read(span.start, span.size).count(b"\n") < JOINED_LINES


def _shown_hunk(before: Reader, after: Reader, hunk: _Hunk) -> Iterator[str]:
    base, current = hunk.base, hunk.current
    lead = _lines_before(before, base.start, hunk.lead)
    trail = _lines_after(before, base.stop, hunk.trail)
    # Old and new are shown as whole lines: the change with what shares its first and last line.
    head, tail = lead[-1] if lead else b"", trail[0] if trail else b""
    old, new = _text(before, base), _text(after, current)
    if old is not None and new is not None and _ends_line(head + old) and _ends_line(head + new):
        tail, trail = b"", [b"", *trail[:-1]]
    yield f"@@ byte {base.start:,}, {base.size:,} bytes -> {current.size:,} bytes @@"
    yield from (" " + _shown(line) for line in lead[:-1])
    yield from side("-", head + old + tail if old is not None else None, base.size)
    yield from side("+", head + new + tail if new is not None else None, current.size)
    yield from (" " + _shown(line) for line in trail[1:])


def _ends_line(text: bytes) -> bool:
    return not text or text.endswith(b"\n")


def side(sign: str, text: bytes | None, size: int) -> Iterator[str]:
    """One side of a hunk: its lines, or how much it is where ``text`` is None."""
    if text is None:
        yield f"{sign}[{size:,} bytes]"
        return
    lines = text.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    yield from (sign + _shown(line) for line in lines[:LINES_MAX])
    if len(lines) > LINES_MAX:
        yield f"{sign}[{len(lines) - LINES_MAX:,} more lines]"


def _text(reader: Reader, span: Span) -> bytes | None:
    """The bytes of a side; None where they are too many to show."""
    if span.size > LINES_MAX * LINE_BYTES_MAX:
        return None
    return reader.read(span.start, span.size)


def _lines_before(reader: Reader, offset: int, count: int) -> list[bytes]:
    """Up to ``count`` whole lines before the line of ``offset``, and that line up to it."""
    start = max(0, offset - (count + 1) * LINE_BYTES_MAX)
    lines = reader.read(start, offset - start).split(b"\n")
    return lines[-count - 1 :]


def _lines_after(reader: Reader, offset: int, count: int) -> list[bytes]:
    """The rest of the line of ``offset``, and up to ``count`` lines behind it."""
    stop = min(reader.size, offset + (count + 1) * LINE_BYTES_MAX)
    *ended, last = reader.read(offset, stop - offset).split(b"\n")
    lines = [line + b"\n" for line in ended]
    return [*lines, last][: count + 1] if last or not lines else lines[: count + 1]


def _shown(line: bytes) -> str:
    cut = line[:LINE_BYTES_MAX]
    text = cut.rstrip(b"\n").decode("utf-8", "backslashreplace")
    text = "".join(c if c.isprintable() or c == "\t" else f"\\x{ord(c):02x}" for c in text)
    return text + (f"[{len(line) - len(cut):,} more bytes]" if len(line) > len(cut) else "")
