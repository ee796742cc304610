"""``insitu mcp``."""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from insitu.cli.interrupts import SIGNAL_EXIT
from insitu.cli.options import Seconds, verb
from insitu.cli.output import write_line

if TYPE_CHECKING:
    from insitu.workspace.audit import AuditLog
    from insitu.workspace.roots import RootSpec
    from insitu.workspace.workspace import Workspace

_FOLDER: Final = click.Path(exists=True, file_okay=False)
_USED: Final = (
    "charset_normalizer",
    "insitu.engine.growing_index",
    "numpy",
    "re2",
    "stringzilla",
    "xxhash",
)
"""What the first calls would else wait for: a fifth of a second."""

_WITHOUT_EXTRA: Final = "The agents' server needs the MCP SDK; install it with: pip install 'insitu[mcp]'"


@dataclass(frozen=True)
class HttpOptions:
    """Where the HTTP server listens, and to whom."""

    host: str
    port: int
    token_file: str | None
    hosts: tuple[str, ...]
    origins: tuple[str, ...]


class Address(click.ParamType[tuple[str, int]]):
    """``HOST:PORT``, ``[::1]:PORT`` or a bare port, which is the loopback's; port 0 takes a free one."""

    name = "HOST:PORT"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """The host and the port that a text names."""
        host, _, port = value.rpartition(":")
        if not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
            self.fail(f"{value!r} is no address; give HOST:PORT, as 127.0.0.1:8765.", param, ctx)
        return host.strip("[]") or "127.0.0.1", int(port)


@verb("mcp")
@click.option(
    "--root",
    "roots",
    type=_FOLDER,
    multiple=True,
    metavar="DIR",
    help="A folder that agents may use; repeat it for more.",
)
@click.option(
    "--write-root",
    "write_roots",
    type=_FOLDER,
    multiple=True,
    metavar="DIR",
    help="A folder that they may change; with it, every --root is for reading.",
)
@click.option("--read-only", is_flag=True, help="Leave out every tool that edits.")
@click.option(
    "--http", "address", type=Address(), help="Serve streamable HTTP there, not standard input and output."
)
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Holds the token that HTTP clients send; default: a new one, shown.",
)
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="HOST",
    help="A Host header to take besides the address itself.",
)
@click.option(
    "--allow-origin", "origins", multiple=True, metavar="ORIGIN", help="Web pages of this origin may connect."
)
@click.option(
    "--audit",
    "audit_folder",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Keep the audit log there; default: with the user's state.",
)
@click.option("--no-audit", is_flag=True, help="Keep no audit log.")
@click.option("--audit-contents", is_flag=True, help="Record the texts of calls, too; secrets are taken out.")
@click.option(
    "--max-seconds",
    type=Seconds(min=0.1),
    default=20.0,
    show_default=True,
    metavar="S",
    help="How long one search may take; it can be gone on with.",
)
@click.option(
    "--max-write",
    type=click.IntRange(min=1),
    metavar="BYTES",
    help="Refuse edits that would write more than this.",
)
@click.option(
    "--lock-timeout",
    type=Seconds(min=0),
    default=10.0,
    show_default=True,
    metavar="S",
    help="How many seconds to wait for other writers.",
)
def mcp(
    roots: tuple[str, ...],
    write_roots: tuple[str, ...],
    read_only: bool,
    address: tuple[str, int] | None,
    token_file: str | None,
    hosts: tuple[str, ...],
    origins: tuple[str, ...],
    audit_folder: str | None,
    no_audit: bool,
    audit_contents: bool,
    max_seconds: float,
    max_write: int | None,
    lock_timeout: float,
) -> None:  # fmt: skip
    """Serve files to AI agents over the Model Context Protocol.

    On standard input and output, or with --http on a port, for clients that send the token. Nothing outside
    of the folders can be reached, whatever paths and links say.

        insitu mcp --root ~/project

        insitu mcp --root ~/project --read-only --http 127.0.0.1:8765

    A crash, or a host that disconnects, leaves each file as it was or as it was to be.
    """
    if not roots and not write_roots:
        raise click.UsageError("Name a folder that agents may use: --root DIR.")
    if address is None and (token_file or hosts or origins):
        raise click.UsageError("--token-file, --allow-host and --allow-origin go with --http.")
    if no_audit and (audit_folder or audit_contents):
        raise click.UsageError("--no-audit keeps no log: leave out --audit and --audit-contents.")
    if importlib.util.find_spec("mcp") is None:
        raise click.UsageError(_WITHOUT_EXTRA)
    from insitu.workspace.audit import AuditLog
    from insitu.workspace.desk import Limits
    from insitu.workspace.roots import RootSpec
    from insitu.workspace.workspace import Workspace

    specs = [RootSpec(folder, writable=not (write_roots or read_only)) for folder in roots]
    specs += [RootSpec(folder, writable=not read_only) for folder in write_roots]
    limits = Limits(seconds=max_seconds, bytes_written=max_write, lock_timeout_s=lock_timeout)
    http = None if address is None else HttpOptions(*address, token_file, hosts, origins)
    with ExitStack() as stack:
        audit = None
        if not no_audit:
            folders = [spec.path for spec in specs]
            audit = stack.enter_context(AuditLog(audit_folder, roots=folders, contents=audit_contents))
        workspace = stack.enter_context(Workspace(*specs, read_only=read_only, limits=limits, audit=audit))
        # What lies outside the roots is read before the wall stands, and before anybody waits for it.
        for name in _USED:
            importlib.import_module(name)
        token = "" if http is None else _token(http)
        _wall_in(specs, audit)
        number = _serve(workspace, limits.seconds, http, token)
    if number:
        click.get_current_context().exit(SIGNAL_EXIT + number)


def _token(http: HttpOptions) -> str:
    from insitu.mcp.http import token_in

    return token_in(http.token_file)


def _wall_in(specs: Sequence[RootSpec], audit: AuditLog | None) -> None:
    """Gives up the rest of the file system for good, where the kernel lets us."""
    from insitu.storage.landlock import enter

    change = [spec.path for spec in specs if spec.writable]
    if audit is not None:
        change += [audit.folder, os.path.dirname(audit.key_path)]
    wall = enter(change, [spec.path for spec in specs if not spec.writable])
    if not wall.active:
        write_line(f"insitu: without Landlock, the second wall around the roots: {wall.reason}", err=True)


def _serve(workspace: Workspace, seconds: float, http: HttpOptions | None, token: str) -> int:
    """Serves until the input ends or a signal comes; returns the number of the signal, or 0."""
    import anyio

    from insitu.mcp.calls import Calls
    from insitu.mcp.server import serving

    calls = Calls(seconds)
    server = serving(workspace, calls)
    if http is None:
        from insitu.mcp.stdio import serve_stdio

        return anyio.run(serve_stdio, server, calls)
    from insitu.mcp import http as transport

    with transport.bound(http.host, http.port) as listening:
        write_line(f"insitu: serving {transport.url_of(listening)}", err=True)
        if http.token_file is None:
            write_line(f"insitu: clients send the header Authorization: Bearer {token}", err=True)
        serve = functools.partial(transport.serve_http, hosts=http.hosts, origins=http.origins)
        anyio.run(serve, server, calls, listening, token)
    return 0
