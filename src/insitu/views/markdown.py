"""``doc.markdown()``: the current content as sections.

    md = doc.markdown()
    md["Install/Linux"].append("Use a package.")
    md.section("#usage").rename("How to use it")

The outline is made by one scan when it is first asked for; after that, an edit costs a scan of its
neighbourhood.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as Order
from typing import overload

from insitu.core.protocols import Cancel, Progress
from insitu.core.spans import Span
from insitu.errors import NoMatchError
from insitu.formats.markdown_titles import TITLE_BYTES_MAX, capped_title, slug
from insitu.views.line_text import narrow_text
from insitu.views.markdown_addresses import Address, Names, Slugs
from insitu.views.markdown_document import Edited
from insitu.views.markdown_front import FrontMatterView
from insitu.views.markdown_outline import Outline
from insitu.views.markdown_section import Section
from insitu.views.markdown_state import Tracked
from insitu.views.markdown_verbs import Verbs


class Markdown:
    """The sections of a document, pending edits included, by CommonMark 0.31.2.

    Headings in block quotes and list items delimit no section, nor does anything in front matter.

    Args:
        document: whose text; in an encoding in which LF is a single byte (not UTF-16 or UTF-32).

    Raises:
        NoMatchError: from calls that are given an address: there is no such section. Nothing is created.
        AmbiguousError: from them: there are several; the candidates are addresses of each.
        TextError: the encoding is of another kind.
    Cost: the first question scans the document on every core; memory of about 42 bytes a heading.
    """

    def __init__(self, document: Edited) -> None:
        self.document = document
        self._text = narrow_text(document.text)
        self._tracked = Tracked(document, document.text.name)
        self.verbs = Verbs(self)
        """The edits behind the methods of sections."""

    # Finding

    def outline(
        self,
        *,
        level: int | None = None,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> Sections:
        """The sections in order, as a sequence that makes them when they are asked for.

        Args:
            level: only those of a level, or None for all.
        """
        outline = self.outline_of(progress, cancel)
        if level is None:
            return Sections(self, range(len(outline)))
        return Sections(self, (outline.levels == level).nonzero()[0].tolist())

    def section(self, address: Address, *, level: int | None = None) -> Section:
        """The section that an address names.

        Args:
            address: ``"Parent/Child"`` (titles from some section down, the last its own, compared without
                markup, case and white space; ``\\\\/`` is a slash in a title), ``"Child[2]"`` (the second
                that fits), ``"#slug"``, an ``id``, or the titles as a sequence, each taken as it is.
            level: it must be of this level.
        """
        return self.at(self._names().find(address, level))

    def __getitem__(self, address: Address) -> Section:
        return self.section(address)

    def __contains__(self, address: Address) -> bool:
        try:
            self.section(address)
        except NoMatchError:
            return False
        return True

    def __iter__(self) -> Iterator[Section]:
        return iter(self.outline())

    def __len__(self) -> int:
        return len(self.outline_of())

    @property
    def preamble(self) -> Span:
        """The bytes before the first heading, front matter and byte order mark excluded."""
        outline = self.outline_of()
        return Span(outline.begin, int(outline.starts[0]) if len(outline) else outline.size)

    @property
    def unclosed_fence(self) -> int | None:
        """Number of the line of a code fence that is never closed and swallows the rest; None: no such."""
        outline = self.outline_of()
        if outline.unclosed is None:
            return None
        from insitu.views.markdown_scan import ExactReader

        span = Span(outline.begin, outline.unclosed.start)
        return outline.begin_line + ExactReader(self.document).line_count(span) + 1

    def create(
        self, title: str, *, under: Section | Address | None, text: str | bytes = "", padding: bool = False
    ) -> Section:
        """Makes a new section, the last one under another.

        Args:
            under: the section it is put in; None: in none, at the end, of level 1.
            text: what follows its heading.

        Raises:
            ExpectationError: there is a section of that title in that place already.
        """
        return self.verbs.create(title, self.resolved(under), text, padding)

    # Front matter

    @property
    def front_matter(self) -> str | None:
        """The text between the lines of ``---`` (YAML) or ``+++`` (TOML); None where there is none.

        Assigning replaces it, ``None`` removes it; new front matter is put between lines of ``---``.
        """
        return self.front.text

    @front_matter.setter
    def front_matter(self, text: str | None) -> None:
        self.front.text = text

    @property
    def front(self) -> FrontMatterView:
        """The front matter with its keys."""
        return FrontMatterView(self)

    # For sections and verbs

    def outline_of(self, progress: Progress | None = None, cancel: Cancel | None = None) -> Outline:
        """The outline as columns."""
        return self._tracked.outline(progress, cancel)

    @property
    def tracked(self) -> Tracked:
        """What keeps the outline up to date."""
        return self._tracked

    def at(self, index: int) -> Section:
        """The section of a heading; the same object as long as anybody holds it."""
        found = self._tracked.sections.get(index)
        if found is None:
            found = self._tracked.sections[index] = Section(self, index)
        return found

    def resolved(self, target: Section | Address | None) -> Section | None:
        """A section as it is, or the one of an address."""
        return target if target is None or isinstance(target, Section) else self.section(target)

    def index_of(self, section: Section) -> int:
        """Which heading a section is now.

        Raises:
            NoMatchError: it is gone.
        """
        self.outline_of()
        if section.index_or_gone < 0:
            raise NoMatchError(
                "The section is no longer in the document; nothing was changed.",
                hint="Find it again by its address.",
            )
        return section.index_or_gone

    def title_bytes(self, index: int) -> bytes:
        """The title of a heading, on one line."""
        span = self.outline_of().heading(index)
        head = self.document.read(span.start, min(span.size, 2 * TITLE_BYTES_MAX))
        return capped_title(head, span.size)

    def title_of(self, index: int) -> str:
        """The title as text."""
        return self._text.decode(self.title_bytes(index))

    def decoded(self, span: Span) -> str:
        """The text of a span."""
        return self._text.decode(self.document.read(span.start, span.size))

    def encoded(self, text: str | bytes) -> bytes:
        """A caller's text in the document's encoding; bytes are taken as they are."""
        return self._text.encode(text) if isinstance(text, str) else bytes(text)

    def address_of(self, section: Section) -> str:
        """A path that names a section, or its id where no path can."""
        index = section.index
        return self._names().address(index)

    def slug_of(self, section: Section) -> str:
        """The name GitHub links to a section by."""
        return self._names().slug(section.index)

    def id_of(self, index: int) -> str:
        """The stable id of a heading."""
        from xxhash import xxh3_64_hexdigest

        outline = self.outline_of()
        span = outline.heading(index)
        line = self.document.read(span.start, min(span.size, 2 * TITLE_BYTES_MAX))
        name = slug(self.title_of(index))
        return f"L{outline.levels[index]}:{name}:{xxh3_64_hexdigest(line)}@{span.start}"

    def slugs(self) -> Iterator[str]:
        """Yields the slugs of all sections in order; memory for all of them."""
        numbered = Slugs()
        return (numbered.next(self.title_of(index)) for index in range(len(self)))

    def named(self, titles: Order[str]) -> list[int]:
        """The headings whose path ends with these titles."""
        return self._names().fitting(titles)

    def _names(self) -> Names:
        return Names(self.outline_of(), self.title_of, self.id_of, self.document.path)


class Sections(Order[Section]):
    """Sections in order, made when they are asked for."""

    def __init__(self, view: Markdown, indexes: Order[int]) -> None:
        self._view = view
        self._indexes = indexes

    def __len__(self) -> int:
        return len(self._indexes)

    @overload
    def __getitem__(self, key: int) -> Section: ...
    @overload
    def __getitem__(self, key: slice) -> Sections: ...
    def __getitem__(self, key: int | slice) -> Section | Sections:
        if isinstance(key, slice):
            return Sections(self._view, self._indexes[key])
        return self._view.at(self._indexes[key])

    def __repr__(self) -> str:
        return f"<{len(self):,} sections of {self._view.document.path}>"
