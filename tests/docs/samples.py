"""The files that the examples of the documentation speak of."""

from __future__ import annotations

import struct
from pathlib import Path

from insitu.workspace.audit import AuditLog, Change, Client

_LINES = 20_000
_FAILED_EVERY = 100

_CLEANING = """
def calm(line):
    return line.replace("status=failed", "status=retry")


def first_failure(line, context):
    if "failed" in line and not any("failed" in one for one in context.before):
        return [f"# line {context.number}\\n", line]
    return line
"""


_CONFIG = b"""{
  "server": {"port": 80, "hosts": ["a", "b"]},
  "debug": false
}
"""


_MANUAL = b"""\
---
title: The manual
---
# Manual

What it is.

## Install

### Linux

Use the package.

## Usage

Call it.

## Usage

Once more.
"""


def make(folder: Path) -> None:
    """Makes all of them."""
    (folder / "huge.log").write_bytes(_log(_LINES))
    (folder / "orders.log").write_bytes(_orders())
    (folder / "signal.f32").write_bytes(struct.pack("<4096f", *[0.0] * 4096))
    (folder / "ticks.bin").write_bytes(b"".join(struct.pack("<qd", 1000 + i, i / 4) for i in range(1_000)))
    (folder / "cleaning.py").write_text(_CLEANING, "utf-8")
    (folder / "notes.txt").write_bytes(b"some notes\n")
    (folder / "disk.img").write_bytes(bytes(4096))
    (folder / "events.jsonl").write_bytes(_events(1_000))
    (folder / "config.json").write_bytes(_CONFIG)
    (folder / "orders.csv").write_bytes(_table(3_000))
    (folder / "manual.md").write_bytes(_MANUAL)
    _audit(folder)
    (folder / "edits.jsonl").write_bytes(
        b'{"lines": "10", "text": "line ten\\n"}\n{"match": "status=ok id=1500", "text": "checked"}\n'
    )
    (folder / "changes.jsonl").write_bytes(
        b'{"path": "notes.txt", "match": "some", "text": "a few"}\n'
        b'{"path": "manual.md", "match": "Call it.", "text": "Call it now."}\n'
    )


def _audit(folder: Path) -> None:
    """An audit log of a write and a read."""
    with AuditLog(folder / "audit", key=folder / "audit.key") as log:
        with log.attempt("edit", client=Client("host", "1.0"), path="notes/a.txt") as attempt:
            attempt.intend([Change(0, 3, 4)], size_before=10)
            attempt.note(size_after=11, operation=1)
        with log.attempt("read", client=Client("host", "1.0"), path="notes/a.txt", addresses=["lines 1-9"]):
            pass


def _log(lines: int) -> bytes:
    """Lines of which every hundredth but the first failed."""
    status = ["failed" if i % _FAILED_EVERY == 0 and i else "ok" for i in range(lines)]
    return "".join(f"2026-03-14T09:30:00Z id={i} status={word}\n" for i, word in enumerate(status)).encode()


def _orders() -> bytes:
    lines = [f"2026-03-14 status={'failed' if i % 7 == 0 else 'ok'} id={i:04}\n" for i in range(2_000)]
    lines[1700] = "2026-03-14 DEBUG remove me\n"
    return "".join(lines).encode()


def _events(count: int) -> bytes:
    """Records of JSON Lines, every other one new."""
    record = '{"id": %d, "status": "%s", "user": {"name": "u%d"}, "v": %.1f}\n'
    return "".join(record % (i, "new" if i % 2 else "old", i, i) for i in range(1, count + 1)).encode()


def _table(count: int) -> bytes:
    """Rows of CSV, every third one pending, with quotes and quoted line ends here and there."""
    rows = ["id,status,value,note\r\n"]
    for number in range(1, count + 1):
        status = "pending" if number % 3 == 0 else "done"
        note = '"first line\nsecond"' if number % 50 == 0 else f"note {number}"
        rows.append(f"A-{number},{status},{number * 1.5:.2f},{note}\r\n")
    return "".join(rows).encode()
