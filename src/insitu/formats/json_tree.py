"""The parts of a JSON value: where its members and elements are, byte for byte.

``Tree`` is what edits ask; ``SmallTree`` answers for a value that is held in memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

from insitu.core.spans import Span
from insitu.errors import AmbiguousError, LimitError, NoMatchError, RequestError
from insitu.formats.json_pointer import APPENDED, Tokens, index_of, pointer_of

OBJECT: Final = b"{"
ARRAY: Final = b"["

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_DEPTH: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')
_NAMED_MAX: Final = 8
_QUOTED_CHARACTERS: Final = 40

# Ends of values only: numbers are not converted, whatever their size.
_SCAN: Final[Callable[[str, int], tuple[Any, int]]] = json.JSONDecoder(  # type: ignore[attr-defined]
    parse_int=len, parse_float=len
).scan_once


class Child(NamedTuple):
    """A member of an object or an element of an array, and what stands around it."""

    ordinal: int
    """Which one of its siblings it is, in the order they are written."""
    key: Span | None
    """The key with its quotes; None for an element."""
    value: Span
    before: int
    """Where the bracket or comma is that it follows; -1 for the root."""
    after: int
    """Where the comma or bracket is that follows it; -1 for the root."""

    @property
    def start(self) -> int:
        """Where it starts, its key included."""
        return self.value.start if self.key is None else self.key.start


class Survey(NamedTuple):
    """What a look through an object or an array tells."""

    child_count: int
    last: Child | None


class Tree(Protocol):
    """A valid JSON value whose parts can be asked for, of any size."""

    @property
    def offset(self) -> int:
        """What is added to its offsets in messages: where it starts in its file."""
        ...

    @property
    def root(self) -> Child:
        """The whole value, without the white space around it."""
        ...

    def read(self, span: Span) -> bytes:
        """The bytes of a span."""
        ...

    def space_end(self, offset: int) -> int:
        """Where the white space that starts at ``offset`` stops."""
        ...

    def find(self, container: Span, token: str) -> list[Child]:
        """The members with a key, in order; or the element of an index, if there is one."""
        ...

    def survey(self, container: Span) -> Survey:
        """How many children an object or an array has, and the last one."""
        ...

    def keys(self, container: Span) -> Iterator[bytes]:
        """Yields the keys of an object, as they are written, in order."""
        ...


class SmallTree:
    """A tree over a valid value held in memory.

    Args:
        data: JSON, white space around it allowed.
        offset: what is added to offsets in messages.
        last_wins: of several members with one key, only the last is found: the one that readers take.

    Cost: a look-up of a child is one pass over its container.
    """

    def __init__(self, data: bytes, *, offset: int = 0, last_wins: bool = False) -> None:
        self.data = data
        self.offset = offset
        self._last_wins = last_wins
        # One character to a byte: the scanner of the standard library then tells offsets of bytes.
        self._text = data.decode("latin-1")
        self.children = lru_cache(maxsize=64)(self._children)

    @property
    def root(self) -> Child:
        """The whole value, without the white space around it."""
        start = self.space_end(0)
        return Child(0, None, Span(start, len(self.data.rstrip(b" \t\n\r"))), -1, -1)

    def read(self, span: Span) -> bytes:
        """The bytes of a span."""
        return self.data[span.start : span.stop]

    def space_end(self, offset: int) -> int:
        """Where the white space that starts at ``offset`` stops."""
        found = _SPACE.match(self._text, offset)
        assert found is not None
        return found.end()

    def find(self, container: Span, token: str) -> list[Child]:
        """The members with a key, in order; or the element of an index, if there is one."""
        children = self.children(container.start)
        if self._text[container.start] == "[":
            index = index_of(token)
            return [children[index]] if index is not None and index < len(children) else []
        found = [
            child
            for child in children
            if child.key is not None and is_key(self.data[child.key.start : child.key.stop], token)
        ]
        return found[-1:] if self._last_wins else found

    def survey(self, container: Span) -> Survey:
        """How many children an object or an array has, and the last one."""
        children = self.children(container.start)
        return Survey(len(children), children[-1] if children else None)

    def keys(self, container: Span) -> Iterator[bytes]:
        """Yields the keys of an object, as they are written, in order."""
        return (self.read(child.key) for child in self.children(container.start) if child.key is not None)

    def _children(self, start: int) -> list[Child]:
        text, space = self._text, self.space_end
        keyed = text[start] == "{"
        children: list[Child] = []
        before, at = start, space(start + 1)
        if text[at] in "}]":
            return children
        while True:
            key = None
            if keyed:
                key = Span(at, self._end(at))
                at = space(space(key.stop) + 1)
            value = Span(at, self._end(at))
            after = space(value.stop)
            children.append(Child(len(children), key, value, before, after))
            if text[after] != ",":
                return children
            before, at = after, space(after + 1)

    def _end(self, start: int) -> int:
        """Where the value that starts at ``start`` stops."""
        try:
            return _SCAN(self._text, start)[1]
        except RecursionError:
            depth = 0
            for found in _DEPTH.finditer(self._text, start):
                depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
                if depth == 0:
                    return found.end()
            raise


def is_key(written: bytes, key: str) -> bool:
    """Whether a key in quotes, as it is written, is ``key``."""
    if b"\\" in written:
        return bool(json.loads(written) == key)
    return written[1:-1] == key.encode("utf-8", "surrogatepass")


def decoded(data: bytes) -> Any:
    """The Python value of valid JSON; of several members with one key, the last counts.

    Raises:
        LimitError: a number is too long for Python, or the nesting too deep; the bytes can still be read.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise LimitError(
            f"The value cannot be had as a Python value: {error}.", hint="Read its bytes: raw() has them."
        ) from error


