"""A workspace over a folder of its own, and short ways to ask it things."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from insitu.workspace.workspace import Answer, Workspace


class Bench(NamedTuple):
    """A root and its workspace."""

    root: Path
    workspace: Workspace

    def put(self, name: str, data: bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def bytes(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def call(self, tool: str, **arguments: Any) -> Answer:
        return self.workspace.call(tool, arguments)

    def done(self, tool: str, **arguments: Any) -> Answer:
        """The answer to a call that must be carried out."""
        answer = self.call(tool, **arguments)
        assert answer.refused is None, answer.text
        return answer

    def refused(self, tool: str, **arguments: Any) -> Answer:
        """The answer to a call that must be refused, and must leave the root as it is."""
        before = contents(self.root)
        answer = self.call(tool, **arguments)
        assert answer.refused is not None, answer.text
        assert contents(self.root) == before
        check_refusal(answer)
        return answer

    def version(self, name: str) -> str:
        return version_in(self.done("file_read", path=name, max_chars=200))


def contents(root: Path) -> dict[str, bytes]:
    """Every file below a root, insitu's own state left out."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if ".insitu" not in path.parts and path.is_file()
    }


def version_in(answer: Answer) -> str:
    """The version that an answer names."""
    found = re.search(r'version[="]+:?"?([a-z2-7]{8})', answer.text)
    assert found is not None, answer.text
    return found[1]


def check_refusal(answer: Answer) -> None:
    """What holds for every refusal."""
    assert answer.refused is not None
    assert answer.data is None
    sentence, line = answer.text.rsplit("\n", 1)
    told = json.loads(line)
    assert told["code"] == answer.refused.code != "internal", answer.text
    assert answer.text.startswith(f"{told['code']}: ")
    assert told["applied"] is False
    assert isinstance(told["retryable"], bool)
    said = len(UNCHANGED.findall(sentence))
    assert said == 1, f"said {said} times that nothing was changed: {sentence}"
    assert not re.search(
        r"\binsitu (?:read|find|md|csv|json|diff|history|info|recover|apply|delete) ", sentence
    ), sentence
    answer.text.encode()


UNCHANGED = re.compile(
    r"nothing was (?:changed|written)|(?:is|are|was) unchanged|was not changed", re.IGNORECASE
)


def followed(bench: Bench, answer: Answer) -> tuple[str, dict[str, Any]] | None:
    """The literal next call in the last line of an answer, as a tool and its arguments."""
    found = re.search(r'((?:file_\w+)(?: \w+=(?:"(?:[^"\\]|\\.)*"|[\w.]+))+)\]?\Z', answer.text)
    if found is None:
        return None
    tool, *_ = found[1].split(" ", 1)
    arguments = {
        name: json.loads(value) for name, value in re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|[\w.]+)', found[1])
    }
    return tool, arguments
