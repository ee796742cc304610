"""Exit codes of every family, what errors say, and that nothing ever ends in a traceback."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import insitu
from insitu.cli import failures
from insitu.errors import StorageError, SyncError
from tests.cli.conftest import TEN_LINES
from tests.cli.running import COMMAND, Done, run, run_process

# Every command, as it is called on one file.
CALLS = {
    "info": ["info"],
    "read": ["read"],
    "find": ["find", "x"],
    "replace": ["replace", "a", "b"],
    "write": ["write", "--lines", "1", "--text", "x"],
    "insert": ["insert", "--end", "--text", "x"],
    "insert at": ["insert", "--at", "0", "--text", "x"],
    "delete": ["delete", "--tail", "1"],
    "apply": ["apply", "-"],
    "history": ["history"],
    "undo": ["undo"],
    "redo": ["redo"],
    "diff": ["diff", "1"],
    "recover": ["recover"],
    "doctor": ["doctor"],
    "index": ["index"],
}
ON_FOLDERS = {"recover", "doctor"}
_NOBODY = 65534  # the user without rights, on Linux
EVERY = pytest.mark.parametrize("name", CALLS)


def call(name: str, path: Path, *options: str) -> Done:
    """Runs a command of the table."""
    command, *rest = CALLS[name]
    return run(command, path, *rest, *options, stdin=b'{"lines": [1, 1], "text": "x"}')


def is_refusal(done: Done, code: int) -> bool:
    """Whether a command said in words why it refused."""
    return done.code == code and not done.out and done.err.startswith("insitu: ") and "Trace" not in done.err


@EVERY
def test_a_missing_file_is_a_bad_request(tmp_path: Path, name: str) -> None:
    missing = tmp_path / "missing"
    assert is_refusal(call(name, missing), 2)
    error = call(name, missing, "--json").json["error"]
    assert (error["code"], error["exit_code"], error["retryable"]) == ("missing-file", 2, False)
    assert list(tmp_path.iterdir()) == []


@EVERY
def test_a_folder_is_no_file(tmp_path: Path, name: str) -> None:
    if name in ON_FOLDERS:
        assert call(name, tmp_path).code == 0
    else:
        assert is_refusal(call(name, tmp_path), 2)


@EVERY
def test_a_pipe_is_no_file_and_is_not_waited_for(tmp_path: Path, name: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert is_refusal(call(name, pipe), 2)


@EVERY
def test_a_dangling_link_is_a_missing_file(tmp_path: Path, name: str) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    assert is_refusal(call(name, link), 2)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@EVERY
def test_a_device_is_no_file(name: str) -> None:
    assert is_refusal(call(name, Path("/dev/full")), 2)


@EVERY
def test_a_damaged_journal_is_never_ignored(ten: Path, name: str) -> None:
    state = ten.parent / ".insitu" / "ten.txt.d"
    state.mkdir(parents=True, mode=0o700)
    (state / "journal").write_bytes(b"nonsense" * 1000)
    done = call(name, ten)
    if name in ("info", "doctor", "history", "diff"):
        assert done.code in (0, 3, 6)  # they tell of it
    else:
        assert is_refusal(done, 6)
    assert ten.read_bytes() == TEN_LINES
    assert (state / "journal").exists()


@pytest.fixture
def others(ten: Path) -> Iterator[Path]:
    """The ten lines in a folder of root's, while the process is nobody's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        path = folder / "ten.txt"
        path.write_bytes(TEN_LINES)
        os.seteuid(_NOBODY)
        try:
            yield path
        finally:
            os.seteuid(0)


@pytest.mark.root
@pytest.mark.parametrize("name", ["write", "insert", "delete", "apply", "undo"])
def test_a_file_that_may_not_be_written_is_a_bad_request(others: Path, name: str) -> None:
    done = call(name, others)
    assert is_refusal(done, 2)
    assert run("read", others).out == TEN_LINES


@pytest.mark.root
def test_a_file_that_may_not_be_read_is_a_bad_request(others: Path) -> None:
    os.seteuid(0)
    others.chmod(0o600)
    os.seteuid(_NOBODY)
    for name in CALLS:
        codes = (0, 2, 3) if name in ("history", "diff") else (2,)  # those need not look into it
        assert call(name, others).code in codes, name


@pytest.mark.root
def test_a_file_in_a_folder_that_may_not_be_written_is_refused_or_edited(others: Path) -> None:
    os.seteuid(0)
    others.chmod(0o666)
    os.seteuid(_NOBODY)
    done = call("insert", others)
    assert done.code == 0 or is_refusal(done, 2)
    assert run("read", others).out == TEN_LINES + (b"x\n" if done.code == 0 else b"")
    assert [path.name for path in others.parent.iterdir()] == ["ten.txt"]


def test_whoever_holds_the_lock_is_waited_for_in_vain(ten: Path) -> None:
    with ten.open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        done = run("insert", ten, "--end", "--text", "x", "--lock-timeout", "0.05")
        assert is_refusal(done, 4)
        error = run("undo", ten, "--lock-timeout", "0", "--json").json["error"]
    assert (error["code"], error["retryable"]) == ("locked", True)
    assert run("insert", ten, "--end", "--text", "x").code == 0


