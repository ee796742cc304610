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
    """The program of the reference server, installed if npm is there; else where it would be."""
    home = folder / "filesystem"
    program = home / "node_modules" / ".bin" / "mcp-server-filesystem"
    if not program.exists() and (npm := shutil.which("npm")):
        _try([npm, "install", "--silent", "--prefix", str(home), FILESYSTEM_PACKAGE])
    return program


def editor_server(folder: Path) -> Path:
    """The program of mcp-text-editor, installed if that can be done; else where it would be."""
    home = folder / "editor"
    program = home / "bin" / "mcp-text-editor"
    if not program.exists():
        _try([sys.executable, "-m", "venv", str(home)])
        # It asks for Python 3.13 and uses nothing that 3.11 lacks.
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--ignore-requires-python"]
        _try([*pip, EDITOR_PACKAGE])
    return program


def _try(command: list[str]) -> None:
    """Runs a step of an installation. Where it fails the program is missing, and its row says so."""
    try:
        subprocess.run(command, timeout=_INSTALL_S, check=False, capture_output=True)
    except (OSError, subprocess.TimeoutExpired):
        return
