"""The log that the tour edits: gigabytes in a second, and any edited version of it can be hashed anew.

It is generated block by block from a numbered template, so that what an edited file must hold can be
computed without insitu and without a second file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

BLOCK_LINES: Final = 10_000

_BLOCK_MARK: Final = b"########"
_VERBS: Final = ("GET /cart", "POST /order", "GET /item", "PUT /stock", "GET /search")
_STATES: Final = ("200", "200", "201", "304", "404", "200", "503")


def _template() -> bytes:
    lines = (
        f"2026-03-14T09:{i // 167 % 60:02}:{i % 60:02}.{i % 1000:03}Z INFO  shop-{i % 17:02} "
        f"request=########-{i:04} {_VERBS[i % 5]} {_STATES[i % 7]} {3 + i * 7 % 240}ms\n"
        for i in range(BLOCK_LINES)
    )
    return "".join(lines).encode("ascii")


@dataclass(frozen=True)
class Log:
    """A log of so many blocks.

    Attributes:
        template: one block, every line of which holds a mark for the block's number.
    """

    template: bytes
    block_count: int

    @staticmethod
    def of_size(size: int) -> Log:
        """A log of about ``size`` bytes, of one block at least."""
        template = _template()
        return Log(template, max(1, size // len(template)))

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.template) * self.block_count

    @property
    def line_count(self) -> int:
        """How many lines it has."""
        return BLOCK_LINES * self.block_count

    @property
    def middle(self) -> int:
        """The number, from 1, of the line that the tour edits."""
        return self.block_count // 2 * BLOCK_LINES + BLOCK_LINES // 2

    def block(self, number: int) -> bytes:
        """One block of lines."""
        return self.template.replace(_BLOCK_MARK, b"%08d" % number)

    def blocks(self, edited: Callable[[list[bytes]], list[bytes]] | None = None) -> Iterator[bytes]:
        """Yields the blocks.

        Args:
            edited: what happened to the lines of the middle block.
        """
        for number in range(self.block_count):
            block = self.block(number)
            if edited is not None and number == self.block_count // 2:
                block = b"".join(edited(block.splitlines(keepends=True)))
            yield block

    def digest(self, edited: Callable[[list[bytes]], list[bytes]]) -> str:
        """The hash of the log with an edited middle block."""
        return digest_of(self.blocks(edited))

    def write(self, path: str) -> str:
        """Writes the log, all the way to the disk; returns its hash."""
        digest = hashlib.sha256()
        with open(path, "xb") as file:
            for block in self.blocks():
                file.write(block)
                digest.update(block)
            file.flush()
            os.fsync(file.fileno())  # or the first durable edit would pay for it
        return digest.hexdigest()


def digest_of(parts: Iterator[bytes]) -> str:
    """SHA-256 over all parts."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def file_digest(path: str) -> str:
    """SHA-256 of a file, read by other means than insitu's."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
