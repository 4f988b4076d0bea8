"""Figure of the scaling job: seconds against size, one panel a size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

__all__ = ["plot_scaling"]

_COLOR, _GUIDE = "#2166ac", "0.6"
_NAMES = {"n_samples": "rows", "n_features": "columns", "n_trees": "trees"}


def plot_scaling(
    points: pd.DataFrame, exponents: Mapping[str, float], path: Path
) -> None:
    """Draw the points to a PNG file, beside lines of linear growth.

    Parameters
    ----------
    points : DataFrame
        What was measured: the size that is ``varied``, all sizes and ``seconds``.
    exponents : mapping of str to float
        For each size that is varied, the power with which the cost grows.
    path : Path
        Where to.
    """
    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    panels = figure.subplots(1, len(exponents), sharey=True)
    for axes, (varied, power) in zip(panels, exponents.items(), strict=True):
        _draw(axes, varied, power, points[points["varied"] == varied])
    panels[0].set_ylabel("seconds of a fit, one core")
    figure.suptitle(
        "Boosted trees: cost is linear in rows and trees, and at most so in columns",
        fontsize=11,
        x=0.01,
        ha="left",
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, facecolor="white")


def _draw(axes: Axes, varied: str, power: float, points: pd.DataFrame) -> None:
    sizes, seconds = points[[varied, "seconds"]].to_numpy().T
    # The line of slope one that lies nearest.
    level = np.exp(np.mean(np.log(seconds) - np.log(sizes)))
    ends = np.array([sizes[0] / 1.4, sizes[-1] * 1.4])
    axes.loglog(ends, level * ends, "--", color=_GUIDE, linewidth=1, label="linear")
    axes.loglog(sizes, seconds, "o-", color=_COLOR, markersize=5, label="measured")
    fixed = [
        f"{points[name].iloc[0]:,} {word}"
        for name, word in _NAMES.items()
        if name != varied
    ]
    axes.set_title(", ".join(fixed), fontsize=9, color="0.35")
    axes.set_xlabel(f"{_NAMES[varied]}: power {power:.2f}")
    axes.set_xticks(sizes)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: _short(size)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(labelsize=8)
    axes.grid(which="major", color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper left")


def _short(size: float) -> str:
    return f"{size / 1000:g}k" if size >= 1000 else f"{size:g}"
