"""The protocol over streamable HTTP: for those who hold the token, from hosts and pages that were named."""

from __future__ import annotations

import hmac
import secrets
import socket
from collections.abc import Iterable, Sequence
from types import FrameType
from typing import Any, Final

import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from insitu.errors import AccessError, RequestError
from insitu.mcp.calls import Calls

PATH: Final = "/mcp"
TOKEN_CHARACTERS_MIN: Final = 16

# Streams that clients keep open do not keep the server: what commits is waited for all the same.
_GRACE_S: Final = 2
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens at an address.

    Raises:
        RequestError: the address is not ours, or taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()  # who comes before the server runs waits, and is not turned away
    except OSError as error:
        listening.close()
        raise RequestError(
            f"Cannot listen on {host}:{port}: {error.strerror}.",
            hint="Take another port; port 0 takes any that is free.",
        ) from None
    return listening


def url_of(listening: socket.socket) -> str:
    """Where clients find the server."""
    return f"http://{_address_of(listening)}{PATH}"


def _address_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def token_in(path: str | None) -> str:
    """The token that a file holds; a new one without a file.

    Raises:
        AccessError: the file cannot be read.
        RequestError: what it holds is too short to be safe.
    """
    if path is None:
        return secrets.token_urlsafe(32)
    try:
        with open(path, encoding="ascii") as file:
            token = file.read(4_096).strip()
    except (OSError, UnicodeDecodeError):
        raise AccessError(f"Cannot read a token from {path}.", hint="One line of ASCII.") from None
    if len(token) < TOKEN_CHARACTERS_MIN:
        raise RequestError(
            f"The token in {path} has less than {TOKEN_CHARACTERS_MIN} characters.",
            hint="As from: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    return token


async def serve_http(
    server: Server[Any],
    calls: Calls,
    listening: socket.socket,
    token: str,
    *,
    hosts: Sequence[str] = (),
    origins: Sequence[str] = (),
) -> None:
    """Serves until a signal asks to stop, which is then raised anew; every commit under way ends first.

    Args:
        hosts: ``Host`` headers to take besides the address itself and, on the loopback, its names.
        origins: ``Origin`` headers to take; without one are requests that no web page made.
    """
    config = uvicorn.Config(
        application(server, listening, token, hosts=hosts, origins=origins),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    await _Listener(config, calls).serve([listening])


def application(
    server: Server[Any],
    listening: socket.socket,
    token: str,
    *,
    hosts: Iterable[str] = (),
    origins: Iterable[str] = (),
) -> ASGIApp:
    """The server behind its guard."""
    own = {_address_of(listening)}
    host, port = listening.getsockname()[:2]
    if host in ("127.0.0.1", "::1"):
        own |= {f"{name}:{port}" for name in _LOOPBACK}
    pages = list(origins)
    guarded = _Guard(
        # The guard checks more than the SDK does, and before it.
        server.streamable_http_app(
            streamable_http_path=PATH,
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        ),
        token,
        hosts=own | set(hosts),
        origins={f"http://{name}" for name in own} | set(pages),
    )
    if not pages:
        return guarded
    return CORSMiddleware(
        guarded,
        allow_origins=pages,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["*"],
        expose_headers=["Mcp-Session-Id", "WWW-Authenticate"],
    )


class _Listener(uvicorn.Server):
    """Calls off what is not committed when a signal comes, so that the server need not wait for scans."""

    def __init__(self, config: uvicorn.Config, calls: Calls) -> None:
        super().__init__(config)
        self._calls = calls

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._calls.stop()
        super().handle_exit(sig, frame)


class _Guard:
    """Lets requests pass that name this host, come from no foreign page, and bring the token.

    A page that was made to resolve to this machine (DNS rebinding) sends its own name as ``Host``; any page
    sends its ``Origin``. Source: the transport's security rules in the protocol's specification.
    """

    def __init__(self, app: ASGIApp, token: str, *, hosts: set[str], origins: set[str]) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = {host.lower() for host in hosts}
        self._origins = {origin.lower() for origin in origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(Headers(scope=scope)) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, headers: Headers) -> PlainTextResponse | None:
        if headers.get("host", "").lower() not in self._hosts:
            return PlainTextResponse("This server has another name.", 403)
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in self._origins:
            return PlainTextResponse("Pages of this origin may not connect.", 403)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(token.strip().encode(), self._token)
        if scheme.lower() != "bearer" or not right:
            return PlainTextResponse("Send the token.", 401, headers={"WWW-Authenticate": "Bearer"})
        return None
