"""Transforms against a slow oracle that holds the whole file and goes line by line."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.core.protocols import Reader
from insitu.core.replacements import listed
from insitu.edits import Dedupe, Drop, Keep, LineEnds, Number, Redact, Substitute, Trim
from insitu.errors import TextError
from insitu.formats.lines import CR, LF, assigned_lines, detect_newline, split_ending
from insitu.views import transform_ends, transform_lines
from insitu.views.streaming import MassEdit, Source
from insitu.views.text import Encoding
from insitu.views.transform_lines import LineReader
from insitu.views.transform_work import Context
from insitu.views.transforming import Transform
from tests.readers import BytesReader

TOKENS = ["a", "b", "ab", " ", "\t", "\n", "\n", "\r\n", "\r", "\n\n", "\xe9", "\u20ac", "\U0001f600", "1"]
CODECS = ["utf-8", "utf-8", "iso8859-1", "cp932", "gb18030", "utf-16-le", "utf-16-be", "utf-32-le"]


@st.composite
def contents(draw: st.DrawFn, *, valid: bool = False) -> tuple[bytes, Encoding]:
    """Text of every kind of codec, with and without a mark; unless ``valid``, some of it is no text."""
    encoding = Encoding(draw(st.sampled_from(CODECS)))
    text = "".join(draw(st.lists(st.sampled_from(TOKENS), max_size=40)))
    data = text.encode(encoding.name, "ignore")
    if encoding.name == "utf-8" and not valid:
        data = draw(st.sampled_from([data, data.replace(b"b", b"\xff"), data.replace(b"1", b"\xe2\x82")]))
    return draw(st.sampled_from([b"", encoding.mark])) + data, encoding


@pytest.fixture(params=[8, 12, 64, 1 << 20], scope="module")
def window_bytes(request: pytest.FixtureRequest) -> Iterator[int]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transform_lines, "WINDOW_BYTES", request.param)
        patch.setattr(transform_ends, "WINDOW_BYTES", request.param)
        patch.setattr(transform_lines, "_NEAR_BYTES", min(request.param, 4096))
        yield request.param


def applied(edit: MassEdit, data: bytes, encoding: Encoding) -> bytes:
    """What the edit makes of the data; its splices must be sorted, disjoint, and change something."""
    parts, at = [], 0
    reader: Reader = BytesReader(data)
    for batch in edit.batches(Source(reader, encoding, "file")):
        for span, new in listed(batch):
            assert at <= span.start <= span.stop <= len(data)
            assert data[span.start : span.stop] != new, "a splice that changes nothing"
            parts += [data[at : span.start], new]
            at = span.stop
    return b"".join((*parts, data[at:]))


def lines_of(data: bytes, encoding: Encoding) -> tuple[bytes, list[bytes], bytes]:
    """The mark, the lines as they are in the file, and what ends them: the slow way."""
    mark = encoding.mark if encoding.mark and data.startswith(encoding.mark) else b""
    body = data[len(mark) :]
    unit = encoding.unit
    units = [body[i : i + unit] for i in range(0, len(body), unit)]
    ends = {end.decode().encode(encoding.name): end for end in (CR, LF)}
    narrow = b"".join(ends.get(one, b".") for one in units)
    newline = detect_newline(narrow)
    end = newline.decode().encode(encoding.name)
    lines, held = [], b""
    for one in units:
        held += one
        if one == end:
            lines.append(held)
            held = b""
    return mark, lines + ([held] if held else []), newline


def by_lines(
    data: bytes, encoding: Encoding, change: Callable[[str, int, list[str]], list[str] | None]
) -> bytes:
    """The oracle: every line through ``change``; None leaves it as it is."""
    mark, lines, newline = lines_of(data, encoding)
    texts = [encoding.decode(line) for line in lines]
    out = [mark]
    for index, (line, text) in enumerate(zip(lines, texts, strict=True)):
        new = change(text, index, texts)
        if new is None:
            out.append(line)
            continue
        narrow = [one.encode("utf-8", "surrogatepass") for one in new]
        before = [texts[index - 1].encode("utf-8", "surrogatepass")] if index else []
        neighbour = next((e for b in before if (e := split_ending(b, newline)[1])), newline)
        made = b"".join(assigned_lines(narrow, [text.encode("utf-8", "surrogatepass")], neighbour, newline))
        out.append(encoding.encode(made.decode("utf-8", "surrogatepass")))
    return b"".join(out)


def body(text: str, newline: bytes = LF) -> str:
    """What a line says."""
    for ending in ("\r\n", "\n") if newline == LF else ("\r",):
        if text.endswith(ending):
            return text[: -len(ending)]
    return text


@given(contents())
def test_every_line_is_in_one_window(window_bytes: int, content: tuple[bytes, Encoding]) -> None:
    data, encoding = content
    reader = LineReader(BytesReader(data), encoding, "file")
    stretches = [reader.starting_in(span) for span in reader.windows()]
    assert data == data[: reader.origin] + b"".join(stretch.data for stretch in stretches)
    mark, lines, newline = lines_of(data, encoding)
    assert (len(mark), newline) == (reader.origin, reader.newline)
    assert [line for stretch in stretches for line in reader.split(stretch.data)] == lines
    assert [t for s in stretches for t in reader.texts(s.data, 0)] == [encoding.decode(one) for one in lines]
    at = reader.origin
    for stretch in stretches:
        if stretch.data:
            assert stretch.offset == at
            bounds = reader.bounds(stretch).tolist()
            assert [data[a:b] for a, b in itertools.pairwise(bounds)] == reader.split(stretch.data)
        at += len(stretch.data)


@given(contents(), st.booleans())
def test_returning_every_line_changes_nothing(
    window_bytes: int, content: tuple[bytes, Encoding], rebuilt: bool
) -> None:
    def same(line: str) -> str | list[str]:
        return [line[:1] + line[1:]] if rebuilt else line

    assert applied(Transform(same), *content) == content[0]


@given(contents(), st.integers(0, 3))
def test_lines_are_replaced_dropped_and_inserted_in_context(
    window_bytes: int, content: tuple[bytes, Encoding], width: int
) -> None:
    def decide(text: str, number: int, before: list[str], after: list[str]) -> str | list[str] | None:
        if "a" in text and "b" in "".join(before):
            return None
        if "1" in text:
            return [f"{number}", text, "x\n"]
        if "b" in "".join(after):
            return body(text) + "!"
        return text

    def function(line: str, context: Context) -> str | list[str] | None:
        assert len(context.before) <= width
        assert data[context.offset :].startswith(encoding.encode(line))
        return decide(line, context.number, list(context.before), list(context.after))

    def oracle(text: str, index: int, texts: list[str]) -> list[str] | None:
        before, after = texts[max(0, index - width) : index], texts[index + 1 : index + 1 + width]
        new = decide(text, index + 1, before, after)
        if new is None:
            return []
        return None if new == text else [new] if isinstance(new, str) else new

    data, encoding = content
    assert applied(Transform(function, context=width), data, encoding) == by_lines(data, encoding, oracle)


PATTERNS = ["a", "a+b?", r"\s+$", "^", "^$", r"^\s*$", "[^a]+", "b$", r"\bab\b", "x*", r"\Aa", r"a\z", "."]


@given(contents(valid=True), st.sampled_from(PATTERNS))
def test_lines_that_match_are_dropped_or_kept(
    window_bytes: int, content: tuple[bytes, Encoding], pattern: str
) -> None:
    newline = lines_of(*content)[2]
    found = re.compile(pattern.replace(r"\z", r"\Z"), re.ASCII)
    hit = by_lines(*content, lambda text, *_: [] if found.search(body(text, newline)) else None)
    missed = by_lines(*content, lambda text, *_: None if found.search(body(text, newline)) else [])
    assert applied(Drop(pattern), *content) == hit
    assert applied(Keep(pattern), *content) == missed


def test_bytes_that_are_no_text_match_nothing_and_stay() -> None:
    data, encoding = b"a\xff b\n\xff\n", Encoding("utf-8")
    assert applied(Substitute("[^a]", "-"), data, encoding) == b"a\xff--\n\xff\n"
    assert applied(Substitute(r"\A|b", "-"), data, encoding) == b"-a\xff -\n-\xff\n"
    assert applied(Drop("[^a]"), data, encoding) == b"\xff\n"
    assert applied(Redact("."), data, encoding) == b"*\xff**\n\xff\n"


def each(data: bytes, encoding: Encoding, change: Callable[[str], str]) -> bytes:
    """The oracle: what every line says through ``change``, its ending as it is."""
    mark, lines, newline = lines_of(data, encoding)
    out = [mark]
    for line in lines:
        text = encoding.decode(line)
        said = body(text, newline)
        made = change(said) + text[len(said) :]
        out.append(line if made == text else encoding.encode(made))
    return b"".join(out)


@given(
    contents(valid=True),
    st.sampled_from(["a", "ab|b", "(a)(b)?", "[ab]+", "^.", "1$", "^", "$", "x*"]),
    st.sampled_from(["x", r"<\0>", "", "\u20ac"]),
)
def test_matches_are_substituted_line_by_line(
    window_bytes: int, content: tuple[bytes, Encoding], pattern: str, new: str
) -> None:
    try:
        content[1].encode(new)
    except TextError:
        return
    python = new.replace(r"\0", r"\g<0>")
    expected = each(*content, lambda said: re.sub(pattern, python, said))
    assert applied(Substitute(pattern, new), *content) == expected


@given(contents(valid=True), st.sampled_from(["a", "[ab1]+", r"[^ab\s]+", "x*"]))
def test_redacting_keeps_every_size(window_bytes: int, content: tuple[bytes, Encoding], pattern: str) -> None:
    data, encoding = content
    unit = len("*".encode(encoding.name))
    expected = each(
        data,
        encoding,
        lambda said: re.sub(pattern, lambda m: "*" * (len(encoding.encode(m[0])) // unit), said),
    )
    made = applied(Redact(pattern), data, encoding)
    assert len(made) == len(data)
    assert made == expected


@given(contents())
def test_trailing_blanks_go(window_bytes: int, content: tuple[bytes, Encoding]) -> None:
    def trimmed(text: str, *_: object) -> list[str] | None:
        said = body(text, newline)
        return None if said == said.rstrip(" \t") else [said.rstrip(" \t") + text[len(said) :]]

    newline = lines_of(*content)[2]
    data, encoding = content
    mark, lines, _ = lines_of(data, encoding)
    out = [mark]
    for line in lines:
        new = trimmed(encoding.decode(line))
        out.append(line if new is None else encoding.encode(new[0]))
    assert applied(Trim(), data, encoding) == b"".join(out)


@given(contents(valid=True), st.sampled_from(["lf", "crlf"]))
def test_line_ends_become_of_one_kind(
    window_bytes: int, content: tuple[bytes, Encoding], to: transform_ends.Ending
) -> None:
    data, encoding = content
    mark, _, newline = lines_of(data, encoding)
    text = encoding.decode(data[len(mark) :])
    kinds = "\r\n|\n|\r" if newline == CR else "\r\n|\n"
    expected = mark + encoding.encode(re.sub(kinds, "\n" if to == "lf" else "\r\n", text))
    assert applied(LineEnds(to), data, encoding) == expected
    if "\r\r" not in text and newline == LF:
        assert applied(LineEnds(to), expected, encoding) == expected


@given(contents(), st.booleans())
def test_repeated_lines_go(window_bytes: int, content: tuple[bytes, Encoding], adjacent: bool) -> None:
    data, encoding = content
    mark, lines, newline = lines_of(data, encoding)
    seen: list[str] = []
    kept = [mark]
    for line in lines:
        text = encoding.decode(line).encode("utf-8", "surrogatepass")
        said = split_ending(text, newline)[0].decode("utf-8", "surrogatepass")
        if said not in (seen[-1:] if adjacent else seen):
            kept.append(line)
        seen.append(said)
    assert applied(Dedupe(adjacent), data, encoding) == b"".join(kept)


@given(contents(), st.integers(0, 12))
def test_lines_are_numbered(window_bytes: int, content: tuple[bytes, Encoding], start: int) -> None:
    data, encoding = content
    mark, lines, _ = lines_of(data, encoding)
    numbered = [f"{number}: ".encode(encoding.name) + line for number, line in enumerate(lines, start)]
    assert applied(Number(start, ": "), data, encoding) == mark + b"".join(numbered)


@given(st.binary(max_size=60), st.integers(1, 9), st.integers(0, 3))
def test_chunks_are_replaced(data: bytes, chunk_bytes: int, width: int) -> None:
    def function(chunk: bytes, context: Context) -> bytes | list[bytes] | None:
        assert data[context.offset :].startswith(chunk)
        low = max(0, context.offset - width * chunk_bytes)
        assert b"".join(context.before) == data[low : context.offset]
        if context.number % 3 == 0:
            return None
        return [chunk, b"+"] if context.number % 2 else chunk.upper()

    chunks = [data[low : low + chunk_bytes] for low in range(0, len(data), chunk_bytes)]
    expected = [
        b"" if number % 3 == 0 else chunk + b"+" if number % 2 else chunk.upper()
        for number, chunk in enumerate(chunks, 1)
    ]
    edit = Transform(function, by="chunks", context=width, chunk_bytes=chunk_bytes)
    assert applied(edit, data, Encoding("utf-8")) == b"".join(expected)
