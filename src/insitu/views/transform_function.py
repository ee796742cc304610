"""The function of a transform: named or given, what it takes, and how it travels to other processes."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import os
import pickle
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from insitu.errors import RequestError

Function = Callable[..., Any]


def resolved(function: Function | str) -> Function:
    """The function itself, loaded where it is named as ``MODULE:FUNCTION`` or ``FILE.py:FUNCTION``.

    Raises:
        RequestError: there is no such module, file or function, or importing it fails.
    """
    if not isinstance(function, str):
        if not callable(function):
            raise RequestError(
                f"{type(function).__name__} cannot be called; nothing was changed.",
                hint="Give a function, or its name as 'MODULE:FUNCTION'.",
            )
        return function
    module_name, colon, name = function.rpartition(":")
    if not colon or not module_name or not name:
        raise RequestError(
            f"{function!r} does not name a function.",
            hint="Write MODULE:FUNCTION, or FILE.py:FUNCTION.",
        )
    try:
        module = (
            _from_file(module_name) if module_name.endswith(".py") else importlib.import_module(module_name)
        )
        found: Any = functools.reduce(getattr, name.split("."), module)
    except Exception as error:
        raise RequestError(
            f"{function} cannot be loaded: {type(error).__name__}: {error}; nothing was changed.",
            hint="Modules are looked for on Python's path; a file is named with its path: ./FILE.py:FUNCTION",
        ) from error
    if not callable(found):
        raise RequestError(f"{function} names no function but {type(found).__name__}.")
    result: Function = found
    return result


def _from_file(path: str) -> ModuleType:
    """The module of a file, loaded once; its folder is on the path as it would be for a script."""
    full = os.path.realpath(path)
    name = f"insitu_transform_{os.path.splitext(os.path.basename(full))[0]}"
    known = sys.modules.get(name)
    if known is not None and known.__file__ == full:
        return known
    spec = importlib.util.spec_from_file_location(name, full)
    if spec is None or spec.loader is None or not os.path.isfile(full):
        raise FileNotFoundError(f"there is no file {path}")
    folder = os.path.dirname(full)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def takes_context(function: Function) -> bool:
    """Whether the function takes the context of an item as a second argument: if it must have two.

    Raises:
        RequestError: it must have none, or more.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False  # some built-in functions do not tell
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [one for one in parameters if one.default is one.empty and one.kind in positional]
    able = len([one for one in parameters if one.kind in positional])
    starred = any(one.kind is one.VAR_POSITIONAL for one in parameters)
    keywords = [one for one in parameters if one.kind is one.KEYWORD_ONLY and one.default is one.empty]
    if len(needed) > 2 or keywords or (able == 0 and not starred):
        raise RequestError(
            f"The function {getattr(function, '__name__', function)!s} does not take one item, or an item "
            "and its context; nothing was changed.",
            hint="Define it as f(item) or f(item, context).",
        )
    return len(needed) == 2


def packed(function: Function | str) -> bytes:
    """A function for the way to another process.

    Raises:
        RequestError: it can only be used in this one.
    """
    try:
        return pickle.dumps(function)
    except Exception as error:
        raise RequestError(
            f"The function cannot be used by other processes: {error}; nothing was changed.",
            hint="Give one that is defined at the top of a module, or its name as 'MODULE:FUNCTION'; "
            "or workers=1.",
        ) from error


def unpacked(data: bytes) -> Function:
    """The function that ``packed`` packed, in another process.

    Raises:
        RequestError: it is not to be found there.
    """
    try:
        function: Function | str = pickle.loads(data)
    except Exception as error:
        raise RequestError(
            f"The function is not to be found in another process: {error}; nothing was changed.",
            hint="Define it in a module that can be imported, or use workers=1.",
        ) from error
    return resolved(function)


class RecordFunction:
    """A function over parsed records, as one over the lines that hold them.

    A record that the function returns equal keeps its bytes; one that changes is written anew, compactly.
    """

    def __init__(self, function: Function) -> None:
        self._function = function

    def __call__(self, line: bytes, *context: Any) -> Any:
        """What becomes of the record in a line; a blank line has none and stays."""
        import msgspec

        if not line.strip():
            return line
        try:
            record = parsed(line)
        except msgspec.DecodeError as error:
            raise RequestError(
                f"The record is no JSON: {error}; nothing was changed.",
                hint="Mend it, or pass the file by lines.",
            ) from error
        before = msgspec.json.encode(record)
        new = self._function(record, *context)
        if new is None:
            return None
        if isinstance(new, list) and not isinstance(record, list):
            return [msgspec.json.encode(one) for one in new]
        after = msgspec.json.encode(new)
        return line if after == before else after


def parsed(line: bytes) -> Any:
    """The value of a record."""
    import msgspec

    return msgspec.json.decode(line)


def neighbour(line: bytes) -> Any:
    """The value of a record that is looked at as context; None for a line that holds none.

    Each line is an item as well, and refused there.
    """
    import msgspec

    try:
        return parsed(line)
    except msgspec.DecodeError:
        return None


def at_once(function: Function) -> Function:
    """The function with its results made while it is called: a generator would see a later context."""
    if not inspect.isgeneratorfunction(function):
        return function
    return lambda *given: list(function(*given))
