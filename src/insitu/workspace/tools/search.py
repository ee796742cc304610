"""``file_search``: lines that hold a text or fit a regular expression, in one file or below a folder."""

from __future__ import annotations

from collections.abc import Iterator
from stat import S_ISDIR
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

from msgspec import Meta

from insitu.core.spans import Span
from insitu.document import Document
from insitu.errors import CancelledError, InsituError, PatternError, RequestError, TextError
from insitu.scan.patterns import Pattern
from insitu.scan.search import compile_literal, compile_regex
from insitu.workspace.call import Call
from insitu.workspace.described import version_of
from insitu.workspace.excerpts import Line, Window, decoded, in_one_line, lines_from, tool_call, visible
from insitu.workspace.locating import lines_span
from insitu.workspace.near_lines import line_number, line_start
from insitu.workspace.ranges import numbers
from insitu.workspace.request import Listed, Request, Tool, as_values
from insitu.workspace.scanning import OutOfTime, counted, matches
from insitu.workspace.walking import fits_glob, walk

if TYPE_CHECKING:
    from insitu.workspace.desk import Desk
    from insitu.workspace.roots import Place

CHARS: Final = 24_000
_LIMIT: Final = 50
_SECONDS_MAX: Final = 50
_AROUND_CHARS: Final = 120
_BINARY_SAMPLE: Final = 8_192


class Hits(Listed):
    """Lines found: ``number: text`` (with context ``number- text``), or file names and counts."""

    count: int = 0
    complete: bool = True


class Search(Request[Hits], frozen=True, kw_only=True):
    """Arguments of ``file_search``."""

    tool: ClassVar[Tool] = Tool(
        "file_search",
        "Search in files",
        "Find text or an RE2 regular expression in a file of any size, or in all files below a folder.",
        "read",
    )

    pattern: Annotated[str, Meta(min_length=1)]
    path: Annotated[str, Meta(description="File or folder.")] = "."
    mode: Literal["literal", "regex"] = "literal"
    ignore_case: bool = False
    within: Annotated[str | None, Meta(description='Lines "10-90".')] = None
    glob: Annotated[str | None, Meta(description='As "*.py".')] = None
    context: Annotated[int, Meta(ge=0, le=20)] = 0
    limit: Annotated[int, Meta(ge=1, le=1_000)] = _LIMIT
    count_only: bool = False
    max_seconds: Annotated[float, Meta(gt=0, le=_SECONDS_MAX)] = 20.0
    cursor: Annotated[str | None, Meta(description="From the last footer.")] = None

    def run(self, desk: Desk, call: Call) -> Hits:
        """Searches the file, or the files below the folder."""
        call.seconds = min(call.seconds, self.max_seconds)
        place = desk.roots.place(self.path)
        status = place.status()
        if status is None or not S_ISDIR(status.mode):
            return _in_file(self, desk, call)
        if self.within is not None:
            raise RequestError(
                f"within names lines of one file, and {self.path} is a folder.", hint="Leave it out."
            )
        return _Below(self, desk, call).hits(place)


def _compiled(request: Search, document: Document) -> Pattern:
    """The pattern over the bytes of a file."""
    text = request.pattern
    if request.mode == "literal" and not request.ignore_case:
        return compile_literal(document.text.encode(text), document.text.unit)
    if document.text.unit > 1:
        raise TextError(
            f"The file is {document.encoding}, in which only literal text is searched.",
            hint='Search it with mode="literal" and without ignore_case.',
        )
    import re

    expression = text if request.mode == "regex" else re.escape(text)
    return compile_regex(f"(?i){expression}" if request.ignore_case else expression)


# One file


def _in_file(request: Search, desk: Desk, call: Call) -> Hits:
    with desk.reading(request.path, call) as opened:
        document = opened.document
        span = Span(0, document.size)
        if request.within is not None:
            within = numbers(request.within, "lines")
            span = lines_span(document, within.first, within.last)
        if request.cursor is not None:
            span = Span(max(span.start, min(_offset(request.cursor), span.stop)), span.stop)
        if request.count_only:
            most_seconds = min(desk.limits.seconds, _SECONDS_MAX)
            return _counted(request, document, span, opened.shown_path, call, most_seconds)
        return _listed(request, document, span, opened.shown_path, call)


def _offset(cursor: str) -> int:
    try:
        return max(0, int(cursor))
    except ValueError:
        raise RequestError(
            f"{cursor[:40]!r} is no cursor of a file.", hint="Copy it from the footer of the call before."
        ) from None


def _counted(
    request: Search, document: Document, span: Span, path: str, call: Call, most_seconds: float
) -> Hits:
    more = f"Give it more with max_seconds (up to {most_seconds:g}), or count"
    hint = f"{more if call.seconds < most_seconds else 'Count'} within ranges of lines."
    count = counted(document, _compiled(request, document), span, path, call, hint)
    header = f"{path} version={version_of(document.generation)}: {_matches(count)}"
    return Hits(header=header, lines=[], count=count)


def _listed(request: Search, document: Document, span: Span, path: str, call: Call) -> Hits:
    shown: list[str] = []
    left, count, footer, last_line = CHARS, 0, "", 0
    try:
        for match in matches(document, _compiled(request, document), span, call):
            if count == request.limit or left <= 0:
                footer = _goes_on(request, match.start, "there are more matches")
                break
            count += 1
            for line in _around(request, document, match, last_line, path):
                shown.append(line[1])
                left -= len(line[1]) + 1
                last_line = max(last_line, line[0])
    except OutOfTime as late:
        footer = _goes_on(request, late.offset, f"{call.seconds:g} seconds were up")
    version = version_of(document.generation)
    header = f"{path} version={version}: {_matches(count)}{' so far' if footer else ''}"
    return Hits(header=header, lines=shown, footer=footer, count=count, complete=not footer)


