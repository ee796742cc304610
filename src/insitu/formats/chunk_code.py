"""Boundaries of source code: definitions and statements as a parser finds them, else by blank lines."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from insitu.formats.chunk_pieces import Finer
from insitu.formats.chunk_places import INNER, PARAGRAPH, SECTION, UNIT, Places, paragraph_places
from insitu.formats.chunk_tape import Stretch
from insitu.formats.chunk_units import Lines, Records, Scanned, within_lines

if TYPE_CHECKING:
    from insitu.formats.cells import Column

LANGUAGES: Final = {
    "python": ("py", "pyi", "pyw"),
    "javascript": ("js", "mjs", "cjs", "jsx"),
    "typescript": ("ts", "mts", "cts"),
    "tsx": ("tsx",),
    "rust": ("rs",),
    "go": ("go",),
    "java": ("java",),
    "c": ("c", "h"),
    "cpp": ("cc", "cpp", "cxx", "hh", "hpp", "hxx", "c++"),
}
"""Languages with a grammar, and the endings of their files."""

_ENDINGS: Final = {ending: language for language, endings in LANGUAGES.items() for ending in endings}

# Nodes further in are no better boundaries than lines.
DEPTH_MAX: Final = 6

_DEFINING: Final = (
    *("function", "class", "method", "struct", "enum", "interface", "impl", "trait", "namespace", "module"),
    *("decorated", "constructor", "mod_item", "type_declaration"),
)


# What belongs to the definition on the line behind it.
_LEADING: Final = ("comment", "line_comment", "block_comment", "attribute_item")


def language_of(name: str) -> str | None:
    """The language of a file by its name; None where there is no grammar for it."""
    return _ENDINGS.get(name.rpartition(".")[2].lower()) if "." in name else None


def parser_of(language: str) -> Any:
    """A parser for a language.

    Raises:
        ImportError: it is not installed.
    """
    from tree_sitter import Language, Parser

    module = import_module(f"tree_sitter_{'typescript' if language == 'tsx' else language}")
    made = getattr(module, f"language_{language}" if language in ("typescript", "tsx") else "language")
    return Parser(Language(made()))


class Parsed(NamedTuple):
    """Boundaries in some code: offsets, how deep they lie, what they are worth."""

    at: list[int]
    depths: list[int]
    worths: list[int]


def parsed(parser: Any, code: bytes, large: int) -> Parsed | None:
    """The boundaries in some code; None where too much of it does not parse.

    Args:
        large: a node of no more bytes is not looked into.
    """
    root = parser.parse(code).root_node
    if _torn(root) * 10 > len(code):
        return None
    found: list[tuple[int, int, int]] = []
    _walk(root, code, large, 0, found)
    found.sort()
    return Parsed(
        [at for at, _, _ in found], [depth for _, depth, _ in found], [worth for _, _, worth in found]
    )


def _torn(root: Any) -> int:
    """How many bytes lie in outermost nodes that do not parse."""
    if not root.has_error:
        return 0
    if root.type == "ERROR":
        return int(root.end_byte - root.start_byte)
    return sum(child.end_byte - child.start_byte for child in root.children if child.type == "ERROR")


def _walk(node: Any, code: bytes, large: int, depth: int, found: list[tuple[int, int, int]]) -> None:
    """Gathers where children start that are the first in their line."""
    if depth > DEPTH_MAX:
        return
    fresh = False
    before: Any = None
    for child in node.children:
        start = child.start_byte
        line = start - child.start_point[1]
        first = not code[line:start].strip()
        tied = before is not None and before.type in _LEADING and _adjoins(before, child)
        if first and not tied and child.is_named and (before is not None or depth == 0):
            found.append((line, depth, _worth(child, depth)))
            fresh = True
        before = child
    for child in node.children:
        if child.end_byte - child.start_byte > large:
            _walk(child, code, large, depth + fresh, found)


def _adjoins(before: Any, node: Any) -> bool:
    """Whether no line lies between two nodes."""
    return bool(node.start_point[0] <= before.end_point[0] + 1)


def _worth(node: Any, depth: int) -> int:
    defines = any(word in node.type for word in _DEFINING)
    if depth == 0:
        return SECTION if defines else UNIT
    return INNER + 5 * (DEPTH_MAX - depth) + (3 if defines else 0)


class CodeUnits(Scanned):
    """What stands at the outermost level, by a parser.

    Boundaries come from ``take``, and deeper ones are kept for the finer levels.
    """

    records: Records | None = None

    def __init__(self, newline: int, budget: int) -> None:
        super().__init__()
        self._deep: list[tuple[int, int, int]] = []
        self._outer = Places(self._known, self._worths)
        deeper: list[Finer] = [_Deeper(self, depth) for depth in range(1, DEPTH_MAX + 1)]
        self.finer: list[Finer] = [*deeper, Indented(newline), Lines(newline), *within_lines(budget)]

    def take(self, found: Parsed, offset: int) -> None:
        """Takes in the boundaries of some code that starts at an offset."""
        import numpy as np

        rows = list(zip(found.at, found.depths, found.worths, strict=True))
        outer = [(at + offset, worth) for at, depth, worth in rows if depth == 0 and at + offset]
        self._deep += [(at + offset, depth, worth) for at, depth, worth in rows if depth]
        columns = np.array(outer, np.int64).reshape(-1, 2)
        at = np.unique(np.concatenate((self._outer.at, columns[:, 0])))
        worth = np.zeros(len(at), np.int64)
        for offsets, worths in ((self._outer.at, self._outer.worth), (columns[:, 0], columns[:, 1])):
            worth[np.searchsorted(at, offsets)] = worths
        self._outer = Places(at, worth)

    def places(self, stretch: Stretch) -> Places:
        """See ``Units``."""
        found, self._outer = self._outer, Places(self._outer.at[:0], self._outer.worth[:0])
        low = stretch.base + stretch.low
        self._deep = [row for row in self._deep if row[0] > low]
        return self.kept(stretch, found)

    def deeper(self, stretch: Stretch, depth: int) -> Places:
        """Boundaries at one depth."""
        import numpy as np

        rows = sorted({(at, worth) for at, deep, worth in self._deep if deep == depth})
        columns = np.array(rows, np.int64).reshape(-1, 2)
        return Places(columns[:, 0] - stretch.base, columns[:, 1])


class _Deeper:
    """Boundaries at one depth."""

    def __init__(self, units: CodeUnits, depth: int) -> None:
        self._units = units
        self._depth = depth

    def inside(self, stretch: Stretch, starts: Column, stops: Column) -> Places:
        """See ``Finer``."""
        return self._units.deeper(stretch, self._depth)


class Indented:
    """Lines behind blank ones, worth more the less they are indented."""

    def __init__(self, newline: int) -> None:
        self._newline = newline

    def inside(self, stretch: Stretch, starts: Column, stops: Column) -> Places:
        """See ``Finer``."""
        import numpy as np

        at = paragraph_places(stretch, self._newline).at
        indent = np.zeros(len(at), np.int64)
        for column in range(_INDENT_MAX):
            white = (stretch.array[at + column] == 0x20) | (stretch.array[at + column] == 0x09)
            indent += white & (indent == column)
        return Places(at, INNER - indent)


_INDENT_MAX: Final = 16


class IndentUnits:
    """Code without a parser: a line that is not indented and follows a blank one begins something."""

    records: Records | None = None

    def __init__(self, newline: int, budget: int) -> None:
        self._newline = newline
        self.finer: list[Finer] = [Indented(newline), Lines(newline), *within_lines(budget)]

    def places(self, stretch: Stretch) -> Places:
        """See ``Units``."""
        found = paragraph_places(stretch, self._newline)
        first = stretch.array[found.at]
        kept = (first != 0x20) & (first != 0x09)
        return Places(found.at[kept], found.worth[kept] * 0 + PARAGRAPH)
