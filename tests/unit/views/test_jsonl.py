"""Records of JSONL, one and many, against loops over parsed lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import insitu
from insitu.core.replacements import listed
from insitu.core.spans import Span
from insitu.errors import (
    AmbiguousError,
    FormatError,
    InsituError,
    NoMatchError,
    RequestError,
    SpanError,
    TextError,
)
from insitu.views import jsonl_scan
from insitu.views.jsonl_key import Key
from insitu.views.jsonl_mass import JsonlCompact, JsonlDelete, JsonlUpdate
from insitu.views.jsonl_scan import Matches
from insitu.views.streaming import MassEdit, Source
from insitu.views.text import Encoding
from tests.readers import BytesReader
from tests.unit.formats.json_texts import OBJECTS, VALUES, spelled

RECORDS = (
    b'{"id": 1, "user": {"id": 7}, "status": "new", "v": 1.0}\r\n'
    b'{"id":2,"status":"old","v":20}\r\n'
    b"\r\n"
    b'{"id":3,"status":"new"}\r\n'
    b"[1,2]\r\n"
)


def edited(data: bytes, edit: MassEdit) -> bytes:
    """What a mass edit makes of the data."""
    at, parts = 0, []
    for batch in edit.batches(Source(BytesReader(data), Encoding("utf-8"), "x.jsonl")):
        for span, new in listed(batch):
            assert at <= span.start <= span.stop
            parts += [data[at : span.start], new]
            at = span.stop
    return b"".join((*parts, data[at:]))


def changed(path: Path, data: bytes, change: Callable[[Any], object]) -> bytes:
    """What an edit of a document's records makes of the data."""
    path.write_bytes(data)
    with insitu.open(path) as doc:
        change(doc.jsonl())
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.jsonl"


def test_reading(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + RECORDS + b'{"id": 4, "st')
    with insitu.open(path, "r") as doc:
        rows = doc.jsonl()
        assert len(rows) == 6
        assert rows[0]["user"] == {"id": 7}
        assert rows[-2] == [1, 2]
        assert rows[0:2] == [rows[0], rows[1]]
        assert rows.get(0, "/user/id") == 7
        assert rows.raw(0, "/v") == b"1.0"
        assert rows.raw(1) == b'{"id":2,"status":"old","v":20}'
        assert doc[slice(*rows.span_of(0, "/status"))] == b'"new"'
        assert rows.count() == 4
        assert rows.count("status = 'new'") == 2
        assert list(rows.find("status = 'new'")) == [0, 3]
        assert list(rows.find('"/user/id" = 7')) == [0]
        assert [row["id"] for row in rows.filter("v > 0")] == [1, 2]
        assert [index for index, _ in rows.lines(first=1, stop=4)] == [1, 3]
        assert rows.torn() == Span(path.stat().st_size - 13, path.stat().st_size)
        assert rows.find_key("id", 3) == [rows.span_of(3)._replace(stop=rows.span_of(3).stop + 2)]


@pytest.mark.parametrize(
    ("error", "call", "words"),
    [
        (NoMatchError, lambda rows: rows[2], "Line 3"),
        (FormatError, lambda rows: rows[5], "Record 6"),
        (SpanError, lambda rows: rows[9], "record 10"),
        (NoMatchError, lambda rows: rows.get(0, "/v/x"), "'/v' is the number 1.0"),
        (NoMatchError, lambda rows: rows.get(0, "/w"), "no key 'w'"),
        (NoMatchError, lambda rows: rows.get(4, "/2"), "an array of 2 elements"),
        (RequestError, lambda rows: rows.get(4, "/x"), "'x' is no index"),
        (RequestError, lambda rows: rows.get(0, "v"), "'/v'"),
        (RequestError, lambda rows: rows.set(0, "/v", float("nan")), "NaN|JSON"),
        (RequestError, lambda rows: rows.set(0, "/v", msgspec.Raw(b"{x}")), "not JSON"),
        (FormatError, lambda rows: rows.append({}), "torn"),
        (RequestError, lambda rows: rows.update(set={}), "nothing to set"),
        (NoMatchError, lambda rows: rows.update(set={"/id/x": 1}), "Record 1"),
        (RequestError, lambda rows: rows.delete(), "Which records"),
        (InsituError, lambda rows: rows.count("id ="), ""),
    ],
)
def test_errors_name_the_place(path: Path, error: type[Exception], call: Any, words: str) -> None:
    path.write_bytes(RECORDS + b'{"id": 4, "st')
    with insitu.open(path) as doc:
        with pytest.raises(error) as caught:
            call(doc.jsonl())
        assert not doc.changed
    assert any(
        word in str(caught.value) + str(getattr(caught.value, "hint", "")) for word in words.split("|")
    )


