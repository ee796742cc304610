"""Dialects: what can be one, and in which encodings it can be scanned for."""

from __future__ import annotations

from typing import Any

import pytest

from insitu.errors import RequestError
from insitu.formats.csv_dialect import Dialect


@pytest.mark.parametrize(
    "given",
    [
        {"delimiter": b""},
        {"delimiter": b"ab"},
        {"delimiter": b"\n"},
        {"delimiter": b"a"},
        {"delimiter": b"\xa7"},
        {"quote": b","},
        {"escape": b'"'},
        {"newline": "\r\n"},
    ],
)
def test_what_cannot_be_a_dialect_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        Dialect(**given)


@pytest.mark.parametrize(
    ("encoding", "dialect", "fits"),
    [
        ("utf-8", Dialect(delimiter=b"|", escape=b"\\"), True),
        ("cp1252", Dialect(delimiter=b"|", escape=b"\\"), True),
        ("euc_jp", Dialect(delimiter=b"|", escape=b"\\"), True),
        ("shift_jis", Dialect(), True),
        ("gbk", Dialect(delimiter=b";"), True),
        ("big5", Dialect(delimiter=b"\t"), True),
        ("shift_jis", Dialect(delimiter=b"|"), False),
        ("cp932", Dialect(escape=b"\\"), False),
        ("gb18030", Dialect(delimiter=b"~"), False),
        ("johab", Dialect(), True),
        ("johab", Dialect(delimiter=b";"), False),
        ("big5hkscs", Dialect(quote=b"^"), False),
        ("utf-16-le", Dialect(), False),
        ("utf-32", Dialect(), False),
        ("utf-7", Dialect(), False),
        ("iso2022_jp", Dialect(), False),
        ("hz", Dialect(), False),
        ("cp500", Dialect(), False),
    ],
)
def test_a_dialect_fits_encodings_in_which_its_bytes_are_characters(
    encoding: str, dialect: Dialect, fits: bool
) -> None:
    if fits:
        dialect.check_encoding(encoding)
        return
    with pytest.raises(RequestError, match=encoding):
        dialect.check_encoding(encoding)


@pytest.mark.slow
def test_no_multi_byte_character_of_a_scanned_encoding_holds_a_special_byte() -> None:
    """The rule that ``check_encoding`` rests on, asked of every character there is."""
    for encoding in ("shift_jis", "cp932", "gbk", "gb18030", "big5", "euc_jp", "euc_kr", "cp949", "johab"):
        for number in range(0x80, 0x10000):
            try:
                encoded = chr(number).encode(encoding)
            except UnicodeEncodeError:
                continue
            special = b",\t\"'\r\n" if encoding == "johab" else b",;\t\"'\r\n"
            assert not set(special) & set(encoded), (encoding, number)


def test_a_dialect_says_what_it_is() -> None:
    assert str(Dialect()) == "delimiter ',', quote '\"', strict, header"
    said = str(Dialect(delimiter=b"\t", quote=None, escape=b"\\", lenient=True, header=False, newline="any"))
    assert (
        said == "delimiter TAB, no quotes, escape '\\\\', lenient, no header, rows end with LF, CR LF or CR"
    )
