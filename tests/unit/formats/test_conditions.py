"""Conditions by example: what is true, what is refused, what runs without SQLite."""

from __future__ import annotations

import numpy as np
import pytest

from insitu.errors import ConditionError
from insitu.formats.cells import Cells
from insitu.formats.condition_sql import SqlPredicate
from insitu.formats.conditions import Condition


def cells_of(*values: str | None, kind: str = "csv", quoted: bool = False, encoding: str = "utf-8") -> Cells:
    written = [(value or "").encode(encoding) for value in values]
    stops = np.cumsum([len(text) + 1 for text in written]) - 1
    return Cells(
        np.frombuffer(b",".join(written) or b"\0", np.uint8),
        stops - np.array([len(text) for text in written]),
        stops,
        np.full(len(values), True) if quoted else None,
        np.array([value is None for value in values]),
        "json" if kind == "json" else "csv",
    )


def true_of(condition: str, *values: str | None, **options: bool) -> list[str | None]:
    """Which values of column ``a`` a condition is true of."""
    found = Condition.parse(condition, **options).evaluate({"a": cells_of(*values)}, "utf-8")
    return [value for value, is_true in zip(values, found.tolist(), strict=True) if is_true]


TRUE_OF = {
    "numbers compare as numbers": (
        "a > 10",
        ["9", "11", "10.5", "2e1", " 30 "],
        ["11", "10.5", "2e1", " 30 "],
    ),
    "what is no number is NULL to a number": ("a > 10 OR NOT a > 10", ["n/a", "", "5"], ["5"]),
    "nor does it differ from one": ("a <> 10", ["n/a", "", None, "5"], ["5"]),
    "texts compare as texts": ("a = '7'", ["7", "07", "7.0", " 7"], ["7"]),
    "texts are ordered by bytes": ("a > 'B'", ["A", "B", "Ba", "a", "10"], ["Ba", "a"]),
    "long texts are ordered, too": (
        f"a >= '{'x' * 80}b'",
        ["x" * 80 + "a", "x" * 80 + "b", "x" * 80, "x" * 80 + "ba"],
        ["x" * 80 + "b", "x" * 80 + "ba"],
    ),
    "whole numbers are exact": ("a = 9007199254740993", ["9007199254740992", "9007199254740993"], None),
    "whole numbers divide to whole ones": ("a / 2 = 3", ["7", "7.0", "6", "-7"], ["7", "6"]),
    "nothing is divided by zero": ("1 / a < 5 OR 1 / a >= 5", ["0", "2"], ["2"]),
    "LIKE minds no case": ("a LIKE 'ab%'", ["ABC", "ab", "xab", "aB"], ["ABC", "ab", "aB"]),
    "LIKE in the middle": ("a LIKE '%b_d%'", ["abcd", "bd", "xxBxDxx"], ["abcd", "xxBxDxx"]),
    "several parts": ("a LIKE 'a%b%c%d'", ["abcd", "axbycd", "acbd"], ["abcd", "axbycd"]),
    "GLOB minds case": ("a GLOB 'a*'", ["ab", "Ab"], ["ab"]),
    "missing cells are NULL": ("a IS NULL", ["", None], [None]),
    "names match but for case": ("A = 'x'", ["x"], ["x"]),
    "truth": ("a", ["true", "TRUE", "1", "-2", "0", "false", "yes", ""], ["true", "TRUE", "1", "-2"]),
    "no truth": ("NOT a", ["true", "0", "0.0", "False", "no", ""], ["0", "0.0", "False"]),
    "length counts characters": ("length(a) = 2", ["ab", "é", "éé", "日本"], ["ab", "éé", "日本"]),
    "functions of SQLite": ("trim(a, 'x') = 'b'", ["xbx", "b", "bb"], ["xbx", "b"]),
    "dates": ("strftime('%Y', a) = '2024'", ["2024-05-01", "2023-05-01"], ["2024-05-01"]),
    "a text made a number": ("CAST(a AS INTEGER) = 12", ["12abc", "12", "abc"], ["12abc", "12"]),
    "CASE": ("CASE a WHEN 1 THEN 'x' ELSE 'y' END = 'x'", ["1", "1.0", "2"], ["1", "1.0"]),
    "IN of both kinds": ("a IN (1, 'x')", ["1", "1.0", "x", "y"], ["1", "1.0", "x"]),
    "NOT IN NULL": ("a NOT IN ('x', NULL)", ["x", "y"], []),
    "a list of many": (
        f"a IN ({', '.join(repr('longer text ' + str(i)) for i in range(30))})",
        ["longer text 7"],
        None,
    ),
    "BETWEEN": ("a BETWEEN 2 AND 3", ["1", "2", "2.5", "3.0", "3.1"], ["2", "2.5", "3.0"]),
    "an escape": (r"a LIKE '10\%' ESCAPE '\'", ["10%", "100"], ["10%"]),
    "comments": ("a = 1 -- one", ["1"], ["1"]),
}


