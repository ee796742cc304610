"""The SQL of conditions: parsed by sqlglot, checked against what a condition may hold, its types told.

Columns have no type. What they are compared with says how they are read: next to a number as a number,
next to a text as a text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

from insitu.errors import ConditionError
from insitu.formats.condition_numbers import number_of

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

Kind = Literal["number", "text", "truth", "any", "null", "mixed"]

# By the names of sqlglot's classes: nothing of sqlglot is imported before a condition is parsed.
SIGNS: Final = {"EQ": "=", "NEQ": "<>", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}
ARITHMETIC: Final = {"Add": "+", "Sub": "-", "Mul": "*", "Div": "/"}

_NUMBERS: Final = frozenset((*ARITHMETIC, "Neg", "Mod", "Abs", "Round", "Sign", "Length", "StrPosition"))
_TEXTS: Final = frozenset(("DPipe", "Lower", "Upper", "Trim", "Substring", "Date", "TimeToStr"))
_TRUTHS: Final = frozenset(
    {*SIGNS, "And", "Or", "Not", "In", "Between", "Like", "Glob", "Escape", "Is"}
    | {"NullSafeEQ", "NullSafeNEQ", "Boolean"}
)
_BRANCHES: Final = frozenset(("Coalesce", "Nullif", "Least", "Greatest", "If", "Case"))
_DATES: Final = {"DATE": "text", "TIME": "text", "DATETIME": "text", "JULIANDAY": "number"}
_CASTS: Final = {"INT": "number", "BIGINT": "number", "DOUBLE": "number", "FLOAT": "number", "TEXT": "text"}
_OTHERS: Final = frozenset(
    ("Column", "Identifier", "Literal", "Null", "Paren", "Cast", "DataType", "Anonymous", "TsOrDsToTimestamp")
)


def parse(text: str) -> Expr:
    """The tree of a condition.

    Raises:
        ConditionError: it does not parse (the message shows where), or holds what a condition may not.
    """
    import sqlglot
    from sqlglot import errors, exp

    try:
        tree = sqlglot.parse_one(text, into=exp.Condition, dialect="sqlite")
    except errors.ParseError as error:
        raise _not_parsed(text, error.errors[0] if error.errors else {}) from None
    except errors.TokenError:
        raise _refused(text, len(text), "a quote or comment is never closed") from None
    except RecursionError:
        raise ConditionError("The condition is nested too deeply; nothing was changed.") from None
    for node in tree.walk():
        if class_of(node) not in _NUMBERS | _TEXTS | _TRUTHS | _BRANCHES | _OTHERS:
            raise not_allowed(node)
    if next(tree.find_all(exp.Column), None) is None:
        raise ConditionError(
            f"The condition {text!r} names no column; nothing was changed.",
            hint="Columns are written bare or in double quotes, texts in single quotes.",
        )
    return tree.transform(_with_not, copy=False)


def _with_not(node: Expr) -> Expr:
    """``a NOT LIKE b``, which sqlglot keeps as one thing, as ``NOT (a LIKE b)``."""
    from sqlglot import exp

    like = node.this if isinstance(node, exp.Escape) else node
    if not isinstance(like, exp.Like | exp.Glob) or not like.args.get("negate"):
        return node
    like.set("negate", None)
    return exp.Not(this=exp.Paren(this=node))


def columns_of(tree: Expr) -> Iterator[str]:
    """Yields the name of each column, in the order they are written, once each."""
    from sqlglot import exp

    seen: set[str] = set()
    for node in tree.walk(bfs=False):
        if isinstance(node, exp.Column) and (name := column_name(node)) not in seen:
            seen.add(name)
            yield name


def column_name(node: Expr) -> str:
    """The name of a column; ``a.b`` is the column of that name."""
    return ".".join(part.name for part in node.parts)  # type: ignore[attr-defined]


def class_of(node: Expr) -> str:
    """The name of a node's class."""
    return type(node).__name__


def bare(node: Expr) -> Expr:
    """A node without the parentheses around it."""
    from sqlglot import exp

    while isinstance(node, exp.Paren):
        node = node.this
    return node


def literal_of(node: Expr) -> int | float | str | None:
    """What a literal, maybe with a minus, stands for; None for everything else."""
    from sqlglot import exp

    node = bare(node)
    if isinstance(node, exp.Neg):
        value = literal_of(node.this)
        return None if value is None or isinstance(value, str) else _negated(value)
    if not isinstance(node, exp.Literal):
        return None
    return node.name if node.is_string else number_of(node.name.encode())


