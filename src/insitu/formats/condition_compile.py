"""Conditions compiled to predicates over columns of rows.

``NOT`` is pushed down to the comparisons, which turn around: ``NOT (a < 1)`` is ``a >= 1``, of NULL as
little true as the one before. A comparison that is not known here becomes a predicate that SQLite
carries out, the rest of the condition stays compiled.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from insitu.formats.condition_predicates import (
    All,
    Any_,
    Calculated,
    CompareColumns,
    CompareNumbers,
    CompareTexts,
    CompareTruth,
    IsNull,
    Length,
    Like,
    Never,
    NumberAmong,
    NumberColumn,
    NumberConstant,
    NumberValue,
    Predicate,
    TextAmong,
    TextColumn,
)
from insitu.formats.condition_sql import sql_predicate
from insitu.formats.condition_syntax import (
    ARITHMETIC,
    SIGNS,
    bare,
    class_of,
    column_name,
    common_kind,
    kind_of,
    literal_of,
)

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

    from insitu.formats.condition_texts import Case

_OPPOSITE: Final = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_TURNED: Final = {"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}


def compiled(node: Expr, negated: bool = False) -> Predicate:
    """The predicate for a condition, or for its opposite.

    Raises:
        ConditionError: it mixes kinds of values, or holds what a condition may not.
    """
    from sqlglot import exp

    node = bare(node)
    while isinstance(node, exp.Not):
        node, negated = bare(node.this), not negated
    if isinstance(node, exp.And | exp.Or):
        parts = tuple(compiled(part, negated) for part in node.flatten())
        every = isinstance(node, exp.And) != negated
        parts = _gathered(parts, negated=every)
        if len(parts) == 1:
            return parts[0]
        return All(parts) if every else Any_(parts)
    if isinstance(node, exp.Between):
        low = exp.GTE(this=node.this.copy(), expression=node.args["low"].copy())
        high = exp.LTE(this=node.this.copy(), expression=node.args["high"].copy())
        return compiled(exp.And(this=low, expression=high), negated)
    return _leaf(node, negated) or sql_predicate(node, negated)


def _gathered(parts: tuple[Predicate, ...], *, negated: bool) -> tuple[Predicate, ...]:
    """Alternatives ``a = 1 OR a = 2 ...`` as ``a IN (1, 2, ...)``, or their opposites joined by AND.

    Programs write hundreds of them.
    """
    sign = "<>" if negated else "="
    numbers: dict[NumberValue, list[int | float]] = {}
    texts: dict[TextColumn, list[bytes]] = {}
    others: list[Predicate] = []
    for part in parts:
        match part:
            case CompareNumbers(sign=found, left=value, right=NumberConstant(member)) if found == sign:
                numbers.setdefault(value, []).append(member)
            case CompareTexts(sign=found, left=text, right=bytes(member)) if found == sign:
                texts.setdefault(text, []).append(member)
            case _:
                others.append(part)
    gathered: list[Predicate] = [
        NumberAmong(value, tuple(members), negated) for value, members in numbers.items()
    ]
    gathered += [TextAmong(text, tuple(members), negated) for text, members in texts.items()]
    return (*gathered, *others)


def _leaf(node: Expr, negated: bool) -> Predicate | None:
    """The predicate for what has no parts that are conditions; None where there is none."""
    from sqlglot import exp

    name = class_of(node)
    if name in SIGNS:
        sign = _OPPOSITE[SIGNS[name]] if negated else SIGNS[name]
        return _comparison(node, sign, bare(node.this), bare(node.expression))
    if isinstance(node, exp.Column):
        return CompareTruth("=" if negated else "<>", column_name(node), 0)
    if isinstance(node, exp.Is) and isinstance(bare(node.this), exp.Column):
        column = column_name(bare(node.this))
        if isinstance(node.expression, exp.Null):
            return IsNull(column, negated)
        return CompareTruth("<>" if node.expression.this else "=", column, 0) if not negated else None
    if isinstance(node, exp.In):
        return _membership(node, negated)
    if isinstance(node, exp.Like | exp.Escape | exp.Glob):
        return _pattern(node, negated)
    return None


def _comparison(node: Expr, sign: str, left: Expr, right: Expr) -> Predicate | None:
    from sqlglot import exp

    kind = common_kind(node, left, right)
    if "null" in (kind_of(left), kind_of(right)):
        return Never()
    if kind == "number":
        numbers = _number(left), _number(right)
        if numbers[0] is None or numbers[1] is None:
            return None
        return CompareNumbers(sign, numbers[0], numbers[1])
    if isinstance(right, exp.Column) and not isinstance(left, exp.Column):
        left, right, sign = right, left, _TURNED[sign]
    if kind == "truth" and isinstance(left, exp.Column) and isinstance(right, exp.Boolean):
        return CompareTruth(sign, column_name(left), int(bool(right.this)))
    if kind == "any" and isinstance(left, exp.Column) and isinstance(right, exp.Column):
        return CompareColumns(sign, column_name(left), column_name(right))
    if kind == "text":
        if _text(left) is None:
            left, right, sign = right, left, _TURNED[sign]
        text, other = _text(left), _literal_text(right) or _text(right)
        other = b"" if literal_of(right) == "" else other
        return None if text is None or other is None else CompareTexts(sign, text, other)
    return None


def _number(node: Expr) -> NumberValue | None:
    """What reads a number for each row; None where only SQLite does."""
    from sqlglot import exp

    node = bare(node)
    literal = literal_of(node)
    if literal is not None:
        return None if isinstance(literal, str) else NumberConstant(literal)
    if isinstance(node, exp.Column):
        return NumberColumn(column_name(node))
    if isinstance(node, exp.Neg):
        value = _number(node.this)
        return None if value is None else Calculated("-", NumberConstant(0), value)
    if class_of(node) in ARITHMETIC:
        left, right = _number(node.this), _number(node.expression)
        if left is None or right is None:
            return None
        return Calculated(ARITHMETIC[class_of(node)], left, right)
    if isinstance(node, exp.Length) and not node.args.get("binary"):
        text = _text(node.this)
        return None if text is None else Length(text)
    return None


def _text(node: Expr) -> TextColumn | None:
    """What reads a text for each row; None where only SQLite does."""
    from sqlglot import exp

    node = bare(node)
    if isinstance(node, exp.Column):
        return TextColumn(column_name(node))
    if isinstance(node, exp.Lower | exp.Upper) and isinstance(bare(node.this), exp.Column):
        case: Case = "lower" if isinstance(node, exp.Lower) else "upper"
        return TextColumn(column_name(bare(node.this)), case)
    return None


def _literal_text(node: Expr) -> bytes | None:
    literal = literal_of(node)
    return literal.encode("utf-8", "surrogateescape") if isinstance(literal, str) else None


def _membership(node: Expr, negated: bool) -> Predicate | None:
    from sqlglot import exp

    if any(value for name, value in node.args.items() if name not in ("this", "expressions")):
        return None
    members = [bare(member) for member in node.expressions]
    if negated and any(isinstance(member, exp.Null) for member in members):
        return Never()
    members = [member for member in members if not isinstance(member, exp.Null)]
    literals = [literal_of(member) for member in members]
    if not literals or any(literal is None for literal in literals):
        return None
    for member in members:
        common_kind(node, node.this, member)
    numbers = tuple(literal for literal in literals if isinstance(literal, int | float))
    texts = tuple(t.encode("utf-8", "surrogateescape") for t in literals if isinstance(t, str))
    parts: list[Predicate] = []
    if numbers:
        if (value := _number(node.this)) is None:
            return None
        parts.append(NumberAmong(value, numbers, negated))
    if texts:
        if (text := _text(node.this)) is None:
            return None
        parts.append(TextAmong(text, texts, negated))
    if len(parts) == 1:
        return parts[0]
    return All(tuple(parts)) if negated else Any_(tuple(parts))


def _pattern(node: Expr, negated: bool) -> Predicate | None:
    """``LIKE`` with a pattern that is a literal, and ``GLOB`` with one that has no wildcard but ``*``."""
    from sqlglot import exp

    escape = ""
    if isinstance(node, exp.Escape):
        escape = str(literal_of(node.expression) or "")
        node = node.this
        if len(escape) != 1 or not isinstance(node, exp.Like):
            return None
    text, pattern = _text(node.this), literal_of(node.expression)
    if text is None or not isinstance(pattern, str):
        return None
    if isinstance(node, exp.Glob):
        if "?" in pattern or "[" in pattern:
            return None
        glob = tuple((part.encode("utf-8", "surrogateescape"),) for part in pattern.split("*"))
        return Like(text, glob, negated)
    if escape and pattern.endswith(escape):
        return None
    parts = tuple(_joined(part) for part in _like_parts(pattern, escape))
    return Like(TextColumn(text.name, "lower"), parts, negated)


def _like_parts(pattern: str, escape: str) -> list[list[str | None]]:
    """The characters between the ``%`` of a pattern; None stands for any one."""
    parts: list[list[str | None]] = [[]]
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            parts[-1].append(next(characters))
        elif character == "%":
            parts.append([])
        else:
            parts[-1].append(None if character == "_" else character)
    return parts


def _joined(part: Iterable[str | None]) -> tuple[bytes | None, ...]:
    """Neighbouring characters together as bytes in lower case."""
    joined: list[bytes | None] = []
    for character in part:
        if character is None or not joined or joined[-1] is None:
            joined.append(None if character is None else b"")
        if character is not None:
            joined[-1] = (joined[-1] or b"") + character.encode("utf-8", "surrogateescape").lower()
    return tuple(joined)
