"""``file_list``: what is in a folder, and files found by a pattern of their names."""

from __future__ import annotations

import time
from stat import S_ISDIR
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from msgspec import Meta

from insitu.errors import FileKindError
from insitu.workspace.excerpts import in_one_line, tool_call
from insitu.workspace.request import Listed, Number, Request, Tool, as_values
from insitu.workspace.walking import Found, fits_glob, walk

if TYPE_CHECKING:
    from insitu.workspace.call import Call
    from insitu.workspace.desk import Desk

_LIMIT: Final = 200
_LIMIT_MAX: Final = 5_000


class Listing(Listed):
    """Names, one to a line: folders with a slash behind them, files with their sizes."""


class List(Request[Listing], frozen=True, kw_only=True):
    """Arguments of ``file_list``."""

    tool: ClassVar[Tool] = Tool(
        "file_list",
        "List or find files",
        "List a folder, or find files by a glob. Obeys .gitignore.",
        "read",
    )

    path: str = "."
    pattern: Annotated[str | None, Meta(description='"*.log" or "src/**/*.py".')] = None
    depth: Annotated[Number | None, Meta(description="Default 1; all with pattern.")] = None
    ignored: Annotated[bool, Meta(description="With what .gitignore excludes.")] = False
    limit: Annotated[int, Meta(ge=1, le=_LIMIT_MAX)] = _LIMIT
    after: Annotated[str | None, Meta(description="Go on behind it.")] = None

    def run(self, desk: Desk, call: Call) -> Listing:
        """Lists what fits."""
        if self.path == "." and len(desk.roots.roots) > 1:
            names = [f"{root.name}:" for root in desk.roots.roots]
            return Listing(header=f"{len(names)} roots; list one by its name", lines=names)
        place = desk.roots.place(self.path)
        status = place.status()
        if status is None or not S_ISDIR(status.mode):
            raise FileKindError(
                f"{self.path} is no folder.", hint="Read a file with file_read, look at it with file_info."
            )
        fits = fits_glob(self.pattern, place.path)
        depth = self.depth if self.depth is not None else (None if self.pattern else 1)
        shown: list[str] = []
        last, why, late = "", "", False
        after = None if self.after is None else in_one_line(self.after)
        passed = after is None
        for found in walk(desk, place, depth=depth, ignored=self.ignored):
            path = in_one_line(desk.shown_below(place, found.path))
            if not passed:
                passed = path == after
                continue
            if late:
                why = f"{call.seconds:g} seconds were up"
                break
            if self.pattern is None or (found.kind != "folder" and fits(found.path)):
                if len(shown) == self.limit:
                    why = "more"
                    break
                shown.append(_line(found, path))
            last, late = path, call.stop()  # so that each call comes further, however late it is
        footer = ""
        if why:
            footer = f"[{why}; go on with {self._again(last)}]"
        elif self.after is not None and not passed:
            footer = f"[{after} is not in the list (any more); list again without after]"
        what = f"files that fit {self.pattern}" if self.pattern else "names"
        return Listing(header=f"{len(shown)} {what} in {self.path}", lines=shown, footer=footer)

    def _again(self, last: str) -> str:
        return tool_call("file_list", **{**as_values(self), "after": last})


def _line(entry: Found, path: str) -> str:
    if entry.kind == "file":
        day = time.strftime("%Y-%m-%d %H:%M", time.gmtime(entry.mtime_ns / 1e9))
        return f"{path}\t{entry.size:,} bytes\t{day}"
    return f"{path}{'/' if entry.kind == 'folder' else f'  ({entry.kind})'}"
