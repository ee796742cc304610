"""Built-in transforms by regular expression: substitute, drop, keep, redact; line by line.

An expression (RE2's syntax) is matched against each line without its ending, and no match reaches into
another line. Where the encoding allows it, many lines are searched at once by an engine that is told
never to match a line end; other files go line by line through the same engine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from insitu.core.protocols import Cancel, Progress
from insitu.core.replacements import Replacements, Uniform, Varied
from insitu.errors import PatternError, RequestError
from insitu.formats.lines import LF
from insitu.scan.patterns import Template
from insitu.views.transform_lines import LineReader, Stretch
from insitu.views.transforming import Transform

if TYPE_CHECKING:
    from insitu.views.streaming import Source

# What sees more of a text than one line: the ends of the whole, and anchors told to mean those.
_WHOLE_TEXT: Final = re.compile(r"\\[AzZ]|\(\?[a-zA-Z]*-[a-zA-Z]*m")

# One match in fewer bytes than this makes threads wait for each other; told from the beginning of a file.
_FREQUENT_BYTES: Final = 1 << 10
_SAMPLE_BYTES: Final = 64 << 10

_CONTINUES: Final = 0x80  # the top two bits of a UTF-8 byte that continues a character
_TOP_BITS: Final = 0xC0


class LinePattern:
    """An expression that matches inside lines.

    Raises:
        PatternError: RE2 does not accept it.
    """

    def __init__(self, source: str) -> None:
        self.source: Final = source
        self._by_line: Final = _compiled(source, "utf-8")
        self.matches_nothing: Final = self._by_line.search(b"") is not None
        """Whether it matches an empty line."""

    def template(self, new: bytes) -> Template:
        """Parses a replacement, which may refer to groups."""
        return Template(new, self._by_line.groups, dict(self._by_line.groupindex))

    def over_lines(self, lines: LineReader) -> _Lines | None:
        """The expression for many lines at once; None where they have to be taken one by one."""
        codec = lines.text.name
        if lines.newline != LF or _WHOLE_TEXT.search(self.source):
            return None
        if codec in ("utf-8", "ascii"):
            return _Lines(self.source, "utf-8")
        if codec == "iso8859-1" or (self.source.isascii() and codec.startswith(("iso8859", "cp125", "koi8"))):
            return _Lines(self.source, codec)
        return None

    def found_in(self, body: bytes) -> Iterator[Any]:
        """Yields the matches in one line, in UTF-8 and without its ending."""
        last = (-1, -1)
        for match in self._by_line.finditer(body):
            # The engine tells an empty match at the end twice, and knows of no characters between its steps.
            start = match.start()
            if match.span() == last:
                continue
            last = match.span()
            if start < match.end() or start == len(body) or body[start] & _TOP_BITS != _CONTINUES:
                yield match


class _Lines:
    """An expression that is matched against many lines at once and never matches a line end."""

    def __init__(self, source: str, codec: str) -> None:
        import re2

        self._with_groups = _compiled(source, codec)
        self._engine = re2._re2.RE2(b"(?m)" + source.encode(codec), _options(codec, captures=False))
        self._anywhere = re2._re2.RE2.Anchor.UNANCHORED

    def matches(self, text: bytes) -> Iterator[Any]:
        """Yields the matches with their groups."""
        found: Iterator[Any] = self._with_groups.finditer(text)
        return found

    def spans(self, text: bytes, *, one_to_a_line: bool = False) -> tuple[list[int], list[int]]:
        """Where the matches start and stop; an empty one may lie within a character.

        Args:
            one_to_a_line: of several matches in a line, only the first.
        """
        starts: list[int] = []
        stops: list[int] = []
        match, anywhere, end, state = self._engine.Match, self._anywhere, len(text), 0
        while state <= end:
            start, stop = match(anywhere, text, state, end)[0]
            if start < 0:
                break
            starts.append(start)
            stops.append(stop)
            line_stop = text.find(b"\n", stop) + 1 or end + 1 if one_to_a_line else stop
            state = line_stop + (line_stop == start)
        return starts, stops

    def is_frequent(self, sample: bytes) -> bool:
        """Whether matches are so close that threads would mostly hand the interpreter to each other."""
        return len(self.spans(sample)[0]) * _FREQUENT_BYTES > len(sample)


def _options(codec: str, *, captures: bool) -> Any:
    import re2

    options = re2.Options()
    options.encoding = options.Encoding.UTF8 if codec == "utf-8" else options.Encoding.LATIN1
    options.never_nl = True
    options.never_capture = not captures
    options.log_errors = False
    return options


def _compiled(source: str, codec: str) -> Any:
    import re2

    try:
        return re2.compile(b"(?m)" + source.encode(codec), _options(codec, captures=True))
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise PatternError(
            f"The regular expression {source!r} cannot be used here: {reason}; nothing was changed.",
            hint="Lookaround and backreferences are not in RE2's syntax; a Python function can have them.",
            pattern=source,
        ) from error


@dataclass(frozen=True)
class _ByPattern:
    """What the transforms by pattern share."""

    pattern: str

    def __post_init__(self) -> None:
        self._compiled  # noqa: B018 - refuses a wrong expression before a file is touched

    @cached_property
    def _compiled(self) -> LinePattern:
        return LinePattern(self.pattern)

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields what changes; lines without a match are never looked at by themselves.

        Raises:
            TextError: the encoding cannot hold what is to be written.
            LimitError: a line is too long.
        """
        lines = LineReader(source.reader, source.text, source.path)
        engine = self._compiled.over_lines(lines) if self._at_once else None
        if engine is None:
            yield from Transform(self._line_function(lines)).batches(source, progress, cancel)
            return

        def work(stretch: Stretch) -> Replacements | None:
            text = stretch.data
            if b"\r\n" in text:
                text = text.replace(b"\r\n", b"\n")
            return self._changes(engine, lines, stretch, text)

        sample = lines.content.read(0, min(_SAMPLE_BYTES, lines.content.size))
        threads = 1 if engine.is_frequent(sample) else None
        for batch in lines.in_parallel(work, progress, cancel, threads=threads):
            if batch is not None:
                yield batch

    @property
    def _at_once(self) -> bool:
        """Whether many lines can be changed at once."""
        return True

    def _changes(
        self, engine: _Lines, lines: LineReader, stretch: Stretch, text: bytes
    ) -> Replacements | None:
        """What changes in some lines; ``text`` is what they say, each ended by LF."""
        raise NotImplementedError

    def _line_function(self, lines: LineReader) -> Any:
        """The same as a function over one line."""
        raise NotImplementedError


