"""Resources: parts of files by URI, as the template makes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcp.shared.exceptions import MCPError
from mcp.shared.uri_template import UriTemplate
from mcp_types import INVALID_PARAMS

from insitu.mcp.slices import TEMPLATE, arguments_of
from tests.mcp.hosts import run, within

EXPANDED = [
    {"path": "a.txt"},
    {"path": "deep/er/a b.txt", "lines": "10-20"},
    {"path": "caf\u00e9.txt", "tail": "5"},
    {"path": "100%.txt", "bytes": "0:10"},
    {"path": "logs:app.log"},
]


@pytest.mark.parametrize("values", EXPANDED, ids=[values["path"] for values in EXPANDED])
def test_what_the_template_makes_is_understood(values: dict[str, str]) -> None:
    uri = UriTemplate.parse(TEMPLATE.uri_template).expand(values)
    assert arguments_of(uri) == {**values, "prefix": "none"}


@pytest.mark.parametrize(
    "uri",
    [
        "file:///a.txt",
        "insitu://elsewhere/a.txt",
        "insitu:///a.txt?columns=1-2",
        "insitu:///a.txt#x",
        "insitu:///../../etc/passwd",
        "insitu:///%2e%2e/%2e%2e/etc/passwd",
        "insitu:////etc/passwd",
        "insitu:///missing.txt",
        "insitu:///a.txt?lines=x",
        "insitu:///a.txt?lines=1&tail=1",
        "insitu:///a%00.txt",
    ],
)
def test_other_uris_are_refused_and_tell_nothing(tmp_path: Path, uri: str) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\n")

    async def main() -> None:
        async with within(tmp_path) as client:
            with pytest.raises(MCPError) as refused:
                await client.read_resource(uri)
            assert "root:" not in str(refused.value)  # as a passwd file has it

    run(main)


def test_a_uri_that_cannot_be_taken_apart_is_none_of_ours() -> None:
    with pytest.raises(MCPError) as refused:
        arguments_of("insitu://[")
    assert refused.value.error.code == INVALID_PARAMS


def test_a_part_comes_with_what_it_is_a_part_of(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\ntwo\nthree\n")

    async def main() -> None:
        async with within(tmp_path) as client:
            (contents,) = (await client.read_resource("insitu:///a.txt?lines=2-2")).contents
            assert getattr(contents, "text", "").splitlines()[1:] == ["two"]
            assert "lines 2-2 of 3" in getattr(contents, "text", "")
            assert contents.mime_type == "text/plain"

    run(main)