@pytest.mark.parametrize(("condition", "values", "expected"), TRUE_OF.values(), ids=TRUE_OF)
def test_what_a_condition_is_true_of(condition: str, values: list[str], expected: list[str] | None) -> None:
    if condition.startswith("A"):
        parsed = Condition.parse(condition)
        assert parsed.bind(["x", "a"]) == (1,)
        return
    assert true_of(condition, *values) == (values[-1:] if expected is None else expected)


def test_empty_cells_are_null_where_asked() -> None:
    assert true_of("a IS NULL", "", "x", null_empty=True) == [""]
    assert true_of("a <> 'x'", "", "y", null_empty=True) == ["y"]


def test_json_strings_are_no_numbers_and_numbers_are_texts_as_written() -> None:
    strings = cells_of("5", "true", "null", r"\u0061b", kind="json", quoted=True)
    bare = cells_of("5", "true", "null", "[5]", kind="json")
    for condition, of_strings, of_bare in [
        ("a = 5", [], [0]),
        ("a = '5'", [0], [0]),
        ("a IS NULL", [], [2]),
        ("a IS TRUE", [1], [0, 1]),
        ("a = 'ab'", [3], []),
    ]:
        parsed = Condition.parse(condition)
        assert np.flatnonzero(parsed.evaluate({"a": strings}, "utf-8")).tolist() == of_strings, condition
        assert np.flatnonzero(parsed.evaluate({"a": bare}, "utf-8")).tolist() == of_bare, condition


COMPILED = [
    "a = 'x' AND b > 1000",
    "NOT (a = 'x' OR b <= 5)",
    "a IN ('x', 'y') AND b NOT IN (1, 2)",
    "a BETWEEN 1 AND 2",
    "a LIKE '%x%' OR a NOT LIKE 'y_'",
    "a GLOB 'x*'",
    "a IS NULL AND b IS NOT NULL",
    "a = b",
    "a * 2 + b / 3 - 1 > -b",
    "length(a) > 3 AND lower(a) = upper(b)",
    "a AND NOT b",
    "a = TRUE",
    "'x' < a",
]


