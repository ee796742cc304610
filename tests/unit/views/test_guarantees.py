"""What holds on a disk is said of what it can do, and every lack is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import insitu
from insitu.core.facts import Facts
from insitu.views.guarantees import HOLDS, guarantees

ABLE = Facts(clone=True, punch=True, reserve=True, marks=True)
LACKS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("returned means durable", {"folder_sync": False}, {}, "folders cannot be synced"),
    ("one writer at a time", {}, {"locks": False}, "locks do not work"),
    ("any reader sees old or new", {}, {"links": 3}, "3 names"),
    ("any reader sees old or new", {}, {"mounted": True}, "mount point"),
    ("programs outside insitu wait for short edits", {}, {"lease": "not supported"}, "no leases here"),
    ("programs outside insitu wait for short edits", {}, {"lease": "not allowed"}, "CAP_LEASE"),
    ("programs outside insitu wait for short edits", {}, {"lease": "in use"}, "open elsewhere"),
    ("a half-done file moved away is noticed", {"marks": False}, {}, "no user attributes"),
    ("a full disk strikes while the file is old", {"reserve": False}, {}, "cannot be set aside"),
    ("a full disk strikes while the file is old", {"overwrite_allocates": True}, {}, "takes new space"),
    ("holes stay holes", {"punch": False}, {}, "cannot be punched"),
    ("rewriting copies only what changes", {"clone": False}, {}, "cannot be cloned"),
]


def test_an_able_disk_keeps_every_promise() -> None:
    assert all(said.startswith(HOLDS) for said in guarantees(ABLE, locks=True).values())
    assert "cannot be seen" in guarantees(ABLE, locks=True)["returned means durable"]


@pytest.mark.parametrize(("promise", "facts", "file", "reason"), LACKS)
def test_what_is_missing_is_named_and_nothing_else(
    promise: str, facts: dict[str, Any], file: dict[str, Any], reason: str
) -> None:
    said = guarantees(replace(ABLE, **facts), **{"locks": True, **file})
    assert reason in said.pop(promise)
    assert all(other.startswith(HOLDS) for other in said.values())


def test_doctor_tells_of_the_file_and_of_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"text")
    path.with_name("other").hardlink_to(path)
    assert "2 names" in insitu.doctor(path)["guarantees"]["any reader sees old or new"]
    assert insitu.doctor(tmp_path)["guarantees"]["any reader sees old or new"].startswith(HOLDS)
