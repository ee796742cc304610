"""How well chunks serve retrieval: ours beside LangChain's, Chonkie's and semantic-text-splitter's.

    python -m benchmarks.chunk_retrieval [FOLDER]

The peers are installed into a virtual environment of their own below FOLDER (default: a temporary one), in
which this file then runs itself again. Texts are documentation that packages ship. Settings were chosen by
questions on the topics of Python's ``pydoc``, the docstrings of NumPy and, where its source distribution can
be had, the specification of CommonMark (``tuned``). The figures are those of other questions on these
(``same texts``), and of questions on texts that nothing was chosen by: docstrings of the standard library,
and the descriptions of the packages installed there, in Markdown (``other texts``).

Questions are made from the texts, with exact answers: a sentence or a paragraph is drawn, which is the
answer's span; the question is a sample of its words, the rare ones likelier. Chunks are ranked by BM25 and
taken as long as they fit a context of so many characters, the same for all. Per token: recall is what of
the answer was taken, precision what of the taken is answer, IoU their intersection over their union.

Every splitter is asked the same questions, so differences can be told from chance: for each question the
mean over all budgets of what insitu scores more than another, and the interval that holds the mean of 95 of
100 samples of as many questions, drawn anew from each text.
"""

from __future__ import annotations

import json
import math
import random
import re
import subprocess
import sys
import tarfile
import tempfile
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

PEERS: Final = ("langchain-text-splitters", "chonkie", "semantic-text-splitter")
BUDGETS: Final = (600, 1_200, 1_800)
CONTEXT_CHARS: Final = 6_000
QUESTIONS_TUNED: Final = 400
QUESTIONS: Final = 4_000
RESAMPLES: Final = 2_000
PLAIN: Final = ("insitu", "LangChain recursive", "Chonkie recursive", "semantic-text-splitter")
SCORES: Final = ("recall", "precision", "iou")

LIBRARY: Final = (
    *("argparse", "asyncio", "collections", "concurrent.futures", "ctypes", "datetime", "decimal"),
    *("difflib", "email.message", "fractions", "http.client", "itertools", "logging", "multiprocessing"),
    *("os", "pathlib", "random", "re", "shutil", "socket", "sqlite3", "ssl", "statistics", "string"),
    *("subprocess", "tarfile", "tempfile", "textwrap", "threading", "turtle", "unittest", "urllib.request"),
    "zipfile",
)

_WORD: Final = re.compile(r"\w+")
_TOKEN: Final = re.compile(r"\w+|[^\w\s]")
_SENTENCE: Final = re.compile(r"[^\n.!?][^.!?]{40,400}[.!?](?=\s)")

Span = tuple[int, int]
Splitter = Callable[[str, int], list[Span]]


# Texts


def texts(folder: Path) -> dict[str, str]:
    """The texts, by name; a name that ends with .md is Markdown."""
    import pydoc_data.topics

    found = {"pydoc topics": "\n\n".join(pydoc_data.topics.topics.values())}
    found["NumPy docstrings"] = _docstrings()
    spec = folder / "spec.md"
    if spec.exists():
        found["CommonMark.md"] = spec.read_text("utf-8")
    return found


def _docstrings() -> str:
    import numpy as np

    return "\n\n\n".join(_docs_of(np, "numpy"))


def _docs_of(module: Any, name: str) -> list[str]:
    import inspect

    found = {}
    for member in sorted(each for each in dir(module) if not each.startswith("_")):
        if callable(held := getattr(module, member)):
            found[member] = inspect.getdoc(held) or ""
    return [f"{name}.{member}\n\n{text}" for member, text in found.items() if len(text) > 200]


def other_texts() -> dict[str, str]:
    """Texts that no setting was chosen by."""
    import importlib
    from importlib.metadata import distributions

    docs = [part for name in LIBRARY for part in _docs_of(importlib.import_module(name), name)]
    described = {}
    for each in distributions():
        text = each.metadata.get_payload()
        if "markdown" in each.metadata.get("Description-Content-Type", "") and isinstance(text, str):
            described[each.metadata["Name"].lower()] = text
    # What is our own was written with our own splitter at hand.
    described.pop("insitu", None)
    return {
        "library docstrings": "\n\n\n".join(docs),
        "descriptions.md": "\n\n".join(described[name] for name in sorted(described)),
    }


