"""What an operation changed is shown from its journal alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import insitu
from insitu.core.columns import Splices, block_of
from insitu.core.patch import Patch, Splice
from insitu.core.pieces import Literal
from insitu.core.spans import Span
from insitu.views.diff import HUNKS_MAX
from insitu.views.operation import Rendered, changes_of
from tests.readers import BytesReader


class Pool(BytesReader):
    """A reader that is a pool, too."""

    def unit(self, span: Span) -> bytes | None:
        return None


@given(st.binary(max_size=50), st.lists(st.integers(0, 50), max_size=10), st.binary(max_size=5), st.data())
def test_a_rendered_result_reads_as_the_patch_says(base, cuts, new, data) -> None:
    places = sorted(min(cut, len(base)) for cut in cuts)
    spans = [Span(a, b) for a, b in zip(places[::2], places[1::2], strict=False) if new or a < b]
    expected = Patch(len(base), tuple(Splice(span, (Literal(new),)) for span in spans)).apply(base)
    splices = Splices.of(len(base), block_of((*span, len(new)) for span in spans))
    rendered = Rendered(Pool(base), splices, Pool(new * len(spans)))
    assert rendered.size == len(expected)
    start = data.draw(st.integers(0, len(expected)))
    stop = data.draw(st.integers(start, len(expected)))
    assert rendered.read(start, stop - start) == expected[start:stop]
    buffer = bytearray(stop - start)
    rendered.read_into(start, memoryview(buffer))
    assert buffer == expected[start:stop]
    for change in changes_of(splices):
        assert expected[change.current.start : change.current.stop] == new
    assert [change.base for change in changes_of(splices)] == spans


@pytest.mark.parametrize("planner", ["overwrite", "shift", "rewrite"])
def test_the_diff_of_an_operation_has_old_and_new_bytes(tmp_path: Path, planner: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one two three\n" * 1000)
    insitu.write(path, 4, 7, b"twenty-two", policy=insitu.Policy(planner=planner))
    assert insitu.diff(path, 1).splitlines()[2:] == [
        "@@ byte 4, 3 bytes -> 10 bytes @@",
        "-two",
        "+twenty-two",
    ]
    path.write_bytes(b"")
    assert "-two\n+twenty-two\n" in insitu.diff(path, 1), "the file itself is not asked"


def test_the_diff_of_a_mass_operation_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one two three\n" * 10_000)
    insitu.replace(path, b"two", b"2")
    told = insitu.diff(path, 1)
    assert told.count("@@ byte") == HUNKS_MAX and f"... {10_000 - HUNKS_MAX:,} more places" in told
    insitu.write(path, 0, 60_000, b"x" * 70_000)
    assert "-[60,000 bytes]\n+[70,000 bytes]\n" in insitu.diff(path, 2)
