"""``insitu diff``."""

from __future__ import annotations

import click

from insitu.cli.options import file_argument, output_options, verb
from insitu.cli.output import Output


@verb("diff")
@file_argument
@click.argument("operation", metavar="OP", type=click.IntRange(min=0))
@click.argument("other", metavar="[OP2]", type=click.IntRange(min=0), required=False)
@output_options
def diff(file: str, operation: int, other: int | None, output: Output) -> None:
    """Show what an operation changed, or what lies between two.

    A unified diff of bounded length, from what the history keeps. With OP2, from the file as operation
    OP left it to the file as OP2 left it; 0 is the file before the first.

        insitu diff orders.log 3

        insitu diff orders.log 0 3

    Nothing is changed, so a crash leaves the file as it is.
    """
    import insitu

    text = insitu.diff(file, operation, other)
    output.result(text)
    other_field = {} if other is None else {"operation2": other}
    output.fields({"path": file, "operation": operation, **other_field, "diff": text})
