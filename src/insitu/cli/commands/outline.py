"""``insitu outline``."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from insitu.cli.options import encoding_option, file_argument, output_options, verb
from insitu.cli.output import Output, byte_size, counted, table
from insitu.cli.places import printable
from insitu.errors import RequestError

if TYPE_CHECKING:
    import insitu

# A screenful or twenty; an outline of anything is shown in bounded memory.
_SHOWN: Final = 1_000


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
    from insitu.views.outline import OUTLINES

    with insitu.open(file, "r", encoding=encoding) as doc:
        made = OUTLINES[format_ or _detected(doc, file, output)](doc)
        entries = iter(made.entries)
        shown = list(islice(entries, most)) if most else list(entries)
        more = next(entries, None) is not None
    if shown:
        line = _typed_line if made.typed else _LINES[made.kind]
        output.result(table([line(entry) for entry in shown]))
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
    from insitu.views.outline import OUTLINES, SAMPLE_BYTES

    size = min(SAMPLE_BYTES, doc.size)
    found = detect(doc.path, doc.read(0, size), more=size < doc.size)
    name = {"markdown": "md"}.get(found.format, found.format)
    if name not in OUTLINES:
        raise RequestError(
            f"{file} seems to be {'plain text' if name == 'text' else 'binary'}, which has no outline.",
            hint="Say what it is with --format, or look at its lines: insitu read FILE --lines 1-20",
            format=found.format,
        )
    if found.doubt:
        output.message(f"{file}: taken for {found.format}, but {found.doubt}; --format says otherwise")
    return name


def _typed_line(entry: dict[str, Any]) -> tuple[str, ...]:
    """A column or key: number, name, kinds with their shares, an example."""
    total = sum(entry["kinds"].values()) or 1
    kinds = ", ".join(
        kind if count == total else f"{kind} {max(1, round(100 * count / total))} %"
        for kind, count in entry["kinds"].items()
    )
    number = (str(entry["number"]),) if "number" in entry else ()
    return (*number, printable(entry["name"]) or "(the record)", kinds or "none", printable(entry["example"]))


def _member_line(entry: dict[str, Any]) -> tuple[str, ...]:
    kind, count = entry["kind"], entry["count"]
    held = "" if count is None else f" of {counted(count, 'member' if kind == 'object' else 'element')}"
    size = "" if entry["span"] is None else byte_size(entry["span"].size)
    return printable(entry["pointer"]), kind + held, size


def _section_line(entry: dict[str, Any]) -> tuple[str, ...]:
    indented = "  " * (entry["level"] - 1) + "#" * entry["level"]
    return f"{entry['line']:>6}", f"{indented} {printable(entry['title'])}", byte_size(entry["span"].size)


_LINES: Final[dict[str, Callable[[dict[str, Any]], tuple[str, ...]]]] = {
    "keys": _member_line,
    "sections": _section_line,
}
