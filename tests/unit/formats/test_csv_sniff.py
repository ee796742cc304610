"""Telling a dialect from a sample, and when to say that it is a guess."""

from __future__ import annotations

from dataclasses import replace

import pytest

from insitu.formats.csv_dialect import Dialect
from insitu.formats.csv_sniff import Guess, sniff


def guess(sample: bytes, **given: object) -> Guess:
    return sniff(sample, replace(Dialect(), **given), frozenset(given))


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        (b"id,name\n1,a\n2,b\n", Dialect()),
        (b"id;name;price\n1;a;1,50\n2;b;2,75\n", Dialect(delimiter=b";")),
        (b"id;name\n1;Doe, John\n2;Roe, Jane\n", Dialect(delimiter=b";")),
        (b"id\tname\n1\ta b\n2\tc,d\n", Dialect(delimiter=b"\t")),
        (b"id|note\n1|a,b\n2|c\n", Dialect(delimiter=b"|")),
        (b'id,note\n1,"a;b\nc"\n2,"d;e"\n', Dialect()),
        (b"1,2,3\n4,5,6\n", Dialect(header=False)),
        (b",a,b\n0,x,y\n1,z,w\n", Dialect()),
        (b"name\nann\nbob\n", Dialect()),
        (b"id,name\r\n1,a\r\n", Dialect()),
        (b"id,name\r1,a\r2,b\r", Dialect(newline="\r")),
        (b'id,note\n1,"a\rb"\n', Dialect()),
        (b"id,note\n1,'a, b'\n2,'c'\n3,'d'\n", Dialect(quote=b"'")),
        (b'id,note\n1,"a \\"b\\" c"\n2,"d, \\"e"\n', Dialect(escape=b"\\")),
        (b"id,path\n1,C:\\temp\n2,D:\\x\n", Dialect()),
        (b'id,note\n1,"a ""b"" c"\n', Dialect()),
        (b"id,name\n1,a\n\n2,b\n", Dialect()),
        (b"id,name\n1,a\n2,b,c\n3,d\n4,e\n", Dialect()),
    ],
)
def test_what_a_sample_shows_is_told_without_a_doubt(sample: bytes, expected: Dialect) -> None:
    assert guess(sample) == Guess(expected)


@pytest.mark.parametrize(
    ("sample", "word"),
    [
        (b"a,b;c\nd,e;f\n", "delimiter"),
        (b"Dear all, this is\nno table; or, is, it?\nNo.\n", "delimiter"),
        (b"a,b\nc\nd,e,f\ng,h,i,j\n", "delimiter"),
        (b'id,size\n1,5" pipe\n', "lenient"),
        (b"country,2001,2002\nx,1,2\n", "header"),
        (b"a,b\nc,d\re,f\n", "newline"),
        (b"id,note\n1,a\n2,'b, c'\n3,d\n4,e\n5,f\n", "quote"),
        (b"", "delimiter"),
    ],
)
def test_what_a_sample_leaves_open_is_said(sample: bytes, word: str) -> None:
    doubts = guess(sample).doubts
    assert len(doubts) == 1
    assert word in doubts[0]


def test_what_was_given_is_neither_guessed_nor_doubted() -> None:
    assert guess(b"a,b;c\nd,e;f\n", delimiter=b";") == Guess(Dialect(delimiter=b";"))
    assert guess(b"country,2001\nx,1\n", header=True) == Guess(Dialect())
    assert guess(b'id,size\n1,5" pipe\n', lenient=True) == Guess(Dialect(lenient=True))
    assert guess(b'id,size\n1,5" pipe\n', lenient=False) == Guess(Dialect())
    assert guess(b"a,b\nc,d\re,f\n", newline="any").doubts == ()
    assert guess(b"id,note\n1,'a'\n", quote=b'"') == Guess(Dialect())
    assert guess(b"", delimiter=b",", header=False) == Guess(Dialect(header=False))
