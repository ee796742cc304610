"""What the tests of the workspace share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from insitu.workspace.workspace import Workspace
from tests.workspace.desks import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    root = tmp_path / "root"
    root.mkdir()
    with Workspace(str(root)) as workspace:
        yield Bench(root, workspace)
