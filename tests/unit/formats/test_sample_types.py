"""Which kinds of values a sample holds."""

from __future__ import annotations

import pytest

from insitu.formats.sample_types import Seen, cell_kind, json_kind, seen_in_rows, seen_in_values


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *(("", "empty"), ("  ", "empty"), ("-7", "integer"), (" 7 ", "integer"), ("007", "integer")),
        *(("7.", "number"), (".5", "number"), ("1e-9", "number"), ("1.2.3", "text"), ("e9", "text")),
        *(("TRUE", "true/false"), ("2026-03-14", "date"), ("2026-03-14T09:30:00.5Z", "time")),
        *(("2026-03-14 09:30", "time"), ("14.3.2026", "text"), ("N/A", "text"), ("1,000", "text")),
    ],
)
def test_cells_have_kinds(text: str, kind: str) -> None:
    assert cell_kind(text) == kind


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        *(
            (None, "null"),
            (True, "true/false"),
            (1, "integer"),
            (1.0, "number"),
            ("", "text"),
            ({}, "object"),
        ),
        *(([], "array"), ([1, 2], "array of integer"), ([1, "a"], "array"), ([[1]], "array of array")),
    ],
)
def test_json_values_have_kinds(value: object, kind: str) -> None:
    assert json_kind(value) == kind


def test_columns_are_told_by_what_most_cells_are() -> None:
    rows = [["1", "x"], ["2", ""], ["", "2026-03-14", "more"]]
    assert seen_in_rows(["id", "", "gone"], rows) == [
        Seen("id", {"integer": 2, "empty": 1}, "1"),
        Seen("(2)", {"text": 1, "empty": 1, "date": 1}, "x"),
        Seen("gone", {"text": 1}, "more"),
    ]
    assert seen_in_rows(["id"], [["1", "2"]])[1] == Seen("(2)", {"integer": 1}, "2")
    assert seen_in_rows(["id", "id"], [["1"]]) == [Seen("id", {"integer": 1}, "1"), Seen("id (2)", {}, "")]


def test_keys_are_told_by_pointers_one_below_the_other() -> None:
    values = [{"id": 1, "a/b": {"c~": [1]}, "note": "x" * 50}, {"id": 1.5}, 7, {"empty": {}}]
    assert seen_in_values(values) == [
        Seen("/id", {"integer": 1, "number": 1}, "1"),
        Seen("/a~1b/c~0", {"array of integer": 1}, ""),
        Seen("/note", {"text": 1}, "x" * 37 + "..."),
        Seen("", {"integer": 1}, "7"),
        Seen("/empty", {"object": 1}, ""),
    ]
    deep = {"a": {"b": {"c": {"d": {"e": 1}}}}}
    assert [each.name for each in seen_in_values([deep])] == ["/a/b/c/d"]
    assert seen_in_values([{str(n): n for n in range(300)}]) == [Seen("", {"object": 1}, "")]
