"""``insitu records``: records of one size, read and changed by number and field."""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import click

from insitu.cli.editing import edit
from insitu.cli.options import EditOptions, Verb, edit_options, encoding_option, file_argument, output_options
from insitu.cli.output import Output, byte_size, counted
from insitu.cli.record_values import Setting, given_value, plain
from insitu.cli.streaming import stream
from insitu.errors import LimitError, SpanError

if TYPE_CHECKING:
    import insitu
    from insitu.views.records import Records

Command = Callable[..., None]

# One JSON object is held in memory, here and by whoever parses it.
_JSON_BYTES_MAX: Final = 16 << 20

# Texts in records are UTF-8 unless the caller names another encoding: samples of binary data tell nothing.
_ENCODING: Final = "utf-8"

_DTYPE: Final = click.option(
    "--dtype", required=True, metavar="LAYOUT",
    help="What a record is: 'id:<u4, price:<f8, name:S16', a NumPy type, or a struct format.",
)  # fmt: skip
_OFFSET: Final = click.option(
    "--offset", type=click.IntRange(min=0), default=0, metavar="N", help="The first record starts at byte N."
)
_FIELD: Final = click.option("--field", metavar="NAME", help="This field only.")
_VALUE_HELP: Final = "JSON, or else a text; a record is an object or an array."


@click.group("records")
def records() -> None:
    """Read and change records of a fixed size.

    A record is found by a multiplication, whatever the size of the file. --dtype says what a record is:
    names with NumPy types, one NumPy type, or a format of Python's struct module. Records count from 1.
    All commands speak --json.

        insitu records read ticks.bin --dtype "time:<i8, price:<f8" --records 1-3

        insitu records set ticks.bin --dtype "time:<i8, price:<f8" --records 2 --field price --value 9.5

    A crash leaves the old file or the new one, never a record half written.
    """


def _laid_out(command: Command) -> Command:
    """Adds FILE, --dtype and --offset."""
    for option in (_OFFSET, _DTYPE, file_argument):
        command = option(command)
    return command


def _numbers(required: bool) -> Callable[[Command], Command]:
    """Adds --records A-B; the command gets ``numbers``: first and last, from 1, None where open."""
    help_ = "Records A to B, from 1; also A, A- and -B."

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def numbered(*args: Any, numbers: str | None, **rest: Any) -> None:
            command(*args, numbers=_parsed(numbers), **rest)

        return click.option("--records", "numbers", required=required, metavar="A-B", help=help_)(numbered)

    return decorate


