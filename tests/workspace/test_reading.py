"""``file_read``: every address, honest budgets, and next calls that work when they are made."""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insitu.workspace.workspace import Workspace
from tests.workspace.desks import Bench, followed


def body(text: str) -> list[str]:
    """What an excerpt shows: all but its header and footer."""
    lines = text.split("\n")
    return lines[1:-1] if lines[-1].startswith("[") else lines[1:]


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ({}, ["1\tone", "2\ttwo", "3\tthree"]),
        ({"lines": "2"}, ["2\ttwo"]),
        ({"lines": "2-9"}, ["2\ttwo", "3\tthree"]),
        ({"lines": "-2"}, ["1\tone", "2\ttwo"]),
        ({"tail": 2}, ["2\ttwo", "3\tthree"]),
        ({"tail": 99}, ["1\tone", "2\ttwo", "3\tthree"]),
        ({"around_line": 2, "context": 0}, ["2\ttwo"]),
        ({"around_text": "thr", "context": 1}, ["2\ttwo", "3\tthree"]),
        ({"around_text": "one\ntwo", "context": 0}, ["1\tone"]),
        ({"lines": "2", "prefix": "none"}, ["two"]),
        (
            {"lines": "3", "columns": "2-3"},
            ['3\thr [... 2 more characters: file_read path="f.txt" lines="3" columns="4-5"]'],
        ),
        ({"bytes": "0:3"}, ["one"]),
        ({"bytes": "0:3", "form": "hex"}, [f"00000000  {'6f 6e 65':<48} one"]),
        ({"bytes": "0:3", "form": "base64"}, ["b25l"]),
    ],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_addresses_of_lines_and_bytes(
    bench: Bench, arguments: dict[str, object], shown: list[str], ending: str
) -> None:
    bench.put("f.txt", f"one{ending}two{ending}three{ending}".encode())
    assert body(bench.done("file_read", path="f.txt", **arguments).text) == shown


def test_utf_16_is_shown_as_text(bench: Bench) -> None:
    bench.put("f.txt", "\ufeffone\r\ntwo \u20ac\r\n".encode("utf-16-le"))
    answer = bench.done("file_read", path="f.txt")
    assert body(answer.text) == ["1\tone", "2\ttwo \u20ac"]
    assert "utf-16-le, CRLF" in answer.text
    assert body(bench.done("file_read", path="f.txt", bytes="2:8").text) == ["one"]


def test_what_cannot_be_seen_is_spelled_out(bench: Bench) -> None:
    bench.put("f.txt", "a\u202eb\u200b\x1b[31mc\0 ".encode() + b"\xff\n")
    assert body(bench.done("file_read", path="f.txt").text) == ["1\ta\\u202eb\\u200b\\x1b[31mc\\x00 \\xff"]


def test_binary_is_shown_as_hexadecimal(bench: Bench) -> None:
    bench.put("f.bin", bytes(range(256)) * 100)
    answer = bench.done("file_read", path="f.bin", bytes="0:25600", max_chars=1_000)
    assert len("\n".join(body(answer.text))) <= 1_000
    assert "as hex" in answer.text


def test_rows_records_sections_and_values(bench: Bench) -> None:
    bench.put("t.csv", b'id,note\n1,"a\tb\nc"\n2,x\n')
    assert body(bench.done("file_read", path="t.csv", rows="1-").text) == [
        "row\tid\tnote",
        "1\t1\ta\\tb\\nc",
        "2\t2\tx",
    ]
    bench.put("r.jsonl", b'{"id": 1}\n{"id": 2, "n": [5]}\n')
    assert body(bench.done("file_read", path="r.jsonl", records="1-2", pointer="/n").text)[1] == "2\t[5]"
    bench.put("d.json", b'{"a": {"b": "x"}}')
    assert body(bench.done("file_read", path="d.json", pointer="/a/b").text) == ['"x"']
    bench.put("n.md", b"# A\n\n## B\nin b\n\n# C\n")
    assert body(bench.done("file_read", path="n.md", section="A/B").text)[:2] == ["3\t## B", "4\tin b"]


