"""A draft on a real file, beside a model of plain bytes: what is shown, what is saved, what is committed.

The model keeps what the file holds, what the draft's edits are as splices of it, and what was saved: so it
can say what a new opening finds, after any commits of others that do not touch the same bytes.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from shutil import rmtree

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import insitu
from insitu.engine import journal, pools, spool
from insitu.errors import MissingDraftError
from insitu.views import draft, draft_pool

SMALL = [
    (draft, "COMPACT_BYTES", 20_000),
    (draft, "FEW_PARTS", 6),
    *((module, "PAYLOAD_BYTES", 300) for module in (journal, pools, spool, draft_pool)),
]
# The file is cells of this form. Others put bytes into the first, which the draft leaves alone.
CELL = b"<0123456789abcdef>"
CELLS = 40

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
        self.others = 0
        self.others_bytes = 0

    def teardown(self) -> None:
        if self.doc is not None:
            self.doc.close()
        self.monkeypatch.undo()
        rmtree(self.folder)

    @initialize(scattered=st.booleans())
    def begin(self, scattered: bool) -> None:
        """Half the time with a draft of so many places that what follows is saved as edits, and not whole."""
        self.file = CELL * CELLS
        self.path.write_bytes(self.file)
        self.saved: bytes | None = None
        """What the draft shows to others, but for what they committed since; None where there is none."""
        self.behind: list[bytes] = []
        """What others put into the first cell since ``saved`` was saved, or opened; the first lies last."""
        if scattered:
            self.open()
            self.replace_everywhere(7, b"seven")
            self.close(save=True)

    def shown(self, content: bytes, behind: list[bytes]) -> bytes:
        return content[:1] + b"".join(reversed(behind)) + content[1:]

    @rule()
    @precondition(lambda self: self.doc is None)
    def open(self) -> None:
        self.doc = insitu.open(self.path, draft=True)
        self.content = self.file if self.saved is None else self.shown(self.saved, self.behind)
        self.head = len(CELL) + self.others_bytes
        if self.saved is None:
            self.saved, self.behind = self.content, []
        self.since_opened: list[bytes] = []
        self.past: list[bytes] = []
        self.future: list[bytes] = []
        self.touched = False

    @rule(at=places, size=st.integers(0, 60), text=texts)
    @precondition(lambda self: self.doc is not None)
    def replace(self, at: int, size: int, text: bytes) -> None:
        assert self.doc is not None
        start = self.head + at % (len(self.content) - self.head + 1)
        stop = min(start + size, len(self.content))
        self.doc[start:stop] = text
        if text or start < stop:
            self.past.append(self.content)
            self.future.clear()
            self.content = self.content[:start] + text + self.content[stop:]

    @rule(cell=st.integers(0, 9), text=st.binary(min_size=1, max_size=4))
    @precondition(lambda self: self.doc is not None)
    def replace_everywhere(self, cell: int, text: bytes) -> None:
        assert self.doc is not None
        old = b"%d" % cell
        edits = [
            insitu.Span(at, at + 1)
            for at in range(self.head, len(self.content))
            if self.content[at : at + 1] == old
        ]
        self.doc.replace_spans([(span, text) for span in edits])
        if edits:
            self.past.append(self.content)
            self.future.clear()
            self.content = self.content[: self.head] + self.content[self.head :].replace(old, text)

    @rule(back=st.booleans())
    @precondition(lambda self: self.doc is not None)
    def step(self, back: bool) -> None:
        assert self.doc is not None
        source, target = (self.past, self.future) if back else (self.future, self.past)
        assert (self.doc.undo() if back else self.doc.redo()) is bool(source)
        if source:
            target.append(self.content)
            self.content = source.pop()

    @rule()
    @precondition(lambda self: self.doc is not None)
    def save(self) -> None:
        assert self.doc is not None
        if self.doc.save_draft():
            self.saved, self.behind, self.touched = self.content, list(self.since_opened), True

    @rule(save=st.booleans())
    @precondition(lambda self: self.doc is not None)
    def close(self, save: bool) -> None:
        assert self.doc is not None
        if save:
            self.save()
        self.doc.close()
        self.doc = None
        if not (self.folder / ".insitu" / "file.d" / "draft").exists():
            assert not self.touched and self.saved is not None
            self.saved, self.behind = None, []

    @rule(data=st.binary(min_size=1, max_size=3))
    @precondition(lambda self: self.others < 20)
    def another_commits(self, data: bytes) -> None:
        """Puts bytes behind the first one of the file."""
        insitu.insert(self.path, 1, data)
        self.file = self.file[:1] + data + self.file[1:]
        self.others += 1
        self.others_bytes += len(data)
        if self.saved is not None:
            self.behind.append(data)
        if self.doc is not None:
            self.since_opened.append(data)

    @rule()
    @precondition(lambda self: self.doc is not None)
    def commit(self) -> None:
        assert self.doc is not None
        if self.doc.commit() is not None:
            self.file = self.shown(self.content, self.since_opened)
        self.doc.close()
        self.doc, self.saved, self.behind = None, None, []

    @rule()
    @precondition(lambda self: self.doc is None and self.saved is not None)
    def drop(self) -> None:
        insitu.drop_draft(self.path)
        self.saved, self.behind = None, []

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
        assert self.path.read_bytes() == self.file

    @invariant()
    def the_document_shows_the_edits(self) -> None:
        if self.doc is not None:
            assert self.doc.read(0, self.doc.size) == self.content

    @invariant()
    def others_see_what_was_saved(self) -> None:
        try:
            with insitu.open(self.path, "r", draft=True) as reader:
                found = reader.read(0, reader.size)
        except MissingDraftError:
            assert self.saved is None
        else:
            assert self.saved is not None
            assert found == self.shown(self.saved, self.behind)


TestDrafts = pytest.mark.slow(Drafts.TestCase)
TestDrafts.settings = settings(
    max_examples=max(20, (settings.default.max_examples if settings.default else 100) // 4),
    stateful_step_count=30,
)
