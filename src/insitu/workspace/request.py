"""Requests and replies: what a tool takes and gives, as types that schemas are made from.

A tool is one module with one ``Request`` (its arguments, its description and what it does) and the
``Reply`` it gives. Everything else (schemas for hosts, the parsing of what a model sent, the tool
reference) is made from these types.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Generic, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from insitu.workspace.call import Call
    from insitu.workspace.desk import Desk

Effect = Literal["read", "append", "edit"]

R = TypeVar("R", bound="Reply")


class Tool(NamedTuple):
    """What hosts are told of a tool.

    Args:
        name: as models call it.
        title: for people.
        description: for models: what it does, and when to use it.
        effect: whether it only reads, adds without touching what is there, or may change anything.
    """

    name: str
    title: str
    description: str
    effect: Effect


class Reply(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a tool gives. ``text`` is what a model reads."""

    structured: ClassVar[bool] = True
    """Whether hosts get the fields beside the text, which then holds them, too."""

    def sentence(self) -> str:
        """What happened, in one sentence."""
        return ""

    def text(self) -> str:
        """The sentence, then the fields as one line of JSON."""
        values = json.dumps(as_values(self), ensure_ascii=False, separators=(",", ":"))
        return f"{self.sentence()}\n{values}" if self.sentence() else values


class Listed(Reply):
    """What was found, one to a line, between what it is and how to go on."""

    structured: ClassVar[bool] = False

    header: str
    lines: list[str]
    footer: str = ""

    def text(self) -> str:
        return "\n".join(part for part in (self.header, *self.lines, self.footer) if part)


class Request(msgspec.Struct, Generic[R], frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One call of a tool; ``run`` carries it out at a desk.

    Raises:
        InsituError: from ``run``: nothing was changed, and the error says why.
    """

    tool: ClassVar[Tool]

    def run(self, desk: Desk, call: Call) -> R:
        """Carries the request out."""
        raise NotImplementedError(f"{type(self).__name__} lacks a run of its own.")


class OfFile(Request[R], frozen=True):
    """A request about one file, whose path may be given without its name."""

    path: str


Number = Annotated[int, Meta(ge=1)]
"""Counted from 1."""

Index = Annotated[int, Meta(ge=0)]
"""Counted from 0."""

CONVENTIONS: Final = (
    "path: absolute, or relative to the root. Lines, rows and records are numbered from 1, ranges like "
    '"10-20" include both ends. version: every answer has one; pass the one you last saw with an edit, and '
    "what changed elsewhere since is rebased over, what changed at the same place is refused. dry_run: shows "
    "the diff and changes nothing. A refused call changed nothing; its text says what to do next."
)
"""What the arguments that many tools share mean: told once, beside the tools, to keep their list short."""


def as_values(fields: Request[Any] | Reply) -> dict[str, Any]:
    """The fields of a request or a reply that differ from their defaults, as plain values."""
    values: dict[str, Any] = msgspec.to_builtins(fields)
    return values
