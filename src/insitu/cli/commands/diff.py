"""``insitu diff``."""

from __future__ import annotations

import click

from insitu.cli.options import file_argument, output_options, verb
from insitu.cli.output import Output


@verb("diff")
@file_argument
@click.argument("operation", metavar="OP", type=click.IntRange(min=1))
@output_options
def diff(file: str, operation: int, output: Output) -> None:
    """Show what an operation changed.

    A unified diff of bounded length, from what the history keeps.

        insitu diff orders.log 3

    Nothing is changed, so a crash leaves the file as it is.
    """
    import insitu

    text = insitu.diff(file, operation)
    output.result(text)
    output.fields({"path": file, "operation": operation, "diff": text})
