"""Input that makes no sense, and files that are no text: an answer in shape, and nothing changed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from insitu.workspace.catalog import TOOLS
from insitu.workspace.schemas import input_schema
from insitu.workspace.workspace import Workspace
from tests.mcp.hosts import refused, run, within
from tests.mcp.raw import Host, hosting

CONTENTS = {
    "a.txt": b"one\ntwo\nthree\n",
    "t.csv": b"id,name\r\n1,x\r\n2,y\r\n",
    "m.md": b"# A\n\ntext\n\n## B\n\nmore\n",
    "j.json": b'{"a": [1, 2]}\n',
    "r.jsonl": b'{"a": 1}\n{"a": 2}\n',
    "every-byte.bin": bytes(range(256)) * 3,
    "latin.txt": b"caf\xe9\nna\xefve\n",
    "empty": b"",
    "\udcff\udcfe.txt": b"a name that is no text\n",
}

# Whole calls that are right, so that one wrong argument at a time can be put in.
RIGHT: dict[str, dict[str, Any]] = {
    "file_list": {"path": "."},
    "file_info": {"path": "a.txt"},
    "file_read": {"path": "a.txt"},
    "file_search": {"path": "a.txt", "pattern": "two"},
    "file_outline": {"path": "m.md"},
    "file_edit": {"path": "a.txt", "edits": [{"old_text": "two", "new_text": "2"}]},
    "file_edit_bytes": {"path": "a.txt", "edits": [{"offset": 0, "length": 1, "data": "58"}]},
    "file_edit_rows": {"path": "t.csv", "edits": [{"row": 1, "values": {"name": "z"}}]},
    "file_edit_section": {"path": "m.md", "section": "A/B", "text": "other\n"},
    "file_edit_json": {"path": "j.json", "edits": [{"pointer": "/a/0", "value": 7}]},
    "file_append": {"path": "a.txt", "text": "four\n"},
    "file_replace_all": {"path": "a.txt", "pattern": "o", "replacement": "0"},
    "file_copy_range": {"path": "a.txt", "lines": "1", "to_after_line": 3},
    "file_transaction": {
        "calls": [{"tool": "file_edit", "path": "a.txt", "edits": [{"old_text": "two", "new_text": "2"}]}]
    },
    "file_history": {"path": "a.txt"},
    "file_undo": {"path": "a.txt"},
}

WRONG: tuple[Any, ...] = (
    *(None, True, -1, 0, 10**30, 1.5, "", "x", "0-0", "9-1", "-", ":", "\0", "x" * 5_000, "[", "\u202e"),
    *([], {}, [[]], [None], [{}], {"x": {}}, [{"x": 1}], ["a", "b"]),
)

PATHS = [
    *(
        "..",
        "../a.txt",
        "a/../../b",
        "~",
        "~root/x",
        "/etc/passwd",
        "//etc/passwd",
        "a.txt.",
        "a\0b",
    ),
    *("", " ", ".", "x" * 256, "/".join(["x" * 200] * 21), "loop", "link-out", "dev-null", "pipe", ".insitu"),
    *("/proc/self/mem", "file:///etc/passwd", "nowhere:a.txt", "..\\a.txt", "link-out/passwd", "a.txt\n"),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with files of every kind, links that lead out, and what is no file."""
    folder = tmp_path / "root"
    folder.mkdir()
    for name, data in CONTENTS.items():
        (folder / name).write_bytes(data)
    (folder / ".gitignore").write_bytes(b"*.tmp\n")
    (folder / "loop").symlink_to("loop")
    (folder / "link-out").symlink_to("/etc")
    (folder / "dev-null").symlink_to("/dev/null")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.fixture
def workspace(root: Path) -> Iterator[Workspace]:
    """The workspace of the folder."""
    with Workspace(str(root)) as found:
        yield found


def contents(root: Path) -> dict[str, bytes]:
    """What the files hold."""
    return {name: (root / name).read_bytes() for name in CONTENTS}


def check(workspace: Workspace, root: Path, tool: str, arguments: dict[str, Any]) -> bool:
    """Makes a call; whether it was refused, in the agreed shape and with nothing changed."""
    before = contents(root)
    answer = workspace.call(tool, arguments)
    if answer.refused is None:
        if contents(root) != before:
            assert workspace.call("file_undo", {"path": arguments.get("path", "a.txt")}).refused is None
            assert contents(root) == before, "it was changed, and not taken back"
        return False
    assert contents(root) == before
    assert answer.refused.code != "internal", (tool, arguments, answer.text)
    words, line = answer.text.rsplit("\n", 1)
    assert json.loads(line)["code"] == answer.refused.code
    assert "nothing was" in words.lower() or "unchanged" in words.lower(), words
    assert "passwd:" not in answer.text and "root:x" not in answer.text
    answer.text.encode()  # it goes on the wire
    return True


