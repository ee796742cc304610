"""Kills processes in the midst of a commit, told by what is seen to lie beside the file."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Literal

from insitu.engine.site import Site
from insitu.storage.local import local_volume
from tests.forks import FORKS

MARK = "user.insitu.pending"
_PATIENCE = 20
"""A moment is waited for so many times as long as the whole takes."""

Landed = Literal["before", "preparing", "pending", "after"]
"""Where a kill struck: nothing begun, up to the commit point, from there to the end, all done."""


class Moment:
    """Chooses when to kill: over the whole time, or from when the unsealed journal, or the journal, is there.

    Args:
        full_s: how long the whole takes.
    """

    def __init__(self, path: Path, full_s: float, chance: random.Random) -> None:
        site = Site.of(local_volume(), str(path))
        self._full_s, self._chance = full_s, chance
        self._seen = {"unsealed": (site.unsealed, site.successor), "journal": (site.journal,)}

    def __call__(self, process: BaseProcess) -> None:
        """Kills the process when it is time; it may have ended before."""
        since = self._chance.choice(["start", "unsealed", "journal", "journal"])
        share = 1.1
        if since != "start":
            share = 0.6
            names = self._seen[since]
            # A server lives on when the moment was missed: it is there for milliseconds.
            until = time.monotonic() + _PATIENCE * self._full_s
            while not any(map(os.path.lexists, names)) and process.is_alive() and time.monotonic() < until:
                os.sched_yield()  # to the process that is to get there
        # The moments just behind what was seen are as many as all the later ones together.
        time.sleep(self._full_s * share * self._chance.random() ** 2)
        process.kill()


def landed(path: Path, changed: Callable[[], bool]) -> Landed:
    """Where a kill struck."""
    site = Site.of(local_volume(), str(path))
    if os.path.lexists(site.journal):
        return "pending"
    if changed():
        return "after"
    return "preparing" if os.path.lexists(site.unsealed) or os.path.lexists(site.successor) else "before"


def _reporting(told: Connection, work: Callable[..., None], arguments: tuple[object, ...]) -> None:
    told.send_bytes(b"ready")
    work(*arguments)
    told.send_bytes(b"done")


def run(
    work: Callable[..., None], *arguments: object, kill: Callable[[BaseProcess], None] | None = None
) -> tuple[bool, float]:
    """Runs a function in a process of its own, to be killed; whether it came to its end, and its seconds."""
    told, telling = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=_reporting, args=(telling, work, arguments))
    process.start()
    telling.close()
    assert told.recv_bytes() == b"ready"
    began = time.monotonic()
    if kill is not None:
        kill(process)
    process.join(120)
    seconds = time.monotonic() - began
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    try:
        done = told.recv_bytes() == b"done"
    except EOFError:
        done = False
    told.close()
    return done, seconds


def check_nothing_is_left_over(path: Path) -> None:
    """Beside a file that was recovered lies its history, and nothing else."""
    state = path.parent / ".insitu" / f"{path.name}.d"
    names = sorted(os.listdir(state)) if state.exists() else []
    assert [name for name in names if not name.endswith(".op")] == []
    assert sorted(os.listdir(path.parent)) in ([".insitu", path.name], [path.name])
    assert MARK not in os.listxattr(path)
