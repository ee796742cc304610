"""``Workspace``: the tools at one desk, for any host. Every call is checked, timed and answered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

from insitu.errors import AccessError, InsituError, InternalError
from insitu.workspace.arguments import malformed, parsed, unknown
from insitu.workspace.audit import AuditLog
from insitu.workspace.call import Call
from insitu.workspace.catalog import TOOLS
from insitu.workspace.desk import Desk, Limits
from insitu.workspace.recording import told
from insitu.workspace.refusal import Refusal, refusal
from insitu.workspace.request import Reply, Request, as_values
from insitu.workspace.roots import Roots, RootSpec

R = TypeVar("R", bound=Reply)

_log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """What a host passes on to its model.

    Args:
        text: what the model reads.
        data: the same as plain values; None where the text is all there is, and in refusals.
        refused: why nothing was done; None where the call was carried out.
    """

    text: str
    data: dict[str, Any] | None
    refused: Refusal | None


class Workspace:
    """Some folders, and what may be done with the files in them.

        workspace = Workspace("/srv/project")
        excerpt = workspace.run(Read("logs/app.log", lines="100-120"))
        answer = workspace.call("file_read", {"path": "logs/app.log", "tail": 5})

    ``run`` takes typed requests and raises; ``call`` takes what a model sent and always answers. Both are
    safe to use from several threads: edits of one file queue for its lock.

    Args:
        roots: folders, or ``RootSpec`` for one with rules of its own. Nothing outside of them can be reached.
        read_only: whether tools that edit are left out.
        limits: what one call may use.
        audit: the log on which every call is put; None: none is kept. It stays the caller's to close.

    Raises:
        RequestError: there are no roots, or one is no folder.
    """

    def __init__(
        self,
        *roots: str | RootSpec,
        read_only: bool = False,
        limits: Limits | None = None,
        audit: AuditLog | None = None,
    ) -> None:
        specs = [RootSpec(root) if isinstance(root, str) else root for root in roots]
        hidden = () if audit is None else (audit.folder,)
        self._desk = Desk(Roots(specs, hidden=hidden), limits)
        self._audit = audit
        self.read_only = read_only

    @property
    def tools(self) -> Sequence[type[Request[Any]]]:
        """The requests that this workspace takes, always in the same order."""
        return tuple(kind for kind in TOOLS if not self.read_only or kind.tool.effect == "read")

    def run(self, request: Request[R], call: Call | None = None) -> R:
        """Carries a request out.

        Raises:
            InsituError: it was not; nothing was changed unless the error says otherwise.
        """
        call = call or Call(seconds=self._desk.limits.seconds)
        with self._recorded(request.tool.name, as_values(request), call):
            return self._run(request, call)

    def call(self, name: str, arguments: Mapping[str, Any], call: Call | None = None) -> Answer:
        """Carries out what a model asked for; a refusal is an answer, too.

        Args:
            name: of a tool.
            arguments: as the model sent them.
        """
        name = str(name)
        return self._answered(name, arguments, call, lambda: parsed(self._kind(name), arguments))

    def refuse(
        self, name: str, arguments: Mapping[str, Any], error: InsituError, call: Call | None = None
    ) -> Answer:
        """Answers, on record, a call that a host knows to be none before it asks for a tool.

        Args:
            name, arguments: as the model sent them.
            error: what is wrong with them.
        """

        def refused() -> Request[Any]:
            raise error

        return self._answered(name, arguments, call, refused)

    def _answered(
        self,
        name: str,
        arguments: Mapping[str, Any],
        call: Call | None,
        request: Callable[[], Request[Any]],
    ) -> Answer:
        """Makes the request of a call, carries it out and puts it on record; a refusal is an answer, too."""
        call = call or Call(seconds=self._desk.limits.seconds)
        problem = malformed(name, arguments)
        path = arguments.get("path") if isinstance(arguments, Mapping) else None
        path = path if isinstance(path, str) else None
        try:
            with self._recorded(name, {} if problem else arguments, call):
                if problem is not None:
                    raise problem
                reply = self._run(request(), call)
        except InsituError as error:
            refused = refusal(error, path, self._desk.shown_in)
            return Answer(refused.text, None, refused)
        except Exception as error:  # a bug of ours: said to be one, and nothing of it leaks
            _log.exception("%s failed", name)
            bug = InternalError(
                f"{name} failed inside insitu ({type(error).__name__}).",
                hint="Look at the file's version with file_info before going on; report it with the log.",
            )
            refused = refusal(bug, path)
            return Answer(refused.text, None, refused)
        text = reply.text()
        if call.attempt is not None and call.attempt.problem:
            text = f"{text}\n[{call.attempt.problem}]"
        return Answer(text, as_values(reply) if reply.structured else None, None)

    def _run(self, request: Request[R], call: Call) -> R:
        if self.read_only and request.tool.effect != "read":
            raise AccessError(
                f"This workspace is for reading only: there is no {request.tool.name}; nothing was changed.",
                hint="Start it without read_only (insitu mcp without --read-only) to edit.",
            )
        return request.run(self._desk, call)

    @contextmanager
    def _recorded(self, name: str, arguments: Mapping[str, Any], call: Call) -> Iterator[None]:
        """Puts a call on record: that it was tried, what it changed, and how it ended."""
        if self._audit is None:
            yield
            return
        path, addresses, others, contents = told(arguments)
        with self._audit.attempt(
            name,
            client=call.client,
            path=path,
            addresses=addresses,
            arguments=others,
            contents=contents,
        ) as call.attempt:
            yield

    def _kind(self, name: str) -> type[Request[Any]]:
        for kind in self.tools:
            if kind.tool.name == name:
                return kind
        raise unknown(f"There is no tool {name[:60]!r}", name, [kind.tool.name for kind in self.tools])

    def close(self) -> None:
        """Lets go of the folders."""
        self._desk.roots.close()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
