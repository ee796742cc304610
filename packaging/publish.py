"""Writes what is published about the server: the tool reference, host configurations, the registry's entry.

    python packaging/publish.py            writes the files that differ
    python packaging/publish.py --check    names them, and fails if there are any

All of it follows from the code and from pyproject.toml; ``tests/mcp/test_published.py`` keeps it so.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec

from insitu.workspace.catalog import TOOLS
from insitu.workspace.request import Reply, Request

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

NAME = "insitu"
DISTRIBUTION = "insitu-mcp"
REGISTRY_NAME = "io.github.insitu/insitu"
SUMMARY = "Files for agents: exact edits of parts of files of any size, crash-safe and undoable."
FOLDER = "/path/to/project"

_EFFECTS = {
    "read": "Only reads.",
    "append": "Adds; what is there stays.",
    "edit": "Edits; every edit can be undone.",
}


# The tool reference


def reference() -> str:
    """The page of the tools."""
    lines = [
        "# The tools",
        "",
        f"Generated from the code by `packaging/publish.py`. The {len(TOOLS)} tools of a workspace, as "
        "[MCP hosts](mcp.md) and [Python programs](agents.md) call them, in the order in which they are "
        "listed. Arguments that are unknown are refused with the nearest name; names that models are "
        "trained on elsewhere (`file_path`, `old_string`, `new_str`, `view_range`, ...) are taken for what "
        "they mean here.",
        "",
        "`path` is absolute, relative to the only root, or `NAME:path` where there are several. `version` is "
        "what an answer said last: with it, an edit of what has changed since is refused, and one of other "
        "parts rebased. `dry_run` shows the diff and changes nothing. Lines, rows, records and columns count "
        'from 1, both ends included; bytes from 0, `"start:stop"`, the stop excluded.',
        "",
    ]
    for kind in TOOLS:
        tool = kind.tool
        lines += [f"## {tool.name}", "", f"{_escaped(tool.description)} {_EFFECTS[tool.effect]}", ""]
        lines += ["| argument | value | |", "| --- | --- | --- |", *_rows(kind), ""]
        for field in msgspec.structs.fields(kind):
            if (inner := _struct_in(field.type)) is not None:
                lines += [f"Each of `{field.name}`:", "", "| key | value | |", "| --- | --- | --- |"]
                lines += [*_rows(inner), ""]
        lines += [_gives(kind), ""]
    return "\n".join(lines)


def _rows(kind: Any) -> Iterator[str]:
    properties = _schema_of(kind)["properties"]
    for field in msgspec.structs.fields(kind):
        value = properties[field.name]
        words = [_escaped(value.get("description", ""))]
        if field.required:
            words.insert(0, "Required.")
        elif value.get("default") not in (None, "", []):
            words.append(f"Default `{json.dumps(value['default'])}`.")
        yield f"| `{field.name}` | {_type(value)} | {' '.join(word for word in words if word)} |"


def _schema_of(kind: Any) -> dict[str, Any]:
    whole = msgspec.json.schema(kind)
    return dict(whole["$defs"][whole["$ref"].rpartition("/")[2]])


def _type(value: dict[str, Any]) -> str:
    """What a value is, in words."""
    if "enum" in value:
        return ", ".join(f"`{choice}`" for choice in value["enum"])
    if "anyOf" in value:
        return " or ".join(_type(choice) for choice in value["anyOf"] if choice.get("type") != "null")
    kind = _TYPES.get(value.get("type", ""), "any value")
    match value.get("minimum"), value.get("maximum"):
        case None, None:
            return kind
        case None, most:
            return f"{kind}, at most {most:,}"
        case least, None:
            return f"{kind}, {least:,} or more"
        case least, most:
            return f"{kind}, {least:,} to {most:,}"


_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "object",
}


def _gives(kind: type[Request[Any]]) -> str:
    """What a tool answers with."""
    reply = _reply_of(kind)
    summary = (reply.__doc__ or "").strip().partition("\n")[0].replace("``", "`")
    if not reply.structured:
        return f"Answers with text. {summary}"
    names = ", ".join(f"`{field.name}`" for field in msgspec.structs.fields(reply))
    return f"Answers with a sentence and one line of JSON. {summary} Keys, where they say anything: {names}."


def _reply_of(kind: type[Request[Any]]) -> type[Reply]:
    for base in kind.__mro__:
        for original in getattr(base, "__orig_bases__", ()):
            for argument in get_args(original):
                if isinstance(argument, type) and issubclass(argument, Reply):
                    return argument
    raise TypeError(f"{kind.__name__} names no reply")


def _struct_in(kind: Any) -> Any:
    for inner in get_args(kind):
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            return inner
        if (found := _struct_in(inner)) is not None:
            return found
    return None


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


# Configurations of hosts


def hosts() -> str:
    """What to paste where, for each host."""
    command = {"command": "uvx", "args": [DISTRIBUTION, "--root", FOLDER]}
    common = _json({"mcpServers": {NAME: command}})
    vscode = _json({"servers": {NAME: {"type": "stdio", **command}}})
    codex = f'[mcp_servers.{NAME}]\ncommand = "uvx"\nargs = {json.dumps(command["args"])}\n'
    parts = [
        ("Claude Code (`.mcp.json`), Claude Desktop (`claude_desktop_config.json`), Cursor", "json", common),
        ("Visual Studio Code (`.vscode/mcp.json`)", "json", vscode),
        ("Codex (`~/.codex/config.toml`)", "toml", codex),
    ]
    return "\n".join(f"{title}:\n\n```{language}\n{text}```\n" for title, language, text in parts)


BEGIN, END = "<!-- hosts: generated by packaging/publish.py -->\n\n", "\n<!-- end of hosts -->\n"


def guide() -> str:
    """The page of the server, with the configurations in their place."""
    text = (ROOT / "docs" / "mcp.md").read_text("utf-8")
    before, rest = text.split(BEGIN)
    return before + BEGIN + hosts() + END + rest.split(END)[1]


# Registry and distribution


def registry_entry() -> str:
    """``server.json``. Source: the registry's schema of 2025-12-11."""
    version = PROJECT["version"]
    folder = {
        "type": "named",
        "name": "--root",
        "description": "A folder that agents may use; repeat it for more.",
        "format": "filepath",
        "isRequired": True,
        "isRepeated": True,
    }
    return _json(
        {
            "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
            "name": REGISTRY_NAME,
            "title": NAME,
            "description": SUMMARY,
            "version": version,
            "packages": [
                {
                    "registryType": "pypi",
                    "identifier": DISTRIBUTION,
                    "version": version,
                    "runtimeHint": "uvx",
                    "transport": {"type": "stdio"},
                    "packageArguments": [folder],
                }
            ],
        }
    )


