"""A draft on a real file, beside a model of plain bytes: what is shown, what is saved, what is committed.

The model keeps every version of the file and what led from one to the next. What a draft holds is a list with
an element for each byte: which byte of its base it is, or a copy of, or which value a new one has. So the
model can say what any opening finds, after any commits of others: beside what is drafted, and within it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from shutil import rmtree
from typing import NamedTuple

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import insitu
from insitu.core.pieces import Copy
from insitu.engine import journal, pools, spool
from insitu.errors import MissingDraftError, StaleDraftError, StaleError
from insitu.views import draft, draft_pool

SMALL = [
    (draft, "COMPACT_BYTES", 20_000),
    (draft, "FEW_PARTS", 6),
    *((module, "PAYLOAD_BYTES", 300) for module in (journal, pools, spool, draft_pool)),
]
CELL = b"<0123456789abcdef>"
CELLS = 40

# A draft is ended only after so much has happened to it, lest most be ended before anything has.
OLD = 5

COPIED = 1 << 32
Content = list[int]
"""Byte ``n`` of the base as ``n``, a copy of it as ``COPIED + n``, a new one of value ``v`` as ``-1 - v``."""


class Splice(NamedTuple):
    """A span of the base, and what takes its place."""

    start: int
    stop: int
    new: Content


def fresh(data: bytes) -> Content:
    return [-1 - value for value in data]


def bytes_of(content: Content, base: bytes) -> bytes:
    return bytes(-1 - one if one < 0 else base[one % COPIED] for one in content)


def splices_of(content: Content, size: int) -> Iterator[Splice]:
    at, new = 0, Content()
    for one in (*content, size):
        if 0 <= one < COPIED:
            if new or at < one:
                yield Splice(at, one, new)
            at, new = one + 1, []
        else:
            new.append(one)


def content_of(splices: Iterable[Splice], size: int) -> Content:
    content, at = Content(), 0
    for start, stop, new in splices:
        content += [*range(at, start), *new]
        at = stop
    return [*content, *range(at, size)]


def moved(start: int, stop: int, over: list[Splice]) -> int | None:
    """By how much a span moves; None where it is touched. What is put right before it moves it."""
    if any(other.stop > start and other.start < stop for other in over):
        return None
    return sum(len(new) - (high - low) for low, high, new in over if high <= start)


def carried(splice: Splice, over: list[Splice]) -> Splice | None:
    """What becomes of a splice, and of what it copies, when others made an edit of the same base."""
    by = moved(splice.start, splice.stop, over)
    if by is None:
        return None
    new = Content()
    # Copies of consecutive bytes are one piece.
    for _, group in groupby(enumerate(splice.new), lambda one: one[1] - one[0] if one[1] >= COPIED else None):
        piece = [one for _, one in group]
        if piece[0] >= COPIED:
            piece_by = moved(piece[0] - COPIED, piece[-1] - COPIED + 1, over)
            if piece_by is None:
                return None
            piece = [one + piece_by for one in piece]
        new += piece
    return Splice(splice.start + by, splice.stop + by, new)


class Saved(NamedTuple):
    """What is pending, and over which version of the file."""

    version: int
    content: Content


class Operation(NamedTuple):
    """What led from one version to the next; ``of`` is the operation that it takes back."""

    splices: list[Splice]
    of: int | None = None


texts = st.one_of(
    st.binary(max_size=5), st.integers(1, 900).map(lambda size: bytes(range(256)) * 4 + b"t" * size)
)
places = st.integers(0, 1 << 20)


class Drafts(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="insitu-drafts-"))
        self.path = self.folder / "file"
        self.monkeypatch = pytest.MonkeyPatch()
        for module, name, value in SMALL:
            self.monkeypatch.setattr(module, name, value)
        self.doc: insitu.Document | None = None

    def teardown(self) -> None:
        if self.doc is not None:
            self.doc.close()
        self.monkeypatch.undo()
        rmtree(self.folder)

    @initialize(scattered=st.booleans())
    def begin(self, scattered: bool) -> None:
        """Half the time with a draft of so many places that what follows is saved as edits, and not whole."""
        self.versions = [CELL * CELLS]
        self.operations: list[Operation] = []
        self.path.write_bytes(self.versions[0])
        self.saved: Saved | None = None
        self.age = 0
        if scattered:
            self.open()
            self.replace_everywhere(7, b"seven")
            self.close(save=True)

    def shown(self, saved: Saved, *, reversals: bool = True) -> Content | None:
        """What is pending over the file as it is now; None where others changed the same bytes.

        Args:
            reversals: operations that were taken back since are in nobody's way.
        """
        size = len(self.versions[saved.version])
        left: list[int] = []
        for number in range(saved.version, len(self.operations)):
            if reversals and left and self.operations[number].of == left[-1]:
                left.pop()
            else:
                left.append(number)
        splices = list(splices_of(saved.content, size))
        for number in left:
            over = self.operations[number].splices
            now = [one for splice in splices if (one := carried(splice, over)) is not None]
            if len(now) < len(splices):
                return None
            splices = now
        return content_of(splices, len(self.versions[-1]))

    def becomes(self, splices: list[Splice], of: int | None = None) -> None:
        """The file's next version."""
        now = self.versions[-1]
        new = [Splice(start, stop, fresh(bytes_of(new, now))) for start, stop, new in splices]
        self.age += 1
        self.operations.append(Operation(new, of))
        self.versions.append(bytes_of(content_of(new, len(now)), now))

    @rule()
    @precondition(lambda self: self.doc is None)
    def open(self) -> None:
        here = len(self.operations)
        if self.saved is None:
            self.saved, self.age = Saved(here, [*range(len(self.versions[-1]))]), 0
        content = self.shown(self.saved)
        if content is None:
            with pytest.raises(StaleDraftError):
                insitu.open(self.path, draft=True)
            return
        self.doc = insitu.open(self.path, draft=True)
        self.pending = Saved(here, content)
        self.past: list[Content] = []
        self.future: list[Content] = []
        self.touched = False

    def edited(self, content: Content) -> None:
        self.age += 1
        self.past.append(self.pending.content)
        self.future.clear()
        self.pending = self.pending._replace(content=content)

    @rule(at=places, size=st.one_of(st.just(0), st.integers(0, 60)), text=texts)
    @precondition(lambda self: self.doc is not None)
    def replace(self, at: int, size: int, text: bytes) -> None:
        assert self.doc is not None
        old = self.pending.content
        start = at % (len(old) + 1)
        stop = min(start + size, len(old))
        self.doc[start:stop] = text
        if text or start < stop:
            self.edited(old[:start] + fresh(text) + old[stop:])

    @rule(at=places, source=places, size=st.integers(1, 40))
    @precondition(lambda self: self.doc is not None)
    def copy(self, at: int, source: int, size: int) -> None:
        """Pastes bytes of the file itself, which stay to be read from there."""
        assert self.doc is not None
        old = self.pending.content
        start = at % (len(old) + 1)
        base_size = len(self.versions[self.pending.version])
        low = source % base_size
        high = min(low + size, base_size)
        self.doc.insert(start, Copy(str(self.path), insitu.Span(low, high)))
        self.edited(old[:start] + [COPIED + one for one in range(low, high)] + old[start:])

    @rule(cell=st.integers(0, 9), text=st.binary(min_size=1, max_size=4))
    @precondition(lambda self: self.doc is not None)
    def replace_everywhere(self, cell: int, text: bytes) -> None:
        assert self.doc is not None
        old = self.pending.content
        shown = bytes_of(old, self.versions[self.pending.version])
        found = [at for at, value in enumerate(shown) if value == ord("0") + cell]
        self.doc.replace_spans([(insitu.Span(at, at + 1), text) for at in found])
        if found:
            new = Content()
            for at, one in enumerate(old):
                new += fresh(text) if shown[at] == ord("0") + cell else [one]
            self.edited(new)

    @rule(back=st.booleans())
    @precondition(lambda self: self.doc is not None)
    def step(self, back: bool) -> None:
        assert self.doc is not None
        source, target = (self.past, self.future) if back else (self.future, self.past)
        assert (self.doc.undo() if back else self.doc.redo()) is bool(source)
        if source:
            target.append(self.pending.content)
            self.pending = self.pending._replace(content=source.pop())

    @rule()
    @precondition(lambda self: self.doc is not None)
    def save(self) -> None:
        assert self.doc is not None
        if self.doc.save_draft():
            self.saved, self.touched = self.pending, True

    @rule(save=st.booleans())
    @precondition(lambda self: self.doc is not None)
    def close(self, save: bool) -> None:
        assert self.doc is not None
        if save:
            self.save()
        self.doc.close()
        self.doc = None
        if not (self.folder / ".insitu" / "file.d" / "draft").exists():
            assert not self.touched
            self.saved = None

    # Others, who commit while the draft is there, and while it is open.

    @rule(
        beside=st.booleans(),
        which=places,
        aside=st.sampled_from((0, 0, 0, -3, -1, 1)),
        size=st.sampled_from((0, 0, 2)),
        text=st.binary(max_size=3),
    )
    @precondition(lambda self: self.saved is not None and len(self.operations) < 20)
    def another_commits(self, beside: bool, which: int, aside: int, size: int, text: bytes) -> None:
        """Replaces bytes near an edge of what is drafted, or anywhere."""
        now = self.versions[-1]
        drafted = self.shown(self.pending if self.doc else self.saved) if self.doc or self.saved else None
        edges = [at for splice in splices_of(drafted or [], len(now)) for at in splice[:2]] if drafted else []
        spot = edges[which % len(edges)] if beside and edges else which % (len(now) + 1)
        start = min(max(0, spot + aside), len(now))
        stop = min(start + size, len(now))
        if text or start < stop:
            insitu.write(self.path, start, stop, text)
            self.becomes([Splice(start, stop, fresh(text))])

    @rule(letter=st.sampled_from("<af>"), text=st.binary(min_size=1, max_size=3))
    @precondition(lambda self: self.saved is not None and len(self.operations) < 20)
    def another_replaces_everywhere(self, letter: str, text: bytes) -> None:
        now = self.versions[-1]
        found = [at for at, value in enumerate(now) if value == ord(letter)]
        if insitu.replace(self.path, letter.encode(), text).operation:
            self.becomes([Splice(at, at + 1, fresh(text)) for at in found])

    @rule()
    @precondition(lambda self: self.saved and self.operations and self.operations[-1].of is None)
    def another_takes_back(self) -> None:
        """Undoes the last operation, whoever made it."""
        insitu.undo(self.path)
        inverse, grown = [], 0
        for start, stop, new in self.operations[-1].splices:
            inverse.append(
                Splice(start + grown, start + grown + len(new), fresh(self.versions[-2][start:stop]))
            )
            grown += len(new) - (stop - start)
        self.becomes(inverse, of=len(self.operations) - 1)

    # Ending

    @rule()
    @precondition(lambda self: self.doc is not None and self.age > OLD)
    def commit(self) -> None:
        assert self.doc is not None
        changed = self.pending.content != [*range(len(self.versions[self.pending.version]))]
        content = self.shown(self.pending, reversals=False)
        if changed and content is None:
            with pytest.raises(StaleError):
                self.doc.commit()
            return
        assert (self.doc.commit() is not None) is changed
        if changed:
            assert content is not None
            self.becomes(list(splices_of(content, len(self.versions[-1]))))
        self.doc.close()
        self.doc, self.saved = None, None

    @rule()
    @precondition(lambda self: self.doc is None and self.saved is not None and self.age > OLD)
    def drop(self) -> None:
        insitu.drop_draft(self.path)
        self.saved = None

    @rule(cut=st.integers(1, 200))
    @precondition(lambda self: self.doc is None and self.saved is not None)
    def tear(self, cut: int) -> None:
        """Leaves what looks like the beginning of a save behind the last one."""
        with open(self.folder / ".insitu" / "file.d" / "draft", "r+b") as log:
            log.seek(0, os.SEEK_END)
            end = log.tell()
            log.seek(max(0, end - cut))
            piece = log.read()
            log.seek(-(-end // 4096) * 4096)
            log.write(piece)

    @invariant()
    def the_file_is_untouched(self) -> None:
        assert self.path.read_bytes() == self.versions[-1]

    @invariant()
    def the_document_shows_the_edits(self) -> None:
        if self.doc is not None:
            shown = bytes_of(self.pending.content, self.versions[self.pending.version])
            assert self.doc.read(0, self.doc.size) == shown

    @invariant()
    def others_see_what_was_saved(self) -> None:
        content = self.shown(self.saved) if self.saved else None
        try:
            with insitu.open(self.path, "r", draft=True) as reader:
                found = reader.read(0, reader.size)
        except MissingDraftError:
            assert self.saved is None
        except StaleDraftError:
            assert self.saved is not None
            assert content is None
        else:
            assert content is not None
            assert found == bytes_of(content, self.versions[-1])


TestDrafts = pytest.mark.slow(Drafts.TestCase)
TestDrafts.settings = settings(
    max_examples=max(20, (settings.default.max_examples if settings.default else 100) // 4),
    stateful_step_count=30,
)
