"""What undo and redo have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from insitu.cli.editing import check_generation, show_receipt
from insitu.cli.options import EditOptions
from insitu.cli.output import Output
from insitu.cli.progress import work

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


def preview(
    path: str,
    options: EditOptions,
    output: Output,
    call: Callable[..., insitu.ReversalPreview],
    verb: str,
) -> None:
    """Shows what would be undone or redone, and how.

    Args:
        call: the library's preview, which takes policy and lock timeout.

    Raises:
        UndoError: there is nothing, or it cannot be.
    """
    _check(path, options)
    found = call(policy=options.policy(), lock_timeout_s=options.lock_timeout)
    output.result(found.diff)
    output.result(f"{found.choice}\n")
    output.message(f"{path}: dry run, would {verb} operation {found.operation}")
    output.fields(
        {
            "path": path,
            "dry_run": True,
            "operation": found.operation,
            "plan": found.choice.as_dict() if found.choice else None,
            "diff": found.diff,
        }
    )


def _check(path: str, options: EditOptions) -> None:
    import insitu

    if options.if_generation is not None:
        with insitu.open(path, "r") as doc:
            check_generation(doc, options.if_generation)
