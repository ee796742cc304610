"""Conditions that are not compiled: carried out row by row by SQLite, in memory.

Each column is given to SQLite as a number (``n0``: an INTEGER or REAL; NULL where it is none) and as a text
(``t0``), and each place of the condition asks for the one it means. With that said, SQLite decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from insitu.errors import ConditionError
from insitu.formats.condition_batch import Batch
from insitu.formats.condition_syntax import (
    SIGNS,
    Kind,
    bare,
    class_of,
    column_name,
    common_kind,
    joined,
    kind_of,
    literal_of,
    not_allowed,
)

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

    from insitu.formats.cells import Column, Mask

Value = int | float | bytes | None

# A text of more bytes is refused: what a condition builds must not fill the memory.
TEXT_MAX_BYTES: Final = 16 << 20

# What the parts of an expression are read as, by sqlglot's names for expressions and parts.
_OPERANDS: Final = ("this", "expression")
_PARTS: Final[dict[str, dict[str, Kind]]] = {
    **{name: dict.fromkeys(_OPERANDS, "number") for name in ("Add", "Sub", "Mul", "Div", "Mod", "Neg")},
    "Abs": {"this": "number"},
    "Sign": {"this": "number"},
    "Round": {"this": "number", "decimals": "number"},
    **{name: dict.fromkeys(_OPERANDS, "text") for name in ("DPipe", "Like", "Glob", "Trim")},
    "Lower": {"this": "text"},
    "Upper": {"this": "text"},
    "Length": {"this": "text"},
    "StrPosition": {"this": "text", "substr": "text"},
    "Substring": {"this": "text", "start": "number", "length": "number"},
    "Date": {"this": "text"},
    "TimeToStr": {"this": "text", "format": "text"},
    "TsOrDsToTimestamp": {"this": "text"},
    "Anonymous": {"expressions": "text"},
    "Cast": {"this": "text"},
    "Escape": {"this": "truth", "expression": "text"},
    **{name: dict.fromkeys(_OPERANDS, "truth") for name in ("And", "Or", "Not")},
}
_BRANCHES: Final = ("Coalesce", "Nullif", "Least", "Greatest", "If", "Case")


@dataclass(frozen=True, slots=True)
class SqlPredicate:
    """Something that SQLite says is true of a row."""

    cost: ClassVar[int] = 100
    sql: str
    columns: dict[str, tuple[str, str]]
    """What each column of SQLite's table holds: a form, and the name of the column."""
    values: tuple[Value, ...]

    def true(self, batch: Batch, rows: Column) -> Mask:
        """Where it is true, for some rows of a batch.

        Raises:
            ConditionError: SQLite cannot carry it out.
        """
        import sqlite3

        import numpy as np

        found = np.zeros(len(rows), np.bool_)
        connection = sqlite3.connect(":memory:", isolation_level=None)
        try:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, TEXT_MAX_BYTES)
            connection.execute(f"CREATE TABLE r ({', '.join(('i INTEGER PRIMARY KEY', *self.columns))})")
            places = ("CAST(? AS TEXT)" if form == "t" else "?" for form, _ in self.columns.values())
            columns = [_form(batch, form, name, rows) for form, name in self.columns.values()]
            connection.execute("BEGIN")
            connection.executemany(
                f"INSERT INTO r VALUES ({', '.join(('?', *places))})",
                zip(range(len(rows)), *columns, strict=True),
            )
            named = {f"p{number}": value for number, value in enumerate(self.values)}
            true = connection.execute(f"SELECT i FROM r WHERE {self.sql}", named).fetchall()
            found[[index for (index,) in true]] = True
        except sqlite3.Error as error:
            raise ConditionError(
                f"SQLite cannot carry out the condition: {error}; nothing was changed.", sql=self.sql
            ) from error
        finally:
            connection.close()
        return found


