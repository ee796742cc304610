"""Functions that transforms are tried with, at the top of a module so that other processes find them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

from insitu.views.transform_work import Context

LAST = "status=last\n"


def same(line: str) -> str:
    return line


def marked(line: str) -> str | list[str] | None:
    """Some lines change, some go, some are followed by another."""
    if "7\n" in line:
        return line.replace("status=", "STATUS=")
    if "13\n" in line:
        return None
    return [line, "inserted\n"] if "29\n" in line else line


def numbered(line: str, context: Context) -> str:
    """The number and the neighbours of some lines."""
    if not line.endswith("99\n"):
        return line
    near = [*context.before, *context.after]
    return f"{context.number} {context.offset} {sum(map(len, near))} {len(near)}\n"


def failing(line: str) -> str:
    if "id=77777 " in line:
        raise ValueError("no such id")
    return line


def generating(line: str) -> Iterator[str]:
    yield line
    if "b" in line:
        raise KeyError("in a generator")


def dying(line: str) -> str:
    if "id=77777 " in line:
        os.kill(os.getpid(), signal.SIGKILL)
    return line


def leaving(line: str) -> str:
    sys.exit(7)


def doubled(record: dict[str, Any]) -> dict[str, Any]:
    if "n" in record:
        record["n"] *= 2
    return record


def summed(record: dict[str, Any], context: Context) -> dict[str, Any]:
    return {**record, "near": sum(one["n"] for one in [*context.before, *context.after])}


not_a_function = 1
