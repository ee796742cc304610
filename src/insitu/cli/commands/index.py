"""``insitu index``."""

from __future__ import annotations

from insitu.cli.options import file_argument, output_options, verb
from insitu.cli.output import Output, byte_size, counted, duration
from insitu.cli.progress import work


@verb("index")
@file_argument
@output_options
def index(file: str, output: Output) -> None:
    """Count the lines once, so that any line is found at once.

    Of a CSV file the rows are counted, too. The index is small, lies beside the file in .insitu, and is kept
    up to date by insitu's own edits.

        insitu index orders.log

    Only the index is written; a crash leaves the file as it is, and at worst no index.
    """
    import insitu

    with work("Indexing", silent=output.quiet or output.as_json) as run:
        built = insitu.build_index(file, progress=run.progress, cancel=run.cancel)
    rows = "" if built["rows"] is None else f"{counted(built['rows'], 'row')}, "
    output.message(
        f"{file}: {counted(built['lines'], 'line')}, {rows}an index of {byte_size(built['index_bytes'])}, "
        f"{duration(built['seconds'])}"
    )
    output.fields({"path": file, **built})
