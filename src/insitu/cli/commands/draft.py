"""``insitu draft``."""

from __future__ import annotations

import time

import click

from insitu.cli.drafting import described
from insitu.cli.editing import check_generation, preview_pending, show_receipt
from insitu.cli.options import (
    EditOptions,
    Verb,
    VerbGroup,
    edit_options,
    file_argument,
    lock_timeout_option,
    output_options,
)
from insitu.cli.output import Output, byte_size, counted, table
from insitu.cli.progress import work


@click.group("draft", cls=VerbGroup, no_args_is_help=False)
def draft() -> None:
    """Save edits before they are committed, all at once, or dropped.

    Every editing command takes --draft: its edit is then saved in the file's draft, and the file is not
    touched. That costs as much as the edit, however large the file; ten thousand insertions in a draft
    are one pass over the file when the draft is committed. A file has one draft. All of these know --json.

        insitu insert orders.log --after-line 7 --text "a note" --draft

        insitu read orders.log --draft --lines 1-10

        insitu draft commit orders.log

    A crash leaves the draft as it was before the last edit, or as it is after it.
    """


@draft.command("start", cls=Verb)
@file_argument
@lock_timeout_option
@output_options
def start(file: str, lock_timeout: float, output: Output) -> None:
    """Begin a draft, without edits; the first edit with --draft does, too.

        insitu draft start orders.log

    A crash leaves an empty draft, or none.
    """
    import insitu

    begun = insitu.start_draft(file, lock_timeout_s=lock_timeout)
    output.message(f"{file}: began a draft" if begun else f"{file}: there is a draft already")
    output.fields({"path": file, "begun": begun})


@draft.command("status", cls=Verb)
@file_argument
@output_options
def status(file: str, output: Output) -> None:
    """Show what a draft holds, and whether it fits the file.

        insitu draft status orders.log

    Exits with 1 where there is no draft. Nothing is changed.
    """
    import insitu

    found = insitu.draft_status(file)
    output.fields({**found.as_dict(), "path": file})
    rows = [
        ("begun", time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found.begun))),
        ("changes", described(found)),
        ("kept in", byte_size(found.stored_bytes)),
        ("fits", "yes" if found.standing == "fits" else "no"),
    ]
    output.result(table(rows))
    if found.why:
        output.result(found.why + "\n")


@draft.command("diff", cls=Verb)
@file_argument
@output_options
def diff(file: str, output: Output) -> None:
    """Show what a draft would change.

    A unified diff of bounded length. Where the draft does not fit the file any more, its spans with what
    would take their place, and whether what surrounds them is as it was.

        insitu draft diff orders.log

    Nothing is changed.
    """
    import insitu

    text = insitu.draft_diff(file)
    output.result(text)
    output.fields({"path": file, "diff": text})


@draft.command("commit", cls=Verb)
@file_argument
@click.option(
    "--if-intact", is_flag=True, help="After others' changes, too, if nothing near the edits changed."
)
@edit_options(expect=False, draft=False)
def commit(file: str, if_intact: bool, options: EditOptions, output: Output) -> None:
    """Commit all edits of a draft as one operation, and remove the draft.

    Edits are moved past what was committed meanwhile elsewhere in the file. After a change by another
    program the draft is refused and kept; with --if-intact it is committed all the same, provided that the
    bytes around every edit are what they were.

        insitu draft commit orders.log --dry-run

    A crash leaves the old file with its draft, or the new file without: until the edit is safely noted the
    former; from then on, the next command that may write finishes it.
    """
    import insitu

    if options.if_generation is not None or options.dry_run:
        with insitu.open(file, "r", policy=options.policy(), draft=True) as doc:
            check_generation(doc, options.if_generation)
            if options.dry_run:
                preview_pending(doc, file, output)
                return
    places = insitu.draft_status(file).places
    with work("Committing", silent=output.quiet or output.as_json) as run:
        receipt = insitu.commit_draft(
            file,
            if_intact=if_intact,
            policy=options.policy(),
            lock_timeout_s=options.lock_timeout,
            progress=run.progress,
            cancel=run.cancel,
        )
    show_receipt(receipt, file, f"committed the draft of {counted(places, 'place')}", output)


@draft.command("drop", cls=Verb)
@file_argument
@lock_timeout_option
@output_options
def drop(file: str, lock_timeout: float, output: Output) -> None:
    """Remove a draft with all its edits; the file is not touched.

        insitu draft drop orders.log

    A crash leaves the draft, or none.
    """
    import insitu

    insitu.drop_draft(file, lock_timeout_s=lock_timeout)
    output.message(f"{file}: dropped the draft")
    output.fields({"path": file, "dropped": True})
