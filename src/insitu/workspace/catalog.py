"""The tools there are, in the order in which hosts list them."""

from __future__ import annotations

from typing import Any, Final

from insitu.workspace.request import Request
from insitu.workspace.tools.append import Append
from insitu.workspace.tools.copy_range import CopyRange
from insitu.workspace.tools.edit import EditText
from insitu.workspace.tools.edit_bytes import EditBytes
from insitu.workspace.tools.edit_json import EditJson
from insitu.workspace.tools.edit_rows import EditRows
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

TOOLS: Final[tuple[type[Request[Any]], ...]] = (
    List,
    Info,
    Read,
    Search,
    Outline,
    EditText,
    EditBytes,
    EditRows,
    EditSection,
    EditJson,
    Append,
    ReplaceAll,
    CopyRange,
    Transaction,
    History,
    Undo,
)
