"""What splices replace is read alike, with and without a step for each of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.core.columns import Splices, block_of
from insitu.engine import history
from insitu.storage.local import local_volume

BASE = bytes(range(256)) * 200


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("replaced") / "base"
    path.write_bytes(BASE)
    return path


sizes = st.one_of(st.integers(0, 5), st.just(3), st.integers(0, 400))


@given(
    st.lists(st.tuples(st.one_of(st.integers(0, 40), st.integers(0, 9000)), sizes), max_size=40),
    st.integers(1, 40),
    st.integers(1, 700),
    st.integers(1, 5000),
)
def test_columns_and_steps_yield_the_same(path: Path, gaps, vector_from, payload, near) -> None:
    triples, at = [], 0
    for gap, size in gaps:
        start = at + gap
        if start + size > len(BASE):
            break
        triples.append((start, start + size, 1))
        at = start + size
    splices = Splices.of(len(BASE), block_of(triples))
    expected = b"".join(BASE[start:stop] for start, stop, _ in triples)
    target = local_volume().open(str(path))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(history, "PAYLOAD_BYTES", payload)
            patch.setattr(history, "NEAR_BYTES", near)
            for least in (vector_from, 1 << 30):
                patch.setattr(history, "_VECTOR_SPLICES", least)
                patch.setattr(history, "_VECTOR_GROUP_SPLICES", least)
                parts = list(history.replaced(splices, target))
                assert b"".join(parts) == expected
    finally:
        target.close()
