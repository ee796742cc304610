"""Which format a name and a sample suggest, and when there is doubt."""

from __future__ import annotations

import json

import pytest

from insitu.formats.detection import Detected, detect

TABLE = b"id,name,note\n" + b"".join(b'%d,"a, b","two\nlines"\n' % number for number in range(50))
RECORDS = b"".join(json.dumps({"id": n, "name": "x"}).encode() + b"\n" for n in range(50))
DOCUMENT = json.dumps({"records": [{"id": n, "text": "a, b"} for n in range(50)]}, indent=1).encode()
PAGE = (
    b"# Title\n\nSome *text* with a [link](there).\n\n- one\n- two\n\n## Next\n\n```sh\n# no heading\n```\n"
)
LOG = b"".join(b"2026-03-14T09:30:00Z INFO request %d took 5ms\n" % n for n in range(50))
SCRIPT = b"#!/bin/sh\n# says hello\necho hello\n# and goes\n"


@pytest.mark.parametrize(
    ("name", "sample", "format_"),
    [
        ("orders.csv", TABLE, "csv"),
        ("orders", TABLE, "csv"),
        ("orders.TSV", TABLE.replace(b",", b"\t"), "csv"),
        ("orders", TABLE.replace(b",", b";"), "csv"),
        ("one-column.csv", b"name\na\nb\n", "csv"),
        ("events.jsonl", RECORDS, "jsonl"),
        ("events", RECORDS, "jsonl"),
        ("one.jsonl", b'{"id": 1}\n', "jsonl"),
        ("one", b'{"id": 1}\n', "json"),
        ("data.json", DOCUMENT, "json"),
        ("data", DOCUMENT, "json"),
        ("data", b"\xef\xbb\xbf" + DOCUMENT, "json"),
        ("data", b"[\n1,\n2\n]", "json"),
        ("page.md", PAGE, "markdown"),
        ("page", PAGE, "markdown"),
        ("plain.md", b"no marks at all\n", "markdown"),
        ("app.log", LOG, "text"),
        ("app", LOG, "text"),
        ("run.sh", SCRIPT, "text"),
        ("a", b"[not json] but a log line\n[another] one\n", "text"),
        ("disk.img", bytes(range(256)), "binary"),
        ("wide.csv", b"\xff\xfe" + "a,b\nc,d\ne,f\n".encode("utf-16-le"), "csv"),
    ],
)
def test_what_is_clear_is_without_doubt(name: str, sample: bytes, format_: str) -> None:
    assert detect(name, sample, more=False) == Detected(format_, "")


@pytest.mark.parametrize(
    ("name", "sample", "format_", "doubt"),
    [
        ("empty.csv", b"", "csv", "empty"),
        ("empty", b"", "text", "empty"),
        ("orders.csv", RECORDS, "jsonl", "its name says csv"),
        ("orders.json", RECORDS, "jsonl", "its name says json"),
        ("orders.jsonl", DOCUMENT, "json", "its name says jsonl"),
        ("orders.md", TABLE, "markdown", "looks like csv"),
        ("orders.txt", TABLE, "csv", "its name says text"),
        ("orders.csv", bytes(100), "binary", "its name says csv"),
        ("data.json", b"not json\n", "json", "is not JSON"),
        ("data.json", b'{"a": 1,}\n', "json", "does not parse"),
        ("events", RECORDS + b'{"id": 9, "na', "jsonl", "torn"),
        ("notes", b"# Title\n\ntext\n\n- item\n", "markdown", "only its headings"),
        ("orders.csv", TABLE + b"ragged\n", "csv", ""),
        ("orders", TABLE + b"ragged\n", "csv", "1 of the first 52 rows are ragged"),
    ],
)
def test_what_is_doubtful_says_why(name: str, sample: bytes, format_: str, doubt: str) -> None:
    found = detect(name, sample, more=False)
    assert found.format == format_
    assert doubt in found.doubt
    assert bool(found.doubt) == bool(doubt)


@pytest.mark.parametrize(
    ("sample", "format_"), [(TABLE, "csv"), (RECORDS, "jsonl"), (DOCUMENT, "json"), (PAGE * 40, "markdown")]
)
def test_wherever_a_sample_is_cut_the_format_is_the_same(sample: bytes, format_: str) -> None:
    for size in range(len(sample) // 2, len(sample)):
        assert detect("file", sample[:size], more=True) == Detected(format_, ""), size
