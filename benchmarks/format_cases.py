"""Files with a format: CSV, JSON Lines, Markdown; and lines through a function. Edits are on fresh copies."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import collateral, peers
from benchmarks.cases import Bench, Case, Contestant, Target
from benchmarks.edits import COMMAND, FOLDER_NAME, IN_PROCESS, cannot_collapse
from benchmarks.format_inputs import (
    CONDITION,
    FEW_CONDITION,
    FIRST_NUMBER,
    HEADINGS_PER_SECTION,
    KIND,
    NEW_STATE,
    NEW_STATUS,
    FormatInput,
)
from benchmarks.measure import digest, fresh_copy, warm

MEMORY_MOST_BYTES = 96 << 20

PANDAS, CSV_MODULE = "pandas, chunks of 10,000 rows", "csv.DictReader and DictWriter"
POLARS, DUCKDB = "polars, scan and sink", "DuckDB COPY"
JSON_LOOP, JQ = "json.loads and dumps", "jq"
LOOP = "a loop over the lines"
UNCACHED, CACHED = "insitu, tail not cached", "insitu, tail cached"
PADDED, MOVED = "insitu, another size, padded", "insitu, another size"
EDITS = 6  # in one process: the first loads what it needs, the median is of the others; the last sets back
WORKERS = 2


def cases(bench: Bench) -> list[Case]:
    """The cases of this module."""
    return [
        _csv_update(bench),
        _csv_update_few(bench),
        _csv_cell(bench),
        _csv_index(bench),
        _markdown_outline(bench),
        _markdown_section(bench),
        _jsonl_insert(bench),
        _jsonl_update(bench),
        _jsonl_set(bench),
        _transform(bench),
    ]


def _edited(bench: Bench, given: FormatInput) -> Path:
    return bench.folder / FOLDER_NAME / f"edited{given.path.suffix}"


def _on_copy(bench: Bench, given: FormatInput, *, index: bool = False) -> Callable[[], None]:
    """Puts a fresh copy of an input where it is edited, with our index of it where asked."""
    path = _edited(bench, given)

    def prepare() -> None:
        given.make()
        fresh_copy(given.path, path)
        if index:
            command = (*peers.insitu("", path, "index").argv, "--quiet")
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    return prepare


def _on_input(given: FormatInput) -> Callable[[], None]:
    """Puts the input into the page cache and removes what insitu keeps beside it."""

    def prepare() -> None:
        given.make()
        shutil.rmtree(given.path.parent / ".insitu", ignore_errors=True)
        warm(given.path)

    return prepare


def tool(
    name: str, call: str, path: Path, *arguments: str, needs: str = "", slow: bool = False
) -> Contestant:
    """A peer written in Python (see ``format_peers``), as a whole command."""
    script = Path(__file__).with_name("format_peers.py")
    argv = (sys.executable, str(script), call, str(path), *arguments)
    return Contestant(name, argv, f"benchmarks/format_peers.py: {call}", needs=needs, slow=slow)


def _verb(path: Path, words: str, *options: str) -> Contestant:
    """Our command line, where the verb is one of a group, as ``csv update``."""
    group, word = words.split()
    ours = peers.insitu(COMMAND, None, group, word, str(path), *options)
    shown = shlex.join([peers.COMMAND, group, word, "FILE", *options])
    return replace(ours, shown=shown)


def _occurrences(path: Path, word: bytes) -> str:
    """How often a word that stands on one line is in a file."""
    with path.open("rb") as file:
        return str(sum(line.count(word) for line in file))


# CSV


def _csv_update(bench: Bench) -> Case:
    given, path = bench.formats.csv, _edited(bench, bench.formats.csv)
    contestants = (
        _verb(path, "csv update", "--where", CONDITION, "--set", f"status={NEW_STATUS}"),
        tool(DUCKDB, "duckdb", path, NEW_STATUS, CONDITION, needs="duckdb"),
        tool(POLARS, "polars", path, NEW_STATUS, needs="polars"),
        tool(PANDAS, "pandas", path, NEW_STATUS, needs="pandas", slow=True),
        tool(CSV_MODULE, "csv_module", path, NEW_STATUS, slow=True),
    )
    targets = (
        Target(COMMAND, (PANDAS,), least=10),
        Target(COMMAND, (CSV_MODULE,), least=10),
        Target(COMMAND, (DUCKDB,), least=1.3),
        Target(COMMAND, (POLARS,), least=1.3),
    )
    title = f"change 1 row in 10 of {given.count:,} by a condition"
    return _csv_edit(bench, "csv-update", title, contestants, targets, given.edited)


def _csv_update_few(bench: Bench) -> Case:
    given, path = bench.formats.csv, _edited(bench, bench.formats.csv)
    contestants = (
        _verb(path, "csv update", "--where", FEW_CONDITION, "--set", f"status={NEW_STATUS}"),
        tool(DUCKDB, "duckdb", path, NEW_STATUS, FEW_CONDITION, needs="duckdb"),
    )
    targets = (Target(COMMAND, (DUCKDB,), least=3),)
    rows = len(given.numbers_of_rare())
    title = f"change {rows} rows of {given.count:,} by a condition, indexed before"
    return _csv_edit(bench, "csv-update-few", title, contestants, targets, given.edited_few, index=True)


def _csv_edit(
    bench: Bench,
    name: str,
    title: str,
    contestants: tuple[Contestant, ...],
    targets: tuple[Target, ...],
    right: Callable[[], Iterator[bytes]],
    *,
    index: bool = False,
) -> Case:
    given, path = bench.formats.csv, _edited(bench, bench.formats.csv)
    return Case(
        name,
        title,
        contestants,
        targets,
        prepare=_on_copy(bench, given, index=index),
        answer=lambda _: f"{_occurrences(path, NEW_STATUS.encode())} rows changed",
        memory_most_bytes=MEMORY_MOST_BYTES,
        others=lambda: collateral.other_cells(path, right),
        item="cells",
    )


def _csv_cell(bench: Bench) -> Case:
    given, path = bench.formats.csv, _edited(bench, bench.formats.csv)
    arguments: dict[str, Any] = {"path": path, "row": given.count // 2, "edits": EDITS}
    return Case(
        "csv-cell",
        f"set one cell of row {given.count // 2:,}, same size, indexed, durable",
        (peers.inside(IN_PROCESS, "csv_cell", "table.set(ROW, COLUMN, TEXT); doc.commit()", **arguments),),
        (Target(IN_PROCESS, most_s=0.010),),
        prepare=_on_copy(bench, given, index=True),
        answer=lambda stdout: stdout,
        expected="set, and set back",
        memory_most_bytes=MEMORY_MOST_BYTES,
        others=lambda: collateral.other_cells(path, given.unedited),
        item="cells",
    )


def _csv_index(bench: Bench) -> Case:
    given = bench.formats.csv
    arguments: dict[str, Any] = {"path": given.path, "sample": given.sample}
    return Case(
        "csv-index",
        "build the row index, quoted newlines included, warm",
        (peers.inside(IN_PROCESS, "csv_index", "doc.csv().index()", **arguments),),
        (Target(IN_PROCESS, least_bytes_s=1e9),),
        prepare=_on_input(given),
        answer=lambda stdout: stdout,
        expected=str(given.count),
        memory_most_bytes=MEMORY_MOST_BYTES,
        input_bytes=lambda: given.path.stat().st_size,
    )


# Markdown


def _markdown_outline(bench: Bench) -> Case:
    given = bench.formats.markdown
    arguments: dict[str, Any] = {"path": given.path, "sample": given.sample}
    return Case(
        "md-outline",
        "list the sections, warm",
        (peers.inside(IN_PROCESS, "markdown_outline", "len(doc.markdown())", **arguments),),
        (Target(IN_PROCESS, least_bytes_s=0.2e9),),
        prepare=_on_input(given),
        answer=lambda stdout: stdout,
        expected=str(given.count * HEADINGS_PER_SECTION),
        memory_most_bytes=MEMORY_MOST_BYTES,
        input_bytes=lambda: given.path.stat().st_size,
    )


def _markdown_section(bench: Bench) -> Case:
    given, path = bench.formats.markdown, _edited(bench, bench.formats.markdown)
    title = f"Section {FIRST_NUMBER + given.count // 2}"
    arguments: dict[str, Any] = {"path": path, "title": title, "edits": EDITS}

    def contestant(name: str, how: str) -> Contestant:
        shown = f"section.replace(TEXT, 'own'{', padding=True' * (how == 'padded')}); doc.commit()"
        return peers.inside(name, "markdown_section", shown, **arguments, how=how)

    return Case(
        "md-section",
        "replace the own text of a section in the middle, outlined before, durable",
        (contestant(IN_PROCESS, "same size"), contestant(PADDED, "padded"), contestant(MOVED, "moved")),
        (
            Target(IN_PROCESS, most_s=0.020),
            Target(PADDED, most_s=0.020, why_shown=cannot_collapse(bench.folder, _block(bench))),
            Target(MOVED, most_s=0.020, why_shown="half of the file is moved"),
        ),
        prepare=_on_copy(bench, given),
        answer=lambda stdout: stdout,
        expected=f"{given.count * HEADINGS_PER_SECTION} sections, one has the new text",
        memory_most_bytes=MEMORY_MOST_BYTES,
    )


def _block(bench: Bench) -> int:
    return os.statvfs(bench.folder).f_bsize


# JSON Lines


def _jsonl_insert(bench: Bench) -> Case:
    given, path = bench.formats.jsonl, _edited(bench, bench.formats.jsonl)
    refusal = cannot_collapse(bench.folder, _block(bench))
    arguments: dict[str, Any] = {"path": path, "sample": given.sample, "index": given.count // 2}
    shown = f"doc.jsonl().insert({given.count // 2}, RECORD, padding=True); doc.commit()"
    contestants = (
        peers.inside(UNCACHED, "jsonl_insert", shown, **arguments, cached=False),
        peers.inside(CACHED, "jsonl_insert", shown, **arguments, cached=True),
    )
    return Case(
        "jsonl-insert",
        "insert a record in the middle, indexed, padding allowed, durable",
        contestants,
        (
            Target(UNCACHED, most_s=0.015, why_shown=refusal),
            Target(CACHED, most_s=0.070, why_shown=refusal),
        ),
        prepare=_on_copy(bench, given),
        answer=lambda stdout: stdout,
        expected=f"{given.count + 1} records, the new one in its place",
        memory_most_bytes=MEMORY_MOST_BYTES,
    )


def _jsonl_update(bench: Bench) -> Case:
    given, path = bench.formats.jsonl, _edited(bench, bench.formats.jsonl)
    contestants = (
        _verb(path, "jsonl update", "--where", f"kind = '{KIND}'", "--set", f'/state="{NEW_STATE}"'),
        tool(JSON_LOOP, "json_module", path, KIND, NEW_STATE),
    )
    return Case(
        "jsonl-update",
        f"change 1 record in 100 of {given.count:,} by a condition",
        contestants,
        (Target(COMMAND, (JSON_LOOP,), least=5),),
        prepare=_on_copy(bench, given),
        answer=lambda _: f"{_occurrences(path, NEW_STATE.encode())} records changed",
        memory_most_bytes=MEMORY_MOST_BYTES,
        others=lambda: collateral.other_lines(path, given.edited),
        item="records",
    )


def _jsonl_set(bench: Bench) -> Case:
    given, path = bench.formats.jsonl, _edited(bench, bench.formats.jsonl)
    number = FIRST_NUMBER + given.count // 2
    filter_ = f'if .id == {number} then .state = "{NEW_STATE}" else . end'
    jq = f"""jq -c '{filter_}' "$1" > "$1".new && mv "$1".new "$1\""""
    contestants = (
        _verb(path, "jsonl update", "--key", f"/id={number}", "--set", f'/state="{NEW_STATE}"'),
        peers.script(JQ, path, jq, "jq"),
    )
    return Case(
        "jsonl-set",
        "set one field of the record with an id, in the middle",
        contestants,
        (Target(COMMAND, (JQ,), least=40),),
        prepare=_on_copy(bench, given),
        answer=lambda _: f"{_occurrences(path, NEW_STATE.encode())} record changed",
        expected="1 record changed",
        memory_most_bytes=MEMORY_MOST_BYTES,
        others=lambda: max(0, collateral.other_lines(path, given.unedited) - 1),
        item="records",
    )


# Lines


def _transform(bench: Bench) -> Case:
    path = bench.folder / FOLDER_NAME / "log"
    function = f"{Path(__file__).with_name('line_function.py')}:line"
    options = ("--context", "1", "--workers", str(WORKERS))
    contestants = (
        peers.insitu(COMMAND, path, "transform", function, *options),
        tool(LOOP, "line_loop", path),
    )
    return Case(
        "transform-lines",
        f"every line through a Python function that sees its neighbours, {WORKERS} workers",
        contestants,
        (Target(COMMAND, (LOOP,), least=1.5),),
        prepare=lambda: fresh_copy(bench.log.path, path),
        answer=lambda _: digest(path),
        memory_most_bytes=MEMORY_MOST_BYTES,
    )
