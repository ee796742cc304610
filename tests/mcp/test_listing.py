"""What hosts are told of the tools: little enough, in one order, and true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mcp.types import Tool

from insitu.mcp.server import INSTRUCTIONS
from insitu.workspace.catalog import TOOLS
from tests.mcp.hosts import ERAS, run, within

LIST_CHARS_MAX = 12_000
"""What the whole list may cost every request of every agent."""


def listed(root: Path, era: str = "auto", **options: Any) -> list[Tool]:
    """The tools as a client gets them."""

    async def main() -> list[Tool]:
        async with within(root, era, **options) as client:
            return list((await client.list_tools()).tools)

    return run(main)


@pytest.mark.parametrize("era", ERAS.values(), ids=ERAS)
def test_the_list_is_short_and_in_the_order_of_the_catalogue(tmp_path: Path, era: str) -> None:
    tools = listed(tmp_path, era)
    assert [tool.name for tool in tools] == [kind.tool.name for kind in TOOLS]
    values = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    assert len(json.dumps(values, separators=(",", ":"))) <= LIST_CHARS_MAX


def test_annotations_say_what_a_tool_can_do(tmp_path: Path) -> None:
    for tool, kind in zip(listed(tmp_path), TOOLS, strict=True):
        notes = tool.annotations
        assert notes is not None
        assert notes.open_world_hint is False
        assert notes.read_only_hint is (kind.tool.effect == "read")
        assert not notes.idempotent_hint
        assert notes.destructive_hint is {"read": None, "append": False, "edit": True}[kind.tool.effect]
        assert tool.title and tool.description


def test_schemas_allow_nothing_unknown_and_refer_to_nothing(tmp_path: Path) -> None:
    for tool in listed(tmp_path):
        schema = tool.input_schema
        assert schema["type"] == "object"
        assert schema["additionalProperties"] is False
        assert set(schema.get("required", ())) <= set(schema["properties"])
        assert "$ref" not in json.dumps(schema)


def test_a_read_only_server_lists_no_tool_that_edits(tmp_path: Path) -> None:
    tools = listed(tmp_path, read_only=True)
    assert tools
    assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools)


def test_only_a_template_of_resources_is_listed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\n")

    async def main() -> None:
        async with within(tmp_path) as client:
            assert (await client.list_resources()).resources == []
            (template,) = (await client.list_resource_templates()).resource_templates
            assert template.uri_template == "insitu:///{+path}{?lines,tail,bytes}"
            assert client.instructions == INSTRUCTIONS

    run(main)
