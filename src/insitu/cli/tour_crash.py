"""The crash of the tour: a child process that edits, and is killed without warning half-way."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import NamedTuple

# The child waits so long for its death; a tour that was itself killed leaves no child behind for longer.
_WAIT_S = 60


class Killed(NamedTuple):
    """How far the child had come, in bytes, and how it ended."""

    done: int
    total: int
    exit_code: int


def insert_until_killed(path: str, number: str, text: str) -> None:
    """Inserts a line, in the child: reports every step, and holds still half-way through."""
    import insitu

    def report(done: int, total: int) -> None:
        print(done, total, flush=True)
        if done * 2 >= total:
            time.sleep(_WAIT_S)

    # Moving the tail inside the file is the plan with most at stake: the file is torn until it is finished.
    with insitu.open(path, policy=insitu.Policy(planner="shift"), locked=True) as doc:
        doc.lines.insert(int(number) - 1, text)
        doc.commit(progress=report)


def crash(path: str, number: int, text: str) -> Killed:
    """Starts the child and kills it with SIGKILL when it is half-way."""
    code = "import sys; from insitu.cli.tour_crash import insert_until_killed as run; run(*sys.argv[1:])"
    command = [sys.executable, "-c", code, path, str(number), text]
    done = total = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            for line in child.stdout:
                done, total = map(int, line.split())
                if done * 2 >= total:
                    break
        finally:
            child.kill()
    return Killed(done, total, child.returncode)
