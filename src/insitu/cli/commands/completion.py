"""``insitu completion``."""

from __future__ import annotations

import click

from insitu.cli.options import verb
from insitu.cli.output import write


@verb("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands and options in a shell.

    Put its output where your shell looks for completions, or load it at start:

        eval "$(insitu completion bash)"

        insitu completion fish > ~/.config/fish/completions/insitu.fish

    Nothing is changed.
    """
    from click.shell_completion import get_completion_class

    from insitu.cli.main import COMPLETION_VARIABLE, PROGRAM, cli

    script = get_completion_class(shell)
    assert script is not None
    write(script(cli, {}, PROGRAM, COMPLETION_VARIABLE).source())
