"""``insitu replace``."""

from __future__ import annotations

from typing import Any

import click

from insitu.cli.addresses import CANDIDATES_MAX, absent, ambiguous, typed
from insitu.cli.editing import check_generation, show_preview, show_receipt
from insitu.cli.options import EditOptions, edit_options, file_argument, verb
from insitu.cli.output import Output, counted
from insitu.cli.progress import work
from insitu.cli.texts import parsed_hex
from insitu.errors import ExpectationError, NoMatchError


@verb("replace")
@file_argument
@click.argument("old")
@click.argument("new")
@click.option("--regex", is_flag=True, help="OLD is a regular expression (RE2); NEW may hold \\1.")
@click.option("--all", "all_", is_flag=True, help="Every occurrence, even none.")
@click.option("--first", type=click.IntRange(min=1), metavar="N", help="The first N occurrences at most.")
@click.option("--expect-count", type=click.IntRange(min=0), metavar="N", help="All, and there must be N.")
@click.option("--hex", "hex_", is_flag=True, help="OLD and NEW are hexadecimal digits.")
@edit_options(expect=False)
def replace(
    file: str,
    old: str,
    new: str,
    regex: bool,
    all_: bool,
    first: int | None,
    expect_count: int | None,
    hex_: bool,
    options: EditOptions,
    output: Output,
) -> None:
    """Replace a text wherever it occurs, or exactly once.

    With none of --all, --first and --expect-count, OLD must occur exactly once. OLD and NEW are taken as
    they are given: no line ending is added. Any number of places is one operation.

        insitu replace orders.log "status=failed" "status=retry" --all --dry-run

        insitu replace orders.log --regex "id=([0-9]+)" "id=#\\1" --first 100

    A crash leaves the old file or the new one, never some places replaced: until the edit is safely noted
    the old one; from then on, the next command that may write finishes it.
    """
    if sum((all_, first is not None, expect_count is not None)) > 1:
        raise click.UsageError("Give one of --all, --first and --expect-count at most.")
    if regex and hex_:
        raise click.UsageError("--hex gives bytes, --regex takes an expression: give one of them.")
    if not old:
        raise click.UsageError("OLD may not be empty.")
    once = not all_ and first is None and expect_count is None
    import insitu

    with insitu.open(file, "r") as doc:
        check_generation(doc, options.if_generation)
        given = (
            (old, new) if regex else (_literal(old, hex_, doc.encoding), _literal(new, hex_, doc.encoding))
        )
    wanted: dict[str, Any] = {
        "count": first,
        "expect": 1 if once else expect_count,
        "regex": regex,
        "policy": options.policy(),
        "lock_timeout_s": options.lock_timeout,
    }
    try:
        with work("Replacing", silent=output.quiet or output.as_json) as run:
            verb_ = insitu.preview_replace if options.dry_run else insitu.replace
            result = verb_(file, *given, progress=run.progress, cancel=run.cancel, **wanted)
    except (ExpectationError, NoMatchError):
        if not once:
            raise
        raise _not_once(file, given[0], regex) from None
    if isinstance(result, insitu.Preview):
        choice = result.choice
        plan = str(choice) if choice else "plan: none, for nothing would change"
        show_preview(file, result.diff, plan, choice.as_dict() if choice else None, output)
    else:
        show_receipt(result, file, f"replaced {counted(result.splices, 'place')}", output)


def _literal(text: str, as_hex: bool, encoding: str) -> bytes:
    return parsed_hex(text) if as_hex else typed(text, encoding)


def _not_once(file: str, pattern: str | bytes, regex: bool) -> Exception:
    """The error for a text that is not there exactly once, naming the places where it is."""
    import insitu

    found: list[insitu.Span] = []
    with insitu.open(file, "r") as doc:
        for span in doc.finditer(pattern, regex=regex):
            found.append(span)
            if len(found) > CANDIDATES_MAX:
                break
        return ambiguous(doc, found) if found else absent(doc.path, pattern)
