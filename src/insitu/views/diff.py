"""A bounded unified diff of pending or committed changes, however large they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from insitu.core.protocols import Reader
from insitu.core.spans import Span

# What a diff shows at most: hunks, lines of one side of a hunk, and bytes of a line.
HUNKS_MAX = 20
LINES_MAX = 20
LINE_BYTES_MAX = 240


class Change(Protocol):
    """A changed place: its span before and after."""

    @property
    def base(self) -> Span: ...
    @property
    def current(self) -> Span: ...


def unified(before: Reader, after: Reader, changes: Iterable[Change], name: str, context: int = 3) -> str:
    """Shows each changed place with the lines around it, old and new.

    Hunks are headed by byte offsets, since line numbers would need a scan of the file.

    Cost: reads the shown lines only.
    """
    lines = [f"--- {name}", f"+++ {name} (edited)"]
    for shown, (base, current) in enumerate(_hunks(before, changes, context)):
        if shown == HUNKS_MAX:
            lines.append("... more places are not shown")
            break
        lines += _hunk(before, after, base, current, context)
    return "\n".join(lines) + "\n"


def _hunks(before: Reader, changes: Iterable[Change], context: int) -> Iterator[tuple[Span, Span]]:
    """Joins changes whose lines and context would overlap."""
    pending: tuple[Span, Span] | None = None
    for change in changes:
        if pending is not None and _near(before, pending[0], change.base, context):
            pending = (
                Span(pending[0].start, change.base.stop),
                Span(pending[1].start, change.current.stop),
            )
            continue
        if pending is not None:
            yield pending
        pending = (change.base, change.current)
    if pending is not None:
        yield pending


def _near(before: Reader, first: Span, second: Span, context: int) -> bool:
    """Whether the context behind one change and that before the next would meet."""
    gap = second.start - first.stop
    if gap > 2 * (context + 1) * LINE_BYTES_MAX:
        return False
    # What is too large to be shown need not be counted.
    return first.size > LINES_MAX * LINE_BYTES_MAX or before.read(first.stop, gap).count(b"\n") <= 2 * context


def _hunk(before: Reader, after: Reader, base: Span, current: Span, context: int) -> Iterator[str]:
    lead = _lines_before(before, base.start, context)
    trail = _lines_after(before, base.stop, context)
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
    lines = reader.read(offset, stop - offset).split(b"\n")
    return [line + (b"\n" if i + 1 < len(lines) else b"") for i, line in enumerate(lines)][: count + 1]


def _shown(line: bytes) -> str:
    cut = line[:LINE_BYTES_MAX]
    text = cut.rstrip(b"\n").decode("utf-8", "backslashreplace")
    text = "".join(c if c.isprintable() or c == "\t" else f"\\x{ord(c):02x}" for c in text)
    return text + (f"[{len(line) - len(cut):,} more bytes]" if len(line) > len(cut) else "")
