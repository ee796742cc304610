"""Edits of JSON as splices: what Python makes of the result is what Python makes of the same edit."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.core.spans import Span
from insitu.errors import ExpectationError, NoMatchError
from insitu.formats import json_edits as edits
from insitu.formats.json_patch import changes_of
from insitu.formats.json_pointer import index_of, parse_pointer, pointer_of
from insitu.formats.json_syntax import Grammar, fault_in
from insitu.formats.json_tree import SmallTree, locate
from tests.unit.formats.json_texts import KEYS, OBJECTS, VALUES, pointers, spelled, texts

pytestmark = pytest.mark.slow


def applied(data: bytes, splices: edits.Edits) -> bytes:
    """The text with its splices, which are sorted and disjoint."""
    at, out = 0, b""
    for span, new in splices:
        assert at <= span.start <= span.stop
        out += data[at : span.start] + new
        at = span.stop
    return out + data[at:]


def checked(data: bytes, splices: edits.Edits) -> Any:
    """The value of the edited text, which must be JSON."""
    after = applied(data, splices)
    assert fault_in(after) is None, after
    return json.loads(after)


def parent_of(value: Any, tokens: tuple[str, ...]) -> tuple[Any, Any]:
    """What holds the place, and the key or index in it."""
    for token in tokens[:-1]:
        value = value[int(token) if isinstance(value, list) else token]
    return value, int(tokens[-1]) if isinstance(value, list) else tokens[-1]


def exact(value: Any) -> str:
    """A text that tells 1, 1.0 and true apart; the order of keys does not matter."""
    return json.dumps(value, sort_keys=True)


@given(texts(), st.data())
def test_every_place_is_found_and_holds_its_value(text: tuple[Any, bytes], data: st.DataObject) -> None:
    value, written = text
    tokens = data.draw(st.sampled_from(pointers(value)))
    span = locate(SmallTree(written), tokens)[-1].value
    found = json.loads(written[span.start : span.stop])
    for token in tokens:
        value = value[int(token) if isinstance(value, list) else token]
    assert exact(found) == exact(value)


@given(texts(), VALUES, st.data())
def test_set_changes_one_place(text: tuple[Any, bytes], new: Any, data: st.DataObject) -> None:
    value, written = text
    tokens = data.draw(st.sampled_from(pointers(value)))
    if data.draw(st.booleans()) and isinstance(value, dict):
        tokens = (data.draw(KEYS),)
    after = checked(written, edits.set_value(SmallTree(written), tokens, new))
    expected = copy.deepcopy(value)
    if tokens:
        holder, key = parent_of(expected, tokens)
        holder[key] = new
    else:
        expected = new
    assert exact(after) == exact(expected)


@given(texts(), st.data())
def test_an_identity_edit_changes_no_byte(text: tuple[Any, bytes], data: st.DataObject) -> None:
    _, written = text
    value = json.loads(written)
    tokens = data.draw(st.sampled_from(pointers(value)))
    for token in tokens:
        value = value[int(token) if isinstance(value, list) else token]
    assert applied(written, edits.set_value(SmallTree(written), tokens, value)) == written


@given(texts(), st.data())
def test_delete_removes_one_place(text: tuple[Any, bytes], data: st.DataObject) -> None:
    value, written = text
    places = pointers(value)[1:]
    if not places:
        return
    tokens = data.draw(st.sampled_from(places))
    after = checked(written, edits.delete_value(SmallTree(written), tokens))
    expected = copy.deepcopy(value)
    holder, key = parent_of(expected, tokens)
    del holder[key]
    assert exact(after) == exact(expected)


@given(texts(), VALUES, st.data())
def test_insert_adds_one_place(text: tuple[Any, bytes], new: Any, data: st.DataObject) -> None:
    value, written = text
    tokens = data.draw(st.sampled_from(pointers(value)))
    if not tokens:
        return
    expected = copy.deepcopy(value)
    holder, key = parent_of(expected, tokens)
    if isinstance(holder, dict):
        with pytest.raises(ExpectationError):
            edits.insert_value(SmallTree(written), tokens, new)
        return
    holder.insert(key, new)
    assert exact(checked(written, edits.insert_value(SmallTree(written), tokens, new))) == exact(expected)


@given(texts(), st.lists(VALUES, max_size=3), st.data())
def test_append_adds_at_the_end(text: tuple[Any, bytes], new: list[Any], data: st.DataObject) -> None:
    value, written = text
    tokens = data.draw(st.sampled_from(pointers({"root": value})[1:]))[1:]
    expected = {"root": copy.deepcopy(value)}
    holder, key = parent_of(expected, ("root", *tokens))
    if isinstance(holder[key], list):
        holder[key] += new
        after = checked(written, edits.append_values(SmallTree(written), tokens, new))
        assert exact(after) == exact(expected["root"])


@given(texts(OBJECTS), KEYS, st.data())
def test_rename_keeps_the_value(text: tuple[Any, bytes], key: str, data: st.DataObject) -> None:
    value, written = text
    if not value:
        return
    old = data.draw(st.sampled_from(sorted(value)))
    if key in value and key != old:
        with pytest.raises(ExpectationError):
            edits.rename_key(SmallTree(written), (old,), key)
        return
    after = checked(written, edits.rename_key(SmallTree(written), (old,), key))
    assert list(after) == [key if one == old else one for one in value]


def merged(value: Any, patch: Any) -> Any:
    """RFC 7386, section 2, word by word."""
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for key, new in patch.items():
        if new is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), new)
    return result


@given(texts(OBJECTS | VALUES), OBJECTS | VALUES)
def test_merge_is_that_of_the_rfc(text: tuple[Any, bytes], patch: Any) -> None:
    value, written = text
    after = checked(written, edits.merge(SmallTree(written), (), patch))
    assert exact(after) == exact(merged(value, patch))


def patched(value: Any, operations: list[dict[str, Any]]) -> Any:
    """RFC 6902 on Python values; raises LookupError where it does not apply."""
    root = {"root": copy.deepcopy(value)}

    def at(pointer: str) -> tuple[Any, Any]:
        tokens = ("root", *parse_pointer(pointer))
        holder: Any = root
        for token in tokens[:-1]:
            holder = holder[_key(holder, token)]
        return holder, _key(holder, tokens[-1])

    def add(pointer: str, new: Any) -> None:
        holder, key = at(pointer)
        if isinstance(holder, list):
            if key > len(holder):
                raise IndexError
            holder.insert(key, new)
        else:
            holder[key] = new

    for operation in operations:
        match operation["op"]:
            case "add":
                add(operation["path"], copy.deepcopy(operation["value"]))
            case "remove":
                holder, key = at(operation["path"])
                del holder[key]
            case "replace":
                holder, key = at(operation["path"])
                holder[key]
                holder[key] = copy.deepcopy(operation["value"])
            case "move" | "copy":
                holder, key = at(operation["from"])
                taken = holder[key]
                if operation["op"] == "move":
                    del holder[key]
                add(operation["path"], copy.deepcopy(taken))
    return root["root"]


def _key(holder: Any, token: str) -> Any:
    if isinstance(holder, dict):
        return token
    if not isinstance(holder, list):
        raise LookupError
    if token == "-":
        return len(holder)
    index = index_of(token)
    if index is None:
        raise LookupError
    return index


@given(texts(OBJECTS), st.data())
def test_patch_is_that_of_the_rfc(text: tuple[Any, bytes], data: st.DataObject) -> None:
    value, written = text
    operations: list[dict[str, Any]] = []
    now = value
    for _ in range(data.draw(st.integers(1, 3))):
        places = pointers(now)[1:]
        if not places:
            break
        source, target = (pointer_of(data.draw(st.sampled_from(places))) for _ in range(2))
        operation = data.draw(st.sampled_from(["add", "remove", "replace", "move", "copy"]))
        if operation in ("move", "copy") and (target + "/").startswith(source + "/"):
            continue
        operations.append({"op": operation, "path": target, "from": source, "value": data.draw(VALUES)})
        try:
            now = patched(value, operations)
        except LookupError:
            operations.pop()
    after = written
    for change in changes_of(operations):
        splices = change(SmallTree(after))
        after = applied(after, splices)
        assert fault_in(after) is None
    assert exact(json.loads(after)) == exact(patched(value, operations))


@given(texts(OBJECTS), OBJECTS)
def test_what_an_assigned_object_shares_keeps_its_bytes(text: tuple[Any, bytes], new: dict[str, Any]) -> None:
    value, written = text
    tree = SmallTree(written)
    splices = edits.set_value(tree, (), new)
    assert exact(checked(written, splices)) == exact(new)
    for child in tree.children(tree.root.value.start):
        assert child.key is not None
        key = json.loads(written[child.key.start : child.key.stop])
        if key in new and exact(new[key]) == exact(value[key]):
            assert not any(span.overlaps(child.value) for span, _ in splices)


_TORN = b'{}[],:"\\0123eE.-+tfn u\n\x00\xff\xc3 '


@given(texts(), st.data())
def test_the_grammar_accepts_what_python_accepts(text: tuple[Any, bytes], data: st.DataObject) -> None:
    written = bytearray(text[1])
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(written)))
        if data.draw(st.booleans()):
            written.insert(at, data.draw(st.sampled_from(_TORN)))
        else:
            del written[at : at + 1]
    found = fault_in(bytes(written))
    assert (found is None) == _is_json(bytes(written))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(written)), max_size=4)))
    grammar, fault = Grammar(), None
    for start, stop in zip([0, *cuts], [*cuts, len(written)], strict=True):
        fault = fault or grammar.feed(bytes(written[start:stop]))
    fault = fault or grammar.close()
    whole = Grammar()
    expected = whole.feed(bytes(written)) or whole.close()
    assert (fault and fault.offset) == (expected and expected.offset) == (found and found.offset)


def _is_json(data: bytes) -> bool:
    def refused(_: str) -> None:
        raise ValueError

    try:
        json.loads(data.decode(), parse_constant=refused)
    except ValueError:
        return False
    return True


def test_errors_are_those_of_the_place() -> None:
    tree = SmallTree(b'{"a": [1, {"b": 2}]}')
    with pytest.raises(NoMatchError):
        locate(tree, ("a", "1", "c"))
    assert locate(tree, ("a", "1", "b"))[-1].value == Span(16, 17)


@given(st.data())
def test_pointers_round_trip(data: st.DataObject) -> None:
    tokens = tuple(data.draw(st.lists(st.text(max_size=5), max_size=4)))
    assert parse_pointer(pointer_of(tokens)) == tokens


@given(OBJECTS, st.data())
def test_deleting_all_and_setting_all_again_keeps_json(value: dict[str, Any], data: st.DataObject) -> None:
    written = data.draw(spelled(value))
    emptied = applied(written, edits.merge(SmallTree(written), (), dict.fromkeys(value)))
    assert json.loads(emptied) == {}
    again = applied(emptied, edits.set_value(SmallTree(emptied), (), value))
    assert exact(json.loads(again)) == exact(value)
