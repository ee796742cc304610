"""The files that the examples of the documentation speak of."""

from __future__ import annotations

import struct
from pathlib import Path

_LINES = 20_000
_FAILED_EVERY = 100


def make(folder: Path) -> None:
    """Makes all of them."""
    (folder / "huge.log").write_bytes(_log(_LINES))
    (folder / "orders.log").write_bytes(_orders())
    (folder / "signal.f32").write_bytes(struct.pack("<4096f", *[0.0] * 4096))
    (folder / "notes.txt").write_bytes(b"some notes\n")
    (folder / "disk.img").write_bytes(bytes(4096))
    (folder / "edits.jsonl").write_bytes(
        b'{"lines": "10", "text": "line ten\\n"}\n{"match": "status=ok id=1500", "text": "checked"}\n'
    )


def _log(lines: int) -> bytes:
    """Lines of which every hundredth but the first failed."""
    status = ["failed" if i % _FAILED_EVERY == 0 and i else "ok" for i in range(lines)]
    return "".join(f"2026-03-14T09:30:00Z id={i} status={word}\n" for i, word in enumerate(status)).encode()


def _orders() -> bytes:
    lines = [f"2026-03-14 status={'failed' if i % 7 == 0 else 'ok'} id={i:04}\n" for i in range(2_000)]
    lines[1700] = "2026-03-14 DEBUG remove me\n"
    return "".join(lines).encode()
