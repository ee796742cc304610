"""From what a model sent to a request: aliases taken, types checked, unknown arguments refused.

Models are trained on other tools, whose argument names mean the same here. What is unknown is refused with
the nearest name: dropped silently, ``dryrun`` instead of ``dry_run`` would make the edit.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final, TypeVar

import msgspec

from insitu.errors import ArgumentsError
from insitu.workspace.request import Request

Q = TypeVar("Q", bound=Request[Any])

# Sources: the text editor tool of Anthropic (old_str, new_str, file_text, insert_line, view_range), Claude
# Code (file_path, old_string, new_string, replace_all), the reference filesystem server (oldText, newText,
# dryRun), and what models were seen to write for them.
ALIASES: Final[Mapping[str, str]] = {
    "file_path": "path",
    "filepath": "path",
    "filename": "path",
    "file": "path",
    "old_string": "old_text",
    "old_str": "old_text",
    "oldText": "old_text",
    "old": "old_text",
    "new_string": "new_text",
    "new_str": "new_text",
    "newText": "new_text",
    "new": "new_text",
    "file_text": "text",
    "content": "text",
    "contents": "text",
    "insert_line": "insert_after",
    "insert_after_line": "insert_after",
    "after_line": "insert_after",
    "insert_before_line": "insert_before",
    "before_line": "insert_before",
    "line_range": "lines",
    "view_range": "lines",
    "range": "lines",
    "dryRun": "dry_run",
    "dryrun": "dry_run",
    "query": "pattern",
    "regex": "pattern",
    "max_results": "limit",
    "head_limit": "limit",
}

_FLAGS: Final = {"replace_all": ("expect", "all"), "regex": ("mode", "regex")}
"""Arguments that are true or false there, and a value of another argument here. One that is an alias, too,
may hold what the alias means, and stands for both."""

_NEAR: Final = 0.6
_DEPTH_MAX: Final = 64

_RANGES: Final = ("lines", "within", "rows", "records", "columns")
_LISTS: Final = ("edits", "calls", "values", "where", "ids")


def malformed(name: str, arguments: Any) -> ArgumentsError | None:
    """What is wrong with arguments that are no object of JSON, or one that nobody would nest so deeply."""
    if not isinstance(arguments, Mapping):
        return ArgumentsError(
            f"{name}: the arguments are no object; nothing was changed.", hint='As in {"path": "notes.md"}.'
        )
    level: list[Any] = [arguments]
    for _ in range(_DEPTH_MAX):
        if any(not isinstance(key, str) for value in level if isinstance(value, Mapping) for key in value):
            return ArgumentsError(f"{name}: an argument's name is no text; nothing was changed.")
        level = [
            part
            for value in level
            if isinstance(value, Mapping | list | tuple)
            for part in (value.values() if isinstance(value, Mapping) else value)
        ]
        if not level:
            return None
    return ArgumentsError(
        f"{name}: the arguments are nested more than {_DEPTH_MAX} deep; nothing was changed.",
        hint="Put the text of a large value in its place with file_edit.",
    )


def parsed(kind: type[Q], arguments: Mapping[str, Any]) -> Q:
    """The request that some arguments make.

    Raises:
        ArgumentsError: one is unknown, missing, or of the wrong kind.
    """
    name = kind.tool.name
    try:
        values = _named(dict(arguments), kind, name)
        if "edits" in _fields(kind) and "edits" not in values:
            values = _gathered(values, kind, name)
        request: Q = msgspec.convert(values, kind, strict=False)
        return request
    except (msgspec.ValidationError, OverflowError, UnicodeEncodeError) as error:
        raise ArgumentsError(
            f"{name}: {str(error).replace('`', '')[:200]}; nothing was changed.",
            hint=f"Arguments of {name}: {', '.join(_fields(kind))}.",
        ) from None


@cache
def _fields(kind: Any) -> dict[str, Any]:
    """The fields of a struct; msgspec takes a millisecond to evaluate their annotations, each time."""
    return {field.name: field.type for field in msgspec.structs.fields(kind)}


def _named(values: dict[str, Any], kind: Any, name: str) -> dict[str, Any]:
    """The values under the names that a struct has for them, nested structs too."""
    fields = _fields(kind)
    nested = _struct_in(fields["edits"]) if "edits" in fields else None
    known = {*fields, *(_fields(nested) if nested and "edits" not in values else ())}
    found: dict[str, Any] = {}
    implied: dict[str, Any] = {}
    for given, value in values.items():
        target = given if given in known else ALIASES.get(given, given)
        if given in _FLAGS and given not in known and _FLAGS[given][0] in known:
            flagged, on = _FLAGS[given]
            if value in (False, "false", None):
                continue
            if value in (True, "true"):
                target, value = flagged, on
            elif given in ALIASES:
                implied[flagged] = on
            else:
                raise ArgumentsError(f"{name}: {given} is true or false; nothing was changed.")
        if target not in known:
            raise unknown(f"{name} has no argument {given[:60]!r}", given, sorted(known))
        if target in found:
            raise ArgumentsError(
                f"{name}: {given} and another argument both mean {target}; nothing was changed.",
                hint=f"Give {target} once.",
            )
        found[target] = _shaped(value, target)
    found = implied | found
    if nested is not None and isinstance(found.get("edits"), list):
        found["edits"] = [
            _named(edit, nested, f"{name}, edits") if isinstance(edit, dict) else edit
            for edit in found["edits"]
        ]
    return found


def _shaped(value: Any, target: str) -> Any:
    """A value in the form that is asked for: ranges of two numbers as text, lists out of their JSON."""
    if target in _RANGES:
        if isinstance(value, list) and len(value) == 2 and all(type(end) is int for end in value):
            first, last = value
            return f"{first}-{'' if last < 0 else last}"
        return str(value) if type(value) is int else value
    if isinstance(value, str) and target in _LISTS and value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _gathered(values: dict[str, Any], kind: Any, name: str) -> dict[str, Any]:
    """One edit, given by arguments of its own, as a list of edits."""
    fields = _fields(kind)
    edit = {key: value for key, value in values.items() if key not in fields}
    if not edit:
        raise ArgumentsError(
            f"{name}: there are no edits; nothing was changed.", hint="Give edits=[{...}], one or more."
        )
    return {**{key: value for key, value in values.items() if key in fields}, "edits": [edit]}


def _struct_in(kind: Any) -> Any:
    """The struct that a list holds, through annotations."""
    for inner in getattr(kind, "__args__", ()):
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            return inner
        if (found := _struct_in(inner)) is not None:
            return found
    return None


def unknown(problem: str, name: str, known: Iterable[str]) -> ArgumentsError:
    """The refusal of a name that nothing has, with the nearest that something has, or with all of them.

    Args:
        problem: which name of what, without a full stop.
    """
    near = difflib.get_close_matches(name.lower(), names := list(known), n=1, cutoff=_NEAR)
    return ArgumentsError(
        f"{problem}; nothing was changed.",
        hint=f"Did you mean {near[0]}?" if near else f"There are: {', '.join(names)}.",
        did_you_mean=near[0] if near else None,
    )
