"""``insitu jsonl``: records of JSON Lines, read and changed by number, by condition and by key."""

from __future__ import annotations

import functools
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from insitu.cli.editing import edit
from insitu.cli.json_values import Command, assigned, key_of, pad_option, value_of
from insitu.cli.json_verbs import add_value_verbs
from insitu.cli.options import EditOptions, Verb, edit_options, file_argument, output_options
from insitu.cli.output import Output, counted
from insitu.cli.streaming import stream

if TYPE_CHECKING:
    import insitu

_WHERE_HELP: Final = "A condition in SQL over the members: \"status = 'new' AND value > 10\"."


@click.group("jsonl")
def jsonl() -> None:
    """Read and change the records of a JSON Lines file.

    Records are lines and count from 1. A value inside a record is named by a JSON Pointer: /user/id. In
    conditions a name is a member of the record, and "/user/id", in double quotes, a pointer. VALUE is JSON
    as it is to be written (- reads standard input). Every other byte stays. All commands speak --json.

        insitu jsonl read events.jsonl --where "status = 'failed'"

        insitu jsonl update events.jsonl --where "status = 'failed'" --set status='"retry"' --dry-run

    A crash leaves the old file or the new one, never some records changed.
    """


def _record(command: Command) -> Command:
    """Adds FILE and RECORD; the command gets ``number``."""
    return file_argument(
        click.argument("number", type=click.IntRange(min=1), metavar="RECORD")(command),
    )


def _where(command: Command) -> Command:
    return click.option("--where", metavar="CONDITION", help=_WHERE_HELP)(command)


def _picked(command: Command) -> Command:
    """Adds --where and --key, of which there may be one."""

    @functools.wraps(command)
    def picking(*args: Any, where: str | None, key: str | None, **rest: Any) -> None:
        if where is not None and key is not None:
            raise click.UsageError("Give --where or --key, not both.")
        command(*args, where=where, key=key_of(key), **rest)

    help_ = "The records that hold this value there, written plainly; found by a text search."
    return _where(click.option("--key", metavar="POINTER=VALUE", help=help_)(picking))


@jsonl.command("count", cls=Verb)
@file_argument
@_where
@output_options
def count(file: str, where: str | None, output: Output) -> None:
    """Count the records, or those that a condition is true for; every one is checked."""
    import insitu

    with insitu.open(file, "r") as doc:
        found = doc.jsonl().count(where)
        _report_torn(doc, output)
    output.result(f"{found}\n")
    output.fields({"path": file, "count": found})


@jsonl.command("check", cls=Verb)
@file_argument
@output_options
def check(file: str, output: Output) -> None:
    """Check that every record is JSON; say where one is not, and whether the last is torn."""
    import insitu

    with insitu.open(file, "r") as doc:
        rows = doc.jsonl()
        found, torn = rows.count(), rows.torn()
        _report_torn(doc, output)
    output.message(f"{file}: {counted(found, 'record')}")
    output.fields({"path": file, "count": found, "torn": torn})


@jsonl.command("read", cls=Verb)
@file_argument
@click.option("--records", "numbers", metavar="A-B", help="Records A to B, from 1; also A and A-.")
@_where
@output_options
def read(file: str, numbers: str | None, where: str | None, output: Output) -> None:
    """Write records to standard output, as they are written in the file, one to a line."""
    import insitu

    first, last = _range(numbers)
    found: list[Any] = []
    with insitu.open(file, "r") as doc:
        rows = doc.jsonl()
        if last is not None:
            rows.span_of_line(last - 1)
        for number, data in rows.lines(where, first - 1, last):
            if output.as_json:
                found.append({"record": number + 1, "value": data})
            else:
                output.result(data)
                output.result("\n")
        _report_torn(doc, output)
    output.fields({"path": file, "records": found})


@jsonl.command("get", cls=Verb)
@_record
@click.argument("pointer", default="")
@output_options
def get(file: str, number: int, pointer: str, output: Output) -> None:
    """Write the value at a pointer in a record to standard output, as it is written in the file."""
    import insitu

    with insitu.open(file, "r") as doc:
        data = doc.jsonl().raw(number - 1, pointer)
    output.result(data + b"\n")
    output.fields({"path": file, "record": number, "pointer": pointer, "value": data})


@jsonl.command("update", cls=Verb)
@file_argument
@click.option("--set", "settings", multiple=True, required=True, metavar="POINTER=VALUE", help="What to set.")
@_picked
@edit_options(expect=False)
def update(
    file: str,
    settings: tuple[str, ...],
    where: str | None,
    key: dict[str, str | int] | None,
    options: EditOptions,
    output: Output,
) -> None:
    """Set values in every record, or in those that a condition or a key picks."""
    from insitu.views.jsonl_mass import JsonlUpdate

    change = JsonlUpdate(assigned(settings), where, key)
    stream(file, change, options, output, label="Updating", done=lambda n: f"updated {counted(n, 'value')}")


