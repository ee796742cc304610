"""What is published agrees with the code: reference, configurations, registry entry, distribution, README."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from insitu.cli import main
from insitu.workspace.catalog import TOOLS
from tests.tidy.tree import ROOT

PUBLISH = runpy.run_path(str(ROOT / "packaging" / "publish.py"))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.mark.parametrize(
    ("path", "text"), PUBLISH["published"]().items(), ids=lambda value: getattr(value, "name", "")
)
def test_generated_files_are_up_to_date(path: Path, text: str) -> None:
    assert path.read_text("utf-8") == text, "run: python packaging/publish.py"


def test_the_reference_has_every_tool_and_argument() -> None:
    text = (ROOT / "docs" / "tools.md").read_text("utf-8")
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == [kind.tool.name for kind in TOOLS]
    for kind in TOOLS:
        for name in kind.__struct_fields__:
            assert f"| `{name}` |" in text


def test_the_registry_entry_names_what_there_is() -> None:
    entry = json.loads((ROOT / "server.json").read_text("utf-8"))
    (package,) = entry["packages"]
    assert entry["version"] == package["version"] == PROJECT["version"]
    assert len(entry["description"]) <= 100
    assert package["identifier"] == PUBLISH["DISTRIBUTION"]
    command = main.cli.get_command(None, "mcp")
    assert command is not None
    options = {option for parameter in command.params for option in parameter.opts}
    assert {argument["name"] for argument in package["packageArguments"]} <= options
    for readme in (ROOT / "README.md", ROOT / "packaging" / "mcp" / "README.md"):
        assert f"mcp-name: {entry['name']} " in readme.read_text("utf-8")


def test_the_distribution_starts_the_server_of_this_version() -> None:
    project = tomllib.loads((ROOT / "packaging" / "mcp" / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == PROJECT["version"]
    assert project["dependencies"] == [f"{PROJECT['name']}[mcp]=={PROJECT['version']}"]
    assert "mcp" in PROJECT["optional-dependencies"]
    module, _, function = project["scripts"]["insitu-mcp"].partition(":")
    assert module == main.__name__
    assert callable(getattr(main, function))
    ours = PROJECT["scripts"]["insitu"]
    assert {script.value for script in entry_points(group="console_scripts", name="insitu")} <= {ours}


@pytest.mark.slow
def test_the_distribution_builds_and_holds_no_code(tmp_path: Path) -> None:
    folder = ROOT / "packaging" / "mcp"
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("insitu_mcp-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert all(".dist-info/" in name for name in names)
        (scripts,) = [name for name in names if name.endswith("entry_points.txt")]
        assert "insitu-mcp = insitu.cli.main:serve" in archive.read(scripts).decode()


def test_configurations_start_the_distribution() -> None:
    text = (ROOT / "docs" / "mcp.md").read_text("utf-8")
    common, vscode = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL))
    (codex,) = (tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL))
    for server in (common["mcpServers"], vscode["servers"], codex["mcp_servers"]):
        assert server["insitu"]["command"] == "uvx"
        assert server["insitu"]["args"][:2] == [PUBLISH["DISTRIBUTION"], "--root"]