def locate(tree: Tree, tokens: Tokens) -> list[Child]:
    """The values on the way to the one that a pointer names, from the root to itself.

    Raises:
        NoMatchError: there is none; the message names how far the pointer leads, and what is there.
        AmbiguousError: an object on the way has the key more than once.
    """
    path = [tree.root]
    for depth, token in enumerate(tokens):
        path.append(found_child(tree, path[-1], tokens[:depth], token))
    return path


def found_child(tree: Tree, parent: Child, prefix: Tokens, token: str) -> Child:
    """The child that a token names. Arguments and errors as ``locate``."""
    child = wanted_child(tree, parent, prefix, token)
    if child is None:
        raise _missing(tree, parent, prefix, token)
    return child


def wanted_child(tree: Tree, parent: Child, prefix: Tokens, token: str) -> Child | None:
    """The child that a token names; None where its parent could have one but does not."""
    kind = kind_of(tree, parent.value)
    if kind not in (OBJECT, ARRAY):
        raise NoMatchError(
            f"{subject(prefix)} is {described(tree, parent)}, which has nothing inside: there is no "
            f"{pointer_of((*prefix, token))!r}; nothing was changed.",
            hint=f"The pointer leads as far as {pointer_of(prefix)!r}.",
            pointer=pointer_of((*prefix, token)),
            prefix=pointer_of(prefix),
        )
    if kind == ARRAY and token != APPENDED and index_of(token) is None:
        raise RequestError(
            f"{subject(prefix)} is {described(tree, parent)}; {token!r} is no index; nothing was changed.",
            hint="The first element is 0; - stands for the one behind the last, to append.",
            pointer=pointer_of((*prefix, token)),
            prefix=pointer_of(prefix),
        )
    found = tree.find(parent.value, token)
    if len(found) > 1:
        raise _ambiguous(tree, found, prefix, token)
    return found[0] if found else None


def _ambiguous(tree: Tree, found: list[Child], prefix: Tokens, token: str) -> AmbiguousError:
    # With the comma behind it, each but the last can go, and what is left is JSON.
    others = [Span(child.start, child.after + 1).moved(tree.offset) for child in found[:-1]]
    places = ", ".join(f"{other.start}:{other.stop}" for other in others[: -_NAMED_MAX - 1 : -1])
    return AmbiguousError(
        f"{subject(prefix)} has the key {token!r} {len(found)} times; nothing was changed.",
        hint="Readers take the last one. Delete the others, the hindmost first: "
        f"insitu delete FILE --bytes {places}",
        candidates=[Span(child.start, child.value.stop).moved(tree.offset) for child in found],
        pointer=pointer_of((*prefix, token)),
    )


def _missing(tree: Tree, parent: Child, prefix: Tokens, token: str) -> NoMatchError:
    kind = kind_of(tree, parent.value)
    what = f"no key {token!r}" if kind == OBJECT else f"no element {token}"
    return NoMatchError(
        f"There is {what} in {place(prefix)}, {described(tree, parent)}; nothing was changed.",
        hint=f"The pointer leads as far as {pointer_of(prefix)!r}."
        if kind == OBJECT
        else "The first element is 0, the last one less than their number.",
        pointer=pointer_of((*prefix, token)),
        prefix=pointer_of(prefix),
    )


def place(tokens: Tokens) -> str:
    """A pointer for a sentence."""
    return repr(pointer_of(tokens)) if tokens else "the whole value"


def subject(tokens: Tokens) -> str:
    """A pointer to start a sentence."""
    return repr(pointer_of(tokens)) if tokens else "The whole value"


def kind_of(tree: Tree, value: Span) -> bytes:
    """The first byte of a value, which tells what it is."""
    return tree.read(Span(value.start, value.start + 1))


def described(tree: Tree, child: Child) -> str:
    """What a value is, in a few words: ``an array of 3 elements``, ``the number 12``."""
    kind = kind_of(tree, child.value)
    if kind in (OBJECT, ARRAY):
        survey = tree.survey(child.value)
        noun, article = ("member", "an object") if kind == OBJECT else ("element", "an array")
        if survey.last is None:
            return f"{article} without {noun}s"
        ending = "" if survey.child_count == 1 else "s"
        last = f", the last {_written(tree, survey.last.key)}" if survey.last.key else ""
        return f"{article} of {survey.child_count:,} {noun}{ending}{last}"
    name = {b'"': "the string ", b"t": "", b"f": "", b"n": ""}.get(kind, "the number ")
    return name + _written(tree, child.value)


def _written(tree: Tree, span: Span) -> str:
    start = tree.read(Span(span.start, min(span.stop, span.start + _QUOTED_CHARACTERS)))
    return start.decode("utf-8", "backslashreplace") + ("..." if span.size > len(start) else "")


def same(first: object, second: object) -> bool:
    """Whether two values are the same in JSON: 1, 1.0 and true are three values, the order of keys none."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if type(first) is not type(second):
        return False
    # Negative zero is written in another way than zero.
    return repr(first) == repr(second) if isinstance(first, float) else first == second


def shifted(child: Child, by: int) -> Child:
    """The child as seen from a place ``by`` bytes further left."""
    key = None if child.key is None else child.key.moved(by)
    return Child(child.ordinal, key, child.value.moved(by), child.before + by, child.after + by)
