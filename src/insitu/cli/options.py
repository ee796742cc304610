"""The options that all commands, and all editing commands, share."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from insitu.cli.output import Output

if TYPE_CHECKING:
    import insitu

Command = Callable[..., None]
Decorator = Callable[[Command], Command]

PLANNERS: Final = ("overwrite", "shift", "blocks", "rewrite")

UNLEASED: Final = ("proceed", "rewrite", "refuse")

LOCK_TIMEOUT_S: Final = 30.0


class Seconds(click.FloatRange):
    """How long something may take: a number that ends some time."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number of seconds."""
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"{value} is no number of seconds.", param, ctx)
        return seconds


_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of words.")
_QUIET: Final = click.option("--quiet", "-q", is_flag=True, help="Print no messages.")
_DRY_RUN: Final = click.option("--dry-run", is_flag=True, help="Show diff and plan; change nothing.")
lock_timeout_option: Final = click.option(
    "--lock-timeout", type=Seconds(min=0), default=LOCK_TIMEOUT_S, show_default=True,
    metavar="S", help="How many seconds to wait for other writers.",
)  # fmt: skip
_POLICY: Final = (
    click.option("--no-undo", is_flag=True, help="Keep nothing for undo."),
    click.option("--atomic", is_flag=True, help="Every reader sees old or new only (writes a new file)."),
    click.option("--unleased", type=click.Choice(UNLEASED), default="proceed", show_default=True,
                 help="What to do where other programs cannot be kept from opening the file meanwhile."),
    click.option("--fast", is_flag=True, help="Do not wait for the disk: a power cut may undo this edit."),
    lock_timeout_option,
    click.option("--planner", type=click.Choice(PLANNERS), help="Carry it out this way only."),
    click.option("--no-lock", is_flag=True, help="Write even where locks do not work. Dangerous."),
)  # fmt: skip
_EXPECT: Final = click.option("--expect", metavar="TEXT", help="Refuse unless this is what is there now.")
_IF_GENERATION: Final = click.option(
    "--if-generation", metavar="TOKEN", help="Refuse unless the file is still at this generation (see info)."
)
_DRAFT: Final = click.option(
    "--draft", is_flag=True, help="Save the edit in the file's draft; do not touch the file."
)
draft_reading_option: Final = click.option(
    "--draft", is_flag=True, help="From the file's draft: with the edits saved and not committed."
)
encoding_option: Final = click.option(
    "--encoding", metavar="NAME", help="The file's encoding; default: as it seems (see info)."
)


@dataclass(frozen=True)
class EditOptions:
    """What every editing command can be told."""

    dry_run: bool
    no_undo: bool
    atomic: bool
    unleased: str
    fast: bool
    lock_timeout: float
    planner: str | None
    no_lock: bool
    if_generation: str | None
    encoding: str | None
    expect: str | None = None
    draft: bool = False

    @property
    def committing(self) -> list[str]:
        """Which options that say how a commit is carried out are given."""
        given = {
            "--no-undo": self.no_undo,
            "--atomic": self.atomic,
            "--fast": self.fast,
            "--planner": self.planner,
        }
        return [name for name, value in given.items() if value]

    def reading(self, path: str) -> insitu.Document:
        """Opens what is to be edited, to be looked at: the file, or its draft where that is to be edited."""
        import insitu
        from insitu.errors import MissingDraftError

        if self.draft:
            with suppress(MissingDraftError):
                return insitu.open(path, "r", encoding=self.encoding, draft=True)
        return insitu.open(path, "r", encoding=self.encoding)

    def policy(self) -> insitu.Policy:
        """The library's policy."""
        import insitu

        given: dict[str, Any] = {
            "planner": self.planner,
            "unleased": self.unleased,
            "unlocked": self.no_lock,
        }
        if self.no_undo:
            given["history"] = 0
        if self.atomic:
            given["visibility"] = "atomic"
        if self.fast:
            given["durability"] = "fast"
        return insitu.Policy(**given)


def output_options(command: Command) -> Command:
    """Adds ``--json`` and ``--quiet``; the command gets ``output``."""

    @functools.wraps(command)
    def speaking(*args: Any, as_json: bool, quiet: bool, **rest: Any) -> None:
        name = click.get_current_context().command_path.partition(" ")[2]
        command(*args, output=Output(name, as_json=as_json, quiet=quiet), **rest)

    return _decorated(speaking, (_JSON, _QUIET))


def edit_options(*, expect: bool, draft: bool = True) -> Callable[[Command], Command]:
    """Adds what every editing command can be told; the command gets ``options`` and ``output``.

    Args:
        expect: whether there is one place whose content can be expected.
        draft: whether the edit can go into the file's draft.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def editing(*args: Any, **values: Any) -> None:
            mine = {name: values.pop(name) for name in EditOptions.__dataclass_fields__ if name in values}
            command(*args, options=EditOptions(**mine), **values)

        conditions = (_EXPECT, _IF_GENERATION) if expect else (_IF_GENERATION,)
        where = (_DRY_RUN, _DRAFT) if draft else (_DRY_RUN,)
        return output_options(_decorated(editing, (*where, *conditions, encoding_option, *_POLICY)))

    return decorate


def file_argument(command: Command) -> Command:
    """Adds the argument FILE; what is wrong with it is for the library to say."""
    return click.argument("file", type=click.Path())(command)


def _decorated(command: Command, decorators: tuple[Decorator, ...]) -> Command:
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


class Verb(click.Command):
    """A command whose docstring is its help: paragraphs are wrapped, indented examples kept as they are."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the docstring."""
        with formatter.indentation():
            for paragraph in inspect.cleandoc(self.help or "").split("\n\n"):
                formatter.write_paragraph()
                if paragraph.startswith(" "):
                    for line in paragraph.splitlines():
                        formatter.write(f"{'':{formatter.current_indent}}{line}\n")
                else:
                    formatter.write_text(" ".join(paragraph.split("\n")))


class VerbGroup(Verb, click.Group):
    """A group of commands whose help keeps its examples."""


def verb(name: str) -> Callable[[Callable[..., None]], click.Command]:
    """Makes a function a command."""
    return click.command(name, cls=Verb)
