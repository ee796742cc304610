"""What undo and redo have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from insitu.cli.editing import check_generation, show_receipt
from insitu.cli.options import EditOptions
from insitu.cli.output import Output
from insitu.cli.progress import work
from insitu.errors import UndoError

if TYPE_CHECKING:
    import insitu


def reverse(
    path: str,
    options: EditOptions,
    output: Output,
    call: Callable[..., insitu.Receipt],
    said: Callable[[insitu.Operation], str],
) -> None:
    """Undoes or redoes an operation, and says which.

    Args:
        call: the library's verb, which takes policy, lock timeout, progress and cancel.
        said: what was done, told from the new operation.
    """
    import insitu

    _check(path, options)
    with work("Restoring", silent=output.quiet or output.as_json) as run:
        receipt = call(
            policy=options.policy(),
            lock_timeout_s=options.lock_timeout,
            progress=run.progress,
            cancel=run.cancel,
        )
    made = (said(entry) for entry in insitu.history(path) if entry.number == receipt.operation)
    show_receipt(receipt, path, next(made, "restored"), output)


def preview(path: str, operation: int | None, options: EditOptions, output: Output, verb: str) -> None:
    """Shows the operation that would be undone or redone, as it was made.

    Raises:
        UndoError: there is none.
    """
    import insitu

    _check(path, options)
    if operation is None:
        raise UndoError(f"There is nothing to {verb} in {path}.", hint="See: insitu history FILE")
    diff = insitu.diff(path, operation)
    output.result(diff)
    output.message(f"{path}: dry run, would {verb} operation {operation}, shown as it was made")
    output.fields({"path": path, "dry_run": True, "operation": operation, "diff": diff})


def _check(path: str, options: EditOptions) -> None:
    import insitu

    if options.if_generation is not None:
        with insitu.open(path, "r") as doc:
            check_generation(doc, options.if_generation)


def undoable(operations: list[insitu.Operation]) -> int | None:
    """The operation that undo takes next: the last one in effect."""
    done: list[int] = []
    for entry in operations:
        if entry.kind != "undo":
            done.append(entry.number)
        elif entry.of in done:
            done.remove(entry.of)
    return done[-1] if done else None


def redoable(operations: list[insitu.Operation]) -> int | None:
    """The undo that redo takes back next: the last one, until a new edit is made."""
    undone: list[int] = []
    for entry in operations:
        match entry.kind:
            case "edit":
                undone.clear()
            case "undo":
                undone.append(entry.number)
            case "redo" if entry.of in undone:
                undone.remove(entry.of)
    return undone[-1] if undone else None
