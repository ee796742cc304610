"""``insitu doctor``."""

from __future__ import annotations

import click

from insitu.cli.options import output_options, verb
from insitu.cli.output import Output, sheet, table


@verb("doctor")
@click.argument("file", type=click.Path(), metavar="PATH")
@output_options
def doctor(file: str, output: Output) -> None:
    """Show what a disk can do and whether anything needs care.

    For a file or a folder: what its file system can do, whether locks work, where state is kept, and what
    a crash left, if anything.

        insitu doctor orders.log

    Nothing is changed in the file, so a crash leaves it as it is.
    """
    import insitu

    facts = insitu.doctor(file)
    output.result(table(sheet(facts)))
    output.fields({**facts, "path": file})
