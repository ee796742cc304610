"""Lines under any mixture of edits, by lines and by bytes, are a plain list of lines.

The windows are made tiny, so that every line is long, every piece is counted by index or by reading, and
reads are cut in every place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from insitu.core.pieces import Copy, Fill
from insitu.core.spans import Span
from insitu.views import line_ends, lines
from tests.unit.views.test_lines import OTHER, Document, decoded

TOKENS = (b"a", b"bb", b"\n", b"\n", b"\r\n", b"\r", b"\0", b"\xff", b"\xc3\xa9", b"\xc3")
contents = st.lists(st.sampled_from(TOKENS), max_size=30).map(b"".join)
without_lf = contents.map(lambda data: data.replace(b"\n", b""))
texts = st.lists(st.sampled_from(TOKENS), max_size=5).map(b"".join)
indexes = st.integers(0, 100)


@contextmanager
def tiny_windows(first: int, most: int, short: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "FIRST_WINDOW_BYTES", first)
        patch.setattr(lines, "WINDOW_BYTES", most)
        patch.setattr(lines, "_SPARSE_STEP", 2)
        patch.setattr(line_ends, "SHORT_BYTES", short)
        yield


class Model:
    """The content as one ``bytes``, split anew each time; the rules of endings, told once more."""

    def __init__(self, content: bytes, newline: bytes) -> None:
        self.content = content
        self.newline = newline

    @property
    def lines(self) -> list[bytes]:
        return re.findall(rb"[^%b]*%b|[^%b]+" % ((self.newline,) * 3), self.content)

    def ending(self, line: bytes) -> bytes:
        pattern = rb"\r?\n\Z" if self.newline == b"\n" else rb"\r\Z"
        found = re.search(pattern, line)
        return found[0] if found else b""

    def split(self, text: bytes) -> list[bytes]:
        pattern = rb"[^\n]*\n|[^\n]+" if self.newline == b"\n" else rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+"
        return re.findall(pattern, text) or [b""]

    def spare(self, first: int, stop: int) -> bytes:
        """The ending for a line that has none to take over."""
        near = [*self.lines[first:stop][::-1], *self.lines[:first][::-1], *self.lines[stop : stop + 1]]
        return next(filter(None, map(self.ending, near)), self.newline)

    def ended(self, text: bytes, like: bytes, spare: bytes) -> bytes:
        """A text in the place of the line ``like``: an LF or nothing becomes the ending that fits."""
        if text == like:
            return text
        given = self.ending(text)
        body = text.removesuffix(given)
        if self.newline == b"\r" and text.endswith(b"\n"):
            given, body = b"\n", text[:-1].removesuffix(b"\r")
        if given and given != b"\n":
            return text
        return body + (self.ending(like) or (spare if given or not body else b""))

    def assign(self, first: int, stop: int, given: list[bytes]) -> None:
        old, spare = self.lines[first:stop], self.spare(first, stop)
        new = [self.ended(text, old[min(k, len(old) - 1)], spare) for k, text in enumerate(given)]
        new[:-1] = [line if self.ending(line) else line + spare for line in new[:-1]]
        self.set([*self.lines[:first], *new, *self.lines[stop:]])

    def insert(self, at: int, given: list[bytes]) -> None:
        spare = self.spare(at, at)
        before, after = self.lines[:at], self.lines[at:]
        if given and before and not self.ending(before[-1]):
            before[-1] += spare
        self.set([*before, *(self.ended(text, b"?" + spare, spare) for text in given), *after])

    def set(self, new: list[bytes]) -> None:
        self.content = b"".join(new)


class LinesMachine(RuleBasedStateMachine):
    @initialize(content=contents | without_lf, windows=st.sampled_from([(1, 4, 0), (3, 8, 6), (99, 999, 9)]))
    def start(self, content: bytes, windows: tuple[int, int, int]) -> None:
        self.tiny = tiny_windows(*windows)
        self.tiny.__enter__()
        self.window = windows[1]
        self.open(content)
        self.lines: Any = self.document.lines

    def teardown(self) -> None:
        if hasattr(self, "tiny"):
            self.tiny.__exit__(None, None, None)

    def open(self, content: bytes) -> None:
        if hasattr(self, "document"):
            self.document.commit()
        else:
            self.document = Document(content)
        first = content[: self.window]
        cr = b"\r" in (first[:-1] if len(first) < len(content) else first) and b"\n" not in first
        self.model = Model(content, b"\r" if cr else b"\n")
        self.past: list[bytes] = []

    @contextmanager
    def edit(self) -> Iterator[Model]:
        before = self.model.content
        yield self.model
        if self.model.content != before:
            self.past.append(before)

    @rule(index=indexes, text=texts)
    def assign_a_line(self, index: int, text: bytes) -> None:
        count = len(self.model.lines)
        if count:
            with self.edit() as model:
                model.assign(index % count, index % count + 1, [text])
                self.lines[index % count - (index & 1) * count] = decoded(text)

    @rule(index=indexes)
    def assign_a_line_to_itself(self, index: int) -> None:
        if self.model.lines:
            index %= len(self.model.lines)
            self.lines[index] = self.lines[index]

    @rule(first=indexes, size=st.integers(0, 4), given=st.lists(texts, max_size=4))
    def assign_a_slice(self, first: int, size: int, given: list[bytes]) -> None:
        count = len(self.model.lines)
        first %= count + 2
        with self.edit() as model:
            low, high = min(first, count), min(first + size, count)
            if low < high:
                model.assign(low, high, given)
            else:
                model.insert(low, given)
            self.lines[first : first + size] = map(decoded, given)

    @rule(first=indexes, size=st.integers(0, 4))
    def assign_a_slice_to_itself(self, first: int, size: int) -> None:
        first %= len(self.model.lines) + 1
        self.lines[first : first + size] = self.lines[first : first + size]

    @rule(index=st.integers(-12, 12), text=texts)
    def insert(self, index: int, text: bytes) -> None:
        with self.edit() as model:
            at = len(range(len(model.lines))[:index])
            model.insert(at, model.split(text))
            self.lines.insert(index, decoded(text))

    @rule(given=st.lists(texts, max_size=3))
    def extend(self, given: list[bytes]) -> None:
        with self.edit() as model:
            model.insert(len(model.lines), [line for text in given for line in model.split(text)])
            self.lines.extend(map(decoded, given))

    @rule(index=indexes)
    def delete_a_line(self, index: int) -> None:
        if self.model.lines:
            with self.edit() as model:
                index %= len(model.lines)
                model.set([line for k, line in enumerate(model.lines) if k != index])
                del self.lines[index]

    @rule(part=st.slices(12))
    def delete_a_slice(self, part: slice) -> None:
        with self.edit() as model:
            rest = model.lines
            del rest[part]
            model.set(rest)
            del self.lines[part]

    @rule(start=indexes, size=st.integers(0, 6), data=texts)
    def edit_bytes(self, start: int, size: int, data: bytes) -> None:
        with self.edit() as model:
            start %= len(model.content) + 1
            stop = min(start + size, len(model.content))
            model.content = model.content[:start] + data + model.content[stop:]
            self.document.replace_span(Span(start, stop), data)

    @rule(at=indexes, which=st.sampled_from(["fill", "line ends", "base", "other"]), bound=indexes)
    def paste(self, at: int, which: str, bound: int) -> None:
        with self.edit() as model:
            at %= len(model.content) + 1
            base = self.document.base.data
            cut = bound % (len(base) + 1)
            pieces = {
                "fill": (Fill(ord("z"), 7), b"z" * 7),
                "line ends": (Fill(model.newline[0], 5), model.newline * 5),
                "base": (Copy(None, Span(cut // 2, cut)), base[cut // 2 : cut]),
                "other": (Copy("other", Span(bound % 9, len(OTHER))), OTHER[bound % 9 :]),
            }
            piece, data = pieces[which]
            model.content = model.content[:at] + data + model.content[at:]
            self.document.sequence.replace_pieces(Span(at, at), [piece])

    @rule()
    def undo(self) -> None:
        before = self.document.content
        undone = self.document.sequence.undo()
        while undone and self.document.content == before:
            undone = self.document.sequence.undo()
        assert undone == bool(self.past)
        if undone:
            self.model.content = self.past.pop()

    @rule()
    def undo_and_redo(self) -> None:
        if self.document.sequence.undo():
            len(self.lines)
            assert self.document.sequence.redo()

    @rule()
    def discard(self) -> None:
        self.document.sequence.clear()
        self.model.content = self.document.base.data
        self.past.clear()

    @rule()
    def commit(self) -> None:
        self.open(self.model.content)

    @rule(part=st.slices(10), offset=indexes)
    def look_up(self, part: slice, offset: int) -> None:
        expected = self.model.lines
        assert self.lines[part] == list(map(decoded, expected[part]))
        if self.model.content:
            offset %= len(self.model.content)
            number = self.lines.number_at(offset)
            first, stop = self.lines.span_of(number)
            assert first <= offset < stop
            assert self.model.content[first:stop] == expected[number]
        stop = min(len(expected), offset)
        span = self.lines.span_of(stop // 2, stop)
        assert self.model.content[span.start : span.stop] == b"".join(expected[stop // 2 : stop])

    @rule()
    def look_at_each(self) -> None:
        expected = self.model.lines
        assert [self.lines[k] for k in range(len(expected))] == list(map(decoded, expected))
        assert [self.lines.ending_of(k) for k in range(-len(expected), 0)] == [
            self.model.ending(line) for line in expected
        ]
        for missing in (len(expected), -len(expected) - 1):
            with pytest.raises(IndexError):
                self.lines[missing]

    @invariant()
    def the_lines_are_those_of_the_model(self) -> None:
        if not hasattr(self, "model"):
            return
        assert self.document.content == self.model.content
        assert self.lines.newline == self.model.newline
        # list() would ask for the length first, and all pieces be counted before any is searched.
        assert [line for line in self.lines] == list(map(decoded, self.model.lines))

    @rule()
    def count(self) -> None:
        assert len(self.lines) == len(self.model.lines)


TestLines = LinesMachine.TestCase
TestLines.settings = settings(max_examples=100, stateful_step_count=30)
