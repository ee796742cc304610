"""One JSON document: values by pointer, small and larger than what is held in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import insitu
from insitu.core.spans import Span
from insitu.errors import AmbiguousError, ExpectationError, FormatError, NoMatchError, RequestError
from insitu.views import json_text

PRETTY = b"""{
  "name": "x",
  "price": 1.0,
  "rows": [
    {"id": 1, "big": 123456789012345678901234567890},
    {"id": 2, "big": 1e400}
  ],
  "empty": [],
  "none": {}
}
"""


@pytest.fixture(params=["in memory", "in windows"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the document goes; it is taken for a large one, too."""
    if request.param == "in windows":
        monkeypatch.setattr(json_text, "SMALL_BYTES", 4)
    return tmp_path / "x.json"


def changed(path: Path, change: Callable[[Any], object], data: bytes = PRETTY) -> bytes:
    """What an edit makes of the document."""
    path.write_bytes(data)
    with insitu.open(path) as doc:
        change(doc.json())
    return path.read_bytes()


@pytest.mark.parametrize(
    ("change", "old", "new"),
    [
        (lambda v: v.set("/price", 2), b"1.0", b"2"),
        (lambda v: v.set("/price", msgspec.Raw(b"1.00")), b"1.0", b"1.00"),
        (lambda v: v.set("/rows/1/id", "é"), b'"id": 2', '"id": "é"'.encode()),
        (lambda v: v.set("/rows/0/new", [1, 2]), b"67890}", b'67890, "new": [1, 2]}'),
        (lambda v: v.set("/rows/-", {"id": 3}), b"1e400}", b'1e400},\n    {"id": 3}'),
        (lambda v: v.insert("/rows/0", {"id": 0}), b'{"id": 1', b'{"id": 0},\n    {"id": 1'),
        (lambda v: v.append("/empty", 1), b"[]", b"[\n    1\n  ]"),
        (lambda v: v.set("/none/k", 1), b"{}", b'{\n    "k": 1\n  }'),
        (
            lambda v: v.set("/more", {"a": [1]}),
            b"{}\n}",
            b'{},\n  "more": {\n    "a": [\n      1\n    ]\n  }\n}',
        ),
        (lambda v: v.delete("/price"), b'  "price": 1.0,\n', b""),
        (lambda v: v.delete("/none"), b',\n  "none": {}', b""),
        (lambda v: v.delete("/rows/0"), b'{"id": 1, "big": 123456789012345678901234567890},\n    ', b""),
        (lambda v: v.rename("/name", "title"), b'"name"', b'"title"'),
        (lambda v: v.merge({"price": None, "name": "y"}), b'"x",\n  "price": 1.0', b'"y"'),
        (lambda v: v.merge({"id": 9}, "/rows/1"), b'"id": 2', b'"id": 9'),
        (
            lambda v: v.patch(
                [
                    {"op": "test", "path": "/rows/0/id", "value": 1},
                    {"op": "replace", "path": "/name", "value": "z"},
                    {"op": "remove", "path": "/price"},
                ]
            ),
            b'"x",\n  "price": 1.0',
            b'"z"',
        ),
    ],
)
def test_an_edit_changes_what_was_asked_for(path: Path, change: Any, old: bytes, new: bytes) -> None:
    assert PRETTY.count(old) == 1
    assert changed(path, change) == PRETTY.replace(old, new)


@pytest.mark.parametrize("pointer", ["", "/name", "/rows", "/rows/0", "/empty", "/none", "/price"])
def test_an_identity_edit_changes_nothing(path: Path, pointer: str) -> None:
    assert changed(path, lambda value: value.set(pointer, value.get(pointer))) == PRETTY


def test_reading(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + PRETTY)
    with insitu.open(path, "r") as doc:
        value = doc.json()
        assert value.get("/rows/0/id") == 1
        assert value.raw("/rows/1/big") == b"1e400"
        assert doc[slice(*value.span_of("/name"))] == b'"x"'
        assert list(value.keys()) == ["name", "price", "rows", "empty", "none"]
        assert (value.count("/rows"), value.count(), value.count("/none")) == (2, 5, 0)
        value.check()


