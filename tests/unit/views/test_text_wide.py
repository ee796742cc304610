"""UTF-16, UTF-32 and the multi-byte codecs: told from a mark or from enough text, written as they are."""

from __future__ import annotations

import codecs
import random

import pytest

from insitu.errors import TextError
from insitu.views.text import SAMPLE_BYTES, WIDE_SAMPLE_BYTES, Encoding, encoding_of, named_encoding
from tests.readers import BytesReader

WIDE = ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]
GERMAN = "Die gr\xf6\xdfte \xdcbung f\xfcr f\xfcnf St\xf6rche\r\n"
JAPANESE = "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8\u3067\u3059\u3002\u3053\u308c\u306f\u4f8b\n"
CHINESE = "\u4e2d\u6587\u6587\u672c\u6d4b\u8bd5\uff0c\u8fd9\u662f\u4e00\u4e2a\u4f8b\u5b50\n"


def told(data: bytes) -> Encoding:
    return encoding_of(BytesReader(data))


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("text", ["plain ascii\n", GERMAN])
@pytest.mark.parametrize("times", [10, 20_000])
def test_wide_text_without_a_mark_is_told_by_its_bytes(name: str, text: str, times: int) -> None:
    found = told((text * times).encode(name))
    assert found == Encoding(name)
    assert found.encode("x\n") == "x\n".encode(name)


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be"])
def test_wide_text_of_another_script_is_told_too(name: str) -> None:
    assert told((JAPANESE * 50).encode(name)).name == name


@pytest.mark.parametrize(
    "data", ["hi\n".encode("utf-16-le"), "a".encode("utf-16-be"), "abc\n".encode("utf-32-le")]
)
def test_a_tiny_file_is_not_taken_for_wide_text_nor_written_as_if_it_were_not(data: bytes) -> None:
    assert len(data) < WIDE_SAMPLE_BYTES
    found = told(data)
    assert found.name == "utf-8"
    with pytest.raises(TextError, match="guess"):
        found.encode("x")


@pytest.mark.parametrize("data", [b"\xe9\xe8", b"caf\xe9", b"\x81\x40", b"\xff", b"gr\xfc\xdfe\n"])
def test_a_few_odd_bytes_are_never_wide_text(data: bytes) -> None:
    found = told(data)
    assert [Encoding(name).unit for name in (found.name, *found.others)] == [1] * (1 + len(found.others))


@pytest.mark.parametrize(
    "data",
    [
        b"plain\n" * 100,
        b"a\0b\0c\0" * 3 + b"plain text with some NUL in it\n" * 20,
        bytes(10_000),
        b"\0\1" * 5_000,
        random.Random(7).randbytes(30_000),
        b"key\0value\0" * 1000,
    ],
    ids=["ascii", "some", "zeros", "pairs", "random", "fields"],
)
def test_what_only_resembles_wide_text_is_not(data: bytes) -> None:
    assert told(data).unit == 1


def test_one_sample_that_does_not_fit_is_enough() -> None:
    head = ("plain ascii\n" * 20_000).encode("utf-32-le")
    assert told(head).unit == 4
    assert told(head + b"\xff" * (40 * SAMPLE_BYTES)).unit == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cp932", JAPANESE),
        ("shift_jis", JAPANESE),
        ("euc_jp", JAPANESE),
        ("gbk", CHINESE),
        ("gb18030", CHINESE),
        ("big5", "\u4e2d\u6587\u6587\u672c\u6e2c\u8a66\uff0c\u9019\u662f\u4e00\u500b\u4f8b\u5b50\n"),
        ("iso8859-1", GERMAN),
        ("cp1252", GERMAN),
    ],
)
def test_text_of_other_codecs_comes_back_and_ascii_can_be_written(name: str, text: str) -> None:
    data = (text * 40).encode(name)
    found = told(data)
    assert found.decode(data) == text * 40
    assert found.encode("plain\n") == b"plain\n"


@pytest.mark.parametrize("name", ["utf-8", *WIDE])
@pytest.mark.parametrize("data", [b"ab\xff\xfe\x00\xd8cd", b"\x00\xd8\x00\x00", b"\xd8\x00\xdc\x00"])
def test_what_is_no_text_survives(name: str, data: bytes) -> None:
    encoding = Encoding(name)
    try:
        text = encoding.decode(data)
    except UnicodeDecodeError:
        assert encoding.unit == 4, "only UTF-32 has numbers that are no characters"
        return
    assert encoding.encode(text) == data


def test_a_cut_unit_is_named_with_its_place() -> None:
    with pytest.raises(TextError, match="f has 7 bytes, 1 more than whole utf-16-le units") as caught:
        Encoding("utf-16-le").check_size(7, "f")
    assert caught.value.facts["offset"] == 6
    for name, size in (("utf-16-be", 6), ("utf-32-le", 8), ("utf-8", 7)):
        Encoding(name).check_size(size, "f")


@pytest.mark.parametrize("name", ["utf-16", "utf-32", "UTF16"])
@pytest.mark.parametrize("order", ["le", "be"])
def test_a_name_without_an_order_takes_it_from_the_mark(name: str, order: str) -> None:
    full = f"{codecs.lookup(name).name}-{order}"
    mark = Encoding(full).mark
    assert named_encoding(BytesReader(mark + "a".encode(full)), name) == Encoding(full)
    for data in (b"", "a".encode(full)):
        with pytest.raises(TextError, match="leaves open"):
            named_encoding(BytesReader(data), name)
    with pytest.raises(TextError, match="order"):
        Encoding(codecs.lookup(name).name).encode("a")


def test_a_named_encoding_is_taken_at_its_word_and_writes_no_marks() -> None:
    assert named_encoding(BytesReader(b"a"), "Latin-1") == Encoding("iso8859-1")
    assert named_encoding(BytesReader(b"a"), "utf-8-sig") == Encoding("utf-8")
    with pytest.raises(TextError):
        named_encoding(BytesReader(b""), "klingon")