def all_of(bench: Bench, **arguments: object) -> list[str]:
    """The bodies of a read and of every call that its footers name."""
    bodies, call = [], ("file_read", arguments)
    while call is not None:
        answer = bench.done(call[0], **call[1])
        bodies.append("\n".join(body(answer.text)))
        call = followed(bench, answer)
        assert len(bodies) < 500
    return bodies


@pytest.mark.slow
def test_following_the_footers_reads_all_lines_once(bench: Bench) -> None:
    lines = [f"line {number} " + "x" * (number % 300) for number in range(1, 400)]
    bench.put("f.txt", "".join(f"{line}\n" for line in lines).encode())
    read = "\n".join(all_of(bench, path="f.txt", max_chars=700, prefix="none"))
    assert read.split("\n") == lines
    assert (
        "\n".join(all_of(bench, path="f.txt", lines="50-90", max_chars=300, prefix="none")).split("\n")
        == lines[49:90]
    )


@pytest.mark.slow
def test_following_the_footers_reads_all_rows_once(bench: Bench) -> None:
    rows = [f"{number},{'y' * (number * 7 % 500)}" for number in range(1, 200)]
    bench.put("t.csv", ("id,text\n" + "".join(f"{row}\n" for row in rows)).encode())
    found = [
        line.split("\t", 1)[1].replace("\t", ",").split(" [... cut")[0]
        for part in all_of(bench, path="t.csv", rows="20-180", max_chars=900)
        for line in part.split("\n")[1:]
    ]
    assert found == rows[19:180]


def test_a_row_wider_than_an_answer_does_not_stop_the_reading(bench: Bench) -> None:
    bench.put("t.csv", b"id,text\n1," + b"x" * 5_000 + b"\n2,short\n")
    first, second = all_of(bench, path="t.csv", rows="1-", max_chars=400)
    assert 'bytes="8:5011"' in first
    assert second.endswith("2\t2\tshort")


def test_records_go_on_with_their_pointer(bench: Bench) -> None:
    bench.put("r.jsonl", b"".join(b'{"v": "%d %s"}\n' % (n, b"z" * 90) for n in range(40)))
    found = "\n".join(all_of(bench, path="r.jsonl", records="3-30", pointer="/v", max_chars=500)).split("\n")
    assert [json.loads(line.split("\t")[1]).split()[0] for line in found] == [str(n) for n in range(2, 30)]


@pytest.mark.slow
@settings(max_examples=40)
@given(
    st.text(st.sampled_from("ab\u00e9\u20ac\U0001f600\n\r\0\u202e"), max_size=3_000),
    st.sampled_from(["utf-8", "utf-16-le"]),
    st.integers(200, 900),
)
def test_following_the_footers_of_bytes_reads_all_text_once(text: str, codec: str, most: int) -> None:
    data = ("\ufeff" + text).encode(codec)
    with tempfile.TemporaryDirectory() as folder, Workspace(folder) as workspace:
        if text.startswith("\0"):
            return  # a mark and a NUL in UTF-16 are the mark of UTF-32
        Path(folder, "f.txt").write_bytes(data)
        bench = Bench(Path(folder), workspace)
        read = "".join(all_of(bench, path="f.txt", bytes="0:", form="text", max_chars=most))
        escapes = {"\r": "\\x0d", "\0": "\\x00", "\u202e": "\\u202e", "\ufeff": "\\ufeff"}
        assert read == "".join(escapes.get(character, character) for character in "\ufeff" + text)


def test_a_tail_that_does_not_fit_shows_the_end_and_names_the_lines_before(bench: Bench) -> None:
    bench.put("f.txt", b"".join(b"line %d\n" % n for n in range(1, 1_001)))
    answer = bench.done("file_read", path="f.txt", tail=100, max_chars=200)
    assert body(answer.text)[-1] == "1000\tline 1000"
    assert len("\n".join(body(answer.text))) <= 200
    tool, arguments = followed(bench, answer) or ("", {})
    before = bench.done(tool, **arguments | {"max_chars": 5_000})
    assert body(before.text)[0] == "901\tline 901"
    first = body(answer.text)[0].split("\t")[0]
    assert body(before.text)[-1].split("\t")[0] == str(int(first) - 1)


