"""``insitu undo``."""

from __future__ import annotations

from functools import partial

import click

from insitu.cli.options import EditOptions, edit_options, file_argument, verb
from insitu.cli.output import Output
from insitu.cli.reversing import preview, reverse


@verb("undo")
@file_argument
@click.argument("operation", metavar="[OP]", type=click.IntRange(min=1), required=False)
@edit_options(expect=False, draft=False)
def undo(file: str, operation: int | None, options: EditOptions, output: Output) -> None:
    """Take back the last operation, or a named one.

    Repeated, it walks further back. An operation in the middle can be undone where later ones did not
    touch the same bytes. An undo is an operation itself, so that it can be undone (or redone).

        insitu undo orders.log

        insitu undo orders.log 3

    A crash leaves the file before the undo or after it: until it is safely noted as before; from then on,
    the next command that may write finishes it.
    """
    import insitu

    if options.dry_run:
        preview(file, options, output, partial(insitu.preview_undo, file, operation), "undo")
        return
    undone = partial(insitu.undo, file, operation)
    reverse(file, options, output, undone, lambda made: f"undid operation {made.of}")
