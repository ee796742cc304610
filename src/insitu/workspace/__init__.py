"""What an agent may do with the files below some folders: typed requests, honest answers, no way out.

from insitu.workspace import Read, Workspace

with Workspace("/srv/project") as workspace:
    print(workspace.run(Read("logs/app.log", tail=5)).text())
"""

from typing import TYPE_CHECKING

from insitu.lazy_names import lazy_names

if TYPE_CHECKING:
    from insitu.workspace.audit import AuditLog
    from insitu.workspace.call import Call, Client
    from insitu.workspace.desk import Limits
    from insitu.workspace.roots import RootSpec
    from insitu.workspace.tools.append import Append
    from insitu.workspace.tools.copy_range import CopyRange
    from insitu.workspace.tools.edit import EditText, TextEdit
    from insitu.workspace.tools.edit_bytes import ByteEdit, EditBytes
    from insitu.workspace.tools.edit_json import EditJson, JsonEdit
    from insitu.workspace.tools.edit_rows import EditRows, RowEdit
    from insitu.workspace.tools.edit_section import EditSection
    from insitu.workspace.tools.history import History
    from insitu.workspace.tools.info import Info
    from insitu.workspace.tools.list import List
    from insitu.workspace.tools.outline import Outline
    from insitu.workspace.tools.read import Read
    from insitu.workspace.tools.replace_all import ReplaceAll
    from insitu.workspace.tools.search import Search
    from insitu.workspace.tools.transaction import Transaction
    from insitu.workspace.tools.undo import Undo
    from insitu.workspace.workspace import Answer, Workspace

_TOOLS = "insitu.workspace.tools"

__getattr__, __dir__ = lazy_names(
    globals(),
    {
        "Answer": "insitu.workspace.workspace",
        "Append": f"{_TOOLS}.append",
        "AuditLog": "insitu.workspace.audit",
        "ByteEdit": f"{_TOOLS}.edit_bytes",
        "Call": "insitu.workspace.call",
        "Client": "insitu.workspace.call",
        "CopyRange": f"{_TOOLS}.copy_range",
        "EditBytes": f"{_TOOLS}.edit_bytes",
        "EditJson": f"{_TOOLS}.edit_json",
        "EditRows": f"{_TOOLS}.edit_rows",
        "EditSection": f"{_TOOLS}.edit_section",
        "EditText": f"{_TOOLS}.edit",
        "History": f"{_TOOLS}.history",
        "Info": f"{_TOOLS}.info",
        "JsonEdit": f"{_TOOLS}.edit_json",
        "Limits": "insitu.workspace.desk",
        "List": f"{_TOOLS}.list",
        "Outline": f"{_TOOLS}.outline",
        "Read": f"{_TOOLS}.read",
        "ReplaceAll": f"{_TOOLS}.replace_all",
        "RootSpec": "insitu.workspace.roots",
        "RowEdit": f"{_TOOLS}.edit_rows",
        "Search": f"{_TOOLS}.search",
        "TextEdit": f"{_TOOLS}.edit",
        "Transaction": f"{_TOOLS}.transaction",
        "Undo": f"{_TOOLS}.undo",
        "Workspace": "insitu.workspace.workspace",
    },
)

__all__ = [
    "Answer",
    "Append",
    "AuditLog",
    "ByteEdit",
    "Call",
    "Client",
    "CopyRange",
    "EditBytes",
    "EditJson",
    "EditRows",
    "EditSection",
    "EditText",
    "History",
    "Info",
    "JsonEdit",
    "Limits",
    "List",
    "Outline",
    "Read",
    "ReplaceAll",
    "RootSpec",
    "RowEdit",
    "Search",
    "TextEdit",
    "Transaction",
    "Undo",
    "Workspace",
]
