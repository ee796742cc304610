"""The documentation is true: blocks run, commands and names exist, links lead somewhere."""

from __future__ import annotations

import ast
import builtins
import itertools
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest

import insitu
from insitu import errors
from insitu.cli.main import TOPICS, cli
from tests.docs import samples
from tests.docs.markdown import DOCS, README, Block, anchors, blocks, links, pages
from tests.tidy.tree import ROOT

PYTHON_PAGE = DOCS / "python.md"
COMMAND_PAGE = DOCS / "command-line.md"
# Commands with a page of their own; the others, and the options that all share, are on the command page.
PAGES = {
    "chunk": "chunks.md",
    "csv": "csv.md",
    "md": "markdown.md",
    "json": "json.md",
    "jsonl": "json.md",
    "records": "records.md",
    "transform": "transform.md",
    "audit": "audit.md",
    "mcp": "mcp.md",
}
COMMANDS = [name for commands in TOPICS.values() for name in commands]
ERRORS = [error for name, error in vars(errors).items() if name.endswith("Error")]

# `1 + 1  # -> 2` at the end of an expression's last line.
_SHOWN = re.compile(r"#\s*->\s*(.*)$")
_EXITS = re.compile(r"\s+# exits with (\d+)$")

# A tour of a gigabyte, or of less: tests/cli takes it.
_NOT_RUN = "insitu demo"


def _with(language: str) -> list[Path]:
    return [page for page in pages() if blocks(page, language)]


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a page: the files it speaks of, and the command ``insitu`` on the path."""
    place, commands = tmp_path / "here", tmp_path / "bin"
    place.mkdir()
    commands.mkdir()
    samples.make(place)
    command = commands / "insitu"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m insitu.cli.main "$@"\n', "utf-8")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(commands), prepend=":")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"), prepend=":")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(place)
    return place


class _Comparing(ast.NodeTransformer):
    """Hands each expression that shows its value to ``_check``, along with what is shown."""

    def __init__(self, source: str) -> None:
        self._lines = source.splitlines()
        self.count = 0

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        shown = _SHOWN.search(self._lines[(node.end_lineno or 1) - 1])
        if shown is None:
            return node
        self.count += 1
        check = ast.Name("_check", ast.Load())
        call = ast.Call(check, [node.value, ast.Constant(shown[1].strip())], [])
        return ast.fix_missing_locations(ast.copy_location(ast.Expr(call), node))


def _check(value: object, shown: str) -> None:
    assert repr(value) == shown


def run_python(block: Block, page: str, namespace: dict[str, object]) -> None:
    """Runs a block; line numbers in tracebacks are those of the page."""
    comparing = _Comparing(block.text)
    tree = comparing.visit(ast.parse(block.text))
    assert comparing.count == len(re.findall(r"#\s*->", block.text)), "a shown value is not compared"
    ast.increment_lineno(tree, block.line - 1)
    exec(compile(tree, page, "exec"), namespace)


@pytest.mark.slow
@pytest.mark.parametrize("page", _with("python"), ids=_name)
def test_every_python_block_runs_and_shows_the_values_it_has(page: Path, folder: Path) -> None:
    namespace: dict[str, object] = {"__builtins__": builtins, "_check": _check}
    for block in blocks(page, "python"):
        run_python(block, _name(page), namespace)


def commands_of(block: Block) -> list[tuple[str, int]]:
    """The command lines of a block, each with the exit code it says it has."""
    found = []
    for line in block.text.splitlines():
        exits = _EXITS.search(line)
        text = line[: exits.start()] if exits else re.sub(r"\s{2,}# .*$", "", line)
        text = text.removeprefix("$ ") if block.language == "console" else text
        if text.strip():
            found.append((text.rstrip(), int(exits[1]) if exits else 0))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("page", _with("sh"), ids=_name)
def test_every_shell_block_runs_with_the_exit_codes_it_says(page: Path, folder: Path) -> None:
    for block in blocks(page, "sh"):
        for text, code in commands_of(block):
            if not text.startswith(_NOT_RUN):
                shell = ["bash", "-c", f"set -o pipefail; {text}"]
                done = subprocess.run(shell, capture_output=True, text=True, check=False)
                assert done.returncode == code, f"{_name(page)}: {text}\n{done.stdout}{done.stderr}"


def words_of(text: str) -> list[str]:
    """The words of our command in a line of shell, without the pipes and redirections around it."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    ours = words[words.index("insitu") + 1 :] if "insitu" in words else []
    return list(itertools.takewhile(lambda word: word not in ("|", ">", ")"), ours))


