"""What a journal has to say to be believed, once its checksums fit (J3, J17).

A checksum proves that a record is as it was written, not that we wrote it, for this file, in this version.
So every field is looked at before anything follows from it, and whatever has no place in a journal of ours
is damage: it ends in ``ValueError`` here, and in ``JournalDamagedError`` for whoever reads the journal.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from insitu.core.columns import Block, Summary, vector
from insitu.core.plan import Layout
from insitu.planners.choose import PROGRAMS
from insitu.planners.rewrite import NAME as REWRITE

Sound = Callable[[Any], bool]

OPERATIONS_MAX: Final = 10**10 - 1
"""Ten digits: names of closed operations sort by their number."""

ID: Final = re.compile(r"[0-9a-f]{32}")
"""The id of a super-journal, which is a part of its name."""

_SALT: Final = re.compile(r"[0-9a-f]{16}")
"""The id of a draft, and of the journal that another one follows."""

_NO_SALT: Final = "0" * 16

# Sums of two offsets stay within the 64 bits of a column.
_OFFSET_MAX: Final = 1 << 62
_WORD: Final = 1 << 64
_YEAR_9999: Final = 253_402_300_799
# What is moved between two syncs; and the edge of a shift is placed at once and held in memory.
_UNIT_MAX: Final = 1 << 26

# Fewer splices than this are walked in Python; more are worth importing NumPy (about 95 ms).
_VECTOR_SPLICES: Final = 1 << 12


def _whole(low: int, high: int) -> Sound:
    return lambda value: type(value) is int and low <= value <= high


def _one_of(*values: str) -> Sound:
    return lambda value: isinstance(value, str) and value in values


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _time(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value <= _YEAR_9999


def _identity(value: Any) -> bool:
    word = _whole(-_WORD, _WORD)
    return isinstance(value, list) and len(value) == 3 and all(map(word, value))


def _layout(value: Any) -> bool:
    unit, offset = _whole(1, _UNIT_MAX), _whole(0, _OFFSET_MAX)
    if not (isinstance(value, list) and len(value) == len(Layout._fields) and all(map(offset, value))):
        return False
    atom, block, segment, _gap = value
    return unit(atom) and unit(block) and max(atom, block) % min(atom, block) == 0 and unit(segment)


def _pointer(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("home"), str)
        and isinstance(value.get("id"), str)
        and ID.fullmatch(value["id"]) is not None
    )


def _before(value: Any) -> bool:
    return isinstance(value, dict) and _fits(value, _BEFORE)


_BEFORE: Final[Mapping[str, Sound]] = {
    "size": _whole(0, _OFFSET_MAX),
    "mtime_ns": _whole(-_WORD, _WORD),
    "inode": _whole(-_WORD, _WORD),
}

_HEADER: Final[Mapping[str, Sound]] = {
    "operation": _whole(1, OPERATIONS_MAX),
    "kind": _one_of("edit", "undo", "redo"),
    "of": _whole(0, OPERATIONS_MAX),
    "identity": _identity,
    "before": _before,
    "boot": lambda value: isinstance(value, str),
    "time": _time,
}

_PLAN: Final[Mapping[str, Sound]] = {
    "planner": lambda value: isinstance(value, str),
    "form": lambda value: isinstance(value, str),
    "layout": _layout,
    "swaps": _flag,
    "old": _one_of("none", "pool", "covers"),
    "history": _flag,
    "marked": _flag,
}


def header_of(payload: bytes) -> dict[str, Any]:
    """The header that a record holds."""
    header = record_of(payload, _HEADER, "header")
    follows = header.get("follows", _NO_SALT)
    if not (isinstance(follows, str) and _SALT.fullmatch(follows)):
        raise ValueError("a header that nobody could have made")
    return header


def plan_of(payload: bytes) -> dict[str, Any]:
    """The plan that a record holds."""
    plan = record_of(payload, _PLAN, "plan")
    known = (plan["planner"], plan["form"]) in PROGRAMS and plan["swaps"] == (plan["planner"] == REWRITE)
    successor = _identity(plan.get("successor")) if plan["swaps"] else "successor" not in plan
    alone = "super" not in plan or _pointer(plan["super"])
    draft = "draft" not in plan or (isinstance(plan["draft"], str) and _SALT.fullmatch(plan["draft"]))
    if not (known and successor and alone and draft and plan.get("atom_bytes") == plan["layout"][0]):
        raise ValueError("a plan that nobody could have made")
    return plan


def check_block(block: Block, before: Summary, base_size: int) -> None:
    """Refuses splices that do not lie in order, behind those before, inside the base."""
    count = len(block.starts)
    if not count or len(block.olds) != count + 1 or len(block.news) != count + 1:
        raise ValueError("columns of splices that do not fit each other")
    if (block.olds[0], block.news[0]) != (before.old_bytes, before.new_bytes):
        raise ValueError("splices that do not go on where those before ended")
    low = before.last if before.places else 0
    in_order = _in_order if count < _VECTOR_SPLICES else _in_order_by_columns
    if not in_order(block, low, base_size):
        raise ValueError("splices that are out of order or outside of the file")


def _in_order(block: Block, low: int, base_size: int) -> bool:
    if not (_rises(block.olds, base_size) and _rises(block.news, _OFFSET_MAX)):
        return False
    at = low
    for i, start in enumerate(block.starts):
        if start < at:
            return False
        at = block.stop(i)
    return at <= base_size


def _rises(column: Sequence[int], high: int) -> bool:
    at = 0
    for value in column:
        if value < at:
            return False
        at = value
    return at <= high


def _in_order_by_columns(block: Block, low: int, base_size: int) -> bool:
    """As ``_in_order`` for many splices, without a step for each; ends first, so that no sum overflows."""
    for column, high in ((block.olds, base_size), (block.news, _OFFSET_MAX)):
        if column[0] < 0 or column[-1] > high or (vector(column)[1:] < vector(column)[:-1]).any():
            return False
    starts, olds = vector(block.starts), vector(block.olds)
    if starts[0] < low or starts.max() > base_size:
        return False
    stops = starts + olds[1:] - olds[:-1]
    return bool((starts[1:] >= stops[:-1]).all() and stops[-1] <= base_size)


def record_of(payload: bytes, fields: Mapping[str, Sound], what: str) -> dict[str, Any]:
    """The JSON object that a record holds, with these fields at least."""
    try:
        values = json.loads(payload)
    except RecursionError as error:
        raise ValueError(f"a {what} nested too deep") from error
    if not (isinstance(values, dict) and _fits(values, fields)):
        raise ValueError(f"a {what} with fields that are missing or make no sense")
    return values


def _fits(values: Mapping[str, Any], fields: Mapping[str, Sound]) -> bool:
    return all(name in values and sound(values[name]) for name, sound in fields.items())
