"""``insitu replace``."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from insitu.cli.addresses import CANDIDATES_MAX, absent, ambiguous, pattern_of, typed
from insitu.cli.editing import edit, show_preview, show_receipt
from insitu.cli.options import EditOptions, edit_options, file_argument, verb
from insitu.cli.output import Output, counted
from insitu.cli.progress import work
from insitu.cli.texts import parsed_hex
from insitu.errors import ExpectationError, InsituError, NoMatchError

if TYPE_CHECKING:
    import insitu


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
    wanted = _Wanted(old, new, regex, hex_, first, 1 if once else expect_count, once)
    if options.if_generation is None and not options.draft:
        _stream(file, wanted, options, output)
    else:
        edit(file, options, output, wanted.replace_in, label="Replacing")


@dataclass(frozen=True)
class _Wanted:
    """What is to be replaced by what, and how often."""

    old: str
    new: str
    regex: bool
    as_hex: bool
    count: int | None
    expect: int | None
    once: bool

    def texts(self, doc: insitu.Document) -> tuple[str | bytes, bytes]:
        """What is looked for and what replaces it, for the library."""
        if self.as_hex:
            return parsed_hex(self.old), parsed_hex(self.new)
        return pattern_of(self.old, doc.encoding, regex=self.regex), typed(self.new, doc.encoding)

    def replace_in(self, doc: insitu.Document) -> str:
        """Replaces in an open document, which checks its generation; not for millions of places."""
        old, new = self.texts(doc)
        try:
            found = doc.replace(old, new, count=self.count, expect=self.expect, regex=self.regex)
        except (ExpectationError, NoMatchError):
            if not self.once:
                raise
            raise self.not_once(doc) from None
        return f"replaced {counted(found, 'place')}"

    def not_once(self, doc: insitu.Document) -> InsituError:
        """The error for a text that is not there exactly once, naming the places where it is."""
        found = list(islice(doc.finditer(self.texts(doc)[0], regex=self.regex), CANDIDATES_MAX + 1))
        return ambiguous(doc, found) if found else absent(doc.path, self.old)


def _stream(file: str, wanted: _Wanted, options: EditOptions, output: Output) -> None:
    """Replaces any number of places in flat memory."""
    import insitu

    with insitu.open(file, "r", encoding=options.encoding) as doc:
        old, new = wanted.texts(doc)
    given: dict[str, Any] = {
        "count": wanted.count,
        "expect": wanted.expect,
        "regex": wanted.regex,
        "policy": options.policy(),
        "lock_timeout_s": options.lock_timeout,
    }
    call = insitu.preview_replace if options.dry_run else insitu.replace
    try:
        with work("Replacing", silent=output.quiet or output.as_json) as run:
            result = call(file, old, new, progress=run.progress, cancel=run.cancel, **given)
    except (ExpectationError, NoMatchError):
        if not wanted.once:
            raise
        with insitu.open(file, "r", encoding=options.encoding) as doc:
            raise wanted.not_once(doc) from None
    if isinstance(result, insitu.Preview):
        choice = result.choice
        plan = str(choice) if choice else "plan: none, for nothing would change"
        show_preview(file, result.diff, plan, choice.as_dict() if choice else None, output)
    else:
        show_receipt(result, file, f"replaced {counted(result.splices, 'place')}", output)
