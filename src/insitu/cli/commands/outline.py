"""``insitu outline``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from insitu.cli.options import encoding_option, file_argument, output_options, verb
from insitu.cli.output import Output, byte_size, counted, table
from insitu.cli.places import printable
from insitu.errors import AmbiguousError, FormatError, RequestError

if TYPE_CHECKING:
    import insitu
    from insitu.formats.sample_types import Seen
    from insitu.views.json import Json
    from insitu.views.markdown_section import Section

# Enough to tell a format, and its keys or columns.
_SAMPLE_BYTES: Final = 1 << 20
_SAMPLE_ROWS: Final = 1_000

# A screenful or twenty; an outline of anything is shown in bounded memory.
_SHOWN: Final = 1_000


@dataclass(frozen=True)
class _Outline:
    """What a file is made of.

    Args:
        kind: what its parts are called, as ``columns``.
        entries: the parts, for programs; made as they are asked for.
        line: a part for people, as the cells of a row.
        facts: of the whole.
        note: what people should know of it.
    """

    kind: str
    entries: Iterable[dict[str, Any]]
    line: Callable[[dict[str, Any]], tuple[str, ...]]
    facts: dict[str, Any]
    note: str = ""


@verb("outline")
@file_argument
@click.option(
    "--format",
    "format_",
    type=click.Choice(["csv", "md", "jsonl", "json"]),
    help="What it is; default: as its name and content seem (see info).",
)
@click.option(
    "--max",
    "most",
    type=click.IntRange(min=0),
    default=_SHOWN,
    metavar="N",
    show_default=True,
    help="List N parts at most; 0: all.",
)
@encoding_option
@output_options
def outline(file: str, format_: str | None, most: int, encoding: str | None, output: Output) -> None:
    """List the sections, columns or keys that a file is made of.

    Of Markdown the sections, with the line each starts on; of CSV the columns, with the kinds of values in
    the first 1,000 rows; of JSON Lines the JSON Pointers and kinds in the first mebibyte; of a JSON document
    its keys, with what stands under them.

        insitu outline notes.md

        insitu outline orders.csv --json

    Nothing is changed, so a crash leaves the file as it is.
    """
    import insitu

    with insitu.open(file, "r", encoding=encoding) as doc:
        made = _OUTLINES[format_ or _detected(doc, file, output)](doc)
        entries = iter(made.entries)
        shown = list(islice(entries, most)) if most else list(entries)
        more = next(entries, None) is not None
    if shown:
        output.result(table([made.line(entry) for entry in shown]))
    if made.note:
        output.message(f"{file}: {made.note}")
    if more:
        output.message(f"{file}: there are more {made.kind} than the {most:,} shown; --max 0 lists all")
    output.fields({"path": file, **made.facts, made.kind: shown, "more": more})


def _detected(doc: insitu.Document, file: str, output: Output) -> str:
    """The format that a file seems to be in; a doubt is told.

    Raises:
        RequestError: it is none that has an outline.
    """
    from insitu.formats.detection import detect

    size = min(_SAMPLE_BYTES, doc.size)
    found = detect(doc.path, doc.read(0, size), more=size < doc.size)
    name = {"markdown": "md"}.get(found.format, found.format)
    if name not in _OUTLINES:
        raise RequestError(
            f"{file} seems to be {'plain text' if name == 'text' else 'binary'}, which has no outline.",
            hint="Say what it is with --format, or look at its lines: insitu read FILE --lines 1-20",
            format=found.format,
        )
    if found.doubt:
        output.message(f"{file}: taken for {found.format}, but {found.doubt}; --format says otherwise")
    return name


# CSV and JSON Lines: what a sample holds


def _columns(doc: insitu.Document) -> _Outline:
    from insitu.formats.sample_types import seen_in_rows

    rows = doc.csv()
    sample = [row.cells for row in islice(rows, _SAMPLE_ROWS)]
    entries = [
        {"number": number, **_described(seen)}
        for number, seen in enumerate(seen_in_rows(list(rows.header), sample), 1)
    ]
    facts = {
        "format": "csv",
        "dialect": str(rows.dialect),
        "doubts": list(rows.doubts),
        "rows_sampled": len(sample),
    }
    note = f"{rows.dialect}; kinds of the first {counted(len(sample), 'row')}"
    return _Outline("columns", entries, _typed_line, facts, "; ".join((note, *rows.doubts)))


def _keys_of_records(doc: insitu.Document) -> _Outline:
    from insitu.formats.sample_types import seen_in_values

    values = list(islice(_records(doc), _SAMPLE_ROWS))
    entries = [_described(seen) for seen in seen_in_values(values)]
    facts = {"format": "jsonl", "records_sampled": len(values)}
    note = f"as in the first {counted(len(values), 'record')}"
    return _Outline("keys", entries, _typed_line, facts, note)


def _records(doc: insitu.Document) -> Iterator[Any]:
    """Yields the whole records of the first window."""
    sample = doc.read(0, min(_SAMPLE_BYTES, doc.size))
    lines = sample.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if len(sample) < doc.size:
        lines.pop()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield json.loads(line)
        except (ValueError, RecursionError) as error:
            if number == len(lines):
                return  # a torn last record is no key's fault
            raise FormatError(
                f"Record {number:,} of {doc.path} is not JSON: {error}.",
                hint=f"Look at it: insitu read FILE --lines {number}",
                record=number,
            ) from None


def _described(seen: Seen) -> dict[str, Any]:
    return {"name": seen.name, "kinds": seen.kinds, "example": seen.example}


def _typed_line(entry: dict[str, Any]) -> tuple[str, ...]:
    """A column or key: number, name, kinds with their shares, an example."""
    total = sum(entry["kinds"].values()) or 1
    kinds = ", ".join(
        kind if count == total else f"{kind} {max(1, round(100 * count / total))} %"
        for kind, count in entry["kinds"].items()
    )
    number = (str(entry["number"]),) if "number" in entry else ()
    return (*number, printable(entry["name"]) or "(the record)", kinds or "none", printable(entry["example"]))


# JSON: the members of the document


def _members(doc: insitu.Document) -> _Outline:
    from insitu.formats.sample_types import seen_in_values

    document = doc.json()
    first = document.span_of("").start
    opening = doc.read(first, 1)
    facts: dict[str, Any] = {"format": "json"}
    if opening == b"{":
        return _Outline("keys", map(_member_of(doc), document.keys("")), _member_line, facts)
    if opening == b"[":
        count = document.count("")
        values = list(_elements(document, count))
        note = f"an array of {counted(count, 'element')}; keys as in the first {len(values):,}"
        entries = [_described(seen) for seen in seen_in_values(values)]
        return _Outline("keys", entries, _typed_line, {**facts, "elements": count}, note)
    return _Outline("keys", [], _typed_line, facts, "a single value without keys")


def _elements(document: Json, count: int) -> Iterator[Any]:
    """Yields the first elements of an array, as many as a window holds."""
    left = _SAMPLE_BYTES
    for index in range(min(count, _SAMPLE_ROWS)):
        left -= document.span_of(f"/{index}").size
        if left < 0:
            return
        yield document.get(f"/{index}")


_KINDS: Final = {"{": "object", "[": "array", '"': "text", "t": "true/false", "f": "true/false", "n": "null"}


def _member_of(doc: insitu.Document) -> Callable[[str], dict[str, Any]]:
    """Describes the member with a key of the document: what it is, where, and how much it holds."""
    document = doc.json()

    def described(key: str) -> dict[str, Any]:
        pointer = "/" + key.replace("~", "~0").replace("/", "~1")
        try:
            span = document.span_of(pointer)
        except AmbiguousError:
            return {
                "pointer": pointer,
                "kind": "a key that occurs several times",
                "count": None,
                "span": None,
            }
        kind = _KINDS.get(doc.read(span.start, 1).decode("latin-1"), "number")
        count = document.count(pointer) if kind in ("object", "array") else None
        return {"pointer": pointer, "kind": kind, "count": count, "span": span}

    return described


def _member_line(entry: dict[str, Any]) -> tuple[str, ...]:
    kind, count = entry["kind"], entry["count"]
    held = "" if count is None else f" of {counted(count, 'member' if kind == 'object' else 'element')}"
    size = "" if entry["span"] is None else byte_size(entry["span"].size)
    return printable(entry["pointer"]), kind + held, size


# Markdown: the sections


def _sections(doc: insitu.Document) -> _Outline:
    page = doc.markdown()
    sections = page.outline()
    facts = {"format": "markdown", "section_count": len(sections), "unclosed_fence": page.unclosed_fence}
    note = ""
    if facts["unclosed_fence"] is not None:
        note = f"the code fence on line {facts['unclosed_fence']:,} is never closed: the rest is code"
    return _Outline("sections", map(_section, sections), _section_line, facts, note)


def _section(section: Section) -> dict[str, Any]:
    return {
        "number": section.number,
        "level": section.level,
        "line": section.line,
        "title": section.title,
        "path": section.path,
        "id": section.id,
        "span": section.span(),
    }


def _section_line(entry: dict[str, Any]) -> tuple[str, ...]:
    indented = "  " * (entry["level"] - 1) + "#" * entry["level"]
    return f"{entry['line']:>6}", f"{indented} {printable(entry['title'])}", byte_size(entry["span"].size)


_OUTLINES: Final[dict[str, Callable[[insitu.Document], _Outline]]] = {
    "csv": _columns,
    "jsonl": _keys_of_records,
    "json": _members,
    "md": _sections,
}
