from __future__ import annotations

import random
import threading

import pytest

from insitu.errors import CancelledError, PatternError, RequestError, SpanError
from insitu.scan import search
from insitu.scan.patterns import MATCH_BYTES_MAX

MIB = 1 << 20


def test_an_empty_literal_is_refused():
    with pytest.raises(PatternError, match="empty"):
        search.compile_literal(b"")


def test_a_literal_longer_than_a_window_is_refused():
    with pytest.raises(PatternError) as caught:
        search.compile_literal(b"a" * (MATCH_BYTES_MAX + 1))
    assert caught.value.facts["size"] == MATCH_BYTES_MAX + 1


def test_a_literal_as_long_as_a_window_is_found_across_one(memory):
    data = b"x" * 77 + b"a" * (MATCH_BYTES_MAX - 1) + b"b" + b"y" * MIB
    needle = data[77 : 77 + MATCH_BYTES_MAX]
    assert search.find(memory(data), search.compile_literal(needle)) == (77, 77 + MATCH_BYTES_MAX)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("a(b", "missing \\)"),
        ("a**", "bad repetition"),
        ("(?=a)", "perl operator"),
        (rb"(a)\1", "escape sequence"),
    ],
)
def test_what_re2_does_not_accept_is_refused_with_its_reason(source, reason):
    with pytest.raises(PatternError, match=reason) as caught:
        search.compile_regex(source)
    assert "engine='re'" in caught.value.hint


@pytest.mark.parametrize("source", ["a(b", "(?<=a*)b", "é"])
def test_what_python_does_not_accept_is_refused(source):
    with pytest.raises(PatternError):
        search.compile_regex(source, engine="re")


def test_an_unknown_engine_is_refused():
    with pytest.raises(RequestError, match="pcre"):
        search.compile_regex("a", engine="pcre")


@pytest.mark.parametrize("pattern", [search.compile_regex("a"), search.compile_regex("a", engine="re")])
def test_a_regex_is_not_searched_backwards(memory, pattern):
    with pytest.raises(PatternError, match="backwards"):
        search.rfind(memory(b"a"), pattern)


def test_a_span_outside_of_the_file_is_refused(memory):
    with pytest.raises(SpanError):
        search.find(memory(b"abc"), search.compile_literal(b"a"), 2, 9)


@pytest.mark.parametrize(
    ("source", "offset", "engine"),
    [
        ("(?s)<.*>", 1000, "re2"),
        ("(?s)<.*>", 1000, "auto"),
        ("(?s)<.*?>|a+", 1000, "re2"),
        ("a+", 1001, "re2"),
        ("a+", 1001, "re"),
        (r"[^\n]*$", 1000, "auto"),
        (r"[^\n]*$", 1000, "re"),
    ],
)
def test_a_match_longer_than_the_maximum_is_an_error_at_its_offset_never_a_shorter_match(
    memory, source, offset, engine
):
    data = b"\n" * 1000 + b"<" + b"a" * (3 * MIB) + b">\n"
    pattern = search.compile_regex(source, engine=engine)
    with pytest.raises(PatternError) as caught:
        for span in search.finditer(memory(data), pattern):
            assert span.stop <= 1000
    assert caught.value.facts["offset"] == offset
    assert caught.value.facts["match_bytes_max"] == MATCH_BYTES_MAX


@pytest.mark.parametrize("engine", ["re2", "re"])
def test_a_match_just_below_the_maximum_is_found_wherever_it_lies(memory, engine):
    pattern = search.compile_regex(rb"<a*>", engine=engine)
    for offset in (0, 5, MIB - 1, MIB, MIB + 1):
        data = b"\n" * offset + b"<" + b"a" * (MATCH_BYTES_MAX - 100) + b">" + b"\n" * MIB
        assert [*search.finditer(memory(data), pattern)] == [(offset, offset + MATCH_BYTES_MAX - 98)]


def test_a_shorter_alternative_is_not_taken_while_the_longer_one_is_undecided(memory):
    # Whether the optional tail matches is decided 300 KiB behind the match.
    data = b"\n" * (MIB - 10) + b"a" + b"x" * 300_000 + b"b" + b"\n" * MIB
    assert search.find(memory(data), search.compile_regex("a(?:.*b)?")) == (MIB - 10, MIB - 9 + 300_001)


def test_a_lazy_match_needs_no_more_than_itself(memory):
    data = b"<" + b"x>\n" * MIB
    assert search.find(memory(data), search.compile_regex("(?s)<.*?>")) == (0, 3)


