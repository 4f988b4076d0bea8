"""Figure of the calibration job: divergence, coverage and optimism, one row a law."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

__all__ = ["plot_calibration"]

_COLORS = ["#2166ac", "#e08214", "#1b7837", "#762a83", "#c51b7d", "#8c8c8c"]
_GUIDE = "0.6"
# A divergence nearer to nothing than this is noise of the fresh rows.
_LOWEST = 1e-4


def plot_calibration(
    summary: pd.DataFrame, levels: Sequence[float], path: Path
) -> None:
    """Draw means over draws to a PNG file.

    Parameters
    ----------
    summary : DataFrame
        One row for each model, law and size.
    levels : sequence of float
        Shares that regions of highest density should hold.
    path : Path
        Where to.
    """
    laws = list(dict.fromkeys(summary["law"]))
    models = list(dict.fromkeys(summary["model"]))
    colors = {m: _COLORS[i % len(_COLORS)] for i, m in enumerate(models)}
    figure = Figure(figsize=(11.0, 2.5 * len(laws) + 0.9), layout="constrained")
    panels = figure.subplots(len(laws), 3, squeeze=False)
    for row, law in zip(panels, laws, strict=True):
        here = summary[summary["law"] == law]
        sizes = np.unique(here["n_samples"])
        for model, color in colors.items():
            of_model = here[here["model"] == model].sort_values("n_samples")
            _draw_divergence(row[0], of_model, color, model)
            _draw_coverage(row[1], of_model, levels, color)
            row[2].plot(
                of_model["n_samples"], of_model["optimism"], "o-", color=color, ms=4
            )
        row[0].set_ylabel(law, fontsize=10, fontweight="bold")
        _finish(row, sizes, levels)
    titles = "divergence from the truth, nats", "held − nominal, %", "optimism, nats"
    for axes, title in zip(panels[0], titles, strict=True):
        axes.set_title(title, fontsize=10, loc="left")
    for axes, name in zip(panels[-1], ("rows", "nominal, %", "rows"), strict=True):
        axes.set_xlabel(name, fontsize=9)
    figure.legend(
        *panels[0, 0].get_legend_handles_labels(),
        loc="outside upper left",
        ncols=len(models),
        frameon=False,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130, facecolor="white")


def _draw_divergence(axes: Axes, points: pd.DataFrame, color: str, name: str) -> None:
    axes.errorbar(
        points["n_samples"],
        np.maximum(points["divergence"], _LOWEST),
        yerr=np.minimum(points["divergence_error"], 0.9 * points["divergence"].abs()),
        fmt="o-",
        color=color,
        ms=4,
        label=name,
    )


def _draw_coverage(
    axes: Axes, points: pd.DataFrame, levels: Sequence[float], color: str
) -> None:
    # The size with most rows; the smallest beside it, fainter.
    for place, style in ((-1, "o-"), (0, "o:")):
        held = [points[f"coverage_{level:g}"].iloc[place] for level in levels]
        off = 100.0 * (np.array(held) - levels)
        axes.plot(range(len(levels)), off, style, color=color, ms=4)


def _finish(row: Sequence[Axes], sizes: np.ndarray, levels: Sequence[float]) -> None:
    row[0].set_yscale("log")
    for axes in (row[0], row[2]):
        axes.set_xscale("log")
        axes.set_xticks(sizes)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size:,.0f}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
    row[1].set_xticks(range(len(levels)), [f"{100 * level:g}" for level in levels])
    for axes in row[1:]:
        axes.axhline(0.0, color=_GUIDE, linewidth=1, linestyle="--", zorder=0)
    for axes in row:
        axes.tick_params(which="both", labelsize=8)
        axes.grid(color="0.92")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
