"""Source code in chunks: parsed in parts of some size, each from one outermost line to another."""

from __future__ import annotations

import re
from typing import Any, Final

from insitu.core.protocols import Reader
from insitu.errors import RequestError
from insitu.formats.chunk_code import (
    LANGUAGES,
    CodeUnits,
    IndentUnits,
    Parsed,
    language_of,
    parsed,
    parser_of,
)
from insitu.formats.chunk_places import Places
from insitu.formats.chunk_tape import Stretch
from insitu.views.chunk_kinds import Kind
from insitu.views.chunk_options import Budget
from insitu.views.readable import Readable

__all__ = ["code_kind", "language_of"]

# A tree takes some tens of bytes for each one of the code.
_PART_BYTES: Final = 256 << 10

# A part ends at the first outermost line behind that many bytes, and without one at the next line.
_PART_BYTES_MAX: Final = 512 << 10

_OUTER: Final = re.compile(rb"[\r\n](?=[^\s})\]])")


def code_kind(
    source: Readable, encoding: str, newline: int, budget: Budget, language: str | None, notes: list[str]
) -> Kind:
    """Code in a language.

    Raises:
        RequestError: there is no such language.
    """
    if language is not None and language not in LANGUAGES:
        raise RequestError(
            f"There is no grammar for {language!r}.", hint=f"Languages: {', '.join(LANGUAGES)}."
        )
    plain = IndentUnits(newline, budget.units)
    if language is None:
        notes.append("its name tells no language, so it is cut by blank lines and indentation")
        return Kind("code", encoding, newline, plain, tuple(notes))
    try:
        parser = parser_of(language)
    except ImportError:
        notes.append(
            "tree-sitter is not installed (pip install 'insitu[code]'), "
            "so it is cut by blank lines and indentation"
        )
        return Kind("code", encoding, newline, plain, tuple(notes))
    units = _Parts(source.reader, parser, newline, budget)
    if not units.begins_well():
        notes.append(f"it does not parse as {language}, so it is cut by blank lines and indentation")
        return Kind("code", encoding, newline, plain, tuple(notes))
    return Kind("code", encoding, newline, units, tuple(notes))


class _Parts(CodeUnits):
    """Code, parsed part by part as it is asked for."""

    def __init__(self, reader: Reader, parser: Any, newline: int, budget: Budget) -> None:
        super().__init__(newline, budget.units)
        self._reader = reader
        self._parser = parser
        self._large = budget.most
        self._parsed = 0

    def begins_well(self) -> bool:
        """Whether the first part parses; it is taken in then."""
        return self._part()

    def places(self, stretch: Stretch) -> Places:
        """See ``Units``."""
        while self._parsed < min(self._reader.size, stretch.base + stretch.high):
            self._part()
        return super().places(stretch)

    def _part(self) -> bool:
        reader, start = self._reader, self._parsed
        code = reader.read(start, min(_PART_BYTES_MAX, reader.size - start))
        if start + len(code) < reader.size:
            found = _OUTER.search(code, _PART_BYTES)
            stop = found.end() if found else max(code.rfind(b"\n"), code.rfind(b"\r")) + 1
            code = code[: stop or len(code)]
        self._parsed += len(code)
        made = parsed(self._parser, code, self._large)
        if made is None:
            # Without a parser: outermost lines behind blank ones.
            at = [found.end() for found in _BEHIND_BLANK.finditer(code)]
            self.take(Parsed(at, [0] * len(at), [_WORTH] * len(at)), start)
            return False
        self.take(made, start)
        return True


_BEHIND_BLANK: Final = re.compile(rb"\n[ \t\r]{0,64}\n(?=[^\s})\]])")
_WORTH: Final = 120
