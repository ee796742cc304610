"""Files that commands are tried on."""

from __future__ import annotations

from pathlib import Path

import pytest

TEN_LINES = b"".join(b"line %d\n" % number for number in range(1, 11))


@pytest.fixture
def ten(tmp_path: Path) -> Path:
    """A file of the lines ``line 1`` to ``line 10``."""
    path = tmp_path / "ten.txt"
    path.write_bytes(TEN_LINES)
    return path
