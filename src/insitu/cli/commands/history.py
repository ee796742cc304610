"""``insitu history``."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from insitu.cli.options import file_argument, output_options, verb
from insitu.cli.output import Output, byte_size, table

if TYPE_CHECKING:
    import insitu


@verb("history")
@file_argument
@output_options
def history(file: str, output: Output) -> None:
    """List the operations that can be undone.

    Oldest first: number, time, what it was, how many places it changed, how the size changed, and what
    keeping it costs on disk.

        insitu history orders.log

    Nothing is changed, so a crash leaves the file as it is.
    """
    import insitu

    operations = insitu.history(file)
    output.fields({"path": file, "operations": [asdict(operation) for operation in operations]})
    if operations:
        head = ("OPERATION", "TIME", "KIND", "PLACES", "SIZE", "KEPT", "PLANNER")
        output.result(table([head, *(_row(operation) for operation in operations)]))
    else:
        output.message(f"{file}: no operation is kept")


def _row(operation: insitu.Operation) -> tuple[str, ...]:
    grown = operation.size_after - operation.size_before
    return (
        str(operation.number),
        time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(operation.time)),
        f"{operation.kind} of {operation.of}" if operation.of else operation.kind,
        f"{operation.splices:,}",
        f"{grown:+,} B" if grown else "same",
        byte_size(operation.stored_bytes),
        operation.planner,
    )