def test_the_end_of_a_file_too_large_to_be_counted(bench: Bench) -> None:
    path = bench.put("f.log", b"first\n")
    with path.open("r+b") as file:
        file.truncate(200 << 20)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + b"".join(b"line %d\n" % n for n in range(1, 5_001)))
    answer = bench.done("file_read", path="f.log", tail=3)
    assert body(answer.text) == ["line 4998", "line 4999", "line 5000"]
    assert "last 3 lines of about " in answer.text
    answer = bench.done("file_read", path="f.log", tail=900, max_chars=300)
    tool, arguments = followed(bench, answer) or ("", {})
    before = "\n".join(body(bench.done(tool, **arguments | {"max_chars": 50_000}).text))
    found = [
        int(number) for number in re.findall(r"line (\d+)", before + "\n" + "\n".join(body(answer.text)))
    ]
    assert found == list(range(found[0], 5_001))
    assert not list((bench.root / ".insitu").rglob("*index*")) if (bench.root / ".insitu").exists() else True


def test_a_long_line_is_shown_by_windows(bench: Bench) -> None:
    line = "".join(f"{number:05d} " for number in range(20_000))
    bench.put("f.txt", f"short\n{line}\nend\n".encode())
    answer = bench.done("file_read", path="f.txt", lines="2")
    assert len(answer.text) < 2_500
    call = re.search(r"more characters: (file_read [^\]]*)\]", answer.text)
    assert call is not None
    start, stop = re.findall(r'bytes="(\d+):(\d+)"', call[1])[0]
    assert (int(start), int(stop)) == (6 + 2_000, 6 + len(line) + 1)
    windows, columns = [], "1-3000"
    while columns:
        shown = body(bench.done("file_read", path="f.txt", lines="2", columns=columns, prefix="none").text)[0]
        text, _, more = shown.partition(" [... ")
        windows.append(text)
        columns = (re.findall(r'columns="([\d-]+)"', more) or [""])[0]
    assert "".join(windows) == line


@pytest.mark.slow
def test_a_line_of_50_megabytes(bench: Bench) -> None:
    bench.put("f.txt", b"a\n" + b"0123456789" * 5_000_000 + b"\nb\n")
    assert len(bench.done("file_read", path="f.txt").text) < 2_600
    shown = bench.done("file_read", path="f.txt", lines="2", columns="40000001-40000010", prefix="none").text
    assert body(shown)[0].startswith("0123456789 [... ")
    assert "[byte 49,999,990" not in bench.done("file_search", path="f.txt", pattern="b").text
    bench.done("file_edit", path="f.txt", old_text="9\nb", new_text="9\nB")
    assert bench.bytes("f.txt") == b"a\n" + b"0123456789" * 5_000_000 + b"\nB\n"


def test_an_estimate_says_so(bench: Bench) -> None:
    bench.put("f.log", b"some line\n" * (7 << 20))
    assert re.search(
        r"lines 1-1 of about 7,\d{3},\d{3}", bench.done("file_read", path="f.log", lines="1").text
    )
    assert "(estimated)" in bench.done("file_info", path="f.log").text


def test_empty_files_and_ends(bench: Bench) -> None:
    bench.put("empty", b"")
    assert "empty (0 bytes" in bench.done("file_read", path="empty").text
    assert bench.done("file_read", path="empty", tail=5).text.endswith("[end of file]")
    bench.put("unended", b"x")
    assert bench.done("file_read", path="unended").text.endswith("[end of file, without a final line ending]")


def test_before_the_first_line_there_is_no_line_though_a_mark_stands_there(bench: Bench) -> None:
    bench.put("f.txt", b"\xef\xbb\xbfone\ntwo\n")
    shown = bench.done("file_read", path="f.txt", tail=9).text
    assert shown.endswith("1\tone\n2\ttwo\n[end of file]")
