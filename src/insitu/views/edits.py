"""Many edits in one request: parsed from JSON lines or a unified diff, placed in a document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

from insitu.core.spans import Span
from insitu.errors import AmbiguousError, ExpectationError, NoMatchError, RequestError, SpanError
from insitu.views.text import Encoding

_HUNK = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@")

# ``bytes`` names a field below.
Bytes = bytes

# How a unified diff begins; JSON lines do not.
_DIFF = (b"--- ", b"@@ ", b"diff ")

# What a diff of git may ask for that is no edit of lines.
_BEYOND_TEXT = (b"rename from ", b"copy from ", b"Binary files ", b"GIT binary patch")

_FIELDS = {"bytes", "lines", "match", "text", "hex", "expect"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One edit of many: where, what, and what is expected to be there.

    Exactly one of ``bytes``, ``lines`` and ``match`` says where.

    Args:
        new: what is put there; empty deletes.
        bytes: ``(start, stop)``, 0-based and half-open.
        lines: ``(first, last)``, 1-based and inclusive; ``(n, n - 1)`` is the place before line ``n``.
        match: text that must occur exactly once.
        expect: what must be there now; None means anything.

    A ``str`` stands for its bytes in the encoding of the file.
    """

    new: Bytes | str
    bytes: tuple[int, int] | None = None
    lines: tuple[int, int] | None = None
    match: Bytes | str | None = None
    expect: Bytes | str | None = None

    def __post_init__(self) -> None:
        given = sum(where is not None for where in (self.bytes, self.lines, self.match))
        if given != 1:
            raise RequestError(
                f"An edit names {given} places instead of one.", hint="Give one of bytes, lines and match."
            )


