"""``insitu transform``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from insitu.cli.options import EditOptions, edit_options, file_argument, verb
from insitu.cli.output import Output, counted
from insitu.cli.streaming import stream

if TYPE_CHECKING:
    from insitu.views.streaming import MassEdit

_KINDS: Final = ("lines", "chunks", "records", "rows")


@dataclass(frozen=True)
class _BuiltIn:
    """What an option stands for: the edit its value makes, and what it says afterwards."""

    make: Callable[..., MassEdit]
    done: str
    noun: str


def _edits() -> Any:
    from insitu import edits

    return edits


_BUILT_IN: Final = {
    "substitute": _BuiltIn(lambda value: _edits().Substitute(*value), "substituted", "match"),
    "drop": _BuiltIn(lambda value: _edits().Drop(value), "dropped", "line"),
    "keep": _BuiltIn(lambda value: _edits().Keep(value), "dropped", "line"),
    "dedupe": _BuiltIn(lambda value: _edits().Dedupe(value == "adjacent"), "dropped", "line"),
    "number": _BuiltIn(lambda _: _edits().Number(), "numbered", "line"),
    "line_ends": _BuiltIn(lambda value: _edits().LineEnds(value), "changed", "line end"),
    "trim": _BuiltIn(lambda _: _edits().Trim(), "trimmed", "line"),
    "redact": _BuiltIn(lambda value: _edits().Redact(*value), "redacted", "match"),
}


@verb("transform")
@file_argument
@click.argument("function", metavar="[MODULE:FUNCTION]", required=False)
@click.option("--by", type=click.Choice(_KINDS), default="lines", show_default=True, help="What it is given.")
@click.option("--context", type=click.IntRange(min=0), default=0, metavar="N", help="Items around it, too.")
@click.option("--workers", type=click.IntRange(min=1), default=1, metavar="N", help="In so many processes.")
@click.option("--chunk-size", type=click.IntRange(min=1), metavar="BYTES", help="Of a chunk; default: 1 MiB.")
@click.option("--substitute", nargs=2, metavar="PATTERN NEW", help="Replace matches; NEW may hold \\1.")
@click.option("--drop", metavar="PATTERN", help="Drop the lines that match.")
@click.option("--keep", metavar="PATTERN", help="Keep only the lines that match.")
@click.option("--dedupe", is_flag=True, help="Drop lines that were there before.")
@click.option("--adjacent", is_flag=True, help="With --dedupe: only repetitions of the line before.")
@click.option("--number", is_flag=True, help="Put a number and a tab before every line.")
@click.option("--line-ends", type=click.Choice(["lf", "crlf"]), help="Make all line ends of one kind.")
@click.option("--trim", is_flag=True, help="Remove spaces and tabs at the ends of lines.")
@click.option("--redact", metavar="PATTERN", help="Cover matches with as many bytes of a mask.")
@click.option("--mask", default="*", show_default=True, metavar="X", help="The mask of --redact.")
@edit_options(expect=False)
def transform(
    file: str,
    function: str | None,
    by: str,
    context: int,
    workers: int,
    chunk_size: int | None,
    options: EditOptions,
    output: Output,
    **built_in: Any,
) -> None:
    """Pass lines, rows, records or chunks through a function, or make a built-in change.

    The function takes a line as text and returns it unchanged, changed, None to drop it, or a list to put
    several in its place. With a second parameter it gets the context: before, after, number and offset.
    Only what comes back different is written; an error names the line and leaves the file as it was.

        insitu transform huge.log cleaning.py:line --context 1 --workers 4 --dry-run

        insitu transform huge.log --substitute "user=([a-z]+)" "user=<\\1>"

        insitu transform huge.log --redact "[0-9]{16}"

    PATTERN is a regular expression (RE2) that is matched against each line without its ending.

    A crash leaves the old file or the new one, never some lines changed: until the edit is safely noted the
    old one; from then on, the next command that may write finishes it.
    """
    chosen = _chosen(built_in)
    if (function is None) == (not chosen) or len(chosen) > 1:
        raise click.UsageError(
            "Give MODULE:FUNCTION, or one of --substitute, --drop, --keep, --dedupe, --number, --line-ends, "
            "--trim and --redact."
        )
    if function is None:
        if by != "lines" or context or workers > 1 or chunk_size is not None:
            raise click.UsageError("--by, --context, --workers and --chunk-size are for MODULE:FUNCTION.")
        ((name, value),) = chosen.items()
        known = _BUILT_IN[name]
        _run(file, known.make(value), options, output, f"{known.done} {{}}", known.noun)
        return
    given: dict[str, Any] = {"by": by, "context": context, "workers": workers}
    if chunk_size is not None:
        if by != "chunks":
            raise click.UsageError("--chunk-size goes with --by chunks.")
        given["chunk_bytes"] = chunk_size
    _run(file, _of_function(function, given), options, output, "changed {}", by.removesuffix("s"))


def _chosen(built_in: dict[str, Any]) -> dict[str, Any]:
    """The built-in transforms asked for, and their values."""
    adjacent, mask = built_in.pop("adjacent"), built_in.pop("mask")
    if adjacent and not built_in["dedupe"]:
        raise click.UsageError("--adjacent goes with --dedupe.")
    if mask != "*" and built_in["redact"] is None:
        raise click.UsageError("--mask goes with --redact.")
    chosen = {name: value for name, value in built_in.items() if value not in (None, False)}
    if "dedupe" in chosen:
        chosen["dedupe"] = "adjacent" if adjacent else "all"
    if "redact" in chosen:
        chosen["redact"] = (chosen["redact"], mask)
    return chosen


def _of_function(function: str, given: dict[str, Any]) -> MassEdit:
    """The transform by a function; modules are found in the working folder as well."""
    from insitu.views.transforming import Transform

    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    return Transform(function, **given)


def _run(file: str, edit: MassEdit, options: EditOptions, output: Output, sentence: str, noun: str) -> None:
    stream(
        file,
        edit,
        options,
        output,
        label="Transforming",
        done=lambda count: sentence.format(_counted(count, noun)),
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} matches" if noun == "match" and count != 1 else counted(count, noun)