@pytest.mark.slow
def test_a_file_too_large_for_its_limit_stays_old(ten: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    before = ten.read_bytes()
    done = run_process("insert", ten, "--end", "-", stdin=b"x\n" * (1 << 20), preexec_fn=limit)
    assert is_refusal(done, 5)
    assert "The file is old." in done.err
    assert ten.read_bytes() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_output_that_cannot_be_written_is_no_traceback(ten: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*COMMAND, "read", ten], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 5
    assert done.stderr == b"insitu: Cannot write the output: No space left on device.\n"


def test_a_bug_of_ours_is_one_line_and_a_hint(ten: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: str) -> None:
        raise RuntimeError("the sky fell")

    monkeypatch.setattr(insitu, "info", broken)
    done = run("info", ten)
    assert is_refusal(done, 70)
    assert "RuntimeError: the sky fell" in done.err
    assert "report" in done.err
    assert run("info", ten, "--json").json["error"]["code"] == "internal"
    monkeypatch.setenv("INSITU_DEBUG", "1")
    assert "Traceback" in run("info", ten).err


@pytest.mark.parametrize("state", ["old", "awaiting recovery"])
def test_an_error_of_the_medium_says_what_state_the_file_is_in(
    ten: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    def broken(path: str) -> None:
        raise SyncError("The disk failed.", file_state=state, hint="Look at it.")

    monkeypatch.setattr(insitu, "info", broken)
    assert run("info", ten).err == f"insitu: The disk failed.\nThe file is {state}.\nLook at it.\n"
    assert run("info", ten, "--json").json["error"]["file_state"] == state


def test_every_family_has_its_exit_code() -> None:
    families: list[type[insitu.InsituError]] = [insitu.InsituError]
    for family in families:
        families += family.__subclasses__()
    for family in families:
        error = family("It failed.", hint="Do this.", size=3)
        problem = failures.problem_of(error)
        assert problem["exit_code"] == error.exit_code
        assert ("file_state" in problem) == isinstance(error, StorageError)
        assert failures.sentences(problem)[0] == "insitu: It failed."
        assert failures.sentences(problem)[-1] == "Do this."
    assert {family.exit_code for family in families} == {1, 2, 3, 4, 5, 6, 70, 130}


ERROR_FIELDS = {"code", "message", "hint", "retryable", "exit_code", "facts"}


@pytest.mark.parametrize(
    "words",
    [
        ["read", "FILE", "--lines", "99", "--json"],
        ["read", "FILE", "--nonsense", "--json"],
        ["--json", "frobnicate"],
        ["replace", "FILE", "--json"],
        ["replace", "FILE", "absent", "x", "--json"],
        ["replace", "FILE", "line", "x", "--json"],
        ["replace", "FILE", "(", "x", "--regex", "--all", "--json"],
    ],
)
def test_every_error_is_one_object_of_one_shape(ten: Path, words: list[str]) -> None:
    done = run(*(str(ten) if word == "FILE" else word for word in words))
    assert done.err == ""
    assert done.json["schema_version"] == 1
    assert set(done.json["error"]) == ERROR_FIELDS
    assert done.json["error"]["exit_code"] == done.code
    assert done.code in (1, 2, 3)


def test_json_among_the_words_themselves_is_no_option(ten: Path) -> None:
    assert is_refusal(run("find", ten, "--", "--json", "surplus"), 2)


@pytest.mark.parametrize("words", [["write"], ["write", "FILE"], ["insert", "FILE", "--text", "x"], []])
def test_a_command_line_that_lacks_something_is_a_bad_request(ten: Path, words: list[str]) -> None:
    done = run(*(str(ten) if word == "FILE" else word for word in words))
    assert done.code == 2
    assert done.err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["write", "read", "info"])
@pytest.mark.parametrize("closing", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_output_is_no_traceback(ten: Path, name: str, closing: str) -> None:
    command, *rest = CALLS[name]
    script = f'"$@" {closing}'
    words = ["sh", "-c", script, "sh", *COMMAND, command, ten, *rest]
    assert subprocess.run(words, stdout=subprocess.DEVNULL, check=False).returncode == 0
    assert ten.read_bytes() == (TEN_LINES.replace(b"line 1\n", b"x\n") if name == "write" else TEN_LINES)


def test_a_file_is_created_where_it_can_be(tmp_path: Path, ten: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere" / "file")
    for place in ("missing/file", ".", "pipe", "ten.txt", "ten.txt/file", "dangling"):
        done = run("create", tmp_path / place, "--text", "x")
        assert is_refusal(done, 2), (place, done)
    assert ten.read_bytes() == TEN_LINES


@pytest.mark.slow
def test_a_reader_that_leaves_ends_the_command_silently(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"line\n" * 1_000_000)
    with subprocess.Popen([*COMMAND, "read", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stderr is not None
        child.stdout.read(5)
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 128 + signal.SIGPIPE


@pytest.mark.slow
def test_memory_that_a_limit_denies_is_told_in_words(ten: Path) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (64 << 20, 64 << 20))

    done = run_process("apply", ten, "-", stdin=bytes(100 << 20), preexec_fn=limited)
    assert is_refusal(done, 5)
    assert "memory" in done.err and ten.read_bytes() == TEN_LINES


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1"])
def test_a_time_that_never_ends_is_refused(ten: Path, seconds: str) -> None:
    before = ten.read_bytes()
    assert is_refusal(run("insert", ten, "--end", "--text", "x", "--lock-timeout", seconds), 2)
    assert ten.read_bytes() == before
