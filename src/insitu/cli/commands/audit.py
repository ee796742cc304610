"""``insitu audit``: what agents tried and did, listed and verified."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any, Final

import click

from insitu.cli.options import VerbGroup, output_options
from insitu.cli.output import SCHEMA_VERSION, Output, counted, duration, write
from insitu.errors import AuditDamagedError, MissingFileError

if TYPE_CHECKING:
    from insitu.workspace.audit_verify import Report

_OUTCOMES: Final = ("ok", "refused", "failed", "open")
_HEAD: Final = ("RECORD", "TIME (UTC)", "OUTCOME", "TOOL", "CLIENT", "TOOK", "WHAT")
_WIDTHS: Final = (8, 19, 22, 16, 18, 8)
_COLOURS: Final = {"ok": "green", "refused": "yellow", "failed": "red", "open": "magenta"}

_log_option = click.option(
    "--log", metavar="DIR", help="The folder of the log; default: the one in the user's state folder."
)


class _Moment(click.ParamType[str]):
    """A date or time as RFC 3339 has it, in UTC unless it says otherwise."""

    name = "time"

    def __init__(self, *, ends_day: bool) -> None:
        self._ends_day = ends_day

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The time in the form of the records."""
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time such as 2026-03-14 or 2026-03-14T09:30:00Z.", param, ctx)
        if self._ends_day and len(value) <= len("2026-03-14"):
            moment = datetime.combine(moment, time.max)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@click.group("audit", cls=VerbGroup)
def audit() -> None:
    """List and verify what agents did.

    The agents' server records every call: who asked for what, on which bytes, and what came of it, also when
    it was refused. Both commands speak --json.

        insitu audit show --outcome refused --tail 20

        insitu audit verify

    Nothing is changed; a crash of the server leaves a log that verifies.
    """


@audit.command("show")
@_log_option
@click.option("--path", metavar="P", help="Only this path, folder, or pattern with * and ?.")
@click.option("--tool", metavar="T", help="Only this tool.")
@click.option("--client", metavar="C", help="Only this client.")
@click.option("--outcome", type=click.Choice(_OUTCOMES), help="Only what ended so; open: without an outcome.")
@click.option("--since", type=_Moment(ends_day=False), metavar="T", help="Only from this time on (UTC).")
@click.option("--until", type=_Moment(ends_day=True), metavar="T", help="Only up to this time or day (UTC).")
@click.option("--tail", type=click.IntRange(min=1), metavar="N", help="Only the last N.")
@output_options
def show(log: str | None, tail: int | None, output: Output, **wanted: str | None) -> None:
    """List attempts, oldest first.

    A write without an outcome is open: it is under way, or was when its process died.

        insitu audit show --path notes --since 2026-03-14 --tail 50

    Nothing is changed.
    """
    from insitu.workspace.audit_folder import default_folder
    from insitu.workspace.audit_listing import Filter, Listing

    listing = Listing(log or default_folder())
    try:
        filter_ = Filter(**wanted)
        found: Iterable[dict[str, Any]]
        found = listing.forwards(filter_) if tail is None else listing.last(tail, filter_)
        count = _json(found, output.command) if output.as_json else _table(found)
        if not count:
            output.message("no attempt fits")
        if listing.unreadable:
            output.message(f"{counted(listing.unreadable, 'line')} passed over: see insitu audit verify")
    finally:
        listing.close()


@audit.command("verify")
@_log_option
@click.option("--key", metavar="FILE", help="The key's file; default: the one in the user's state folder.")
@click.option("--expect-head", metavar="HASH", help="A digest told earlier that the log has to contain.")
@output_options
def verify(log: str | None, key: str | None, expect_head: str | None, output: Output) -> None:
    """Find records that were changed, removed, moved, inserted or cut off.

    Without the key only the chain is checked, which whoever can write the files can compute anew. Ends with
    exit code 6 if the log is damaged.

        insitu audit verify --log audit --expect-head 4b227777d4dd1fc6

    Nothing is changed.
    """
    from insitu.workspace import audit_folder, audit_verify

    if expect_head is not None and not _is_digest(expect_head):
        raise click.BadParameter("give at least 16 hexadecimal digits", param_hint="--expect-head")
    try:
        secret = audit_folder.read_key(key or audit_folder.default_key_path())
    except MissingFileError:
        if key is not None:
            raise
        secret = None
    report = audit_verify.verify(log or audit_folder.default_folder(), key=secret, expect_head=expect_head)
    output.fields({**asdict(report), "damaged": report.damaged})
    output.result("".join(f"{sentence}\n" for sentence in _sentences(report)))
    if report.damaged:
        raise click.exceptions.Exit(AuditDamagedError.exit_code)


