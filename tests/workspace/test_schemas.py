"""Schemas: what models are told of arguments, and no more."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import pytest
from msgspec import Meta

from insitu.workspace.catalog import TOOLS
from insitu.workspace.request import Reply, Request, Tool
from insitu.workspace.schemas import anthropic_tools, input_schema, input_schemas, openai_tools


class Part(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """For programmers."""

    at: Annotated[int, Meta(ge=1)]
    value: int | str | None = None


class Ask(Request[Reply], frozen=True, kw_only=True):
    """For programmers, too."""

    tool: ClassVar[Tool] = Tool("ask", "Ask", "Asks.", "read")

    path: Annotated[str, Meta(description="The file.")]
    parts: Annotated[list[Part], Meta(min_length=1)]
    title: str | None = None
    mode: Literal["a", "b"] = "a"
    whole: bool = True
    quiet: bool = False
    limit: Annotated[int, Meta(ge=1, le=9)] = 5


class AskAgain(Ask, frozen=True, kw_only=True):
    """The same under another name."""

    tool: ClassVar[Tool] = Tool("ask_again", "Ask again", "Asks again.", "read")


def test_a_schema_is_one_object_without_what_goes_without_saying() -> None:
    assert input_schema(Ask) == {
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "The file."},
            "parts": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"at": {"type": "integer"}, "value": {"type": ["integer", "string"]}},
                    "required": ["at"],
                },
            },
            "title": {"type": "string"},
            "mode": {"enum": ["a", "b"], "default": "a"},
            "whole": {"type": "boolean", "default": True},
            "quiet": {"type": "boolean"},
            "limit": {"type": "integer"},
        },
        "required": ["path", "parts"],
        "additionalProperties": False,
    }


def test_what_several_tools_take_is_described_once() -> None:
    schemas = input_schemas([Ask, AskAgain])
    assert schemas["ask"]["properties"]["path"] == {"type": "string", "description": "The file."}
    assert schemas["ask_again"]["properties"]["path"] == {"type": "string"}


@pytest.mark.parametrize("kind", TOOLS, ids=lambda kind: kind.tool.name)
def test_every_argument_of_every_tool_is_in_its_schema(kind: Any) -> None:
    schema = input_schema(kind)
    assert list(schema["properties"]) == list(kind.__struct_fields__)
    assert set(schema.get("required", ())) == {
        field.name for field in msgspec.structs.fields(kind) if field.required
    }
    json.dumps(schema)


def test_definitions_for_other_hosts_hold_the_same() -> None:
    for ours, theirs, kind in zip(openai_tools(TOOLS), anthropic_tools(TOOLS), TOOLS, strict=True):
        assert ours["type"] == "function"
        function = ours["function"]
        assert function["name"] == theirs["name"] == kind.tool.name
        assert function["description"] == theirs["description"] == kind.tool.description
        assert function["parameters"] == theirs["input_schema"]
