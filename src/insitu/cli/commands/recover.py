"""``insitu recover``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

import click

from insitu.cli.failures import problem_of, sentences
from insitu.cli.interrupts import Interrupted
from insitu.cli.options import lock_timeout_option, output_options, verb
from insitu.cli.output import Output, counted, write_line
from insitu.errors import InsituError

if TYPE_CHECKING:
    import insitu

_SAID = {
    "clean": "nothing to recover",
    "new": "finished operation {operation}: the file is new",
    "old": "rolled operation {operation} back: the file is old",
}


@verb("recover")
@click.argument("file", type=click.Path(), metavar="PATH")
@click.option("--force-undo", is_flag=True, help="Roll back what is in doubt or was changed by others since.")
@click.option("--force-redo", is_flag=True, help="Finish what is in doubt or was changed by others since.")
@lock_timeout_option
@output_options
def recover(file: str, force_undo: bool, force_redo: bool, lock_timeout: float, output: Output) -> None:
    """Finish or roll back what a crash left, in a file or a tree.

    For a folder, every file below it that has something pending. Nobody has to run this: the next command
    that may write does the same for its file.

        insitu recover orders.log

        insitu recover data/

    A crash during recovery leaves what it found: run it again.
    """
    if force_undo and force_redo:
        raise click.UsageError("Give one of --force-undo and --force-redo.")
    force: Literal["undo", "redo"] | None = "undo" if force_undo else "redo" if force_redo else None

    if not os.path.isdir(file):
        recovered = _recovered(file, force, lock_timeout)
        output.message(_sentence(file, recovered))
        output.fields({"path": file, "recovered": [_fields(recovered)]})
        return
    if force:
        raise click.UsageError("--force-undo and --force-redo need one file, not a folder.")
    _recover_tree(file, lock_timeout, output)


def _recover_tree(folder: str, lock_timeout: float, output: Output) -> None:
    """Recovers what can be, then exits as the first failure does."""
    import insitu

    recovered: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    for path in insitu.pending_below(folder):
        try:
            found = _recovered(path, None, lock_timeout)
        except InsituError as error:
            failures.append({"path": path, **problem_of(error)})
            if not output.as_json:
                write_line("\n".join(sentences(failures[-1])), err=True)
        else:
            recovered.append(_fields(found))
            output.message(_sentence(path, found))
    if not recovered and not failures:
        output.message(f"{folder}: nothing to recover")
    elif failures:
        output.message(f"{folder}: recovered {counted(len(recovered), 'file')}, {len(failures):,} need care")
    output.fields({"path": folder, "recovered": recovered, "failures": failures})
    if failures:
        click.get_current_context().exit(failures[0]["exit_code"])


def _recovered(path: str, force: Literal["undo", "redo"] | None, lock_timeout: float) -> insitu.Recovered:
    """Recovers one file. An interrupt stops it as a crash would, which it is made for."""
    import insitu

    try:
        return insitu.recover(path, force, lock_timeout_s=lock_timeout)
    except Interrupted as interrupt:
        interrupt.message = f"Interrupted while recovering {path}; what was not finished is still pending."
        raise


def _sentence(path: str, recovered: insitu.Recovered) -> str:
    said = _SAID[recovered.outcome]
    return f"{path}: {said.format(operation=recovered.operation)}"


def _fields(recovered: insitu.Recovered) -> dict[str, Any]:
    return dict(recovered._asdict())