def _goes_on(request: Search, offset: int, why: str) -> str:
    return f"[{why}: {_again(request, str(offset))}]"


def _again(request: Search, cursor: str) -> str:
    """The call that goes on."""
    return tool_call("file_search", **{**as_values(request), "cursor": cursor})


def _around(
    request: Search, document: Document, match: Span, shown_to: int, path: str
) -> Iterator[tuple[int, str]]:
    """The line of a match, as numbers and text, with its context; lines shown already are left out."""
    number = line_number(document, min(match.start, document.size - 1))
    first = max(1, number - request.context, shown_to + 1)
    start = line_start(document, first - 1)
    for line in lines_from(document, first, start, document.size):
        if line.number > number + request.context:
            return
        mark = ":" if line.number == number else "-"
        yield line.number, f"{line.number}{mark} {_shown(document, line, match, path)}"


def _shown(document: Document, line: Line, match: Span, path: str) -> str:
    """A line, or of a long one what is around the match."""
    if line.span.size <= 4 * _AROUND_CHARS or not line.span.start <= match.start < line.span.stop:
        return Window(path, chars_max=4 * _AROUND_CHARS).shown(document, line)
    low = max(line.span.start, match.start - _AROUND_CHARS)
    high = min(line.span.stop, match.start + min(match.size, _AROUND_CHARS) + _AROUND_CHARS)
    unit = document.text.unit
    data = document.read(low - low % unit, high - low + low % unit)
    text = visible(decoded(document, data[: len(data) - len(data) % unit]).rstrip("\r\n"))
    return f"[byte {match.start - line.span.start:,} of {line.span.size:,}] ...{text}..."


def _matches(count: int) -> str:
    return f"{count:,} match{'' if count == 1 else 'es'}"


# Files below a folder


class _Below:
    """One search of the files below a folder."""

    def __init__(self, request: Search, desk: Desk, call: Call) -> None:
        self._request = request
        self._desk = desk
        self._call = call
        self._lines: list[str] = []
        self._count = 0
        self._left = CHARS
        self._passed_over = 0

    def hits(self, place: Place) -> Hits:
        """Searches file by file, from the cursor on, until an answer is full or the time is up."""
        request = self._request
        fits = fits_glob(request.glob, place.path)
        offset, resume = _cursor(request.cursor)
        files, cursor, passed, late = 0, "", resume is None, False
        for entry in walk(self._desk, place):
            path = self._desk.shown_below(place, entry.path)
            name = in_one_line(path)
            passed = passed or name == resume
            if not passed:
                continue
            begin = offset if name == resume else 0
            if late:
                cursor = f"{begin}:{name}"
                break
            if entry.kind == "file" and entry.size and fits(entry.path):
                if self._count >= request.limit or self._left <= 0:
                    cursor = f"{begin}:{name}"
                    break
                found, end = self._file(path, begin)
                files += found > 0
                if end is not None:
                    cursor = f"{end}:{name}"
                    break
            late = self._call.stop()  # asked behind each name, so that each call comes further
        if not passed:
            raise RequestError(
                f"{resume!r} of the cursor is not below {request.path} (any more).",
                hint="Search again without cursor.",
            )
        return self._answer(files, cursor)

    def _answer(self, files: int, cursor: str) -> Hits:
        request = self._request
        notes = []
        if self._passed_over:
            notes.append(f"[{self._passed_over} files passed over: binary, or not to be read]")
        if cursor:
            notes.append(f"[there is more: {_again(request, cursor)}]")
        below = f"in {files:,} file{'' if files == 1 else 's'} below {request.path}"
        return Hits(
            header=f"{_matches(self._count)} {below}{' so far' if cursor else ''}",
            lines=self._lines,
            footer="\n".join(notes),
            count=self._count,
            complete=not cursor,
        )

    def _file(self, path: str, begin: int) -> tuple[int, int | None]:
        """Searches one file; returns how many matches are shown, and the offset to go on at, if any."""
        request, found, last, end = self._request, 0, 0, None
        lines: list[str] = []
        try:
            with self._desk.reading(path, self._call) as opened:
                document = opened.document
                if _is_binary(document):
                    self._passed_over += 1
                    return 0, None
                pattern = _compiled(request, document)
                try:
                    span = Span(min(begin, document.size), document.size)
                    for match in matches(document, pattern, span, self._call):
                        if self._count + found == request.limit or self._left <= 0:
                            end = match.start
                            break
                        found += 1
                        if request.count_only:
                            continue
                        for number, line in _around(request, document, match, last, path):
                            lines.append(line)
                            self._left -= len(line) + 1
                            last = max(last, number)
                except OutOfTime as late:
                    end = late.offset
        except (PatternError, CancelledError):
            raise
        except InsituError:
            self._passed_over += 1
            return 0, None
        if found:
            counted = f"{path}: {found}{'' if end is None else '+'}"
            self._lines += [counted] if request.count_only else [f"{path}:", *lines]
            self._left -= len(counted) + 1
        self._count += found
        return found, end


def _cursor(cursor: str | None) -> tuple[int, str | None]:
    """Where a search of a folder goes on: the offset in a file, and the file."""
    if cursor is None:
        return 0, None
    offset, colon, path = cursor.partition(":")
    if not colon:
        raise RequestError(
            f"{cursor[:40]!r} is no cursor of a folder.", hint="Copy it from the footer of the call before."
        )
    return _offset(offset), in_one_line(path)


def _is_binary(document: Document) -> bool:
    return document.text.unit == 1 and b"\0" in document.read(0, min(_BINARY_SAMPLE, document.size))
