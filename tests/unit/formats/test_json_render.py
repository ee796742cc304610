"""New values are set as their neighbours are, and are JSON whatever those look like."""

from __future__ import annotations

import json

import pytest

from insitu.formats import json_edits as edits
from insitu.formats.json_tree import SmallTree

LAID_OUT = {
    "a space before the colon": (
        b'[null,\n  {"a" :{"a":null,"b":null}}]',
        b'[null,\n  {"a" :{"a":null,"b":null}},\n  [null,null]]',
    ),
    "spaces around the colon": (b'[\n {"a" : 1}\n]', b'[\n {"a" : 1},\n [null, null]\n]'),
    "on one line": (b'[1, {"a":1}]', b'[1, {"a":1}, [null, null]]'),
}


@pytest.mark.parametrize(("text", "expected"), LAID_OUT.values(), ids=LAID_OUT)
def test_a_value_is_appended_as_its_neighbours_are_set(text: bytes, expected: bytes) -> None:
    ((span, new),) = edits.append_values(SmallTree(text), (), [[None, None]])
    after = text[: span.start] + new + text[span.stop :]
    assert json.loads(after)[-1] == [None, None]
    assert after == expected
