"""Where words go: results to standard output, messages to standard error, one object with ``--json``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, Final

import click

SCHEMA_VERSION: Final = 1

_BYTE_UNITS: Final = ("B", "KB", "MB", "GB", "TB", "PB")


@dataclass(frozen=True)
class Output:
    """How one command speaks.

    Args:
        command: its name.
        as_json: one JSON object on standard output in the place of all words.
        quiet: no messages.
    """

    command: str
    as_json: bool = False
    quiet: bool = False

    def result(self, text: str | bytes) -> None:
        """Writes a result to standard output; nothing in JSON mode."""
        if not self.as_json and text:
            write(text)

    def message(self, sentence: str) -> None:
        """Writes a sentence to standard error; nothing in JSON mode or when quiet."""
        if not self.as_json and not self.quiet:
            write_line(sentence, err=True)

    def fields(self, values: Mapping[str, Any]) -> None:
        """Writes the JSON object; nothing outside JSON mode."""
        if self.as_json:
            write_json(self.command, values)


def write(text: str | bytes, *, err: bool = False) -> None:
    """Writes text as bytes, so that file names and contents of any encoding come out as they are."""
    click.echo(text if isinstance(text, bytes) else encoded(text), nl=False, err=err)


def flush() -> None:
    """Hands over what was written; standard output may have been closed by whoever started us."""
    if sys.stdout is not None:
        sys.stdout.flush()


def write_line(text: str, *, err: bool = False) -> None:
    """Writes text and a line end."""
    write(encoded(text) + b"\n", err=err)


def encoded(text: str) -> bytes:
    """UTF-8, bytes that came in as surrogates restored."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


def write_json(command: str | None, values: Mapping[str, Any]) -> None:
    """Writes one object on one line, with the version of its schema."""
    document = {"schema_version": SCHEMA_VERSION, "command": command, **values}
    write_line(json.dumps(document, default=_plain))


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "surrogateescape")
    return str(value)


def counted(count: int, noun: str) -> str:
    """``1 line``, ``2,000 lines``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """``0.9 ms``, ``12 ms``, ``1.3 s``."""
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1e3:.1f} ms" if seconds < 0.01 else f"{seconds * 1e3:.0f} ms"


def byte_size(size: float) -> str:
    """``512 B``, ``1.2 GB``: decimal units, as disks are sold."""
    for unit in _BYTE_UNITS[:-1]:
        if abs(size) < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} {_BYTE_UNITS[-1]}"


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows of cells as aligned columns, the last one unpadded."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "".join(line + "\n" for line in lines)


def sheet(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A mapping as (name, value) rows for people; nested mappings become dotted names."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        label = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, Mapping) and value:
            rows += sheet(value, f"{label}: ")
        else:
            rows.append((label, readable(name, value)))
    return rows


def readable(name: str, value: Any) -> str:
    """A fact for people: yes and no, grouped digits, sizes with their unit."""
    if value is None or (not value and isinstance(value, Mapping | list)):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        if name == "size" or name.endswith("_bytes"):
            return f"{value:,} B" if value < 1000 else f"{value:,} B ({byte_size(value)})"
        return f"{value:,}"
    if isinstance(value, float) and name.endswith("seconds"):
        return duration(value)
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return str(value)
