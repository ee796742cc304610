"""``insitu chunk``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

import click

from insitu.cli.options import encoding_option, file_argument, output_options, verb
from insitu.cli.output import Output, byte_size, counted, table, write_json
from insitu.cli.places import printable
from insitu.errors import NoMatchError

if TYPE_CHECKING:
    from insitu.views.chunk import Chunk
    from insitu.views.chunks import Chunks

# Rows are aligned so many at a time: any number of chunks is shown in bounded memory.
_ALIGNED: Final = 1_000


@verb("chunk")
@file_argument
@click.option("--max-tokens", type=int, metavar="N", help="So many tokens at most; default: 400.")
@click.option("--max-chars", type=int, metavar="N", help="So many characters at most.")
@click.option("--max-bytes", type=int, metavar="N", help="So many bytes at most.")
@click.option(
    "--tokens",
    type=click.Choice(["estimate", "bound", "o200k_base", "cl100k_base"]),
    default="estimate",
    show_default=True,
    help="How tokens are counted: estimated, never too few, or exactly by a vocabulary.",
)
@click.option(
    "--kind",
    type=click.Choice(["auto", "markdown", "text", "code", "csv", "jsonl", "json", "log"]),
    default="auto",
    help="What it is; default: as its name and content seem.",
)
@click.option("--language", metavar="NAME", help="Of source code; default: as the file's name ends.")
@click.option(
    "--overlap",
    type=int,
    default=0,
    metavar="N",
    help="Show up to N of each neighbour as context, read-only.",
)
@click.option("--text", "number", type=click.IntRange(min=1), metavar="N", help="Print chunk N instead.")
@encoding_option
@output_options
def chunk(
    file: str,
    max_tokens: int | None,
    max_chars: int | None,
    max_bytes: int | None,
    tokens: str,
    kind: str,
    language: str | None,
    overlap: int,
    number: int | None,
    encoding: str | None,
    output: Output,
) -> None:
    """Cut a file into pieces for a model to read, each an editable span.

    Chunks cover the file exactly, byte for byte. They end between sections, paragraphs, definitions, rows or
    records, and stay where they are when another part of the file is edited. With --json each is an object on
    a line of its own; its "hash" is XXH3 of its bytes.

        insitu chunk manual.md --max-tokens 200

        insitu chunk orders.csv --json --max-chars 2000

        insitu chunk manual.md --text 2

    Nothing is changed, so a crash leaves the file as it is.
    """
    import insitu

    with insitu.open(file, "r", encoding=encoding) as doc:
        chunks = doc.chunks(
            max_tokens=max_tokens,
            max_chars=max_chars,
            max_bytes=max_bytes,
            tokens=tokens,
            kind=kind,
            language=language,
            overlap=overlap,
        )
        for note in chunks.notes:
            output.message(f"{file}: {note}")
        if number is not None:
            _show(_numbered(chunks, number, file), output)
        elif output.as_json:
            for one in chunks:
                write_json(output.command, one.as_dict())
        else:
            count = _list(iter(chunks), output)
            budget = f"{chunks.budget.most:,} {chunks.budget.measure.name}"
            output.message(f"{file}: {counted(count, 'chunk')} of at most {budget}, cut as {chunks.kind}")


def _numbered(chunks: Chunks, number: int, file: str) -> Chunk:
    """The chunk with a number.

    Raises:
        NoMatchError: there are fewer.
    """
    last: Chunk | None = None
    for one in islice(chunks, number):
        last = one
    if last is None or last.number < number:
        count = 0 if last is None else last.number
        raise NoMatchError(
            f"There is no chunk {number:,}; {file} has {counted(count, 'chunk')} of this budget.",
            hint=f"List them: insitu chunk {file}",
            chunks=count,
        )
    return last


def _show(one: Chunk, output: Output) -> None:
    output.result(one.bytes())
    output.fields({**one.as_dict(), "text": one.bytes()})


def _list(chunks: Iterator[Chunk], output: Output) -> int:
    """Writes a row for each; returns how many there are."""
    count = 0
    while batch := list(islice(chunks, _ALIGNED)):
        head = [("chunk", "lines", "bytes", "size", "hash", "under")] if not count else []
        output.result(table([*head, *map(_row, batch)]))
        count += len(batch)
    return count


def _row(one: Chunk) -> tuple[str, ...]:
    first, last = one.lines
    under = " / ".join(map(printable, one.path))
    if one.rows is not None:
        under = f"rows {one.rows[0]}-{one.rows[1]}"
    marks = " ".join(mark for mark, on in (("split", one.split), ("oversized", one.oversized)) if on)
    return (
        str(one.number),
        f"{first}-{last}",
        f"{one.span.start}:{one.span.stop}",
        f"{one.size} ({byte_size(one.span.size)})",
        one.hash,
        f"{under} [{marks}]".strip() if marks else under,
    )
