"""The file servers that agents are given today, installed beside the inputs: nothing of them is ours to pin.

Sources: npm @modelcontextprotocol/server-filesystem; PyPI mcp-text-editor (it needs the SDK before version 2,
and so an environment of its own).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

FILESYSTEM_PACKAGE = "@modelcontextprotocol/server-filesystem@2026.8.31"
EDITOR_PACKAGE = "mcp-text-editor==1.2.2"

_INSTALL_S = 300.0


def filesystem_server(folder: Path) -> Path:
    """Where the program of the reference server is once it is installed."""
    return folder / "filesystem" / "node_modules" / ".bin" / "mcp-server-filesystem"


def editor_server(folder: Path) -> Path:
    """Where the program of mcp-text-editor is once it is installed."""
    return folder / "editor" / "bin" / "mcp-text-editor"


def install_filesystem_server(folder: Path) -> None:
    """Installs the reference server, if it is not there yet and npm is."""
    folder.mkdir(parents=True, exist_ok=True)
    if not filesystem_server(folder).exists() and (npm := shutil.which("npm")):
        _try([npm, "install", "--silent", "--prefix", str(folder / "filesystem"), FILESYSTEM_PACKAGE])


def install_editor_server(folder: Path) -> None:
    """Installs mcp-text-editor, if it is not there yet and that can be done."""
    folder.mkdir(parents=True, exist_ok=True)
    if not editor_server(folder).exists():
        home = folder / "editor"
        _try([sys.executable, "-m", "venv", str(home)])
        # It asks for Python 3.13 and uses nothing that 3.11 lacks.
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--ignore-requires-python"]
        _try([*pip, EDITOR_PACKAGE])


def _try(command: list[str]) -> None:
    """Runs a step of an installation. Where it fails the program is missing, and its row says so."""
    try:
        subprocess.run(command, timeout=_INSTALL_S, check=False, capture_output=True)
    except (OSError, subprocess.TimeoutExpired):
        return
