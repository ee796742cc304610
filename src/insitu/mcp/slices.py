"""Parts of files as resources: one template, nothing listed, read by the same tool as everything else."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import mcp_types as types
from mcp.shared.exceptions import MCPError

from insitu.workspace.workspace import Answer

TOOL: Final = "file_read"
SCHEME: Final = "insitu"
TEMPLATE: Final = types.ResourceTemplate(
    uri_template="insitu:///{+path}{?lines,tail,bytes}",
    name="file-slice",
    title="Part of a file",
    description='Lines "10-20", the last N lines or bytes "start:stop" of a file; else its beginning.',
    mime_type="text/plain",
)
_ADDRESSES: Final = frozenset({"lines", "tail", "bytes"})


def arguments_of(uri: str) -> dict[str, Any]:
    """What the tool is asked for by a URI of the template.

    Raises:
        MCPError: the URI is not one of the template's.
    """
    foreign = MCPError(
        types.INVALID_PARAMS, f"Not a resource of this server; its template is {TEMPLATE.uri_template}."
    )
    try:
        parts = urlsplit(uri)
    except ValueError:  # as of a host in brackets that is no address
        raise foreign from None
    given = parse_qsl(parts.query, keep_blank_values=True)
    if parts.scheme != SCHEME or parts.netloc or parts.fragment or {name for name, _ in given} - _ADDRESSES:
        raise foreign
    return {"path": unquote(parts.path.removeprefix("/")), "prefix": "none", **dict(given)}


def resource_of(uri: str, answer: Answer) -> types.ReadResourceResult:
    """The part that was read.

    Raises:
        MCPError: it was refused.
    """
    if answer.refused is not None:
        raise MCPError(types.INVALID_PARAMS, answer.text.partition("\n")[0], dict(answer.refused.data))
    contents = types.TextResourceContents(uri=uri, mime_type="text/plain", text=answer.text)
    return types.ReadResourceResult(contents=[contents])
