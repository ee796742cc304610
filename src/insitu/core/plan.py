"""What a planner returns: a program of steps, what it costs, and what it promises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from insitu.core.policy import Visibility
from insitu.core.spans import Span
from insitu.core.steps import Step

Segment = tuple[Step, ...]
"""Steps between two checkpoints; may be run again from its start after any crash."""


class Layout(NamedTuple):
    """The sizes a program was compiled with; the journal keeps them, so that recovery compiles it again."""

    atom_bytes: int
    block_bytes: int
    segment_bytes: int
    """How much a segment moves: what a crash makes the executor do again."""
    gap_bytes: int = 0
    """How much further right moved bytes are put first, so that no move overlaps its own source."""


WINDOW_BYTES = 1 << 20
"""Bytes held in memory by one step: the knee of copy throughput measured over window sizes
(4 KiB 1.2, 256 KiB 5.1, 1 MiB 6.6, 8 MiB 6.5 GB/s over existing blocks)."""


def windows(span: Span) -> Iterator[Span]:
    """Yields ``span`` in windows."""
    for start in range(span.start, span.stop, WINDOW_BYTES):
        yield Span(start, min(start + WINDOW_BYTES, span.stop))


LEASE_S = 1.0
"""For how long others may be kept from opening the file: an edit of less than 100 MB, on a slow disk."""


class Program(Protocol):
    """A plan's steps: pure, deterministic, and iterable any number of times."""

    @property
    def base_size(self) -> int:
        """Size before."""
        ...

    @property
    def result_size(self) -> int:
        """Size afterwards."""
        ...

    def covers(self) -> Iterator[Span]:
        """Yields the spans of the base whose bytes the journal saves before the commit point, ascending."""
        ...

    def segments(self) -> Iterator[Segment]:
        """Yields the segments in the order they run."""
        ...


class Target(NamedTuple):
    """What planners must know of the file itself."""

    links: int = 1
    dense_from: int = 0
    """From this offset to the end the file has no holes."""
    swappable: bool = True
    """Whether another file may be renamed over it (not so for a single-file bind mount)."""
    history: bool = True
    """Whether what is replaced is saved for undo."""


class Cost(NamedTuple):
    """What a plan costs; ``seconds`` is an estimate for comparing plans with each other."""

    read_bytes: int
    overwritten_bytes: int
    """Written over blocks the target has already."""
    fresh_bytes: int
    """Written to newly allocated blocks: the journal, a new file."""
    syncs: int
    space_bytes: int
    """Disk space needed while it runs, beyond what the result takes."""

    @property
    def written_bytes(self) -> int:
        """All bytes written."""
        return self.overwritten_bytes + self.fresh_bytes

    def seconds(self) -> float:
        """Estimated time.

        Source: measured on the reference machine: reads from the page cache 12 GB/s, overwriting with
        fdatasync 3.9 GB/s, a fresh file with fdatasync 2.0 GB/s, one sync 0.1 ms.
        """
        return (
            self.read_bytes / 12e9
            + self.overwritten_bytes / 3.9e9
            + self.fresh_bytes / 2.0e9
            + self.syncs * 1e-4
        )

    def seconds_at_worst(self) -> float:
        """Time on a slow disk, for deciding whether others are to be kept waiting.

        Source: what hard disks do: 100 MB/s, and 10 ms to each sync.
        """
        return self.written_bytes / 100e6 + self.syncs * 1e-2


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A way to carry out a patch."""

    planner: str
    form: str
    """Which of the planner's programs; recovery finds it again by this name."""
    layout: Layout
    program: Program
    cost: Cost
    visibility: Visibility
    """``"atomic"`` where any reader sees old or new only."""
    swaps: bool = False
    """Whether it builds a new file and renames it over the old one."""
    moves: bool = False
    """Whether it moves data inside the target, which is then marked while it runs."""

    @property
    def brief(self) -> bool:
        """Whether other programs may be kept waiting, by a lease, while it runs in place."""
        return not self.swaps and self.cost.seconds_at_worst() <= LEASE_S


class Rejected(NamedTuple):
    """A planner that does not apply, and why."""

    planner: str
    reason: str


_BRIEF = "  programs outside insitu wait for it, unless one has the file open already (write lease)"
_NOT_BRIEF = "  programs outside insitu may see a mixture: it is too long to keep them waiting (write lease)"


@dataclass(frozen=True, slots=True)
class Choice:
    """The plan to run, and why not the others: SQL's EXPLAIN for an edit."""

    plan: Plan
    losers: tuple[Rejected, ...]

    def as_dict(self) -> Mapping[str, object]:
        """The choice as plain values, for programs."""
        plan, cost = self.plan, self.plan.cost
        return {
            "planner": plan.planner,
            "form": plan.form,
            "visibility": plan.visibility,
            "brief": plan.brief,
            "read_bytes": cost.read_bytes,
            "written_bytes": cost.written_bytes,
            "syncs": cost.syncs,
            "extra_space_bytes": cost.space_bytes,
            "estimated_seconds": round(cost.seconds(), 6),
            "rejected": [{"planner": loser.planner, "reason": loser.reason} for loser in self.losers],
        }

    def __str__(self) -> str:
        plan, cost = self.plan, self.plan.cost
        lines = [
            f"plan: {plan.planner} ({plan.form}), readers see {plan.visibility}",
            f"  reads {cost.read_bytes:,} B, writes {cost.written_bytes:,} B, {cost.syncs} syncs, "
            f"{cost.space_bytes:,} B of extra space, about {cost.seconds():.3g} s",
        ]
        if not plan.swaps:
            lines.append(_BRIEF if plan.brief else _NOT_BRIEF)
        lines += (f"  not {loser.planner}: {loser.reason}" for loser in self.losers)
        return "\n".join(lines)
