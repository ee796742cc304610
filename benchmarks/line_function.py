"""What the line transform does to every line: a small look at the line and the ones around it.

``line`` is called by insitu, ``marked`` by the plain loop beside it.
"""

from __future__ import annotations

from typing import Any

WORD, MARK = "ERROR", "FAULT"
CALM = "INFO"


def marked(line: str, before: str | None, after: str | None) -> str:
    """The line; where it has an error between two calm lines, the word for it is another one."""
    if WORD not in line or before is None or after is None:
        return line
    return line.replace(WORD, MARK, 1) if CALM in before and CALM in after else line


def line(text: str, context: Any) -> str:
    """The line, by the lines of its context."""
    before, after = context.before, context.after
    return marked(text, before[0] if before else None, after[0] if after else None)
