"""``insitu read``."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

import click

from insitu.cli.addresses import Address, address_options
from insitu.cli.options import draft_reading_option, file_argument, output_options, verb
from insitu.cli.output import Output, byte_size, write
from insitu.errors import LimitError

if TYPE_CHECKING:
    import insitu

_WINDOW_BYTES: Final = 1 << 20

# One JSON object is held in memory, here and by whoever parses it.
_JSON_BYTES_MAX: Final = 16 << 20


@verb("read")
@file_argument
@address_options(required=False)
@click.option(
    "--at", metavar="OP", type=click.IntRange(min=0), help="As operation OP left it; 0: the original."
)
@draft_reading_option
@output_options
def read(file: str, address: Address | None, at: int | None, draft: bool, output: Output) -> None:
    """Write bytes or lines to standard output, exactly as they are.

    Without an address, all of it. Memory stays small whatever the size. With --json, up to 16 MB in one
    object: as text where it is text, else as base64.

        insitu read orders.log --lines 1200000-1200010

        insitu read disk.img --bytes -512: > last-sector

    With --at, from the file as an operation left it, while the history has what leads back to it:

        insitu read orders.log --at 3 --tail 5

    With --draft, with the edits of the file's draft (see: insitu draft --help).

    Nothing is changed, so a crash leaves the file as it is.
    """
    import insitu

    if draft and at is not None:
        raise click.UsageError(
            "--at is of the file's history, --draft of what is not committed: give one of them."
        )
    with insitu.open(file, "r", at=at, draft=draft) as doc:
        span = address.locate(doc) if address else insitu.Span(0, doc.size)
        if output.as_json:
            output.fields(
                {"path": file, "span": span, "generation": doc.generation.token, **_content(doc, span)}
            )
            return
        for start in range(span.start, span.stop, _WINDOW_BYTES):
            write(doc.read(start, min(_WINDOW_BYTES, span.stop - start)))


def _content(doc: insitu.Document, span: insitu.Span) -> dict[str, Any]:
    if span.size > _JSON_BYTES_MAX:
        raise LimitError(
            f"The address holds {byte_size(span.size)}, and JSON at most {byte_size(_JSON_BYTES_MAX)}.",
            hint="Read it in parts, or without --json.",
            size=span.size,
        )
    data = doc.read(span.start, span.size)
    try:
        return {"encoding": doc.encoding, "text": data.decode(doc.encoding)}
    except UnicodeDecodeError:
        return {"encoding": "base64", "base64": base64.b64encode(data).decode("ascii")}