def test_duplicate_keys_are_told_where_one_is_meant_and_the_last_counts_in_bulk(path: Path) -> None:
    path.write_bytes(b'{"b": 0}\n{"a": 1, "a": 2}\n')
    with insitu.open(path, "r") as doc, pytest.raises(AmbiguousError) as caught:
        doc.jsonl().get(1, "/a")
    assert caught.value.facts["candidates"] == [Span(10, 16), Span(18, 24)]
    assert str(caught.value.hint).endswith("insitu delete FILE --bytes 10:17")
    assert edited(b'{"a": 1, "a": 2}\n', JsonlUpdate({"/a": 3}, "a = 2")) == b'{"a": 1, "a": 3}\n'
    assert edited(b'{"a": {}, "\\u0061": [2]}\n', JsonlUpdate({"/a": 3})) == b'{"a": {}, "\\u0061": 3}\n'


@pytest.mark.parametrize(
    ("change", "line", "after"),
    [
        (lambda rows: rows.set(0, "/v", 2), 0, b'{"id": 1, "user": {"id": 7}, "status": "new", "v": 2}'),
        (lambda rows: rows.set(1, "/n", {"a": [1]}), 1, b'{"id":2,"status":"old","v":20,"n":{"a":[1]}}'),
        (lambda rows: rows.delete_value(1, "/status"), 1, b'{"id":2,"v":20}'),
        (lambda rows: rows.rename(1, "/v", "w"), 1, b'{"id":2,"status":"old","w":20}'),
        (lambda rows: rows.merge(1, {"id": None, "x": 1}), 1, b'{"status":"old","v":20,"x":1}'),
        (lambda rows: rows.merge(0, {"id": 8}, "/user"), 0, RECORDS[:55].replace(b"7", b"8")),
        (lambda rows: rows.patch(4, [{"op": "add", "path": "/1", "value": 9}]), 4, b"[1,9,2]"),
        (lambda rows: rows.__setitem__(3, {"id": 3, "status": "x"}), 3, b'{"id":3,"status":"x"}'),
        (lambda rows: rows.insert(1, {"a": 1}), 1, b'{"a": 1}'),
        (lambda rows: rows.insert(2, {"a": 1, "b": 2}), 2, b'{"a":1,"b":2}'),
        (lambda rows: rows.append({"a": 1}), 5, b'{"a":1}'),
        (lambda rows: rows.set(0, "", msgspec.Raw(b"{\n}")), 0, b"{ }"),
    ],
)
def test_one_record_changes_and_all_others_stay(path: Path, change: Any, line: int, after: bytes) -> None:
    lines = RECORDS.splitlines(keepends=True)
    result = changed(path, RECORDS, change).splitlines(keepends=True)
    assert result[line] == after + b"\r\n"
    kept = lines[:line] + lines[line + (len(result) == len(lines)) :]
    assert result[:line] + result[line + 1 :] == kept


def test_an_unterminated_last_record_is_ended_first(path: Path) -> None:
    assert changed(path, b'{"a":1}\r\n{"b":2}', lambda rows: rows.append(3)) == b'{"a":1}\r\n{"b":2}\r\n3\r\n'
    assert changed(path, b"", lambda rows: rows.append({"a": 1}, 2)) == b'{"a": 1}\n2\n'


