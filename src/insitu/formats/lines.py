"""The rules of lines: which byte ends one, and which ending new text takes.

One byte ends a line throughout a file: LF, or CR in a file that knows no LF. CR LF is an ending, too,
but ends with LF, so counting lines means counting one byte. Everything here is bytes: the view encodes and
decodes. In UTF-16 and UTF-32 a line end is a code unit of two or four bytes, given as ``newline``; what is
passed in starts and stops between units.

A line includes its ending; only the last line of a file may lack one, and no line is empty. Texts given
by a caller are single lines, too: what they hold before their ending is never looked into, so that a
line assigned to itself changes no byte. ``split_text`` makes lines of a text that may hold several.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

LF: Final = b"\n"
CR: Final = b"\r"
CRLF: Final = b"\r\n"

NEWLINES: Final = (LF, CR)
"""The bytes that can end a line; a file uses one of them throughout."""


def detect_newline(first_window: bytes, *, more: bool = False) -> bytes:
    """Returns the byte that ends lines: LF, unless the window holds CR and no LF.

    Args:
        first_window: the first bytes of the file.
        more: whether bytes follow the window. A CR as its last byte then tells nothing, since an LF may
            follow: where reads happen to be cut must not decide.
    """
    if LF in first_window:
        return LF
    return CR if CR in (first_window[:-1] if more else first_window) else LF


def find_unit(data: bytes, newline: bytes, start: int = 0) -> int:
    """Where the first ``newline`` at or behind ``start`` is, whole code units from the start of ``data``.

    Returns:
        Minus a unit where there is none.
    """
    unit = len(newline)
    at = data.find(newline, start)
    while at >= 0 and at % unit:
        at = data.find(newline, at + 1)
    return at if at >= 0 else -unit


def rfind_unit(data: bytes, newline: bytes, stop: int | None = None) -> int:
    """Where the last ``newline`` before ``stop`` is; otherwise as ``find_unit``."""
    unit = len(newline)
    at = data.rfind(newline, 0, stop)
    while at >= 0 and at % unit:
        at = data.rfind(newline, 0, at + unit - 1)
    return at if at >= 0 else -unit


def split_ending(line: bytes, newline: bytes = LF) -> tuple[bytes, bytes]:
    """Splits a line of a file into what it says and its ending (empty for an unterminated line).

    The ending is LF or CR LF where LF ends lines (a lone CR before the end is text), CR where CR does.
    """
    if not line.endswith(newline):
        return line, b""
    lf, cr = _ends(newline)
    size = len(newline) * (2 if newline == lf and line.endswith(cr + lf) else 1)
    return line[:-size], line[-size:]


def split_text(text: bytes, newline: bytes = LF) -> list[bytes]:
    """Splits a caller's text into single lines, each with the ending it was written with.

    A caller's LF always ends a line, whatever the file's ending; a lone CR only where CR does. The empty
    text has no lines.
    """
    if len(newline) > 1:
        return _split_units(text, newline)
    if newline == CR:
        return text.splitlines(keepends=True)
    *ended, last = text.split(LF)
    lines = [line + LF for line in ended]
    return [*lines, last] if last else lines


def _split_units(text: bytes, newline: bytes) -> list[bytes]:
    """``split_text`` by code units."""
    (lf, cr), unit = _ends(newline), len(newline)
    lines, start = [], 0
    for at in range(unit, len(text) + 1, unit):
        end = text[at - unit : at]
        paired = end == cr and text[at : at + unit] == lf
        if end == lf or (end == cr == newline and not paired):
            lines.append(text[start:at])
            start = at
    return [*lines, text[start:]] if start < len(text) else lines


def _ends(newline: bytes) -> tuple[bytes, bytes]:
    """LF and CR in the code units that ``newline`` is one of."""
    return newline.replace(CR, LF), newline.replace(LF, CR)


def ending_near(lines: Iterable[bytes], newline: bytes = LF) -> bytes:
    """Returns the ending of the first of ``lines`` that has one; ``newline`` where none has.

    Args:
        lines: the neighbours, the one to follow first: the line before, then the line after.
        newline: the byte that ends lines in this file.
    """
    return next((ending for line in lines if (ending := split_ending(line, newline)[1])), newline)


def assigned_line(text: bytes, replaced: bytes, neighbour_ending: bytes, newline: bytes = LF) -> bytes:
    """Returns the bytes that take the place of the line ``replaced`` when ``text`` is assigned to it.

    A text without an ending takes that of the replaced line, none included: a file whose last line is
    unterminated stays so. A text that ends with LF, or is empty, takes it, too, but always ends: as the
    neighbour does where the replaced line is unterminated. Any other ending this file can have is kept;
    one it cannot have counts as LF. ``assigned_line(line, line, ...) == line``.

    Args:
        text: one line, with or without an ending.
        replaced: the line as it is in the file.
        neighbour_ending: what ``ending_near`` found around it.
        newline: the byte that ends lines in this file.
    """
    if text == replaced:
        return replaced
    body, explicit, closed = _split_given(text, newline)
    ending = split_ending(replaced, newline)[1]
    return body + (explicit or ending or (neighbour_ending if closed or not body else b""))


def inserted_line(text: bytes, neighbour_ending: bytes, newline: bytes = LF) -> bytes:
    """Returns the bytes of a new line: ``text`` with the neighbour's ending unless it brings another.

    The line is always terminated, at the end of the file as well.
    """
    body, explicit, _closed = _split_given(text, newline)
    return body + (explicit or neighbour_ending)


def ended_line(line: bytes, neighbour_ending: bytes, newline: bytes = LF) -> bytes:
    """Returns what has to follow ``line`` before another line can: nothing where it is terminated."""
    return b"" if line.endswith(newline) else neighbour_ending


def assigned_lines(
    texts: Iterable[bytes], replaced: Sequence[bytes], neighbour_ending: bytes, newline: bytes = LF
) -> Iterator[bytes]:
    """Yields the lines that take the place of the consecutive lines ``replaced``, one per text.

    The texts take the endings of the replaced lines one by one, those left over the last ending there is
    among them, else the neighbour's. Where the last replaced line is unterminated (it then ends the
    file), the last text may be, too; every other line is terminated.
    ``assigned_lines(lines, lines, ...)`` yields ``lines``.

    Cost: holds one text at a time.
    """
    spare = ending_near([*reversed(replaced), neighbour_ending], newline)
    held: bytes | None = None
    for index, text in enumerate(texts):
        if held is not None:
            yield held + ended_line(held, spare, newline)
        if replaced:
            held = assigned_line(text, replaced[min(index, len(replaced) - 1)], spare, newline)
        else:
            held = inserted_line(text, spare, newline)
    if held is not None:
        yield held


def _split_given(text: bytes, newline: bytes) -> tuple[bytes, bytes, bool]:
    """Splits a caller's text into what it says, the ending to keep, and whether it was ended at all.

    The ending to keep is empty for LF, which stands for whatever ending the place calls for.
    """
    lf, cr = _ends(newline)
    body, ending = split_ending(text, newline)
    if newline == cr and text.endswith(lf):
        return text[: -len(lf)].removesuffix(cr), b"", True
    return body, b"" if ending == lf else ending, bool(ending)
