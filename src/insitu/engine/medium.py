"""Whose fault it is when a path is refused in the midst of work that was begun in good order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from insitu.errors import RequestError, StorageError


@contextmanager
def blaming_the_medium() -> Iterator[None]:
    """Behind the commit point a path that is refused (a disk gone read-only) is no fault of the request."""
    try:
        yield
    except RequestError as error:
        facts = {**error.facts, "file_state": "unknown"}
        raise StorageError(error.message, hint=error.hint, **facts) from error
