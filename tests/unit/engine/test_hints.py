"""Hints name what will be read and what was written, in pieces worth a call, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from insitu.core.columns import NO_SPLICES, Splices, block_of
from insitu.core.spans import Span
from insitu.core.steps import Move, Place, Resize
from insitu.engine import hints
from insitu.engine.hints import Hints
from insitu.storage.local import local_volume
from insitu.storage.memory import MemoryFile, MemoryVolume


class Hinted(MemoryFile):
    """A file that remembers its hints."""

    expected: list[Span]
    begun: list[Span]

    def expect(self, span: Span) -> None:
        self.expected.append(span)

    def begin_sync(self, span: Span) -> None:
        self.begun.append(span)


@pytest.fixture
def file() -> Hinted:
    volume = MemoryVolume()
    opened = volume.open("/file", write=True, create=True)
    opened.__class__ = Hinted
    opened.expected, opened.begun = [], []
    return opened


def splices(*triples: tuple[int, int, int]) -> Splices:
    return Splices.of(1000, block_of(triples)) if triples else Splices(1000, NO_SPLICES, (), None)


def test_what_was_written_in_order_is_handed_over_in_pieces(file: Hinted, monkeypatch) -> None:
    monkeypatch.setattr(hints, "BEHIND_BYTES", 100)
    run = Hints(splices(), file, file)
    for start in range(0, 300, 40):
        run.wrote(Span(start, start + 40))
    assert file.begun == [Span(0, 120), Span(120, 240)]


def test_scattered_writes_are_handed_over_with_what_lies_between(file: Hinted, monkeypatch) -> None:
    monkeypatch.setattr(hints, "BEHIND_BYTES", 20)
    run = Hints(splices(), file, file)
    for start in (0, 500, 900, 10):
        run.wrote(Span(start, start + 10))
    assert file.begun == [Span(0, 510)], "going back begins anew"


def test_the_sources_of_a_long_segment_are_asked_for_where_they_lie_together(file: Hinted) -> None:
    run = Hints(splices((100, 100, 7)), file, file)
    run.expect((Resize(5), Place(Span(200, 300), 300), Place(Span(300, 400), 400)))
    run.expect((Move(Span(500, 600), 0), Move(Span(600, 700), 100)))
    assert file.expected == [Span(193, 393), Span(500, 700)]


def test_sources_far_apart_and_single_steps_are_not_asked_for(file: Hinted) -> None:
    run = Hints(splices(), file, file)
    run.expect((Move(Span(0, 10), 100), Move(Span(900, 910), 110)))
    run.expect((Place(Span(0, 100), 0),))
    assert file.expected == []


def test_hints_leave_a_real_file_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"contents")
    opened = local_volume().open(str(path), write=True)
    opened.expect(Span(0, 1 << 40))
    opened.begin_sync(Span(3, 1 << 40))
    opened.sync()
    opened.close()
    opened.expect(Span(0, 10))
    assert path.read_bytes() == b"contents"
