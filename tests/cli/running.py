"""Runs the command line: in this process, which is quick, or as the real command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner

from insitu.cli.main import cli

COMMAND = (sys.executable, "-m", "insitu.cli.main")


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: bytes
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on standard output."""
        assert self.out.count(b"\n") == 1, self.out
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


def run(*arguments: str | Path | int, stdin: bytes = b"") -> Done:
    """Runs a command in this process."""
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], input=stdin)
    return Done(result.exit_code, result.stdout_bytes, result.stderr_bytes.decode("utf-8", "surrogateescape"))


def run_process(*arguments: str | Path | int, stdin: bytes = b"", **options: Any) -> Done:
    """Runs the real command."""
    command = [*COMMAND, *(str(argument) for argument in arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=60, **options)
    return Done(done.returncode, done.stdout, done.stderr.decode("utf-8", "surrogateescape"))


def folder_state(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder with its contents: equal before and after where nothing was changed."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }
