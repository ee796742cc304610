"""A floor imports only lower floors, siblings are strangers, and the pure floors touch nothing."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tidy.tree import PACKAGE, Module, modules

ROOT_UNIT = "insitu"  # the package's own __init__: the public names of the floors up to the workspace

FLOORS = {
    "errors": 0,
    "lazy_names": 0,
    "edits": 6,
    "core": 1,
    "planners": 2,
    "formats": 2,
    "storage": 2,
    "scan": 2,
    "engine": 3,
    "views": 4,
    "document": 5,
    "api": 6,
    "workspace": 7,
    ROOT_UNIT: 7.5,
    "cli": 8,
    "mcp": 8,
    "__main__": 9,
    "testing": 10,
}
LAZY = {("cli", "mcp")}  # siblings that may be started from inside a function

PURE = {"core", "planners", "formats"}
IMPURE = {
    *("os", "io", "time", "random", "threading", "logging", "socket", "subprocess", "pathlib"),
    *("asyncio", "fcntl", "mmap", "multiprocessing", "select", "shutil", "signal", "tempfile"),
}


def violations(package: Path) -> list[str]:
    """Returns one sentence per breach of the floor plan below the folder of the package."""
    units = {path.stem for path in package.iterdir() if path.suffix == ".py" or path.is_dir()}
    return [breach for module in modules(package) for breach in _breaches(module, units)]


def _breaches(module: Module, units: set[str]) -> Iterator[str]:
    unit = module.parts[1] if len(module.parts) > 1 else ROOT_UNIT
    if unit not in FLOORS:
        yield f"{module.name}: {unit} has no floor; give it one in FLOORS"
        return
    for node, lazy, typing_only in _imports(module.tree):
        for parts in _targets(module, node):
            where = f"{module.name}:{node.lineno}"
            if parts[0] == ROOT_UNIT:
                target = parts[1] if parts[1:] and parts[1] in units else ROOT_UNIT
                if breach := _breach_of_floors(unit, target, lazy):
                    yield f"{where}: {breach}"
            elif unit in PURE and parts[0] in IMPURE:
                yield f"{where}: {unit} is pure and imports {parts[0]}"
            elif unit in PURE and parts[0] not in sys.stdlib_module_names and not (lazy or typing_only):
                yield f"{where}: {unit} imports {parts[0]} at module level"
    if unit in PURE:
        for call in ast.walk(module.tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "open":
                yield f"{module.name}:{call.lineno}: {unit} is pure and opens a file"


def _breach_of_floors(unit: str, target: str, lazy: bool) -> str | None:
    """Says why ``unit`` may not import ``target``; None where it may."""
    if unit in (target, "testing") or (lazy and (unit, target) in LAZY):
        return None
    if target == "testing":
        return f"{unit} imports testing, which only tests do"
    if target not in FLOORS:
        return f"{unit} imports {target}, which has no floor"
    if FLOORS[target] == FLOORS[unit]:
        return f"{unit} imports its sibling {target}"
    if FLOORS[target] > FLOORS[unit]:
        return f"{unit} imports {target}, a floor above"
    return None


def _imports(
    node: ast.AST, lazy: bool = False, typing_only: bool = False
) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool, bool]]:
    """Yields each import, with whether it runs only inside a function, and only for type checkers."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, lazy, typing_only
            continue
        inside = lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for statement in child.body:
                yield from _imports(ast.Module([statement], []), inside, True)
            for statement in child.orelse:
                yield from _imports(ast.Module([statement], []), inside, typing_only)
        else:
            yield from _imports(child, inside, typing_only)


def _targets(module: Module, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, ...]]:
    """Yields the dotted parts of everything an import names, relative ones made absolute."""
    if isinstance(node, ast.Import):
        yield from (tuple(alias.name.split(".")) for alias in node.names)
        return
    below = module.package[: len(module.package) - node.level + 1] if node.level else ()
    base = (*below, *(node.module.split(".") if node.module else ()))
    yield from ((*base, alias.name) for alias in node.names)


