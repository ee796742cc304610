"""How sections are named: heading paths, ordinals, slugs and ids, and which sections those names fit."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from insitu.errors import AmbiguousError, InsituError, NoMatchError, RequestError
from insitu.formats.markdown_keys import text_key
from insitu.formats.markdown_titles import normalized, slug

if TYPE_CHECKING:
    from insitu.views.markdown_outline import Outline

CANDIDATES_MAX: Final = 8

# Titles that are looked through for similar ones.
_SIMILAR_AMONG: Final = 2_000

_ID: Final = re.compile(r"L([1-6]):(.*):([0-9a-f]{16})@([0-9]+)")
_ORDINAL: Final = re.compile(r"(?<!\\)\[([0-9]+)\]\Z")
_PART: Final = re.compile(r"((?:\\.|[^\\/])*)(?:/|\Z)", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\([/\\\[#])")

Address = str | Sequence[str]


class Path(NamedTuple):
    """A parsed heading path.

    Args:
        titles: normalised, the section's own last.
        ordinal: which of the sections that fit, from 1; None: there must be one.
    """

    titles: tuple[str, ...]
    ordinal: int | None = None


class Names:
    """Finds the sections of one outline by name.

    Args:
        title_of: the title of the heading of an index, as it is written.
        id_of: its stable id.
    """

    def __init__(
        self, outline: Outline, title_of: Callable[[int], str], id_of: Callable[[int], str], path: str
    ) -> None:
        self._outline = outline
        self._title_of = title_of
        self._id_of = id_of
        self._path = path

    def find(self, address: Address, level: int | None = None) -> int:
        """The one section that an address names.

        Raises:
            NoMatchError: there is none; the hint names similar ones.
            AmbiguousError: there are several; the candidates are addresses that name each of them.
        """
        if isinstance(address, str) and (parsed := _ID.fullmatch(address)):
            found = self._by_id(address, parsed)
        elif isinstance(address, str) and address.startswith("#"):
            found = self._by_slug(address[1:])
        else:
            path = parse(address)
            found = self._by_path(path.titles)
            if path.ordinal is not None and found:
                if not 1 <= path.ordinal <= len(found):
                    raise self._missing(address, found)
                found = [found[path.ordinal - 1]]
        if level is not None:
            found = [index for index in found if self._outline.levels[index] == level]
        if len(found) == 1:
            return found[0]
        raise self._ambiguous(address, found) if found else self._missing(address, self._similar(address))

    def address(self, index: int) -> str:
        """An address that names only this section: its path, with an ordinal where that is not enough."""
        chain = self._outline.ancestors(index)
        titles = [self._title_of(ancestor) for ancestor in chain]
        if not normalized(titles[-1]):  # it is empty, or nothing but tags
            return self._id_of(index)
        path = "/".join(map(escaped, titles))
        fitting = self._by_path(tuple(map(normalized, titles)))
        return path if len(fitting) == 1 else f"{path}[{fitting.index(index) + 1}]"

    def fitting(self, titles: Sequence[str]) -> list[int]:
        """The sections whose path ends with these titles, in order."""
        return self._by_path(tuple(map(normalized, titles)))

    def slug(self, index: int) -> str:
        """The name GitHub links to a section by, with the number that tells it from earlier ones."""
        return self._slugs(int(self._outline.families[index]))[index]

    def _by_path(self, titles: tuple[str, ...]) -> list[int]:
        outline = self._outline
        found = self._keyed(outline.keys, text_key(titles[-1])[0])
        return [index for index in found if self._fits(index, titles)]

    def _fits(self, index: int, titles: tuple[str, ...]) -> bool:
        for title in reversed(titles):
            if index < 0 or normalized(self._title_of(index)) != title:
                return False
            index = self._outline.parent(index)
        return True

    def _by_slug(self, name: str) -> list[int]:
        return [index for index, own in self._slugs(text_key(name)[1]).items() if own == name]

    def _slugs(self, family: int) -> dict[int, str]:
        """The slugs of a family of titles; none depends on a title outside of it."""
        numbered = Slugs()
        return {
            index: numbered.next(self._title_of(index))
            for index in self._keyed(self._outline.families, family)
        }

    def _by_id(self, address: str, parsed: re.Match[str]) -> list[int]:
        import numpy as np

        outline = self._outline
        index = int(np.searchsorted(outline.starts, int(parsed[4])))
        name = address[: address.rindex("@")]
        if index < len(outline) and self._id_of(index) == address:
            return [index]
        alike = self._keyed(outline.keys, text_key(parsed[2])[0])
        return [index for index in alike if self._id_of(index).rpartition("@")[0] == name]

    @staticmethod
    def _keyed(column: object, wanted: int) -> list[int]:
        import numpy as np

        return [int(index) for index in np.flatnonzero(column == wanted)]

    def _similar(self, address: Address) -> list[int]:
        """Sections that may have been meant."""
        if isinstance(address, str) and (address.startswith("#") or _ID.fullmatch(address)):
            wanted = normalized(address.strip("#").replace("-", " "))
        else:
            titles = parse(address).titles
            wanted = titles[-1]
            if len(titles) > 1 and (found := self._by_path(titles[-1:])):
                return found
            # A title that holds a slash, or a number in brackets, given as it stands in the document.
            if isinstance(address, str) and (found := self._by_path((normalized(address),))):
                return found
        known: dict[str, int] = {}
        for index in range(min(len(self._outline), _SIMILAR_AMONG)):
            known.setdefault(normalized(self._title_of(index)), index)
        return [known[title] for title in difflib.get_close_matches(wanted, known, CANDIDATES_MAX)]

    def _missing(self, address: Address, others: list[int]) -> InsituError:
        candidates = [self.address(index) for index in islice(others, CANDIDATES_MAX)]
        return NoMatchError(
            f"There is no section {shown(address)} in {self._path}; nothing was changed.",
            hint="Did you mean one of these?" if candidates else "List the sections: insitu md outline FILE",
            candidates=candidates,
        )

    def _ambiguous(self, address: Address, found: list[int]) -> InsituError:
        candidates = [self.address(index) for index in islice(found, CANDIDATES_MAX)]
        more = "" if len(found) <= CANDIDATES_MAX else f" The first {CANDIDATES_MAX} are listed."
        return AmbiguousError(
            f"{len(found)} sections of {self._path} fit {shown(address)}; nothing was changed.{more}",
            hint="Give one of these addresses.",
            candidates=candidates,
            count=len(found),
        )


class Slugs:
    """Gives out slugs as GitHub does, in the order of the document: a number for one that is taken."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def next(self, title: str) -> str:
        """The slug of the next heading."""
        base = name = slug(title)
        while name in self._counts:
            self._counts[base] += 1
            name = f"{base}-{self._counts[base]}"
        self._counts[name] = 0
        return name


