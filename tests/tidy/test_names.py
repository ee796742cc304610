"""Names say what a thing is, and the source is plain ASCII."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tidy.tree import PACKAGE, ROOT, Module, modules

# They say that nobody decided what the thing is.
BANNED = ("utils", "helper", "manager")

FOLDERS = [folder for folder in (PACKAGE, ROOT / "tests", ROOT / "benchmarks") if folder.is_dir()]


def defined_names(module: Module) -> Iterator[tuple[int, str]]:
    """Yields (line number, name) of what the module itself names, so not of what it merely imports."""
    yield 1, module.parts[-1]
    for node in ast.walk(module.tree):
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield node.lineno, node.name
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr
            case ast.arg():
                yield node.lineno, node.arg
            case ast.alias(asname=str(asname)):
                yield node.lineno, asname


def banned_names(module: Module) -> list[str]:
    """Returns where the module defines a name that holds a banned word."""
    return [
        f"{module.name}:{line}: {name}"
        for line, name in defined_names(module)
        if any(word in name.lower() for word in BANNED)
    ]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_no_name_is_a_shrug(folder: Path) -> None:
    assert [name for module in modules(folder) for name in banned_names(module)] == []


def test_the_source_is_ascii() -> None:
    found = [
        f"{module.name}:{number}: {line}"
        for module in modules(PACKAGE)
        for number, line in enumerate(module.text.splitlines(), 1)
        if not line.isascii()
    ]
    assert found == []


SHRUGS = {
    "class": "class LockManager: pass",
    "function": "def helper(): pass",
    "method": "class A:\n    def read_helper(self): pass",
    "variable": "HELPERS = 1",
    "argument": "def f(manager): pass",
    "attribute": "def f(self):\n    self.my_utils = 1",
    "alias": "import contextlib as ctx_utils",
}


@pytest.mark.parametrize("source", SHRUGS.values(), ids=SHRUGS)
def test_a_planted_shrug_is_found(tmp_path: Path, source: str) -> None:
    path = tmp_path / "planted.py"
    path.write_text(source, "utf-8")
    assert len(banned_names(Module(path, ("planted",)))) == 1


def test_a_module_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "byte_utils.py").touch()
    assert [name for module in modules(tmp_path) for name in banned_names(module)]


def test_what_others_named_is_their_affair(tmp_path: Path) -> None:
    path = tmp_path / "planted.py"
    path.write_text("from contextlib import contextmanager\n@contextmanager\ndef held(): yield", "utf-8")
    assert banned_names(Module(path, ("planted",))) == []
