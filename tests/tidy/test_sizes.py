"""Modules and functions stay short enough to be read in one sitting."""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from pathlib import Path

from tests.tidy.tree import PACKAGE, Function, Module, modules

# Lines of a file; past the soft bound a warning, past the hard one a failure.
MODULE_LINES_SOFT, MODULE_LINES_HARD = 400, 500
# Lines of code from `def` on: docstrings, comments and blank lines are free.
FUNCTION_LINES_SOFT, FUNCTION_LINES_HARD = 50, 70

_SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def code_lines(module: Module) -> set[int]:
    """Returns the numbers of the lines that hold code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type not in _SILENT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(module.tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | Function)
            and ast.get_docstring(node, clean=False) is not None
        ):
            text = node.body[0]
            lines.difference_update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return lines


def function_sizes(module: Module) -> dict[str, int]:
    """Returns the lines of code of each function, by a name that tells where it stands."""
    lines = code_lines(module)
    return {
        f"{module.name}:{node.lineno} {node.name}": len(
            lines.intersection(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        )
        for node in module.functions()
    }


def _judge(sizes: dict[str, int], soft: int, hard: int) -> None:
    for name, size in sizes.items():
        if soft < size <= hard:
            warnings.warn(f"{name} has {size} lines, {soft} are the aim", stacklevel=2)
    assert {name: size for name, size in sizes.items() if size > hard} == {}, f"more than {hard} lines"


def test_modules_are_short() -> None:
    sizes = {module.name: len(module.text.splitlines()) for module in modules(PACKAGE)}
    _judge(sizes, MODULE_LINES_SOFT, MODULE_LINES_HARD)


def test_functions_are_short() -> None:
    sizes = {name: size for module in modules(PACKAGE) for name, size in function_sizes(module).items()}
    _judge(sizes, FUNCTION_LINES_SOFT, FUNCTION_LINES_HARD)


def test_only_code_counts(tmp_path: Path) -> None:
    source = '''
def speak(name):
    """One line.

    More of it.
    """
    # why

    text = """spans
    two lines"""
    return text + name
'''
    path = tmp_path / "speak.py"
    path.write_text(source, "utf-8")
    assert function_sizes(Module(path, ("speak",))) == {"speak:2 speak": 4}
