"""Hints as agents can follow them: the tools in place of the commands and options that they lack.

Errors come from the floors below, whose hints are written for people with a shell or Python at hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from insitu.errors import FileKindError, InsituError, MissingFileError

_OPERATOR: Final = "ask whoever runs insitu to recover the file"


def _deletion(found: re.Match[str]) -> str:
    start, stop = int(found[1]), int(found[2])
    return f"file_edit_bytes offset={start} length={stop - start}"


# In this order: what is taken out first is no part of what the others look for.
_RULES: Final[tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]] = tuple(
    (re.compile(pattern), said)
    for pattern, said in (
        # Whole sentences that only a person can follow
        (
            r"Name the encoding: .*",
            'Use file_edit_bytes, with form="utf8" where the file is UTF-8.',
        ),
        (r"Choose with: insitu recover .*", f"A person has to choose: {_OPERATOR}."),
        (r"; or, when you know what .*", f"; or {_OPERATOR}."),
        (r"Bring file and \.insitu folder together .*", f"Its .insitu folder is missing: {_OPERATOR}."),
        (r"[Rr]un: insitu recover .*", f"{_OPERATOR}."),
        (r"Say it: doc\.csv\(.*", "Say it with has_header, or edit the lines with file_edit."),
        (r"(?:If the first row is one, say so|Use a condition): .*", "Say it with has_header, or by where."),
        (r"Name the quote or the escape: .*", "Edit the line with file_edit."),
        (r"Take such cells as they are written with .*?, or correct", "Correct"),
        (r"; Python's own re has them .*", "."),
        (r"Commit without undo .*", "Make smaller edits, one after the other."),
        (r",? or commit with history=0 \(--no-undo\)", ""),
        (r"Relax the policy, or free", "Free"),
        (r"The one-call verbs, as insitu\.replace, stream", "file_replace_all streams"),
        (r"Apply all of them: insitu apply .*", "Put them all into one file_transaction."),
        (r"Put it in with doc\.insert\(.*", "Put it in with file_copy_range."),
        (r"Indexes start at 0, the numbers of --rows at 1\.", "Rows are counted from 1, behind the header."),
        (r"This is a bug of insitu; .*", "This is a bug of insitu; please report it."),
        (r"Rename one of them first: .*", "Rename one of them first, with file_edit in the header."),
        (r"Records count from 1 on the command line .*", "Records count from 1."),
        (
            r"Delete the others, the hindmost first: insitu delete FILE --bytes (.*)",
            r"Delete the others with file_edit_bytes, the hindmost first: bytes \1",
        ),
        (r"Read larger pieces by their address: .*", "Read a smaller part of it."),
        (r"Convert it to UTF-8 first, .*", "Ask for it to be converted to UTF-8."),
        (r"Encode text first: doc\.insert.*", "Use file_edit."),
        (r"Close it there and try again, write a new file .*", "Try again once it is closed there."),
        # Drafts, which agents have none of
        (r"Begin one with: insitu draft start FILE", "Edit the file itself."),
        (r"Drop it \(insitu draft drop FILE\), or .*", "A person has to drop the draft, or move it away."),
        (
            r"See what it would do with: insitu draft diff FILE; or .*",
            "A person has to commit or drop the draft.",
        ),
        (
            r"; (?:undo it, )?or drop (?:the draft|it): insitu draft drop FILE",
            "; a person has to drop the draft",
        ),
        # Parts of sentences
        (r", or doc\.csv\(.*", "; to fill it up, give all its cells as values with file_edit_rows."),
        (r", wait longer \(--lock-timeout\), or end the process that holds it", " in a moment"),
        (r", or read without quotes: quote='' \(--quote none\)", " with file_edit"),
        (r"; leave such rows as they are with short='skip' \(--skip-short\)", ""),
        (r"; then open the file again", ""),
        # Commands
        (r"insitu (?:md )?outline FILE", "file_outline"),
        (r"insitu history FILE", "file_history"),
        (r"insitu diff FILE OP\b", "file_history with its edit_id"),
        (r"insitu diff FILE (\d+)", r"file_history edit_id=\1"),
        (r"insitu find FILE PATTERN", "file_search"),
        (r"insitu (?:json check|csv count) FILE(?: --where CONDITION)?", "file_read or file_search"),
        (r"insitu csv read FILE --rows (\d+)", r'file_read rows="\1"'),
        (r"insitu csv (?:add-column|drop-column|delete|append) FILE.*", "file_edit_rows"),
        (r"insitu read FILE --lines ([\d-]+)", r'file_read lines="\1"'),
        (r"insitu read FILE --bytes (\d+:) \| head -c \d+", r'file_read bytes="\1"'),
        (r"insitu read FILE --bytes ([\d:]+)", r'file_read bytes="\1"'),
        (r"insitu delete FILE --bytes (\d+):(\d+)", _deletion),
        (r"insitu read FILE", "file_read"),
        (r"insitu info FILE", "file_info"),
    )
)


# What errors that say it all to a person leave to be done by an agent, which has not looked around.
_BY_CODE: Final = {
    MissingFileError.code: "See what is there with file_list.",
    FileKindError.code: "See what a folder holds with file_list.",
}


def hint_of(error: InsituError) -> str:
    """What an agent should do next; empty where nobody knows."""
    return for_agents(error.hint) or _BY_CODE.get(error.code, "")


def for_agents(hint: str) -> str:
    """A hint with the tools in place of commands, options and Python."""
    for pattern, said in _RULES:
        hint = pattern.sub(said, hint)
    return hint[:1].upper() + hint[1:] if hint.startswith(_OPERATOR) else hint