def test_a_right_call_of_every_tool_is_carried_out(workspace: Workspace, root: Path) -> None:
    assert set(RIGHT) == {kind.tool.name for kind in TOOLS}
    for tool, arguments in RIGHT.items():
        if tool != "file_undo":
            assert not check(workspace, root, tool, arguments), (tool, workspace.call(tool, arguments).text)


@pytest.mark.slow
@pytest.mark.parametrize("kind", TOOLS, ids=lambda kind: kind.tool.name)
def test_one_wrong_argument_is_refused_or_harmless(workspace: Workspace, root: Path, kind: Any) -> None:
    tool = kind.tool.name
    for name, schema in input_schema(kind)["properties"].items():
        for wrong in WRONG:
            check(workspace, root, tool, {**RIGHT[tool], name: wrong})
        for inner in schema.get("items", {}).get("properties", ()):
            for wrong in WRONG:
                edits = [{**RIGHT[tool][name][0], inner: wrong}]
                check(workspace, root, tool, {**RIGHT[tool], name: edits})


@pytest.mark.parametrize("kind", TOOLS, ids=lambda kind: kind.tool.name)
def test_what_is_missing_or_unknown_is_refused(workspace: Workspace, root: Path, kind: Any) -> None:
    tool = kind.tool.name
    for name in input_schema(kind).get("required", ()):
        given = {key: value for key, value in RIGHT[tool].items() if key != name}
        assert check(workspace, root, tool, given)
    assert check(workspace, root, tool, {**RIGHT[tool], "unheard_of": 1})


@pytest.mark.parametrize("path", PATHS, ids=lambda path: repr(path[:20]))
def test_paths_that_lead_nowhere_or_out_are_refused(workspace: Workspace, root: Path, path: str) -> None:
    for tool in ("file_read", "file_info", "file_edit", "file_append", "file_undo"):
        assert check(workspace, root, tool, {**RIGHT[tool], "path": path}), (tool, path)
    created = {"path": path, "text": "x", "create": True}
    if path not in ("a.txt.", " ", "..\\a.txt", "a.txt\n"):
        assert check(workspace, root, "file_append", created), path


def call_all(host: Host, path: str) -> None:
    """Reads a file by every way there is."""
    for tool, arguments in {
        "file_info": {},
        "file_read": {},
        "file_search": {"pattern": "a"},
        "file_outline": {},
        "file_history": {},
    }.items():
        result = host.call(tool, path=path, **arguments)
        assert "internal:" not in result["content"][0]["text"]
    for more in ({"bytes": "0:100"}, {"tail": 2}, {"prefix": "anchor"}, {"form": "hex", "bytes": "0:9"}):
        assert host.call("file_read", path=path, **more)["content"][0]["text"]


@pytest.mark.slow
def test_whatever_a_file_holds_or_is_called_goes_on_the_wire(root: Path) -> None:
    with hosting(root) as host:
        host.begin()
        listed = host.call("file_list")["content"][0]["text"]
        assert "every-byte.bin" in listed
        assert len(listed.splitlines()) >= len(CONTENTS)
        for name in CONTENTS:
            if name.isprintable():
                call_all(host, name)
        assert not host.call("file_search", pattern="a").get("isError")
        changed = host.call("file_edit", path="latin.txt", old_text="caf", new_text="Caf")
        assert not changed.get("isError"), changed
    assert (root / "latin.txt").read_bytes() == b"Caf\xe9\nna\xefve\n"


def test_refusals_keep_their_shape_on_the_wire(root: Path) -> None:
    async def main() -> None:
        async with within(root) as client:
            for tool, arguments, code in (
                ("file_read", {"path": "missing.txt"}, "missing-file"),
                ("file_read", {"path": "/etc/passwd"}, "outside-roots"),
                ("file_edit", {"path": "a.txt", "old_text": "e", "new_text": "x"}, "ambiguous"),
                ("file_edit", {"path": "a.txt", "edits": "none"}, "invalid-arguments"),
                ("no_such_tool", {}, "invalid-arguments"),
            ):
                _, facts = await refused(client, tool, **arguments)
                assert facts["code"] == code

    run(main)