def _parsed(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    found = re.fullmatch(r"(\d*)(-?)(\d*)", text.replace(",", "").strip())
    if not found or not (found[1] or found[3]):
        raise click.BadParameter(f"{text!r} is not of the form A, A-B, A- or -B", param_hint="--records")
    first = int(found[1]) if found[1] else None
    last = (int(found[3]) if found[3] else None) if found[2] else first
    if first == 0 or last == 0:
        raise click.BadParameter("records count from 1", param_hint="--records")
    if first is not None and last is not None and first > last:
        raise click.BadParameter(f"{text!r} is reversed: {first} comes after {last}", param_hint="--records")
    return first, last


def _indexes(doc: insitu.Document, view: Records, numbers: tuple[int | None, int | None]) -> tuple[int, int]:
    """The records asked for as indexes, 0-based and half-open.

    Raises:
        SpanError: there are fewer.
    """
    count = len(view)
    first, last = numbers[0] or 1, count if numbers[1] is None else numbers[1]
    if max(first, last) > count and (count or numbers != (None, None)):
        raise SpanError(
            f"There is no record {max(first, last):,} in {doc.path}, which has {counted(count, 'record')}.",
            hint="Records count from 1, as lines do; see how many: insitu records count FILE --dtype LAYOUT",
            record=max(first, last),
            record_count=count,
        )
    return first - 1, last


def _of_records(doc: insitu.Document, dtype: str, offset: int) -> Records:
    return doc.records(dtype, offset=offset)


@records.command("read", cls=Verb)
@_laid_out
@_numbers(required=False)
@_FIELD
@encoding_option
@output_options
def read(
    file: str,
    dtype: str,
    offset: int,
    numbers: tuple[int | None, int | None],
    field: str | None,
    encoding: str | None,
    output: Output,
) -> None:
    """Print records as JSON lines: an object for each, or the value of one field.

    Without --records, all of them. Bytes are shown as text in UTF-8 (or --encoding), those that are no
    text as lone surrogates; numbers that JSON does not know as "NaN", "Infinity" and "-Infinity".

        insitu records read ticks.bin --dtype "time:<i8, price:<f8" --records 1-3

    Nothing is changed, so a crash leaves the file as it is.
    """
    import insitu

    codec = encoding or _ENCODING
    with insitu.open(file, "r", encoding=encoding) as doc:
        view = _of_records(doc, dtype, offset)
        first, stop = _indexes(doc, view, numbers)
        values = (plain(value, codec) for value in _values(view, first, stop, field))
        if not output.as_json:
            for value in values:
                output.result(json.dumps(value) + "\n")
            return
        if (size := (stop - first) * view.record_bytes) > _JSON_BYTES_MAX:
            raise LimitError(
                f"The records hold {byte_size(size)}, and one JSON object at most "
                f"{byte_size(_JSON_BYTES_MAX)}.",
                hint="Read them in parts with --records, or without --json: that gives JSON lines.",
                size=size,
            )
        output.fields({"path": file, "first": first + 1, "records": list(values)})


@records.command("get", cls=Verb)
@_laid_out
@_numbers(required=True)
@_FIELD
@encoding_option
@output_options
def get(
    file: str,
    dtype: str,
    offset: int,
    numbers: tuple[int | None, int | None],
    field: str | None,
    encoding: str | None,
    output: Output,
) -> None:
    """Print one record, or one field of it: text as it is, anything else as JSON.

        insitu records get ticks.bin --dtype "time:<i8, price:<f8" --records 3 --field price

    Nothing is changed, so a crash leaves the file as it is.
    """
    import insitu

    with insitu.open(file, "r", encoding=encoding) as doc:
        view = _of_records(doc, dtype, offset)
        first, stop = _indexes(doc, view, numbers)
        if stop - first != 1:
            raise click.UsageError("get prints one record: give --records N, or use read for several.")
        value = plain(next(_values(view, first, stop, field)), encoding or _ENCODING)
    output.result((value if isinstance(value, str) else json.dumps(value)) + "\n")
    output.fields({"path": file, "record": first + 1, "field": field, "value": value})


@records.command("count", cls=Verb)
@_laid_out
@output_options
def count(file: str, dtype: str, offset: int, output: Output) -> None:
    """Print how many records there are.

        insitu records count ticks.bin --dtype "time:<i8, price:<f8"

    Nothing is changed, so a crash leaves the file as it is.
    """
    import insitu

    with insitu.open(file, "r") as doc:
        view = _of_records(doc, dtype, offset)
        found = len(view)
    output.result(f"{found}\n")
    output.fields(
        {"path": file, "records": found, "record_bytes": view.record_bytes, "fields": list(view.names)}
    )


@records.command("set", cls=Verb)
@_laid_out
@_numbers(required=True)
@_FIELD
@click.option("--value", required=True, help=f"What to set: {_VALUE_HELP}")
@edit_options(expect=True)
def set_(
    file: str,
    dtype: str,
    offset: int,
    numbers: tuple[int | None, int | None],
    field: str | None,
    value: str,
    options: EditOptions,
    output: Output,
) -> None:
    """Set records, or one field of them, to a value.

    Without --field, the value is a whole record, or an object with some of its fields. Any number of
    records is one operation; only bytes that differ are written. --expect refuses unless the field (or
    record) has this value in every record addressed.

        insitu records set ticks.bin --dtype "time:<i8, price:<f8" --records 2- --field price --value 0

    A crash leaves the old file or the new one.
    """
    from insitu.views.record_update import RecordUpdate

    options = replace(options, encoding=options.encoding or _ENCODING)
    with options.reading(file) as doc:
        view = _of_records(doc, dtype, offset)
        first, stop = _indexes(doc, view, numbers)
        setting = Setting(view.layout, field, value, options.expect, doc.text.encode, first + 1)
    last = None if numbers[1] is None else stop
    change = RecordUpdate(view.layout, setting, offset, first, last)
    what = f"{field or 'the values'} of {_named(first, stop)}"
    if options.dry_run:
        output.result(f"would set {what}\n")
    stream(file, change, options, output, label="Setting", done=lambda _: f"set {what}")


@records.command("append", cls=Verb)
@_laid_out
@click.argument("dash", type=click.Choice(["-"]), required=False, metavar="[-]")
@click.option("--value", "values", multiple=True, help=f"A record: {_VALUE_HELP} Repeatable.")
@edit_options(expect=False)
def append(
    file: str,
    dtype: str,
    offset: int,
    dash: str | None,
    values: tuple[str, ...],
    options: EditOptions,
    output: Output,
) -> None:
    """Append records, given as JSON: with --value, or on standard input (-), one a line.

        insitu records append ticks.bin --dtype "time:<i8, price:<f8" --value '{"time": 9, "price": 1.5}'

    A crash leaves the old file or the new one.
    """
    if bool(dash) == bool(values):
        raise click.UsageError("Give records with --value, or - for standard input.")
    lines = sys.stdin.read().splitlines() if dash else values
    options = replace(options, encoding=options.encoding or _ENCODING)

    def change(doc: insitu.Document) -> str:
        view = _of_records(doc, dtype, offset)
        given = [given_value(line, view.dtype) for line in lines if line.strip()]
        view.extend(given)
        return f"appended {counted(len(given), 'record')}"

    edit(file, options, output, change, label="Appending")


@records.command("delete", cls=Verb)
@_laid_out
@_numbers(required=True)
@edit_options(expect=False)
def delete(
    file: str,
    dtype: str,
    offset: int,
    numbers: tuple[int | None, int | None],
    options: EditOptions,
    output: Output,
) -> None:
    """Remove records.

        insitu records delete ticks.bin --dtype "time:<i8, price:<f8" --records 2-3

    A crash leaves the old file or the new one.
    """

    def change(doc: insitu.Document) -> str:
        view = _of_records(doc, dtype, offset)
        first, stop = _indexes(doc, view, numbers)
        del view[first:stop]
        return f"deleted {_named(first, stop)}"

    edit(file, options, output, change, label="Deleting")


def _named(first: int, stop: int) -> str:
    """``record 7``, ``records 7-9``: pasted back, behind --records, it names the same ones."""
    return f"record {stop}" if stop - first == 1 else f"records {first + 1}-{stop}"


def _values(view: Records, first: int, stop: int, field: str | None) -> Iterator[Any]:
    """Yields records, or a field of them, a batch at a time."""
    if field is not None:
        view.field(field)
    step = max(1, (1 << 20) // view.record_bytes)
    for start in range(first, stop, step):
        batch = view[start : min(start + step, stop)]
        yield from batch if field is None else batch[field]