def parse(address: Address) -> Path:
    """The path that an address gives: ``Parent/Child[2]``, or titles one by one, taken as they are.

    Raises:
        RequestError: it is empty.
    """
    if not isinstance(address, str):
        titles = tuple(map(normalized, address))
        ordinal = None
    else:
        found = _ORDINAL.search(address)
        ordinal = int(found[1]) if found else None
        text = address[: found.start()] if found else address
        parts = [match[1] for match in _PART.finditer(text)][: text_parts(text)]
        titles = tuple(normalized(_ESCAPED.sub(r"\1", part)) for part in parts)
    if not titles or not any(titles):
        raise RequestError(
            f"{shown(address)} names no section.", hint='For example: "Parent/Child", "#slug".'
        )
    return Path(titles, ordinal)


def text_parts(text: str) -> int:
    """How many titles a path has: one more than it has slashes that are not escaped."""
    return len(re.findall(r"(?<!\\)(?:\\\\)*/", text)) + 1


def escaped(title: str) -> str:
    """A title as a part of a path."""
    text = title.replace("\\", "\\\\").replace("/", "\\/")
    text = re.sub(r"\[([0-9]+)\]\Z", r"\\[\1]", text)
    return "\\" + text if text.startswith("#") else text


def shown(address: Address) -> str:
    """An address for a message."""
    return repr(address if isinstance(address, str) else "/".join(map(escaped, address)))