def test_padding_makes_up_whole_blocks_and_compact_takes_it_out(path: Path) -> None:
    path.write_bytes(RECORDS)
    with insitu.open(path) as doc:
        rows = doc.jsonl()
        rows.set(1, "/status", "somewhat longer", padding=True)
        grown = doc.size - len(RECORDS)
        assert grown > 0 and grown % 4096 == 0
        rows.set(1, "/v", 21, padding=True)
        rows.set(1, "/more", list(range(100)), padding=True)
        assert doc.size - len(RECORDS) == grown
        rows.insert(1, {"new": True}, padding=True)
        rows.delete(0, padding=True)
        assert (doc.size - len(RECORDS)) % 4096 == 0
        assert next(rows.filter("id = 2"))["status"] == "somewhat longer"
        assert rows.compact() == 2 + 1
        expected = {"id": 2, "status": "somewhat longer", "v": 21, "more": list(range(100))}
        assert [rows[0], rows[1]] == [{"new": True}, expected]
        assert b"  " not in doc[:] and b" \r" not in doc[:]


def test_the_receipt_counts_the_padding_that_was_written(path: Path) -> None:
    path.write_bytes(RECORDS)
    with insitu.open(path) as doc:
        rows = doc.jsonl()
        rows.set(1, "/status", "somewhat longer", padding=True)
        doc.undo()
        rows.append({"id": 9})
        taken_back = doc.commit()
        rows.set(1, "/status", "somewhat longer", padding=True)
        grown = doc.size - taken_back.size_after
        rows.set(1, "/more", "in the place of some of it", padding=True)
        used = doc.commit()
    assert (taken_back.padding_bytes, grown % 4096) == (0, 0)
    growth = len("somewhat longer") - len("pending") + len(', "more": "in the place of some of it"')
    assert 0 < used.padding_bytes <= grown - growth


def test_utf_16_is_refused(path: Path) -> None:
    path.write_bytes('{"a":1}\n'.encode("utf-16"))
    with insitu.open(path, "r") as doc, pytest.raises(TextError):
        doc.jsonl()


@pytest.mark.slow
def test_a_fault_far_inside_has_its_record_and_offset() -> None:
    good = b'{"id":1,"text":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}\n'
    data = good * 50_000 + b'{"id":1,}\n' + good
    for edit in (JsonlUpdate({"/id": 2}), JsonlDelete("id = 1")):
        with pytest.raises(FormatError) as caught:
            edited(data, edit)
        assert "Record 50,001 of x.jsonl" in str(caught.value)
        assert caught.value.facts["offset"] == len(good) * 50_000 + 8


# Each line alone is no record, but all of them together are as many values as lines.
@pytest.mark.parametrize(
    "data",
    [b"1 2\n[1,\n2]\n", b'{"a":1}{"b":2}\n{"c":\n3}\n', b'{"a":{}\n}\n', b'{"a":"x\n"}\n', b'{"a":1},\n'],
)
def test_records_are_lines(data: bytes) -> None:
    with pytest.raises(FormatError):
        edited(data, JsonlUpdate({"/z": 1}))


def test_strings_that_are_not_utf_8_are_no_json() -> None:
    with pytest.raises(FormatError, match="not UTF-8"):
        edited(b'{"a":"\xff"}\n', JsonlDelete("a = 1"))


def test_what_the_fast_parser_refuses_but_json_allows() -> None:
    deep = b"[" * 3000 + b"]" * 3000
    data = b'{"a":1,"b":"\\ud800"}\n{"a":1e999}\n{"x":' + deep + b',"a":1}\n{"a": 2}\n'
    assert edited(data, JsonlUpdate({"/a": 5}, "a = 1")) == data.replace(b'"a":1,', b'"a":5,').replace(
        b'"a":1}', b'"a":5}'
    )


LAYOUTS = st.lists(
    OBJECTS.flatmap(spelled).map(lambda text: text.replace(b"\n", b" ").replace(b"\r", b" "))
    | VALUES.flatmap(spelled).map(lambda text: text.replace(b"\n", b" ").replace(b"\r", b" "))
    | st.sampled_from([b"", b"  ", b'{"id":1,"a":"x"}', b'{"a":3,"id":1}', b'{"id":2,"a":"x"}']),
    max_size=8,
)
ENDINGS = st.sampled_from([b"\n", b"\r\n"])


def parsed(line: bytes) -> Any:
    return json.loads(line)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(LAYOUTS, ENDINGS, st.integers(8, 64), st.data())
