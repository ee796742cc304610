"""Transforms by a function: over workers as in one process, with errors that name the item."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import insitu
from insitu import edits
from insitu.core.replacements import listed
from insitu.core.spans import Span
from insitu.errors import (
    CancelledError,
    FunctionError,
    LimitError,
    PatternError,
    RequestError,
    TextError,
)
from insitu.scan.windows import WINDOW_BYTES
from insitu.views import transform_dedupe
from insitu.views.streaming import Source
from insitu.views.text import Encoding
from insitu.views.transform_function import takes_context
from insitu.views.transform_lines import LineReader
from insitu.views.transform_work import Changes, Context, LineWork
from insitu.views.transforming import Transform
from tests.unit.views import transform_functions as functions

LINES = 100_000


@pytest.fixture(scope="module")
def many() -> bytes:
    return b"".join(b"id=%d status=ok number %d\n" % (i, i % 101) for i in range(LINES))


@pytest.fixture
def log(tmp_path: Path, many: bytes) -> Path:
    path = tmp_path / "log"
    path.write_bytes(many)
    return path


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(("function", "context"), [(functions.marked, 0), (functions.numbered, 2)])
def test_workers_make_what_one_process_makes(log: Path, many: bytes, function: Any, context: int) -> None:
    seen: list[tuple[int, int]] = []
    first = insitu.carry_out(log, Transform(function, context=context))
    alone = log.read_bytes()
    assert alone != many
    log.write_bytes(many)
    edit = Transform(function, context=context, workers=3)
    second = insitu.carry_out(log, edit, progress=lambda done, total: seen.append((done, total)))
    assert log.read_bytes() == alone
    assert first.splices == second.splices > 0
    assert (len(many), len(many)) in seen
    insitu.undo(log)
    assert log.read_bytes() == many


@pytest.mark.slow
def test_a_function_that_raises_is_named_with_its_line_and_traceback(log: Path, many: bytes) -> None:
    for workers in (1, 2):
        with pytest.raises(FunctionError, match=r"line 77,778 .*ValueError: no such id") as caught:
            insitu.carry_out(log, Transform(functions.failing, workers=workers))
        assert caught.value.facts["line"] == 77_778
        assert many[caught.value.facts["offset"] :].startswith(b"id=77777 ")
        assert "in failing" in caught.value.facts["traceback"]
        assert log.read_bytes() == many


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "how"), [(functions.dying, "SIGKILL"), (functions.leaving, "exit code 7")]
)
def test_a_worker_that_dies_says_how(log: Path, many: bytes, function: Any, how: str) -> None:
    with pytest.raises(FunctionError, match=how):
        insitu.carry_out(log, Transform(function, workers=2))
    assert log.read_bytes() == many


@pytest.mark.slow
def test_a_script_that_forgets_its_guard_is_told(tmp_path: Path, log: Path, many: bytes) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import insitu\n"
        "from insitu.views.transforming import Transform\n"
        "def f(line): return line + 'x'\n"
        f"insitu.carry_out({str(log)!r}, Transform(f, workers=2))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "__name__ == '__main__'" in done.stderr
    assert log.read_bytes() == many


def test_what_cannot_travel_is_refused(log: Path) -> None:
    with pytest.raises(RequestError, match="other processes"):
        insitu.carry_out(log, Transform(lambda line: line, workers=2))


def test_cancelling_leaves_the_file_old(log: Path, many: bytes) -> None:
    with pytest.raises(CancelledError):
        insitu.carry_out(log, Transform(functions.marked), cancel=lambda: True)
    assert log.read_bytes() == many


@pytest.mark.parametrize(
    ("data", "returned", "expected"),
    [
        (b"a\r\nb\r\n", "x", b"x\r\nx\r\n"),
        (b"a\r\nb\r\n", "x\n", b"x\r\nx\r\n"),
        (b"a\nb", "x", b"x\nx"),
        (b"a\r\nb", "x\n", b"x\r\nx\r\n"),
        (b"a\nb", None, b""),
        (b"a\nb", [], b""),
        (b"a\r\nb", ["x", "y"], b"x\r\ny\r\nx\r\ny"),
        (b"a\nb\n", "", b"\n\n"),
        (b"a\nb\n", "1\n2\n", b"1\n2\n1\n2\n"),
        (b"a\rb\r", "x", b"x\rx\r"),
        (b"\xef\xbb\xbfa\n", "x", b"\xef\xbb\xbfx\n"),
    ],
)
def test_what_is_returned_takes_the_ending_of_its_line(
    tmp_path: Path, data: bytes, returned: Any, expected: bytes
) -> None:
    path = write(tmp_path / "f", data)
    insitu.carry_out(path, Transform(lambda _: returned))
    assert path.read_bytes() == expected


def test_only_lf_ends_lines_whatever_python_thinks(tmp_path: Path) -> None:
    data = b"a\x0bb\x0cc\x1cd\x1de\x1ef\rg\n" + "h\x85i\u2028j\n".encode()
    seen: list[str] = []
    path = write(tmp_path / "f", data)
    assert insitu.carry_out(path, Transform(seen.append)).splices == 2, "append returns None: all is dropped"
    assert "".join(seen).encode() == data
    assert len(seen) == 2


def test_bytes_that_are_no_text_survive_in_lines_that_change(tmp_path: Path) -> None:
    path = write(tmp_path / "f", b"a\xff\nb\xfe\n")
    insitu.carry_out(path, Transform(lambda line: line.replace("a", "x")), encoding="utf-8")
    assert path.read_bytes() == b"x\xff\nb\xfe\n"
    insitu.carry_out(path, Transform(lambda line: line.replace(b"\xfe", b"\xfd"), as_bytes=True))
    assert path.read_bytes() == b"x\xff\nb\xfd\n"


def test_a_character_that_the_encoding_lacks_names_the_line(tmp_path: Path) -> None:
    path = write(tmp_path / "f", b"a\nb\n")
    edit = Transform(lambda line: line.replace("b", "\u20ac"))
    with pytest.raises(TextError, match=r"line 2 .*U\+20AC") as caught:
        insitu.carry_out(path, edit, encoding="latin-1")
    assert (caught.value.facts["line"], caught.value.facts["offset"]) == (2, 2)
    assert path.read_bytes() == b"a\nb\n"


@pytest.mark.parametrize("returned", [1, b"x", [1], ["a", None], object()])
def test_a_result_of_another_type_names_the_line(tmp_path: Path, returned: Any) -> None:
    path = write(tmp_path / "f", b"a\n")
    with pytest.raises(TextError, match=r"line 1 .* is asked for"):
        insitu.carry_out(path, Transform(lambda _: returned))
    assert path.read_bytes() == b"a\n"


def test_generators_insert_and_their_errors_name_the_line(tmp_path: Path) -> None:
    path = write(tmp_path / "f", b"a\nb\n")
    with pytest.raises(FunctionError, match=r"line 2 .*in a generator"):
        insitu.carry_out(path, Transform(functions.generating))
    assert path.read_bytes() == b"a\nb\n"


def test_generators_see_the_context_of_their_item(tmp_path: Path) -> None:
    def function(line: str, context: Context) -> Iterator[str]:
        yield f"{context.number}{context.before}{context.after}"

    path = write(tmp_path / "f", b"a\nb\nc")
    insitu.carry_out(path, Transform(function, context=1))
    assert path.read_text() == "1()('b\\n',)\n2('a\\n',)('c',)\n3('b\\n',)()"


def test_stop_iteration_is_an_error_and_no_end(tmp_path: Path) -> None:
    path = write(tmp_path / "f", b"a\nb\n")
    with pytest.raises(FunctionError, match=r"line 1 .*StopIteration"):
        insitu.carry_out(path, Transform(lambda _: next(iter(()))))


def test_a_line_that_is_too_long_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "f", b"a\n" + b"x" * (2 * WINDOW_BYTES))
    with pytest.raises(LimitError, match="offset 2 "):
        insitu.carry_out(path, Transform(functions.same, line_bytes_max=WINDOW_BYTES))


def test_an_odd_byte_of_utf16_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "f", "\ufeffab\n".encode("utf-16-le") + b"c")
    for edit in (Transform(functions.same), edits.Trim(), edits.Drop("a")):
        with pytest.raises(TextError, match="9 bytes, 1 more than whole utf-16-le units") as caught:
            insitu.carry_out(path, edit)
        assert caught.value.facts["offset"] == 8


def test_bytes_that_an_encoding_cannot_show_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "f", "\ufeffa\n".encode("utf-32-le") + b"\xff\xff\xff\xff")
    with pytest.raises(TextError, match="utf-32-le cannot show"):
        insitu.carry_out(path, Transform(functions.same))


def test_pending_edits_are_seen_and_the_result_is_pending(tmp_path: Path) -> None:
    path = write(tmp_path / "f", b"a\nb\n")
    with insitu.open(path) as doc:
        doc.insert(0, b"new\n")
        assert doc.make(Transform(lambda line: line.upper(), workers=2)) == 3
        assert doc[:] == b"NEW\nA\nB\n"
        doc.undo()
        assert doc[:] == b"new\na\nb\n"
    assert path.read_bytes() == b"new\na\nb\n"


def test_records_that_stay_equal_keep_their_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "f", b'{"n": 1 , "x":1.50}\r\n\r\n{"a" :  [1.0e2]}\r\n{"n":3}')
    assert insitu.carry_out(path, Transform(functions.doubled, by="records")).splices == 2
    assert path.read_bytes() == b'{"n":2,"x":1.5}\r\n\r\n{"a" :  [1.0e2]}\r\n{"n":6}'


def test_records_see_parsed_neighbours_and_bad_ones_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "f", b'{"n":1}\n{"n":2}\n{"n":4}\n')
    insitu.carry_out(path, Transform(functions.summed, by="records", context=1))
    assert path.read_bytes() == b'{"n":1,"near":2}\n{"n":2,"near":5}\n{"n":4,"near":2}\n'
    bad = write(tmp_path / "bad", b'{"n":1}\n{"n":\n')
    with pytest.raises(RequestError, match=r"record 2 \(offset 8\).* is no JSON"):
        insitu.carry_out(bad, Transform(functions.doubled, by="records"))


def test_chunks_that_change_write_only_what_differs(tmp_path: Path) -> None:
    path = write(tmp_path / "f", b"x" * 3000)
    edit = Transform(lambda chunk: chunk[:500] + b"yy" + chunk[502:], by="chunks", chunk_bytes=1000)
    with insitu.open(path) as doc:
        batches = list(edit.batches(Source(doc.base, doc.text, doc.path)))
    splices = [(*span, new) for batch in batches for span, new in listed(batch)]
    assert splices == [(500, 502, b"yy"), (1500, 1502, b"yy"), (2500, 2502, b"yy")]

    def broken(chunk: bytes, context: Context) -> bytes:
        return chunk if context.number < 2 else bytes((chunk[9999],))

    with pytest.raises(FunctionError, match=r"chunk 2 .*offset 1,000"):
        insitu.carry_out(path, Transform(broken, by="chunks", chunk_bytes=1000))
    with pytest.raises(TextError, match="chunk 1 "):
        insitu.carry_out(path, Transform(lambda _: "text", by="chunks"))


@pytest.mark.parametrize(
    "arguments",
    [
        {"function": "no_colon"},
        {"function": "no_such_module:f"},
        {"function": "tests.unit.views.transform_functions:absent"},
        {"function": "tests.unit.views.transform_functions:not_a_function"},
        {"function": "no/such/file.py:f"},
        {"function": 1},
        {"function": lambda: None},
        {"function": lambda a, b, c: None},
        {"function": lambda a, *, b: None},
        {"function": functions.same, "by": "words"},
        {"function": functions.same, "context": -1},
        {"function": functions.same, "context": 1},
        {"function": functions.same, "workers": 0},
    ],
)
def test_wrong_arguments_are_refused_before_a_file_is_touched(arguments: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        Transform(**arguments)


def test_a_function_that_must_have_two_arguments_gets_the_context() -> None:
    assert not takes_context(str.upper)
    assert not takes_context(lambda line, cache={}: line)
    assert not takes_context(lambda *items: items)
    assert takes_context(lambda line, context: line)
    assert takes_context(lambda line, context, extra=1: line)


def test_functions_of_files_are_loaded_with_their_neighbours(tmp_path: Path) -> None:
    (tmp_path / "neighbour_of_it.py").write_text("SUFFIX = '!'\n")
    (tmp_path / "it.py").write_text(
        "from neighbour_of_it import SUFFIX\ndef f(line): return line.rstrip() + SUFFIX\n"
    )
    path = write(tmp_path / "f", b"a\n")
    insitu.carry_out(path, Transform(f"{tmp_path}/it.py:f"))
    assert path.read_bytes() == b"a!\n"


def test_repeated_lines_are_found_over_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transform_dedupe, "_NOTES_HELD", 100)
    lines = [b"%d\n" % (i * i % 1013) for i in range(3000)]
    path = write(tmp_path / "f", b"".join(lines))
    receipt = insitu.carry_out(path, edits.Dedupe())
    assert path.read_bytes() == b"".join(dict.fromkeys(lines))
    assert receipt.splices == 3000 - len(set(lines))


def test_more_different_lines_than_memory_is_set_aside_for_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"".join(b"%d\n" % i for i in range(3000))
    path = write(tmp_path / "f", data)
    with monkeypatch.context() as patch:
        patch.setattr(transform_dedupe, "_DIFFERENT_MAX", 100)
        with pytest.raises(LimitError, match="different"):
            insitu.carry_out(path, edits.Dedupe())
    with monkeypatch.context() as patch:
        patch.setattr(transform_dedupe, "LINES_MAX", 100)
        with pytest.raises(LimitError, match="100 lines"):
            insitu.carry_out(path, edits.Dedupe())
    assert path.read_bytes() == data


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: edits.Drop("("), PatternError),
        (lambda: edits.Substitute("a", r"\1"), PatternError),
        (lambda: edits.Redact("a", ""), RequestError),
        (lambda: edits.Redact("a", "\n"), RequestError),
        (lambda: edits.LineEnds("cr"), RequestError),
    ],
)
def test_wrong_built_ins_are_refused_at_once(make: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        make()


def test_a_substitution_that_the_encoding_lacks_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "f", b"a\n")
    with pytest.raises(TextError):
        insitu.carry_out(path, edits.Substitute("a", "\u20ac"), encoding="latin-1")


def test_a_window_leaves_no_cycles_behind() -> None:
    # The collector of cycles hardly ever runs while strings are made: what waits for it adds up.
    data = b"".join(b"%d\n" % i for i in range(1000))

    class Bytes:
        size = len(data)

        def read(self, offset: int, size: int) -> bytes:
            return data[offset : offset + size]

        def read_into(self, offset: int, buffer: memoryview) -> None:
            buffer[:] = self.read(offset, len(buffer))

    lines = LineReader(Bytes(), Encoding("utf-8"), "file")
    work = LineWork(lines, functions.numbered, width=1, as_bytes=False)
    gc.collect()
    gc.disable()
    try:
        assert isinstance(changes := work(Span(0, len(data))), Changes)
        assert changes.starts
        assert gc.collect() == 0
    finally:
        gc.enable()
