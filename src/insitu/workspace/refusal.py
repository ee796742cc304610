"""Refusals: what a model is told when a call cannot be carried out, and what it should do next.

The first line is for reading: ``code: what happened. Nothing was changed. What to do.`` The last is one
line of JSON for programs. Nothing in it names anything outside the roots.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice
from typing import Any, Final, NamedTuple

from insitu.errors import InsituError, StorageError
from insitu.workspace.excerpts import visible
from insitu.workspace.hints import hint_of

_CANDIDATES_MAX: Final = 10
_CHARS_MAX: Final = 4_000
_SAID_CHARS_MAX: Final = 1_000
_FACT_CHARS_MAX: Final = 200

# Facts of errors that help a model to go on; the others are for programs on this side.
_TOLD: Final = (
    *("version", "found", "offset", "line", "line_count", "size", "encoding", "did_you_mean", "holder"),
    *("retry_after_ms", "next", "row", "record", "operation", "limit", "bytes_written"),
)

_UNCHANGED: Final = ("nothing was changed", "is unchanged", "was not changed")


class Refusal(NamedTuple):
    """A call that was not carried out.

    Args:
        code: stable, as ``InsituError.code``.
        text: what the model reads.
        data: the same for programs.
    """

    code: str
    text: str
    data: dict[str, Any]


def refusal(
    error: InsituError, path: str | None = None, shown: Callable[[str], str] = lambda text: text
) -> Refusal:
    """The refusal that an error makes.

    Args:
        path: the file, as the call named it.
        shown: makes paths in a sentence those that the caller knows.
    """
    facts = {name: _plain(error.facts[name]) for name in _TOLD if error.facts.get(name) is not None}
    candidates = _plain(error.facts.get("candidates", ()))
    data: dict[str, Any] = {"code": error.code, "retryable": error.retryable, "applied": False}
    if path is not None:
        data["path"] = visible(path[:_FACT_CHARS_MAX])
    if isinstance(error, StorageError):
        data["file_state"] = error.file_state
        data["applied"] = None if error.file_state in ("unknown", "awaiting recovery") else False
    data |= facts
    if candidates:
        data["candidates"] = candidates
    said = shown(error.message.rstrip())
    if len(said) > _SAID_CHARS_MAX:  # it repeats what the call brought along
        said = f"{said[:_SAID_CHARS_MAX]}..."
    unchanged = any(word in said.lower() for word in _UNCHANGED) or data["applied"] is None
    parts = [
        f"{error.code}: {said}{'' if said.endswith('.') else '.'}",
        "" if unchanged else "Refused, nothing was written.",
        shown(hint_of(error)),
    ]
    sentence = " ".join(part for part in parts if part)
    line = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Refusal(error.code, f"{visible(sentence[:_CHARS_MAX])}\n{line}", data)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value[:_CANDIDATES_MAX]]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in islice(value.items(), _CANDIDATES_MAX)}
    if isinstance(value, int | float | bool) or value is None:
        return value
    return visible(str(value)[:_FACT_CHARS_MAX])
