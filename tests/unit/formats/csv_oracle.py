"""CSV read one character at a time: slow, obvious, and what the fast scanners are compared with."""

from __future__ import annotations

from typing import NamedTuple

from insitu.formats.csv_dialect import Dialect


class Cell(NamedTuple):
    start: int
    stop: int
    quoted: bool
    """Whether the cell is one quoted text from its first to its last byte."""


class Row(NamedTuple):
    start: int
    stop: int
    end: int
    cells: list[Cell]


class Read(NamedTuple):
    rows: list[Row]
    closed: bool
    """Whether the last quote is."""
    fault: int
    """Where the first misplaced quote or text is; -1 for none."""


def line_end(data: bytes, at: int, dialect: Dialect) -> int:
    """How many bytes the line end at an offset has; 0 for none."""
    if dialect.newline == "\r":
        return int(data[at : at + 1] == b"\r")
    if data[at : at + 2] == b"\r\n":
        return 2
    if data[at : at + 1] == b"\n":
        return 1
    return int(dialect.newline == "any" and data[at : at + 1] == b"\r")


def read(data: bytes, dialect: Dialect) -> Read:
    rows: list[Row] = []
    at, fault = 0, -1
    while at < len(data):
        row_start, cells = at, []
        while True:
            cell_start = at
            opened = data[at : at + 1] == dialect.quote is not None
            inside, closed_at = opened, -1
            at += opened
            while at < len(data):
                byte = data[at : at + 1]
                # An escaped CR before an LF still belongs to the line end: only the LF ends the row.
                if byte == dialect.escape:
                    if closed_at == at:
                        fault = at if fault < 0 else fault
                    at += 2
                elif inside:
                    if byte == dialect.quote and data[at + 1 : at + 2] == dialect.quote:
                        at += 2
                    elif byte == dialect.quote:
                        inside, at = False, at + 1
                        closed_at = at
                    else:
                        at += 1
                elif byte == dialect.delimiter or line_end(data, at, dialect):
                    break
                else:
                    if byte == dialect.quote or closed_at == at:
                        fault = at if fault < 0 else fault
                    at += 1
            at = min(at, len(data))
            stop = at
            if at == len(data) or data[at : at + 1] != dialect.delimiter:
                break
            cells.append(Cell(cell_start, stop, closed_at == stop))
            at += 1
            if at == len(data):
                cell_start = stop = at
                opened = inside = False
                closed_at = -1
                break
        end = at + (line_end(data, at, dialect) if at < len(data) else 0)
        if end > at and data[at:end] == b"\n" and stop > cell_start and data[stop - 1 : stop] == b"\r":
            stop -= 1
        cells.append(Cell(cell_start, stop, closed_at == stop))
        rows.append(Row(row_start, stop, end, cells))
        at = end
        if inside:
            return Read(rows, False, fault)
    return Read(rows, True, fault)
