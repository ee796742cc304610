"""Conditions say what SQLite says of the same values, each column given as what it is read as."""

from __future__ import annotations

import json
import sqlite3
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insitu.formats.cells import Cells
from insitu.formats.condition_numbers import number_of, read_numbers
from insitu.formats.conditions import Condition

pytestmark = pytest.mark.slow

COLUMNS = ("a", "b")

NUMBERS = [
    *("0", "1", "-1", "+1", "1.0", "1.5", "-0", "-0.0", "007", "1e3", "1E-2", ".5", "5.", " 2 ", "\t2\n"),
    *("9007199254740992", "9007199254740993", "-9007199254740993", "9223372036854775807"),
    *("9223372036854775808", "-9223372036854775808", "123456789012345678901234567890", "12345678.25"),
    *("1234567890.123456", "0.1", "0.30000000000000004", "-73.98142242431641", "1e999", "-1e999", "99999999"),
    *("100000000", "1234567890123456", "12345678901234567", "000000000000000000001"),
]
NO_NUMBERS = ["", ".", "-", "+", "e", "1e", "1e+", "1.2.3", "--1", "1-", "1 2", "0x10", "1_0", "inf", "nan"]
NO_NUMBERS += ["1,5", "12345678.9.", "1.......2", ".e1", "1e1.5", "TRUE", "false", "null", "n/a", "é1", "1é"]
WORDS = [
    "a",
    "A",
    "b",
    "ab",
    "aB",
    "abc",
    "a_c",
    "a%c",
    "é",
    "É",
    "pending",
    "PENDING",
    "a\nb",
    'a"b',
    '"',
    "'",
]
LONG = ["long text of more than eight bytes", "long text of more than eight bytes!", "x" * 70, "x" * 69 + "y"]
TEXTS = [text.encode() for text in (*NUMBERS, *NO_NUMBERS, *WORDS, *LONG)] + [b"\xff", b"a\x80", b"\xc3a\xa9"]

Value = bytes | None


class Both(NamedTuple):
    """The same expression as a user writes it, and as SQLite is asked."""

    ours: str
    sql: str


def in_parentheses(sign: str, left: Both, right: Both) -> Both:
    return Both(f"({left.ours} {sign} {right.ours})", f"({left.sql} {sign} {right.sql})")


values: st.SearchStrategy[bytes] = st.one_of(
    st.sampled_from(TEXTS),
    st.text("aAbB01.-+eE %_", max_size=20).map(str.encode),
    st.integers(-(2**65), 2**65).map(lambda number: str(number).encode()),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda number: repr(number).encode()),
)
tables = st.lists(st.tuples(*[st.none() | values for _ in COLUMNS]), min_size=1, max_size=12)

SIGNS = st.sampled_from(["=", "<>", "<", "<=", ">", ">=", "==", "!="])
column_names = st.sampled_from(COLUMNS)
# Texts that SQLite, reading them as a literal, takes for the same double as everybody else.
number_literals = st.sampled_from(
    [
        *("0", "1", "2", "-1", "1.5", "0.5", "1000", "7", "1e3", "100000000", "12345678.25"),
        *("9007199254740992", "9007199254740993", "9223372036854775807"),
    ]
).map(lambda text: Both(text, text))
string_literals = (
    st.sampled_from([*WORDS, *LONG, "", "1", "1.0", "\xff"]) | st.text("aAb1'é\"", max_size=9)
).map(lambda text: Both(quoted(text), quoted(text)))


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


number_columns = column_names.map(lambda name: Both(name, f"n_{name}"))
text_columns = column_names.map(lambda name: Both(name, f"t_{name}"))
cased = st.tuples(st.sampled_from(["lower", "UPPER"]), text_columns).map(
    lambda pair: Both(f"{pair[0]}({pair[1].ours})", f"{pair[0]}({pair[1].sql})")
)
lengths = text_columns.map(lambda text: Both(f"length({text.ours})", f"length({text.sql})"))
numbers = st.recursive(
    number_literals | lengths,
    lambda inner: (
        st.tuples(
            st.sampled_from("+-*/"), st.one_of(inner, number_columns), st.one_of(inner, number_columns)
        ).map(lambda three: in_parentheses(*three))
        | st.one_of(inner, number_columns).map(lambda one: Both(f"(- {one.ours})", f"(- {one.sql})"))
    ),
    max_leaves=4,
)
texts = text_columns | cased


