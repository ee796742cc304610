"""Help: complete, quick, and one text with two homes."""

from __future__ import annotations

import inspect
import resource
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click
import pytest

from insitu.cli.main import TOPICS, cli
from tests.cli.running import COMMAND, run, run_process

COMMANDS = {name: short for commands in TOPICS.values() for name, short in commands.items()}
HEAVY = {"numpy", "rich", "stringzilla", "re2", "charset_normalizer", "platformdirs", "xxhash"}


def _command(name: str) -> click.Command:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return command


@pytest.mark.parametrize("name", COMMANDS)
def test_the_first_line_of_the_help_is_the_one_in_the_table(name: str) -> None:
    assert inspect.cleandoc(_command(name).help or "").splitlines()[0] == COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_an_example_and_says_what_a_crash_leaves_or_that_nothing_changes(name: str) -> None:
    done = run(name, "--help")
    text = done.out.decode()
    assert done.code == 0
    assert f"insitu {name}" in text.replace("Usage: insitu", "Usage:")
    assert "crash" in text or "Nothing is changed" in text


# A script for a shell, and a server that speaks a protocol of its own.
SPEAKING_OTHERWISE = {"completion", "mcp"}


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in SPEAKING_OTHERWISE])
def test_every_command_speaks_json(name: str) -> None:
    assert b"--json" in run(name, "--help").out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name: str) -> None:
    options = [option for option in _command(name).params if isinstance(option, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_the_overview_names_every_command_and_the_exit_codes() -> None:
    text = run("--help").out.decode()
    assert [name for name in COMMANDS if name not in text] == []
    assert "Exit codes: 0 done" in " ".join(text.split())


def test_an_unknown_command_is_a_bad_request() -> None:
    done = run("frobnicate")
    assert done.code == 2
    assert "frobnicate" in done.err


def test_the_version_is_told() -> None:
    try:
        installed = version("insitu")
    except PackageNotFoundError:
        pytest.skip("insitu is not installed here, only on the path: it has no version")
    assert run_process("--version")[:2] == (0, f"insitu {installed}\n".encode())


def test_the_overview_loads_nothing_heavy_and_no_command() -> None:
    code = (
        "import sys, insitu.cli.main as main\n"
        "try: main.cli.main(['--help'])\n"
        "except SystemExit: print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stderr.split()
    assert "insitu.cli.main" in loaded
    assert sorted(HEAVY & set(loaded)) == []
    assert [name for name in loaded if name.startswith("insitu.cli.commands.")] == []


def test_a_small_edit_loads_no_library_that_takes_longer_than_the_edit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"some text, some more\n")
    code = (
        "import sys, insitu.cli.main as main\n"
        "try: main.cli.main(sys.argv[1:])\n"
        "finally: print(*sys.modules, file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", code, "replace", str(tmp_path / "file"), "more", "less"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (tmp_path / "file").read_bytes() == b"some text, some less\n"
    assert sorted({"numpy", "re2", "filelock", "asyncio"} & set(done.stderr.split())) == []


@pytest.mark.slow
def test_the_overview_is_there_before_one_wonders() -> None:
    seconds = []
    for _ in range(7):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*COMMAND, "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    # Time of the processor, and the least of some runs: other work of the machine only ever adds.
    assert min(seconds) < 0.150


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_call_us_back(shell: str) -> None:
    done = run("completion", shell)
    assert done.code == 0
    assert b"_INSITU_COMPLETE" in done.out


def test_commands_and_options_are_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_INSITU_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "insitu repl")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert run().out.split() == [b"plain,replace"]
    monkeypatch.setenv("COMP_WORDS", "insitu replace --dry")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert run().out.split() == [b"plain,--dry-run"]
