"""The tour: edits, a real crash and undo on a large file, with every figure measured as it goes."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final

import click

from insitu.cli.output import Output, byte_size, duration
from insitu.cli.tour_crash import crash
from insitu.cli.tour_log import BLOCK_LINES, Log, file_digest
from insitu.errors import InternalError, RecoveryNeededError

if TYPE_CHECKING:
    import insitu

Lines = list[bytes]

_INSERTED: Final = "2026-03-14T09:30:00.000Z INFO  this line was inserted in the middle"
_KILLED: Final = "2026-03-14T09:30:00.001Z INFO  this line was inserted by a process that was killed"


class Watch(AbstractContextManager["Watch"]):
    """Measures how long a block takes."""

    seconds = 0.0

    def __enter__(self) -> Watch:
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._began


class Tour:
    """The tour over one file in a folder of its own.

    Args:
        folder: empty; what is put there is left for the caller to remove.
        size: about how large the file is to be, in bytes.
    """

    def __init__(self, folder: str, size: int, output: Output) -> None:
        self.log = Log.of_size(size)
        self.path = os.path.join(folder, "shop.log")
        self.figures: dict[str, Any] = {}
        self._output = output
        self._expected: Callable[[Lines], Lines] = list
        self._copy = os.path.join(folder, "sed.log")

    def run(self) -> None:
        """Takes all steps."""
        original = self._make_file()
        self._count_lines()
        self._edit_line()
        self._insert_line()
        self._crash()
        self._recover()
        self._undo(original)

    # Steps

    def _make_file(self) -> str:
        with Watch() as watch:
            original = self.log.write(self.path)
        self._note("file_bytes", self.log.size)
        self._say(
            f"A log of {byte_size(self.log.size)} and {self.log.line_count:,} lines, made for this tour in "
            f"{duration(watch.seconds)}."
        )
        return original

    def _count_lines(self) -> None:
        import insitu

        with Watch() as watch:
            built = insitu.build_index(self.path)
        self._note("index_seconds", watch.seconds)
        self._say(
            f"Its lines are counted once ({duration(watch.seconds)}); the index takes "
            f"{byte_size(built['index_bytes'])}."
        )

    def _edit_line(self) -> None:
        number = self.log.middle
        self._title("Edit a line in the middle")
        copied = self._copy_for_sed()

        def change(doc: insitu.Document) -> None:
            doc.lines[number - 1] = doc.lines[number - 1].replace("INFO ", "ERROR")

        self._edit(change, "edit")
        self._expected = self._then(lambda lines: _replaced(lines, b"INFO ", b"ERROR"))
        if copied:
            self._sed(f"{number}s/INFO /ERROR/", "edit")

    def _insert_line(self) -> None:
        number = self.log.middle
        self._title("Insert a line in the middle, which moves half of the file")
        self._edit(lambda doc: doc.lines.insert(number - 1, _INSERTED), "insert")
        self._expected = self._then(lambda lines: _with_line(lines, _INSERTED))
        if os.path.exists(self._copy):
            self._sed(f"{number}i\\{_INSERTED}", "insert")
            self._compare_with_sed()

    def _crash(self) -> None:
        import insitu

        self._title("Insert another one, and kill the process half-way (kill -9)")
        killed = crash(self.path, self.log.middle, _KILLED)
        self._note("killed_at", killed.done / killed.total if killed.total else 0.0)
        if killed.done * 2 < killed.total or not killed.total:
            raise InternalError("The child of the tour did not get half-way.", ended=killed.exit_code)
        self._expected = self._then(lambda lines: _with_line(lines, _KILLED))
        self._say(
            f"Killed by signal {-killed.exit_code} when {byte_size(killed.done)} of "
            f"{byte_size(killed.total)} were moved ({killed.done / killed.total:.0%})."
        )
        self._say("insitu doctor now says that this is pending:")
        pending = insitu.doctor(self.path)["pending"]
        for name in ("operation", "planner", "segments_done", "state"):
            self._say(f"  {name.replace('_', ' '):14} {pending[name]}")
        try:
            insitu.open(self.path, "r").close()
        except RecoveryNeededError as refusal:
            self._say(f"A reader is not shown the torn file: {type(refusal).__name__}.")

    def _recover(self) -> None:
        import insitu

        self._title("Recover")
        with Watch() as watch:
            recovered = insitu.recover(self.path)
        self._note("recover_seconds", watch.seconds)
        self._say(f"The file is {recovered.outcome}, all of it, after {duration(watch.seconds)}.")
        self._check(
            self.log.digest(self._expected), "what all three edits must give, computed without insitu"
        )

    def _undo(self, original: str) -> None:
        import insitu

        self._title("Undo everything")
        count = len(insitu.history(self.path))
        with Watch() as watch:
            for _ in range(count):
                insitu.undo(self.path)
        self._note("undo_seconds", watch.seconds)
        self._say(f"{count} operations undone in {duration(watch.seconds)}.")
        self._check(original, "the original")

    # Parts of steps

    def _edit(self, change: Callable[[insitu.Document], None], name: str) -> None:
        """Edits through a document, from opening to closing, and shows plan and time."""
        import insitu

        with Watch() as planning, insitu.open(self.path, "r+") as doc:
            change(doc)
            diff, plan = doc.diff(), str(doc.plan())
            doc.discard()
        with Watch() as watch, insitu.open(self.path, locked=True) as doc:
            change(doc)
        self._note(f"{name}_seconds", watch.seconds)
        self._note(f"{name}_plan_seconds", planning.seconds)
        self._say("\n".join(_changed_lines(diff)))
        self._say("\n".join(f"  {line}" for line in plan.splitlines()))
        self._say(f"insitu  {duration(watch.seconds):>8}  durable, undoable")

    def _copy_for_sed(self) -> bool:
        """Makes a copy for sed to edit, if there is a sed and the space."""
        free = shutil.disk_usage(os.path.dirname(self.path)).free
        if shutil.which("sed") is None or free < 3 * self.log.size:
            self._say("(No comparison with sed: it is missing, or there is no space for its copies.)")
            return False
        shutil.copyfile(self.path, self._copy)
        return True

    def _sed(self, script: str, name: str) -> None:
        environment = {**os.environ, "LC_ALL": "C"}  # the fastest that sed can do
        with Watch() as watch:
            done = subprocess.run(["sed", "-i", script, self._copy], check=False, env=environment)
        if done.returncode != 0:
            os.unlink(self._copy)  # another sed than GNU's
            self._say("sed     does not do this here")
            return
        self._note(f"{name}_sed_seconds", watch.seconds)
        times = watch.seconds / self.figures[f"{name}_seconds"]
        ratio = f"{times:,.0f} times as long" if times >= 10 else f"{times:.1f} times as long"
        self._say(f"sed -i  {duration(watch.seconds):>8}  {ratio}, not synced, not undoable")

    def _compare_with_sed(self) -> None:
        import filecmp

        same = filecmp.cmp(self.path, self._copy, shallow=False)
        self._note("same_as_sed", same)
        self._say("Both files hold the same bytes." if same else "The two files DIFFER.")
        os.unlink(self._copy)

    def _check(self, expected: str, what: str) -> None:
        found = file_digest(self.path)
        if found != expected:
            raise InternalError(f"The file's hash is {found[:16]}..., not that of {what}.", found=found)
        self._say(f"SHA-256 {found[:16]}... is that of {what}.")

    def _then(self, change: Callable[[Lines], Lines]) -> Callable[[Lines], Lines]:
        before = self._expected
        return lambda lines: change(before(lines))

    # Telling

    def _title(self, text: str) -> None:
        self._output.result(click.style(f"\n{text}\n", bold=True) if _coloured() else f"\n{text}\n")

    def _say(self, text: str) -> None:
        self._output.result(text + "\n")

    def _note(self, name: str, value: float | int | bool) -> None:
        self.figures[name] = value


def _replaced(lines: Lines, old: bytes, new: bytes) -> Lines:
    middle = BLOCK_LINES // 2 - 1
    return [*lines[:middle], lines[middle].replace(old, new), *lines[middle + 1 :]]


def _with_line(lines: Lines, text: str) -> Lines:
    middle = BLOCK_LINES // 2 - 1
    return [*lines[:middle], text.encode() + b"\n", *lines[middle:]]


def _changed_lines(diff: str) -> list[str]:
    """The lines of a diff that are gone or new: no headings, no context, none that are on both sides."""
    signed = [line for line in diff.splitlines()[2:] if line[:1] in ("-", "+")]
    sides = {sign: {line[1:] for line in signed if line[0] == sign} for sign in "-+"}
    return [line for line in signed if line[1:] not in sides["-"] & sides["+"]]


def _coloured() -> bool:
    import sys

    return sys.stdout.isatty() and "NO_COLOR" not in os.environ
