"""``insitu create``."""

from __future__ import annotations

import os

import click

from insitu.cli.options import file_argument, output_options, verb
from insitu.cli.output import Output, byte_size
from insitu.cli.texts import Text, text_options
from insitu.errors import ExistingFileError


@verb("create")
@file_argument
@text_options
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
@output_options
def create(file: str, text: Text, dry_run: bool, output: Output) -> None:
    """Create a new file, all of it or none.

    The text is written as given, as UTF-8; an existing file is never overwritten.

        insitu create notes.txt --text "first line"

        insitu create table.csv --from export.csv

    A crash leaves no file, or a part of it before this command has returned.
    """
    import insitu

    data = text.in_encoding("utf-8")
    if dry_run:
        if os.path.lexists(file):
            raise ExistingFileError(f"There is a file {file} already; it is unchanged.", path=file)
        output.message(f"{file}: dry run, would be created with {byte_size(len(data))}")
    else:
        insitu.create(file, data)
        output.message(f"{file}: created with {byte_size(len(data))}")
    output.fields({"path": file, "dry_run": dry_run, "size": len(data)})
