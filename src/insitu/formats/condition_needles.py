"""Texts that a row must hold for a condition to be true of it: a search passes the rows that hold none."""

from __future__ import annotations

from typing import Final

from insitu.formats.condition_predicates import (
    All,
    Any_,
    CompareTexts,
    Predicate,
    TextAmong,
    TextColumn,
)

# Each is searched for by itself.
NEEDLES_MAX: Final = 4


def needles_of(predicate: Predicate) -> tuple[bytes, ...]:
    """Texts of which at least one is, byte by byte, the text of a column in every row that it is true of.

    Returns:
        None of them empty; nothing where no such texts are known, or too many.
    """
    found: list[tuple[bytes, ...]] = []
    match predicate:
        case CompareTexts(sign="=", left=TextColumn(case=None), right=bytes(text)):
            found = [(text,)]
        case TextAmong(text=TextColumn(case=None), members=members, negated=False):
            found = [members]
        case All(parts=parts):
            found = sorted(filter(None, map(needles_of, parts)), key=len)
        case Any_(parts=parts):
            each = [needles_of(part) for part in parts]
            found = [tuple(dict.fromkeys(sum(each, ())))] if all(each) else []
    return found[0] if found and all(found[0]) and len(found[0]) <= NEEDLES_MAX else ()
