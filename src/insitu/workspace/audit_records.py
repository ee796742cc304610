"""The bytes of the audit log: canonical records, the chain through them, and the head that counts them.

A record is one line: a JSON object in canonical form (keys sorted, no spaces, everything but ASCII escaped,
which is UTF-8 as well), whose last member ``mac`` is added to the finished object. So a line can be checked
without being rendered again:

- R1: ``mac`` is HMAC-SHA256 over the line as it was before the member was added.
- R2: ``previous`` is SHA-256 over the whole line before, its line end left out; zeros in the first record.
- R3: ``seq`` counts from 1 without gaps, over all files of the log.

Source: the head that is kept apart, against the cutting off of a plain chain's tail: D. Ma, G. Tsudik,
"A New Approach to Secure Logging" (2008).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

GENESIS: Final = "0" * 64
"""What the first record names as its predecessor."""

RECORD_BYTES_MAX: Final = 1 << 20
"""No line is longer, so that a reader of a log of any size knows what a line can take."""

HEAD_BYTES: Final = 512
"""One sector: overwritten in place, it is the old or the new one after any crash."""

_MAC: Final = b',"mac":"'
_MAC_BYTES: Final = len(_MAC) + 64 + len(b'"}')


class Record(NamedTuple):
    """A line of the log, taken apart."""

    seq: int
    previous: str
    digest: str
    fields: dict[str, Any]


def canonical(fields: Mapping[str, Any]) -> bytes:
    """The one way to write an object down."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def sealed(fields: Mapping[str, Any], key: bytes) -> bytes:
    """An object as a line with its MAC (R1) and its line end."""
    body = canonical(fields)
    mac = hmac.digest(key, body, "sha256").hex().encode()
    return b"".join((body[:-1], _MAC, mac, b'"}\n'))


def digest_of(line: bytes) -> str:
    """What the next record names this line by (R2)."""
    return hashlib.sha256(line.removesuffix(b"\n")).hexdigest()


def unsealed(line: bytes, key: bytes | None) -> dict[str, Any] | None:
    """The members of a line; None where it is no sealed object, or its MAC is not of this key.

    Args:
        key: None trusts the MAC unseen.
    """
    line = line.removesuffix(b"\n")
    body, mac = line[:-_MAC_BYTES] + b"}", line[-_MAC_BYTES:]
    if not (mac.startswith(_MAC) and mac.endswith(b'"}')):
        return None
    if key is not None:
        wanted = hmac.digest(key, body, "sha256").hex().encode()
        if not hmac.compare_digest(wanted, mac[len(_MAC) : -2]):
            return None
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def record_of(line: bytes, key: bytes | None) -> Record | None:
    """A line as a record; None where it is none."""
    fields = unsealed(line, key) if line.endswith(b"\n") else None
    if fields is None:
        return None
    seq, previous = fields.get("seq"), fields.get("previous")
    if type(seq) is not int or seq < 1 or not isinstance(previous, str):
        return None
    return Record(seq, previous, digest_of(line), fields)


class Point(NamedTuple):
    """A place between two records: how many lie before it, and the digest of the last of them."""

    records: int = 0
    digest: str = GENESIS


@dataclass(frozen=True)
class Head:
    """Where the log ends, kept apart from it.

    Args:
        count, digest: the last record.
        file, size: the file it is in, and where that file ends.
        synced_count, synced_digest, synced_size: as far as the log is known to be durable, in the same file.
        oldest_file, oldest_count, oldest_digest: where the log begins, since old files are removed.
        boot: names the time since the machine was started: a power cut lies behind it if it has changed.
    """

    count: int = 0
    digest: str = GENESIS
    file: int = 1
    size: int = 0
    synced_count: int = 0
    synced_digest: str = GENESIS
    synced_size: int = 0
    oldest_file: int = 1
    oldest_count: int = 0
    oldest_digest: str = GENESIS
    boot: str = ""

    @property
    def end(self) -> Point:
        """Where the next record goes."""
        return Point(self.count, self.digest)

    @property
    def synced(self) -> Point:
        """As far as the log is durable."""
        return Point(self.synced_count, self.synced_digest)

    @property
    def oldest(self) -> Point:
        """Where the first file that is kept begins."""
        return Point(self.oldest_count, self.oldest_digest)

    def rendered(self, key: bytes) -> bytes:
        """The head as ``HEAD_BYTES`` bytes: a sealed line, filled up with spaces."""
        fields = {_SHORT[name]: value for name, value in vars(self).items()}
        return sealed(fields, key)[:-1].ljust(HEAD_BYTES - 1) + b"\n"

    @staticmethod
    def parsed(data: bytes, key: bytes | None) -> Head | None:
        """The head in the bytes of its file; None where they hold none, or one that another key sealed."""
        if len(data) != HEAD_BYTES or not data.endswith(b"\n"):
            return None
        line = data[:-1].rstrip(b" ")
        fields = unsealed(line, key)
        if fields is None or fields.keys() != set(_SHORT.values()):
            return None
        given = {name: fields[short] for name, short in _SHORT.items()}
        fits = all(type(given[name]) is type(default) for name, default in vars(_EMPTY).items())
        return Head(**given) if fits else None


# A head has to fit its sector with numbers of eighteen digits in it.
_SHORT: Final = {
    "count": "count",
    "digest": "hash",
    "file": "file",
    "size": "size",
    "synced_count": "sc",
    "synced_digest": "sh",
    "synced_size": "ss",
    "oldest_file": "of",
    "oldest_count": "oc",
    "oldest_digest": "oh",
    "boot": "boot",
}
_EMPTY: Final = Head()
