"""The ``insitu`` command: a table of commands, each loaded when it runs, and one way out for all of them."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, Final, NoReturn

import click

from insitu.cli import interrupts
from insitu.cli.failures import failed
from insitu.cli.output import flush
from insitu.scan.scratch import collect_rarely

TOPICS: Final = {
    "Look": {
        "info": "Show what a file is and what insitu keeps of it.",
        "read": "Write bytes or lines to standard output, exactly as they are.",
        "find": "List where a text or a regular expression occurs.",
    },
    "Edit": {
        "replace": "Replace a text wherever it occurs, or exactly once.",
        "write": "Put new text in the place of the bytes or lines at an address.",
        "insert": "Insert text, moving what follows.",
        "delete": "Remove the bytes or lines at an address.",
        "create": "Create a new file, all of it or none.",
        "apply": "Carry out many edits as one: JSON lines or a unified diff.",
    },
    "Formats": {
        "transform": "Pass lines, rows, records or chunks through a function, or make a built-in change.",
        "csv": "Read and change the rows, cells and columns of a CSV file.",
        "md": "Read and change the sections of a Markdown file.",
        "jsonl": "Read and change the records of a JSON Lines file.",
        "json": "Read and change the values of one JSON document.",
        "records": "Read and change records of a fixed size.",
        "outline": "List the sections, columns or keys that a file is made of.",
        "chunk": "Cut a file into pieces for a model to read, each an editable span.",
    },
    "History": {
        "draft": "Save edits before they are committed, all at once, or dropped.",
        "history": "List the operations that can be undone.",
        "undo": "Take back the last operation, or a named one.",
        "redo": "Make the operation again that was undone last.",
        "diff": "Show what an operation changed, or what lies between two.",
    },
    "Upkeep": {
        "recover": "Finish or roll back what a crash left, in a file or a tree.",
        "doctor": "Show what a disk can do and whether anything needs care.",
        "index": "Count the lines once, so that any line is found at once.",
        "audit": "List and verify what agents did.",
    },
    "Agents": {
        "mcp": "Serve files to AI agents over the Model Context Protocol.",
    },
    "More": {
        "demo": "Take the tour: edits, a real crash and undo.",
        "completion": "Print the script that completes commands and options in a shell.",
    },
}
"""Every command with the first line of its help: ``insitu --help`` loads none of them."""

PROGRAM: Final = "insitu"
COMPLETION_VARIABLE: Final = "_INSITU_COMPLETE"


class Verbs(click.Group):
    """The group of all commands, imported one at a time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands, in the order of the table."""
        return [name for commands in TOPICS.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, loaded now."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"insitu.cli.commands.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the table, topic by topic."""
        width = max(map(len, self.list_commands(ctx)))
        for topic, commands in TOPICS.items():
            with formatter.section(topic):
                formatter.write_dl([(f"{name:<{width}}", short) for name, short in commands.items()])

    def main(self, args: Sequence[str] | None = None, *_: Any, **__: Any) -> NoReturn:
        """Runs a command line and exits with its code: errors of every kind are rendered here only."""
        arguments = list(sys.argv[1:] if args is None else args)
        if instruction := os.environ.get(COMPLETION_VARIABLE):
            from click.shell_completion import shell_complete

            sys.exit(shell_complete(self, {}, PROGRAM, COMPLETION_VARIABLE, instruction))
        with interrupts.listening():
            code = self._run(arguments)
        sys.exit(code)

    def _run(self, arguments: list[str]) -> int:
        try:
            with self.make_context(PROGRAM, arguments.copy()) as context:
                self.invoke(context)
            flush()
        except click.exceptions.Exit as exit_:
            return exit_.exit_code
        except BaseException as error:
            return failed(error, arguments)
        return interrupts.exit_code_afterwards()


@click.group(
    cls=Verbs,
    epilog="An address is one of --bytes A:B, --lines A-B, --tail N, --match TEXT. "
    "Exit codes: 0 done, 1 not found, 2 bad request, 3 conflict, 4 locked, 5 medium failed, "
    "6 recovery needed, 70 a bug of ours, 130/141/143 stopped by a signal.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="insitu", prog_name=PROGRAM, message="%(prog)s %(version)s")
def cli() -> None:
    """Edit parts of huge files in place: crash-safe, undoable, in bounded memory."""


def main() -> NoReturn:
    """The entry point of the installed command."""
    collect_rarely()
    cli.main()


def serve() -> NoReturn:
    """The entry point of ``insitu-mcp``, which launchers of MCP servers start: ``insitu mcp`` by itself."""
    collect_rarely()
    cli.main(["mcp", *sys.argv[1:]])


if __name__ == "__main__":
    main()
