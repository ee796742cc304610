"""The edits of files with a format as people make them today: a new file, renamed over the old one.

Run as a script: ``format_peers.py TOOL FILE ARGUMENTS``. Each is what the tool's own documentation shows for
files larger than memory; none of them makes its file durable.
"""

import csv
import json
import os
import sys
from collections import deque

CHUNK_ROWS = 10_000


def csv_module(path: str, new: str, status: str) -> None:
    """``csv.DictReader`` and ``csv.DictWriter``, a row at a time."""
    with open(path, newline="", encoding="utf-8") as old, open(new, "w", newline="", encoding="utf-8") as out:
        reader = csv.DictReader(old)
        writer = csv.DictWriter(out, reader.fieldnames or ())
        writer.writeheader()
        for row in reader:
            if row["status"] == "pending" and float(row["value"]) > 1000:
                row["status"] = status
            writer.writerow(row)


def pandas(path: str, new: str, status: str) -> None:
    """Frames of ten thousand rows."""
    import pandas

    with open(new, "w", newline="", encoding="utf-8") as out:
        for number, frame in enumerate(pandas.read_csv(path, chunksize=CHUNK_ROWS)):
            frame.loc[(frame["status"] == "pending") & (frame["value"] > 1000), "status"] = status
            frame.to_csv(out, index=False, header=number == 0)


def polars(path: str, new: str, status: str) -> None:
    """A lazy scan into a streaming sink."""
    import polars

    wanted = (polars.col("status") == "pending") & (polars.col("value") > 1000)
    changed = polars.when(wanted).then(polars.lit(status)).otherwise(polars.col("status")).alias("status")
    polars.scan_csv(path).with_columns(changed).sink_csv(new)


def duckdb(path: str, new: str, status: str, condition: str) -> None:
    """``COPY`` of a query over the file."""
    import duckdb

    query = (
        f"SELECT id, name, CASE WHEN {condition} THEN '{status}' ELSE status END AS status, value, note "
        f"FROM read_csv('{path}')"
    )
    duckdb.sql(f"COPY ({query}) TO '{new}' (HEADER, DELIMITER ',')")


def json_module(path: str, new: str, kind: str, state: str) -> None:
    """``json.loads`` and ``json.dumps``, a line at a time."""
    with open(path, encoding="utf-8") as old, open(new, "w", encoding="utf-8") as out:
        for line in old:
            record = json.loads(line)
            if record["kind"] == kind:
                record["state"] = state
            out.write(json.dumps(record) + "\n")


def line_loop(path: str, new: str) -> None:
    """The function of the transform called for every line, with the lines around it."""
    from line_function import marked  # beside this script

    with open(path, encoding="utf-8", newline="") as old, open(new, "w", encoding="utf-8", newline="") as out:
        around: deque[str | None] = deque((None, None, next(old, None)), 3)
        while around[2] is not None:
            around.append(next(old, None))
            before, line, after = around
            assert line is not None
            out.write(marked(line, before, after))


TOOLS = {tool.__name__: tool for tool in (csv_module, pandas, polars, duckdb, json_module, line_loop)}


def main() -> None:
    """Writes the new file and takes the old one's place with it."""
    tool, path, *arguments = sys.argv[1:]
    new = path + ".new"
    TOOLS[tool](path, new, *arguments)
    os.replace(new, path)


if __name__ == "__main__":
    main()
