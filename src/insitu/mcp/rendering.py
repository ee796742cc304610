"""How tools and answers look on the wire: schemas exactly ours, annotations true, refusals in one shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import mcp_types as types

from insitu.workspace.request import Effect, Request, Tool
from insitu.workspace.schemas import input_schemas
from insitu.workspace.workspace import Answer

ERROR_KEY: Final = "io.github.insitu/error"
"""Under which the ``_meta`` of a refusal holds its code and facts."""


def tools_of(kinds: Sequence[type[Request[Any]]]) -> list[types.Tool]:
    """The tools as hosts list them."""
    schemas = input_schemas(kinds)
    return [_tool(kind.tool, schemas[kind.tool.name]) for kind in kinds]


def _tool(tool: Tool, schema: dict[str, Any]) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=schema,
        annotations=_annotations(tool.effect),
    )


def _annotations(effect: Effect) -> types.ToolAnnotations:
    """What hosts go by when they run calls at once, ask people first, or call again after a timeout.

    An edit that is not idempotent is what the protocol takes for granted; of an append it is said, as
    twice is twice and nothing refuses it.
    """
    match effect:
        case "read":
            return types.ToolAnnotations(read_only_hint=True, open_world_hint=False)
        case "append":
            return types.ToolAnnotations(
                read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
            )
        case "edit":
            return types.ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=False)


def result_of(answer: Answer) -> types.CallToolResult:
    """An answer as a result. A refusal has no structured content: clients would hold it to a schema."""
    content: list[types.ContentBlock] = [types.TextContent(type="text", text=answer.text)]
    if answer.refused is not None:
        return types.CallToolResult(
            content=content, is_error=True, _meta={ERROR_KEY: dict(answer.refused.data)}
        )
    return types.CallToolResult(content=content, structured_content=answer.data)