def distribution() -> str:
    """The project file of the distribution that launchers install: they know no extras."""
    version = PROJECT["version"]
    return f"""\
# Written by packaging/publish.py: {NAME} with what the server needs, under a name of its own.

[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "{DISTRIBUTION}"
version = "{version}"
description = "{SUMMARY}"
readme = "README.md"
requires-python = "{PROJECT["requires-python"]}"
license = "{PROJECT["license"]}"
dependencies = ["{NAME}[mcp]=={version}"]

[project.scripts]
{DISTRIBUTION} = "insitu.cli.main:serve"

[tool.hatch.build.targets.wheel]
bypass-selection = true # there is no code of its own
"""


def introduction() -> str:
    """What the distribution says of itself; the registry looks for the name in it."""
    return f"""\
# {DISTRIBUTION}

{SUMMARY}
`{DISTRIBUTION} --root DIR` is `{NAME} mcp --root DIR`: {NAME} with the SDK of the Model Context Protocol.

<!-- mcp-name: {REGISTRY_NAME} -->
"""


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"


def published() -> dict[Path, str]:
    """Every generated file, with its text."""
    return {
        ROOT / "docs" / "tools.md": reference(),
        ROOT / "docs" / "mcp.md": guide(),
        ROOT / "server.json": registry_entry(),
        ROOT / "packaging" / "mcp" / "pyproject.toml": distribution(),
        ROOT / "packaging" / "mcp" / "README.md": introduction(),
    }


def main() -> int:
    """Writes the files that differ, or names them; returns the exit code."""
    differing = [
        (path, text)
        for path, text in published().items()
        if not path.exists() or path.read_text("utf-8") != text
    ]
    for path, text in differing:
        print(path.relative_to(ROOT))
        if "--check" not in sys.argv:
            path.write_text(text, "utf-8")
    return 1 if differing and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