def _invocations() -> list[tuple[str, list[str]]]:
    found = []
    for page in pages():
        for block in (*blocks(page, "sh"), *blocks(page, "console")):
            found += [(_name(page), words_of(text)) for text, _ in commands_of(block)]
    return [(page, words) for page, words in found if words]


@pytest.mark.parametrize(("page", "words"), _invocations(), ids=str)
def test_every_command_line_parses(page: str, words: list[str]) -> None:
    name, *arguments = words
    command = cli.get_command(click.Context(cli), name)
    assert command is not None, f"{page}: there is no command {name}"
    command.make_context(name, arguments).close()


def test_the_pages_show_command_lines() -> None:
    assert {page for page, _ in _invocations()} >= {"README.md", _name(COMMAND_PAGE)}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented_with_an_example(name: str) -> None:
    assert name in {words[0] for page, words in _invocations() if page == _name(COMMAND_PAGE)}


def _parts(command: click.Command) -> list[click.Command]:
    """A command, or the commands that a group is made of."""
    return list(command.commands.values()) if isinstance(command, click.Group) else [command]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented(name: str) -> None:
    text = "".join(
        page.read_text("utf-8") for page in (COMMAND_PAGE, DOCS / PAGES.get(name, COMMAND_PAGE.name))
    )
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    options = [part for whole in _parts(command) for part in whole.params if isinstance(part, click.Option)]
    assert [option.opts[0] for option in options if option.opts[0] not in text] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_part_of_a_group_is_documented(name: str) -> None:
    text = (DOCS / PAGES[name]).read_text("utf-8")
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    parts = [f"insitu {name} {part.name}" for part in _parts(command) if part is not command]
    assert [part for part in parts if part not in text] == []


def test_every_exit_code_is_documented() -> None:
    text = COMMAND_PAGE.read_text("utf-8")
    codes = sorted({error.exit_code for error in ERRORS})
    assert [code for code in codes if not re.search(rf"^\| [^|]*\b{code}\b", text, re.MULTILINE)] == []


@pytest.mark.parametrize("name", insitu.__all__)
def test_every_public_name_is_in_the_python_page(name: str) -> None:
    text = PYTHON_PAGE.read_text("utf-8")
    assert re.search(rf"(?:\binsitu\.|`){name}\b", text)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_is_in_the_python_page(error: type) -> None:
    assert f"`{error.__name__}" in PYTHON_PAGE.read_text("utf-8")


@pytest.mark.parametrize("page", pages(), ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_every_decision_is_linked_from_the_architecture() -> None:
    linked = set(links(DOCS / "architecture.md"))
    decisions = [f"decisions/{path.name}" for path in sorted((DOCS / "decisions").glob("*.md"))]
    assert [path for path in decisions if path not in linked] == []


def test_every_test_that_a_page_names_exists() -> None:
    for page in pages():
        for path, test in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page.read_text("utf-8")):
            assert (ROOT / path).is_file(), f"{_name(page)}: {path}"
            if test:
                assert f"def {test}(" in (ROOT / path).read_text("utf-8"), f"{_name(page)}: {path}::{test}"


def test_every_module_that_the_architecture_names_exists() -> None:
    names = re.findall(r"`([a-z]+/(?:\w+\.py)?|\w+\.py)`", (DOCS / "architecture.md").read_text("utf-8"))
    assert "engine/commit.py" in names
    assert [name for name in names if not (ROOT / "src" / "insitu" / name).exists()] == []


def test_the_readme_fits_a_hundred_and_twenty_lines() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 120
