"""Edits of a JSON value as splices: what to put where, so that every other byte stays as it is.

Each function takes a tree and returns sorted, disjoint splices in its offsets. A member that goes takes
one comma with it; a new one takes the white space of its neighbour.

Source: RFC 7386 (merge patch), RFC 6902 (patch).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from insitu.core.spans import Span
from insitu.errors import ExpectationError, NoMatchError, RequestError
from insitu.formats.json_pointer import APPENDED, Tokens, index_of, pointer_of
from insitu.formats.json_render import Style, style_in, written
from insitu.formats.json_tree import (
    ARRAY,
    OBJECT,
    Child,
    SmallTree,
    Tree,
    decoded,
    described,
    kind_of,
    locate,
    place,
    same,
    shifted,
    subject,
    wanted_child,
)

Edits = list[tuple[Span, bytes]]
Change = Callable[[Tree], Edits]

# A value up to this size is compared with the new one, so that only what differs in it changes.
COMPARED_BYTES: Final = 1 << 20


class New(NamedTuple):
    """A new child: its key (None for an element) and its value."""

    key: str | None
    value: Any


def set_value(tree: Tree, tokens: Tokens, value: Any) -> Edits:
    """Gives a value the place that a pointer names; a member that is missing is added to its object.

    Only what differs is written: a value equal to what is there changes nothing, and so do the equal
    members of an object.

    Raises:
        NoMatchError: the place is neither there nor behind the last element (written ``-``).
    """
    if not tokens:
        return replaced(tree, [tree.root], value)
    path = locate(tree, tokens[:-1])
    child = wanted_child(tree, path[-1], tokens[:-1], tokens[-1])
    if child is not None:
        return replaced(tree, [*path, child], value)
    if kind_of(tree, path[-1].value) == OBJECT:
        return rearranged(tree, path, added=[New(tokens[-1], value)])
    if tokens[-1] == APPENDED:
        return rearranged(tree, path, added=[New(None, value)])
    return _refused_index(tree, path, tokens)


def insert_value(tree: Tree, tokens: Tokens, value: Any) -> Edits:
    """Inserts an element before the one a pointer names, or a member that is not there yet.

    Raises:
        ExpectationError: the object has the key already.
        NoMatchError: the index is more than one past the last.
    """
    if not tokens:
        raise RequestError(
            "Nothing can be inserted beside the whole value; nothing was changed.",
            hint="Name the new member or the element to insert before.",
        )
    path = locate(tree, tokens[:-1])
    child = wanted_child(tree, path[-1], tokens[:-1], tokens[-1])
    if kind_of(tree, path[-1].value) == OBJECT:
        if child is not None:
            raise ExpectationError(
                f"{pointer_of(tokens)!r} is there already: {described(tree, child)}; nothing was changed.",
                hint="Set it in the place of inserting it.",
                pointer=pointer_of(tokens),
            )
        return rearranged(tree, path, added=[New(tokens[-1], value)])
    if child is not None:
        return _inserted_before(tree, path, child, [New(None, value)])
    if tokens[-1] == APPENDED or index_of(tokens[-1]) == tree.survey(path[-1].value).child_count:
        return rearranged(tree, path, added=[New(None, value)])
    return _refused_index(tree, path, tokens)


def append_values(tree: Tree, tokens: Tokens, values: list[Any]) -> Edits:
    """Appends elements to the array that a pointer names.

    Raises:
        RequestError: it is no array.
    """
    path = locate(tree, tokens)
    if kind_of(tree, path[-1].value) != ARRAY:
        raise RequestError(
            f"{subject(tokens)} is {described(tree, path[-1])}, not an array; nothing was changed.",
            hint="Set or insert members of an object by their key.",
            pointer=pointer_of(tokens),
        )
    return rearranged(tree, path, added=[New(None, value) for value in values])


def delete_value(tree: Tree, tokens: Tokens) -> Edits:
    """Deletes the member or element that a pointer names."""
    if not tokens:
        raise RequestError(
            "The whole value cannot be deleted: nothing would be no JSON; nothing was changed.",
            hint="Set it to null, or delete its members.",
        )
    *path, child = locate(tree, tokens)
    return rearranged(tree, path, removed=[child])


def rename_key(tree: Tree, tokens: Tokens, key: str) -> Edits:
    """Gives a member another key, in its place.

    Raises:
        RequestError: the pointer names no member of an object.
        ExpectationError: the object has a member of the new key.
    """
    *path, child = locate(tree, tokens)
    if child.key is None:
        raise RequestError(
            f"{subject(tokens)} has no key: only members of objects have; nothing was changed.",
            pointer=pointer_of(tokens),
        )
    if key == tokens[-1]:
        return []
    other = wanted_child(tree, path[-1], tokens[:-1], key)
    if other is not None:
        raise ExpectationError(
            f"{subject(tokens[:-1])} has the key {key!r}, too: {described(tree, other)}; nothing changed.",
            hint="Delete it first, or take another key.",
            pointer=pointer_of((*tokens[:-1], key)),
        )
    return [(child.key, written(key, Style()))]


def merge(tree: Tree, tokens: Tokens, patch: Any) -> Edits:
    """Merges a patch into the value that a pointer names: null deletes a member, objects merge.

    Source: RFC 7386.
    """
    path = locate(tree, tokens)
    return _merged(tree, path, tokens, patch)


def _merged(tree: Tree, path: list[Child], tokens: Tokens, patch: Any) -> Edits:
    if not isinstance(patch, dict):
        return replaced(tree, path, patch)
    if kind_of(tree, path[-1].value) != OBJECT:
        return replaced(tree, path, _without_nulls(patch))
    edits: Edits = []
    removed, added = [], []
    for key, value in patch.items():
        child = wanted_child(tree, path[-1], tokens, key)
        if child is None and value is not None:
            added.append(New(key, _without_nulls(value)))
        elif child is not None and value is None:
            removed.append(child)
        elif child is not None:
            edits += _merged(tree, [*path, child], (*tokens, key), value)
    return sorted([*edits, *rearranged(tree, path, removed=removed, added=added)])


def _without_nulls(patch: Any) -> Any:
    """What a patch makes of nothing."""
    if not isinstance(patch, dict):
        return patch
    return {key: _without_nulls(value) for key, value in patch.items() if value is not None}


# One level: what replaces a value, what goes and what comes among children


def replaced(tree: Tree, path: list[Child], value: Any) -> Edits:
    """Puts a value in the place of the last one on a path, changing only what differs where it is small."""
    import msgspec

    span = path[-1].value
    if not isinstance(value, msgspec.Raw) and span.size <= COMPARED_BYTES:
        data = tree.read(span)
        try:
            present = decoded(data)
            if same(present, value):
                return []
            if isinstance(present, dict) and isinstance(value, dict) and present:
                return _assigned_object(tree, _SmallPart(data, span.start), path, present, value)
            if isinstance(present, list) and isinstance(value, list | tuple) and present:
                return _assigned_array(tree, _SmallPart(data, span.start), path, present, list(value))
        except (RequestError, RecursionError):
            pass  # what Python cannot hold is replaced as a whole
    data = written(value, _style_for(tree, path))
    return [] if len(data) == span.size and tree.read(span) == data else [(span, data)]


def _style_for(tree: Tree, path: list[Child]) -> Style:
    """The style inside the last value of a path, for one that replaces it."""
    if kind_of(tree, path[-1].value) in (OBJECT, ARRAY):
        survey = tree.survey(path[-1].value)
        if survey.last is not None:
            return _outwards(style_in(tree, path, survey.last))
    if len(path) == 1:
        return Style()
    return style_in(tree, path[:-1], path[-1])


def _outwards(style: Style) -> Style:
    """The style of a value whose children are set in ``style``."""
    return style._replace(gap=style.outer()) if style.on_lines else style


class _SmallPart:
    """The children of a value held in memory, in the offsets of the tree it was read from."""

    def __init__(self, data: bytes, offset: int) -> None:
        self._tree = SmallTree(data)
        self._offset = offset
        self.children = [shifted(child, offset) for child in self._tree.children(0)]

    def key(self, child: Child) -> str:
        assert child.key is not None
        key: str = decoded(self._tree.read(child.key.moved(-self._offset)))
        return key


def _assigned_object(
    tree: Tree, small: _SmallPart, path: list[Child], present: dict[str, Any], value: dict[str, Any]
) -> Edits:
    children = {small.key(child): child for child in small.children}
    if len(children) < len(small.children) or not all(isinstance(key, str) for key in value):
        return [(path[-1].value, written(value, _style_for(tree, path)))]
    edits: Edits = []
    for key in present.keys() & value.keys():
        if not same(present[key], value[key]):
            edits += replaced(tree, [*path, children[key]], value[key])
    removed = [child for key, child in children.items() if key not in value]
    added = [New(key, new) for key, new in value.items() if key not in present]
    return sorted([*edits, *rearranged(tree, path, removed=removed, added=added)])


def _assigned_array(
    tree: Tree, small: _SmallPart, path: list[Child], present: list[Any], value: list[Any]
) -> Edits:
    children, shorter = small.children, min(len(present), len(value))
    head = next((i for i in range(shorter) if not same(present[i], value[i])), shorter)
    rest = shorter - head
    tail = next((i for i in range(rest) if not same(present[-1 - i], value[-1 - i])), rest)
    old, new = children[head : len(children) - tail], value[head : len(value) - tail]
    edits: Edits = []
    for child, item in zip(old, new, strict=False):
        if not same(present[child.ordinal], item):
            edits += replaced(tree, [*path, child], item)
    spare = [New(None, item) for item in new[len(old) :]]
    if len(old) > len(new):
        edits += rearranged(tree, path, removed=old[len(new) :])
    elif spare and tail:
        edits += _inserted_before(tree, path, children[len(children) - tail], spare)
    elif spare:
        edits += rearranged(tree, path, added=spare)
    return sorted(edits)


def _inserted_before(tree: Tree, path: list[Child], child: Child, new: list[New]) -> Edits:
    style = style_in(tree, path, child if child.ordinal else tree.survey(path[-1].value).last)
    data = b"".join(_member(one, style) + b"," + style.gap for one in new)
    return [(Span(child.start, child.start), data)]


def rearranged(
    tree: Tree, path: list[Child], *, removed: list[Child] | None = None, added: list[New] | None = None
) -> Edits:
    """Takes children out of the last container of a path and puts new ones behind its last."""
    if not removed and not added:
        return []
    container = path[-1]
    gone = sorted(removed or ())
    # The look through the container is spared where it tells nothing.
    last = tree.survey(container.value).last if added or len(gone) > 1 or _may_be_last(tree, gone) else None
    style = style_in(tree, path, last) if added else Style()
    new = [_member(one, style) for one in added or ()]
    if last is None and not gone:
        return [(_inside(container), style.gap * style.on_lines + _joined(new, style) + _closing(style))]
    edits: Edits = []
    run: list[Child] = []
    for run in _runs(gone):
        if last is None or run[-1].ordinal < last.ordinal:
            edits.append((Span(run[0].start, tree.space_end(run[-1].after + 1)), b""))
            run = []
    if not new and not run:
        return edits
    assert last is not None
    if run and run[0].ordinal == 0:
        data = style.gap * style.on_lines + _joined(new, style) + _closing(style) if new else b""
        return [(_inside(container), data)]
    # Behind the last child that stays; white space between it and the comma of the next goes with that.
    stays = _before(tree, run[0]) if run else last.value.stop
    data = b"".join(b"," + style.gap + one for one in new)
    return [*edits, (Span(stays, last.value.stop), data)]


def _may_be_last(tree: Tree, gone: list[Child]) -> bool:
    return bool(gone) and tree.read(Span(gone[-1].after, gone[-1].after + 1)) != b","


def _before(tree: Tree, child: Child) -> int:
    """Where the child before this one stops, as far as white space in front of the comma tells."""
    at = child.before
    while tree.read(Span(at - 1, at)) in (b" ", b"\t", b"\n", b"\r"):
        at -= 1
    return at


def _inside(container: Child) -> Span:
    return Span(container.value.start + 1, container.value.stop - 1)


def _closing(style: Style) -> bytes:
    return style.outer()


def _member(new: New, style: Style) -> bytes:
    value = written(new.value, style)
    return value if new.key is None else written(new.key, style) + style.colon + value


def _joined(members: list[bytes], style: Style) -> bytes:
    return (b"," + style.gap).join(members)


def _runs(children: list[Child]) -> list[list[Child]]:
    """Children in order, those side by side together."""
    runs: list[list[Child]] = []
    for child in children:
        if runs and runs[-1][-1].ordinal + 1 == child.ordinal:
            runs[-1].append(child)
        else:
            runs.append([child])
    return runs


def _refused_index(tree: Tree, path: list[Child], tokens: Tokens) -> Edits:
    raise NoMatchError(
        f"There is no element {tokens[-1]} in {place(tokens[:-1])}, {described(tree, path[-1])}; "
        "nothing was changed.",
        hint=f"To append, use {pointer_of((*tokens[:-1], APPENDED))!r}.",
        pointer=pointer_of(tokens),
    )