def _is_digest(text: str) -> bool:
    return 16 <= len(text) <= 64 and all(letter in "0123456789abcdefABCDEF" for letter in text)


def _sentences(report: Report) -> list[str]:
    said = []
    for finding in report.findings:
        place = finding.file if finding.line is None else f"{finding.file}:{finding.line}"
        seq = "" if finding.seq is None else f" (record {finding.seq})"
        said.append(f"{place or report.folder}{seq}: {finding.kind}: {finding.message}")
    if (more := report.findings_count - len(report.findings)) > 0:
        said.append(f"... and {counted(more, 'more finding')}")
    if report.open_intents:
        listed = ", ".join(map(str, report.open_intents[:10])) + (" ..." if report.open_intents[10:] else "")
        said.append(f"{counted(len(report.open_intents), 'write')} without an outcome: record {listed}")
    if report.torn_bytes:
        said.append(f"a crash left {counted(report.torn_bytes, 'byte')} of an unfinished last line")
    if report.behind_head:
        said.append(f"a crash kept the head from counting {counted(report.behind_head, 'record')}")
    if report.lost_records:
        lost = counted(report.lost_records, "record")
        said.append(f"a restart of the machine took {lost} at the end that were not to be durable")
    if not report.keyed:
        said.append("without the key: only the chain was checked, not who wrote it")
    span = f" ({report.first} to {report.last})" if report.records else ""
    verdict = "DAMAGED" if report.damaged else "whole"
    said.append(f"{report.folder}: {verdict}; {counted(report.records, 'record')}{span}; head {report.head}")
    return said


def _json(found: Iterable[dict[str, Any]], command: str) -> int:
    """Writes one object on one line, a record at a time: there may be more than memory holds."""
    opening = json.dumps({"schema_version": SCHEMA_VERSION, "command": command})
    write(f'{opening[:-1]}, "records": [')
    count = 0
    for count, fields in enumerate(found, 1):
        write((", " if count > 1 else "") + json.dumps(fields))
    write("]}\n")
    return count


def _table(found: Iterable[dict[str, Any]]) -> int:
    """Writes a row for each attempt as it comes, in colour on a terminal."""
    put = _plain_row if sys.stdout is None or not sys.stdout.isatty() else _coloured()
    count = 0
    for count, fields in enumerate(found, 1):
        if count == 1:
            put(_row(_HEAD), "")
        put(_row(_cells(fields)), _COLOURS.get(str(fields.get("outcome")), ""))
    return count


def _plain_row(row: str, colour: str) -> None:
    write(row + "\n")


def _coloured() -> Callable[[str, str], None]:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    return lambda row, colour: console.print(Text(row, colour or "bold"), soft_wrap=True)


def _row(cells: tuple[str, ...]) -> str:
    columns = [cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=False)]
    return "  ".join((*columns, *cells[len(_WIDTHS) :])).rstrip()


def _cells(fields: dict[str, Any]) -> tuple[str, ...]:
    # Whoever can write the files can plant a record of any shape: that is for ``verify`` to find.
    client = fields.get("client")
    client = client if isinstance(client, dict) else {}
    addresses = fields.get("addresses")
    outcome, code = fields.get("outcome", fields.get("kind", "")), fields.get("code")
    took = fields.get("duration_s")
    place = os.path.join(str(fields.get("root", "")), str(fields.get("path", "")))
    what = [place, *map(str, addresses if isinstance(addresses, list) else ())]
    before, after = fields.get("size_before"), fields.get("size_after")
    if isinstance(before, int) and isinstance(after, int):
        what.append(f"{after - before:+,} B")
    if "operation" in fields:
        what.append(f"operation {fields['operation']}")
    if fields.get("kind") == "repair":
        what = [f"dropped {fields.get('torn_bytes')} torn bytes, {fields.get('lost_records')} records lost"]
    cells = (
        str(fields.get("seq", "")),
        str(fields.get("time", ""))[:19].replace("T", " "),
        f"{outcome}: {code}" if code else str(outcome),
        str(fields.get("tool", "")),
        " ".join(str(client.get(name, "")) for name in ("name", "version")).strip(),
        duration(took) if isinstance(took, int | float) else "",
        "  ".join(part for part in what if part),
    )
    return tuple(_printable(cell) for cell in cells)


def _printable(text: str) -> str:
    """A text that cannot move the cursor, whoever chose it."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
