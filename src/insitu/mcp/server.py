"""The server: what a workspace can do, said in the protocol of both eras, on whatever transport."""

from __future__ import annotations

import functools
from importlib.metadata import version
from typing import Any, Final

import mcp_types as types
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server

from insitu.mcp import slices
from insitu.mcp.calls import Calls
from insitu.mcp.rendering import result_of, tools_of
from insitu.workspace.workspace import Workspace

NAME: Final = "insitu"

# Said once, as every tool that takes them would have to say it.
INSTRUCTIONS: Final = (
    "Reads and edits parts of files of any size. path: relative to the root, NAME:path where there are "
    "several roots, or absolute. Edit by text that occurs once, or by line numbers; pass the version that "
    "you saw last: what changed since is rebased over or refused, never overwritten. dry_run shows the diff "
    "and changes nothing. A refusal says what to do next. Every edit can be undone by its edit_id."
)

# What the server lists is fixed when it starts.
_FIXED: Final = CacheHint(ttl_ms=3_600_000, scope="public")

Context = ServerRequestContext[Any, Any]


def serving(workspace: Workspace, calls: Calls) -> Server[Any]:
    """A server of the tools of a workspace; one serves any number of connections.

    Args:
        calls: runs what is asked for.
    """
    tools = tools_of(workspace.tools)

    async def list_tools(_: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools)

    async def call_tool(context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        work = functools.partial(workspace.call, params.name, params.arguments or {})
        return result_of(await calls.run(context, work))

    async def list_resources(
        _: Context, __: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=[])

    async def list_templates(
        _: Context, __: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(resource_templates=[slices.TEMPLATE])

    async def read_resource(
        context: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        uri = str(params.uri)
        work = functools.partial(workspace.call, slices.TOOL, slices.arguments_of(uri))
        return slices.resource_of(uri, await calls.run(context, work))

    return Server(
        NAME,
        version=version("insitu"),
        title="insitu",
        instructions=INSTRUCTIONS,
        cache_hints={"tools/list": _FIXED, "resources/list": _FIXED, "resources/templates/list": _FIXED},
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
    )
