"""Names of a module that are loaded from their homes when they are first used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    namespace: dict[str, Any], homes: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], Iterable[str]]]:
    """The ``__getattr__`` and ``__dir__`` of a module whose names live elsewhere.

    Args:
        namespace: of the module; what was loaded is kept in it.
        homes: for each name, the module that defines it.

    Source: PEP 562.
    """

    def get(name: str) -> object:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
        value = namespace[name] = getattr(import_module(home), name)
        return value

    def names() -> list[str]:
        return [*namespace, *homes]

    return get, names
