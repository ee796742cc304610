"""Hypothesis strategies: bases with patches over them, and patches as the columns planners see."""

from __future__ import annotations

from hypothesis import strategies as st

from insitu.core.columns import NO_SPLICES, Head, Splices, block_of, summarize
from insitu.core.patch import Patch, Splice
from insitu.core.pieces import Literal
from insitu.core.spans import Span


class BytesPool:
    """The new bytes of a patch, in memory; a ``Pool``."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, offset: int, size: int) -> bytes:
        """Exactly these bytes."""
        return self._data[offset : offset + size]

    def unit(self, span: Span) -> bytes | None:
        """None: nothing is known to repeat."""
        return None


@st.composite
def patches(draw: st.DrawFn, base_bytes_max: int = 120) -> tuple[bytes, Patch]:
    """A base and a patch over it, of splices of any sizes or, half the time, of balanced ones."""
    base = draw(st.binary(max_size=base_bytes_max))
    cuts = sorted(draw(st.lists(st.integers(0, len(base)), max_size=12)))
    same = draw(st.booleans())
    splices = []
    for start, stop in zip(cuts[::2], cuts[1::2], strict=False):
        size = stop - start if same else draw(st.integers(0, 40))
        if size or stop > start:
            new = draw(st.binary(min_size=size, max_size=size))
            splices.append(Splice(Span(start, stop), (Literal(new),)))
    return base, Patch(len(base), tuple(splices))


def columns(patch: Patch, cut: int = 0) -> tuple[Splices, BytesPool]:
    """A patch of literals as columns, in two blocks cut after ``cut`` splices."""
    triples = [(splice.span.start, splice.span.stop, splice.new_size) for splice in patch.splices]
    first = block_of(triples[:cut])
    second = block_of(triples[cut:], olds=first.olds[-1], news=first.news[-1])
    blocks = [block for block in (first, second) if len(block.starts)]
    summary = NO_SPLICES
    for block in blocks:
        summary = summarize(block, summary)
    heads = [Head(block.starts[0], block.result_start(0)) for block in blocks]
    splices = Splices(patch.base_size, summary, heads, blocks.__getitem__)
    new = b"".join(
        piece.data for splice in patch.splices for piece in splice.pieces if isinstance(piece, Literal)
    )
    return splices, BytesPool(new)
