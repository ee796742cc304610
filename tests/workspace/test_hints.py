"""Hints of all floors, as agents are given them: no command, no option, no Python."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import insitu
from insitu.workspace.hints import for_agents

ROOT = Path(insitu.__file__).parent
FLOORS = ("core", "planners", "formats", "storage", "scan", "engine", "views", "api", "workspace")

# What the tools do not use, and what the operator reads.
ELSEWHERE = ("audit", "edits", "transform", "record", "frame", "csv_frames", "document")


def hints() -> list[str]:
    """Every text that an error is given as its hint; what is filled in is a 7."""
    found = set()
    for path in [ROOT / "document.py", *(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))]:
        if path.name.startswith(ELSEWHERE):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "hint":
                found |= {text for text in map(text_of, ast.walk(node.value)) if text}
    return sorted(found)


def text_of(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def whole(hint: str, all_hints: list[str]) -> bool:
    return not any(hint != other and hint in other for other in all_hints)


ALL = hints()


@pytest.mark.parametrize("hint", [hint for hint in ALL if whole(hint, ALL)])
def test_a_hint_names_tools(hint: str) -> None:
    said = for_agents(hint)
    # How a server is started is for whoever starts it.
    said = re.sub(r"--(?:root|write-root) DIR|\(insitu mcp without --read-only\)", "", said)
    assert not re.search(
        r"(?<![.\w])insitu (?!to )[a-z-]+ |--[a-z]|\bdoc\.|iconv|insitu\.\w+\(|\bFILE\b", said
    ), said


def test_lengths_are_worked_out() -> None:
    assert for_agents("Delete it first: insitu delete FILE --bytes 7:19") == (
        "Delete it first: file_edit_bytes offset=7 length=12"
    )
