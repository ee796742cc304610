"""One picture of a run: how many times as fast insitu is as its best peer, beside what was asked."""

from __future__ import annotations

from importlib.util import find_spec
from math import log10
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.cases import Verdict
from benchmarks.report import Report, times

MET, MISSED, SHOWN, TARGET, INK = "#2a78b8", "#d1602d", "#a9b4bd", "#1c2733", "#1c2733"
_ROW_INCHES = 0.42
_MEASURED_AT, _ASKED_AT = 1.12, 1.2
_FEW_DECADES = 2.3


class Bar(NamedTuple):
    """One ratio to draw."""

    label: str
    peer: str
    verdict: Verdict


def draw(report: Report, folder: Path) -> str:
    """Writes ``speed.png`` and ``speed.svg``; says why not where that is not possible."""
    if find_spec("matplotlib") is None:
        return "no plot: matplotlib is not installed (pip install 'insitu[bench]')"
    bars = _bars(report)
    if not bars:
        return "no plot: no ratio was measured"
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "insitu"  # the same figures give the same file
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9.6, 1.7 + _ROW_INCHES * len(bars)), layout="constrained")
    _draw_bars(axes, bars)
    _dress(axes, bars, report)
    frame: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": 0.15}
    figure.savefig(folder / "speed.png", dpi=150, **frame)
    figure.savefig(folder / "speed.svg", metadata={"Date": None}, **frame)
    pyplot.close(figure)
    return ""


def _bars(report: Report) -> list[Bar]:
    """Every ratio that was asked for, and a case's first where none was."""
    bars = []
    for result in report.results:
        ratios = [verdict for verdict in result.verdicts if verdict.is_ratio]
        for verdict in [each for each in ratios if each.least is not None] or ratios[:1]:
            label = result.case.name
            if "RE2 alone" in verdict.text:
                label += " (RE2)"
            elif "fast extra" in verdict.text:
                label += " (fast extra)"
            bars.append(Bar(label, verdict.versus, verdict))
    return bars


def _draw_bars(axes: Any, bars: list[Bar]) -> None:
    for row, bar in enumerate(bars):
        value = bar.verdict.value or 0.0
        colour = {True: MET, False: MISSED, None: SHOWN}[bar.verdict.met]
        axes.barh(row, value - 1, left=1, height=0.56, color=colour, zorder=2)
        least = bar.verdict.least
        if least is not None:
            axes.plot([least, least], [row - 0.4, row + 0.4], color=TARGET, linewidth=2.2, zorder=4)
        # In columns of their own, so that no number is taken for that of a mark it stands beside.
        _number(axes, _MEASURED_AT, row, times(value), fontweight="bold")
        _number(axes, _ASKED_AT, row, "" if least is None else times(least))
    _number(axes, _MEASURED_AT, -1, "measured")
    _number(axes, _ASKED_AT, -1, "asked")
    axes.set_ylim(len(bars) - 0.4, -1.4)


def _number(axes: Any, at: float, row: int, text: str, **style: Any) -> None:
    """Writes beside the plot: ``at`` counts from its left side in its widths, ``row`` as the bars do."""
    place = axes.get_yaxis_transform()
    axes.text(at, row, text, transform=place, ha="right", va="center", fontsize=9, color=INK, **style)


def _dress(axes: Any, bars: list[Bar], report: Report) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    values = [bound for bar in bars for bound in (bar.verdict.value, bar.verdict.least) if bound]
    axes.set_xscale("log")
    low, high = min(0.5, min(values) * 0.8), max(values) * 1.3
    axes.set_xlim(low, high)
    marks = (1, 2, 5) if log10(high / low) < _FEW_DECADES else (1, 3)
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=marks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
    axes.set_yticks(range(len(bars)), [f"{bar.label}\nvs {bar.peer}" for bar in bars], fontsize=8.5)
    axes.axvline(1, color=INK, linewidth=1, zorder=3)
    axes.grid(axis="x", color="#e3e7ea", zorder=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xlabel("times as fast as the peer (log scale); right of 1x insitu is faster")
    machine = report.machine
    where = f"{machine['cores']} cores, {machine['file_system']}, medians of {report.runs}"
    axes.set_title(
        f"insitu beside its peers: {report.size / 1e9:.3g} GB, {where}",
        loc="left",
        fontsize=11,
        fontweight="bold",
    )
    key = [
        Patch(color=MET, label="target met"),
        Patch(color=MISSED, label="target missed"),
        Patch(color=SHOWN, label="no target"),
        Line2D([], [], color=TARGET, linewidth=2.2, label="target"),
    ]
    axes.figure.legend(handles=key, loc="outside lower center", ncols=len(key), frameon=False, fontsize=9)
