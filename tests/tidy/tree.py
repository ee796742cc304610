"""The source tree as the tidy tests see it: modules with their text and syntax tree."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "insitu"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One Python file; ``parts`` are the dotted name's parts, from the package's own name on."""

    path: Path
    parts: tuple[str, ...]

    @property
    def name(self) -> str:
        """The dotted name."""
        return ".".join(self.parts)

    @functools.cached_property
    def text(self) -> str:
        """The source."""
        return self.path.read_text("utf-8")

    @functools.cached_property
    def tree(self) -> ast.Module:
        """The syntax tree of the source."""
        return ast.parse(self.text, str(self.path))

    @property
    def package(self) -> tuple[str, ...]:
        """The parts of the package that relative imports start from."""
        return self.parts if self.path.name == "__init__.py" else self.parts[:-1]

    def functions(self) -> Iterator[Function]:
        """Every function and method, nested ones too."""
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))


def modules(package: Path) -> list[Module]:
    """Every module below the folder of a package (or of a folder of tests), sorted by path."""
    found = []
    for path in sorted(package.rglob("*.py")):
        parts = (package.name, *path.relative_to(package).with_suffix("").parts)
        found.append(Module(path, parts[:-1] if parts[-1] == "__init__" else parts))
    return found
