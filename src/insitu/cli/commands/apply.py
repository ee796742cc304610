"""``insitu apply``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from insitu.cli.editing import edit, edit_together
from insitu.cli.options import EditOptions, edit_options, verb
from insitu.cli.output import Output, counted
from insitu.cli.texts import content_of

if TYPE_CHECKING:
    import insitu


@verb("apply")
@click.argument("file", type=click.Path(allow_dash=True), metavar="FILE")
@click.argument("edits", type=click.Path(allow_dash=True), required=False, metavar="EDITS")
@click.option("--transaction", is_flag=True, help="EDITS name several files; all change, or none. No FILE.")
@edit_options(expect=False)
def apply(file: str, edits: str | None, transaction: bool, options: EditOptions, output: Output) -> None:
    """Carry out many edits as one: JSON lines or a unified diff.

    EDITS is a file, or - for standard input. All edits are placed in the file as it is now, so none sees
    what another does, and they are committed together.

        diff -u orders.log wanted.log | insitu apply orders.log -

        insitu apply orders.log edits.jsonl --dry-run

    With --transaction there is no FILE: each edit has a "path", or the diff is one of several files, and
    they change together or not at all.

        git diff | insitu apply --transaction -

    A crash leaves the old files or the new ones, never some of the edits: until they are safely noted the
    old ones; from then on, the next command that may write finishes its file.
    """
    import insitu
    from insitu.views.edits import place

    if transaction:
        if edits is not None:
            raise click.UsageError("With --transaction the edits name the files: give EDITS alone.")
        edit_together(insitu.parse_changes(content_of(file)), options, output)
        return
    if edits is None:
        raise click.UsageError("Missing argument 'EDITS'.")
    wanted = insitu.parse_edits(content_of(edits))

    def change(doc: insitu.Document) -> str:
        doc.replace_spans(place(doc, wanted))
        return f"applied {counted(len(wanted), 'edit')}"

    edit(file, options, output, change, label="Applying")
