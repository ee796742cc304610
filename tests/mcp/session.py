"""One whole session, as an agent might have it; every transport and every era is held to it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from mcp import Client

from tests.mcp.hosts import refused, text_of, told

ANSWER_CHARS_MAX = 600
"""What a one-line edit may cost the reader of its answer."""


def make(root: Path) -> None:
    """The files of the session."""
    (root / "logs").mkdir()
    (root / "logs" / "app.log").write_bytes(b"".join(b"line %d of the log\n" % n for n in range(1, 201)))
    (root / "notes.md").write_bytes(b"# Notes\n\nSome.\n")


async def whole(client: Client, root: Path) -> None:
    """Looks, edits, is refused, takes back."""
    log = root / "logs" / "app.log"
    before = log.read_bytes()

    assert "notes.md" in await told(client, "file_list")
    assert "logs/app.log" in await told(client, "file_list", pattern="*.log")
    assert '"size":' in await told(client, "file_info", path="logs/app.log")
    shown = await told(client, "file_read", path="logs/app.log", lines="99-101")
    assert "100\tline 100 of the log" in shown
    version = shown.partition("version=")[2].split()[0]
    assert "100" in await told(client, "file_search", pattern="line 100 ", path="logs/app.log")

    result = await client.call_tool(
        "file_edit",
        {
            "path": "logs/app.log",
            "version": version,
            "edits": [{"old_text": "line 100 of", "new_text": "LINE of"}],
        },
    )
    assert not result.is_error
    assert len(text_of(result)) <= ANSWER_CHARS_MAX
    assert result.structured_content is not None
    edit_id = result.structured_content["edit_id"]
    edited = before.replace(b"line 100 of", b"LINE of")
    assert log.read_bytes() == edited

    # What changed elsewhere is no obstacle; what is gone is refused, with words on what to do.
    await told(
        client, "file_edit", path="logs/app.log", version=version, old_text="line 7 of", new_text="L7 of"
    )
    words, facts = await refused(
        client, "file_edit", path="logs/app.log", old_text="line 100 of", new_text="x"
    )
    assert facts["code"] == "no-match"
    assert "nothing was changed" in words.lower()
    edited = edited.replace(b"line 7 of", b"L7 of")

    # A line that changed since it was seen is refused with its present text.
    words, facts = await refused(
        client,
        "file_edit",
        path="logs/app.log",
        version=version,
        edits=[{"lines": "100", "new_text": "mine\n"}],
    )
    assert facts["code"] in ("stale", "expectation-failed")
    assert "LINE of the log" in words + json.dumps(facts)

    dry = await told(
        client, "file_edit", path="logs/app.log", old_text="line 50 of", new_text="x", dry_run=True
    )
    assert "nothing" in dry.lower()
    assert log.read_bytes() == edited

    words, facts = await refused(
        client, "file_edit", path="notes.md", old_text="Some", new_text="x", dryrn=True
    )
    assert facts["did_you_mean"] == "dry_run"
    words, facts = await refused(client, "file_raed", path="notes.md")
    assert facts["did_you_mean"] == "file_read"
    _, facts = await refused(client, "file_read", path="../outside")
    assert str(root) not in json.dumps(facts)

    assert f'"edit_id":{edit_id}' in (await told(client, "file_history", path="logs/app.log")).replace(
        " ", ""
    )
    await told(client, "file_undo", path="logs/app.log")
    await told(client, "file_undo", path="logs/app.log")
    assert log.read_bytes() == before

    (contents,) = (await client.read_resource("insitu:///logs/app.log?lines=2-3")).contents
    assert "line 2 of the log\nline 3 of the log" in getattr(contents, "text", "")

    await asyncio.gather(*(told(client, "file_append", path="notes.md", text=f"- {n}") for n in range(5)))
    assert sorted((root / "notes.md").read_bytes().splitlines()[3:]) == [b"- %d" % n for n in range(5)]
