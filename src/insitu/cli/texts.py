"""The text an edit puts into a file: ``--text``, ``--from FILE``, ``--hex`` or ``-`` (standard input)."""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from insitu.cli.addresses import typed
from insitu.errors import AccessError, FileKindError, MissingFileError, RequestError

if TYPE_CHECKING:
    from pathlib import Path

    import insitu

Command = Callable[..., None]

# A larger file is copied into the target without being held in memory.
_HELD_BYTES_MAX: Final = 8 << 20

_LINES: Final = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True)
class Text:
    """What was given.

    Args:
        given: characters from the command line; bytes from elsewhere, which are in the file's encoding; or
            the path of a file too large to be held.
        exact: the bytes are meant as they are, at lines, too.
    """

    given: str | bytes | Path
    exact: bool = False

    def in_encoding(self, encoding: str) -> bytes:
        """The bytes to put into a file of this encoding, all at once."""
        if isinstance(self.given, str):
            return typed(self.given, encoding)
        return self.given if isinstance(self.given, bytes) else content_of(str(self.given))

    def in_lines(self, doc: insitu.Document) -> str:
        """The text for the library's lines, which give it the file's endings."""
        if isinstance(self.given, str):
            return self.given
        return self.in_encoding(doc.encoding).decode(doc.encoding, "surrogateescape")

    def split_lines(self, doc: insitu.Document) -> list[str]:
        """The text as lines; a text without any is one empty line."""
        return _LINES.findall(self.in_lines(doc)) or [""]

    def put(self, doc: insitu.Document, span: insitu.Span) -> int:
        """Puts the bytes, as they are, in the place of a span; returns how many."""
        import insitu

        if isinstance(self.given, os.PathLike) and not os.path.samefile(self.given, doc.path):
            # Copied by the commit, window by window. A file's own bytes are held: they are being moved.
            piece = insitu.extent(self.given, (0, os.stat(self.given).st_size))
            doc.replace_span(span, b"")
            doc.insert(span.start, piece)
            return piece.size
        data = self.in_encoding(doc.encoding)
        doc.replace_span(span, data)
        return len(data)


def read_text(
    text: str | None, source: str | None, digits: str | None, dash: str | None, exact: bool
) -> Text:
    """The text that the options give.

    Raises:
        click.UsageError: they give none, or several.
        RequestError: the file it comes from cannot be read.
    """
    given = [option is not None for option in (text, source, digits, dash)]
    if sum(given) != 1:
        only = "only one of" if any(given) else "the text:"
        raise click.UsageError(f"Give {only} --text TEXT, --from FILE, --hex DIGITS or - (standard input).")
    if text is not None:
        return Text(os.fsencode(text) if exact else text, exact)
    if digits is not None:
        return Text(parsed_hex(digits), exact=True)
    if source is not None and os.path.isfile(source) and os.path.getsize(source) > _HELD_BYTES_MAX:
        from pathlib import Path

        return Text(Path(source), exact)
    return Text(content_of(source or "-"), exact)


def parsed_hex(digits: str) -> bytes:
    """Bytes from hexadecimal digits; spaces between bytes are allowed."""
    try:
        return bytes.fromhex(digits)
    except ValueError as error:
        raise click.UsageError(f"--hex takes pairs of hexadecimal digits: {error}.") from None


def content_of(source: str) -> bytes:
    """All bytes of a file, or of standard input where it is ``-``."""
    try:
        if source == "-":
            return sys.stdin.buffer.read()
        with open(source, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise MissingFileError(f"There is no file {source} to take the text from.", path=source) from None
    except IsADirectoryError:
        raise FileKindError(f"{source} is a folder, not a file to take the text from.", path=source) from None
    except PermissionError:
        raise AccessError(f"The file {source} may not be read.", path=source) from None
    except OSError as error:
        raise RequestError(
            f"The text cannot be read from {source}: {error.strerror}.", path=source
        ) from error


_OPTIONS: Final = (
    click.argument("dash", type=click.Choice(["-"]), required=False, metavar="[-]"),
    click.option("--text", help="The text itself."),
    click.option("--from", "source", type=click.Path(), metavar="FILE", help="Take the text from a file."),
    click.option("--hex", "digits", metavar="DIGITS", help="Bytes as hexadecimal digits; implies --exact."),
    click.option("--exact", is_flag=True, help="Put the bytes as given: no line ending is added or changed."),
)


def text_options(command: Command) -> Command:
    """Adds the options that give the text; the command gets ``text``."""

    @functools.wraps(command)
    def given(
        *args: Any,
        text: str | None,
        source: str | None,
        digits: str | None,
        dash: str | None,
        exact: bool,
        **rest: Any,
    ) -> None:
        command(*args, text=read_text(text, source, digits, dash, exact), **rest)

    result: Command = given
    for option in reversed(_OPTIONS):
        result = option(result)
    return result
