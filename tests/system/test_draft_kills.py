"""kill -9 at any moment of saving, committing and dropping drafts: what was acknowledged is there, once."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

import insitu
from insitu.errors import MissingDraftError
from tests.system.programs import start

KILLS = 300 if os.environ.get("INSITU_LONG") else 24

# Appends numbered words to the draft, says each that was saved, and commits every now and then.
PROGRAM = """
import sys, insitu
path, number = sys.argv[1], int(sys.argv[2])
insitu.open(path, draft=True).close()
print("ready", flush=True)
while True:
    with insitu.open(path, draft=True) as doc:
        for _ in range(4):
            doc.append(b"<%d>" % number)
            doc.insert(0, b"#" * (number % 3))
            doc.save_draft()
            print(number, flush=True)
            number += 1
        if number % 3 == 0:
            doc.commit()
"""


def everything(path: Path) -> bytes:
    """The file with its draft."""
    try:
        with insitu.open(path, "r", draft=True) as doc:
            return doc.read(0, doc.size)
    except MissingDraftError:
        return path.read_bytes()


@pytest.mark.slow
def test_every_acknowledged_save_is_there_once_however_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"|")
    chance = random.Random(11)
    number = 0
    for _ in range(KILLS):
        process = start(PROGRAM, path, number)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", process.communicate()
        time.sleep(chance.random() * 0.3)
        process.send_signal(signal.SIGKILL)
        said, _ = process.communicate()
        insitu.recover(path)
        with insitu.open(path, draft=True):
            pass  # as the next to edit it would
        tail = everything(path).rpartition(b"|")[2]
        found = [int(word) for word in tail.removesuffix(b">").replace(b"<", b"").split(b">") if word]
        acknowledged = [int(line) for line in said.split()]
        assert found == list(range(len(found))), "each word once, in order"
        last = acknowledged[-1] if acknowledged else number - 1
        assert last <= len(found) - 1 <= last + 1, "all that was acknowledged, and at most what was under way"
        number = len(found)
    hashes = everything(path).partition(b"|")[0]
    assert hashes == b"#" * sum(n % 3 for n in range(number))
    assert number > KILLS
