"""Which kinds of values a sample holds: in the columns of a table, under the keys of JSON records.

Said for people who look at a file for the first time; nothing here decides how a value is compared.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

# Deeper values count as what they are, object or array.
DEPTH_MAX: Final = 4

# An object with more keys is one that maps: they say nothing about other records.
_KEYS_MAX: Final = 200

_CELL_KINDS: Final = (
    ("empty", re.compile(r"\s*")),
    ("integer", re.compile(r"[+-]?\d+")),
    ("number", re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")),
    ("true/false", re.compile(r"true|false", re.IGNORECASE)),
    ("date", re.compile(r"\d{4}-\d{2}-\d{2}")),
    ("time", re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?")),
)


class Seen(NamedTuple):
    """What was seen at one place.

    Args:
        name: of a column; or the JSON Pointer inside a record.
        kinds: the kinds of values, the most frequent first, with how often.
        example: one of the values as text, shortened.
    """

    name: str
    kinds: dict[str, int]
    example: str


class Sample:
    """Adds values up, place by place, in the order in which places were first seen."""

    def __init__(self) -> None:
        self._kinds: dict[str, Counter[str]] = {}
        self._examples: dict[str, str] = {}

    def add(self, name: str, kind: str, example: str) -> None:
        """Adds one value."""
        self._kinds.setdefault(name, Counter())[kind] += 1
        if example and not self._examples.get(name):
            self._examples[name] = example if len(example) <= 40 else example[:37] + "..."

    def seen(self) -> list[Seen]:
        """What there was."""
        return [
            Seen(name, dict(kinds.most_common()), self._examples.get(name, ""))
            for name, kinds in self._kinds.items()
        ]


def cell_kind(text: str) -> str:
    """The kind of a cell of a table: text, unless all of it is something more special."""
    stripped = text.strip()
    return next((kind for kind, pattern in _CELL_KINDS if pattern.fullmatch(stripped)), "text")


def seen_in_rows(names: list[str], rows: Iterable[Iterable[str]]) -> list[Seen]:
    """The kinds of cells in each column; those without a name of their own get their number, from 1."""
    labels = [
        name if name and name not in names[: number - 1] else f"{name} ({number})".lstrip()
        for number, name in enumerate(names, 1)
    ]
    sample = Sample()
    for row in rows:
        for number, cell in enumerate(row, 1):
            label = labels[number - 1] if number <= len(labels) else f"({number})"
            sample.add(label, cell_kind(cell), cell)
    found = {each.name: each for each in sample.seen()}
    return [found.pop(label, Seen(label, {}, "")) for label in labels] + list(found.values())


def seen_in_values(values: Iterable[Any]) -> list[Seen]:
    """The kinds of values under each key of JSON values, by their pointers; ``""`` is the value itself."""
    sample = Sample()
    for value in values:
        for pointer, part in _parts("", value, DEPTH_MAX):
            example = part if isinstance(part, str) else "" if isinstance(part, dict | list) else repr(part)
            sample.add(pointer, json_kind(part), example)
    return sample.seen()


def json_kind(value: Any) -> str:
    """The kind of a parsed JSON value; of an array also that of what it holds, if that is one kind."""
    match value:
        case None:
            return "null"
        case bool():
            return "true/false"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "text"
        case list():
            kinds = {json_kind(item) if not isinstance(item, list) else "array" for item in value}
            return f"array of {kinds.pop()}" if len(kinds) == 1 else "array"
        case _:
            return "object"


def _parts(pointer: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict) or not depth or not 0 < len(value) <= _KEYS_MAX:
        yield pointer, value
        return
    for key, item in value.items():
        token = key.replace("~", "~0").replace("/", "~1")
        yield from _parts(f"{pointer}/{token}", item, depth - 1)
