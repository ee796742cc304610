"""The outline of a document that is being edited: made once, then patched by what changes."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from collections.abc import Sequence as Order
from typing import TYPE_CHECKING

from insitu.core.protocols import Cancel, Progress
from insitu.core.sequence import Change as Place
from insitu.core.spans import Span
from insitu.views.markdown_document import Edited
from insitu.views.markdown_outline import Change, Outline

if TYPE_CHECKING:
    from insitu.views.markdown_section import Section

# From the index of a heading before an edit to that after it; -1 where it is gone.
Mapping = Callable[[int], int]


class Tracked:
    """The outline of a document's current content, and the sections that were handed out.

    Edits made by the verbs bring their outline along. Others are noticed when the outline is next asked
    for: what lies between the first and the last pending edit is scanned again.
    """

    def __init__(self, document: Edited, encoding: str) -> None:
        self._document = document
        self._encoding = encoding
        self._outline: Outline | None = None
        self._places: Order[Place] = ()
        self._sequence = document.sequence
        self._generation = document.generation
        self.sections: weakref.WeakValueDictionary[int, Section] = weakref.WeakValueDictionary()
        """By the index of their heading."""

    def outline(self, progress: Progress | None = None, cancel: Cancel | None = None) -> Outline:
        """The outline of the current content."""
        document, known = self._document, self._outline
        if known is not None and document.sequence is not self._sequence:
            known = self._after_commit(known)
        places = document.sequence.changes()
        if known is None:
            fresh = Outline.of(document, self._encoding, progress, cancel)
            if self._outline is not None:
                self._renumber(_by_key(self._outline, fresh, Change(0, len(self._outline), len(fresh))))
            known = fresh
        elif places is not self._places and (places or self._places):
            before = known
            known, change = before.changed(document, self._encoding, *self._differing(before, places))
            self._renumber(_by_key(before, known, change))
        self._keep(known)
        return known

    def accept(self, outline: Outline, mapping: Mapping) -> None:
        """Takes the outline that an edit just made led to."""
        self._renumber(mapping)
        self._keep(outline)

    def _keep(self, outline: Outline) -> None:
        document = self._document
        self._outline = outline
        # The list is another one after every edit: it stands for the version of the content.
        self._places = document.sequence.changes()
        self._sequence, self._generation = document.sequence, document.generation

    def _after_commit(self, known: Outline) -> Outline | None:
        """The outline of the new base, if it is what was pending: one operation further, of that size."""
        now = self._document.generation
        ours = now.operation == self._generation.operation + 1
        if not ours or self._document.base.size != known.size:
            return None
        self._places = ()
        return known

    def _differing(self, known: Outline, places: Order[Place]) -> tuple[Span, int]:
        """What may differ between the known content and the current one: all edits of both."""
        both = [*self._places, *places]
        start = min(place.base.start for place in both)
        stop = max(place.base.stop for place in both)
        growth = sum(place.current.size - place.base.size for place in self._places)
        return Span(start, stop + growth), self._document.size - known.size

    def _renumber(self, mapping: Mapping) -> None:
        sections = list(self.sections.values())
        self.sections.clear()
        for section in sections:
            section.index_or_gone = mapping(section.index_or_gone)
            if section.index_or_gone >= 0:
                self.sections[section.index_or_gone] = section


def _by_key(before: Outline, after: Outline, change: Change) -> Mapping:
    """Follows headings through an edit that is not ours: by level and title where they may have changed."""
    names: dict[tuple[int, int], list[int]] = {}
    for index in range(change.start, change.new_stop):
        names.setdefault((int(after.levels[index]), int(after.keys[index])), []).append(index)
    growth = change.new_stop - change.old_stop

    def mapping(index: int) -> int:
        if index < change.start:
            return index
        if index >= change.old_stop:
            return index + growth
        found = names.get((int(before.levels[index]), int(before.keys[index])), [])
        return found[0] if len(found) == 1 else -1

    return mapping