@st.composite
def comparisons(draw: st.DrawFn) -> Both:
    sign = draw(SIGNS)
    kind = draw(st.sampled_from(["numbers", "texts", "columns"]))
    if kind == "numbers":
        sides = [draw(numbers), draw(numbers | number_columns)]
    elif kind == "texts":
        sides = [draw(texts), draw(string_literals | cased)]
    else:
        left, right = draw(column_names), draw(column_names)
        return Both(
            f"{left} {sign} {right}",
            f"(CASE WHEN n_{left} IS NOT NULL AND n_{right} IS NOT NULL THEN n_{left} {sign} n_{right} "
            f"ELSE t_{left} {sign} t_{right} END)",
        )
    if draw(st.booleans()):
        sides.reverse()
    return in_parentheses(sign, *sides)


@st.composite
def memberships(draw: st.DrawFn) -> Both:
    name, negated = draw(column_names), draw(st.sampled_from(["", "NOT "]))
    of_numbers = draw(st.lists(number_literals, max_size=4))
    of_texts = draw(st.lists(string_literals, max_size=12))
    if not of_numbers and not of_texts:
        of_numbers = [Both("1", "1")]
    null = [Both("NULL", "NULL")] if draw(st.integers(0, 5)) == 0 else []
    ours = ", ".join(one.ours for one in (*of_numbers, *of_texts, *null))
    groups = [("n", of_numbers), ("t", of_texts)]
    parts = [
        f"{form}_{name} IN ({', '.join(one.sql for one in (*members, *null))})"
        for form, members in groups
        if members
    ]
    # Of a text that is no number, "IN (numbers)" says NULL: neither true nor false.
    return Both(f"{name} {negated}IN ({ours})", f"({negated}({' OR '.join(parts)}))")


@st.composite
def patterns(draw: st.DrawFn) -> Both:
    text = draw(texts)
    negated = draw(st.sampled_from(["", "NOT "]))
    if draw(st.booleans()):
        pattern = quoted(
            draw(st.text("aAbB1%_.é", max_size=8) | st.sampled_from(["%a%", "a%", "%9%", "%", ""]))
        )
        escape = ""
        if draw(st.integers(0, 4)) == 0:
            pattern, escape = quoted(draw(st.sampled_from(["a!%c", "%!_%", "!!%", "a!"]))), " ESCAPE '!'"
        return Both(
            f"{text.ours} {negated}LIKE {pattern}{escape}", f"({text.sql} {negated}LIKE {pattern}{escape})"
        )
    glob = quoted(draw(st.text("aAbB1*?.", max_size=6) | st.sampled_from(["*a*", "[aA]*", "a*", "*"])))
    return Both(f"{text.ours} {negated}GLOB {glob}", f"({text.sql} {negated}GLOB {glob})")


@st.composite
def others(draw: st.DrawFn) -> Both:
    name = draw(column_names)
    low, high = draw(number_literals), draw(number_literals)
    truth = f"(CASE lower(t_{name}) WHEN 'true' THEN 1 WHEN 'false' THEN 0 ELSE n_{name} END)"
    return draw(
        st.sampled_from(
            [
                Both(f"{name} IS NULL", f"(t_{name} IS NULL)"),
                Both(f"{name} IS NOT NULL", f"(t_{name} IS NOT NULL)"),
                Both(
                    f"{name} BETWEEN {low.ours} AND {high.ours}",
                    f"(n_{name} BETWEEN {low.sql} AND {high.sql})",
                ),
                Both(f"{name} NOT BETWEEN 'a' AND 'b'", f"(t_{name} NOT BETWEEN 'a' AND 'b')"),
                Both(name, truth),
                Both(f"{name} = TRUE", f"({truth} = 1)"),
                Both(f"{name} IS FALSE", f"({truth} IS FALSE)"),
                Both(f"{name} IS NOT TRUE", f"({truth} IS NOT TRUE)"),
                Both(f"{name} IS 1", f"(n_{name} IS 1)"),
                Both(f"{name} IS NOT 'a'", f"(t_{name} IS NOT 'a')"),
                Both(f"coalesce({name}, 7) > {low.ours}", f"(coalesce(n_{name}, 7) > {low.sql})"),
                Both(f"substr({name}, 1, 1) = 'a'", f"(substr(t_{name}, 1, 1) = 'a')"),
                Both(f"{name} || 'c' = 'abc'", f"(t_{name} || 'c' = 'abc')"),
                Both(f"{name} = NULL", "NULL"),
                Both(
                    f"CASE WHEN {name} > 0 THEN 'up' ELSE 'down' END = 'up'",
                    f"(CASE WHEN n_{name} > 0 THEN 'up' ELSE 'down' END = 'up')",
                ),
            ]
        )
    )


conditions = st.recursive(
    comparisons() | memberships() | patterns() | others(),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["AND", "OR"]), inner, inner).map(lambda three: in_parentheses(*three)),
        inner.map(lambda one: Both(f"NOT ({one.ours})", f"(NOT ({one.sql}))")),
    ),
    max_leaves=5,
).filter(lambda condition: "n_" in condition.sql or "t_" in condition.sql)


