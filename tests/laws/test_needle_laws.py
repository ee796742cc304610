"""Records passed by a search for a text of the condition: those found are those of the condition alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.formats.conditions import Condition
from insitu.views.jsonl_scan import Batch, Matches
from insitu.views.streaming import Source
from insitu.views.text import Encoding
from tests.readers import BytesReader

VALUES = st.sampled_from(["ab", "abc", "12", "é", "", "a\\b", 12, 1.5, True, None, ["ab"], {"k": "ab"}])
RECORDS = st.dictionaries(st.sampled_from(["k", "l", "ab"]), VALUES, max_size=3)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Some records among many, spelled plainly, with escapes, or with each letter as one."""
    written = []
    for record in draw(st.lists(RECORDS, max_size=6)):
        text = json.dumps(record, ensure_ascii=draw(st.booleans()))
        if draw(st.booleans()):
            text = text.replace('"ab"', '"\\u0061b"').replace('"12"', '"1\\u0032"')
        written.append(text)
    quiet = ['{"k": "x"}'] * draw(st.integers(8, 100))
    return "\n".join((*quiet[: len(quiet) // 2], *written, *quiet[len(quiet) // 2 :], "")).encode()


CONDITIONS = (
    "k = 'ab'",
    "'ab' = k",
    "k = 'ab' and l = '12'",
    "k = 'ab' or l = 'é'",
    "k = 'ab' or l > 1",
    "k in ('ab', '12') and not l = 'abc'",
    "not (k <> 'ab')",
    "k = '12'",
    "k = 'true'",
    "k = ''",
    "\"/k/k\" = 'ab'",
    "k = 'a\\b'",
    "lower(k) = 'ab'",
    "k like 'ab'",
    "k = l and k = 'ab'",
    "case when k = 'ab' then 1 else 0 end",
)


@pytest.mark.slow
@given(lines(), st.sampled_from(CONDITIONS), st.booleans())
def test_the_search_passes_no_record_that_matches(data: bytes, where: str, negated: bool) -> None:
    source = Source(BytesReader(data), Encoding("utf-8"), "x.jsonl")
    matches = Matches(where, negated)
    condition = replace(Condition.parse(where), needles=())
    slow, present = Batch(source, 0, 0, data).matched(condition, matches.columns())
    assert present.all()
    expected = (~slow if negated else slow).nonzero()[0].tolist()
    assert [number for _, numbers in matches.batches(source) for number in numbers] == expected


@pytest.mark.parametrize(
    ("where", "needles"),
    [
        ("k = 'ab'", (b"ab",)),
        ("k = 'ab' and l > 1", (b"ab",)),
        ("l > 1 and 'é' = k", ("é".encode(),)),
        ("k = 'a' or l = 'b' or k = 'c'", (b"a", b"c", b"b")),
        ("k in ('a', 'b') and l = 'c'", (b"c",)),
        ("k in ('a', 'b', 'c', 'd', 'e')", ()),
        ("k = 'a' or l > 1", ()),
        ("k <> 'a'", ()),
        ("not k = 'a'", ()),
        ("k > 'a'", ()),
        ("k = ''", ()),
        ("k = 1", ()),
        ("lower(k) = 'a'", ()),
        ("k like 'a'", ()),
        ("k is null", ()),
    ],
)
def test_texts_that_a_condition_asks_for(where: str, needles: tuple[bytes, ...]) -> None:
    assert sorted(Condition.parse(where).needles) == sorted(needles)


def test_only_lines_that_may_match_are_looked_at() -> None:
    quiet = b'{"k": "x"}\n' * 20
    data = quiet + b'{"k": "ab"}\n{"ab": 1}\n' + quiet + b'{"k": "\\u0061b"}\n' + quiet
    batch = Batch(Source(BytesReader(data), Encoding("utf-8"), "x.jsonl"), 0, 0, data)
    found = batch._holding((b"ab",))
    assert found is not None and found.tolist() == [20, 21, 42]
    assert batch._holding((b"x",)) is None
