"""What a content is taken for when it is cut into chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from insitu.core.spans import Span
from insitu.errors import RequestError
from insitu.formats.chunk_narrow import unit_of
from insitu.formats.chunk_units import CsvUnits, JsonlUnits, JsonUnits, LogUnits, TextUnits, Units
from insitu.formats.detection import detect
from insitu.formats.lines import detect_newline
from insitu.views.chunk_options import Budget
from insitu.views.csv_sniffing import Given, sniffed
from insitu.views.readable import Readable
from insitu.views.streaming import Source

if TYPE_CHECKING:
    from insitu.formats.cells import Mask

KINDS: Final = ("auto", "markdown", "text", "code", "csv", "jsonl", "json", "log")

_SAMPLE_BYTES: Final = 256 << 10
_LF: Final = 0x0A
_CR: Final = 0x0D


class Kind:
    """A kind of text, and what finds its units.

    Args:
        name: of the kind.
        encoding: of the text.
        newline: what ends its lines, LF or CR.
        units: finds its units.
        notes: what should be known of how it is cut.
    """

    def __init__(
        self, name: str, encoding: str, newline: int, units: Units, notes: tuple[str, ...] = ()
    ) -> None:
        self.name = name
        self.encoding = encoding
        self.newline = newline
        self.units = units
        self.notes = notes
        unit = unit_of(encoding)
        self._unit_type = f"{'>' if encoding.endswith('be') else '<'}u{unit}"

    def line_ends(self, data: bytes) -> Mask:
        """Which code units end lines; one cut short does not."""
        import numpy as np

        kind = np.dtype(self._unit_type)
        whole, torn = divmod(len(data), kind.itemsize)
        ends: Mask = np.frombuffer(data, kind, whole) == self.newline
        return np.append(ends, False) if torn else ends

    def paths(self, offsets: list[int], data: bytes) -> list[tuple[str, ...]]:
        """The headings that some offsets stand under. Offsets come in order.

        Args:
            data: what stands there, from the first of them on.
        """
        return [()] * len(offsets)

    @property
    def header(self) -> Span | None:
        """The header row, once it was seen."""
        return None


class _Csv(Kind):
    """CSV, whose header is context for all other rows."""

    units: CsvUnits

    @property
    def header(self) -> Span | None:
        """See ``Kind``."""
        stop = self.units.header_stop
        return Span(self.units.start, stop) if stop is not None and stop > self.units.start else None


def open_kind(source: Readable, budget: Budget, name: str, language: str | None) -> Kind:
    """The kind that was asked for, or that a content seems to be.

    Raises:
        RequestError: there is no such kind or language.
    """
    from insitu.views.chunk_code import code_kind, language_of
    from insitu.views.chunk_markdown import MarkdownKind

    if name not in KINDS:
        raise RequestError(f"Nothing is cut as {name!r}.", hint=f"Kinds: {', '.join(KINDS)}.")
    if language is not None and name not in ("auto", "code"):
        raise RequestError(f"{name} has no language.", hint="Leave the language out, or say kind='code'.")
    reader = source.reader
    sample = reader.read(0, min(_SAMPLE_BYTES, source.size))
    more = len(sample) < source.size
    notes: list[str] = []
    if name == "auto":
        name, language = _detected(source.path, sample, more, language or language_of(source.path), notes)
    encoding = source.text.name
    wide = unit_of(encoding) > 1
    if wide and name not in ("text", "log"):
        notes.append(f"in {encoding} it is cut as text: {name} is scanned byte by byte")
        name = "text"
    newline = _newline(sample, encoding, more)
    most = budget.units
    if name == "markdown":
        return MarkdownKind(source, encoding, newline, most, tuple(notes))
    if name == "code":
        return code_kind(source, encoding, newline, budget, language or language_of(source.path), notes)
    if name == "csv":
        try:
            found = sniffed(Source(reader, source.text, source.path), Given())
        except RequestError as error:
            notes.append(f"it is cut by lines: {error}")
            return Kind("log", encoding, newline, LogUnits(newline, most), tuple(notes))
        notes += found.doubts
        units = CsvUnits(found.dialect, len(found.dialect.bom), most)
        return _Csv(name, encoding, newline, units, tuple(notes))
    if name == "jsonl":
        return Kind(name, encoding, newline, JsonlUnits(most), tuple(notes))
    if name == "json":
        return Kind(name, encoding, newline, JsonUnits(newline, most), tuple(notes))
    made = LogUnits(newline, most) if name == "log" else TextUnits(newline, most)
    return Kind(name, encoding, newline, made, tuple(notes))


def _detected(
    path: str, sample: bytes, more: bool, language: str | None, notes: list[str]
) -> tuple[str, str | None]:
    """The kind that a name and a sample suggest."""
    if language is not None:
        return "code", language
    found = detect(path, sample, more=more)
    if found.doubt and sample:
        notes.append(f"taken for {found.format}, but {found.doubt}")
    if found.format in ("text", "binary"):
        return "log" if path.endswith(".log") else "text", None
    return found.format, None


def _newline(sample: bytes, encoding: str, more: bool) -> int:
    """What ends lines, as for ``doc.lines``."""
    unit = unit_of(encoding)
    if unit > 1:
        from insitu.formats.chunk_narrow import narrow

        sample = narrow(sample, encoding, last=True)[0].tobytes()
    return _LF if detect_newline(sample, more=more) == b"\n" else _CR
