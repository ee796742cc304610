"""``insitu csv``: the commands on rows, cells and columns."""

from __future__ import annotations

from typing import Final

import click

from insitu.cli import csv_editing, csv_looking, csv_shaping
from insitu.cli.options import Verb

_TOPICS: Final = {
    "Look": (
        csv_looking.info,
        csv_looking.columns,
        csv_looking.count,
        csv_looking.head,
        csv_looking.filter_,
        csv_looking.read,
    ),
    "Edit": (
        csv_editing.set_,
        csv_editing.update,
        csv_editing.insert,
        csv_editing.append,
        csv_editing.delete,
    ),
    "Columns": (
        csv_shaping.add_column,
        csv_shaping.drop_column,
        csv_shaping.rename_column,
        csv_shaping.move_column,
    ),
}


class _Topics(Verb, click.Group):
    """A group that lists its commands by topic."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands, each with the first line of its help."""
        width = max(map(len, self.commands))
        for topic, commands in _TOPICS.items():
            with formatter.section(topic):
                lines = [(command.name or "", command.get_short_help_str(100)) for command in commands]
                formatter.write_dl([(f"{name:<{width}}", short) for name, short in lines])


@click.group("csv", cls=_Topics, no_args_is_help=False)
def csv() -> None:
    """Read and change the rows, cells and columns of a CSV file.

    Only the bytes of what was asked for change: quotes, line ends, spaces and the other cells stay as they
    are. Rows count from 1, the header is none of them. Every command knows --json, and every one that edits
    --dry-run.

        insitu csv update orders.csv --where "status = 'pending' and value > 1000" --set status=processed

        insitu csv read orders.csv --rows 7-9

    A crash leaves the old file or the new one: until an edit is safely noted the old one; from then on, the
    next command that may write finishes it.
    """


for _commands in _TOPICS.values():
    for _command in _commands:
        csv.add_command(_command)
