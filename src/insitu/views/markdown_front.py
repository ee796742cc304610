"""Front matter of a Markdown document: its text, and keys that are written on one line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from insitu.core.spans import Span
from insitu.errors import AmbiguousError, NoMatchError, RequestError
from insitu.formats.markdown_front import FrontMatter, front_matter
from insitu.views.markdown_edits import newline_of, with_newline

if TYPE_CHECKING:
    from insitu.views.markdown import Markdown

_SEPARATORS: Final = {"yaml": rb":(?=[ \t]|\Z)[ \t]*", "toml": rb"[ \t]*=[ \t]*"}

# Values that go on on further lines, or that cannot be told from such without parsing.
_OPEN: Final = re.compile(rb"""\A(?:[|>&*!{\["']|\Z)""")
_FLAT: Final = re.compile(rb"""\A(?:"[^"\\]*"|'[^']*'|\[[^\[\]]*\]|\{[^{}]*\})[ \t]*\Z""")


class FrontMatterView:
    """The front matter of a view's document. Edits are pending edits of the document."""

    def __init__(self, view: Markdown) -> None:
        self._view = view
        self._document = view.document

    @property
    def text(self) -> str | None:
        """What stands between its lines, as it is; None where there is none."""
        front = self._view.outline_of().front
        return None if front is None else self._view.decoded(front.text)

    @text.setter
    def text(self, text: str | None) -> None:
        outline = self._view.outline_of()
        front, newline = outline.front, newline_of(self._document)
        if text is None:
            if front is not None:
                self._replace(front.span, b"")
            return
        data = with_newline(self._view.encoded(text), newline)
        if data and not data.endswith((b"\n", b"\r")):
            data += newline
        marker = b"+++" if front is not None and front.language == "toml" else b"---"
        whole = marker + newline + data + marker + newline
        found = front_matter(whole)
        if found is None or found.span.stop != len(whole):
            raise RequestError(
                f"The text has a line that ends front matter ({marker.decode()}); nothing was changed."
            )
        if front is None:
            self._replace(Span(outline.begin, outline.begin), whole)
        elif self._document.read(front.text.start, front.text.size) != data:
            self._replace(front.text, data)

    def get(self, key: str) -> str:
        """The value of a key at the top level, as it is written on its line.

        Raises:
            NoMatchError: there is no such key, or no front matter.
            AmbiguousError: it stands there twice.
        """
        span = self._value(key)
        return self._view.decoded(span)

    def set(self, key: str, value: str) -> None:
        """Sets the value of a key, as it shall be written; a key that is not there is added at the end.

        Raises:
            RequestError: its value goes on on further lines, or may do so.
        """
        if not re.fullmatch(r"[\w.\-]+", key) or not value.strip() or re.search(r"[\r\n]", value):
            raise RequestError("A key is one word, its value one line; nothing was changed.")
        data = self._view.encoded(value.strip())
        try:
            span = self._value(key)
        except NoMatchError:
            front = self._view.outline_of().front
            newline = newline_of(self._document).decode()
            between = " = " if front is not None and front.language == "toml" else ": "
            self.text = f"{self.text or ''}{key}{between}{value.strip()}{newline}"
            return
        known = self._document.read(span.start, span.size)
        if _OPEN.match(known) and not _FLAT.match(known):
            raise RequestError(
                f"The value of {key} goes on on other lines, or may do so; nothing was changed.",
                hint="Set the whole front matter.",
            )
        if known != data:
            self._replace(span, data)

    def _value(self, key: str) -> Span:
        front: FrontMatter | None = self._view.outline_of().front
        path = self._document.path
        if front is None:
            raise NoMatchError(f"{path} has no front matter; nothing was changed.")
        data = self._document.read(front.text.start, front.text.size)
        name = re.escape(self._view.encoded(key))
        if front.language == "toml":
            # Behind the first table, keys are no longer those of the top level.
            table = re.search(rb"(?m)^[ \t]*\[", data)
            data = data[: table.start()] if table else data
        line = re.compile(rb"(?:^|(?<=[\r\n]))" + name + _SEPARATORS[front.language] + rb"([^\r\n]*)")
        found = list(line.finditer(data))
        if not found:
            raise NoMatchError(f"The front matter of {path} has no key {key}; nothing was changed.")
        if len(found) > 1:
            raise AmbiguousError(f"The front matter of {path} has the key {key} twice; nothing was changed.")
        start, stop = found[0].span(1)
        stop = start + len(data[start:stop].rstrip(b" \t"))
        return Span(front.text.start + start, front.text.start + stop)

    def _replace(self, span: Span, data: bytes) -> None:
        self._document.replace_span(span, data)
