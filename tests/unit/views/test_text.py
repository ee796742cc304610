"""The encoding of a file is told by its mark, by being UTF-8, or by detection; the whole is never read."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

import insitu
from insitu.errors import TextError
from insitu.views import text
from tests.readers import BytesReader

GERMAN = "Die größte Übung für fünf Störche wäre schön, würde sie täglich geübt. " * 30


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"", "utf-8"),
        (b"plain", "utf-8"),
        ("größte".encode(), "utf-8"),
        (codecs.BOM_UTF8 + b"x", "utf-8"),
        ("x".encode("utf-16"), "utf-16-le"),
        (codecs.BOM_UTF16_BE + "x".encode("utf-16-be"), "utf-16-be"),
        (codecs.BOM_UTF32_LE + "x".encode("utf-32-le"), "utf-32-le"),
        (codecs.BOM_UTF32_BE + "x".encode("utf-32-be"), "utf-32-be"),
    ],
)
def test_marks_and_utf8_are_certain(tmp_path: Path, data: bytes, encoding: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with insitu.open(path, "r") as doc:
        assert doc.encoding == encoding


def test_text_that_is_not_utf8_is_detected(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(GERMAN.encode("latin-1"))
    with insitu.open(path, "r") as doc:
        assert path.read_bytes().decode(doc.encoding) == GERMAN


def test_binary_data_has_a_codec_that_python_knows(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 300)
    with insitu.open(path, "r") as doc:
        assert codecs.lookup(doc.encoding)


def test_what_the_caller_says_holds(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes("größte".encode())
    with insitu.open(path, "r", encoding="Latin-1") as doc:
        assert doc.encoding == "iso8859-1"
    with pytest.raises(TextError):
        insitu.open(path, encoding="klingon")


def test_a_character_cut_at_the_edge_of_a_sample_is_forgiven() -> None:
    for lead in range(4):
        reader = BytesReader(b"x" * lead + "\N{EURO SIGN}".encode() * (text.SAMPLE_BYTES * 30 // 3))
        assert text.encoding_of(reader).name == "utf-8"


def test_a_long_file_is_sampled_here_and_there() -> None:
    reader = BytesReader(b"plain ascii\n" * (40 * text.SAMPLE_BYTES // 12) + GERMAN.encode("latin-1") * 1000)
    assert text.encoding_of(reader).name != "utf-8", "the samples reach the part that is not UTF-8"
    assert reader.read_bytes <= (text.SAMPLES + 1) * text.SAMPLE_BYTES


def test_text_is_encoded_or_refused_by_name() -> None:
    assert text.Encoding("utf-8").encode("gr\xf6\xdfte \udcff") == "gr\xf6\xdfte ".encode() + b"\xff"
    with pytest.raises(TextError, match="u20ac"):
        text.Encoding("iso8859-1").encode("\u20ac")


def test_a_guess_writes_only_what_every_guess_writes_alike() -> None:
    guess = text.Encoding("cp1252", ("iso8859-1", "cp1250"))
    assert guess.encode("plain") == b"plain"
    with pytest.raises(TextError, match="guess"):
        guess.encode("\u20ac")