def _specification(folder: Path) -> None:
    """Puts the specification of CommonMark there, out of the sources of markdown-it-py."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--no-binary",
        ":all:",
        "-d",
        str(folder),
    ]
    if subprocess.run([*command, "markdown-it-py"], check=False).returncode:
        return
    for path in folder.glob("markdown*.tar.gz"):
        with tarfile.open(path) as archive:
            for member in archive.getmembers():
                if member.name.endswith(("spec.md", "spec.txt")) and (held := archive.extractfile(member)):
                    (folder / "spec.md").write_bytes(held.read())


# Questions


def questions(text: str, count: int, random_: random.Random) -> list[tuple[str, Span]]:
    """Questions with the spans of their answers."""
    paragraphs = [
        found.span()
        for found in re.finditer(r"(?:[^\n]+\n?)+", text)
        if 120 <= found.end() - found.start() <= 900
    ]
    sentences = [found.span() for found in _SENTENCE.finditer(text)]
    seen = Counter(word.lower() for word in _WORD.findall(text))
    made: list[tuple[str, Span]] = []
    while len(made) < count:
        span = random_.choice(sentences if random_.random() < 0.6 else paragraphs)
        words = sorted({word.lower() for word in _WORD.findall(text[slice(*span)]) if len(word) > 2})
        if len(words) < 5:
            continue
        weights = [1 / math.log(2 + seen[word]) for word in words]
        asked = {random_.choices(words, weights)[0] for _ in range(6)}
        made.append((" ".join(sorted(asked)), span))
    return made


# Retrieval


class Bm25:
    """Ranks chunks by the words of a question. Source: Robertson and Zaragoza, 2009; k1 = 1.2, b = 0.75."""

    def __init__(self, chunks: Iterable[str]) -> None:
        self._counts = [Counter(word.lower() for word in _WORD.findall(chunk)) for chunk in chunks]
        self._sizes = [sum(counts.values()) for counts in self._counts]
        self._mean = sum(self._sizes) / len(self._sizes)
        self._holding: dict[str, list[int]] = defaultdict(list)
        for index, counts in enumerate(self._counts):
            for word in counts:
                self._holding[word].append(index)

    def ranked(self, question: str) -> list[int]:
        """Indexes of the chunks that hold a word of the question, the best first."""
        scores: dict[int, float] = defaultdict(float)
        total = len(self._counts)
        for word in question.split():
            holding = self._holding.get(word, [])
            rarity = math.log(1 + (total - len(holding) + 0.5) / (len(holding) + 0.5))
            for index in holding:
                often = self._counts[index][word]
                size = 0.25 + 0.75 * self._sizes[index] / self._mean
                scores[index] += rarity * often * 2.2 / (often + 1.2 * size)
        return sorted(scores, key=lambda index: (-scores[index], index))


def measured(text: str, spans: list[Span], asked: list[tuple[str, Span]]) -> list[tuple[float, ...]]:
    """Recall, precision and IoU of chunks for each question."""
    starts = [found.start() for found in _TOKEN.finditer(text)]
    ranking = Bm25(text[slice(*span)] for span in spans)
    scores: list[tuple[float, ...]] = []
    for question, answer in asked:
        taken = both = 0
        left = CONTEXT_CHARS
        first, last = _tokens(starts, *answer)
        for index in ranking.ranked(question):
            start, stop = spans[index]
            if stop - start > left:
                break
            left -= stop - start
            low, high = _tokens(starts, start, stop)
            taken += high - low
            both += max(0, min(high, last) - max(low, first))
        wanted = last - first
        scores.append((both / wanted, both / max(1, taken), both / (taken + wanted - both)))
    return scores


def _tokens(starts: list[int], start: int, stop: int) -> Span:
    """The tokens that start in a span."""
    return bisect_left(starts, start), bisect_left(starts, stop)


# Splitters


def ours(text: str, budget: int, name: str) -> list[Span]:
    """Chunks of insitu, as spans of characters."""
    import insitu

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "text.md" if name.endswith(".md") else "text.txt")
        path.write_bytes(text.encode())
        kind = "markdown" if name.endswith(".md") else "text"
        with insitu.open(path, "r") as doc:
            parts = [chunk.text() for chunk in doc.chunks(max_chars=budget, kind=kind)]
    return _placed(parts)


def _placed(parts: Iterable[str]) -> list[Span]:
    """The spans of parts that follow each other without a gap."""
    spans, at = [], 0
    for part in parts:
        spans.append((at, at + len(part)))
        at += len(part)
    return spans


def peers(text: str, budget: int, name: str) -> dict[str, list[Span]]:
    """Chunks of the others; of each the splitter for the kind of text where it has one."""
    from chonkie import RecursiveChunker
    from langchain_text_splitters import MarkdownTextSplitter, RecursiveCharacterTextSplitter
    from semantic_text_splitter import MarkdownSplitter, TextSplitter

    markdown = name.endswith(".md")
    options: dict[str, Any] = {"chunk_size": budget, "chunk_overlap": 0, "strip_whitespace": False}
    recursive = RecursiveCharacterTextSplitter(**options, keep_separator=True)
    semantic = (MarkdownSplitter if markdown else TextSplitter)(budget, trim=False)
    chonkie = RecursiveChunker(tokenizer="character", chunk_size=budget)
    found = {
        "LangChain recursive": _placed(recursive.split_text(text)),
        "Chonkie recursive": [(chunk.start_index, chunk.end_index) for chunk in chonkie(text)],
        "semantic-text-splitter": [(at, at + len(part)) for at, part in semantic.chunk_indices(text)],
    }
    if markdown:
        found["LangChain Markdown"] = _placed(MarkdownTextSplitter(**options).split_text(text))
    return found


# Running


def report(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Measures everything and prints a table as it goes."""
    known = texts(folder)
    groups = (
        _Group("tuned", known, "", QUESTIONS_TUNED),
        _Group("same texts", known, "held out: ", QUESTIONS),
        _Group("other texts", other_texts(), "held out: ", QUESTIONS),
    )
    found: dict[str, list[dict[str, Any]]] = {"rows": [], "means": [], "differences": []}
    for group in groups:
        group.measure()
        for kind, rows in (
            ("rows", group.rows),
            ("means", group.means()),
            ("differences", group.differences()),
        ):
            found[kind] += rows
    for row in found["means"]:
        scores = "  ".join(f"{key} {row[key]:.4f}" for key in SCORES)
        print(f"{row['group'] + ', mean of ' + str(row['of']):25} {row['splitter']:24} {scores}")
    for row in found["differences"]:
        low, high = row["interval"]
        print(
            f"{row['group']:25} recall of insitu less that of {row['splitter']:24} {row['recall']:+.4f}, "
            f"95 % of samples {low:+.4f} to {high:+.4f}"
        )
    return found


