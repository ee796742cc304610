"""How every edit runs: open, check the conditions, change, then show (``--dry-run``) or commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from insitu.cli.addresses import typed
from insitu.cli.drafting import edit_draft
from insitu.cli.options import EditOptions
from insitu.cli.output import Output, counted, duration
from insitu.cli.places import clipped
from insitu.cli.progress import work
from insitu.errors import ExpectationError, RequestError

if TYPE_CHECKING:
    import insitu

# Longer contents are not quoted in the error of a failed expectation.
_QUOTED_BYTES = 200


def edit(
    path: str,
    options: EditOptions,
    output: Output,
    change: Callable[[insitu.Document], str],
    *,
    label: str = "Editing",
) -> None:
    """Edits a file through a document that is locked from locating to committing.

    Args:
        change: makes the pending edits and returns what was done, as ``wrote 3 lines``.
        label: what the progress bar calls it.
    """
    import insitu

    if options.draft:
        edit_draft(path, options, output, change)
        return
    if options.dry_run:
        # For reading: refuses a file whose interrupted commit an opening for writing would finish.
        insitu.open(path, "r").close()
    with insitu.open(
        path,
        encoding=options.encoding,
        policy=options.policy(),
        lock_timeout_s=options.lock_timeout,
        locked=not options.dry_run,
    ) as doc:
        check_generation(doc, options.if_generation)
        done = change(doc)
        if options.dry_run:
            preview_pending(doc, path, output)
            doc.discard()
            return
        with work(label, silent=output.quiet or output.as_json) as run:
            receipt = doc.commit(progress=run.progress, cancel=run.cancel)
    if receipt is None:
        output.message(f"{path}: nothing to change")
        output.fields({"path": path, "dry_run": False, "receipt": None})
    else:
        show_receipt(receipt, path, done, output)


def edit_together(changes: Mapping[str, list[insitu.Edit]], options: EditOptions, output: Output) -> None:
    """Makes edits of several files in one transaction."""
    import insitu

    if options.draft:
        raise RequestError(
            "A draft is one file's, and a transaction has several.", hint="Edit each file with --draft."
        )
    if options.if_generation is not None:
        raise RequestError(
            "A generation is one file's, and a transaction has several.", hint="Use expect in the edits."
        )
    chosen: dict[str, Any] = {"policy": options.policy(), "encoding": options.encoding}
    if options.dry_run:
        previews = insitu.preview_together(changes, **chosen)
        fields = []
        for path, preview in previews.items():
            plan = preview.choice
            output.result(preview.diff)
            output.result(f"{path}: {plan or 'nothing would change'}\n")
            fields.append({"path": path, "plan": plan and plan.as_dict(), "diff": preview.diff})
        output.message("dry run, nothing was changed")
        output.fields({"dry_run": True, "files": fields})
        return
    with work("Applying", silent=output.quiet or output.as_json) as run:
        receipt = insitu.apply_together(
            changes,
            **chosen,
            lock_timeout_s=options.lock_timeout,
            progress=run.progress,
            cancel=run.cancel,
        )
    for path, one in zip(receipt.paths, receipt.receipts, strict=True):
        kept = one.after.operation == one.operation
        number = f"operation {one.operation}" if kept else "not undoable"
        output.message(f"{path}: applied {counted(one.splices, 'edit')}, {number} ({one.plan})")
    if not receipt.paths:
        output.message("nothing to change")
    output.fields({"dry_run": False, "transaction": receipt.id, "files": receipt.as_dict()["files"]})


def preview_pending(doc: insitu.Document, path: str, output: Output) -> None:
    """Shows what committing a document would do."""
    if doc.changed:
        show_preview(path, doc.diff(), str(doc.plan()), doc.plan().as_dict(), output)
    else:
        show_preview(path, "", "plan: none, for nothing would change", None, output)


def show_preview(
    path: str, diff: str, plan: str, plan_fields: Mapping[str, Any] | None, output: Output
) -> None:
    """Shows what an edit would do."""
    output.result(diff)
    output.result(plan + "\n")
    output.message(f"{path}: dry run, nothing was changed")
    output.fields({"path": path, "dry_run": True, "plan": plan_fields, "diff": diff})


def show_receipt(receipt: insitu.Receipt, path: str, done: str, output: Output) -> None:
    """Says what an edit did, as ``orders.log: replaced 1 place, operation 3, 0.9 ms (overwrite)``."""
    if receipt.operation == 0:
        output.message(f"{path}: {done}")
    else:
        kept = receipt.after.operation == receipt.operation
        number = f"operation {receipt.operation}" if kept else "not undoable"
        planner = receipt.plan.partition("/")[0]
        output.message(f"{path}: {done}, {number}, {duration(receipt.seconds)} ({planner})")
    output.fields({"path": path, "dry_run": False, "receipt": receipt.as_dict()})


def check_generation(doc: insitu.Document, token: str | None) -> None:
    """Refuses a file that is not at the generation the caller saw.

    Raises:
        ExpectationError: it is at another.
    """
    if token is not None and doc.generation.token != token:
        raise ExpectationError(
            f"{doc.path} is at generation {doc.generation.token}, not {token}; nothing was changed.",
            hint="Look at it again: insitu info FILE",
            expected=token,
            found=doc.generation.token,
        )


def check_expected(
    doc: insitu.Document, span: insitu.Span, expected: str | None, *, by_lines: bool, where: str = "There"
) -> None:
    """Refuses where the file does not hold what was expected; between lines, their endings do not count.

    Raises:
        ExpectationError: with what is there.
    """
    if expected is None:
        return
    wanted = typed(expected, doc.encoding)
    # A line feed expected may be a carriage return and a line feed in the file, and the last be missing.
    longest = (
        len(wanted) + (expected.count("\n") + 2) * len(typed("\r\n", doc.encoding))
        if by_lines
        else len(wanted)
    )
    found = doc.read(span.start, min(span.size, longest + _QUOTED_BYTES))
    if span.size <= longest and _same(found, wanted, doc.encoding, by_lines):
        return
    more = f" and {span.size - len(found):,} more bytes" if span.size > len(found) else ""
    raise ExpectationError(
        f"{where} is {clipped(found)}{more}, not {clipped(wanted)}; nothing was changed in {doc.path}.",
        hint="Look at it again, and expect what is there now.",
        found=found.decode(doc.encoding, "backslashreplace"),
        expected=expected,
        span=span,
    )


def _same(found: bytes, wanted: bytes, encoding: str, by_lines: bool) -> bool:
    if found == wanted or not by_lines:
        return found == wanted
    texts = [data.decode(encoding, "backslashreplace").replace("\r\n", "\n") for data in (found, wanted)]
    return texts[0].removesuffix("\n") == texts[1].removesuffix("\n")
