"""How another process comes to read the very file that is open here."""

from __future__ import annotations

import os
from typing import NamedTuple

from insitu.engine.snapshot import Generation, Snapshot
from insitu.errors import StaleError


class Way(NamedTuple):
    """A way to the contents of an open file, which can be pickled; the lock stays where it is."""

    path: str
    """For messages."""
    way: str
    generation: Generation

    @classmethod
    def to(cls, content: Snapshot, path: str) -> Way:
        """The way to the very file, whatever its own path means elsewhere, or by now."""
        way = f"/proc/{os.getpid()}/fd/{content.file.fileno()}"
        return cls(path, way if os.path.exists(way) else content.file.path, content.generation)

    def open(self) -> Snapshot:
        """Opens it.

        Raises:
            StaleError: it was changed meanwhile.
        """
        from insitu.storage.local import local_volume

        file = local_volume().open(self.way)
        if not self.generation.same_contents(file.stat()):
            raise StaleError(
                f"The file {self.path} was changed by somebody else while another process opened it.",
                hint="Try again.",
                path=self.path,
            )
        return Snapshot(file, self.generation)
