"""Estimates of tokens are near the count of a public vocabulary, and bounds never below it."""

from __future__ import annotations

import pydoc_data.topics
from pathlib import Path

import numpy as np
import pytest

from insitu.formats.chunk_measures import Measure, in_estimated_tokens, in_tokens_at_most
from insitu.formats.chunk_tape import Tape

ROOT = Path(__file__).resolve().parents[3]

TEXTS = {
    "documentation": "\n".join(pydoc_data.topics.topics.values())[:60_000],
    "source code": (ROOT / "src/insitu/document.py").read_text("utf-8"),
    "Markdown": (ROOT / "docs/csv.md").read_text("utf-8"),
    "a table": "".join(f"A-{number},pending,{number * 1.5:.2f},note {number}\n" for number in range(500)),
    "Chinese": "\u8fd9\u4e2a\u6587\u4ef6\u975e\u5e38\u5927\uff0c\u6211\u4eec\u5206\u5757\u8bfb\u53d6\u3002"
    * 20,
}


def _size(text: str, measure: Measure) -> float:
    stretch = Tape("utf-8").feed(text.encode(), last=True)
    low, high = np.array([stretch.low]), np.array([stretch.high])
    return int(measure.sizes(stretch).of(low, high)[0]) / measure.shares


@pytest.mark.parametrize("name", TEXTS)
def test_the_estimate_is_near_the_count(name: str) -> None:
    bpe = pytest.importorskip("bpe_openai")
    count = len(bpe.get_encoding("o200k_base").encode_ordinary(TEXTS[name]))
    assert 0.85 * count <= _size(TEXTS[name], in_estimated_tokens()) <= 1.25 * count


@pytest.mark.parametrize("text", [*TEXTS.values(), "qxzj" * 50, "\x00\x01\ufffd" * 9, "\U0001f9ff" * 20])
def test_the_bound_is_never_below_the_count(text: str) -> None:
    bpe = pytest.importorskip("bpe_openai")
    for vocabulary in ("o200k_base", "cl100k_base"):
        assert len(bpe.get_encoding(vocabulary).encode_ordinary(text)) <= _size(text, in_tokens_at_most())