@jsonl.command("delete", cls=Verb)
@file_argument
@click.argument("number", type=click.IntRange(min=1), metavar="[RECORD]", required=False)
@click.argument("pointer", required=False)
@_picked
@pad_option
@edit_options(expect=False)
def delete(
    file: str,
    number: int | None,
    pointer: str | None,
    where: str | None,
    key: dict[str, str | int] | None,
    pad: bool,
    options: EditOptions,
    output: Output,
) -> None:
    """Delete a record, a value inside it, or the records that a condition or a key picks."""
    from insitu.views.jsonl_mass import JsonlDelete

    if (number is None) == (where is None and key is None):
        raise click.UsageError("Give a RECORD, --where or --key: one of them.")
    if number is None:
        if pad:
            raise click.UsageError("--pad goes with one RECORD.")
        gone = JsonlDelete(where, key=key)
        stream(
            file, gone, options, output, label="Deleting", done=lambda n: f"deleted {counted(n, 'record')}"
        )
        return
    index = number - 1

    def change(doc: insitu.Document) -> str:
        if pointer is None:
            doc.jsonl().delete(index, padding=pad)
            return f"deleted record {index + 1:,}"
        doc.jsonl().delete_value(index, pointer, padding=pad)
        return f"deleted {pointer} of record {index + 1:,}"

    edit(file, options, output, change)


@jsonl.command("filter", cls=Verb)
@file_argument
@click.option("--where", required=True, metavar="CONDITION", help=_WHERE_HELP)
@edit_options(expect=False)
def filter_(file: str, where: str, options: EditOptions, output: Output) -> None:
    """Keep only the records that a condition is true for; delete the others."""
    from insitu.views.jsonl_mass import JsonlDelete

    gone = JsonlDelete(where, others=True)
    stream(file, gone, options, output, label="Filtering", done=_deleted)


@jsonl.command("insert", cls=Verb)
@_record
@click.argument("value")
@pad_option
@edit_options(expect=False)
def insert(file: str, number: int, value: str, pad: bool, options: EditOptions, output: Output) -> None:
    """Insert a record before another one, or behind the last one."""
    new = value_of(value)

    def change(doc: insitu.Document) -> str:
        rows = doc.jsonl()
        if number > len(rows) + 1:
            rows.span_of_line(number - 1)  # refused: nothing is clipped
        rows.insert(number - 1, new, padding=pad)
        return f"inserted record {number:,}"

    edit(file, options, output, change)


@jsonl.command("append", cls=Verb)
@file_argument
@click.argument("values", nargs=-1, required=True, metavar="VALUE...")
@edit_options(expect=False)
def append(file: str, values: tuple[str, ...], options: EditOptions, output: Output) -> None:
    """Append records."""
    new = [value_of(value) for value in values]

    def change(doc: insitu.Document) -> str:
        doc.jsonl().append(*new)
        return f"appended {counted(len(new), 'record')}"

    edit(file, options, output, change)


class _Record:
    """The values of one record."""

    def __init__(self, doc: insitu.Document, number: int) -> None:
        rows = doc.jsonl()
        self.set, self.rename, self.merge, self.patch = (
            partial(act, number - 1) for act in (rows.set, rows.rename, rows.merge, rows.patch)
        )


add_value_verbs(jsonl, _record, _Record, "the record", " in a record")


@jsonl.command("compact", cls=Verb)
@file_argument
@edit_options(expect=False)
def compact(file: str, options: EditOptions, output: Output) -> None:
    """Take out the white space around records, as --pad leaves it."""
    from insitu.views.jsonl_mass import JsonlCompact

    words = "compacted {:,} places".format
    stream(file, JsonlCompact(), options, output, label="Compacting", done=words)


def _range(numbers: str | None) -> tuple[int, int | None]:
    """The first record, from 1, and the last one; None where the range is open."""
    if numbers is None:
        return 1, None
    found = re.fullmatch(r"(\d*)(-?)(\d*)", numbers.replace(",", "").strip())
    if not found or not (found[1] or found[3]):
        raise click.BadParameter(f"{numbers!r} is not of the form A, A-B, A- or -B", param_hint="--records")
    first = int(found[1] or 1)
    last = int(found[3]) if found[3] else None if found[2] else first
    if first == 0 or (last is not None and last < first):
        raise click.BadParameter(f"{numbers!r} is reversed, or starts before 1", param_hint="--records")
    return first, last


def _report_torn(doc: insitu.Document, output: Output) -> None:
    if torn := doc.jsonl().torn():
        output.message(
            f"{doc.path}: the last record is torn, its {torn.size:,} bytes at {torn.start:,} are left out. "
            f"Take them away with: insitu delete FILE --bytes {torn.start}:{torn.stop}"
        )


def _deleted(count: int) -> str:
    return f"deleted {counted(count, 'record')}"
