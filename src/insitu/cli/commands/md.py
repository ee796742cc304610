"""``insitu md``: the sections of Markdown files."""

from __future__ import annotations

from typing import Final

import click

from insitu.cli import md_arranging, md_looking, md_writing
from insitu.cli.md_front import front_matter
from insitu.cli.options import VerbGroup

_COMMANDS: Final = (
    md_looking.outline,
    md_looking.read,
    md_writing.replace,
    md_writing.append,
    md_writing.prepend,
    md_writing.insert,
    md_writing.create,
    md_arranging.delete,
    md_arranging.rename,
    md_arranging.move,
    md_arranging.promote,
    md_arranging.demote,
    md_arranging.compact,
    front_matter,
)


@click.group("md", cls=VerbGroup, no_args_is_help=False)
def md() -> None:
    """Read and change the sections of a Markdown file.

    SECTION is a heading path, matched as a suffix ("Linux", "Install/Linux"; \\/ is a slash in a title),
    "Child[2]" for the second that fits, "#slug", or an id as 'md outline --json' shows it. A section that
    is missing, or that several fit, is refused with the addresses of what may have been meant.

        insitu md outline README.md

        insitu md append README.md "Install/Linux" --text "Use the package of your distribution."

    A crash leaves the old file or the new one, as with every edit.
    """


for _command in _COMMANDS:
    md.add_command(_command)
