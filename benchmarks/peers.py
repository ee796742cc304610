"""Who takes part: insitu as a command and as a call, and the tools people use today."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from benchmarks.cases import Contestant

COMMAND = "insitu"
SED = "sed -i"
REWRITE = "copy_file_range to a new file"
TAIL = "tail -c && mv"
TAIL_SYNC = "tail -c && sync && mv"
PERL = "perl -pi"
RG_REPLACE = "rg --passthru -r && mv"
RG = "rg -c"
WC = "wc -l"

_MAIN = "import sys; sys.argv[0] = 'insitu'; from insitu.cli.main import main; main()"


def insitu(name: str, path: Path | None, verb: str, *options: str) -> Contestant:
    """Our command line; as the installed script does, without needing it to be installed."""
    file = [str(path)] if path else []
    argv = (sys.executable, "-c", _MAIN, verb, *file, *options)
    shown = shlex.join([COMMAND, verb, *(["FILE"] if path else []), *options])
    return Contestant(name, argv, shown, ours=True)


def inside(
    name: str, call: str, shown: str, *, ours: bool = True, slow: bool = False, **arguments: Any
) -> Contestant:
    """A call of the library, or of a peer in Python, timed inside its process (see ``inside``)."""
    given = json.dumps(
        {key: str(value) if isinstance(value, Path) else value for key, value in arguments.items()}
    )
    argv = (sys.executable, "-m", "benchmarks.inside", call, given)
    return Contestant(name, argv, shown, ours=ours, inside=True, slow=slow)


def program(name: str, path: Path, *words: str) -> Contestant:
    """A tool as a whole command; its words come before the file."""
    return Contestant(name, (*words, str(path)), f"{shlex.join(words)} FILE", needs=words[0])


def script(name: str, path: Path, text: str, needs: str) -> Contestant:
    """A line of shell, in which $1 is the file."""
    return Contestant(name, ("sh", "-ec", text, "sh", str(path)), text.replace('"$1"', "FILE"), needs=needs)


def sed(path: Path, expression: str) -> Contestant:
    """GNU sed, in place."""
    return program(SED, path, "sed", "-i", expression)


def rewrite(path: Path, offset: int, text: str) -> Contestant:
    """An insertion through a new file (see ``rewrite``), started as cheaply as Python starts."""
    file = Path(__file__).with_name("rewrite.py")
    argv = (sys.executable, "-I", "-S", str(file), str(path), str(offset), text)
    return Contestant(REWRITE, argv, f"python benchmarks/rewrite.py FILE {offset} {shlex.quote(text)}")


def tails(path: Path, cut: int) -> tuple[Contestant, Contestant]:
    """Everything behind the first ``cut`` bytes to a new file, as users do it, and made durable as well."""
    copy = f'tail -c +{cut + 1} "$1" > "$1".new'
    return (
        script(TAIL, path, f'{copy} && mv "$1".new "$1"', "tail"),
        script(TAIL_SYNC, path, f'{copy} && sync "$1".new && mv "$1".new "$1"', "tail"),
    )


def replacers(path: Path, old: str, new: str) -> tuple[Contestant, ...]:
    """The tools that replace a literal everywhere; neither text holds anything they read specially."""
    command = f'rg --no-config -N -F --passthru -r {new} {old} "$1" > "$1".new && mv "$1".new "$1"'
    return (
        sed(path, f"s/{old}/{new}/g"),
        program(PERL, path, "perl", "-pi", "-e", f"s/{old}/{new}/g"),
        script(RG_REPLACE, path, command, "rg"),
    )


REPLACERS = (SED, PERL, RG_REPLACE)