def number_by_sqlite(connection: sqlite3.Connection, text: bytes) -> int | float | None:
    """A number where SQLite keeps the text as one in a NUMERIC column."""
    connection.execute("DELETE FROM kept")
    connection.execute("INSERT INTO kept VALUES (CAST(? AS TEXT))", (text,))
    ((kind,),) = connection.execute("SELECT typeof(value) FROM kept").fetchall()
    if kind == "text":
        return None
    written = text.decode("ascii").strip(" \t\n\v\f\r")
    if written.lstrip("+-").isdigit() and -(2**63) <= int(written) < 2**63:
        return int(written)
    return float(written)


def said_by_sqlite(sql: str, table: list[tuple[Value, ...]]) -> list[bool]:
    """Where SQLite says that a condition is true."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE kept (value NUMERIC)")
    connection.execute(f"CREATE TABLE r ({', '.join(f'n_{name}, t_{name}' for name in COLUMNS)})")
    for row in table:
        forms: list[object] = []
        for value in row:
            forms += [None if value is None else number_by_sqlite(connection, value), value]
        connection.execute(
            f"INSERT INTO r VALUES ({', '.join(['?, CAST(? AS TEXT)'] * len(COLUMNS))})", forms
        )
    found = [row[0] == 1 for row in connection.execute(f"SELECT ({sql}) IS TRUE FROM r ORDER BY rowid")]
    connection.close()
    return found


def csv_cells(column: list[Value], quotes: list[bool], filler: bytes = b",") -> Cells:
    """A column as a CSV file has it, in quotes where asked for."""
    data, starts, stops, missing = b"", [], [], []
    for value, in_quotes in zip(column, quotes, strict=True):
        written = (value or b"").replace(b'"', b'""') if in_quotes else value or b""
        data += b'"' if in_quotes else b""
        starts.append(len(data))
        data += written
        stops.append(len(data))
        data += b'"' + filler if in_quotes else filler
        missing.append(value is None)
    return Cells(
        np.frombuffer(data, np.uint8),
        np.array(starts, np.int64),
        np.array(stops, np.int64),
        np.array(quotes),
        np.array(missing),
    )


@given(conditions, tables, st.data())
@settings(max_examples=400, deadline=None)
def test_a_condition_is_true_where_sqlite_says_so(
    condition: Both, table: list[tuple[Value, ...]], data: st.DataObject
) -> None:
    parsed = Condition.parse(condition.ours)
    cells = {}
    for index, name in enumerate(COLUMNS):
        quotes = data.draw(st.lists(st.booleans(), min_size=len(table), max_size=len(table)))
        cells[name] = csv_cells([row[index] for row in table], quotes)
    used = {name: cells[name] for name in parsed.columns}
    assert parsed.evaluate(used, "utf-8").tolist() == said_by_sqlite(condition.sql, table)


@given(st.one_of(conditions, st.builds(in_parentheses, st.just("AND"), memberships(), conditions)), tables)
@settings(max_examples=200, deadline=None)
def test_where_a_condition_is_true_some_column_is_a_text_it_requires(
    condition: Both, table: list[tuple[Value, ...]]
) -> None:
    required = Condition.parse(condition.ours).required_texts
    if required is not None:
        for row, true in zip(table, said_by_sqlite(condition.sql, table), strict=True):
            assert not true or set(required).intersection(row)


@pytest.mark.parametrize(
    ("text", "required"),
    [
        ("a = 'x' and b > 1", (b"x",)),
        ("b > 1 and 'x' = a", (b"x",)),
        ("a in ('x', 'y') and b = 'z'", (b"z",)),
        ("a = 'x' or b in ('y', 'x')", (b"x", b"y")),
        ("not (a <> 'x' or b <> 'y')", (b"x",)),
        ("a = 'x' or b > 1", None),
        ("a <> 'x'", None),
        ("not a = 'x'", None),
        ("lower(a) = 'x'", None),
        ("a like 'x'", None),
        ("a = 1", None),
        ("a >= 'x'", None),
    ],
)
def test_what_a_condition_requires(text: str, required: tuple[bytes, ...] | None) -> None:
    assert Condition.parse(text).required_texts == required


@given(conditions, tables)
@settings(max_examples=100, deadline=None)
def test_empty_cells_are_null_on_request(condition: Both, table: list[tuple[Value, ...]]) -> None:
    parsed = Condition.parse(condition.ours, null_empty=True)
    cells = {
        name: csv_cells([row[index] for row in table], [False] * len(table))
        for index, name in enumerate(COLUMNS)
        if name in parsed.columns
    }
    with_nulls = [tuple(value or None for value in row) for row in table]
    assert parsed.evaluate(cells, "utf-8").tolist() == said_by_sqlite(condition.sql, with_nulls)


@given(conditions, tables, st.sampled_from(["cp1252", "utf-16-le", "shift_jis", "iso2022_jp"]))
@settings(max_examples=150, deadline=None)
def test_the_encoding_makes_no_difference(
    condition: Both, table: list[tuple[Value, ...]], encoding: str
) -> None:
    table = [tuple(_encodable(value, encoding) for value in row) for row in table]
    parsed = Condition.parse(condition.ours)
    found = []
    for codec in ("utf-8", encoding):
        cells = {}
        for name in parsed.columns:
            column = [row[COLUMNS.index(name)] for row in table]
            coded = [None if value is None else value.decode().encode(codec) for value in column]
            cells[name] = csv_cells(coded, [False] * len(table))
        found.append(parsed.evaluate(cells, codec).tolist())
    assert found[0] == found[1]


def _encodable(value: Value, encoding: str) -> Value:
    """The text without what the encoding cannot hold."""
    if value is None:
        return None
    return value.decode("utf-8", "ignore").encode(encoding, "ignore").decode(encoding).encode()


json_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([*WORDS, *LONG, "1", "1.5", "", "a\\b", "\U0001f600", "a/b", "\x7f"]),
    st.just([1, 2]),
)


@given(conditions, st.lists(st.tuples(json_values, json_values), min_size=1, max_size=10), st.booleans())
@settings(max_examples=200, deadline=None)
def test_json_values_are_what_they_are_in_json(
    condition: Both, table: list[tuple[object, ...]], ascii_only: bool
) -> None:
    parsed = Condition.parse(condition.ours)
    cells = {}
    for name in parsed.columns:
        column = [row[COLUMNS.index(name)] for row in table]
        written = [json.dumps(value, ensure_ascii=ascii_only).encode() for value in column]
        strings = [isinstance(value, str) for value in column]
        bare = [text[1:-1] if is_string else text for text, is_string in zip(written, strings, strict=True)]
        stops = np.cumsum([len(text) + 2 for text in bare]) - 2
        sizes = np.array([len(text) for text in bare])
        joined = np.frombuffer(b", ".join(bare) + b"  ", np.uint8)
        cells[name] = Cells(joined, stops - sizes, stops, np.array(strings), None, "json")
    found = parsed.evaluate(cells, "utf-8").tolist()
    assert found == _said_of_json(condition.sql, table)


def _said_of_json(sql: str, table: list[tuple[object, ...]]) -> list[bool]:
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE TABLE r ({', '.join(f'n_{name}, t_{name}' for name in COLUMNS)})")
    for row in table:
        forms: list[object] = []
        for value in row:
            number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
            if isinstance(number, int) and not -(2**63) <= number < 2**63:
                number = float(number)
            text = None if value is None else value if isinstance(value, str) else json.dumps(value)
            forms += [number, None if text is None else text.encode()]
        connection.execute(
            f"INSERT INTO r VALUES ({', '.join(['?, CAST(? AS TEXT)'] * len(COLUMNS))})", forms
        )
    found = [row[0] == 1 for row in connection.execute(f"SELECT ({sql}) IS TRUE FROM r ORDER BY rowid")]
    connection.close()
    return found


@given(
    st.lists(st.one_of(values, st.text("0123456789.-", max_size=24).map(str.encode)), min_size=1, max_size=20)
)
@settings(max_examples=300, deadline=None)
def test_numbers_read_together_are_those_read_alone(column: list[bytes]) -> None:
    cells = csv_cells(list(column), [False] * len(column), filler=b"")
    numbers = read_numbers(cells.data, cells.starts, cells.stops)
    for index, text in enumerate(column):
        expected = number_of(text)
        assert bool(numbers.known[index]) == (expected is not None), text
        if expected is not None:
            assert numbers.exact(index) == expected, text
            assert bool(numbers.whole[index]) == isinstance(expected, int), text


@given(
    st.lists(
        st.floats(allow_nan=False, allow_infinity=False).map(repr) | st.sampled_from(NUMBERS), min_size=32
    )
)
@settings(max_examples=50)
def test_many_long_numbers_are_read_as_well(column: list[str]) -> None:
    cells = csv_cells([text.encode() for text in column], [False] * len(column))
    numbers = read_numbers(cells.data, cells.starts, cells.stops)
    assert [numbers.exact(index) for index in range(len(column))] == [
        number_of(text.encode()) for text in column
    ]
    assert numbers.known.all()


@given(st.one_of(values, st.text("0123456789.-+eE \n", max_size=12).map(str.encode)))
@settings(max_examples=300, deadline=None)
def test_what_is_a_number_is_one_to_sqlite(text: bytes) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE kept (value NUMERIC)")
    assert number_of(text) == number_by_sqlite(connection, text)
    connection.close()
