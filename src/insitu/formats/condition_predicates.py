"""Predicates over batches of rows: what a condition is compiled to.

A predicate says where it is true. That is enough: NOT is pushed down to what can be asked the other way
round, and with AND and OR alone it makes no difference whether something is false or NULL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from insitu.formats.condition_batch import Batch
from insitu.formats.condition_numbers import (
    COMPARE,
    Numbers,
    calculate,
    compare_numbers,
    constant_number,
)
from insitu.formats.condition_texts import (
    Case,
    Constant,
    Texts,
    among,
    characters,
    equal,
    holding,
    order,
)

if TYPE_CHECKING:
    from insitu.formats.cells import Column, Mask


class Predicate(Protocol):
    """Something that is true of a row, or not."""

    @property
    def cost(self) -> int:
        """How long it takes, compared with others; the cheap ones come first."""
        ...

    def true(self, batch: Batch, rows: Column) -> Mask:
        """Where it is true, for some rows of a batch."""
        ...


class NumberValue(Protocol):
    """A number for each row, or NULL."""

    def numbers(self, batch: Batch, rows: Column) -> Numbers:
        """The numbers, for some rows of a batch."""
        ...


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """The numbers in a column."""

    name: str

    def numbers(self, batch: Batch, rows: Column) -> Numbers:
        """The numbers, for some rows of a batch."""
        return batch.numbers(self.name, rows)


@dataclass(frozen=True, slots=True)
class NumberConstant:
    """The same number for each row."""

    value: int | float

    def numbers(self, batch: Batch, rows: Column) -> Numbers:
        """The number, for some rows of a batch."""
        return constant_number(self.value, len(rows))


@dataclass(frozen=True, slots=True)
class Calculated:
    """Two numbers added, subtracted, multiplied or divided."""

    sign: str
    left: NumberValue
    right: NumberValue

    def numbers(self, batch: Batch, rows: Column) -> Numbers:
        """The results, for some rows of a batch."""
        return calculate(self.sign, self.left.numbers(batch, rows), self.right.numbers(batch, rows))


@dataclass(frozen=True, slots=True)
class TextColumn:
    """The texts of a column, its ASCII letters maybe in one case."""

    name: str
    case: Case | None = None

    def texts(self, batch: Batch, rows: Column, sought: tuple[bytes, ...] | None = None) -> Texts:
        """The texts, for some rows of a batch; ``sought`` as for ``Batch.texts``."""
        texts = batch.texts(self.name, rows, sought)
        return texts if self.case is None else texts.in_case(self.case)


@dataclass(frozen=True, slots=True)
class Length:
    """How many characters a text has."""

    text: TextColumn

    def numbers(self, batch: Batch, rows: Column) -> Numbers:
        """The counts, for some rows of a batch."""
        import numpy as np

        texts = self.text.texts(batch, rows)
        known = np.ones(len(rows), np.bool_) if texts.null is None else ~texts.null
        return Numbers(characters(texts).astype(np.float64), known, known, {})


@dataclass(frozen=True, slots=True)
class CompareNumbers:
    """A comparison of two numbers."""

    cost: ClassVar[int] = 3
    sign: str
    left: NumberValue
    right: NumberValue

    def true(self, batch: Batch, rows: Column) -> Mask:
        """Where it is true, for some rows of a batch."""
        return compare_numbers(self.sign, self.left.numbers(batch, rows), self.right.numbers(batch, rows))


@dataclass(frozen=True, slots=True)
class CompareTexts:
    """A comparison of a text with another."""

    cost: ClassVar[int] = 1
    sign: str
    left: TextColumn
    right: TextColumn | bytes

    def true(self, batch: Batch, rows: Column) -> Mask:
        """Where it is true, for some rows of a batch."""
        equality = self.sign in ("=", "<>")
        if isinstance(self.right, bytes):
            left = self.left.texts(batch, rows, (self.right,) if equality else None)
            return compare_texts(self.sign, left, Constant(self.right))
        return compare_texts(self.sign, self.left.texts(batch, rows), self.right.texts(batch, rows))


def compare_texts(sign: str, left: Texts, right: Texts | Constant) -> Mask:
    """Where ``left sign right`` is true; false where one is null."""
    if sign == "=":
        return equal(left, right)
    found: Mask = ~equal(left, right) if sign == "<>" else COMPARE[sign](order(left, right), 0)
    for side in (left, right):
        if side.null is not None:
            found &= ~side.null
    return found


@dataclass(frozen=True, slots=True)
class CompareColumns:
    """A comparison of two columns: of numbers where both are numbers, else of texts."""

    cost: ClassVar[int] = 6
    sign: str
    left: str
    right: str

    def true(self, batch: Batch, rows: Column) -> Mask:
        """Where it is true, for some rows of a batch."""
        import numpy as np

        left, right = batch.numbers(self.left, rows), batch.numbers(self.right, rows)
        found = compare_numbers(self.sign, left, right)
        texts = np.flatnonzero(~(left.known & right.known))
        found[texts] = compare_texts(
            self.sign, batch.texts(self.left, rows[texts]), batch.texts(self.right, rows[texts])
        )
        return found


@dataclass(frozen=True, slots=True)
class NumberAmong:
    """Whether a number is one of several, or none of them."""

    cost: ClassVar[int] = 4
    value: NumberValue
    members: tuple[int | float, ...]
    negated: bool

    def true(self, batch: Batch, rows: Column) -> Mask:
        """Where it is true, for some rows of a batch."""
        import numpy as np

        numbers = self.value.numbers(batch, rows)
        found = np.isin(numbers.values, np.array(self.members, np.float64)) & numbers.known
        for i in np.flatnonzero(found & (np.abs(numbers.values) >= 2**53)).tolist():
            found[i] = numbers.exact(i) in self.members
        return numbers.known & ~found if self.negated else found


@dataclass(frozen=True, slots=True)
class TextAmong:
    """Whether a text is one of several, or none of them."""

    cost: ClassVar[int] = 2
    text: TextColumn
    members: tuple[bytes, ...]
    negated: bool

    def true(self, batch: Batch, rows: Column) -> Mask:
        """Where it is true, for some rows of a batch."""
        texts = self.text.texts(batch, rows, self.members)
        found = among(texts, self.members)
        if not self.negated:
            return found
        return ~found if texts.null is None else ~found & ~texts.null


@dataclass(frozen=True, slots=True)
class IsNull:
    """Whether a column is NULL, or is not."""

    cost: ClassVar[int] = 0
    name: str
    negated: bool

    def true(self, batch: Batch, rows: Column) -> Mask:
        """Where it is true, for some rows of a batch."""
        null = batch.null(self.name, rows)
        return ~null if self.negated else null


@dataclass(frozen=True, slots=True)
class CompareTruth:
    """A comparison of what a column says (``true`` is 1, ``false`` is 0, a number is itself) with 0 or 1."""

    cost: ClassVar[int] = 5
    sign: str
    name: str
    value: int

    def true(self, batch: Batch, rows: Column) -> Mask:
        """Where it is true, for some rows of a batch."""
        compare = COMPARE[self.sign]
        numbers = batch.numbers(self.name, rows)
        texts = batch.texts(self.name, rows).in_case("lower")
        found: Mask = compare(numbers.values, self.value) & numbers.known
        for said, word in enumerate((b"false", b"true")):
            if compare(said, self.value):
                found |= equal(texts, Constant(word))
        return found


@dataclass(frozen=True, slots=True)
class Like:
    """Whether a text is as a pattern says, or is not.

    ``parts`` are what stands between the ``%`` of the pattern; ``None`` in a part is one character (``_``).
    """

    cost: ClassVar[int] = 7
    text: TextColumn
    parts: tuple[tuple[bytes | None, ...], ...]
    negated: bool

    def true(self, batch: Batch, rows: Column) -> Mask:
        """Where it is true, for some rows of a batch."""
        texts = self.text.texts(batch, rows)
        found = self._matches(texts)
        if texts.null is not None:
            found &= ~texts.null
        if not self.negated:
            return found
        return ~found if texts.null is None else ~found & ~texts.null

    def _matches(self, texts: Texts) -> Mask:
        import numpy as np

        if any(None in part for part in self.parts):
            return self._one_by_one(texts, np.arange(len(texts)))
        literals = [b"".join(filter(None, part)) for part in self.parts]
        if len(literals) == 1:
            return equal(texts, Constant(literals[0]))
        first, *middles, last = literals
        found = texts.sizes >= sum(map(len, literals))
        rest = np.flatnonzero(found)
        rest = rest[_starting(texts.at(rest), first)]
        rest = rest[_ending(texts.at(rest), last)]
        middles = [middle for middle in middles if middle]
        if len(middles) == 1:
            rest = rest[holding(texts.at(rest).cut(len(first), len(last)), middles[0])]
        elif middles:
            rest = rest[self._one_by_one(texts, rest)]
        found[:] = False
        found[rest] = True
        return found

    def _one_by_one(self, texts: Texts, rows: Column) -> Mask:
        import numpy as np

        character = rb"(?:[\xc0-\xff][\x80-\xbf]*|[\x00-\x7f\x80-\xbf])"
        parts = [b"".join(character if p is None else re.escape(p) for p in part) for part in self.parts]
        pattern = re.compile(b".*?".join(parts), re.DOTALL)
        return np.array([pattern.fullmatch(texts.raw(i)) is not None for i in rows.tolist()], np.bool_)


def _starting(texts: Texts, prefix: bytes) -> Mask:
    return equal(texts.first(len(prefix)), Constant(prefix))


def _ending(texts: Texts, suffix: bytes) -> Mask:
    return equal(texts.last(len(suffix)), Constant(suffix))


@dataclass(frozen=True, slots=True)
class Never:
    """Never true: a comparison with NULL."""

    cost: ClassVar[int] = 0

    def true(self, batch: Batch, rows: Column) -> Mask:
        """Where it is true: nowhere."""
        import numpy as np

        return np.zeros(len(rows), np.bool_)


@dataclass(frozen=True, slots=True)
class All:
    """Whether all parts are true; each is asked only about the rows that the ones before left over."""

    parts: tuple[Predicate, ...]

    @property
    def cost(self) -> int:
        """How long it takes, compared with others."""
        return sum(part.cost for part in self.parts)

    def true(self, batch: Batch, rows: Column) -> Mask:
        """Where it is true, for some rows of a batch."""
        return _winnowed(self.parts, batch, rows, keep=True)


@dataclass(frozen=True, slots=True)
class Any_:
    """Whether some part is true; each is asked only about the rows that the ones before left over."""

    parts: tuple[Predicate, ...]

    @property
    def cost(self) -> int:
        """How long it takes, compared with others."""
        return sum(part.cost for part in self.parts)

    def true(self, batch: Batch, rows: Column) -> Mask:
        """Where it is true, for some rows of a batch."""
        return ~_winnowed(self.parts, batch, rows, keep=False)


def _winnowed(parts: tuple[Predicate, ...], batch: Batch, rows: Column, *, keep: bool) -> Mask:
    """Where every part answers ``keep``, the cheapest asked first."""
    import numpy as np

    left = np.arange(len(rows))
    for part in sorted(parts, key=lambda part: part.cost):
        if not len(left):
            break
        left = left[part.true(batch, rows[left]) == keep]
    found = np.zeros(len(rows), np.bool_)
    found[left] = True
    return found


def required_texts(predicate: Predicate) -> tuple[bytes, ...] | None:
    """Texts of which some column is one, byte by byte, wherever a predicate is true; None: none are known."""
    match predicate:
        case CompareTexts(sign="=", left=TextColumn(case=None), right=bytes(text)):
            return (text,)
        case TextAmong(text=TextColumn(case=None), members=members, negated=False):
            return tuple(dict.fromkeys(members))
        case All(parts=parts):
            known = [texts for part in parts if (texts := required_texts(part)) is not None]
            return min(known, key=len, default=None)
        case Any_(parts=parts):
            listed = [required_texts(part) for part in parts]
            if any(texts is None for texts in listed):
                return None
            return tuple(dict.fromkeys(text for texts in listed for text in texts or ()))
    return None
