"""``insitu find``."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import click

from insitu.cli.addresses import pattern_of
from insitu.cli.options import draft_reading_option, encoding_option, file_argument, output_options, verb
from insitu.cli.output import Output
from insitu.cli.places import Places
from insitu.cli.progress import work

if TYPE_CHECKING:
    import insitu

# A screenful or two.
_SHOWN: Final = 100
_NOT_FOUND_EXIT: Final = 1


@verb("find")
@file_argument
@click.argument("pattern")
@click.option("--regex", is_flag=True, help="PATTERN is a regular expression (RE2).")
@click.option("--count", is_flag=True, help="Print only how many matches there are.")
@click.option(
    "--max", "most", type=click.IntRange(min=0), default=_SHOWN, metavar="N", show_default=True,
    help="List N matches at most; 0: all.",
)  # fmt: skip
@draft_reading_option
@encoding_option
@output_options
def find(
    file: str,
    pattern: str,
    regex: bool,
    count: bool,
    most: int,
    draft: bool,
    encoding: str | None,
    output: Output,
) -> None:
    """List where a text or a regular expression occurs.

    One match a line: the byte it starts at (from 0), its line (from 1) and the text around it, separated
    by tabs. Exits with 1 where there is none.

        insitu find orders.log "status=failed" --max 5

        insitu find orders.log --regex "id=[0-9]{7,}" --count

    Nothing is changed, so a crash leaves the file as it is.
    """
    if not pattern:
        raise click.UsageError("PATTERN may not be empty.")
    import insitu

    with insitu.open(file, "r", encoding=encoding, draft=draft) as doc:
        wanted = pattern_of(pattern, doc.encoding, regex=regex)
        if count:
            with work("Counting", silent=output.quiet or output.as_json) as run:
                found = doc.count(wanted, regex=regex, progress=run.progress, cancel=run.cancel)
            output.result(f"{found}\n")
            output.fields({"path": file, "count": found})
        else:
            found = _list(doc, wanted, regex, most, file, output)
    if not found:
        click.get_current_context().exit(_NOT_FOUND_EXIT)


def _list(
    doc: insitu.Document, pattern: str | bytes, regex: bool, most: int, file: str, output: Output
) -> int:
    places = Places(doc)
    matches: list[dict[str, object]] = []
    spans = doc.finditer(pattern, regex=regex)
    found = 0
    for span in islice(spans, most) if most else spans:
        found += 1
        line, text = places.line_of(span.start), places.text_around(*span)
        if output.as_json:
            matches.append({"byte": span.start, "stop": span.stop, "line": line, "text": text})
        else:
            output.result(f"{span.start}\t{line or '-'}\t{text}\n")
    more = bool(most) and next(spans, None) is not None
    if more:
        output.message(f"{file}: there are more matches than the {found:,} shown; --max 0 lists all")
    output.fields({"path": file, "matches": matches, "more": more})
    return found
