"""Splitters that people cut texts for models with today: ``python -m benchmarks.chunk_peers HOME NAME FILE``.

Each cuts a whole file at 1,600 characters, about what 400 tokens are, in the environment that
``chunk_retrieval`` makes for them; prints one line of JSON as ``inside`` does.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHARS = 1_600


def langchain(text: str) -> list[str]:
    """LangChain's recursive splitter, which keeps all characters if asked to."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    options: dict[str, Any] = {"chunk_size": CHARS, "chunk_overlap": 0, "strip_whitespace": False}
    return list(RecursiveCharacterTextSplitter(**options, keep_separator=True).split_text(text))


def chonkie(text: str) -> list[str]:
    """Chonkie's recursive chunker."""
    from chonkie import RecursiveChunker

    return [chunk.text for chunk in RecursiveChunker(tokenizer="character", chunk_size=CHARS)(text)]


def semantic(text: str) -> list[str]:
    """semantic-text-splitter's splitter of plain text."""
    from semantic_text_splitter import TextSplitter

    return list(TextSplitter(CHARS, trim=False).chunks(text))


SPLITTERS: dict[str, Callable[[str], list[str]]] = {
    "LangChain recursive": langchain,
    "Chonkie recursive": chonkie,
    "semantic-text-splitter": semantic,
}


def main() -> None:
    """Cuts, in the environment that has the splitters."""
    home, name, path = sys.argv[1:4]
    python = Path(home, "bin", "python")
    if Path(sys.prefix).resolve() != Path(home).resolve():
        os.execv(python, [str(python), __file__, home, name, path])
    split, text = SPLITTERS[name], Path(path).read_text("utf-8")
    split(text[:10_000])
    began = time.perf_counter()
    parts = split(text)
    seconds = time.perf_counter() - began
    lost = len(text) - sum(map(len, parts))
    answer = "every byte, once" if "".join(parts) == text else f"{lost} characters lost"
    print(json.dumps({"seconds": seconds, "answer": answer, "notes": {"chunks": len(parts)}}))


if __name__ == "__main__":
    main()
