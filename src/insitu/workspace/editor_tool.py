"""The text editor tool that Claude is trained on, over a workspace.

Its commands (``view``, ``create``, ``str_replace``, ``insert``) are calls of the workspace's own tools, with
their checks, budgets, history and undo. One rule differs from common implementations: ``create`` never
overwrites. Source: Anthropic's documentation of the tool, version 2025-07-28.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from insitu.errors import ArgumentsError, FileKindError
from insitu.workspace.arguments import malformed, unknown
from insitu.workspace.call import Call
from insitu.workspace.editor_words import in_words_of_the_editor
from insitu.workspace.workspace import Answer, Workspace

NAME: Final = "str_replace_based_edit_tool"
DEFINITION: Final[Mapping[str, Any]] = {"type": "text_editor_20250728", "name": NAME}
"""For the list of tools of a request to Anthropic's API, which knows the schema by its type."""

_FOLDER_DEPTH: Final = 2  # as the documentation of the tool has it


class _Command(NamedTuple):
    """A command as a call.

    Args:
        tool: what is called.
        names: the command's arguments and what they are called there; ``path`` goes without saying.
        fixed: what is passed besides.
    """

    tool: str
    names: Mapping[str, str]
    fixed: Mapping[str, Any]


_COMMANDS: Final[Mapping[str, _Command]] = {
    "view": _Command("file_read", {"view_range": "lines"}, {}),
    "create": _Command("file_append", {"file_text": "text"}, {"create": True, "ensure_newline": False}),
    "str_replace": _Command("file_edit", {"old_str": "old_text", "new_str": "new_text"}, {}),
    # Before 2025-07-28 the text to insert was new_str.
    "insert": _Command(
        "file_edit", {"insert_line": "insert_after", "insert_text": "new_text", "new_str": "new_text"}, {}
    ),
}


def run(workspace: Workspace, arguments: Mapping[str, Any], call: Call | None = None) -> Answer:
    """Carries out one use of the tool; a refusal is an answer, too.

    Args:
        arguments: the input that the model gave.
    """
    try:
        tool, given = _call_of(arguments)
    except ArgumentsError as error:
        return workspace.refuse(NAME, arguments, error, call)
    answer = workspace.call(tool, given, call)
    if tool == "file_read" and answer.refused is not None and answer.refused.code == FileKindError.code:
        listed = workspace.call("file_list", {"path": given.get("path"), "depth": _FOLDER_DEPTH}, call)
        answer = answer if listed.refused is not None else listed
    return answer._replace(text=in_words_of_the_editor(answer.text))


def _call_of(arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The call that a command means.

    Raises:
        ArgumentsError: it is none.
    """
    if (problem := malformed(NAME, arguments)) is not None:
        raise problem
    command = _COMMANDS.get(str(arguments.get("command")))
    if command is None:
        raise ArgumentsError(
            f"{NAME} has no command {str(arguments.get('command'))[:60]!r}; nothing was changed.",
            hint=f"Commands: {', '.join(_COMMANDS)}.",
        )
    given = dict(command.fixed)
    for name, value in arguments.items():
        if name == "path":
            given[name] = value
        elif name in command.names:
            if command.names[name] in given:
                raise ArgumentsError(
                    f"{name} and another argument of {arguments['command']} mean one; nothing was changed.",
                    hint="Give one of them.",
                )
            given[command.names[name]] = value
        elif name != "command":
            said = f"{arguments['command']} has no argument {name[:60]!r}"
            raise unknown(said, name, ["path", *command.names])
    return command.tool, given
