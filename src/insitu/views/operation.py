"""What an operation changed, or a draft would change, for people to look at."""

from __future__ import annotations

from collections.abc import Iterator

from insitu.core.columns import Block, Pool, Splices
from insitu.core.protocols import Reader
from insitu.core.rendering import render
from insitu.core.sequence import Change
from insitu.core.spans import Span
from insitu.engine.journal import Journal
from insitu.views.diff import HUNKS_MAX, LINE_BYTES_MAX, LINES_MAX, side


class Rendered:
    """The result of splices over a base, as a reader."""

    def __init__(self, base: Reader, splices: Splices, pool: Pool) -> None:
        self._base = base
        self._splices = splices
        self._pool = pool
        self.size = splices.result_size

    def read(self, offset: int, size: int) -> bytes:
        """Exactly these bytes of the result."""
        window = self._splices.window(Span(offset, offset + size))
        return bytes(render(window, self._pool, self._base.read))

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fills ``buffer`` with bytes of the result."""
        buffer[:] = self.read(offset, len(buffer))


def changes_of(splices: Splices) -> Iterator[Change]:
    """Yields the changed places, ascending, lazily."""
    for block in splices.blocks():
        for i, start in enumerate(block.starts):
            result = block.result_start(i)
            yield Change(Span(start, block.stop(i)), Span(result, result + block.news[i + 1] - block.news[i]))


def exchanged(journal: Journal, name: str) -> str:
    """Shows what an operation took away and put there, from its journal alone; bounded."""
    lines = [f"--- {name} before", f"+++ {name} after"]
    shown = 0
    for block in journal.splices.blocks():
        for i, start in enumerate(block.starts):
            if shown == HUNKS_MAX:
                lines.append(f"... {journal.splices.summary.places - shown:,} more places are not shown")
                return "\n".join(lines) + "\n"
            shown += 1
            old, new = block.stop(i) - start, block.news[i + 1] - block.news[i]
            lines.append(f"@@ byte {start:,}, {old:,} bytes -> {new:,} bytes @@")
            lines += side("-", _old(journal, block, i), old)
            limit = LINES_MAX * LINE_BYTES_MAX
            lines += side("+", journal.new.read(block.news[i], new) if new <= limit else None, new)
    return "\n".join(lines) + "\n"


def _old(journal: Journal, block: Block, i: int) -> bytes | None:
    size = block.olds[i + 1] - block.olds[i]
    if size > LINES_MAX * LINE_BYTES_MAX or journal.plan["old"] == "none":
        return None
    if journal.plan["old"] == "pool":
        return journal.old.read(block.olds[i], size)
    span = Span(block.starts[i], block.stop(i))
    return b"".join(bytes(journal.covers.read(part)) for part, _ in journal.covers.stretches(span))
