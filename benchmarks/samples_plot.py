"""Figure of images: real ones, and samples of each model beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

__all__ = ["N_DRAWN", "plot_samples"]

# Images of a panel, in rows of so many.
N_DRAWN, _N_COLUMNS = 60, 6


def plot_samples(panels: Mapping[str, NDArray], side: int, path: Path) -> None:
    """Draw square images to a PNG file.

    Parameters
    ----------
    panels : mapping of str to ndarray of shape (n_images, side * side)
        Images in [0, 1] under the title of their panel, the first ``N_DRAWN``.
    side : int
        Height and width of an image.
    path : Path
        Where to.
    """
    figure = Figure(figsize=(2.7 * len(panels), 4.6), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for panel, (title, images) in zip(axes, panels.items(), strict=True):
        n_rows = N_DRAWN // _N_COLUMNS
        shown = np.zeros((N_DRAWN, side, side))
        few = np.clip(images[:N_DRAWN], 0.0, 1.0)
        shown[: len(few)] = few.reshape(-1, side, side)
        grid = shown.reshape(n_rows, _N_COLUMNS, side, side).transpose(0, 2, 1, 3)
        panel.imshow(
            grid.reshape(n_rows * side, _N_COLUMNS * side),
            cmap="gray_r",
            vmin=0.0,
            vmax=1.0,
        )
        panel.set_title(title, fontsize=10)
        panel.set_axis_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
