"""Laws of search: whatever the windows, the answer is the one over the whole buffer."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import re2
from hypothesis import HealthCheck, assume, event, example, given, settings
from hypothesis import strategies as st

from insitu.scan import prefilter, regex, search
from insitu.scan.accelerator import accelerator
from insitu.scan.patterns import Pattern
from insitu.scan.required import Required, required
from insitu.scan.syntax import tokens
from tests.readers import BytesReader

windows = st.integers(1, 24)
small = st.lists(st.sampled_from(b"aabb\nc\r\x00 "), max_size=160).map(bytes)
runs = st.lists(
    st.tuples(st.sampled_from([b"a", b"b", b"ab", b"\n", b"aab"]), st.integers(1, 20)), max_size=12
).map(lambda parts: b"".join(unit * times for unit, times in parts))
texts = small | runs


def all_ways(
    data: bytes, pattern: Pattern, window_bytes: int, start: int, stop: int
) -> list[tuple[int, int]]:
    """The matches by ``finditer``, checked to be those of ``count``, ``locate`` and ``find``."""
    reader = BytesReader(data)
    found = [tuple(span) for span in search.finditer(reader, pattern, start, stop, window_bytes=window_bytes)]
    batches = list(search.locate(reader, pattern, start, stop, window_bytes=window_bytes))
    located = [
        pair for batch in batches for pair in zip(batch.starts.tolist(), batch.stops.tolist(), strict=True)
    ]
    assert located == found
    assert all(len(batch) for batch in batches)
    assert search.count(reader, pattern, start, stop, window_bytes=window_bytes) == len(found)
    assert search.find(reader, pattern, start, stop) == (found[0] if found else None)
    return found


def span_of(data: bytes, draw: st.DataObject) -> tuple[int, int]:
    start = draw.draw(st.just(0) | st.integers(0, len(data)))
    return start, draw.draw(st.just(len(data)) | st.integers(start, len(data)))


def successive(data: bytes, needle: bytes, start: int, stop: int) -> Iterator[tuple[int, int]]:
    while (start := data.find(needle, start, stop)) >= 0:
        yield start, start + len(needle)
        start += len(needle)


@given(texts, st.lists(st.sampled_from(b"ab\n"), min_size=1, max_size=6).map(bytes), windows, st.data())
def test_literal_matches_are_those_of_successive_finds(
    data: bytes, needle: bytes, window_bytes: int, draw: st.DataObject
) -> None:
    start, stop = span_of(data, draw)
    pattern = search.compile_literal(needle)
    assert all_ways(data, pattern, window_bytes, start, stop) == list(successive(data, needle, start, stop))
    last = search.rfind(BytesReader(data), pattern, start, stop, window_bytes=window_bytes)
    assert (last.start if last else -1) == data.rfind(needle, start, stop)


@given(st.integers(0, 5000), st.integers(1, 7), st.sampled_from([b"", b"b"]), st.sampled_from([700, 4096]))
def test_dense_literals_are_those_of_successive_finds(
    count: int, size: int, tail: bytes, window_bytes: int
) -> None:
    data = b"a" * count + b"b" + b"ab" * count
    needle = b"a" * size + tail
    pattern = search.compile_literal(needle)
    assert all_ways(data, pattern, window_bytes, 0, len(data)) == list(successive(data, needle, 0, len(data)))


# Patterns on which RE2 and Python's re agree over ASCII text, whatever the bytes.
AGREED = [
    "a", "ab", "aa", "a+", "a+b", "ab?", "a*", "(?:ab)*", "a+?b", "a.*b", "a.*?b", "[ab]+", "[^a]+",
    "[^b]", "^", "$", "^a", "a$", "^$", r"\b", r"\B", r"\ba", r"a\b", r"\Ba", r"\n+", r"\n\n", "a\nb",
    "^a*$", "a|ab", "ab|a", "aab|ab|b", "(a)(b)?", "(?:a|b)+c", "(?s:a.*b)", "(?s:a.*?b)",
    "(?s:a.{3}b)", "a{2,3}", "a{2,3}?b", "(?i:A+)", r"[\[]|a", "[]a]", r"[\]a]+", r"\x61b", r"\141",
    r"\r?\n", r"\r?$", r"c\x00?", r"\Aa", "a(?:.*b)?", "(?:a|ab)(?:c|bb)", "(?s:b.*)?a", " *$",
    "a(?:b(?:a(?:b)?)?)?", r"[\s\S]", r"(?s:.)a", "x*",
]  # fmt: skip


@settings(max_examples=400)
@given(st.sampled_from(AGREED), texts, windows, st.booleans())
def test_regex_matches_are_those_of_python(
    source: str, data: bytes, window_bytes: int, as_bytes: bool
) -> None:
    pattern = search.compile_regex(source.encode() if as_bytes else source)
    assume(data or source != r"\B")  # Python before 3.14 denies that the empty text has no word boundary
    expected = [found.span() for found in re.finditer(source.encode(), data, re.MULTILINE)]
    assert all_ways(data, pattern, window_bytes, 0, len(data)) == expected


@settings(max_examples=200)
@given(
    st.sampled_from([*AGREED, "(?<=a)b", "(?<!a)b", "(a|b)\\1", "a*?", "a(?=b)", "(?!b)."]), texts, windows
)
def test_python_engine_matches_are_those_of_python(source: str, data: bytes, window_bytes: int) -> None:
    pattern = search.compile_regex(source, engine="re")
    expected = [found.span() for found in re.finditer(source.encode(), data, re.MULTILINE)]
    assert all_ways(data, pattern, window_bytes, 0, len(data)) == expected


def whole_re2(source: str | bytes, data: bytes, start: int, stop: int) -> list[tuple[int, int]]:
    """The matches as RE2 finds them in the whole buffer, one step on after an empty one."""
    options = re2.Options()
    options.log_errors = False
    if isinstance(source, bytes):
        options.encoding = options.Encoding.LATIN1
    engine = re2.compile("(?m)" + source if isinstance(source, str) else b"(?m)" + source, options)
    found = []
    while start <= stop and (match := engine.search(data, start, stop)):
        inside = isinstance(source, str) and data[match.start() : match.start() + 1] >= b"\x80"
        inside = inside and data[match.start()] < 0xC0
        if match.end() > match.start() or not inside:
            found.append(match.span())
        start = max(match.end(), match.start() + (match.end() == match.start()))
    return found


atoms = st.sampled_from(
    ["a", "b", "c", "é", "€", ".", "[ab]", "[^a]", "[^é]", r"\s", r"\W", r"\w", "\\n", "^", "$", r"\b", r"\B",
     r"\A", r"\z", r"\Qab\E", r"\x{e9}", r"\pL", "[[:alpha:]]", r"\C"]
)  # fmt: skip
repeats = st.sampled_from(["*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,2}?", "{2,}"])
regexes = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(
            inner, repeats, st.sampled_from(["(?:", "(", "(?s:", "(?i:", "(?U:", "(?P<name>", "(?-m:"])
        ).map(lambda parts: f"{parts[2]}{parts[0]}){parts[1]}"),
    ),
    max_leaves=8,
)
multibyte = st.lists(
    st.sampled_from(
        [b"a", b"b", b"\n", " é".encode(), "é".encode(), "€".encode(), b"\xc3", b"\xa9", b"\xff", b"c"]
    ),
    max_size=60,
).map(b"".join)


character_runs = st.lists(
    st.tuples(st.sampled_from(["a", "é", "€", "\n", "b"]), st.integers(1, 30)), max_size=5
).map(lambda parts: "".join(unit * times for unit, times in parts).encode())


@settings(max_examples=600)
@given(regexes, texts | multibyte | character_runs, windows, st.booleans(), st.data())
@example("[^a]+", "é".encode() * 40, 3, False, None)
@example("[^a]+", b"a" + "é".encode() * 40, 4, False, None)
@example("(?s:a.*?b)", b"a" + b"\n" * 50 + b"b" + b"a" * 50, 3, False, None)
def test_any_regex_matches_as_over_the_whole_buffer(
    source: str, data: bytes, window_bytes: int, as_bytes: bool, draw: st.DataObject | None
) -> None:
    start, stop = span_of(data, draw) if draw else (0, len(data))
    chosen: str | bytes = source.encode("latin-1", "replace") if as_bytes else source
    try:
        expected = whole_re2(chosen, data, start, stop)
    except re2.error:
        assume(False)
    assert all_ways(data, search.compile_regex(chosen), window_bytes, start, stop) == expected


guidable = st.recursive(
    st.sampled_from(
        ["a", "b", "c", "ab", ".", "[ab]", "[^a]", r"\w", r"\W", r"\D", "\\n", "^", "$", r"\b", r"\B"]
    ),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(inner, repeats, st.sampled_from(["(?:", "(", "(?s:"])).map(
            lambda parts: f"{parts[2]}{parts[0]}){parts[1]}"
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(guidable, texts, windows, st.booleans(), st.booleans())
def test_guided_search_finds_what_re2_finds(
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    data: bytes,
    window_bytes: int,
    anchored: bool,
    as_bytes: bool,
) -> None:
    pytest.importorskip("hyperscan")
    monkeypatch.setattr(regex, "ACCELERATED_BYTES", 0)
    source = "^" * anchored + source
    chosen: str | bytes = source.encode() if as_bytes else source
    # Hyperscan guides only what fixed bytes do not.
    monkeypatch.setattr(regex, "required", lambda *_: None)
    event("guided" if accelerator(source, utf8=not as_bytes) else "not guided")
    try:
        expected = whole_re2(chosen, data, 0, len(data))
    except re2.error:
        assume(False)
    assert all_ways(data, search.compile_regex(chosen), window_bytes, 0, len(data)) == expected


def required_of(source: str | bytes) -> Required | None:
    """What matches of a pattern hold; RE2 says which classes hold a line feed."""
    text = source if isinstance(source, str) else source.decode("latin-1")
    encoding = "utf-8" if isinstance(source, str) else "latin-1"
    return required(tokens(text), encoding, lambda piece: re2.fullmatch(piece, "\n") is not None)


@settings(max_examples=400)
@given(regexes, texts | multibyte | character_runs, st.booleans())
def test_every_match_holds_what_is_required_where_it_is_required(
    source: str, data: bytes, as_bytes: bool
) -> None:
    chosen: str | bytes = source.encode("latin-1", "replace") if as_bytes else source
    try:
        found = whole_re2(chosen, data, 0, len(data))
    except re2.error:
        assume(False)
    needed = required_of(chosen)
    event("required" if needed else "nothing required")
    if needed is None:
        return
    for start, stop in found:
        match = data[start:stop]
        places = [
            place
            for literal in needed.literals
            for place in range(len(match))
            if match.startswith(literal, place)
        ]
        last = len(match) if needed.last is None else needed.last
        assert any(needed.first <= place <= last for place in places)
        assert not (needed.one_line and b"\n" in match)


# Words around which the rest of an expression is made up, and texts full of them and of their pieces.
worded = st.tuples(
    st.sampled_from(["", "^", "a*", ".*", "[ab]{0,3}", r"\b", "[^c]*", r"\n?", "(?s:.)", "(?:b|ab)?"]),
    st.sampled_from(
        ["cab", "(?:cab|cb)", "(c|cc)a", "c{2,}", "(?:ca|cab|b\n)", "cé", "(?:c|ca?b)a", "cab+?"]
    ),
    st.sampled_from(["", "$", "[ab]*", ".*", ".*?b", r"\B", r"\W", r"[^b]+", "(?:a|$)", r"(?s:.*?)c"]),
).map("".join)
worded_texts = st.lists(
    st.sampled_from([b"cab", b"ca", b"c", b"b", b"aa", b"\n", b"cb", b"ccc", "cé".encode(), b" ", b"\xa9"]),
    max_size=80,
).map(b"".join)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(worded, worded_texts, windows, st.booleans(), st.sampled_from([2, 1000]), st.data())
def test_search_around_required_bytes_finds_what_re2_finds(
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    data: bytes,
    window_bytes: int,
    as_bytes: bool,
    places_min: int,
    draw: st.DataObject,
) -> None:
    monkeypatch.setattr(prefilter, "PLACES_MIN", places_min)
    start, stop = span_of(data, draw)
    chosen: str | bytes = source.encode("latin-1") if as_bytes else source
    pattern = search.compile_regex(chosen)
    assert all_ways(data, pattern, window_bytes, start, stop) == whole_re2(chosen, data, start, stop)


@given(
    st.sampled_from([r"(a+)(b)?", r"(?P<head>\Ba)(.)", r"(^a|b$)(?P<head>)", "(a|ab)(c|b*)"]),
    texts,
    windows,
    st.sampled_from([rb"<\1|\2>", rb"\\\g<2>\n", rb"\g<0>\0", b"plain"]),
)
def test_replacements_expand_groups_as_python_does(
    source: str, data: bytes, window_bytes: int, template: bytes
) -> None:
    pattern = search.compile_regex(source)
    parsed = pattern.template(template)
    pieces = [
        piece
        for batch in search.locate(BytesReader(data), pattern, window_bytes=window_bytes)
        for piece in batch.replacements(parsed)
    ]
    oracle = template.replace(rb"\0", rb"\g<0>")
    assert pieces == [found.expand(oracle) for found in re.finditer(source.encode(), data, re.MULTILINE)]


@pytest.mark.parametrize("engine", ["re2", "re"])
def test_engines_agree_on_a_longer_text(engine: search.Engine) -> None:
    data = b"".join(b"line %d has words and %d\r\n" % (number, number * 7919) for number in range(20_000))
    for source in (r"\d+$", r"^line \d*7 ", r"(?s:9\r\nline.*?1 )", r"\bwords\b"):
        pattern = search.compile_regex(source, engine=engine)
        expected = [found.span() for found in re.finditer(source.encode(), data, re.MULTILINE)]
        assert all_ways(data, pattern, 1 << 16, 0, len(data)) == expected
