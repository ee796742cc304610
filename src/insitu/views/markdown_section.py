"""A section of a Markdown document: what it is, what it says, and the edits of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from insitu.core.spans import Span
from insitu.errors import RequestError

if TYPE_CHECKING:
    from insitu.views.markdown import Markdown
    from insitu.views.markdown_addresses import Address

Scope = Literal["heading", "own", "body", "subtree"]

SCOPES: tuple[Scope, ...] = ("heading", "own", "body", "subtree")


class Section:
    """One heading and what follows it, up to the next heading of its level or above.

    It stays the same section while the document is edited through its view; once it was deleted, every
    call raises NoMatchError.

    Every edit is one pending edit of the document, and is made only if the document has the sections
    afterwards that it shall have. Texts are Markdown: LF becomes the document's line ending, and
    blank lines are added only where blocks need them to stay apart, or where there were some.

    Raises:
        RequestError: from edits: the text would end the section, change or swallow others.
        TextError: from edits: the encoding cannot hold a character.
    """

    def __init__(self, view: Markdown, index: int) -> None:
        self.view = view
        self.index_or_gone = index
        """The number of the heading, from 0; -1 once it is gone. Kept up to date by the view."""

    def __repr__(self) -> str:
        return f"<Section {self.view.address_of(self)!r}, level {self.level}, line {self.line}>"

    # What it is

    @property
    def index(self) -> int:
        """Which heading of the document it is, from 0."""
        return self.view.index_of(self)

    @property
    def number(self) -> int:
        """Which heading of the document it is, from 1."""
        return self.index + 1

    @property
    def level(self) -> int:
        """1 to 6."""
        return int(self.view.outline_of().levels[self.index])

    @property
    def line(self) -> int:
        """The number of the line its heading starts on, from 1; CR LF, LF and CR end lines."""
        return int(self.view.outline_of().lines[self.index]) + 1

    @property
    def title(self) -> str:
        """Its title as it is written, on one line; of a very long one the first 4 KiB."""
        return self.view.title_of(self.index)

    @property
    def path(self) -> tuple[str, ...]:
        """The titles of the sections it is in, from the outermost in, and its own."""
        ancestors = self.view.outline_of().ancestors(self.index)
        return tuple(self.view.title_of(index) for index in ancestors)

    @property
    def address(self) -> str:
        """A path that names only this section."""
        return self.view.address_of(self)

    @property
    def slug(self) -> str:
        """The name GitHub links to it by, without ``#``."""
        return self.view.slug_of(self)

    @property
    def id(self) -> str:
        """A name that stays while its heading does: level, slug, a hash of the heading, and its offset."""
        return self.view.id_of(self.index)

    @property
    def parent(self) -> Section | None:
        """The section it is in."""
        index = self.view.outline_of().parent(self.index)
        return None if index < 0 else self.view.at(index)

    def span(self, scope: Scope = "subtree") -> Span:
        """Its bytes in the current content.

        Args:
            scope: ``heading`` (its lines), ``own`` (heading and text up to the next heading, of whatever
                level), ``body`` (all behind the heading), or ``subtree`` (all of it).
        """
        outline, index = self.view.outline_of(), self.index
        heading = outline.heading(index)
        match scope:
            case "heading":
                return heading
            case "own":
                return Span(heading.start, outline.own_stop(index))
            case "body":
                return Span(heading.stop, outline.subtree_stop(index))
            case "subtree":
                return Span(heading.start, outline.subtree_stop(index))
        raise RequestError(f"There is no scope {scope!r}.", hint=f"Scopes: {', '.join(SCOPES)}.")

    def read(self, scope: Scope = "subtree") -> str:
        """What is written there; bytes that are no text travel as surrogate escapes."""
        return self.view.decoded(self.span(scope))

    @property
    def text(self) -> str:
        """What is written behind its heading, sections below it included."""
        return self.read("body")

    # Edits

    def replace(self, text: str | bytes, scope: Scope = "body", *, padding: bool = False) -> None:
        """Puts a text in the place of the section's; the blank lines around stay.

        Args:
            scope: ``body``; ``own``, which here is the text before the first section below, without the
                heading; ``heading``, its lines; or ``subtree``, heading and all.
            padding: fills up with blank lines, so that nothing behind needs to move on disks that can
                insert blocks.
        """
        self.view.verbs.replace(self, text, scope, padding)

    def append(
        self, text: str | bytes, scope: Literal["own", "subtree"] = "subtree", *, padding: bool = False
    ) -> None:
        """Adds a text at the end, or (``own``) before the first section below."""
        self.view.verbs.put(self, text, "append" if scope == "subtree" else "own", padding)

    def prepend(self, text: str | bytes, *, padding: bool = False) -> None:
        """Adds a text right behind the heading."""
        self.view.verbs.put(self, text, "prepend", padding)

    def insert_before(self, text: str | bytes, *, padding: bool = False) -> None:
        """Adds a text, with its own headings, before the section."""
        self.view.verbs.put(self, text, "before", padding)

    def insert_after(self, text: str | bytes, *, padding: bool = False) -> None:
        """Adds a text, with its own headings, behind the section and all below it."""
        self.view.verbs.put(self, text, "after", padding)

    def delete(self) -> None:
        """Deletes the section with all below it."""
        self.view.verbs.delete(self)

    def rename(self, title: str) -> None:
        """Puts another title in the place of its own; level and style stay."""
        self.view.verbs.rename(self, title)

    def promote(self, levels: int = 1) -> None:
        """Raises the section with all below it; setext headings stay such where their level allows."""
        self.view.verbs.shift(self, -levels)

    def demote(self, levels: int = 1) -> None:
        """Lowers the section with all below it."""
        self.view.verbs.shift(self, levels)

    def move(
        self,
        *,
        before: Section | Address | None = None,
        after: Section | Address | None = None,
        under: Section | Address | None = None,
    ) -> None:
        """Moves the section with all below it, and gives it the level of the place.

        Args:
            before, after: the section it shall stand next to.
            under: the section whose last one it shall be. Give one of the three.
        """
        self.view.verbs.move(self, before, after, under)