def _placed(
    lines: LineReader, stretch: Stretch, text: bytes, starts: Sequence[int], stops: Sequence[int]
) -> tuple[Any, Any]:
    """Places in ``text`` as offsets of the content: every CR LF before them is a byte longer there."""
    import numpy as np

    low, high = np.asarray(starts, np.int64), np.asarray(stops, np.int64)
    if len(text) == len(stretch.data):
        return low + stretch.offset, high + stretch.offset
    narrow = lines.bounds(Stretch(0, text))
    number = np.searchsorted(narrow[1:], low, side="right")
    moved = lines.bounds(stretch)[number] - narrow[number]
    return low + moved, high + moved


@dataclass(frozen=True)
class Substitute(_ByPattern):
    r"""Replaces every match inside a line; ``new`` may refer to groups as ``\1`` or ``\g<name>``.

    Raises:
        PatternError: the expression, or a reference to a group, is wrong.
    """

    new: str

    def __post_init__(self) -> None:
        super().__post_init__()
        self._compiled.template(self.new.encode("utf-8", "surrogateescape"))

    @property
    def _at_once(self) -> bool:
        return not self._compiled.matches_nothing

    def _changes(
        self, engine: _Lines, lines: LineReader, stretch: Stretch, text: bytes
    ) -> Replacements | None:
        import numpy as np

        template = self._compiled.template(lines.text.encode(self.new))
        constant = template.constant
        starts: list[int] = []
        stops: list[int] = []
        new: list[bytes] = []
        for match in engine.matches(text):
            groups = (match.group(), *(group or b"" for group in match.groups())) if constant is None else ()
            made = template.fill(groups) if constant is None else constant
            if made != match.group():
                starts.append(match.start())
                stops.append(match.end())
                new.append(made)
        if not starts:
            return None
        columns = _placed(lines, stretch, text, starts, stops)
        if constant is not None:
            return Uniform(*columns, constant)
        bounds = np.zeros(len(new) + 1, np.int64)
        np.cumsum([len(made) for made in new], out=bounds[1:])
        return Varied(*columns, bounds, b"".join(new))

    def _line_function(self, lines: LineReader) -> Any:
        pattern, endings = self._compiled, _endings(lines)
        template = pattern.template(self.new.encode("utf-8", "surrogatepass"))

        def substituted(line: str) -> str | None:
            body, ending = _parted(line, endings)
            data = body.encode("utf-8", "surrogatepass")
            parts, at = [], 0
            for match in pattern.found_in(data):
                groups = (match.group(), *(group or b"" for group in match.groups()))
                parts += [data[at : match.start()], template.fill(groups)]
                at = match.end()
            if not parts:
                return line
            made = b"".join((*parts, data[at:])).decode("utf-8", "surrogatepass") + ending
            # An empty text would be assigned as an empty line; of an unterminated line nothing is left.
            return made or None

        return substituted


