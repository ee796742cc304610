"""The executor: runs any legal plan, from any checkpoint. Recovery is this same code, started later.

The order that everything rests on (docs/journal.md): the journal is durable before the target's first byte
changes (J1); a segment's writes are durable before its checkpoint (J4), and its checkpoint before the next
segment's first write (J5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

from insitu.core.columns import Block
from insitu.core.plan import WINDOW_BYTES, Plan
from insitu.core.protocols import Progress
from insitu.core.records import State
from insitu.core.rendering import Parts, parts_of, render_into
from insitu.core.spans import Span
from insitu.core.steps import Collapse, Insert, Move, Place, Resize, Step, Transfer
from insitu.engine.hints import Hints
from insitu.engine.journal import Journal
from insitu.engine.ranges import finish_collapse, finish_insert
from insitu.engine.write_behind import WriteBehind
from insitu.errors import InternalError
from insitu.storage.base import Buffer, File

# Where so many bytes are overwritten for each splice, and so many times as many as splices bring, writing
# the splices alone is cheaper than writing whole atoms.
SCATTERED_BYTES = 512
SCATTERED_SHARE = 8

# Where splices in a window lie so far apart, each run between them is read by itself, right into its place.
# Measured on 2 GB with 10,000 splices: 0.2 s less than reading the window in one and joining its runs.
FAR_BYTES = 16 << 10

# From so many splices in a window on, rendering them one by one costs more than searching the window again.
DENSE_PLACES = 64

# From so many bytes on, a thread that writes while the next window is rendered takes less than it saves
# (measured on 2 GB with 2 million splices: 3.4 s without, 2.4 with it).
BEHIND_FROM_BYTES = 16 << 20


class Executor:
    """Carries a plan's steps out on a target.

    Args:
        plan: legal for the journal's splices; the checker has said so.
        journal: sealed, except for a rewrite, which is only read.
        target: open for writing, locked; for a rewrite, the new file.
        source: where base bytes are read from; the target itself but for a rewrite.
        sparse: whether holes are to be looked for and kept.
        intact: the target is the base, untouched: what stays need not be written. Not so in recovery.
        progress: told how many bytes of the result are in place.
    """

    def __init__(
        self,
        plan: Plan,
        journal: Journal,
        target: File,
        *,
        source: File | None = None,
        sparse: bool = False,
        intact: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self._plan = plan
        self._journal = journal
        self._splices = journal.splices
        self._target = target
        self._source = source or target
        self._sparse = sparse
        self._scattered = intact and self._is_scattered()
        self._report = progress
        self._hints = Hints(journal.splices, self._source, target)
        self._written_bytes = 0
        # The next window is read into one while what was read into the other is written behind.
        self._rooms = [memoryview(bytearray()), memoryview(bytearray())]
        behind = plan.cost.written_bytes >= BEHIND_FROM_BYTES
        self._behind = WriteBehind(self._write_now) if behind else None
        # Where every splice replaces the same by the same, a dense window is one call of bytes.replace.
        old, new = journal.old.uniform, journal.new.uniform if journal.new.size else b""
        self._units = (old, new) if old and new is not None else None

    def run(self, segments_done: int = 0, *, sync_last: bool = True) -> None:
        """Runs the segments from a checkpoint on, each followed by its own.

        Args:
            sync_last: whether the last segment is made durable, too.

        Crash: the running segment's writes may be lost, torn or reordered; it is run again.
        """
        total = self._plan.cost.overwritten_bytes
        if self._scattered:
            self._write_scattered(total)
        else:
            with self._writing():
                self._run_segments(segments_done, total)
        if sync_last:
            self._target.sync()

    def _run_segments(self, segments_done: int, total: int) -> None:
        segments = islice(self._plan.program.segments(), segments_done, None)
        following = next(segments, None)
        number = segments_done
        while (segment := following) is not None:
            if (following := next(segments, None)) is not None:
                self._hints.expect(following)
            if number > segments_done:
                self._settle()
                self._target.sync()  # J4: durable before the checkpoint that says so
                self._journal.note(State.RUNNING, number)  # J5: durable before this segment's first write
            for step in segment:
                self._perform(step)
                if self._report is not None:
                    self._report(min(self._written_bytes, total), total)
            number += 1

    def build(self) -> None:
        """Runs a rewrite's segments into the new file; nothing needs a checkpoint before the swap."""
        total = self._splices.result_size
        with self._writing():
            for segment in self._plan.program.segments():
                for step in segment:
                    self._perform(step)
                    if self._report is not None:
                        self._report(min(self._written_bytes, total), total)
        self._target.resize(total)  # it may end in a hole

    def _perform(self, step: Step) -> None:
        if not isinstance(step, Place | Move):
            self._settle()
        match step:
            case Place():
                self._place(step)
            case Move(source, offset):
                if self._sparse and self._target.next_data(source.start) >= source.stop:
                    self._settle()
                    self._target.punch(Span(offset, offset + source.size))
                else:
                    self._write(offset, self._read_at(0)(source.start, source.size))
                self._written_bytes += source.size
            case Resize(size):
                self._target.resize(size)
            case Transfer(base, offset):
                self._transfer(base, offset - base.start)
                self._written_bytes += base.size
            case Insert(offset, size):
                finish_insert(self._target, offset, size, self._splices.base_size)
            case Collapse(offset, size):
                finish_collapse(self._target, offset, size, self._splices.result_size)
            case _:
                raise InternalError(f"The executor does not know the step {step}.")

    def _place(self, step: Place) -> None:
        self._written_bytes += step.result.size
        data = self._replaced_evenly(step)
        if data is not None:
            self._write(step.offset, data)
            return
        window = self._splices.window(step.result)
        if self._sparse and not window.starts and self._kept_as_hole(window.base, step):
            return
        if window.starts and len(window.starts) * FAR_BYTES <= step.result.size:
            rendered = self._room(step.result.size)
            fill = self._filling(window.base, step.displacement)
            render_into(window, self._journal.new, fill, rendered)
            self._write(step.offset, rendered)
            return
        self._write(step.offset, parts_of(window, self._journal.new, self._read_at(step.displacement)))

    def _write(self, offset: int, data: Buffer | Parts) -> None:
        """Writes what is valid until something is read again, now or while the next step is prepared."""
        if self._behind is None:
            self._write_now(offset, data)
        else:
            self._behind.put(offset, data)
            self._rooms.reverse()

    def _write_now(self, offset: int, data: Buffer | Parts) -> None:
        if isinstance(data, Parts):
            data = data.joined()
        self._target.write(offset, data)
        self._hints.wrote(Span(offset, offset + len(data)))

    def _settle(self) -> None:
        """Waits for what is being written."""
        if self._behind is not None:
            self._behind.drain()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """When the block is left, everything is written, or nothing more will be."""
        try:
            yield
            self._settle()
        finally:
            if self._behind is not None:
                self._behind.end()

    def _is_scattered(self) -> bool:
        """Whether the plan overwrites, in places so far apart that most of each atom stays what it is."""
        summary = self._splices.summary
        moved = summary.displacement_min or summary.displacement_max
        brought = max(summary.places * SCATTERED_BYTES, SCATTERED_SHARE * summary.new_bytes)
        return (
            self._plan.planner == "overwrite" and not moved and self._plan.cost.overwritten_bytes >= brought
        )

    def _write_scattered(self, total: int) -> None:
        """Writes what splices bring, and nothing of the atoms around it: the first run of an overwrite.

        Crash: as if whole atoms were written; recovery does that, from the journal.
        """
        pool = self._journal.new
        for block in self._splices.blocks():
            first, last = block.news[0], block.news[-1]
            if last - first <= WINDOW_BYTES:
                self._write_apart(block, memoryview(pool.read(first, last - first)))
            else:
                for start, low, high in zip(block.starts, block.news, block.news[1:], strict=False):
                    for at in range(low, high, WINDOW_BYTES):
                        self._write_now(start + at - low, pool.read(at, min(WINDOW_BYTES, high - at)))
            if self._report is not None:
                self._written_bytes += total * len(block.starts) // self._splices.summary.places
                self._report(min(self._written_bytes, total), total)

    def _write_apart(self, block: Block, data: memoryview) -> None:
        """Writes what the splices of a block bring, held in ``data``, each to its place."""
        write, first = self._target.write, block.news[0]
        for start, low, high in zip(block.starts, block.news, block.news[1:], strict=False):
            write(start, data[low - first : high - first])
        self._hints.wrote(Span(block.starts[0], block.stop(len(block.starts) - 1)), len(block.starts))

    def _replaced_evenly(self, step: Place) -> bytes | None:
        """A dense window of a search and replace, rendered at memory speed; None where it is not one.

        The places found from the start of the file are those found from any byte that none of them holds;
        so replacing in the window's own base bytes replaces the same, which is checked by their number.
        """
        if self._units is None:
            return None
        old, new = self._units
        places, base, front, back = self._splices.extent(step.result)
        if places < DENSE_PLACES:
            return None
        data = bytes(self._read_at(step.displacement)(base.start, base.size))
        whole = places - bool(front) - bool(back)
        rendered = new[len(new) - front :] + data.replace(old, new) + new[:back]
        if len(rendered) != step.result.size or data.count(old) != whole:
            self._units = None  # not all that is there is replaced: most windows would be rendered twice
            return None
        return rendered

    def _transfer(self, base: Span, displacement: int) -> None:
        """Copies the stretches that hold data; the new file is a hole where nothing is copied to."""
        at = base.start
        while (at := self._source.next_data(at)) < base.stop:
            # At least a byte: copying from behind an end that somebody moved says so.
            stop = min(max(self._source.next_hole(at), at + 1), base.stop)
            self._target.copy_from(self._source, at, at + displacement, stop - at)
            self._hints.wrote(Span(at, stop).moved(displacement))
            at = stop

    def _kept_as_hole(self, base: Span, step: Place) -> bool:
        """Punches a hole where the source is one."""
        source = base.moved(step.displacement)
        if any(saved for _, saved in self._journal.covers.stretches(base)):
            return False
        if self._source.next_data(source.start) < source.stop:
            return False
        self._settle()
        self._target.punch(step.written)
        return True

    def _read_at(self, displacement: int) -> Callable[[int, int], memoryview]:
        """Reads base bytes: from the covers where they are saved, else from where they lie now.

        What it returns is valid until it reads again.
        """

        def read(offset: int, size: int) -> memoryview:
            held = self._journal.covers.holding(offset, offset + size)
            if held is not None:
                return held
            buffer = self._room(size)
            self._filling(Span(offset, offset + size), displacement)(offset, buffer)
            return buffer

        return read

    def _filling(self, base: Span, displacement: int) -> Callable[[int, memoryview], object]:
        """As ``_read_at``, of bytes that lie in ``base``, into a buffer of the caller's."""
        covers = self._journal.covers
        if not any(saved for _, saved in covers.stretches(base)):
            return lambda offset, buffer: self._source.read_into(offset + displacement, buffer)

        def fill(offset: int, buffer: memoryview) -> None:
            for part, saved in covers.stretches(Span(offset, offset + len(buffer))):
                view = buffer[part.start - offset : part.stop - offset]
                if saved:
                    view[:] = covers.read(part)
                else:
                    self._source.read_into(part.start + displacement, view)

        return fill

    def _room(self, size: int) -> memoryview:
        """A buffer that lasts until the next one is asked for: fresh memory costs as much as a copy.

        One that was given to be written lasts until it is.
        """
        if size > len(self._rooms[0]):
            self._rooms[0] = memoryview(bytearray(max(size, WINDOW_BYTES)))
        return self._rooms[0][:size]
