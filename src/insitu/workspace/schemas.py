"""Schemas of the tools, made from their requests: JSON Schema for MCP, and what other hosts take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from insitu.workspace.request import Request

# Checked all the same, and named in the refusal: models seldom get them wrong, and every list pays for them.
_UNTOLD: Final = (
    *("title", "$defs", "minimum", "maximum", "exclusiveMinimum", "minLength", "minItems", "maxItems"),
    "additionalProperties",  # said of the whole; of what is inside, it is checked
)


def input_schema(kind: type[Request[Any]]) -> dict[str, Any]:
    """The JSON Schema of a tool's arguments: one object, nothing else allowed, without references."""
    whole = msgspec.json.schema(kind)
    schema: dict[str, Any] = _inlined(whole, whole.get("$defs", {}))
    return {**schema, "additionalProperties": False}


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """A schema with its references replaced, "or null" left out, and what models need not be told dropped."""
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target = definitions[schema["$ref"].removeprefix("#/$defs/")]
        rest = {key: value for key, value in schema.items() if key not in ("$ref", "$defs")}
        return _inlined({**target, **rest}, definitions)
    plain = {
        key: {name: _inlined(of, definitions) for name, of in value.items()}
        if key == "properties"
        else _inlined(value, definitions)
        for key, value in schema.items()
        if key not in _UNTOLD and not (key == "default" and _needs_no_telling(value))
    }
    if "properties" in plain:
        plain.pop("description", None)  # the docstring of a struct is for programmers
        if not plain["required"]:
            del plain["required"]
    return _merged(plain)


def _needs_no_telling(default: Any) -> bool:
    """Whether a default is what everybody expects, or a number that only bounds the answer."""
    return default in (None, "", [], "auto") or (isinstance(default, int | float) and default is not True)


def _merged(schema: dict[str, Any]) -> dict[str, Any]:
    """Alternatives by their types; that what may be left out may be null, too, goes without saying."""
    if "anyOf" not in schema:
        return schema
    choices = [choice for choice in schema["anyOf"] if choice != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    if len(choices) == 1:
        return {**choices[0], **rest}
    return {"type": [choice.get("type", "string") for choice in choices], **rest}


def input_schemas(kinds: Iterable[type[Request[Any]]]) -> dict[str, dict[str, Any]]:
    """The schemas of tools that are listed together, by name.

    What several tools take (``path``, ``version``, ``dry_run``) is described where it comes first: a model
    reads the whole list, and pays for it in every request.
    """
    told: set[tuple[str, str]] = set()
    schemas: dict[str, dict[str, Any]] = {}
    for kind in kinds:
        schema = schemas[kind.tool.name] = input_schema(kind)
        for name, value in schema["properties"].items():
            said = (name, value.get("description", ""))
            if said in told:
                del value["description"]
            elif said[1]:
                told.add(said)
    return schemas


def openai_tools(kinds: Sequence[type[Request[Any]]]) -> list[dict[str, Any]]:
    """The tools as function definitions of OpenAI's chat API."""
    schemas = input_schemas(kinds)
    return [
        {
            "type": "function",
            "function": {
                "name": kind.tool.name,
                "description": kind.tool.description,
                "parameters": schemas[kind.tool.name],
            },
        }
        for kind in kinds
    ]


def anthropic_tools(kinds: Sequence[type[Request[Any]]]) -> list[dict[str, Any]]:
    """The tools as definitions of Anthropic's messages API."""
    schemas = input_schemas(kinds)
    return [
        {
            "name": kind.tool.name,
            "description": kind.tool.description,
            "input_schema": schemas[kind.tool.name],
        }
        for kind in kinds
    ]
