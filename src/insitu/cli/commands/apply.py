"""``insitu apply``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from insitu.cli.editing import edit
from insitu.cli.options import EditOptions, edit_options, file_argument, verb
from insitu.cli.output import Output, counted
from insitu.cli.texts import content_of

if TYPE_CHECKING:
    import insitu


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
    from insitu.views.edits import place

    wanted = insitu.parse_edits(content_of(edits))

    def change(doc: insitu.Document) -> str:
        doc.replace_spans(place(doc, wanted))
        return f"applied {counted(len(wanted), 'edit')}"

    edit(file, options, output, change, label="Applying")
