"""How an edit goes into a file's draft (``--draft``) in the place of the file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from insitu.cli.options import EditOptions
from insitu.cli.output import Output, byte_size, counted

if TYPE_CHECKING:
    import insitu


def edit_draft(
    path: str, options: EditOptions, output: Output, change: Callable[[insitu.Document], str]
) -> None:
    """Makes an edit in the draft of a file and saves it; begins a draft where there is none.

    Args:
        change: as for ``insitu.cli.editing.edit``.
    """
    import insitu
    from insitu.cli.editing import check_generation

    if options.committing:
        raise click.UsageError(
            f"{' and '.join(options.committing)} would say how to commit: give that to insitu draft commit."
        )
    if options.dry_run:
        _preview(path, options, output, change)
        return
    with insitu.open(
        path,
        encoding=options.encoding,
        policy=options.policy(),
        lock_timeout_s=options.lock_timeout,
        draft=True,
    ) as doc:
        check_generation(doc, options.if_generation)
        done = change(doc)
        saved = doc.save_draft()
    if not saved:
        output.message(f"{path}: nothing to change in the draft")
        output.fields({"path": path, "dry_run": False, "receipt": None, "draft": None})
        return
    status = insitu.draft_status(path, policy=options.policy())
    output.message(f"{path}: {done} in the draft, which now changes {described(status)}")
    output.fields({"path": path, "dry_run": False, "receipt": None, "draft": status.as_dict()})


def _preview(
    path: str, options: EditOptions, output: Output, change: Callable[[insitu.Document], str]
) -> None:
    """Shows the draft as it would be, in a document that is never saved."""
    import insitu
    from insitu.cli.editing import check_generation, preview_pending
    from insitu.errors import MissingDraftError

    given: dict[str, Any] = {"encoding": options.encoding, "policy": options.policy()}
    try:
        insitu.draft_status(path, policy=options.policy())
        doc = insitu.open(path, **given, lock_timeout_s=options.lock_timeout, draft=True)
    except MissingDraftError:
        insitu.open(path, "r").close()
        doc = insitu.open(path, **given)
    try:
        check_generation(doc, options.if_generation)
        change(doc)
        preview_pending(doc, path, output)
    finally:
        doc.close()


def described(status: insitu.DraftStatus) -> str:
    """How much a draft changes, as ``3 places (+1.2 KB, -40 B)``."""
    brought, gone = byte_size(status.new_bytes), byte_size(status.old_bytes)
    return f"{counted(status.places, 'place')} (+{brought}, -{gone})"