def _form(batch: Batch, form: str, name: str, rows: Column) -> list[Value]:
    """A column as numbers (``n``) or texts (``t``), for some rows."""
    if form == "n":
        numbers = batch.numbers(name, rows)
        values: list[Value] = numbers.values.tolist()
        for i in (numbers.whole & numbers.known).nonzero()[0].tolist():
            values[i] = numbers.exact(i)
        absent = ~numbers.known
    else:
        texts = batch.texts(name, rows)
        data, stops = texts.data.data, (texts.starts + texts.sizes).tolist()
        values = [bytes(data[start:stop]) for start, stop in zip(texts.starts.tolist(), stops, strict=True)]
        absent = batch.null(name, rows)
    for i in absent.nonzero()[0].tolist():
        values[i] = None
    return values


def sql_predicate(node: Expr, negated: bool) -> SqlPredicate:
    """What SQLite carries out for a condition, or for its opposite.

    Raises:
        ConditionError: it mixes kinds of values, or holds what a condition may not.
    """
    from sqlglot import exp

    reading = _Reading()
    tree = reading.read(node, "truth")
    if negated:
        tree = exp.Not(this=exp.Paren(this=tree))
    return SqlPredicate(tree.sql(dialect="sqlite"), reading.columns, tuple(reading.values))