def test_the_floor_plan_holds() -> None:
    assert violations(PACKAGE) == []


PLANTED = {
    "a floor above": ("core/a.py", "from insitu.engine import lock", "core imports engine, a floor above"),
    "above, in a function": (
        "core/a.py",
        "def f():\n    import insitu.api",
        "core imports api, a floor above",
    ),
    "above, for types only": (
        "storage/a.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from insitu.api import x",
        "storage imports api, a floor above",
    ),
    "above, relative": ("core/a.py", "from ..engine import lock", "core imports engine, a floor above"),
    "above, relative from a package": ("core/__init__.py", "from ..engine import lock", "a floor above"),
    "above, by the package": ("core/a.py", "from insitu import engine", "core imports engine, a floor above"),
    "the public names": ("engine/a.py", "import insitu", "engine imports insitu, a floor above"),
    "a sibling": ("planners/a.py", "from insitu.storage.base import x", "its sibling storage"),
    "mcp by cli, eagerly": ("cli/a.py", "from insitu.mcp import server", "its sibling mcp"),
    "cli by mcp, lazily": ("mcp/a.py", "def f():\n    from insitu.cli import x", "its sibling cli"),
    "testing": ("engine/a.py", "from insitu.testing import crash", "which only tests do"),
    "a unit without a floor": ("attic/a.py", "", "attic has no floor"),
    "an impure module": ("formats/a.py", "import os.path", "formats is pure and imports os"),
    "an impure module, lazily": (
        "core/a.py",
        "def f():\n    from time import sleep",
        "core is pure and imports time",
    ),
    "an open file": ("planners/a.py", "text = open('x')", "planners is pure and opens a file"),
    "a dependency": ("formats/a.py", "import numpy as np", "formats imports numpy at module level"),
    "a dependency, in a try": (
        "core/a.py",
        "try:\n    import re2\nexcept ImportError:\n    pass",
        "imports re2",
    ),
}

ALLOWED = {
    "a floor below": ("engine/a.py", "from insitu.core import spans\nfrom ..storage import base"),
    "its own unit": ("core/a.py", "from .spans import Span\nfrom insitu.core.facts import Facts"),
    "the same unit's package": ("engine/a.py", "from . import lock"),
    "mcp by cli, lazily": ("cli/a.py", "def serve():\n    from insitu.mcp import server"),
    "the public names": ("cli/a.py", "import insitu\nfrom insitu import Document"),
    "a dependency, lazily": ("formats/a.py", "def rows():\n    import numpy as np"),
    "a dependency, for types only": (
        "core/a.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import numpy as np",
    ),
    "anything, by testing": ("testing/a.py", "import os\nfrom insitu.cli import main"),
}


def _plant(folder: Path, name: str, source: str) -> Path:
    """Writes a package with every unit in it and one module with the source; returns its folder."""
    package = folder / "insitu"
    for unit in FLOORS.keys() - {ROOT_UNIT, "__main__"}:
        (package / unit).mkdir(parents=True)
        (package / unit / "__init__.py").touch()
    (package / "__init__.py").touch()
    target = package / name
    target.parent.mkdir(exist_ok=True)
    target.write_text(source, "utf-8")
    return package


@pytest.mark.parametrize(("name", "source", "sentence"), PLANTED.values(), ids=PLANTED)
def test_a_planted_breach_is_named(tmp_path: Path, name: str, source: str, sentence: str) -> None:
    found = violations(_plant(tmp_path, name, source))
    assert len(found) == 1
    assert sentence in found[0]


@pytest.mark.parametrize(("name", "source"), ALLOWED.values(), ids=ALLOWED)
def test_what_the_floor_plan_allows_passes(tmp_path: Path, name: str, source: str) -> None:
    assert violations(_plant(tmp_path, name, source)) == []
