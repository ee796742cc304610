"""``insitu redo``."""

from __future__ import annotations

from functools import partial

from insitu.cli.options import EditOptions, edit_options, file_argument, verb
from insitu.cli.output import Output
from insitu.cli.reversing import preview, reverse


@verb("redo")
@file_argument
@edit_options(expect=False, draft=False)
def redo(file: str, options: EditOptions, output: Output) -> None:
    """Make the operation again that was undone last.

    Repeated, it walks forward, until a new edit is made. A redo is an operation itself.

        insitu redo orders.log

    A crash leaves the file before the redo or after it: until it is safely noted as before; from then on,
    the next command that may write finishes it.
    """
    import insitu

    if options.dry_run:
        preview(file, options, output, partial(insitu.preview_redo, file), "redo")
        return
    redone = partial(insitu.redo, file)
    reverse(file, options, output, redone, lambda made: f"redid what operation {made.of} had undone")
