"""A batch of rows as conditions see it: each column as UTF-8 text, as numbers, and where it is NULL."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from insitu.formats.condition_numbers import Numbers, read_numbers
from insitu.formats.condition_texts import Constant, Texts, equal, holding_byte, not_ascii

if TYPE_CHECKING:
    from insitu.formats.cells import Cells, Column, Mask

_ASCII: Final = bytes(range(128))
_UTF8: Final = ("utf-8", "ascii")


class Batch:
    """The columns that a condition names, for one batch of rows; values are looked at only when asked for."""

    def __init__(self, cells: Mapping[str, Cells], encoding: str, null_empty: bool) -> None:
        self._cells = cells
        self._codec = codecs.lookup(encoding).name
        self._utf8 = self._codec in _UTF8
        self._holds_ascii = self._utf8 or _holds_ascii(self._codec)
        self._null_empty = null_empty

    @property
    def count(self) -> int:
        """How many rows there are."""
        return max((len(cells) for cells in self._cells.values()), default=0)

    def null(self, name: str, rows: Column) -> Mask:
        """Where a column is NULL, for some rows."""
        import numpy as np

        null = self._written(name, rows).null
        return np.zeros(len(rows), np.bool_) if null is None else null

    def texts(self, name: str, rows: Column, sought: tuple[bytes, ...] | None = None) -> Texts:
        """The texts of a column, for some rows.

        Args:
            sought: where the texts are only compared with these, for being the same: then texts that are
                none of them may be wrong.
        """
        written = self._written(name, rows)
        cells = self._cells[name]
        if sought is not None and self._tell_apart(cells, sought):
            return written
        odd = self._odd(cells, rows, written)
        return written if odd is None else self._decoded(cells, rows, written, odd)

    def numbers(self, name: str, rows: Column) -> Numbers:
        """The numbers in a column, for some rows. A JSON string is none."""
        cells = self._cells[name]
        plain = self._holds_ascii and cells.escape is None
        texts = self._written(name, rows) if plain else self.texts(name, rows)
        numbers = read_numbers(texts.data, texts.starts, texts.starts + texts.sizes)
        known = numbers.known
        if texts.null is not None:
            known &= ~texts.null
        if cells.kind == "json" and cells.quoted is not None:
            known &= ~cells.quoted[rows]
        return numbers

    def _written(self, name: str, rows: Column) -> Texts:
        """A column as it is written, with its NULLs."""
        cells = self._cells[name]
        starts = cells.starts[rows]
        sizes = cells.stops[rows] - starts
        null = None if cells.missing is None else cells.missing[rows]
        if self._null_empty:
            null = sizes == 0 if null is None else null | (sizes == 0)
        texts = Texts(cells.data, starts, sizes, null)
        if cells.kind == "json":
            word = equal(texts, Constant(b"null"))
            if cells.quoted is not None:
                word &= ~cells.quoted[rows]
            texts.null = word if null is None else null | word
        return texts

    def _tell_apart(self, cells: Cells, sought: tuple[bytes, ...]) -> bool:
        """Whether no text is written as another of ``sought`` is, nor one of them in two ways."""
        if cells.kind == "json" or cells.escape is not None:
            return False
        return written_alike(sought, self._codec, cells.quote)

    def _odd(self, cells: Cells, rows: Column, written: Texts) -> Mask | None:
        """Where the text may be another than what is written; None: nowhere."""
        import numpy as np

        if not self._holds_ascii:
            return np.ones(len(rows), np.bool_)
        odd = None if self._utf8 else not_ascii(written)
        special = b"\\" if cells.kind == "json" else cells.quote
        if cells.quoted is not None and (quoted := np.flatnonzero(cells.quoted[rows])).size:
            odd = np.zeros(len(rows), np.bool_) if odd is None else odd
            odd[quoted] |= holding_byte(written.at(quoted), special[0])
        if cells.kind == "csv" and cells.escape is not None:
            escaped = holding_byte(written, cells.escape[0])
            odd = escaped if odd is None else odd | escaped
        return odd if odd is not None and odd.any() else None

    def _decoded(self, cells: Cells, rows: Column, written: Texts, odd: Mask) -> Texts:
        """The texts with the odd ones decoded, which then stand behind the bytes of the batch."""
        import numpy as np

        indices = np.flatnonzero(odd)
        texts = [self._decode(cells, int(rows[i]), written.raw(i)) for i in indices.tolist()]
        sizes = np.array([len(text) for text in texts], np.int64)
        starts, new_sizes = written.starts.copy(), written.sizes.copy()
        starts[indices] = len(written.data) + np.cumsum(sizes) - sizes
        new_sizes[indices] = sizes
        data = np.concatenate([written.data, np.frombuffer(b"".join(texts), np.uint8)])
        return Texts(data, starts, new_sizes, written.null)

    def _decode(self, cells: Cells, row: int, raw: bytes) -> bytes:
        """The text of one value as UTF-8; bytes that are none survive."""
        if not self._utf8:
            raw = raw.decode(self._codec, "surrogateescape").encode("utf-8", "surrogateescape")
        quoted = cells.quoted is not None and bool(cells.quoted[row])
        if cells.kind == "json":
            return _json_text(raw) if quoted else raw
        if cells.escape is None:
            return raw.replace(cells.quote * 2, cells.quote) if quoted else raw
        escape, quote = re.escape(cells.escape), re.escape(cells.quote)
        mark = rb"(?:%b|%b(?=%b))" % (escape, quote, quote) if quoted else escape
        return re.sub(mark + rb"(.)", rb"\1", raw, flags=re.DOTALL)


def written_alike(texts: Iterable[bytes], encoding: str, quote: bytes) -> bool:
    """Whether cells that stand for these texts, and no others, are written as their bytes, without escapes.

    Args:
        texts: in UTF-8.
        quote: what is doubled in quoted cells.
    """
    codec = codecs.lookup(encoding).name
    if codec in _UTF8:
        return not any(quote in text for text in texts)
    return _holds_ascii(codec) and all(text.isascii() and quote not in text for text in texts)


def _json_text(raw: bytes) -> bytes:
    """What a JSON string between its quotes says; what is no JSON says itself."""
    import json

    try:
        text = json.loads('"' + raw.decode("utf-8", "surrogateescape") + '"', strict=False)
    except ValueError:
        return raw
    try:
        data: bytes = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        data = text.encode("utf-8", "surrogatepass")
    return data


def _holds_ascii(codec: str) -> bool:
    """Whether ASCII bytes are ASCII text in this encoding."""
    try:
        return _ASCII.decode(codec) == _ASCII.decode("ascii")
    except UnicodeDecodeError:
        return False
