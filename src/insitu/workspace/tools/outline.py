"""``file_outline``: the sections, columns or keys that a file is made of."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from msgspec import Meta

from insitu.errors import RequestError
from insitu.formats.detection import detect
from insitu.views.outline import OUTLINES, SAMPLE_BYTES
from insitu.workspace.described import version_of
from insitu.workspace.excerpts import tool_call, visible
from insitu.workspace.request import Listed, Number, OfFile, Tool, as_values

if TYPE_CHECKING:
    from insitu.document import Document
    from insitu.workspace.call import Call
    from insitu.workspace.desk import Desk

Kind = Literal["auto", "markdown", "csv", "json", "jsonl"]

_LIMIT: Final = 200
_EXAMPLE_CHARS: Final = 60


class OutlineShown(Listed):
    """The parts of a file, one to a line, each with an address that the other tools take."""


class Outline(OfFile[OutlineShown], frozen=True, kw_only=True):
    """Arguments of ``file_outline``."""

    tool: ClassVar[Tool] = Tool(
        "file_outline",
        "Outline a file",
        "Markdown heading paths with their lines, CSV columns, JSON keys or JSON Lines fields.",
        "read",
    )

    kind: Kind = "auto"
    depth: Annotated[Number | None, Meta(description="Heading levels.")] = None
    limit: Annotated[int, Meta(ge=1, le=2_000)] = _LIMIT
    skip: Annotated[int, Meta(description="Parts to skip.", ge=0)] = 0

    def run(self, desk: Desk, call: Call) -> OutlineShown:
        """Lists the parts."""
        with desk.reading(self.path, call) as opened:
            document = opened.document
            made = OUTLINES[_kind(self, document)](document)
            fitting = (
                entry
                for entry in made.entries
                if self.depth is None or "level" not in entry or entry["level"] <= self.depth
            )
            line = _typed if made.typed else _LINES[made.kind]
            start = min(self.skip, sys.maxsize - self.limit)
            shown = list(islice(fitting, start, start + self.limit))
            more = next(fitting, None) is not None
            version = version_of(document.generation)
            note = f" ({made.note})" if made.note else ""
            last = self.skip + len(shown)
            return OutlineShown(
                header=f"{opened.shown_path} version={version}: {made.kind}{note}",
                lines=[line(entry) for entry in shown],
                footer=f"[more {made.kind}: {self._again(last)}]" if more else "",
            )

    def _again(self, skip: int) -> str:
        return tool_call("file_outline", **{**as_values(self), "skip": skip})


def _kind(request: Outline, document: Document) -> str:
    """The short name of the format that is asked for, or that the file seems to be in."""
    name: str = request.kind
    if name == "auto":
        sample = document.read(0, min(SAMPLE_BYTES, document.size))
        name = detect(document.path, sample, more=len(sample) < document.size).format
    name = {"markdown": "md"}.get(name, name)
    if name not in OUTLINES:
        raise RequestError(
            f"{request.path} seems to be {'plain text' if name == 'text' else 'binary'}, without an outline.",
            hint="Say what it is with kind, read its first lines with file_read, or search it.",
        )
    return name


def _typed(entry: dict[str, Any]) -> str:
    kinds = ", ".join(entry["kinds"]) or "none"
    example = visible(str(entry["example"]))[:_EXAMPLE_CHARS]
    return f"{visible(entry['name']) or '(the value)'}\t{kinds}\te.g. {example}"


def _section(entry: dict[str, Any]) -> str:
    path = "/".join(part.replace("/", "\\/") for part in entry["path"])
    return f"{entry['line']}\t{'#' * entry['level']}\t{visible(path)}\t{entry['span'].size:,} bytes"


def _member(entry: dict[str, Any]) -> str:
    count = "" if entry["count"] is None else f" of {entry['count']:,}"
    size = "" if entry["span"] is None else f"\t{entry['span'].size:,} bytes"
    return f"{visible(entry['pointer'])}\t{entry['kind']}{count}{size}"


_LINES: Final[dict[str, Callable[[dict[str, Any]], str]]] = {"sections": _section, "keys": _member}
