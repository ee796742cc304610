"""The commands that change one value, the same in a JSON document and in a record of JSON Lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import click

from insitu.cli.editing import edit
from insitu.cli.json_values import Command, pad_option, parsed, string_option, value_of
from insitu.cli.options import EditOptions, Verb, edit_options
from insitu.cli.output import Output, counted

if TYPE_CHECKING:
    import insitu

# Takes ``padding`` besides.
_Act = Callable[..., None]


class Values(Protocol):
    """Values at pointers that can be changed: those of a document, or of one record."""

    @property
    def set(self) -> _Act:
        """Takes a pointer and a value."""
        ...

    @property
    def rename(self) -> _Act:
        """Takes a pointer and a key."""
        ...

    @property
    def merge(self) -> _Act:
        """Takes a patch and a pointer."""
        ...

    @property
    def patch(self) -> _Act:
        """Takes the operations of a patch."""
        ...


def add_value_verbs(
    group: click.Group,
    address: Callable[[Command], Command],
    values: Callable[[insitu.Document, int], Values],
    whole: str,
    inside: str = "",
) -> None:
    """Adds the commands ``set``, ``rename``, ``merge`` and ``patch`` to a group.

    Args:
        address: adds the arguments FILE and, where there are records, ``number``.
        values: what is changed, of a document and that number (0 where there is none).
        whole: what a command calls all that is addressed.
        inside: behind a place in the help: ``" in a record"``.
    """

    def change(
        file: str,
        number: int,
        options: EditOptions,
        output: Output,
        act: Callable[[Values], object],
        done: str,
    ) -> None:
        def changing(doc: insitu.Document) -> str:
            act(values(doc, number))
            return f"{done} record {number:,}" if number else done

        edit(file, options, output, changing)

    set_help = f"Give the value at a pointer{inside} another one, or add a missing member to its object."

    @group.command("set", cls=Verb, help=set_help)
    @address
    @click.argument("pointer")
    @click.argument("value")
    @string_option
    @pad_option
    @edit_options(expect=False)
    def set_(pointer: str, value: str, string: bool, pad: bool, number: int = 0, **rest: Any) -> None:
        new = value_of(value, string=string)
        done = f"set {pointer} of" if number and pointer else "set" if number else f"set {pointer or whole}"
        change(number=number, act=lambda at: at.set(pointer, new, padding=pad), done=done, **rest)

    @group.command(
        "rename", cls=Verb, help=f"Give the member at a pointer{inside} another key, in its place."
    )
    @address
    @click.argument("pointer")
    @click.argument("key")
    @pad_option
    @edit_options(expect=False)
    def rename(pointer: str, key: str, pad: bool, number: int = 0, **rest: Any) -> None:
        done = f"renamed {pointer} to {key}" + " in" * bool(number)
        change(number=number, act=lambda at: at.rename(pointer, key, padding=pad), done=done, **rest)

    merge_help = f"Merge a patch into {whole} (RFC 7386): null deletes a member, objects merge."

    @group.command("merge", cls=Verb, help=merge_help)
    @address
    @click.argument("patch")
    @click.option("--at", "pointer", default="", metavar="POINTER", help="Merge into this value.")
    @pad_option
    @edit_options(expect=False)
    def merge(patch: str, pointer: str, pad: bool, number: int = 0, **rest: Any) -> None:
        given = parsed(patch, "merge patch")
        done = "merged" + " into" * bool(number)
        change(number=number, act=lambda at: at.merge(given, pointer, padding=pad), done=done, **rest)

    patch_help = f"Make the operations of a JSON Patch (RFC 6902){inside}, all or none."

    @group.command("patch", cls=Verb, help=patch_help)
    @address
    @click.argument("operations")
    @pad_option
    @edit_options(expect=False)
    def patch(operations: str, pad: bool, number: int = 0, **rest: Any) -> None:
        given = parsed(operations, "patch")
        listed = given if isinstance(given, list) else [given]
        done = f"made {counted(len(listed), 'operation')}" + " in" * bool(number)
        change(number=number, act=lambda at: at.patch(listed, padding=pad), done=done, **rest)
