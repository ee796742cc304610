"""What the workspace's own tools say, in the words of the drop-in editor tool: it has no other to name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final


def _range(found: re.Match[str]) -> str:
    return f"view_range=[{found[1]}, {found[2] or -1}]"


# A tool, and not a file that is called like one.
_TOOL: Final = r"""(?<![\w/."'-])%s(?![\w/-]|\.\w)"""

# In this order: what is taken out first is no part of what the others look for.
_RULES: Final[tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]] = tuple(
    (re.compile(pattern), said)
    for pattern, said in (
        (r", or tail=\d+", ""),
        (r'\blines="(\d+)-(\d*)"', _range),
        (r"; go on with file_list [^\]]*", " than are shown; view a folder below"),
        (r" To take back: file_undo [^.]*\.", ""),
        (r', or near_line, or expect="all" for every one', ""),
        (r"Search for a shorter part of it with file_search", "View the part of the file that is meant"),
        (r"(See what (?:is there|a folder holds)) with file_list", r"\1: view the folder"),
        (r"Add to it without create, or edit it", "Edit it with str_replace or insert"),
        (r"It has lines 1 to (\d+); file_append adds more", r"The last line is \1: insert_line=\1 adds more"),
        (_TOOL % "file_(?:edit|append)", "str_replace or insert"),
        (_TOOL % "file_read", "view"),
    )
)


def in_words_of_the_editor(text: str) -> str:
    """An answer with the commands in place of the tools, in its first and last line: between is the file."""
    lines = text.split("\n")
    for at in {0, len(lines) - 1 if lines[-1].startswith("[") else 0}:
        for pattern, said in _RULES:
            lines[at] = pattern.sub(said, lines[at])
    return "\n".join(lines)
