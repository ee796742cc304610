from __future__ import annotations

from insitu.scan.prefilter import GAP_BYTES, PLACES_MIN, REST_WINDOWS_MAX, Prefilter
from insitu.scan.required import Required


def places(text, *literals, first=0, last=0, one_line=True):
    return Prefilter(Required(literals, first, last, one_line), prefixed=False).places(memoryview(text))


def test_each_place_is_the_line_of_the_next_hit_from_where_a_match_can_start():
    text = b"aa\nbb needle bb\ncc needle"
    found = places(text, b"needle", last=None)
    assert found.ahead(0) == (3, 15)
    assert found.ahead(15) == (16, len(text))
    assert found.ahead(20) is None


def test_a_place_starts_at_the_earliest_start_that_fits_the_hit():
    text = b"0123 needle"
    assert places(text, b"needle", first=1, last=3).ahead(0) == (2, len(text))
    assert places(text, b"needle", first=1, last=3).ahead(3) == (3, len(text))
    assert places(text, b"needle", first=1, last=3).ahead(5) is None


def test_a_match_over_several_lines_is_not_cut_at_the_end_of_one():
    text = b"needle\nneedle\n"
    assert places(text, b"needle", one_line=False).ahead(0) == (0, len(text))


def test_hits_of_all_strings_are_asked_for_in_order():
    found = places(b"b\na\nb\n", b"a", b"b")
    assert [found.ahead(state) for state in (0, 1, 3)] == [(0, 1), (2, 3), (4, 5)]


def test_a_text_full_of_the_bytes_is_left_to_re2_and_so_are_some_after_it():
    guide = Prefilter(Required((b"a",), 0, 0), prefixed=False)
    full, sparse = memoryview(b"a" * (PLACES_MIN + 1)), memoryview(b"a" * PLACES_MIN)
    assert guide.places(full) is None
    assert guide.places(sparse) is None
    assert guide.places(sparse) is not None
    for _ in range(20 * REST_WINDOWS_MAX):
        assert guide.places(full) is None
    asked = [guide.places(sparse) is not None for _ in range(REST_WINDOWS_MAX + 1)]
    assert asked[-1]


def test_a_long_text_may_hold_more_places():
    text = (b"a" + bytes(GAP_BYTES - 1)) * (2 * PLACES_MIN)
    assert places(text, b"a") is not None
    assert places(text + text.replace(b"\0", b"a"), b"a") is None
