"""``insitu info``."""

from __future__ import annotations

from insitu.cli.options import file_argument, output_options, verb
from insitu.cli.output import Output, sheet, table


@verb("info")
@file_argument
@output_options
def info(file: str, output: Output) -> None:
    """Show what a file is and what insitu keeps of it.

    Size, encoding, line endings, its generation (for --if-generation), whether a commit is pending, and
    the history kept. Only samples are read, so lines are not counted: see index.

        insitu info orders.log

    Nothing is changed, so a crash leaves the file as it is.
    """
    import insitu

    facts = insitu.info(file)
    output.result(table(sheet(facts)))
    output.fields({**facts, "path": file})
