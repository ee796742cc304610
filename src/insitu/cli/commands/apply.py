"""``insitu apply``."""

from __future__ import annotations

import click

from insitu.cli.editing import check_generation, show_preview, show_receipt
from insitu.cli.options import EditOptions, edit_options, file_argument, verb
from insitu.cli.output import Output, counted
from insitu.cli.progress import work
from insitu.cli.texts import content_of


@verb("apply")
@file_argument
@click.argument("edits", type=click.Path(allow_dash=True))
@edit_options(expect=False)
def apply(file: str, edits: str, options: EditOptions, output: Output) -> None:
    """Carry out many edits as one: JSON lines or a unified diff.

    EDITS is a file, or - for standard input. All edits are placed in the file as it is now, so none sees
    what another does, and they are committed together.

        diff -u orders.log wanted.log | insitu apply orders.log -

        insitu apply orders.log edits.jsonl --dry-run

    A crash leaves the old file or the new one, never some of the edits: until they are safely noted the
    old one; from then on, the next command that may write finishes it.
    """
    import insitu

    wanted = insitu.parse_edits(content_of(edits))
    if options.if_generation is not None:
        with insitu.open(file, "r") as doc:
            check_generation(doc, options.if_generation)
    if options.dry_run:
        preview = insitu.preview_apply(file, wanted, policy=options.policy())
        choice = preview.choice
        plan = str(choice) if choice else "plan: none, for nothing would change"
        show_preview(file, preview.diff, plan, choice.as_dict() if choice else None, output)
        return
    with work("Applying", silent=output.quiet or output.as_json) as run:
        receipt = insitu.apply(
            file,
            wanted,
            policy=options.policy(),
            lock_timeout_s=options.lock_timeout,
            progress=run.progress,
            cancel=run.cancel,
        )
    show_receipt(receipt, file, f"applied {counted(len(wanted), 'edit')}", output)