def test_mass_edits_are_those_of_a_loop(
    monkeypatch: pytest.MonkeyPatch, lines: list[bytes], ending: bytes, window: int, data: st.DataObject
) -> None:
    monkeypatch.setattr(jsonl_scan, "WINDOW_BYTES", window)
    monkeypatch.setattr(jsonl_scan, "LONG_BYTES", data.draw(st.sampled_from([16, 1 << 20])))
    text = b"".join(line + ending for line in lines)

    def picked(line: bytes) -> bool:
        value = parsed(line)
        return isinstance(value, dict) and type(value.get("id")) is int and value["id"] == 1

    new = data.draw(st.integers(0, 3) | st.sampled_from(["x", "é", [1], {"k": 1}, None, True]))
    kept = [not line.strip() or not picked(line) for line in lines]
    assert edited(text, JsonlDelete("id = 1")) == b"".join(
        line + ending for line, keep in zip(lines, kept, strict=True) if keep
    )
    assert edited(text, JsonlDelete("id = 1", others=True)) == b"".join(
        line + ending for line, keep in zip(lines, kept, strict=True) if not line.strip() or not keep
    )
    after = edited(text, JsonlUpdate({"/a": new}, "id = 1")).split(ending)[:-1]
    for before, line, keep in zip(lines, after, kept, strict=True):
        if keep:
            assert line == before
        else:
            assert json.dumps(parsed(line), sort_keys=True) == json.dumps(
                parsed(before) | {"a": new}, sort_keys=True
            )
    compact = edited(text, JsonlCompact())
    assert compact == b"".join(line.strip(b" \t") + ending for line in lines)
    source = Source(BytesReader(text), Encoding("utf-8"), "x")
    found = [batch.span_of(0) for batch in Key("/id", 1).batches(source)]
    bounds = [sum(len(one) + len(ending) for one in lines[:number]) for number in range(len(lines) + 1)]
    plain = [Span(bounds[number], bounds[number + 1]) for number, keep in enumerate(kept) if not keep]
    assert found == plain
    assert [n for b, p in Matches("id = 1").batches(source) for n in [(b.first or 0) + x for x in p]] == [
        number for number, keep in enumerate(kept) if not keep
    ]


@pytest.mark.slow
@given(st.lists(OBJECTS, max_size=5), st.data())
def test_identity_updates_change_nothing(values: list[dict[str, Any]], data: st.DataObject) -> None:
    lines = [data.draw(spelled(value, st.sampled_from([b"", b" "]))) for value in values]
    text = b"".join(line + b"\n" for line in lines)
    for value in values:
        for key, inner in value.items():
            if all(json.dumps(one.get(key, 0)) == json.dumps(inner) for one in values):
                pointer = "/" + key.replace("~", "~0").replace("/", "~1")
                if all(key in one for one in values):
                    assert edited(text, JsonlUpdate({pointer: inner})) == text


@pytest.mark.slow
def test_a_record_longer_than_memory_should_hold(path: Path) -> None:
    filler = b'"' + b"x" * (6 << 20) + b'"'
    data = b'{"id":1}\n{"id":2,"big":' + filler + b',"s":"a"}\n{"id":3}\n'
    assert edited(data, JsonlUpdate({"/s": "b"}, "id > 1")) == data.replace(b'"s":"a"', b'"s":"b"').replace(
        b'{"id":3}', b'{"id":3,"s":"b"}'
    )
    after = changed(path, data, lambda rows: rows.patch(1, [{"op": "copy", "from": "/id", "path": "/s"}]))
    assert after == data.replace(b'"s":"a"', b'"s":2')


def test_the_byte_order_mark_belongs_to_no_record(path: Path) -> None:
    mark, one, two = b"\xef\xbb\xbf", b'{"a": 1}\n', b'{"a": 2}'
    assert changed(path, mark + one + two, lambda rows: rows.delete(0)) == mark + two
    assert changed(path, mark + two, lambda rows: rows.insert(0, {"a": 1})) == mark + one + two
    assert changed(path, mark + one + two, lambda rows: rows.__delitem__(slice(None))) == mark
    assert changed(path, mark, lambda rows: rows.append({"a": 3})).startswith(mark + b'{"a"')
