"""``file_info``: what a file is, without reading more than samples of it."""

from __future__ import annotations

import stat as modes
import time
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from msgspec import Meta

from insitu.formats.detection import detect
from insitu.views.inspection import SAMPLE_BYTES
from insitu.workspace.described import line_count, line_ending, version_of
from insitu.workspace.request import OfFile, Reply, Tool

if TYPE_CHECKING:
    from insitu.workspace.call import Call
    from insitu.workspace.desk import Desk

_EDITS: Final = 3


class FileInfo(Reply):
    """What a file is."""

    path: str
    version: str
    size: int
    format: str
    encoding: str
    line_ending: str
    lines: int
    lines_exact: bool
    modified: str
    mode: str
    links: int
    writable: bool
    doubt: str = ""
    last_edits: tuple[dict[str, Any], ...] = ()

    def sentence(self) -> str:
        return f"{self.path}: {self.size:,} bytes of {self.format}, {self.lines:,} lines" + (
            "." if self.lines_exact else " (estimated)."
        )


class Info(OfFile[FileInfo], frozen=True, kw_only=True):
    """Arguments of ``file_info``."""

    tool: ClassVar[Tool] = Tool(
        "file_info",
        "Look at a file",
        "Size, version, encoding, line endings, lines, format and last edits of a file.",
        "read",
    )

    exact_lines: Annotated[bool, Meta(description="Count, do not estimate.")] = False

    def run(self, desk: Desk, call: Call) -> FileInfo:
        """Looks at the file."""
        with desk.reading(self.path, call) as opened:
            document = opened.document
            sample = document.read(0, min(SAMPLE_BYTES, document.size))
            found = detect(document.path, sample, more=len(sample) < document.size)
            count = line_count(document, exact=self.exact_lines)
            status = document.base_file.stat()
            return FileInfo(
                path=opened.shown_path,
                version=version_of(document.generation),
                size=document.size,
                format=found.format,
                doubt=found.doubt,
                encoding=document.encoding,
                line_ending=line_ending(document),
                lines=count.count,
                lines_exact=count.exact,
                modified=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(status.mtime_ns / 1e9)),
                mode=modes.filemode(status.mode),
                links=status.links,
                writable=opened.place.root.writable,
                last_edits=tuple(
                    {"edit_id": operation.number, "kind": operation.kind, "changes": operation.splices}
                    for operation in desk.operations(opened)[-_EDITS:]
                ),
            )