@dataclass(frozen=True)
class Drop(_ByPattern):
    """Drops the lines in which something matches."""

    def _changes(
        self, engine: _Lines, lines: LineReader, stretch: Stretch, text: bytes
    ) -> Replacements | None:
        import numpy as np

        matched = np.array(engine.spans(text, one_to_a_line=True)[0], np.int64)
        if not len(stretch.data):
            return None
        # The end of an empty match may lie behind the last line: that is no line.
        count = len(lines.bounds(Stretch(0, text))) - 1
        hit = np.zeros(count + 1, bool)
        hit[np.searchsorted(lines.bounds(Stretch(0, text))[1:], matched, side="right")] = True
        bounds = lines.bounds(stretch)
        gone = np.flatnonzero(hit[:count] != self._kept)
        return Uniform(bounds[gone], bounds[gone + 1], b"") if len(gone) else None

    @property
    def _kept(self) -> bool:
        return False

    def _line_function(self, lines: LineReader) -> Any:
        pattern, kept, endings = self._compiled, self._kept, _endings(lines)

        def passed(line: str) -> str | None:
            data = _parted(line, endings)[0].encode("utf-8", "surrogatepass")
            return line if any(True for _ in pattern.found_in(data)) == kept else None

        return passed


@dataclass(frozen=True)
class Keep(Drop):
    """Keeps only the lines in which something matches."""

    @property
    def _kept(self) -> bool:
        return True


@dataclass(frozen=True)
class Redact(_ByPattern):
    """Replaces every match inside a line by as many bytes of a mask, so that nothing moves.

    Args:
        mask: one printable ASCII character. A character of several bytes leaves as many masks.
    """

    mask: str = "*"

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.mask) != 1 or not (self.mask.isascii() and self.mask.isprintable()):
            raise RequestError(f"{self.mask!r} is no mask.", hint="Give one printable ASCII character.")

    def _changes(
        self, engine: _Lines, lines: LineReader, stretch: Stretch, text: bytes
    ) -> Replacements | None:
        import numpy as np

        mask = self.mask.encode()
        spans = zip(*engine.spans(text), strict=True)
        covered = [(start, stop) for start, stop in spans if text[start:stop].strip(mask)]
        if not covered:
            return None
        starts, stops = zip(*covered, strict=True)
        low, high = _placed(lines, stretch, text, starts, stops)
        bounds = np.concatenate(([0], np.cumsum(high - low)))
        return Varied(low, high, bounds, mask * int(bounds[-1]))

    def _line_function(self, lines: LineReader) -> Any:
        pattern, mask, text = self._compiled, self.mask, lines.text
        width, endings = len(mask.encode(text.name)), _endings(lines)

        def redacted(line: str) -> str:
            body, ending = _parted(line, endings)
            data = body.encode("utf-8", "surrogatepass")
            parts, at = [], 0
            for match in pattern.found_in(data):
                hidden = match.group().decode("utf-8", "surrogatepass").encode(text.name, text.errors)
                masks = (mask * (len(hidden) // width)).encode()
                parts += [data[at : match.start()], masks]
                at = match.end()
            return b"".join((*parts, data[at:])).decode("utf-8", "surrogatepass") + ending if parts else line

        return redacted


def _endings(lines: LineReader) -> tuple[str, ...]:
    return ("\r\n", "\n") if lines.newline == LF else ("\r",)


def _parted(line: str, endings: tuple[str, ...]) -> tuple[str, str]:
    """What a line says, and its ending."""
    for ending in endings:
        if line.endswith(ending):
            return line[: -len(ending)], ending
    return line, ""
