"""``import insitu`` offers the public names, all of them documented, and loads nothing heavy."""

from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import is_dataclass
from functools import partial

import insitu

HEAVY = (
    *("charset_normalizer", "click", "hyperscan", "numpy", "platformdirs"),
    *("re2", "rich", "sqlglot", "stringzilla", "xxhash"),
)


def _public_names() -> list[str]:
    names = getattr(insitu, "__all__", None)
    assert names is not None, "insitu/__init__.py lacks __all__, the list of the public names"
    return list(names)


def _rank(name: str) -> tuple[bool, bool, str]:
    """The order ruff asks for: constants, then classes, then functions."""
    return not name.isupper(), not name[:1].isupper(), name


def _is_documented(value: object) -> bool:
    """Whether a class, function or module has words of its own, not just a data class's signature."""
    if not (inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value)):
        return True
    text = value.__doc__ or ""
    generated = isinstance(value, type) and is_dataclass(value) and text.startswith(f"{value.__name__}(")
    return bool(text.strip()) and not generated


def test_public_names_are_sorted_and_unique() -> None:
    names = _public_names()
    assert names == sorted(set(names), key=_rank)


def test_public_names_can_be_imported() -> None:
    assert [name for name in _public_names() if not hasattr(insitu, name)] == []


def test_public_names_are_listed_by_dir() -> None:
    assert set(_public_names()) <= set(dir(insitu))


def test_public_names_are_documented() -> None:
    assert [name for name in _public_names() if not _is_documented(getattr(insitu, name))] == []


def test_importing_loads_no_heavy_module() -> None:
    run = partial(subprocess.run, check=True, capture_output=True, text=True)
    loaded = run([sys.executable, "-c", "import insitu, sys; print(*sys.modules)"]).stdout.split()
    assert "insitu" in loaded
    assert sorted(set(HEAVY) & set(loaded)) == []
