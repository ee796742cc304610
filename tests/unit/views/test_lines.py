"""``doc.lines`` on its own: what a caller sees, what is refused, what is read."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.core.pieces import Copy, Fill
from insitu.core.sequence import Sequence
from insitu.core.spans import Span
from insitu.engine.index import LineIndex
from insitu.errors import RequestError, SpanError, TextError
from insitu.formats.lines import detect_newline
from insitu.scan.windows import WINDOW_BYTES
from insitu.views.content import Content
from insitu.views.lines import Lines
from insitu.views.text import Encoding
from tests.readers import BytesReader

OTHER = b"other\r\nfile\rwith\n\nlines\n" * 3


class Document:
    """Pending edits over bytes in memory: the sequence, content and index are the real ones."""

    def __init__(self, data: bytes, encoding: str = "utf-8", *, granule_bytes: int = 16) -> None:
        self.text = Encoding(encoding)
        self.cancel = None
        self.granule_bytes = granule_bytes
        self._start(data)
        self.lines = Lines(self)

    def _start(self, data: bytes) -> None:
        self.base = BytesReader(data)
        self.sequence = Sequence(len(data))
        self._content = Content(self.base, self.sequence, self.open_source)
        self.index: LineIndex | None = None
        self.edits = 0

    def commit(self) -> None:
        self._start(self.content)

    @property
    def content(self) -> bytes:
        return self._content.read(0, self.size)

    @property
    def size(self) -> int:
        return self.sequence.size

    def line_index(self) -> LineIndex:
        if self.index is None:
            newline = detect_newline(self.base.data)
            self.index = LineIndex.build(self.base, newline, granule_bytes=self.granule_bytes)
            self.base.read_bytes = 0
        return self.index

    def open_source(self, path: str) -> BytesReader:
        assert path == "other"
        return BytesReader(OTHER)

    def read(self, offset: int, size: int) -> bytes:
        return self._content.read(offset, size)

    def replace_span(self, span: Span, data: bytes) -> None:
        self.edits += 1
        self.sequence.replace(span, data)

    def replace_spans(self, edits: Iterable[tuple[Span, bytes]]) -> None:
        self.edits += 1
        self.sequence.replace_many(edits)


def decoded(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def test_lines_come_with_their_endings() -> None:
    lines = Document(b"a\nb\r\n\n\xff\0\rc").lines
    assert list(lines) == ["a\n", "b\r\n", "\n", "\udcff\0\rc"]
    assert (lines[0], lines[-1], lines[1:3], lines[::-2]) == (
        "a\n",
        "\udcff\0\rc",
        ["b\r\n", "\n"],
        ["\udcff\0\rc", "b\r\n"],
    )
    assert [lines.ending_of(k) for k in range(4)] == [b"\n", b"\r\n", b"\n", b""]
    assert len(lines) == 4


def test_an_empty_file_has_no_lines_and_takes_some() -> None:
    document = Document(b"")
    assert (len(document.lines), list(document.lines), document.lines[:]) == (0, [], [])
    document.lines.append("a")
    assert document.content == b"a\n"


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("x", b"a\r\nx\r\nc"),
        ("x\n", b"a\r\nx\r\nc"),
        ("x\r\n", b"a\r\nx\r\nc"),
        ("", b"a\r\n\r\nc"),
        ("x\ny", b"a\r\nx\ny\r\nc"),
    ],
)
def test_an_assigned_line_takes_the_ending_of_the_line_it_replaces(text: str, content: bytes) -> None:
    document = Document(b"a\r\nb\r\nc")
    document.lines[1] = text
    assert document.content == content


@pytest.mark.parametrize(
    ("text", "content"), [("x", b"a\r\nx"), ("x\n", b"a\r\nx\r\n"), ("x\r\n", b"a\r\nx\r\n")]
)
def test_an_unterminated_last_line_stays_so_unless_the_text_is_ended(text: str, content: bytes) -> None:
    document = Document(b"a\r\nb")
    document.lines[-1] = text
    assert document.content == content


def test_slices_shrink_grow_and_insert() -> None:
    document = Document(b"a\nb\r\nc\nd")
    document.lines[0:2] = ["one"]
    assert document.content == b"one\nc\nd"
    document.lines[1:3] = ["two", "three", "four"]
    assert document.content == b"one\ntwo\nthree\nfour"
    document.lines[1:1] = ["x", "y"]
    assert document.content == b"one\nx\ny\ntwo\nthree\nfour"
    document.lines[99:] = ["end"]
    assert document.content == b"one\nx\ny\ntwo\nthree\nfour\nend\n"
    document.lines[2:] = []
    assert document.content == b"one\nx\n"
    document.lines.clear()
    assert document.content == b""


def test_an_insertion_ends_an_unterminated_last_line_first() -> None:
    document = Document(b"a\r\nb")
    document.lines.insert(2, "c\nd")
    assert document.content == b"a\r\nb\r\nc\r\nd\r\n"


def test_the_first_line_inserted_takes_the_ending_of_the_line_behind() -> None:
    document = Document(b"a\r\nb\n")
    document.lines.insert(0, "x")
    assert document.content == b"x\r\na\r\nb\n"


def test_insert_clamps_as_lists_do() -> None:
    document = Document(b"a\nb\n")
    document.lines.insert(99, "z")
    document.lines.insert(-99, "0")
    document.lines.insert(-1, "y")
    assert document.content == b"0\na\nb\ny\nz\n"


def test_what_every_mutable_sequence_does_works() -> None:
    document = Document(b"a\nb\nc\n")
    assert document.lines.pop() == "c\n"
    document.lines += ["d", "e\n"]
    document.lines.remove("a\n")
    document.lines.reverse()
    assert "d\n" in document.lines
    assert document.lines.index("d\n") == 1
    assert document.content == b"e\nd\nb\n"


def test_extending_by_itself_doubles_the_lines() -> None:
    document = Document(b"a\nb\n")
    document.lines.extend(document.lines)
    assert document.content == b"a\nb\na\nb\n"


def test_lone_carriage_returns_end_lines_where_nothing_else_does() -> None:
    document = Document(b"a\rb\rc")
    assert (document.lines.newline, list(document.lines)) == (b"\r", ["a\r", "b\r", "c"])
    document.lines[0] = "x\n"
    document.lines.append("y\nz")
    assert document.content == b"x\rb\rc\ry\rz\r"


def test_carriage_returns_end_lines_on_demand() -> None:
    document = Document(b"a\rb\nc\r" * 50)
    lines = Lines(document, b"\r")
    assert (len(lines), lines[1], lines[99]) == (100, "b\nc\r", "b\nc\r")
    assert len(document.lines) == 51
    with pytest.raises(RequestError):
        Lines(document, b"x")


@pytest.mark.parametrize("key", [3, -4, 10**12])
def test_a_line_that_does_not_exist_is_an_index_error_with_the_count(key: int) -> None:
    document = Document(b"a\nb\nc\n")
    for call in (
        lambda: document.lines[key],
        lambda: document.lines.__setitem__(key, "x"),
        lambda: document.lines.__delitem__(key),
        lambda: document.lines.span_of(key),
        lambda: document.lines.ending_of(key),
    ):
        with pytest.raises(IndexError, match=rf"^There is no line {key}; the file has 3 lines\.$") as caught:
            call()
        assert isinstance(caught.value, SpanError)
        assert caught.value.facts["line_count"] == 3
    assert document.edits == 0


@pytest.mark.parametrize(("first", "stop"), [(2, 1), (-1, 2), (0, 4), (4, 4)])
def test_spans_of_lines_that_do_not_fit_are_refused(first: int, stop: int) -> None:
    with pytest.raises(SpanError):
        Document(b"a\nb\nc").lines.span_of(first, stop)


def test_spans_and_numbers_are_those_of_the_current_content() -> None:
    document = Document(b"aa\nb\r\nc")
    lines = document.lines
    assert [lines.span_of(k) for k in (0, 1, -1)] == [(0, 3), (3, 6), (6, 7)]
    assert [lines.span_of(*key) for key in ((0, 2), (1, 3), (2, 2), (3, 3))] == [
        (0, 6),
        (3, 7),
        (6, 6),
        (7, 7),
    ]
    document.replace_span(Span(0, 0), b"new\n")
    assert [lines.number_at(offset) for offset in (0, 3, 4, 9, 10)] == [0, 0, 1, 2, 3]
    for offset in (-1, 11):
        with pytest.raises(SpanError):
            lines.number_at(offset)


def test_a_slice_with_a_step_is_read_and_deleted_but_not_assigned() -> None:
    document = Document(b"".join(b"%d\n" % k for k in range(10)))
    assert document.lines[8:2:-3] == ["8\n", "5\n"]
    with pytest.raises(RequestError, match="step 2"):
        document.lines[::2] = ["x"] * 5
    assert document.edits == 0
    del document.lines[::-3]
    assert document.content == b"1\n2\n4\n5\n7\n8\n"
    assert document.edits == 1


def test_one_text_is_no_list_of_lines() -> None:
    document = Document(b"a\n")
    for call in (
        lambda: document.lines.__setitem__(slice(0, 1), "abc"),
        lambda: document.lines.extend("abc"),
    ):
        with pytest.raises(RequestError, match="list"):
            call()
    assert document.content == b"a\n"


def test_bytes_are_no_text() -> None:
    document = Document(b"a\n")
    with pytest.raises(TextError, match="bytes"):
        document.lines[0] = b"x"


def test_a_character_that_the_encoding_lacks_is_named_and_nothing_changes() -> None:
    document = Document(b"a\nb\n", "latin-1")
    document.lines[0] = "caf\u00e9"
    with pytest.raises(TextError, match=r"U\+20AC") as caught:
        document.lines[:] = ["x", "10 \u20ac"]
    assert caught.value.facts["character"] == "\u20ac"
    assert document.content == b"caf\xe9\nb\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "cp037", "no-such", "rot13"])
def test_encodings_whose_line_ends_are_unknown_are_refused(encoding: str) -> None:
    with pytest.raises(TextError):
        Document(b"", encoding)


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-32-le"])
def test_a_byte_order_mark_belongs_to_no_line(codec: str) -> None:
    codec_of_text = codec.removesuffix("-sig")

    def encoded(text: str) -> bytes:
        return text.encode(codec_of_text)

    mark = encoded("\ufeff")
    document = Document(encoded("\ufeffa\nb\n"), codec)
    lines = document.lines
    assert list(lines) == lines[:] == ["a\n", "b\n"]
    assert lines.span_of(0) == lines.span_of(0, 1) == (len(mark), len(encoded("\ufeffa\n")))
    assert lines.span_of(0, 0).start == len(mark)
    assert lines.number_at(0) == lines.number_at(len(mark)) == 0
    lines[0] = "x"
    assert document.content == encoded("\ufeffx\nb\n")
    lines.insert(0, "zero")
    assert document.content == encoded("\ufeffzero\nx\nb\n")
    del lines[0]
    assert document.content == encoded("\ufeffx\nb\n")
    lines[:] = ["y"]
    assert document.content == encoded("\ufeffy\n")
    lines.clear()
    assert (document.content, len(lines), lines[:]) == (mark, 0, [])
    lines.append("z")
    assert document.content == encoded("\ufeffz\n")


@given(
    st.lists(st.sampled_from([b"a", b"\n", b"\r", b"\0", b"\x81\x5b", b"\x87\x90", b"\xfa\x54", b"\x1b$B"])),
    st.sampled_from(["utf-8", "latin-1", "ascii", "cp932", "shift_jis", "gb18030", "big5"]),
)
def test_assigning_what_is_there_is_no_edit(tokens: list[bytes], encoding: str) -> None:
    document = Document(b"".join(tokens), encoding)
    for k, line in enumerate(document.lines):
        document.lines[k] = line
    document.lines[:] = document.lines[:]
    assert document.edits == 0


def test_a_line_that_cannot_be_shown_can_be_replaced() -> None:
    document = Document(b"a\n\x1b$B!\nc\n", "iso2022_jp")
    with pytest.raises(TextError):
        document.lines[1]
    document.lines[1] = "b"
    assert document.content == b"a\nb\nc\n"


def test_edits_while_iterating_follow_line_numbers() -> None:
    document = Document(b"".join(b"line %d\n" % k for k in range(5000)), granule_bytes=4096)
    for k, line in enumerate(document.lines):
        document.lines[k] = line.replace("line", "a much longer line")
    assert document.content == b"".join(b"a much longer line %d\n" % k for k in range(5000))


def test_lines_survive_a_commit_of_their_document() -> None:
    document = Document(b"a\nb\n")
    lines = document.lines
    lines.append("c")
    document.commit()
    lines[0] = "x\ny"
    assert list(lines) == ["x\n", "y\n", "b\n", "c\n"]
    assert len(lines) == 4


def test_the_first_lines_and_appending_need_no_index() -> None:
    document = Document(b"a line\n" * 100_000)
    assert document.lines[0] == next(iter(document.lines)) == "a line\n"
    document.lines.append("last")
    document.lines.extend(["x", "y"])
    assert document.lines[:0] == []
    assert document.index is None


def test_reading_without_pending_edits_needs_no_index() -> None:
    document = Document(b"a line\n" * 100_000)
    assert sum(1 for _line in document.lines) == 100_000
    assert document.index is None


def test_a_line_is_found_by_reading_a_granule() -> None:
    document = Document(b"a line\n" * 200_000, granule_bytes=4096)
    document.line_index()
    assert document.lines.newline == b"\n"  # reads the first window, once
    document.base.read_bytes = 0
    assert document.lines[150_000] == "a line\n"
    assert document.base.read_bytes <= 3 * 4096


def test_counting_after_an_edit_counts_only_what_it_cut() -> None:
    document = Document(b"a line\n" * 1_000_000, granule_bytes=1 << 18)
    draw = random.Random(1)
    for _ in range(200):
        document.replace_span(Span(at := draw.randrange(document.size), at), b"x\ny")
    assert len(document.lines) == 1_000_200
    document.base.read_bytes = 0
    document.replace_span(Span(500_000, 500_001), b"\n\n")
    expected = document.content.count(b"\n")
    document.base.read_bytes = 0
    assert len(document.lines) == expected
    assert document.base.read_bytes < 4 << 18


def test_a_long_line_is_replaced_without_being_held(monkeypatch: pytest.MonkeyPatch) -> None:
    document = Document(b"first\r\n" + b"x" * (40 * WINDOW_BYTES) + b"\r\nlast")
    largest = 0
    read = document.read

    def watched(offset: int, size: int) -> bytes:
        nonlocal largest
        largest = max(largest, size)
        return read(offset, size)

    monkeypatch.setattr(document, "read", watched)
    document.lines[1] = "short"
    assert document.content == b"first\r\nshort\r\nlast"
    assert largest <= WINDOW_BYTES


@pytest.mark.parametrize("size", range(30, 50))
def test_a_long_line_is_replaced_by_what_it_ends_with(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("insitu.views.lines.FIRST_WINDOW_BYTES", 4)
    monkeypatch.setattr("insitu.views.lines.WINDOW_BYTES", 4)
    for text in ("", "x", "xx", "xxx"):
        for ending in (b"\r\n", b"\n", b""):
            document = Document(b"a\n" + b"x" * size + ending)
            document.lines[1] = text
            assert document.content == b"a\n" + text.encode() + (ending if text or ending else b"\n")


def test_a_long_line_comes_whole_and_is_not_edited_by_itself() -> None:
    data = b"x" * (3 * WINDOW_BYTES) + b"\xff"
    document = Document(b"a\n" + data + b"\nb")
    assert document.lines[1] == decoded(data + b"\n")
    assert [len(line) for line in document.lines] == [2, len(data) + 1, 1]
    document.lines[0:2] = document.lines[0:2]
    assert document.edits == 0
    document.lines[1] += "tail"  # behind the ending, which therefore is text
    assert document.content == b"a\n" + data + b"\ntail\nb"


def test_pasted_pieces_have_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("insitu.views.line_ends.SHORT_BYTES", 8)
    base = b"one\ntwo\nthree\n" * 4
    document = Document(base)
    sequence = document.sequence
    sequence.replace_pieces(Span(4, 4), [Fill(10, 3), Copy(None, Span(2, 40)), Copy("other", Span(3, 60))])
    model = base[:4] + b"\n\n\n" + base[2:40] + OTHER[3:60] + base[4:]
    assert list(document.lines) == [decoded(line + b"\n") for line in model.split(b"\n")[:-1]]
    assert len(document.lines) == model.count(b"\n")
    sequence.replace(Span(70, 80), b"")
    model = model[:70] + model[80:]
    assert [document.lines[k] for k in range(len(document.lines))] == [
        decoded(line + b"\n") for line in model.split(b"\n")[:-1]
    ]


def test_a_small_document_does_without_numpy() -> None:
    program = (
        "import sys; sys.path.insert(0, '.');"
        "from tests.unit.views.test_lines import Document\n"
        "d = Document(b'a\\nb\\n' * 1000); d.lines[7] = 'x'; assert len(d.lines) == 2000\n"
        "print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