def kind_of(node: Expr) -> Kind:
    """What an expression is: a number, a text, a truth value; ``any`` where columns alone do not tell."""
    from sqlglot import exp

    node = bare(node)
    name = class_of(node)
    if name in _NUMBERS:
        return "number"
    if name in _TEXTS:
        return "text"
    if name in _TRUTHS:
        return "truth"
    if isinstance(node, exp.Literal):
        return "text" if node.is_string else "number"
    if isinstance(node, exp.Null):
        return "null"
    if isinstance(node, exp.Cast):
        if node.to.this.value not in _CASTS:
            raise not_allowed(node)
        return "number" if _CASTS[node.to.this.value] == "number" else "text"
    if isinstance(node, exp.Anonymous):
        if node.name.upper() not in _DATES:
            raise not_allowed(node)
        return "number" if _DATES[node.name.upper()] == "number" else "text"
    if name in _BRANCHES:
        return joined(*branches_of(node))
    return "any"


def joined(*nodes: Expr) -> Kind:
    """The kind that several expressions have together; ``mixed`` where they disagree."""
    kinds = {kind_of(node) for node in nodes} - {"any", "null"}
    if len(kinds) > 1:
        return "mixed"
    return kinds.pop() if kinds else "any"


def common_kind(whole: Expr, *nodes: Expr) -> Kind:
    """As ``joined``, for what is compared.

    Raises:
        ConditionError: a number is compared with a text, or a truth value with either.
    """
    kind = joined(*nodes)
    if kind == "mixed":
        raise ConditionError(
            f"{whole.sql(dialect='sqlite')} compares different kinds of values; nothing was changed.",
            hint="Write numbers bare and texts in single quotes; CAST(... AS REAL) makes a number of a text. "
            "Several comparisons are joined by AND: 1 < a AND a < 3.",
        )
    return kind


def branches_of(node: Expr) -> list[Expr]:
    """The parts of an expression of which one is its value."""
    from sqlglot import exp

    if isinstance(node, exp.Case):
        last = node.args.get("default")
        return [part.args["true"] for part in node.args["ifs"]] + ([last] if last is not None else [])
    if isinstance(node, exp.If):
        last = node.args.get("false")
        return [node.args["true"]] + ([last] if last is not None else [])
    if isinstance(node, exp.Nullif):
        return [node.this, node.expression]
    return [node.this, *node.expressions]


def not_allowed(node: Expr) -> ConditionError:
    """The error for what a condition may not hold."""
    return ConditionError(
        f"A condition cannot hold {node.sql(dialect='sqlite')[:80]!r}; nothing was changed.",
        hint="Comparisons, IN, BETWEEN, LIKE, GLOB, IS NULL, AND, OR, NOT, arithmetic, CASE, CAST and "
        "SQLite's functions of texts, numbers and dates can be used; subqueries cannot.",
    )


def _negated(value: int | float) -> int | float:
    # One INTEGER has no positive counterpart that is one, too.
    return -(1 << 63) if value == float(1 << 63) else -value


def _not_parsed(text: str, error: dict[str, object]) -> ConditionError:
    found = str(error.get("highlight") or "")
    place = len(str(error.get("start_context") or ""))
    line, column = int(str(error.get("line") or 1)), int(str(error.get("col") or 0))
    lines = text.splitlines() or [""]
    place = sum(len(one) + 1 for one in lines[: line - 1]) + max(column - len(found), 0)
    if str(error.get("description")).startswith("Required"):
        return _refused(text, min(place, len(text)), f"something is missing at {found!r}")
    said = str(error.get("description") or "it is empty").splitlines()[0]
    said = said.replace("Invalid expression / Unexpected token", f"{found!r} is not expected here")
    return _refused(text, min(place, len(text)), said)


def _refused(text: str, place: int, said: str) -> ConditionError:
    """The error with the line of the condition, and a mark under the place."""
    before = text[:place].rpartition("\n")[2]
    line = before + text[place:].partition("\n")[0]
    return ConditionError(
        f"The condition does not parse, {said}; nothing was changed.\n  {line}\n  {' ' * len(before)}^",
        hint="For example: status = 'pending' AND value > 1000. Names with spaces, or that SQL knows as "
        'words of its own, stand in double quotes: "unit price".',
        condition=text,
        place=place,
    )
