"""``insitu demo``."""

from __future__ import annotations

import re
import shutil
import tempfile
from typing import Final

import click

from insitu.cli.options import output_options, verb
from insitu.cli.output import Output, byte_size, duration
from insitu.errors import NoSpaceError

_SIZE: Final = "1G"
_UNITS: Final = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
_SIZE_MIN: Final = 4 * 10**6

# The file itself, a copy for sed, and sed's own copy of that.
_COPIES: Final = 3.2


@verb("demo")
@click.option("--size", default=_SIZE, show_default=True, metavar="SIZE", help="Of the file, as 300M or 2G.")
@click.option(
    "--folder", type=click.Path(), help="Where to put it for the time; default: the temporary folder."
)
@output_options
def demo(size: str, folder: str | None, output: Output) -> None:
    """Take the tour: edits, a real crash and undo.

    Makes a large log in a folder of its own, edits it beside sed, kills an edit half-way, recovers, undoes
    everything, checks the result against hashes computed without insitu, and removes the folder. Every
    figure is measured while you watch.

        insitu demo

        insitu demo --size 5G --folder /var/tmp

    A crash leaves only that folder, named insitu-demo-..., which may be removed.
    """
    from insitu.cli.tour import Tour, Watch

    wanted = parsed_size(size)
    with Watch() as watch, tempfile.TemporaryDirectory(prefix="insitu-demo-", dir=folder) as place:
        fitting = min(wanted, int(shutil.disk_usage(place).free / _COPIES))
        if fitting < _SIZE_MIN:
            raise NoSpaceError(
                f"There is too little free space for the tour in {place}.", hint="Use --folder."
            )
        if fitting < wanted:
            output.message(
                f"There is no space for {byte_size(wanted)}: the file will be {byte_size(fitting)}."
            )
        tour = Tour(place, fitting, output)
        tour.run()
    output.result(f"\nAll in {duration(watch.seconds)}. Nothing is left behind.\n")
    output.fields({"seconds": watch.seconds, **tour.figures})


def parsed_size(text: str) -> int:
    """Bytes from ``300M`` or ``2G``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMG]?)B?", text.strip().upper())
    if not found or (size := int(float(found[1]) * _UNITS[found[2]])) < _SIZE_MIN:
        raise click.BadParameter(f"{text!r} is no size of 4M or more, as 300M or 2G", param_hint="--size")
    return size
