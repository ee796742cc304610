"""Addresses: which part of a file a command is about, and where that is.

Exactly one of ``--bytes``, ``--lines``, ``--tail`` and ``--match``. Bytes count from 0 and exclude the end,
as programs do; lines count from 1 and include the last, as editors do. Nothing is clipped: an address that
is reversed or reaches past the end is refused.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

import click

from insitu.cli.output import counted
from insitu.cli.places import Places, clipped
from insitu.errors import AmbiguousError, NoMatchError, SpanError

if TYPE_CHECKING:
    import insitu

Command = Callable[..., None]

CANDIDATES_MAX: Final = 5

# Read backwards from the end when counting the last lines.
_TAIL_WINDOW_BYTES: Final = 1 << 16


class Address(Protocol):
    """A part of a file, as it was asked for."""

    @property
    def by_lines(self) -> bool:
        """Whether it names whole lines."""
        ...

    def locate(self, doc: insitu.Document) -> insitu.Span:
        """Where it is.

        Raises:
            SpanError: it does not lie in the file.
            NoMatchError, AmbiguousError: the text it names is not there, or not only there.
        """
        ...

    def line_indexes(self, doc: insitu.Document) -> tuple[int, int]:
        """Which lines it names, 0-based and half-open, after ``locate``; only where ``by_lines``."""
        ...


@dataclass(frozen=True)
class Bytes:
    """``--bytes A:B``; None stands for the start or the end, negative offsets count from the end."""

    start: int | None
    stop: int | None
    by_lines: ClassVar[bool] = False

    def locate(self, doc: insitu.Document) -> insitu.Span:
        """The span, checked against the size."""
        import insitu

        size = doc.size
        start, stop = (
            offset + size if offset < 0 else offset
            for offset in (self.start or 0, size if self.stop is None else self.stop)
        )
        if not 0 <= start <= size or not 0 <= stop <= size:
            raise SpanError(
                f"Bytes {self} do not lie in {doc.path}, which has {counted(size, 'byte')}.",
                start=start,
                stop=stop,
                size=size,
            )
        if start > stop:
            raise SpanError(
                f"Bytes {self} are reversed: {start:,} comes after {stop:,} in a file of {size:,} bytes.",
                hint="The first offset may not be larger than the second.",
                start=start,
                stop=stop,
                size=size,
            )
        return insitu.Span(start, stop)

    def line_indexes(self, doc: insitu.Document) -> tuple[int, int]:
        """Never asked for."""
        raise NotImplementedError

    def __str__(self) -> str:
        return f"{'' if self.start is None else self.start}:{'' if self.stop is None else self.stop}"


@dataclass(frozen=True)
class Lines:
    """``--lines A-B``; None stands for the first or the last line."""

    first: int | None
    last: int | None
    by_lines: ClassVar[bool] = True

    def locate(self, doc: insitu.Document) -> insitu.Span:
        """The span of the lines with their endings; counts no further than the last of them."""
        import insitu

        first = (self.first or 1) - 1
        try:
            if self.last is None:
                return insitu.Span(doc.lines.span_of(first).start, doc.size)
            return doc.lines.span_of(first, self.last)
        except SpanError:
            count = len(doc.lines)
            raise SpanError(
                f"There {'is' if self.first == self.last else 'are'} no {self} in {doc.path}, "
                f"which has {counted(count, 'line')} ({counted(doc.size, 'byte')}).",
                first=self.first,
                last=self.last,
                lines=count,
                size=doc.size,
            ) from None

    def line_indexes(self, doc: insitu.Document) -> tuple[int, int]:
        """The lines as indexes; ``locate`` has checked them."""
        return (self.first or 1) - 1, len(doc.lines) if self.last is None else self.last

    def __str__(self) -> str:
        if self.first == self.last:
            return f"line {self.first}"
        return f"lines {'' if self.first is None else self.first}-{'' if self.last is None else self.last}"


@dataclass(frozen=True)
class Tail:
    """``--tail N``: the last N lines, found from the end without counting the others."""

    count: int
    by_lines: ClassVar[bool] = True

    def locate(self, doc: insitu.Document) -> insitu.Span:
        """The span of the lines, all of a file that has just so many."""
        import insitu
        from insitu.formats.lines import rfind_unit

        end = doc.lines.newline
        top, unit = doc.lines.span_of(0, 0).start, len(end)
        # The ending of the last line itself does not start another one.
        ended = doc.size > top and doc.read(doc.size - unit, unit) == end
        stop = doc.size - unit if ended else doc.size
        left = self.count
        while stop > top:
            start = max(top, stop - _TAIL_WINDOW_BYTES)
            window = doc.read(start, stop - start)
            at = len(window)
            while (at := rfind_unit(window, end, at)) >= 0:
                left -= 1
                if not left:
                    return insitu.Span(start + at + unit, doc.size)
            stop = start
        if doc.size == top or left > 1:
            count = self.count - left + (1 if doc.size > top else 0)
            raise SpanError(
                f"There are no {self.count:,} last lines in {doc.path}, "
                f"which has {counted(count, 'line')} ({counted(doc.size, 'byte')}).",
                lines=count,
                size=doc.size,
            )
        return insitu.Span(top, doc.size)

    def line_indexes(self, doc: insitu.Document) -> tuple[int, int]:
        """The lines as indexes, which takes counting them all; ``locate`` has checked them."""
        count = len(doc.lines)
        return count - self.count, count

    def __str__(self) -> str:
        return "the last line" if self.count == 1 else f"the last {self.count:,} lines"


@dataclass(frozen=True)
class Match:
    """``--match TEXT``: where the text is, which must be one place only."""

    text: str
    by_lines: ClassVar[bool] = False

    def locate(self, doc: insitu.Document) -> insitu.Span:
        """The span of the only occurrence."""
        return only_match(doc, typed(self.text, doc.encoding))

    def line_indexes(self, doc: insitu.Document) -> tuple[int, int]:
        """Never asked for."""
        raise NotImplementedError


def typed(text: str, encoding: str) -> bytes:
    """The bytes of an argument: in the file's encoding, or as they came where they are no text."""
    from insitu.errors import TextError

    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        pass
    if not text.isascii() and any("\udc80" <= char <= "\udcff" for char in text):
        return os.fsencode(text)
    raise TextError(
        f"The text {clipped(text)} cannot be written in the file's encoding, {encoding}.",
        hint="Give the bytes with --hex, or with --exact from a file.",
        encoding=encoding,
    )


