"""Which format a file is in, as its name and a sample of its content suggest, with what speaks against it.

The name is what its owner says, the content is what is there: where both tell the same there is no doubt,
where they differ the content wins and the doubt says so. Nothing here decides a write.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections import Counter
from typing import Final, Literal, NamedTuple

Format = Literal["csv", "markdown", "jsonl", "json", "text", "binary"]

FORMATS: Final[tuple[Format, ...]] = ("csv", "markdown", "jsonl", "json", "text", "binary")

_ENDINGS: Final[dict[str, Format]] = {
    **dict.fromkeys(("csv", "tsv", "tab", "psv"), "csv"),
    **dict.fromkeys(("md", "markdown", "mdown", "mkd", "mdx"), "markdown"),
    **dict.fromkeys(("jsonl", "ndjson", "jsonlines", "ldjson"), "jsonl"),
    **dict.fromkeys(("json", "geojson", "ipynb", "webmanifest"), "json"),
    **dict.fromkeys(("txt", "text", "log"), "text"),
}

# What content can show beyond doubt, and a name alone cannot: JSON parses or does not.
_SHOWN: Final = ("json", "jsonl", "binary")

_WIDE_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DELIMITERS: Final = ",\t;|"
_ROWS_LEAST: Final = 3
_UNIFORM: Final = 0.95

# More of a sample tells no more about its format.
_LOOKED_AT: Final = 256 << 10

# Marks of Markdown: headings, underlines, fences, links, lists. Two kinds of them are no accident.
_MARKS: Final = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"^ {0,3}#{1,6}[ \t]+\S",
        r"^ {0,3}\S.*\n {0,3}(?:={3,}|-{3,})[ \t]*$",
        r"^ {0,3}(?:`{3}|~{3})",
        r"\[[^\]\n]+\]\([^)\s]+\)",
        r"^ {0,3}[-*+] \S",
        r"\*\*\S[^*\n]*\*\*",
    )
)
_HEADINGS: Final = _MARKS[:2]


class Detected(NamedTuple):
    """The format that a file seems to be in; ``doubt`` is empty where nothing speaks against it."""

    format: Format
    doubt: str = ""


def detect(name: str, sample: bytes, *, more: bool) -> Detected:
    """The format that a name and the first bytes of a file suggest.

    Args:
        name: of the file; only its ending counts.
        sample: some kilobytes, from the start.
        more: whether bytes follow the sample.
    """
    named = _ENDINGS.get(name.rpartition(".")[2].lower()) if "." in name else None
    if not sample:
        return Detected(named or "text", "the file is empty")
    found = _by_content(sample[:_LOOKED_AT], more or len(sample) > _LOOKED_AT, named)
    if named is None:
        return found
    if found.format == named:
        return found if named in _SHOWN else Detected(named)
    if found.format in _SHOWN:
        return Detected(found.format, f"its name says {named}")
    if named in ("json", "jsonl"):
        return Detected(named, "its content is not JSON as far as it was looked at")
    if named == "text":
        return found._replace(doubt=found.doubt or f"its name says {named}")
    # A table of one column, or a text without marks, looks like any text.
    return Detected(named, "" if found.format == "text" else f"its content looks like {found.format}")


def _by_content(sample: bytes, more: bool, named: Format | None) -> Detected:
    text = _text_of(sample)
    if text is None:
        return Detected("binary")
    if (found := _json(text, more, named)) is not None:
        return found
    if (found := _markdown(text)) is not None and named != "csv":
        return found
    return _table(text, more) or found or Detected("text")


def _text_of(sample: bytes) -> str | None:
    """The sample as text, by its byte order mark, else as Latin-1, which tells ASCII; None where binary."""
    for mark, codec in _WIDE_MARKS:
        if sample.startswith(mark):
            return sample[len(mark) :].decode(codec, "replace")
    if b"\0" in sample:
        return None
    return sample.removeprefix(codecs.BOM_UTF8).decode("latin-1")


def _json(text: str, more: bool, named: Format | None) -> Detected | None:
    """JSON Lines if each whole line is a value, JSON if all is one, or begins as an object or array does."""
    if not text.lstrip(" \t\r\n").startswith(("{", "[")):
        return None
    lines = text.split("\n")
    whole = [line for line in (lines[:-1] if more else lines) if line.strip(" \t\r")]
    if len(whole) > 1 and all(_is_json(line) for line in whole[:-1]):
        torn = "" if _is_json(whole[-1]) else "its last record is torn"
        return Detected("jsonl", torn)
    if not more:
        if not _is_json(text):
            return Detected(named, "it does not parse") if named in ("json", "jsonl") else None
        if len(whole) == 1 and named == "jsonl":
            return Detected("jsonl")
        return Detected("json")
    return Detected("json") if _begins_json(text) else None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _begins_json(text: str) -> bool:
    """Whether a text that goes on is JSON up to where the sample ends: what stops a parser is its end."""
    try:
        json.JSONDecoder().raw_decode(text.lstrip(" \t\r\n"))
    except json.JSONDecodeError as error:
        # A value cut short is refused where it starts, a string at its opening quote.
        behind = error.doc[error.pos :]
        return (
            not behind.strip(" \t\r\n")
            or (
                behind.startswith('"') and re.fullmatch(r'"(?:[^"\\]|\\.)*\\?', behind, re.DOTALL) is not None
            )
            or len(behind) <= len("-1.2345678901234567890e+308")
        )
    except RecursionError:
        return True
    return True


def _markdown(text: str) -> Detected | None:
    marks = [mark for mark in _MARKS if mark.search(text)]
    if len(marks) < 2 or not any(mark in _HEADINGS for mark in marks):
        return None
    return Detected("markdown", "" if len(marks) > 2 else "only its headings look like Markdown")


def _table(text: str, more: bool) -> Detected | None:
    """A table if nearly all rows have as many cells, two at least, by one delimiter."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for delimiter in _DELIMITERS:
        try:
            rows = list(csv.reader((line + "\n" for line in lines), delimiter=delimiter))
        except csv.Error:
            continue
        sizes = [len(row) for row in (rows[:-1] if more else rows) if row]
        if len(sizes) < _ROWS_LEAST:
            continue
        (width, count), *_ = Counter(sizes).most_common(1)
        if width > 1 and count >= _UNIFORM * len(sizes):
            ragged = len(sizes) - count
            return Detected("csv", f"{ragged} of the first {len(sizes)} rows are ragged" if ragged else "")
    return None
