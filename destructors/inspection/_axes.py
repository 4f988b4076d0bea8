"""Axes to draw on, and colours that all can tell apart on white and on dark."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Paul Tol's "bright" scheme: safe for colour-blind eyes. Those of its colours that have
# a contrast of 3 : 1 to white and to black alike.
COLORS = ("#4477aa", "#ee6677", "#228833", "#aa3377")
# What lines for reference are drawn in: as far from white as from black.
REFERENCE = "#808080"
# Markers beside colours, where points of several kinds lie together.
MARKERS = ("o", "^", "s", "D")


def pyplot() -> Any:
    """Return ``matplotlib.pyplot``.

    Raises
    ------
    ImportError
        If Matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Drawing needs Matplotlib: pip install destructors[plot]."
        ) from error
    return plt


def point_colors() -> Any:
    """Return a colour map whose ends are seen on white and on dark."""
    plt = pyplot()
    from matplotlib.colors import ListedColormap

    return ListedColormap(plt.get_cmap("viridis")(np.linspace(0.2, 0.8, 256)))


def make_axes(ax: Any, n_rows: int, n_columns: int, size: float) -> tuple[Any, NDArray]:
    """Return a figure and a grid of axes.

    Parameters
    ----------
    ax : Axes, array of Axes or None
        Axes to draw on: as many as are needed, or one whose place is divided among
        them. None makes a figure.
    n_rows, n_columns : int
        Shape of the grid.
    size : float
        Width of a cell of a new figure, in inches.

    Returns
    -------
    figure : Figure
    axes : ndarray of shape (n_rows, n_columns)

    Raises
    ------
    ValueError
        If there are axes, but not as many as are needed.
    """
    plt = pyplot()
    if ax is None:
        figure, axes = plt.subplots(
            n_rows,
            n_columns,
            figsize=(size * n_columns, 0.85 * size * n_rows),
            squeeze=False,
            layout="constrained",
        )
        return figure, axes
    given = np.array(ax, dtype=object)
    if given.size == n_rows * n_columns:
        axes = given.reshape(n_rows, n_columns)
        return axes[0, 0].figure, axes
    if given.size > 1:
        raise ValueError(
            f"ax has {given.size} axes, but {n_rows * n_columns} are needed (or one, "
            "whose place is divided)."
        )
    one = given.item()
    one.set_axis_off()
    grid = one.get_subplotspec().subgridspec(n_rows, n_columns)
    return one.figure, grid.subplots(squeeze=False)


def grid_shape(n_panels: int, most: int = 3) -> tuple[int, int]:
    """Return rows and columns for a number of panels."""
    n_columns = min(n_panels, most)
    return -(-n_panels // n_columns), n_columns
