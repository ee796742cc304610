"""JSON texts of every layout, for tests: values drawn by Hypothesis, white space anywhere it may stand."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

KEYS = st.sampled_from(["a", "b", "c", "id", "", "a/b", "~", "é", 'q"', "\\", "\n"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | st.sampled_from(['"', "\\", "{", "[1,2]", '{"a":1}', ",", ":", "\\\\", '\\"', "]}"])
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=5)
SPACES = st.sampled_from([b"", b"", b"", b" ", b"\n  ", b"\t", b"\r\n ", b"   "])


@st.composite
def spelled(draw: st.DrawFn, value: Any, spaces: st.SearchStrategy[bytes] = SPACES) -> bytes:
    """The value as JSON, laid out at random."""

    def space() -> bytes:
        return draw(spaces)

    def text(string: str) -> bytes:
        return json.dumps(string, ensure_ascii=draw(st.booleans())).encode("utf-8", "replace")

    def write(one: Any) -> bytes:
        if isinstance(one, dict):
            members = [
                space() + text(key) + space() + b":" + space() + write(inner) + space()
                for key, inner in one.items()
            ]
            return b"{" + (b",".join(members) or space()) + b"}"
        if isinstance(one, list):
            return b"[" + (b",".join(space() + write(inner) + space() for inner in one) or space()) + b"]"
        return text(one) if isinstance(one, str) else json.dumps(one).encode()

    return space() + write(value) + space()


@st.composite
def texts(draw: st.DrawFn, values: st.SearchStrategy[Any] = VALUES) -> tuple[Any, bytes]:
    """A value and a JSON text of it."""
    value = draw(values)
    return value, draw(spelled(value))


def pointers(value: Any, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """All places in a value."""
    found = [prefix]
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in children:
        found += pointers(inner, (*prefix, str(key)))
    return found
