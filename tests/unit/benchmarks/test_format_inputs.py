"""The inputs with a format hold what they are said to hold, and what is right after an edit is right."""

from __future__ import annotations

import csv
import json

import pytest

from benchmarks.format_inputs import (
    FEW,
    HEADINGS_PER_SECTION,
    KIND,
    NEW_STATE,
    NEW_STATUS,
    FormatInputs,
    format_inputs,
)

SIZE = 5_000_000


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> FormatInputs:
    made = format_inputs(tmp_path_factory.mktemp("inputs"), SIZE)
    for each in (made.csv, made.jsonl, made.markdown):
        each.make()
    return made


def rows_of(data: bytes) -> list[dict[str, str]]:
    lines = data.decode().splitlines(keepends=True)
    return list(csv.DictReader(lines))


@pytest.mark.slow
def test_the_table_has_quoted_line_breaks_and_its_edits_change_the_rows_they_say(
    inputs: FormatInputs,
) -> None:
    data = inputs.csv.path.read_bytes()
    assert abs(len(data) - SIZE) < SIZE // 20
    assert b"".join(inputs.csv.unedited()) == data
    rows = rows_of(data)
    assert len(rows) == inputs.csv.count
    assert sum("\n" in row["note"] for row in rows) > len(rows) // 20
    wanted = [row["status"] == "pending" and float(row["value"]) > 1000 for row in rows]
    assert 0.08 < sum(wanted) / len(rows) < 0.12
    edited = rows_of(b"".join(inputs.csv.edited()))
    assert edited == [
        {**row, "status": NEW_STATUS} if asked else row for row, asked in zip(rows, wanted, strict=True)
    ]
    lost = [row["status"] == "lost" for row in rows]
    assert sum(lost) == FEW
    few = rows_of(b"".join(inputs.csv.edited_few()))
    assert few == [
        {**row, "status": NEW_STATUS} if asked else row for row, asked in zip(rows, lost, strict=True)
    ]


@pytest.mark.slow
def test_the_records_are_json_and_their_edit_changes_those_of_a_kind(inputs: FormatInputs) -> None:
    records = [json.loads(line) for line in inputs.jsonl.path.read_bytes().splitlines()]
    assert len(records) == inputs.jsonl.count
    edited = [json.loads(line) for line in b"".join(inputs.jsonl.edited()).splitlines()]
    assert edited == [
        {**record, "state": NEW_STATE} if record["kind"] == KIND else record for record in records
    ]
    assert edited != records


@pytest.mark.slow
def test_the_page_has_the_headings_it_says(inputs: FormatInputs) -> None:
    from markdown_it import MarkdownIt

    tokens = MarkdownIt().parse(inputs.markdown.path.read_text("utf-8"))
    headings = [token for token in tokens if token.type == "heading_open" and token.level == 0]
    assert len(headings) == inputs.markdown.count * HEADINGS_PER_SECTION