@pytest.mark.parametrize(
    ("error", "call", "words"),
    [
        (NoMatchError, lambda v: v.get("/name/x"), "'/name' is the string \"x\""),
        (NoMatchError, lambda v: v.get("/rows/0/idd"), "no key 'idd' in '/rows/0', an object of 2 members"),
        (NoMatchError, lambda v: v.get("/rows/2"), "no element 2 in '/rows', an array of 2 elements"),
        (NoMatchError, lambda v: v.set("/rows/5", 1), "'/rows/-'"),
        (NoMatchError, lambda v: v.delete("/empty/0"), "an array without elements"),
        (NoMatchError, lambda v: v.count("/name"), "nothing inside"),
        (RequestError, lambda v: v.get("/rows/01"), "'01' is no index"),
        (RequestError, lambda v: v.append("/none", 1), "not an array"),
        (RequestError, lambda v: v.delete(""), "whole value"),
        (RequestError, lambda v: v.patch([{"op": "add", "path": "/x"}]), "Operation 1"),
        (
            RequestError,
            lambda v: v.patch([{"op": "move", "from": "/rows", "path": "/rows/0"}]),
            "into itself",
        ),
        (ExpectationError, lambda v: v.rename("/name", "rows"), "'rows'"),
        (ExpectationError, lambda v: v.insert("/name", 1), "'/name' is there already"),
        (
            ExpectationError,
            lambda v: v.patch(
                [{"op": "remove", "path": "/name"}, {"op": "test", "path": "/price", "value": 2}]
            ),
            "Operation 2",
        ),
    ],
)
def test_errors_name_the_place_and_change_nothing(path: Path, error: type, call: Any, words: str) -> None:
    path.write_bytes(PRETTY)
    with insitu.open(path) as doc:
        with pytest.raises(error) as caught:
            call(doc.json())
        assert not doc.changed
    assert words in str(caught.value) + caught.value.hint


def test_a_key_that_occurs_twice_is_ambiguous(path: Path) -> None:
    path.write_bytes(b'{"a": 1, "\\u0061": 2, "b": 3}')
    with insitu.open(path, "r") as doc:
        with pytest.raises(AmbiguousError) as caught:
            doc.json().get("/a")
        assert caught.value.facts["candidates"] == [Span(1, 7), Span(9, 20)]
        assert doc.json().get("/b") == 3


@pytest.mark.parametrize("filler", ["", "x" * (1 << 20)])
def test_bytes_of_keys_that_occur_twice_are_those_of_the_file(path: Path, filler: str) -> None:
    path.write_bytes(
        b"\xef\xbb\xbf" + b'{"f": "%b", "k": {"a": 1, "b": 0, "a" : 2, "a": 3}}' % filler.encode()
    )
    with insitu.open(path) as doc:
        value = doc.json()
        with pytest.raises(AmbiguousError) as caught:
            value.get("/k/a")
        written = [doc[slice(*span)] for span in caught.value.facts["candidates"]]
        assert written == [b'"a": 1', b'"a" : 2', b'"a": 3']
        for place in str(caught.value.hint).rpartition(" --bytes ")[2].split(", "):
            start, stop = map(int, place.split(":"))
            del doc[start:stop]
        assert value.get("/k") == {"b": 0, "a": 3}


@pytest.mark.parametrize(
    ("data", "offset"), [(b'{"a": [1, 2}', 11), (b'{"a": tru}', 9), (b"", 0), (b'{"a": "\xff"}', 7)]
)
def test_check_names_the_first_fault(path: Path, data: bytes, offset: int) -> None:
    path.write_bytes(data)
    with insitu.open(path, "r") as doc, pytest.raises(FormatError) as caught:
        doc.json().check()
    assert caught.value.facts["offset"] == offset


def test_edits_follow_each_other(path: Path) -> None:
    def change(value: Any) -> None:
        for index in range(5):
            value.append("/rows", {"id": index + 3})
        value.set("/rows/4/id", "four")
        value.delete("/rows/0")

    ids = [row["id"] for row in json.loads(changed(path, change))["rows"]]
    assert ids == [2, 3, 4, "four", 6, 7]


def test_padding_makes_up_whole_blocks(path: Path) -> None:
    path.write_bytes(PRETTY)
    with insitu.open(path) as doc:
        value = doc.json()
        value.set("/name", "a longer name", padding=True)
        value.append("/rows", {"id": 3}, padding=True)
        value.delete("/price", padding=True)
        value.merge({"name": "m", "empty": [1]}, padding=True)
        assert (doc.size - len(PRETTY)) % 4096 == 0
        assert value.get("/rows/2/id") == 3
        value.check()
        size = doc.size
        value.set("/name", "used the spaces that were there", padding=True)
        assert doc.size == size


@pytest.mark.slow
def test_a_document_of_many_windows(tmp_path: Path) -> None:
    rows = b",\n".join(b'{"id": %d, "text": "a \\"quoted\\" [text]"}' % number for number in range(100_000))
    path = tmp_path / "big.json"
    path.write_bytes(b'{"head": 1, "rows": [' + rows + b'], "tail": {"x": 2}}')
    with insitu.open(path) as doc:
        value = doc.json()
        assert value.get("/rows/77777/id") == 77_777
        assert value.get("/tail/x") == 2
        assert value.count("/rows") == 100_000
        value.set("/rows/99999/id", "last")
        value.delete("/rows/50000")
        value.check()
        assert value.get("/rows/99998/id") == "last"
        assert value.get("/rows/50000/id") == 50_001
    assert path.read_bytes().count(b'"id"') == 99_999
