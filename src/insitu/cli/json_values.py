"""JSON on the command line: values, pointers with values, and the options the JSON commands share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

from insitu.cli.texts import content_of
from insitu.errors import RequestError

if TYPE_CHECKING:
    import msgspec

Command = Callable[..., None]

pad_option: Final = click.option(
    "--pad", is_flag=True, help="Put spaces where they mean nothing, so that what follows need not move."
)
string_option: Final = click.option("--string", is_flag=True, help="VALUE is a text, not JSON.")


def value_of(text: str, *, string: bool = False) -> msgspec.Raw:
    """The JSON that was given, kept as it is written; ``-`` reads it from standard input.

    Args:
        string: it is a text, which is put in quotes.
    """
    import msgspec

    data = content_of("-") if text == "-" else text.encode("utf-8", "surrogateescape")
    if string:
        data = json.dumps(data.decode("utf-8", "surrogateescape"), ensure_ascii=False).encode()
    return msgspec.Raw(data)


def parsed(text: str, what: str) -> Any:
    """A Python value of JSON; ``-`` reads it from standard input.

    Raises:
        RequestError: it is not JSON.
    """
    data = content_of("-") if text == "-" else text.encode("utf-8", "surrogateescape")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RequestError(
            f"The {what} is not JSON: {error}; nothing was changed.",
            hint="Keys and texts go in double quotes, the whole in single ones: '{\"a\": 1}'.",
        ) from None


def assigned(settings: tuple[str, ...]) -> dict[str, Any]:
    """Pointers and values of ``POINTER=VALUE``; a plain key stands for the member of that name.

    Raises:
        click.BadParameter: one has no equals sign.
    """
    found = {}
    for setting in settings:
        pointer, equals, value = setting.partition("=")
        if not equals:
            raise click.BadParameter(f"{setting!r} is not of the form POINTER=VALUE", param_hint="--set")
        found[pointer_of(pointer)] = value_of(value)
    return found


def pointer_of(text: str) -> str:
    """A pointer; of a plain key, that of the member."""
    return text if text.startswith("/") else "/" + text.replace("~", "~0").replace("/", "~1")


def key_of(text: str | None) -> dict[str, str | int] | None:
    """A pointer and the value it leads to, of ``POINTER=VALUE``; a value that is no number is a text.

    Raises:
        click.BadParameter: it has no equals sign.
    """
    if text is None:
        return None
    pointer, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not of the form POINTER=VALUE", param_hint="--key")
    number = value.removeprefix("-")
    if number.isascii() and number.isdecimal() and (number == "0" or not number.startswith("0")):
        return {pointer_of(pointer): int(value)}
    return {pointer_of(pointer): value.removeprefix('"').removesuffix('"') if value[:1] == '"' else value}
