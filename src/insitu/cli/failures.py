"""The one place where errors become words and exit codes."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, Final

import click

from insitu.cli import interrupts
from insitu.cli.output import flush, write_json, write_line
from insitu.core.spans import Span
from insitu.errors import (
    CancelledError,
    ConditionError,
    InsituError,
    InternalError,
    RequestError,
    StorageError,
)

TRACEBACK_VARIABLE: Final = "INSITU_DEBUG"

_PIPE_EXIT: Final = interrupts.SIGNAL_EXIT + signal.SIGPIPE
_USAGE_EXIT: Final = RequestError.exit_code
_OUTPUT_EXIT: Final = StorageError.exit_code


def failed(error: BaseException, arguments: list[str]) -> int:
    """Says what went wrong and returns the exit code.

    Args:
        arguments: the command line, which tells whether JSON was asked for even where it cannot be parsed.
    """
    if os.environ.get(TRACEBACK_VARIABLE):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else InternalError.exit_code
    try:
        if isinstance(error, BrokenPipeError) and not isinstance(error, InsituError):
            raise error
        problem = _described(error)
        _render(problem, arguments)
        flush()
        return int(problem["exit_code"])
    except OSError as output_error:
        _abandon_output()
        return _PIPE_EXIT if isinstance(output_error, BrokenPipeError) else _OUTPUT_EXIT


def problem_of(error: InsituError) -> dict[str, Any]:
    """An error of the library as plain values."""
    problem: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "retryable": error.retryable,
        "exit_code": error.exit_code,
        "facts": error.facts,
    }
    if isinstance(error, StorageError):
        problem["file_state"] = error.file_state
    return problem


def _described(error: BaseException) -> dict[str, Any]:
    match error:
        case CancelledError():
            return {**problem_of(error), "exit_code": interrupts.signal_exit_code()}
        case InsituError():
            return problem_of(error)
        case click.ClickException():
            return _problem("bad-request", error.format_message(), _help_hint(error), _USAGE_EXIT)
        case interrupts.Interrupted():
            return _problem("cancelled", error.message, "", error.exit_code)
        case OSError():
            # The library turns every OSError about files into an InsituError: this one is about our output.
            return _problem("output", f"Cannot write the output: {error.strerror}.", "", _OUTPUT_EXIT)
        case MemoryError():
            return _problem(
                "no-memory",
                "This program may not take as much memory as it needs.",
                "Raise the limit it runs under. If an edit was under way, run: insitu recover PATH",
                StorageError.exit_code,
            )
        case _:
            return _problem(
                "internal",
                f"A bug of insitu: {type(error).__name__}: {error}",
                f"Please report it, with what {TRACEBACK_VARIABLE}=1 prints. "
                "If an edit was under way, run: insitu recover PATH",
                InternalError.exit_code,
            )


def _problem(code: str, message: str, hint: str, exit_code: int) -> dict[str, Any]:
    return {
        "code": code,
        "message": message,
        "hint": hint,
        "retryable": False,
        "exit_code": exit_code,
        "facts": {},
    }


def _help_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"See: {context.command_path if context else 'insitu'} --help"


def _render(problem: dict[str, Any], arguments: list[str]) -> None:
    if wants_json(arguments):
        command = next((word for word in arguments if not word.startswith("-")), None)
        write_json(command, {"error": problem})
    else:
        write_line("\n".join(sentences(problem)), err=True)


def sentences(problem: dict[str, Any]) -> list[str]:
    """What people read: the message, candidates if there are any, the file's state, the hint."""
    message = str(problem["message"])
    if problem["code"] != ConditionError.code:  # which shows the place on lines of their own
        message = message.replace("\n", " ")
    lines = [f"insitu: {message}"]
    candidates = problem["facts"].get("candidates") or ()
    lines += [f"  {_address(candidate)}" for candidate in candidates]
    if state := problem.get("file_state"):
        lines.append("What the file holds is unknown." if state == "unknown" else f"The file is {state}.")
    if problem["hint"]:
        lines.append(str(problem["hint"]))
    return lines


def _address(candidate: object) -> str:
    """A place as it can be pasted back."""
    return f"--bytes {candidate.start}:{candidate.stop}" if isinstance(candidate, Span) else str(candidate)


def wants_json(arguments: list[str]) -> bool:
    """Whether ``--json`` is among the options."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def _abandon_output() -> None:
    """Points standard output at nothing, so that the interpreter's last flush cannot fail again."""
    with open(os.devnull, "wb") as nothing:
        try:
            os.dup2(nothing.fileno(), sys.stdout.fileno())
        except (OSError, ValueError, AttributeError):
            return  # not a real stream: nothing to flush into