class Located(Protocol):
    """What placing edits asks of a document."""

    @property
    def path(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def lines(self) -> Any: ...
    @property
    def text(self) -> Encoding: ...
    def read(self, offset: int, size: int) -> bytes: ...
    def finditer(self, pattern: bytes, start: int = 0, stop: int | None = None) -> Iterator[Span]: ...


def place(document: Located, edits: Iterable[Edit]) -> list[tuple[Span, bytes]]:
    """Where each edit goes, sorted by place; one that puts what it expects is checked and left out.

    Raises:
        SpanError: edits overlap, or lie outside the file.
        NoMatchError, AmbiguousError: a text to be matched is not there, or more than once.
        ExpectationError: what is there is not what was expected.
        TextError: the file's encoding cannot hold a text.
    """
    placed: list[tuple[Span, bytes]] = []
    for number, edit in enumerate(edits, 1):
        new, expected, match = (_written(text, document) for text in (edit.new, edit.expect, edit.match))
        span = _span_of(document, edit, number, expected, match)
        there = document.read(span.start, span.size) if expected is not None else None
        if there != expected:
            raise ExpectationError(
                f"{_named(document, number)} expects other bytes at {span.start}:{span.stop}; nothing was "
                "changed.",
                hint=f"There is: {(there or b'')[:200]!r}",
                edit=number,
                found=there,
            )
        if new is not None and new != expected:
            placed.append((span, new))
    placed.sort(key=lambda edit: edit[0])
    for (before, _), (after, _) in pairwise(placed):
        if after.start < before.stop:
            raise SpanError(
                f"Two edits of {document.path} overlap at byte {after.start}; nothing was changed.",
                hint="Edits of one request take effect at once; join the two into one.",
                offset=after.start,
            )
    return placed


def _written(text: bytes | str | None, document: Located) -> bytes | None:
    return document.text.encode(text) if isinstance(text, str) else text


def _span_of(document: Located, edit: Edit, number: int, expected: bytes | None, match: bytes | None) -> Span:
    if edit.bytes is not None:
        span = Span(*edit.bytes)
        if not 0 <= span.start <= span.stop <= document.size:
            raise SpanError(
                f"{_named(document, number)}: bytes {span.start}:{span.stop} lie outside the "
                f"{document.size:,} there are.",
                edit=number,
            )
        return span
    if edit.lines is not None:
        first, last = edit.lines
        span = document.lines.span_of(first - 1, last)
        assert isinstance(span, Span)
        # A diff takes the byte order mark for text of the first line.
        marked = first == 1 and expected is not None and expected.startswith(document.read(0, span.start))
        return Span(0, span.stop) if marked else span
    assert match is not None
    matches = document.finditer(match)
    first_match, second = next(matches, None), next(matches, None)
    if first_match is None:
        raise NoMatchError(
            f"{_named(document, number)}: its text does not occur; nothing was changed.", edit=number
        )
    if second is not None:
        raise AmbiguousError(
            f"{_named(document, number)}: its text occurs more than once, at bytes {first_match.start:,} and "
            f"{second.start:,} for example; nothing was changed.",
            hint="Give more of the surrounding text, or the place by bytes or lines.",
            edit=number,
            candidates=[f'"bytes": "{found.start}:{found.stop}"' for found in (first_match, second)],
        )
    return first_match


def _named(document: Located, number: int) -> str:
    return f"Edit {number} of {document.path}"


def parse_edits(text: bytes | str) -> list[Edit]:
    """Edits from JSON lines, or from a unified diff of one file.

    A JSON line is an object with one of ``bytes`` ("A:B" or [A, B]), ``lines`` ("A-B" or [A, B]) and
    ``match``; ``text`` or ``hex`` for what is put there; optionally ``expect``.

    Raises:
        RequestError: a line is neither; the message names it.
    """
    data = _encoded(text)
    if not data.startswith(_DIFF):
        return [_from_json(fields, number) for number, fields in _json_lines(data, _FIELDS)]
    edits = []
    for count, (_, line, found) in enumerate(_from_diff(data)):
        if count:
            raise RequestError(
                f"Line {line} of the diff begins a second file.",
                hint="Apply all of them: insitu apply --transaction EDITS, insitu.apply_together.",
            )
        edits += found
    return edits


def parse_changes(text: bytes | str) -> dict[str, list[Edit]]:
    """Edits of several files, by path: from JSON lines, or from a unified diff.

    A JSON line is as ``parse_edits`` takes it, with a ``path`` besides. The prefixes ``a/`` and ``b/`` of a
    diff are taken off where both are there.

    Raises:
        RequestError: a line is neither, has no path, or makes or removes a file; the message names it.
    """
    data = _encoded(text)
    changes: dict[str, list[Edit]] = {}
    if not data.startswith(_DIFF):
        for number, fields in _json_lines(data, _FIELDS | {"path"}):
            path = fields.get("path")
            if not isinstance(path, str) or not path:
                raise RequestError(f"Line {number} of the edits has no path.", hint='Add "path": "FILE".')
            changes.setdefault(path, []).append(_from_json(fields, number))
        return changes
    for path, line, found in _from_diff(data):
        if path in ("", "/dev/null"):
            what = "does not say which file it changes" if not path else "makes or removes a file"
            raise RequestError(f"Line {line} of the diff {what}.", hint="Only files there are can be edited.")
        changes.setdefault(path, []).extend(found)
    return changes


def _encoded(text: bytes | str) -> bytes:
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


def _json_lines(data: bytes, known: set[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except ValueError as error:
            raise RequestError(f"Line {number} of the edits is not JSON: {error}.") from None
        if not isinstance(fields, dict) or (unknown := set(fields) - known):
            names = ", ".join(sorted(unknown)) if isinstance(fields, dict) else "not an object"
            raise RequestError(
                f"Line {number} of the edits has unknown fields: {names}.",
                hint=f"Known: {', '.join(sorted(known))}.",
            )
        yield number, fields


def _from_json(fields: dict[str, Any], number: int) -> Edit:
    try:
        new = bytes.fromhex(fields["hex"]) if "hex" in fields else _text(fields.get("text", ""))
        return Edit(
            new=new,
            bytes=_pair(fields["bytes"], ":") if "bytes" in fields else None,
            lines=_pair(fields["lines"], "-") if "lines" in fields else None,
            match=_text(fields["match"]) if "match" in fields else None,
            expect=_text(fields["expect"]) if "expect" in fields else None,
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise RequestError(f"Line {number} of the edits cannot be read: {error}") from None


def _pair(value: Any, separator: str) -> tuple[int, int]:
    if isinstance(value, str):
        first, _, last = value.partition(separator)
        return int(first), int(last or first)
    first, last = value
    return int(first), int(last)


def _text(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{text!r} is no text")
    return text


def _from_diff(data: bytes) -> Iterator[tuple[str, int, list[Edit]]]:
    """Yields each file's path, the line its part begins at, and its edits.

    There is one edit for each run of changed lines of a hunk, and one that only checks for each of kept ones.
    """
    lines = [line + b"\n" for line in data.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    path, begins, edits = "", 0, list[Edit]()
    at = 0
    while at < len(lines):
        if lines[at].startswith(b"--- "):
            if begins or edits:
                yield path, begins, edits
            path, begins, edits = _path_of(lines[at : at + 2]), at + 1, []
        elif lines[at].startswith(_BEYOND_TEXT):
            raise RequestError(
                f"Line {at + 1} of the diff asks for more than other text.",
                hint="Copy and rename files by other means; binary content can be given as JSON lines.",
            )
        hunk = _HUNK.match(lines[at])
        at += 1
        if hunk is None:
            continue
        line, old_left, new_left = int(hunk[1]), int(hunk[2] or b"1"), int(hunk[3] or b"1")
        line += old_left == 0  # an empty old side names the line before the place
        body = []
        while at < len(lines) and (old_left > 0 or new_left > 0 or lines[at].startswith(b"\\")):
            # Editors strip the blank of an empty line that is kept.
            text = b" " + lines[at] if lines[at] in (b"\n", b"\r\n") else lines[at]
            if text[:1] not in (b" ", b"-", b"+", b"\\"):
                break
            old_left -= text[:1] in b" -"
            new_left -= text[:1] in b" +"
            body.append(text)
            at += 1
        if old_left or new_left:
            raise RequestError(
                f"The hunk before line {at + 1} of the diff does not have the lines its head promises.",
                hint="The diff was cut or edited; make it anew.",
            )
        edits += _from_hunk(body, line)
    if begins or edits:
        yield path, begins, edits


def _path_of(head: list[bytes]) -> str:
    """The file that the two lines before the hunks speak of; what follows a tab is its time."""
    names = [line.rstrip(b"\r\n").partition(b"\t")[0][4:] for line in head]
    old, new = (name.decode("utf-8", "surrogateescape") for name in (*names, b"")[:2])
    if "/dev/null" in (old, new):
        return "/dev/null"
    prefixed = old.startswith("a/") and new.startswith("b/")
    return new[2:] if prefixed else new


def _from_hunk(body: list[bytes], line: int) -> Iterator[Edit]:
    old: list[bytes] = []
    new: list[bytes] = []
    sides: tuple[list[bytes], ...] = ()
    kept = True
    for text in body:
        sign, rest = text[:1], text[1:]
        if sign == b"\\":
            # "\ No newline at end of file" speaks of the line before it.
            for side in sides:
                side[-1] = side[-1].removesuffix(b"\n")
            continue
        if kept != (sign == b" "):
            yield from _run(old, new, line)
            line += len(old)
            old, new, kept = [], [], not kept
        sides = {b" ": (old, new), b"-": (old,), b"+": (new,)}[sign]
        for side in sides:
            side.append(rest)
    yield from _run(old, new, line)


def _run(old: list[bytes], new: list[bytes], line: int) -> Iterator[Edit]:
    if old or new:
        yield Edit(new=b"".join(new), lines=(line, line + len(old) - 1), expect=b"".join(old))