class _Group:
    """Questions of one kind, and what each splitter scores with them."""

    def __init__(self, name: str, known: dict[str, str], seed: str, count: int) -> None:
        self._name = name
        self._known = known
        self._seed = seed
        self._count = count
        self.rows: list[dict[str, Any]] = []
        # By splitter and text, for each question: its mean recall over the budgets.
        self._recalls: dict[str, dict[str, list[float]]] = defaultdict(dict)

    def measure(self) -> None:
        """Asks all questions of all splitters."""
        for name, text in self._known.items():
            asked = questions(text, self._count, random.Random(self._seed + name))
            scored: dict[str, list[list[tuple[float, ...]]]] = defaultdict(list)
            for budget in BUDGETS:
                splitters = {"insitu": ours(text, budget, name), **peers(text, budget, name)}
                for splitter, spans in splitters.items():
                    scores = measured(text, spans, asked)
                    scored[splitter].append(scores)
                    means = {
                        key: sum(column) / len(asked)
                        for key, column in zip(SCORES, zip(*scores, strict=True), strict=True)
                    }
                    row = {"group": self._name, "text": name, "budget": budget, "splitter": splitter}
                    self.rows.append({**row, "chunks": len(spans), **means})
                    said = "  ".join(f"{key} {value:.4f}" for key, value in means.items())
                    print(f"{name:18} {budget:6,} {splitter:24} {len(spans):6,} chunks  {said}", flush=True)
            for splitter, budgets in scored.items():
                recalls = zip(*([score[0] for score in scores] for scores in budgets), strict=True)
                self._recalls[splitter][name] = [sum(each) / len(BUDGETS) for each in recalls]

    def means(self) -> list[dict[str, Any]]:
        """Means over texts and budgets. A splitter for Markdown alone has none to compare."""
        found = []
        for splitter in PLAIN:
            mine = [row for row in self.rows if row["splitter"] == splitter]
            means = {key: sum(row[key] for row in mine) / len(mine) for key in SCORES}
            found.append({"group": self._name, "splitter": splitter, "of": len(mine), **means})
        return found

    def differences(self) -> list[dict[str, Any]]:
        """How much more insitu recalls than each other splitter, and how far chance moves that."""
        import numpy as np

        chance = np.random.default_rng(0)
        found = []
        for splitter in PLAIN[1:]:
            means, sampled = 0.0, np.zeros(RESAMPLES)
            for name in self._known:
                more = np.subtract(self._recalls["insitu"][name], self._recalls[splitter][name])
                means += float(more.mean()) / len(self._known)
                for index in range(RESAMPLES):
                    drawn = more[chance.integers(0, len(more), len(more))]
                    sampled[index] += drawn.mean() / len(self._known)
            interval = np.percentile(sampled, (2.5, 97.5)).tolist()
            found.append({"group": self._name, "splitter": splitter, "recall": means, "interval": interval})
        return found


def environment(folder: Path) -> Path:
    """The interpreter of the environment that holds the peers and this working tree's insitu, made once."""
    home = folder / "peers"
    python = home / "bin" / "python"
    done = home / "installed"
    if not done.exists():
        import venv

        venv.create(home, with_pip=True, clear=True)
        root = Path(__file__).resolve().parents[1]
        subprocess.run([python, "-m", "pip", "install", "-q", *PEERS, str(root)], check=True)
        # Half an installation is made anew.
        done.touch()
    return python


def main(folder: Path) -> None:
    """Measures in the environment of the peers."""
    folder.mkdir(parents=True, exist_ok=True)
    python = environment(folder)
    if not (folder / "spec.md").exists():
        _specification(folder)
    subprocess.run([python, __file__, "--inside", str(folder)], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        place = Path(sys.argv[2])
        (place / "chunk_retrieval.json").write_text(json.dumps(report(place), indent=1), "utf-8")
    elif len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
