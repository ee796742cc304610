"""Runs the contestants of a case in turn (A B A B), each in a process of its own; notes time and memory."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.cases import Case, Contestant, Measured, Result, judge

ROOT = Path(__file__).resolve().parents[1]
LAUNCHER = Path(__file__).with_name("launch.py")
WINDOW_BYTES = 1 << 20
# No peer takes minutes on gigabytes; what hangs is to fail and not to stop the run.
TIMEOUT_S = 900.0
INTERPRETER_RUNS = 5
BYTECODE = "bytecode"
DROP_CACHES = Path("/proc/sys/vm/drop_caches")


class FailedRunError(Exception):
    """A contestant ended with an error."""


@dataclass(frozen=True)
class Run:
    """One finished process."""

    seconds: float
    peak_bytes: int
    stdout: str


def run(argv: tuple[str, ...], folder: Path) -> Run:
    """Runs a command to its end; the standard output is kept in a file of the folder, not in a pipe.

    Raises:
        FailedRunError: it exits with a code other than 0, or not at all.
    """
    out, err = folder / "stdout", folder / "stderr"
    command = [sys.executable, "-I", "-S", str(LAUNCHER), str(out), str(err), *argv]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=ROOT, env=_environment(folder), start_new_session=True
    ) as launcher:
        try:
            report, _ = launcher.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(launcher.pid, 9)
            raise FailedRunError(f"took longer than {TIMEOUT_S:g} s") from None
    if launcher.returncode != 0:
        raise FailedRunError("could not be started")
    seconds, peak_bytes, code = report.split()
    if int(code) != 0:
        said = err.read_text("utf-8", "replace").strip() or out.read_text("utf-8", "replace").strip()
        raise FailedRunError(f"exit code {int(code)}: {said.splitlines()[-1] if said else 'it said nothing'}")
    return Run(float(seconds), int(peak_bytes), out.read_text("utf-8", "surrogateescape"))


def _environment(folder: Path) -> dict[str, str]:
    """This working tree's insitu, and plain bytes for the peers: the C locale is the fastest they have.

    Modules are compiled in the first, untimed runs and found compiled afterwards, as installed ones are,
    even where the environment forbids writing bytecode.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    paths = [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **inherited,
        "LC_ALL": "C",
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONPYCACHEPREFIX": str(folder / BYTECODE),
    }


def bare_interpreter(folder: Path) -> Run:
    """The least that an interpreter takes which does nothing."""
    runs = [run((sys.executable, "-c", "pass"), folder) for _ in range(INTERPRETER_RUNS)]
    return Run(min(each.seconds for each in runs), min(each.peak_bytes for each in runs), "")


def measure(case: Case, runs: int, folder: Path, bare_bytes: int, tell: Callable[[str], None]) -> Result:
    """Measures a case: one run of each contestant to warm up and to verify, then ``runs`` timed rounds."""
    if case.install:
        case.install()
    measured = [Measured(each, why=case.unmeasured or _missing(each)) for each in case.contestants]
    answers: dict[str, str] = {}
    for number in range(runs + 1):
        for each in measured:
            if each.why or (each.contestant.slow and number > 1):
                continue
            tell(f"{case.name}: {each.contestant.name}, run {number} of {runs}")
            try:
                sample, answer = _once(case, each, folder, timed=number > 0)
            except FailedRunError as error:
                each.why = f"failed: {error}".replace(str(folder), "FOLDER").replace(str(ROOT), ".")
                each.seconds.clear()
                continue
            each.peaks_bytes.append(sample.peak_bytes)
            if number > 0:
                each.seconds.append(sample.seconds)
            else:
                answers[each.contestant.name] = answer
                each.others = case.others() if case.others else None
    _compare(case, measured, answers)
    return Result(case, measured, judge(case, measured, bare_bytes))


def _missing(contestant: Contestant) -> str:
    needed = contestant.needs
    found = not needed or shutil.which(needed) is not None or find_spec(needed) is not None
    return "" if found else f"missing: {needed} is not installed"


def _once(case: Case, each: Measured, folder: Path, *, timed: bool) -> tuple[Run, str]:
    """One run, and unless ``timed`` its answer, which may take long to make."""
    case.prepare()
    sample = run(each.contestant.argv, folder)
    stdout = sample.stdout
    if each.contestant.inside:
        report: dict[str, Any] = json.loads(stdout.splitlines()[-1])
        stdout = report["answer"]
        each.notes.update(report["notes"])
        sample = Run(report["seconds"], sample.peak_bytes, stdout)
    return sample, "" if timed else case.answer(stdout)


def _compare(case: Case, measured: list[Measured], answers: dict[str, str]) -> None:
    """Holds every answer against the expected one, else a peer's, else the first there is."""
    peers = [each.contestant.name for each in measured if not each.contestant.ours]
    referee = next((name for name in [*peers, *answers] if name in answers), None)
    for each in measured:
        name = each.contestant.name
        if name not in answers or (each.why and not each.seconds):
            continue
        if case.expected is not None:
            right, with_whom = answers[name] == case.expected, "what was expected"
        elif name == referee:
            others = [other for other in answers if other != name]
            each.verified = "the others are compared with this" if others else "nothing to compare it with"
            continue
        else:
            assert referee is not None
            right, with_whom = answers[name] == answers[referee], referee
        each.verified = f"same as {with_whom}" if right else f"DIFFERS from {with_whom}"
        each.differs = not right


# What prepares a run, and what makes an answer of it


def warm(path: Path) -> None:
    """Brings a file into the page cache."""
    buffer = bytearray(WINDOW_BYTES)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def fresh_copy(source: Path, target: Path) -> None:
    """Makes a folder that holds nothing but a copy of the input, on the disk and in the page cache."""
    shutil.rmtree(target.parent, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as read, target.open("wb") as written:
        left = os.fstat(read.fileno()).st_size
        while left:
            copied = os.copy_file_range(read.fileno(), written.fileno(), left)
            if not copied:
                raise EOFError(f"{source} ended early")
            left -= copied
        os.fsync(written.fileno())
    os.sync()
    warm(target)


def drop_caches() -> None:
    """Empties the kernel's caches; needs the rights of root."""
    os.sync()
    DROP_CACHES.write_text("3")


def cannot_drop_caches() -> str:
    """Why the caches cannot be dropped; empty where they can."""
    return "" if os.access(DROP_CACHES, os.W_OK) else "dropping the kernel's caches needs the rights of root"


def digest(path: Path) -> str:
    """A fingerprint of a file's contents."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