def pattern_of(text: str, encoding: str, *, regex: bool) -> str | bytes:
    """What to search for: bytes in the file's encoding; an expression over UTF-8 text sees characters."""
    data = typed(text, encoding)
    # Bytes that are no text came in as surrogates: an expression with such ones is one over bytes.
    return text if regex and encoding == "utf-8" and data == text.encode("utf-8", "replace") else data


def only_match(doc: insitu.Document, pattern: bytes | str, *, regex: bool = False) -> insitu.Span:
    """The span of the only match.

    Raises:
        NoMatchError: there is none.
        AmbiguousError: there are several; the first are named as candidates.
    """
    if not pattern:
        raise NoMatchError("The empty text is not to be found anywhere.", hint="Give the text to look for.")
    found: list[insitu.Span] = []
    for span in doc.finditer(pattern, regex=regex):
        found.append(span)
        if len(found) > CANDIDATES_MAX:
            break
    if not found:
        raise absent(doc.path, pattern)
    if len(found) > 1:
        raise ambiguous(doc, found)
    return found[0]


def absent(path: str, pattern: bytes | str) -> NoMatchError:
    """The error for a text that is not there."""
    return NoMatchError(
        f"{clipped(pattern)} is not in {path}; nothing was changed.",
        hint="Text is compared byte by byte: check case and spaces, or look with: insitu find FILE TEXT",
        path=path,
    )


def ambiguous(doc: insitu.Document, found: list[insitu.Span]) -> AmbiguousError:
    """The error for a text that is in several places, which are named by line and byte."""
    places = Places(doc)
    candidates = [f"line {places.line_of(span.start)}, byte {span.start}" for span in found[:CANDIDATES_MAX]]
    count = f"more than {CANDIDATES_MAX}" if len(found) > CANDIDATES_MAX else str(len(found))
    return AmbiguousError(
        f"The text occurs {count} times in {doc.path}; nothing was changed.",
        hint="Make the text longer, or address one place with --bytes or --lines.",
        candidates=candidates,
        path=doc.path,
    )


def parsed_bytes(text: str) -> Bytes:
    """Reads ``A:B``."""
    found = re.fullmatch(r"(-?[\d_,]*):(-?[\d_,]*)", text.strip())
    if not found:
        raise click.BadParameter(
            f"{text!r} is not of the form A:B, as 0:100, 100: or -20:", param_hint="--bytes"
        )
    return Bytes(*(_number(part, "--bytes") for part in found.groups()))


def parsed_lines(text: str) -> Lines:
    """Reads ``A``, ``A-B``, ``A-`` or ``-B``."""
    found = re.fullmatch(r"([\d_,]*)(-?)([\d_,]*)", text.strip())
    if not found or not (found[1] or found[3]):
        raise click.BadParameter(
            f"{text!r} is not of the form A, A-B, A- or -B, as 7, 7-9, 7- or -9", param_hint="--lines"
        )
    first = _number(found[1], "--lines")
    last = _number(found[3], "--lines") if found[2] else first
    if first == 0 or last == 0:
        raise click.BadParameter("lines count from 1", param_hint="--lines")
    if first is not None and last is not None and first > last:
        raise click.BadParameter(
            f"{text!r} is reversed: {first:,} comes after {last:,}", param_hint="--lines"
        )
    return Lines(first, last)


def _number(text: str, option: str) -> int | None:
    if text in ("", "-"):
        if text == "-":
            raise click.BadParameter("a minus sign stands before a number", param_hint=option)
        return None
    try:
        return int(text.replace(",", ""))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a number", param_hint=option) from None


_OPTIONS: Final = (
    click.option(
        "--bytes", "bytes_", metavar="A:B", help="From byte A up to B, from 0; negative: from the end."
    ),
    click.option("--lines", metavar="A-B", help="Lines A to B, from 1; also A, A- and -B."),
    click.option("--tail", metavar="N", type=click.IntRange(min=1), help="The last N lines."),
    click.option("--match", metavar="TEXT", help="The only place that holds TEXT."),
)


def address_options(*, required: bool) -> Callable[[Command], Command]:
    """Adds the address options to a command, which gets ``address`` (None where there may be none)."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def addressed(
            *args: Any,
            bytes_: str | None,
            lines: str | None,
            tail: int | None,
            match: str | None,
            **rest: Any,
        ) -> None:
            given: list[Address] = []
            if bytes_ is not None:
                given.append(parsed_bytes(bytes_))
            if lines is not None:
                given.append(parsed_lines(lines))
            if tail is not None:
                given.append(Tail(tail))
            if match is not None:
                given.append(Match(match))
            if len(given) > 1:
                raise click.UsageError("Give one address only: --bytes, --lines, --tail or --match.")
            if required and not given:
                raise click.UsageError("Give an address: --bytes A:B, --lines A-B, --tail N or --match TEXT.")
            command(*args, address=given[0] if given else None, **rest)

        result: Command = addressed
        for option in reversed(_OPTIONS):
            result = option(result)
        return result

    return decorate
