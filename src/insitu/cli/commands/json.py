"""``insitu json``: one JSON document, its values read and changed by JSON Pointer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from insitu.cli.editing import edit
from insitu.cli.json_values import pad_option, string_option, value_of
from insitu.cli.json_verbs import add_value_verbs
from insitu.cli.options import EditOptions, Verb, edit_options, file_argument, output_options
from insitu.cli.output import Output, counted

if TYPE_CHECKING:
    import insitu

# Values are written to standard output in pieces of this size.
_PIECE_BYTES: Final = 1 << 20


@click.group("json")
def json() -> None:
    """Read and change the values of one JSON document.

    A value is named by a JSON Pointer: /rows/0/id, "" for the whole document, - for the element behind the
    last. VALUE is JSON as it is to be written (- reads standard input). Every other byte of the document
    stays. All commands speak --json.

        insitu json get config.json /server/port

        insitu json set config.json /server/port 8080 --dry-run

    A crash leaves the old file or the new one, never a value half written.
    """


@json.command("get", cls=Verb)
@file_argument
@click.argument("pointer", default="")
@output_options
def get(file: str, pointer: str, output: Output) -> None:
    """Write the value at a pointer to standard output, as it is written in the file."""
    import insitu

    with insitu.open(file, "r") as doc:
        span = doc.json().span_of(pointer)
        if output.as_json:
            value = doc.read(span.start, span.size)
            output.fields({"path": file, "pointer": pointer, "span": span, "value": value})
            return
        for start in range(span.start, span.stop, _PIECE_BYTES):
            output.result(doc.read(start, min(_PIECE_BYTES, span.stop - start)))
        output.result("\n")


@json.command("keys", cls=Verb)
@file_argument
@click.argument("pointer", default="")
@output_options
def keys(file: str, pointer: str, output: Output) -> None:
    """List the keys of the object at a pointer, one to a line."""
    import insitu

    with insitu.open(file, "r") as doc:
        found = doc.json().keys(pointer)
        if output.as_json:
            output.fields({"path": file, "pointer": pointer, "keys": list(found)})
            return
        for key in found:
            output.result(key.encode("unicode_escape").decode() + "\n" if "\n" in key else key + "\n")


@json.command("check", cls=Verb)
@file_argument
@output_options
def check(file: str, output: Output) -> None:
    """Check that a file is JSON, every byte of it; say where it is not."""
    import insitu

    with insitu.open(file, "r") as doc:
        doc.json().check()
        output.message(f"{file}: JSON, {counted(doc.size, 'byte')}")
        output.fields({"path": file, "valid": True, "size": doc.size})


@json.command("insert", cls=Verb)
@file_argument
@click.argument("pointer")
@click.argument("value")
@string_option
@pad_option
@edit_options(expect=False)
def insert(
    file: str, pointer: str, value: str, string: bool, pad: bool, options: EditOptions, output: Output
) -> None:
    """Insert before the element at a pointer, or add a member that is not there yet."""
    new = value_of(value, string=string)

    def change(doc: insitu.Document) -> str:
        doc.json().insert(pointer, new, padding=pad)
        return f"inserted {pointer}"

    edit(file, options, output, change)


@json.command("append", cls=Verb)
@file_argument
@click.argument("pointer")
@click.argument("values", nargs=-1, required=True, metavar="VALUE...")
@string_option
@pad_option
@edit_options(expect=False)
def append(
    file: str,
    pointer: str,
    values: tuple[str, ...],
    string: bool,
    pad: bool,
    options: EditOptions,
    output: Output,
) -> None:
    """Append values to the array at a pointer."""
    new = [value_of(value, string=string) for value in values]

    def change(doc: insitu.Document) -> str:
        doc.json().append(pointer, *new, padding=pad)
        return f"appended {counted(len(new), 'element')}"

    edit(file, options, output, change)


@json.command("delete", cls=Verb)
@file_argument
@click.argument("pointer")
@pad_option
@edit_options(expect=False)
def delete(file: str, pointer: str, pad: bool, options: EditOptions, output: Output) -> None:
    """Delete the member or element at a pointer."""

    def change(doc: insitu.Document) -> str:
        doc.json().delete(pointer, padding=pad)
        return f"deleted {pointer}"

    edit(file, options, output, change)


add_value_verbs(json, file_argument, lambda doc, _: doc.json(), "the document")