class _Reading:
    """Writes a condition anew, with each column as the number or text that its place asks for."""

    def __init__(self) -> None:
        self.columns: dict[str, tuple[str, str]] = {}
        self._numbers: dict[str, int] = {}
        self.values: list[Value] = []

    def read(self, node: Expr, wanted: Kind) -> Expr:
        """An expression as a value of one kind; ``any`` is a number where it is one, else a text."""
        from sqlglot import exp

        name = class_of(node)
        if wanted in ("number", "truth") and kind_of(node) == "text":
            raise ConditionError(
                f"{node.sql(dialect='sqlite')} is a text where a number is needed; nothing was changed.",
                hint="Write numbers bare; CAST(... AS REAL) makes a number of a text.",
            )
        if isinstance(node, exp.Column):
            return self._column(column_name(node), wanted)
        if isinstance(node, exp.Literal):
            return self._value(literal_of(node))
        if isinstance(node, exp.Null):
            return exp.Null()
        if isinstance(node, exp.Boolean):
            return exp.Literal.number(int(node.this))
        if isinstance(node, exp.Paren):
            return exp.Paren(this=self.read(node.this, wanted))
        if name in SIGNS or name in ("NullSafeEQ", "NullSafeNEQ"):
            return self._comparison(node)
        if name == "In":
            return self._membership(node)
        if name == "Between":
            low = exp.GTE(this=node.this.copy(), expression=node.args["low"].copy())
            high = exp.LTE(this=node.this.copy(), expression=node.args["high"].copy())
            return exp.Paren(this=self.read(exp.And(this=low, expression=high), "truth"))
        if name == "Is":
            truth = isinstance(node.expression, exp.Boolean)
            return exp.Paren(
                this=exp.Is(
                    this=exp.Paren(this=self.read(node.this, "truth" if truth else "any")),
                    expression=node.expression.copy(),
                )
            )
        if name in _BRANCHES:
            return self._branches(node, wanted)
        return self._parts(node)

    def _column(self, name: str, wanted: Kind) -> Expr:
        import sqlglot

        index = self._numbers.setdefault(name, len(self._numbers))
        for form in {"number": "n", "text": "t"}.get(wanted, "nt"):
            self.columns[f"{form}{index}"] = form, name
        sql = {
            "number": "n{0}",
            "text": "t{0}",
            "truth": "(CASE LOWER(t{0}) WHEN 'true' THEN 1 WHEN 'false' THEN 0 ELSE n{0} END)",
        }.get(wanted, "COALESCE(n{0}, t{0})")
        return sqlglot.parse_one(sql.format(index), dialect="sqlite")

    def _value(self, value: int | float | str | None) -> Expr:
        """A placeholder: SQLite neither rounds a number of ours, nor minds the bytes of a text."""
        from sqlglot import exp

        text = isinstance(value, str)
        self.values.append(value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value)
        place = exp.Placeholder(this=f"p{len(self.values) - 1}")
        return exp.cast(place, "text", dialect="sqlite") if text else place

    def _parts(self, node: Expr) -> Expr:
        """An expression all of whose parts are known."""
        wanted = _PARTS.get(class_of(node), {})
        parts: dict[str, object] = {}
        for name, part in node.args.items():
            some = part if isinstance(part, list) else [part]
            if name in wanted:
                read = [self.read(one, wanted[name]) for one in some if one is not None]
                parts[name] = read if isinstance(part, list) else next(iter(read), None)
            elif name == "to" or not any(hasattr(one, "args") for one in some):
                parts[name] = part
            else:
                raise not_allowed(node)
        return type(node)(**parts)

    def _comparison(self, node: Expr) -> Expr:
        from sqlglot import exp

        left, right = node.this, node.expression
        kind = common_kind(node, left, right)
        if kind != "any":
            return self._compared(type(node), left, right, kind)
        if not all(isinstance(bare(side), exp.Column | exp.Null) for side in (left, right)):
            raise ConditionError(
                f"{node.sql(dialect='sqlite')} does not tell whether numbers or texts are compared; nothing "
                "was changed.",
                hint="Say it: CAST(... AS REAL) or CAST(... AS TEXT).",
            )
        both = [
            exp.Not(this=exp.Is(this=self._number(side), expression=exp.Null())) for side in (left, right)
        ]
        numbers = exp.If(
            this=exp.And(this=both[0], expression=both[1]),
            true=self._compared(type(node), left, right, "number"),
        )
        return exp.Case(ifs=[numbers], default=self._compared(type(node), left, right, "text"))

    def _number(self, node: Expr) -> Expr:
        from sqlglot import exp

        return exp.Paren(this=self.read(node, "number"))

    def _compared(self, sign: type[Expr], left: Expr, right: Expr, kind: Kind) -> Expr:
        from sqlglot import exp

        sides = [exp.Paren(this=self.read(side, kind)) for side in (left, right)]
        return exp.Paren(this=sign(this=sides[0], expression=sides[1]))

    def _membership(self, node: Expr) -> Expr:
        """``x IN (...)`` as comparisons: the members may be of several kinds."""
        from sqlglot import exp

        if any(value for name, value in node.args.items() if name not in ("this", "expressions")):
            raise not_allowed(node)
        found: Expr = exp.Literal.number(0)
        for member in node.expressions:
            same = exp.EQ(this=node.this.copy(), expression=member.copy())
            found = exp.Or(this=found, expression=self._comparison(same))
        return exp.Paren(this=found)

    def _branches(self, node: Expr, wanted: Kind) -> Expr:
        from sqlglot import exp

        if wanted == "any":
            kind = kind_of(node)
            wanted = kind if kind in ("number", "text") else "any"
        if isinstance(node, exp.Case):
            subject = node.args.get("this")
            ifs = []
            for part in node.args["ifs"]:
                asked = part.this
                if subject is not None:
                    asked = exp.EQ(this=subject.copy(), expression=asked.copy())
                answer = self.read(part.args["true"], wanted)
                ifs.append(exp.If(this=self.read(asked, "truth"), true=answer))
            last = node.args.get("default")
            return exp.Case(ifs=ifs, default=None if last is None else self.read(last, wanted))
        if isinstance(node, exp.If):
            last = node.args.get("false")
            answer = self.read(node.args["true"], wanted)
            ifs = [exp.If(this=self.read(node.this, "truth"), true=answer)]
            return exp.Case(ifs=ifs, default=None if last is None else self.read(last, wanted))
        if isinstance(node, exp.Nullif):
            if wanted == "any":
                joined_kind = joined(node.this, node.expression)
                wanted = joined_kind if joined_kind in ("number", "text") else "any"
            return exp.Nullif(
                this=self.read(node.this, wanted), expression=self.read(node.expression, wanted)
            )
        parts = [self.read(part, wanted) for part in node.expressions]
        return type(node)(this=self.read(node.this, wanted), expressions=parts)