def test_anchors_see_the_bytes_outside_of_the_span_searched(memory):
    data = b"aXbaab\nb"
    assert search.find(memory(data), search.compile_regex("^b"), 2) == (7, 8)
    assert search.find(memory(data), search.compile_regex(r"a$"), 0, 5) is None
    assert search.find(memory(data), search.compile_regex(r"b$"), 0, 6) == (5, 6)
    assert search.find(memory(data), search.compile_regex(r"\bX\b"), 1, 2) is None


def test_an_empty_span_can_hold_an_empty_match(memory):
    assert [*search.finditer(memory(b"a\nb"), search.compile_regex("^"), 2, 2)] == [(2, 2)]
    assert [*search.finditer(memory(b""), search.compile_regex("a*"))] == [(0, 0)]
    assert search.count(memory(b""), search.compile_literal(b"a")) == 0


def test_str_patterns_match_characters_and_pass_over_bytes_that_are_none(memory):
    data = "aé€".encode() + b"\xff\xc3" + "é".encode()
    assert [*search.finditer(memory(data), search.compile_regex("[^a]"))] == [(1, 3), (3, 6), (8, 10)]
    assert search.count(memory(data), search.compile_regex(b"[^a]")) == 9
    assert [*search.finditer(memory("é".encode()), search.compile_regex("x*"))] == [(0, 0), (2, 2)]


def test_an_expression_that_prefers_empty_matches_yields_them_only(memory):
    assert [*search.finditer(memory(b"aa"), search.compile_regex("a*?"))] == [(0, 0), (1, 1), (2, 2)]


def test_a_near_match_is_found_without_reading_the_rest(memory):
    reader = memory(b"\n" * MIB + b"needle" + bytes(20 * MIB))
    threads = threading.active_count()
    assert search.find(reader, search.compile_literal(b"needle")) == (MIB, MIB + 6)
    assert reader.highest < 3 * MIB
    assert threading.active_count() == threads


def test_batches_are_bounded_and_in_order(memory):
    batches = [*search.locate(memory(b"ab" * 300_000), search.compile_literal(b"a"))]
    assert max(map(len, batches)) <= search.BATCH_MATCHES
    starts = [start for batch in batches for start in batch.starts.tolist()]
    assert starts == list(range(0, 600_000, 2))


def test_sparse_matches_are_gathered_into_one_batch(memory):
    data = (b"x" * 999 + b"a") * 1000
    (batch,) = search.locate(memory(data), search.compile_literal(b"a"), window_bytes=5000)
    assert len(batch) == 1000
    assert batch.starts.dtype == batch.stops.dtype == "int64"


@pytest.mark.parametrize("call", [search.count, lambda *args, **more: list(search.locate(*args, **more))])
def test_cancelling_ends_the_search(memory, call):
    with pytest.raises(CancelledError):
        call(memory(bytes(10_000)), search.compile_literal(b"a"), window_bytes=100, cancel=lambda: True)


@pytest.mark.parametrize("template", [rb"\3", rb"\g<nothing>", rb"\q", b"\\"])
def test_a_template_with_an_unknown_group_or_escape_is_refused(template):
    with pytest.raises(PatternError):
        search.compile_regex("(a)(?P<tail>b)").template(template)


def test_a_template_without_groups_is_constant():
    assert search.compile_regex("(a)").template(rb"x\\\n").constant == b"x\\\n"
    assert search.compile_regex("(a)").template(rb"x\1").constant is None
    assert search.compile_literal(b"a").template(rb"x\1").constant == rb"x\1"


def _at_whole_units(data: bytes, needle: bytes, unit: int) -> list[tuple[int, int]]:
    found, at = [], 0
    while (start := data.find(needle, at)) >= 0:
        at = start + 1
        if start % unit == 0:
            at = start + len(needle)
            found.append((start, at))
    return found


@pytest.mark.parametrize("unit", [2, 4])
@pytest.mark.parametrize("seed", range(20))
def test_matches_of_whole_units_start_at_whole_units(memory, unit, seed):
    random_ = random.Random(seed)
    data = bytes(random_.choices(b"\0a", k=unit * random_.randrange(1, 200)))
    needle = bytes(random_.choices(b"\0a", k=unit * random_.randrange(1, 3)))
    pattern, reader = search.compile_literal(needle, unit), memory(data)
    wanted = _at_whole_units(data, needle, unit)
    for window_bytes in (unit * 8, unit * 8 + 3, MIB):
        assert list(search.finditer(reader, pattern, window_bytes=window_bytes)) == wanted
        assert search.count(reader, pattern, window_bytes=window_bytes) == len(wanted)
        last = max((at for at in range(0, len(data), unit) if data.startswith(needle, at)), default=None)
        found = search.rfind(reader, pattern, window_bytes=window_bytes)
        assert (None if found is None else found.start) == last
