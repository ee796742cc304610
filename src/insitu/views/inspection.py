"""What a file is, what its disk can do, and what is pending: questions that change nothing."""

from __future__ import annotations

import os
import stat as modes
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from insitu.core.policy import Policy
from insitu.core.protocols import Cancel, Progress
from insitu.engine.history import operations
from insitu.engine.index import LineIndex
from insitu.engine.kept_index import kept, line_index
from insitu.engine.lease import Outcome
from insitu.engine.lock import holder_of
from insitu.engine.recover import pending, report
from insitu.engine.row_index import row_index_kind
from insitu.engine.session import generation, snapshot
from insitu.engine.site import FOLDER, Site
from insitu.engine.snapshot import Snapshot
from insitu.errors import InsituError, RequestError, UnsupportedError
from insitu.formats.detection import Detected, detect
from insitu.storage.base import Entry, File, Volume
from insitu.views.csv_sniffing import Given, sniffed
from insitu.views.guarantees import guarantees
from insitu.views.streaming import Source
from insitu.views.text import encoding_of

# What tells line endings: the first window of a file, as for lines (1 MiB).
SAMPLE_BYTES = 1 << 20
NO_LOCKS = "not supported"


def info(site: Site, policy: Policy) -> dict[str, Any]:
    """Size, encoding, line endings, generation, what is pending and what is kept; reads samples only."""
    file = site.open()
    try:
        base = Snapshot(file, generation(site, file))
        status = file.stat()
        past = operations(site)
        encoding = encoding_of(base)
        sample = base.read(0, min(SAMPLE_BYTES, base.size))
        detected = detect(site.path, sample, more=len(sample) < base.size)
        return {
            "path": site.path,
            "size": base.size,
            "format": detected.format,
            "format_doubt": detected.doubt or None,
            "encoding": encoding.name,
            "encoding_may_be": list(encoding.others),
            "line_endings": _endings(sample),
            "lines": kept_line_count(site, base),
            "final_newline": base.size > 0 and base.read(base.size - 1, 1) in (b"\n", b"\r"),
            "generation": base.generation.token,
            "hard_links": status.links,
            "sparse": file.next_hole(0) < base.size,
            "pending": report(site) if pending(site) else None,
            "draft_bytes": draft_bytes(site),
            "operations": len(past),
            "history_bytes": sum(operation.stored_bytes for operation in past),
        }
    finally:
        file.close()


def draft_bytes(site: Site) -> int | None:
    """How large the file's draft is on the disk; None where there is none."""
    status = site.volume.stat(site.draft)
    return status.size if status else None


def kept_line_count(site: Site, base: Snapshot) -> int | None:
    """How many lines there are, where an index of this generation is kept."""
    index = LineIndex.load(site.volume, site.line_index, base, base.generation.token.encode())
    return None if index is None or index.size < base.size else index.line_count


def _endings(sample: bytes) -> dict[str, int]:
    """How often each line ending occurs in a sample."""
    crlf = sample.count(b"\r\n")
    return {"lf": sample.count(b"\n") - crlf, "crlf": crlf, "cr": sample.count(b"\r") - crlf}


def doctor(site: Site) -> dict[str, Any]:
    """What the disk under a file or folder can do, which promises hold there, and what is pending.

    ``guarantees`` has, by promise, ``"holds"`` or why it does not. Where nothing can be written, nothing
    could be tried: what needs trying is then taken to be missing.
    ``landlock`` is what the kernel offers to wall an agents' server in with.
    """
    from insitu.storage.landlock import available

    facts = site.volume.facts(site.folder if _is_file(site) else site.path)
    findings: dict[str, Any] = {"path": site.path, "facts": asdict(facts), "landlock": asdict(available())}
    if _is_file(site):
        file = site.open()
        try:
            findings["locks"] = state = _lock_state(file)
            findings["guarantees"] = guarantees(
                facts,
                locks=state != NO_LOCKS,
                links=file.stat().links,
                mounted=site.mounted(),
                lease=_lease_state(file),
            )
            findings["marked"] = file.mark() is not None
            findings["state_folder"] = site.state
            findings["draft_bytes"] = draft_bytes(site)
            findings["pending"] = report(site) if pending(site) else None
        finally:
            file.close()
    else:
        findings["guarantees"] = guarantees(
            facts, locks=facts.locks, lease="held" if facts.leases else "not supported"
        )
        findings["pending"] = [path for path in pending_below(site.volume, site.path)]
    return findings


def _is_file(site: Site) -> bool:
    status = site.volume.stat(site.path)
    return status is None or not modes.S_ISDIR(status.mode)


def _lock_state(file: File) -> str:
    try:
        if not file.lock():
            holder = holder_of(file)
            return f"held by process {holder['pid']}" if holder else "held"
        file.unlock()
        return "free"
    except UnsupportedError:
        return NO_LOCKS


def _lease_state(file: File) -> Outcome:
    """Whether a lease is granted, by taking one for a moment."""
    try:
        return file.lease(0.0)
    except UnsupportedError:
        return "not supported"
    finally:
        file.release()


def pending_below(volume: Volume, folder: str) -> Iterator[str]:
    """Yields the paths of the files below a folder that have something pending beside them."""
    waiting = [folder]
    while waiting:
        parent = waiting.pop()
        inside = [name for name, kind in _entries(volume, parent) if kind == "folder"]
        waiting += [os.path.join(parent, name) for name in reversed(inside) if name != FOLDER]
        if FOLDER not in inside:
            continue
        for name in volume.names(os.path.join(parent, FOLDER)):
            path = os.path.join(parent, name.removesuffix(".d"))
            try:
                if name.endswith(".d") and pending(Site.of(volume, path)):
                    yield path
            except InsituError:
                continue  # the file of this state is gone; there is nothing to recover


def _entries(volume: Volume, folder: str) -> list[Entry]:
    """What is in a folder; nothing where it may not be looked into."""
    try:
        return volume.entries(folder)
    except InsituError:
        return []


def build_index(
    site: Site, policy: Policy, progress: Progress | None, cancel: Cancel | None
) -> dict[str, Any]:
    """Builds, or brings up to date, the indexes of lines and (of CSV files) of rows; how many there are.

    ``rows`` is None where the file does not certainly seem to be CSV in one dialect.
    """
    began = time.monotonic()
    base = snapshot(site, write=False, policy=policy, lock_timeout_s=0)
    try:
        index = line_index(site, base, policy, progress, cancel)
        rows, row_index_bytes = _row_count(site, base, policy, progress, cancel)
        status = site.volume.stat(site.line_index)
        return {
            "path": site.path,
            "lines": index.line_count,
            "rows": rows,
            "index_bytes": (status.size if status else 0) + row_index_bytes,
            "seconds": time.monotonic() - began,
        }
    finally:
        base.close()


def _row_count(
    site: Site, base: Snapshot, policy: Policy, progress: Progress | None, cancel: Cancel | None
) -> tuple[int | None, int]:
    """How many rows a CSV file has, by its row index, and how large that is; None where it is no CSV file."""
    sample = base.read(0, min(SAMPLE_BYTES, base.size))
    if detect(site.path, sample, more=len(sample) < base.size) != Detected("csv"):
        return None, 0
    try:
        found = sniffed(Source(base, encoding_of(base), site.path), Given())
        if found.doubts:
            return None, 0
        kind = row_index_kind(site, found.dialect)
        index = kept(site, base, policy, kind, progress, cancel)
    except RequestError:
        return None, 0  # UTF-16, or a quote that is never closed: its lines are counted all the same
    status = site.volume.stat(kind.path)
    return max(0, index.row_count - found.dialect.header), status.size if status else 0
