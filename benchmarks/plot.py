"""Figure of the density job: log-likelihood and cost, one cell a data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from math import ceil, isfinite
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from benchmarks.evaluate import Result

__all__ = ["plot_density"]

_COLORS = {
    "destructors": "#2166ac",
    "baseline": "#8c8c8c",
    "scikit-learn": "#e08214",
    "neural": "#762a83",
}
# Groups that later models bring.
_OTHER_COLORS = ["#1b7837", "#c51b7d"]
_N_COLUMNS = 3


def plot_density(results: Sequence[Result], path: Path) -> None:
    """Draw the results to a PNG file.

    Parameters
    ----------
    results : sequence of Result
        Results, those of a data set next to each other.
    path : Path
        Where to.
    """
    cells = [(name, list(group)) for name, group in groupby(results, _dataset)]
    measured = [r for r in results if r.n_train and not _true(r)]
    models = list(dict.fromkeys(r.model for r in measured))
    colors = _group_colors(dict.fromkeys(r.group for r in measured))
    n_columns = min(_N_COLUMNS, len(cells))
    n_rows = ceil(len(cells) / n_columns)
    height = n_rows * (0.24 * len(models) + 0.75) + 0.9
    figure = Figure(
        figsize=(4.3 * n_columns + 1.2, height),
        layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06),
    )
    axes = figure.subplots(
        n_rows, 2 * n_columns, squeeze=False, width_ratios=[2.4, 1.0] * n_columns
    )
    seconds = [r.fit_cpu_seconds for r in results if r.fit_cpu_seconds > 0]
    for i in range(n_rows * n_columns):
        row, column = divmod(i, n_columns)
        left, right = axes[row, 2 * column : 2 * column + 2]
        if i >= len(cells):
            left.set_axis_off()
            right.set_axis_off()
            continue
        name, group = cells[i]
        _draw_likelihood(left, group, models, colors)
        _draw_seconds(right, group, models, colors, seconds)
        left.set_title(_title(name, group), loc="left", fontsize=9.5)
        left.set_yticks(range(len(models)), models if column == 0 else [])
        right.set_yticks(range(len(models)), [])
        if i + n_columns >= len(cells):
            left.set_xlabel("test log-likelihood, nats", fontsize=8.5)
            right.set_xlabel("fit, CPU seconds", fontsize=8.5)
    _add_legend(figure, results, colors)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, facecolor="white")


def _dataset(result: Result) -> str:
    return result.dataset


def _true(result: Result) -> bool:
    return result.group == "truth"


def _group_colors(groups: Iterable[str]) -> dict[str, str]:
    others = [group for group in groups if group not in _COLORS]
    extra = {g: _OTHER_COLORS[i % len(_OTHER_COLORS)] for i, g in enumerate(others)}
    return {group: _COLORS.get(group) or extra[group] for group in groups}


def _title(name: str, group: list[Result]) -> str:
    first = group[0]
    shape = f"  {first.n_train:,} × {first.n_features}" if first.n_train else ""
    return rf"$\bf{{{name.replace('_', chr(92) + '_')}}}${shape}"


def _tidy(axes: Axes, n_models: int) -> None:
    axes.set_ylim(n_models - 0.4, -0.6)
    axes.tick_params(which="both", length=0, labelsize=8)
    axes.grid(axis="x", color="0.92", linewidth=0.8)
    axes.hlines(
        range(n_models),
        0,
        1,
        transform=axes.get_yaxis_transform(),
        color="0.92",
        linewidth=0.8,
        zorder=0,
    )
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)


def _draw_likelihood(
    axes: Axes, group: list[Result], models: list[str], colors: dict[str, str]
) -> None:
    _tidy(axes, len(models))
    low, high = _window([r for r in group if isfinite(r.log_likelihood)])
    margin = 0.06 * (high - low)
    axes.set_xlim(low - margin, high + margin)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    for result in group:
        value, error = result.log_likelihood, result.standard_error
        if _true(result):
            axes.axvline(value, color="0.15", linewidth=1.0, linestyle=(0, (4, 2)))
            continue
        if result.model not in models:
            axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center")
            continue
        y, color = models.index(result.model), colors[result.group]
        text = f"{value:.2f}".replace("-", "−")
        if not isfinite(value):
            text, color = "failed" if result.error else "not finite", "#b2182b"
        elif value < low:
            axes.plot(low, y, "<", color=color, markersize=5.5)
        else:
            axes.errorbar(
                value,
                y,
                xerr=error,
                fmt="o",
                color=color,
                markersize=5.5,
                elinewidth=1.6,
            )
        # The number stands between the two panels.
        axes.annotate(
            text,
            (1.0, y),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=color,
        )


def _window(results: list[Result]) -> tuple[float, float]:
    """Range of values to show: one that is far worse must not flatten the rest."""
    if not results:
        return 0.0, 1.0
    values = np.array([r.log_likelihood for r in results])
    high = max(r.log_likelihood + r.standard_error for r in results)
    widest = max(r.standard_error for r in results)
    spread = max(values.max() - np.median(values), widest, 0.05)
    low = max(
        min(r.log_likelihood - r.standard_error for r in results),
        high - 3.0 * spread,
    )
    return low, max(high, low + 1e-3)


def _draw_seconds(
    axes: Axes,
    group: list[Result],
    models: list[str],
    colors: dict[str, str],
    all_seconds: list[float],
) -> None:
    _tidy(axes, len(models))
    axes.set_xscale("log")
    # The same scale in all cells.
    if all_seconds:
        first, last = np.log10([min(all_seconds), max(all_seconds)])
        axes.set_xlim(10.0 ** (np.floor(first) - 0.2), 10.0 ** (np.ceil(last) + 0.2))
    axes.xaxis.set_major_locator(LogLocator(numticks=3))
    axes.xaxis.set_minor_formatter(NullFormatter())
    for result in group:
        if result.model in models and result.fit_cpu_seconds > 0:
            y = models.index(result.model)
            axes.plot(
                result.fit_cpu_seconds,
                y,
                "o",
                color=colors[result.group],
                markersize=5.5,
            )


def _add_legend(
    figure: Figure, results: Sequence[Result], colors: dict[str, str]
) -> None:
    handles = [
        Line2D([], [], marker="o", linestyle="", color=color, label=group)
        for group, color in colors.items()
    ]
    if any(_true(r) for r in results):
        handles.append(
            Line2D([], [], color="0.15", linestyle=(0, (4, 2)), label="true density")
        )
    figure.legend(
        handles=handles,
        loc="outside upper left",
        ncols=len(handles),
        frameon=False,
        fontsize=9,
    )
    figure.supxlabel(
        "Dots: mean log density of the test rows ± one standard error; further right "
        "is better. Triangles: beyond the left edge.",
        fontsize=8.5,
        color="0.35",
        x=0.01,
        ha="left",
    )
