"""``insitu md front-matter``: what stands before a Markdown document."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from insitu.cli.editing import edit
from insitu.cli.options import (
    EditOptions,
    Verb,
    VerbGroup,
    edit_options,
    encoding_option,
    file_argument,
    output_options,
)
from insitu.cli.output import Output

if TYPE_CHECKING:
    import insitu


@click.group("front-matter", cls=VerbGroup, no_args_is_help=False)
def front_matter() -> None:
    """Read and change what stands between --- (YAML) or +++ (TOML) before the document.

        insitu md front-matter get README.md title

    Nothing is changed.
    """


@front_matter.command("get", cls=Verb)
@file_argument
@click.argument("key", required=False)
@encoding_option
@output_options
def get(file: str, key: str | None, encoding: str | None, output: Output) -> None:
    """Write the front matter, or the value of a key as it stands on its line.

        insitu md front-matter get README.md

    Nothing is changed.
    """
    import insitu

    with insitu.open(file, "r", encoding=encoding) as doc:
        view = doc.markdown()
        text = view.front.get(key) if key else view.front_matter or ""
    output.result(text + "\n" if key else text)
    output.fields({"path": file, "key": key, "text": text})


@front_matter.command("set", cls=Verb)
@file_argument
@click.argument("key")
@click.argument("value")
@edit_options(expect=False)
def set_(file: str, key: str, value: str, options: EditOptions, output: Output) -> None:
    """Set the value of a key, as it shall be written; a key that is not there is added.

        insitu md front-matter set README.md title "A manual"

    A crash leaves the old file or the new one.
    """

    def change(doc: insitu.Document) -> str:
        doc.markdown().front.set(key, value)
        return f"set {key}"

    edit(file, options, output, change)
