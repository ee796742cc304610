"""Laws of Markdown: the fast scan is the exact one, a patched outline a new one, edits do what they say."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import insitu
from insitu.core.spans import Span
from insitu.errors import InsituError
from insitu.formats.markdown_blocks import BlockScanner
from insitu.formats.markdown_candidates import candidates
from insitu.formats.markdown_walk import Walk
from insitu.scan.windows import windows
from insitu.views.markdown import Markdown
from insitu.views.markdown_outline import Outline, beginning
from insitu.views.markdown_overlay import Overlay
from insitu.views.markdown_scan import ExactReader
from insitu.views.markdown_section import SCOPES, Section
from tests.readers import BytesReader
from tests.unit.formats import markdown_pieces

PIECES = (
    *markdown_pieces.PIECES,
    "   ## d\n",
    "```x\n",
    "```x`\n",
    "~~~\n",
    "~~~~\n",
    "  <div>\n",
    "[a]: b\n",
    "\r",
    "\r\n",
    "- x\n\n  ",
    "1. y\n\n   ",
    "+++\n",
    "# [a](b) & c\n",
)
DOCUMENTS = st.lists(st.sampled_from(PIECES), max_size=30).map(lambda pieces: "".join(pieces).encode())


def exact(data: bytes, start: int = 0) -> list[tuple[int, int, int]]:
    """The headings by the exact scanner: the oracle."""
    scanner = BlockScanner(offset=start)
    return [tuple(heading) for heading in (*scanner.feed(data[start:]), *scanner.close())]


def line_of(data: bytes, offset: int) -> int:
    return len(re.findall(rb"\r\n?|\n", data[:offset]))


@pytest.mark.slow
@given(
    DOCUMENTS,
    st.sampled_from([1, 2, 3, 7, 16, 64, 1000]),
    st.sampled_from([2, 5, 256]),
    st.integers(16, 60),
    st.sampled_from([1, 2, 5]),
)
def test_the_fast_scan_finds_what_the_exact_one_does(
    data: bytes, window: int, before: int, after: int, together: int
) -> None:
    reader = BytesReader(data)
    walk = Walk(ExactReader(reader), "utf-8")
    found: list[tuple[int, int, int]] = []
    looked_at = [
        # A window's bytes are there until the next one is read.
        candidates(
            view.view, view.offset, view.before, view.span.size, "utf-8",
            first=view.span.start == 0, last=view.offset + len(view.view) == reader.size,
        )
        for view in windows(reader, window_bytes=window, before=before, after=after)
    ]  # fmt: skip
    for at in range(0, len(looked_at), together):
        batch = walk.take(looked_at[at : at + together])
        rows = zip(*(column.tolist() for column in batch[:4]), strict=True)
        for start, stop, level, line in rows:
            found.append((start, stop, level))
            assert line == line_of(data, start)
        for sync in batch.syncs.tolist():
            assert exact(data, sync) == [row for row in exact(data) if row[0] >= sync]
    assert found == exact(data)


def rows(outline: Outline) -> list[tuple[int, ...]]:
    columns = (outline.starts, outline.stops, outline.levels, outline.lines, outline.keys, outline.families)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.slow
@given(
    DOCUMENTS, st.lists(st.tuples(st.integers(0, 90), st.integers(0, 12), DOCUMENTS), min_size=1, max_size=4)
)
@example(b"[a]: b\n\t# a\n===\n# a\n", [(17, 0, b"")])
@example(b"# a\nbar<?# a\n-\n# a\n", [(16, 0, b"")])
def test_a_patched_outline_is_that_of_the_new_content(
    data: bytes, edits: list[tuple[int, int, bytes]]
) -> None:
    outline = Outline.of(BytesReader(data), "utf-8")
    for at, size, new in edits:
        span = Span(min(at, len(data)), min(at + size, len(data)))
        overlay = Overlay(BytesReader(data), [(span, new[:20])])
        data = data[: span.start] + new[:20] + data[span.stop :]
        assert overlay.read(0, overlay.size) == data
        outline, change = outline.changed(overlay, "utf-8", span, len(new[:20]) - span.size)
        fresh = Outline.of(BytesReader(data), "utf-8")
        assert rows(outline) == rows(fresh)
        assert outline.begin == fresh.begin == beginning(BytesReader(data))[1]
        assert outline.unclosed == fresh.unclosed
        assert 0 <= change.start <= change.new_stop <= len(outline)


TEXTS = st.sampled_from(
    ["new", "a\nb\n", "- x\n- y", "### deep\n\nz", "# top", "```\nopen", "```\nx\n```\n", "    code", ""]
)
VERBS: dict[str, Callable[[Markdown, int, int, str], object]] = {
    "append": lambda md, a, b, text: md.outline()[a].append(text),
    "own": lambda md, a, b, text: md.outline()[a].append(text, "own"),
    "prepend": lambda md, a, b, text: md.outline()[a].prepend(text),
    "before": lambda md, a, b, text: md.outline()[a].insert_before(text),
    "after": lambda md, a, b, text: md.outline()[a].insert_after(text),
    "replace": lambda md, a, b, text: md.outline()[a].replace(text),
    "replace own": lambda md, a, b, text: md.outline()[a].replace(text, "own"),
    "replace all": lambda md, a, b, text: md.outline()[a].replace(text, "subtree"),
    "heading": lambda md, a, b, text: md.outline()[a].replace(text, "heading"),
    "delete": lambda md, a, b, text: md.outline()[a].delete(),
    "rename": lambda md, a, b, text: md.outline()[a].rename(text.strip()),
    "promote": lambda md, a, b, text: md.outline()[a].promote(),
    "demote": lambda md, a, b, text: md.outline()[a].demote(),
    "move before": lambda md, a, b, text: md.outline()[a].move(before=md.outline()[b]),
    "move after": lambda md, a, b, text: md.outline()[a].move(after=md.outline()[b]),
    "move under": lambda md, a, b, text: md.outline()[a].move(under=md.outline()[b]),
    "create": lambda md, a, b, text: md.create("fresh", under=md.outline()[a], text=text),
    "pad": lambda md, a, b, text: md.outline()[a].append(text, padding=True),
}
SETTINGS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.mark.slow
@SETTINGS
@given(
    DOCUMENTS,
    st.lists(
        st.tuples(st.sampled_from(sorted(VERBS)), st.integers(0, 9), st.integers(0, 9), TEXTS), max_size=3
    ),
)
def test_edits_leave_the_sections_they_do_not_name(
    tmp_path: Path, data: bytes, steps: list[tuple[str, int, int, str]]
) -> None:
    path = tmp_path / "a.md"
    path.write_bytes(data)
    with insitu.open(path) as doc:
        md = doc.markdown()
        for verb, first, second, text in steps:
            count = len(md)
            if not count:
                break
            named = md.outline()[first % count]
            held = [(section, section.read("own")) for section in md]
            parents = {id(section) for section in _ancestors(named)}
            below = named.span()
            outside = [
                (section, section.title, own.strip())
                for section, own in held
                if section is not named
                and section.span().start not in range(*below)
                and id(section) not in parents
            ]
            before = doc[:]
            try:
                VERBS[verb](md, first % count, second % count, text)
            except InsituError:
                assert doc[:] == before
            assert rows(md.outline_of()) == rows(Outline.of(BytesReader(bytes(doc[:])), "utf-8"))
            for section, title, own in outside:
                assert section.title == title
                if verb not in ("before", "after", "replace all", "move before", "move after", "move under"):
                    assert section.read("own").strip() == own
        doc.discard()


def _ancestors(section: Section) -> list[object]:
    found = []
    while section.parent is not None:
        section = section.parent
        found.append(section)
    return found


@pytest.mark.slow
@SETTINGS
@given(DOCUMENTS)
@example(b"\r# a\n")
@example(b"[a]: b\n<a>\n===\n")
def test_every_name_leads_back_and_nothing_changes_by_itself(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.md"
    path.write_bytes(data)
    with insitu.open(path) as doc:
        md = doc.markdown()
        slugs = list(md.slugs())
        for section, slug in zip(md, slugs, strict=True):
            assert md[section.address] is section
            assert md[section.id] is section
            assert section.slug == slug
            assert md["#" + slug] is section
            assert section.span("subtree").start == section.span("heading").start
            for scope in SCOPES:
                with suppress(InsituError):
                    section.replace(section.read(scope) if scope != "own" else _own(section), scope)
                assert doc[:] == data
            section.rename(section.title) if "\n" not in section.read(
                "heading"
            ).strip() and section.title else None
            assert doc[:] == data
        doc.discard()


def _own(section: Section) -> str:
    return section.read("own")[len(section.read("heading")) :]
