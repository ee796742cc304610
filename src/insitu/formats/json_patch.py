"""JSON Patch: operations one after the other, each on what the one before it left.

Source: RFC 6902.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from insitu.core.spans import Span
from insitu.errors import ExpectationError, LimitError, RequestError
from insitu.formats.json_edits import Change, Edits, delete_value, insert_value, replaced
from insitu.formats.json_pointer import Tokens, parse_pointer, pointer_of
from insitu.formats.json_tree import (
    OBJECT,
    Tree,
    decoded,
    described,
    kind_of,
    locate,
    place,
    same,
    wanted_child,
)

# What is copied or moved within a value passes through memory.
CARRIED_BYTES_MAX: Final = 8 << 20

_NEEDS: Final = {
    "add": ("value",),
    "remove": (),
    "replace": ("value",),
    "move": ("from",),
    "copy": ("from",),
    "test": ("value",),
}


def changes_of(operations: Iterable[Mapping[str, Any]]) -> list[Change]:
    """The changes that operations ask for, to be made in order.

    Raises:
        RequestError: an operation is none, or lacks something; the message has its number.
    """
    return [change for number, one in enumerate(operations, 1) for change in _changes(number, one)]


def _changes(number: int, operation: Mapping[str, Any]) -> Iterator[Change]:
    name = operation.get("op") if isinstance(operation, Mapping) else None
    needs = _NEEDS.get(name) if isinstance(name, str) else None
    if needs is None:
        raise RequestError(
            f"Operation {number} of the patch is none: its op is {name!r}; nothing was changed.",
            hint=f"There are {', '.join(_NEEDS)}.",
            operation=number,
        )
    lacking = [field for field in ("path", *needs) if field not in operation]
    if lacking:
        raise RequestError(
            f"Operation {number} of the patch, {name}, lacks {' and '.join(lacking)}; nothing was changed.",
            operation=number,
        )
    path = parse_pointer(operation["path"])
    if name == "remove":
        yield lambda tree: delete_value(tree, path)
    elif name == "add":
        yield lambda tree: _add(tree, path, operation["value"])
    elif name == "replace":
        yield lambda tree: replaced(tree, locate(tree, path), operation["value"])
    elif name == "test":
        yield lambda tree: _test(tree, path, operation["value"], number)
    else:
        yield from _carry(parse_pointer(operation["from"]), path, number, moving=name == "move")


def _add(tree: Tree, tokens: Tokens, value: Any) -> Edits:
    if not tokens:
        return replaced(tree, [tree.root], value)
    path = locate(tree, tokens[:-1])
    if kind_of(tree, path[-1].value) == OBJECT:
        child = wanted_child(tree, path[-1], tokens[:-1], tokens[-1])
        if child is not None:
            return replaced(tree, [*path, child], value)
    return insert_value(tree, tokens, value)


def _test(tree: Tree, tokens: Tokens, value: Any, number: int) -> Edits:
    child = locate(tree, tokens)[-1]
    if not _equal(decoded(_carried(tree, child.value, tokens)), value):
        raise ExpectationError(
            f"Operation {number} of the patch expects another value at {place(tokens)}, which is "
            f"{described(tree, child)}; nothing was changed.",
            pointer=pointer_of(tokens),
            operation=number,
        )
    return []


def _equal(first: Any, second: Any) -> bool:
    """Equal as RFC 6902 says: numbers by what they are worth."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_equal(first[key], second[key]) for key in first)
    if isinstance(first, list) and isinstance(second, list | tuple):
        return len(first) == len(second) and all(map(_equal, first, second))
    numbers = [isinstance(one, int | float) and not isinstance(one, bool) for one in (first, second)]
    return bool(first == second) if all(numbers) else same(first, second)


def _carry(source: Tokens, target: Tokens, number: int, *, moving: bool) -> Iterator[Change]:
    """Takes the value at ``source`` out (``moving``) and puts it, as it is written, at ``target``."""
    import msgspec

    if moving and target[: len(source)] == source:
        if target == source:
            yield lambda tree: _test_there(tree, source)
            return
        raise RequestError(
            f"Operation {number} of the patch moves {place(source)} into itself; nothing was changed.",
            operation=number,
        )
    held: list[bytes] = []

    def take(tree: Tree) -> Edits:
        held.append(_carried(tree, locate(tree, source)[-1].value, source))
        return delete_value(tree, source) if moving else []

    yield take
    yield lambda tree: _add(tree, target, msgspec.Raw(held.pop()))


def _test_there(tree: Tree, tokens: Tokens) -> Edits:
    locate(tree, tokens)
    return []


def _carried(tree: Tree, span: Span, tokens: Tokens) -> bytes:
    if span.size > CARRIED_BYTES_MAX:
        raise LimitError(
            f"{place(tokens)} has {span.size:,} bytes, more than the {CARRIED_BYTES_MAX:,} that a "
            "patch may compare, copy or move; nothing was changed.",
            pointer=pointer_of(tokens),
        )
    return tree.read(span)
