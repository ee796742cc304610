"""Every editing command against plain bytes; conditions; dry runs; what is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import insitu
from insitu.cli import texts
from tests.cli.conftest import TEN_LINES
from tests.cli.running import folder_state, run

LINES = TEN_LINES.splitlines(keepends=True)


def lines(*wanted: int | bytes) -> bytes:
    """The named lines of the ten, and others as given."""
    return b"".join(LINES[item - 1] if isinstance(item, int) else item for item in wanted)


EDITS = {
    "replace once": (["replace", "line 7", "seven"], lines(1, 2, 3, 4, 5, 6, b"seven\n", 8, 9, 10)),
    "replace all": (["replace", "line", "L", "--all"], TEN_LINES.replace(b"line", b"L")),
    "replace some": (["replace", "line", "L", "--first", "2"], TEN_LINES.replace(b"line", b"L", 2)),
    "replace a known count": (
        ["replace", "line 1", "L", "--expect-count", "2"],
        TEN_LINES.replace(b"line 1", b"L"),
    ),
    "replace by pattern": (
        ["replace", r"line (\d)$", r"\1 enil", "--regex", "--all"],
        re.sub(rb"(?m)line (\d)$", rb"\1 enil", TEN_LINES),
    ),
    "replace bytes": (["replace", "0a6c", "0a00", "--hex", "--all"], TEN_LINES.replace(b"\nl", b"\n\0")),
    "write a line": (["write", "--lines", "2", "--text", "two"], lines(1, b"two\n", 3, 4, 5, 6, 7, 8, 9, 10)),
    "write one line for many": (["write", "--lines", "2-9", "--text", "x"], lines(1, b"x\n", 10)),
    "write many lines for one": (
        ["write", "--lines", "10", "--text", "x\ny"],
        lines(1, 2, 3, 4, 5, 6, 7, 8, 9, b"x\n", b"y\n"),
    ),
    "write an empty line": (["write", "--lines", "2-10", "--text", ""], lines(1, b"\n")),
    "write lines to the end": (["write", "--lines", "2-", "--text", "x"], lines(1, b"x\n")),
    "write the tail": (
        ["write", "--tail", "2", "--text", "end"],
        lines(1, 2, 3, 4, 5, 6, 7, 8, b"end\n"),
    ),
    "write lines exactly": (
        ["write", "--lines", "2-10", "--text", "x", "--exact"],
        lines(1, b"x"),
    ),
    "write bytes": (["write", "--bytes", "0:4", "--text", "LINE!"], b"LINE!" + TEN_LINES[4:]),
    "write bytes in hex": (["write", "--bytes=-1:", "--hex", "00 ff"], TEN_LINES[:-1] + b"\0\xff"),
    "write a match": (["write", "--match", "10", "--text", "ten"], TEN_LINES.replace(b"10", b"ten")),
    "insert before a line": (
        ["insert", "--before-line", "1", "--text", "zero"],
        lines(b"zero\n", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
    ),
    "insert after a line": (
        ["insert", "--after-line", "10", "--text", "eleven\ntwelve"],
        TEN_LINES + b"eleven\ntwelve\n",
    ),
    "insert at a byte": (["insert", "--at", "4", "--text", "XX"], b"lineXX" + TEN_LINES[4:]),
    "insert at the end": (["insert", "--end", "--text", "eleven"], TEN_LINES + b"eleven\n"),
    "insert at the end exactly": (["insert", "--end", "--text", "x", "--exact"], TEN_LINES + b"x"),
    "delete lines": (["delete", "--lines", "2-9"], lines(1, 10)),
    "delete bytes": (["delete", "--bytes", "0:7"], TEN_LINES[7:]),
    "delete the tail": (["delete", "--tail", "9"], lines(1)),
    "delete a match": (["delete", "--match", " 10"], TEN_LINES.replace(b" 10", b"")),
    "delete all": (["delete", "--bytes", ":"], b""),
}

TABLE = pytest.mark.parametrize("name", EDITS)


@TABLE
def test_edits_do_what_they_say_and_are_undone_and_redone(ten: Path, name: str) -> None:
    (command, *rest), expected = EDITS[name]
    done = run(command, ten, *rest)
    assert (done.code, done.out) == (0, b""), done.err
    assert ten.read_bytes() == expected
    assert re.fullmatch(rf"{ten}: .+, operation 1, [\d.]+ m?s \([a-z]+\)\n", done.err), done.err
    assert run("undo", ten).code == 0
    assert ten.read_bytes() == TEN_LINES
    assert run("redo", ten).code == 0
    assert ten.read_bytes() == expected


@TABLE
def test_a_dry_run_shows_diff_and_plan_and_changes_nothing(ten: Path, name: str) -> None:
    (command, *rest), _ = EDITS[name]
    before = folder_state(ten.parent)
    done = run(command, ten, *rest, "--dry-run")
    assert done.code == 0
    assert done.out.startswith(b"--- ")
    assert b"\nplan: " in done.out
    assert "nothing was changed" in done.err
    assert folder_state(ten.parent) == before


@TABLE
def test_json_tells_the_same_in_one_object(ten: Path, name: str) -> None:
    (command, *rest), expected = EDITS[name]
    dry = run(command, ten, *rest, "--dry-run", "--json")
    assert (dry.code, dry.err) == (0, "")
    assert (dry.json["schema_version"], dry.json["command"], dry.json["dry_run"]) == (1, command, True)
    assert dry.json["plan"]["planner"] in ("overwrite", "shift", "blocks", "rewrite")
    assert dry.json["diff"].startswith("--- ")
    done = run(command, ten, *rest, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json["schema_version"] == 1
    assert done.json["receipt"]["operation"] == 1
    assert done.json["receipt"]["size_after"] == len(expected)


@TABLE
def test_quiet_is_quiet(ten: Path, name: str) -> None:
    (command, *rest), expected = EDITS[name]
    assert run(command, ten, *rest, "--quiet")[:] == (0, b"", "")
    assert ten.read_bytes() == expected


@TABLE
def test_without_undo_nothing_is_left_beside_the_file(ten: Path, name: str) -> None:
    (command, *rest), expected = EDITS[name]
    assert run(command, ten, *rest, "--no-undo").code == 0
    assert folder_state(ten.parent) == {"ten.txt": expected}


@TABLE
def test_an_edit_of_another_generation_is_refused(ten: Path, name: str) -> None:
    (command, *rest), expected = EDITS[name]
    token = run("info", ten, "--json").json["generation"]
    for options in ([], ["--dry-run"]):
        done = run(command, ten, *rest, "--if-generation", "1-2-3-4", *options)
        assert done.code == 3
        assert token in done.err
        assert ten.read_bytes() == TEN_LINES
    assert run(command, ten, *rest, "--if-generation", token).code == 0
    assert ten.read_bytes() == expected


@pytest.mark.parametrize("options", [["--atomic"], ["--fast"], ["--planner", "rewrite"], ["--no-lock"]])
def test_policies_give_the_same_bytes(ten: Path, options: list[str]) -> None:
    assert run("write", ten, "--lines", 2, "--text", "two", *options).code == 0
    assert ten.read_bytes() == TEN_LINES.replace(b"line 2", b"two")


def test_text_comes_from_a_file_or_standard_input(ten: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"from a file\xff")
    assert run("write", ten, "--lines", 1, "--from", source).code == 0
    assert ten.read_bytes().startswith(b"from a file\xff\nline 2\n")
    assert run("insert", ten, "--end", "-", stdin=b"a\nb").code == 0
    assert ten.read_bytes().endswith(b"line 10\na\nb\n")


PASTES = {
    "at a byte": (["insert", "--at", "4"], TEN_LINES[:4] + b"pasted" + TEN_LINES[4:]),
    "over bytes": (["write", "--bytes", "0:4"], b"pasted" + TEN_LINES[4:]),
    "over lines, exactly": (["write", "--lines", "2-10", "--exact"], lines(1, b"pasted")),
    "over lines": (["write", "--lines", "2-10"], lines(1, b"pasted\n")),
    "at the end, exactly": (["insert", "--end", "--exact"], TEN_LINES + b"pasted"),
    "before a line, exactly": (["insert", "--before-line", "1", "--exact"], b"pasted" + TEN_LINES),
}


@pytest.mark.parametrize("name", PASTES)
def test_a_file_too_large_to_be_held_is_pasted_alike(
    ten: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (command, *rest), expected = PASTES[name]
    source = tmp_path / "source"
    source.write_bytes(b"pasted")
    monkeypatch.setattr(texts, "_HELD_BYTES_MAX", 3)
    assert run(command, ten, *rest, "--from", source, "--dry-run").code == 0
    assert ten.read_bytes() == TEN_LINES
    assert run(command, ten, *rest, "--from", source).code == 0
    assert ten.read_bytes() == expected
    source.write_bytes(b"something else")
    assert (run("undo", ten).code, ten.read_bytes()) == (0, TEN_LINES)
    assert (run("redo", ten).code, ten.read_bytes()) == (0, expected)


def test_a_file_is_pasted_into_itself(ten: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_HELD_BYTES_MAX", 3)
    assert run("insert", ten, "--at", 4, "--from", ten).code == 0
    assert ten.read_bytes() == TEN_LINES[:4] + TEN_LINES + TEN_LINES[4:]


@pytest.mark.parametrize(
    "text", [[], ["--text", "x", "--hex", "00"], ["--text", "x", "-"], ["--hex", "0"], ["--hex", "zz"]]
)
def test_the_text_is_to_be_given_once_and_well(ten: Path, text: list[str]) -> None:
    assert run("write", ten, "--lines", 1, *text).code == 2
    assert ten.read_bytes() == TEN_LINES


EXPECTATIONS = {
    "a line": (["write", "--lines", "2", "--text", "x"], "line 2", "line 3"),
    "lines": (["delete", "--lines", "2-3"], "line 2\nline 3", "line 2"),
    "bytes": (["delete", "--bytes", "0:4"], "line", "lin"),
    "a line to insert after": (["insert", "--after-line", "2", "--text", "x"], "line 2\n", "line 1"),
    "what follows an offset": (["insert", "--at", "0", "--text", "x"], "line 1\nl", "line 2"),
    "the end": (["insert", "--end", "--text", "x"], "line 10\n", "line 9\n"),
    "more than there is": (["insert", "--at", "70", "--text", "x"], "\n", "\n\n"),
}


@pytest.mark.parametrize("name", EXPECTATIONS)
def test_what_is_there_must_be_what_was_expected(ten: Path, name: str) -> None:
    (command, *rest), right, wrong = EXPECTATIONS[name]
    refused = run(command, ten, *rest, "--expect", wrong)
    assert refused.code == 3
    assert "nothing was changed" in refused.err
    assert ten.read_bytes() == TEN_LINES
    assert run(command, ten, *rest, "--expect", right).code == 0
    assert ten.read_bytes() != TEN_LINES


def test_a_failed_expectation_tells_what_is_there(ten: Path) -> None:
    done = run("write", ten, "--lines", 2, "--text", "x", "--expect", "two", "--json")
    assert done.json["error"]["facts"]["found"] == "line 2\n"


def test_lines_keep_the_endings_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "dos.txt"
    path.write_bytes(b"one\r\ntwo\r\nthree")
    assert run("write", path, "--lines", 1, "--text", "ONE", "--expect", "one").code == 0
    assert run("insert", path, "--after-line", 1, "--text", "x\ny").code == 0
    assert path.read_bytes() == b"ONE\r\nx\r\ny\r\ntwo\r\nthree"
    assert run("insert", path, "--end", "--text", "four").code == 0
    assert path.read_bytes() == b"ONE\r\nx\r\ny\r\ntwo\r\nthree\r\nfour\r\n"
    assert run("write", path, "--lines", 1, "--text", "1\n", "--exact").code == 0
    assert path.read_bytes().startswith(b"1\nx\r\n")


def test_bytes_that_are_no_text_survive_beside_an_edit(tmp_path: Path) -> None:
    path = tmp_path / "binary"
    path.write_bytes(b"a\0b\xff\n\0\xfe\nend\n")
    assert run("write", path, "--lines", 3, "--text", "END").code == 0
    assert path.read_bytes() == b"a\0b\xff\n\0\xfe\nEND\n"


def test_text_is_written_in_the_encoding_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    before = ("Der Verk\xe4ufer grub im schwarzen Laden f\xfcr M\xf6bel.\n" * 40).encode("latin-1")
    path.write_bytes(before)
    guessed = run("write", path, "--lines", 1, "--text", "\xe4\xf6\xfc")
    assert guessed.code == 2 and "--encoding" in guessed.err
    assert path.read_bytes() == before
    assert run("write", path, "--lines", 1, "--text", "\xe4\xf6\xfc", "--encoding", "latin-1").code == 0
    assert path.read_bytes() == b"\xe4\xf6\xfc\n" + before.split(b"\n", 1)[1]


def test_expressions_and_replacements_are_in_the_encoding_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    before = "caf\xe9 no\xebl\n".encode("latin-1")
    path.write_bytes(before)
    latin = ["--encoding", "latin-1"]
    assert run("find", path, "f\xe9", "--count", *latin).out == b"1\n"
    assert run("find", path, "f[\xe8-\xea]", "--regex", "--count", *latin).out == b"1\n"
    for condition in (False, True):
        token = ["--if-generation", run("info", path, "--json").json["generation"]] if condition else []
        assert run("replace", path, "no.l", "\xe0\xe9", "--regex", *latin, *token).code == 0
        assert path.read_bytes() == "caf\xe9 \xe0\xe9\n".encode("latin-1")
        assert run("undo", path).code == 0
        assert path.read_bytes() == before


def test_an_expression_over_utf_8_sees_characters(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("a\u20acb\n", encoding="utf-8")
    assert run("replace", path, "a.b", "\u4e2d", "--regex").code == 0
    assert path.read_text(encoding="utf-8") == "\u4e2d\n"
    assert run("replace", path, "\udce4", "x", "--regex").code == 0


def test_an_unknown_encoding_is_a_bad_request(ten: Path) -> None:
    done = run("write", ten, "--lines", 1, "--text", "x", "--encoding", "klingon")
    assert done.code == 2
    assert ten.read_bytes() == TEN_LINES


def test_text_that_the_encoding_lacks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    before = ("Der Verk\xe4ufer grub im schwarzen Laden f\xfcr M\xf6bel.\n" * 40).encode("latin-1")
    path.write_bytes(before)
    assert run("write", path, "--bytes", "0:3", "--text", "\u4e2d").code == 2
    assert path.read_bytes() == before


def test_replacing_without_a_count_needs_exactly_one(ten: Path) -> None:
    absent = run("replace", ten, "nothing", "x")
    assert absent.code == 1
    several = run("replace", ten, "line 1", "x")
    assert several.code == 3
    assert "line 1, byte 0\n" in several.err
    assert "line 10, byte 63\n" in several.err
    assert ten.read_bytes() == TEN_LINES


def test_candidates_are_named_under_a_condition_too(ten: Path) -> None:
    token = run("info", ten, "--json").json["generation"]
    several = run("replace", ten, "line 1", "x", "--if-generation", token)
    assert several.code == 3
    assert "line 10, byte 63\n" in several.err
    assert run("replace", ten, "nothing", "x", "--if-generation", token).code == 1
    assert ten.read_bytes() == TEN_LINES


def test_replacing_all_of_nothing_is_done_already(ten: Path) -> None:
    done = run("replace", ten, "nothing", "x", "--all")
    assert (done.code, done.err) == (0, f"{ten}: replaced 0 places\n")
    assert run("replace", ten, "nothing", "x", "--all", "--dry-run").code == 0
    assert ten.read_bytes() == TEN_LINES


def test_replacing_another_count_than_expected_is_refused(ten: Path) -> None:
    assert run("replace", ten, "line", "x", "--expect-count", 9).code == 3
    assert run("replace", ten, "nothing", "x", "--expect-count", 9).code == 1
    assert ten.read_bytes() == TEN_LINES


def test_applying_json_lines_is_one_operation(ten: Path, tmp_path: Path) -> None:
    edits = tmp_path / "edits.jsonl"
    edits.write_text('{"lines": [2, 2], "text": "two\\n"}\n{"match": "line 9", "text": "nine"}\n')
    dry = run("apply", ten, edits, "--dry-run")
    assert (dry.code, ten.read_bytes()) == (0, TEN_LINES)
    assert run("apply", ten, edits).code == 0
    assert ten.read_bytes() == TEN_LINES.replace(b"line 2", b"two").replace(b"line 9", b"nine")
    assert len(run("history", ten, "--json").json["operations"]) == 1


def test_applying_a_unified_diff_from_standard_input(ten: Path) -> None:
    patch = b"--- a\n+++ b\n@@ -1,3 +1,3 @@\n line 1\n-line 2\n+two\n line 3\n"
    assert run("apply", ten, "-", stdin=patch).code == 0
    assert ten.read_bytes() == TEN_LINES.replace(b"line 2", b"two")


@pytest.mark.parametrize(
    "edits", [b"nonsense", b'{"lines": [1, 1]', b'{"text": "x"}', b"@@ -1 +1 @@\n-other\n+x\n"]
)
def test_edits_that_make_no_sense_change_nothing(ten: Path, edits: bytes) -> None:
    done = run("apply", ten, "-", stdin=edits)
    assert done.code in (1, 2, 3)
    assert ten.read_bytes() == TEN_LINES


def test_creating_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "new"
    assert run("create", path, "--text", "x", "--dry-run").code == 0
    assert not path.exists()
    assert run("create", path, "--text", "x").code == 0
    assert path.read_bytes() == b"x"
    for options in ([], ["--dry-run"]):
        assert run("create", path, "--text", "y", *options).code == 2
        assert path.read_bytes() == b"x"


def test_a_new_file_has_the_permissions_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    assert run("create", tmp_path / "created", "--text", "x").code == 0
    with insitu.open(tmp_path / "opened", "x"):
        pass
    assert len({path.stat().st_mode for path in tmp_path.iterdir() if path.is_file()}) == 1


def test_an_empty_file_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert run("write", path, "--lines", 1, "--text", "x").code == 2
    assert run("write", path, "--bytes", "0:0", "--text", "a\n").code == 0
    assert run("delete", path, "--bytes", ":").code == 0
    assert run("insert", path, "--before-line", 1, "--text", "first").code == 0
    assert path.read_bytes() == b"first\n"


def test_undo_takes_a_named_operation_and_shows_it_first(ten: Path) -> None:
    assert run("write", ten, "--lines", 2, "--text", "two").code == 0
    assert run("write", ten, "--lines", 9, "--text", "nine").code == 0
    dry = run("undo", ten, 1, "--dry-run")
    assert b"-two\n+line 2\n" in dry.out and b"line 9" not in dry.out
    assert b"plan: overwrite" in dry.out
    assert ten.read_bytes() == TEN_LINES.replace(b"line 2", b"two").replace(b"line 9", b"nine")
    assert run("undo", ten, 1).code == 0
    assert ten.read_bytes() == TEN_LINES.replace(b"line 9", b"nine")


def test_the_dry_run_of_undo_is_refused_as_the_undo_is(ten: Path) -> None:
    assert run("write", ten, "--lines", 2, "--text", "two").code == 0
    assert run("write", ten, "--lines", 2, "--text", "three").code == 0
    before = ten.read_bytes()
    done, dry = run("undo", ten, 1), run("undo", ten, 1, "--dry-run")
    assert done.code == dry.code == 3 and done.err == dry.err
    assert ten.read_bytes() == before


def test_the_dry_runs_of_undo_and_redo_name_what_the_real_ones_take(ten: Path) -> None:
    for number in (1, 2, 3):
        assert run("write", ten, "--lines", number, "--text", "x").code == 0
    for verb in ("undo", "undo", "redo", "undo", "undo", "redo", "redo"):
        named = run(verb, ten, "--dry-run", "--json").json["operation"]
        assert run(verb, ten).code == 0
        assert run("history", ten, "--json").json["operations"][-1]["of"] == named
    assert run("redo", ten).code == 0
    assert run("redo", ten).code == 3
    assert run("redo", ten, "--dry-run").code == 3


def test_there_is_nothing_to_undo_in_a_file_never_edited(ten: Path) -> None:
    assert run("undo", ten).code == 3
    assert run("undo", ten, "--dry-run").code == 3
    assert run("undo", ten, 7).code == 3


@pytest.mark.parametrize("made", [0, 1])
def test_a_version_that_never_was_is_named_as_it_was_asked_for(ten: Path, made: int) -> None:
    for _ in range(made):
        run("insert", ten, "--end", "--text", "more")
    for asked in (("read", ten, "--at", 9), ("diff", ten, 0, 9), ("diff", ten, 9, 0)):
        done = run(*asked)
        assert done.code == 3
        assert "Operation 9 of " in done.err and f"The last one is {made}" in done.err


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.chdir(tmp_path)
    a, b = tmp_path / "a.log", tmp_path / "b.csv"
    for path in (a, b):
        path.write_bytes(b"one\ntwo\n")
    return a, b


TWO_FILES = b"""\
{"path": "a.log", "lines": "1", "text": "first\\n"}
{"path": "b.csv", "match": "two", "text": "2"}
"""


def test_applying_a_transaction_changes_all_the_files_that_its_edits_name(two: tuple[Path, Path]) -> None:
    a, b = two
    dry = run("apply", "--transaction", "-", "--dry-run", stdin=TWO_FILES)
    assert (dry.code, a.read_bytes(), b.read_bytes()) == (0, b"one\ntwo\n", b"one\ntwo\n")
    assert b"+first" in dry.out
    assert b"b.csv: plan: overwrite" in dry.out
    done = run("apply", "--transaction", "-", "--json", stdin=TWO_FILES)
    assert (done.code, a.read_bytes(), b.read_bytes()) == (0, b"first\ntwo\n", b"one\n2\n")
    assert [file["operation"] for file in done.json["files"]] == [1, 1]
    assert len(done.json["transaction"]) == 32


def test_applying_a_transaction_takes_a_diff_of_several_files(two: tuple[Path, Path]) -> None:
    a, b = two
    diff = b"".join(
        b"--- a/%s\n+++ b/%s\n@@ -1,2 +1,2 @@\n-one\n+1\n two\n" % (name, name)
        for name in (b"a.log", b"b.csv")
    )
    done = run("apply", "--transaction", "-", stdin=diff)
    assert (done.code, a.read_bytes(), b.read_bytes()) == (0, b"1\ntwo\n", b"1\ntwo\n")
    assert done.err.count("applied 1 edit, operation 1") == 2


def test_a_transaction_of_which_one_edit_does_not_fit_changes_nothing(two: tuple[Path, Path]) -> None:
    a, b = two
    done = run("apply", "--transaction", "-", stdin=TWO_FILES.replace(b'"two"', b'"three"'))
    assert (done.code, a.read_bytes(), b.read_bytes()) == (1, b"one\ntwo\n", b"one\ntwo\n")


def test_an_edit_that_does_not_fit_is_named_with_its_file_and_places(two: tuple[Path, Path]) -> None:
    _, second = two
    second.write_bytes(b"two two")
    done = run("apply", "--transaction", "-", stdin=TWO_FILES)
    assert done.code == 3
    assert f"Edit 1 of {second.resolve()}: " in done.err
    assert done.err.splitlines()[1:3] == ['  "bytes": "0:3"', '  "bytes": "4:7"']


@pytest.mark.parametrize(
    "arguments", [("--transaction", "a.log", "-"), ("a.log",), ("--transaction", "-", "--if-generation", "1")]
)
def test_a_transaction_names_its_files_in_its_edits_alone(
    two: tuple[Path, Path], arguments: tuple[str, ...]
) -> None:
    assert run("apply", *arguments, stdin=TWO_FILES).code == 2
    assert [path.read_bytes() for path in two] == [b"one\ntwo\n"] * 2


@pytest.mark.parametrize("path", ["a\\u0000b", "\\ud800"])
def test_a_path_that_no_file_can_have_is_refused(two: tuple[Path, Path], path: str) -> None:
    edits = TWO_FILES + b'{"path": "%s", "lines": "1", "text": "x"}\n' % path.encode()
    done = run("apply", "--transaction", "-", stdin=edits)
    assert done.code == 2 and "cannot hold a NUL or such characters" in done.err
    assert [file.read_bytes() for file in two] == [b"one\ntwo\n"] * 2
