"""A large tree against the small one: any window size tells the same."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.core.spans import Span
from insitu.errors import FormatError
from insitu.formats.json_structure import Carry, structure_of
from insitu.formats.json_syntax import fault_in
from insitu.formats.json_tree import Child, SmallTree
from insitu.views.json_check import fault_of
from insitu.views.json_large import LargeTree
from tests.readers import BytesReader
from tests.unit.formats.json_texts import KEYS, texts


def containers(tree: SmallTree, child: Child) -> list[Child]:
    """The objects and arrays in a value."""
    if tree.data[child.value.start] not in b"{[":
        return []
    inner = tree.children(child.value.start)
    return [child, *(found for one in inner for found in containers(tree, one))]


@pytest.mark.slow
@given(texts(), st.integers(1, 40), st.data())
def test_the_large_tree_tells_what_the_small_one_tells(
    text: tuple[Any, bytes], window_bytes: int, data: st.DataObject
) -> None:
    _, written = text
    small, large = SmallTree(written), LargeTree(BytesReader(written), "x", window_bytes=window_bytes)
    assert large.root == small.root
    found = containers(small, small.root)
    for _ in range(4):
        if not found:
            return
        span = data.draw(st.sampled_from(found)).value
        if data.draw(st.booleans()):
            assert large.survey(span) == small.survey(span)
        token = data.draw(KEYS | st.integers(0, 5).map(str))
        assert large.find(span, token) == small.find(span, token)


@pytest.mark.slow
@given(texts(), st.integers(1, 9))
def test_many_children_are_found_by_samples(text: tuple[Any, bytes], every: int) -> None:
    written = b"[" + b" , ".join([text[1]] * 40) + b"]"
    small = SmallTree(written)
    large = LargeTree(BytesReader(written), "x", window_bytes=every * 7, remembered_children=3)
    for index in (39, 3, 20, 0, 40, 38):
        assert large.find(large.root.value, str(index)) == small.find(small.root.value, str(index))
    assert large.survey(large.root.value) == small.survey(small.root.value)
    assert large.find(large.root.value, "21") == small.find(small.root.value, "21")


@pytest.mark.slow
@given(st.lists(KEYS, max_size=12), st.integers(1, 30), st.data())
def test_duplicate_keys_are_all_found(keys: list[str], window_bytes: int, data: st.DataObject) -> None:
    members = [json.dumps(key, ensure_ascii=data.draw(st.booleans())).encode() + b" :1" for key in keys]
    written = b"{" + b", ".join(members) + b"}"
    small = SmallTree(written)
    large = LargeTree(BytesReader(written), "x", window_bytes=window_bytes, remembered_children=2)
    for key in ("a", 'q"', "\\", "missing"):
        assert large.find(large.root.value, key) == small.find(small.root.value, key)


@pytest.mark.slow
@given(
    st.lists(st.sampled_from(list(b'"\\{}[]:,a \n')), max_size=60), st.lists(st.integers(0, 60), max_size=3)
)
def test_structure_does_not_depend_on_where_windows_are_cut(data: list[int], cuts: list[int]) -> None:
    whole = structure_of(np.array(data, np.uint8))
    places: list[int] = []
    quotes: list[int] = []
    carry = Carry()
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, stop in pairwise(bounds):
        part = structure_of(np.array(data[start:stop], np.uint8), carry)
        places += (part.places + start).tolist()
        quotes += (part.quotes + start).tolist()
        carry = part.carry
    assert (places, quotes, carry) == (whole.places.tolist(), whole.quotes.tolist(), whole.carry)


def test_structure_is_what_a_byte_by_byte_reader_finds() -> None:
    data = rb'{"a\"\\":[1,"]\\\"",{"b":"\\\\"}]}'
    found = structure_of(np.frombuffer(data, np.uint8))
    places, inside, escaped = [], False, False
    for at, byte in enumerate(data):
        if inside:
            inside, escaped = escaped or byte != ord('"'), not escaped and byte == ord("\\")
        elif byte == ord('"'):
            inside = True
        elif byte in b"{}[],:":
            places.append(at)
    assert found.places.tolist() == places
    assert found.depths.tolist()[-1] == 0


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (b'{"a": 1', 7),
        (b'{"a": "x', 8),
        (b"[1, 2}", 5),
        (b"[1,\\ 2]", 3),
        (b'{"a" 1}', 0),
        (b"", 0),
        (b"[1,,2]", 3),
    ],
)
def test_a_fault_has_its_place(data: bytes, offset: int) -> None:
    tree = LargeTree(BytesReader(data), "x", offset=100)
    with pytest.raises(FormatError) as caught:
        tree.survey(Span(0, len(data)) if data else tree.root.value)
        tree.find(Span(0, len(data)), "1")
    assert caught.value.facts["offset"] == 100 + offset


@pytest.mark.slow
@given(texts(), st.integers(1, 30), st.data())
def test_the_check_in_windows_finds_what_the_grammar_finds(
    text: tuple[Any, bytes], window_bytes: int, data: st.DataObject
) -> None:
    written = bytearray(b"[" + b",".join([text[1]] * data.draw(st.integers(1, 4))) + b"]")
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(written)))
        if data.draw(st.booleans()):
            written.insert(at, data.draw(st.sampled_from(b'{}[],:"\\1 \xff')))
        else:
            del written[at : at + 1]
    found = fault_of(BytesReader(bytes(written)), window_bytes)
    expected = fault_in(bytes(written))
    assert (found and found.offset) == (expected and expected.offset)


@pytest.mark.parametrize("data", [b"[,null]", b"{,}", b"[ ,1]", b"[[,1]]", b'[1,{,"a":1}]', b'{"a":[,1]}'])
def test_a_comma_before_the_first_child_is_a_fault_wherever_windows_are_cut(data: bytes) -> None:
    expected = fault_in(data)
    assert expected is not None
    for window_bytes in range(1, len(data) + 1):
        assert fault_of(BytesReader(data), window_bytes) == expected