@pytest.mark.parametrize("condition", COMPILED)
def test_what_is_compiled_does_without_sqlite(condition: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("SQLite was asked")

    monkeypatch.setattr(SqlPredicate, "true", never)
    cells = {"a": cells_of("1", "x", None), "b": cells_of("2", "", "y")}
    Condition.parse(condition).evaluate(cells, "utf-8")


def test_only_what_is_not_compiled_is_left_to_sqlite_and_only_for_undecided_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    plain = SqlPredicate.true

    def noted(self: SqlPredicate, batch: object, rows: np.ndarray) -> object:
        asked.extend(rows.tolist())
        return plain(self, batch, rows)

    monkeypatch.setattr(SqlPredicate, "true", noted)
    cells = {"a": cells_of("1", "2", "3"), "b": cells_of("x", "y", "y")}
    found = Condition.parse("abs(a) > 2 AND b = 'y'").evaluate(cells, "utf-8")
    assert found.tolist() == [False, False, True]
    assert asked == [1, 2]


REFUSED = {
    "a = ": "something is missing",
    "a = 'x": "never closed",
    "a = 1 b": "'b' is not expected here",
    "(a = 1": "Expecting )",
    "": "it is empty",
    "a = 1; DROP TABLE x": "'DROP' is not expected here",
    "a IN (SELECT 1)": "cannot hold",
    "EXISTS (SELECT 1)": "cannot hold",
    "load_extension('x') = a": "cannot hold",
    "readfile(a) = 'x'": "cannot hold",
    "random() > a": "cannot hold",
    "a = ?": "cannot hold",
    "count(*) > a": "cannot hold",
    "a IN b": "cannot hold",
    "CAST(a AS BLOB) = 'x'": "cannot hold",
    "1 = 1": "names no column",
    "1 < a < 3": "different kinds",
    "length(a) = 'x'": "different kinds",
    "a + 'x' = 5": "is a text where a number is needed",
    "coalesce(a, b) = b": "does not tell",
    "lower(a)": "is a text where a number is needed",
    "a IN (lower(b), 5) AND length(a) IN ('x')": "different kinds",
}


@pytest.mark.parametrize("condition", REFUSED)
def test_what_is_refused(condition: str) -> None:
    with pytest.raises(ConditionError, match="nothing was changed") as caught:
        Condition.parse(condition)
    assert REFUSED[condition].replace("(", "") in str(caught.value).replace("(", "")


def test_the_place_that_does_not_parse_is_shown() -> None:
    with pytest.raises(ConditionError) as caught:
        Condition.parse("status = 'x'\n  AND value = = 5")
    _, line, mark = str(caught.value).splitlines()
    assert line == "    AND value = = 5"
    assert mark.index("^") == line.rindex("= 5")


def test_columns_are_bound_by_name() -> None:
    condition = Condition.parse('"unit price" > 1 AND b = 2 AND a.c = 3 AND B = 4')
    assert condition.columns == ("unit price", "b", "a.c", "B")
    assert condition.bind(["a.c", "B", "b", "Unit Price"]) == (3, 2, 0, 1)


def test_a_column_that_is_not_there_is_named_with_those_like_it() -> None:
    with pytest.raises(ConditionError, match="no column 'statsu'") as caught:
        Condition.parse("statsu = 'x'").bind(["id", "status", "value"])
    assert "'status'" in caught.value.hint
    with pytest.raises(ConditionError) as caught:
        Condition.parse("id = pending").bind(["id", "status"])
    assert "single quotes: 'pending'" in caught.value.hint


def test_a_name_of_two_columns_is_refused() -> None:
    with pytest.raises(ConditionError, match="several columns, number 1 and 3"):
        Condition.parse("id = 1").bind(["id", "x", "id"])


@pytest.mark.slow
def test_thousands_of_alternatives_parse() -> None:
    condition = Condition.parse(" OR ".join(f"a = {number}" for number in range(3000)))
    assert condition.evaluate({"a": cells_of("2999", "3000")}, "utf-8").tolist() == [True, False]


def test_what_a_condition_builds_does_not_fill_the_memory() -> None:
    big = "a" + " || a" * 20
    with pytest.raises(ConditionError, match="too big"):
        Condition.parse(f"{big} = 'x'").evaluate({"a": cells_of("x" * (1 << 20))}, "utf-8")


def test_no_rows() -> None:
    nothing = np.zeros(0, np.int64)
    cells = Cells(np.zeros(0, np.uint8), nothing, nothing)
    for condition in (*COMPILED, "abs(a) > 1"):
        parsed = Condition.parse(condition)
        assert parsed.evaluate(dict.fromkeys(parsed.columns, cells), "utf-8").tolist() == []
