"""What a density looks like."""

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter
from sklearn.utils import check_random_state

from destructors.inspection._axes import COLORS, REFERENCE, grid_shape, make_axes
from destructors.inspection._model import Model

# Panels drawn where no features are named.
_N_PANELS = 9
# Samples between these quantiles set the limits of axes where there are no rows.
_SHOWN = (0.005, 0.995)
# Interquartile range of the standard normal.
_NORMAL_IQR = 1.349


class DensityDisplay:
    """Curves and maps of a density.

    Make it with `from_estimator`.

    Parameters
    ----------
    grids : list of tuple of ndarray
        For each panel, the values of its one or two columns.
    densities : list of ndarray
        Density on each grid: one-dimensional, or of shape (n_values_1, n_values_2).
    labels : list of tuple of str
        Names of the columns of each panel.
    rows : list of ndarray or None
        Data of each one-column panel, to draw a histogram of; None for none.

    Attributes
    ----------
    figure_ : Figure
        What was drawn on.
    axes_ : ndarray of Axes
        Axes of the panels.
    lines_ : list of Line2D
        The curves.
    maps_ : list of QuadMesh
        The maps.

    See Also
    --------
    PairDisplay : Data and samples side by side.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from destructors.inspection import DensityDisplay
    >>> from destructors.linear import Whitening
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> display = DensityDisplay.from_estimator(Whitening().fit(X), X)
    >>> len(display.maps_)
    1
    """

    def __init__(
        self,
        grids: list[tuple[NDArray, ...]],
        densities: list[NDArray],
        labels: list[tuple[str, ...]],
        rows: list[NDArray | None],
    ):
        self.grids, self.densities = grids, densities
        self.labels, self.rows = labels, rows

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike | None = None,
        *,
        features: Sequence[Any] | None = None,
        kind: Literal["marginal", "slice"] = "marginal",
        grid_resolution: int = 100,
        n_samples: int = 20_000,
        random_state: int | np.random.RandomState | None = 0,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Show the density of a fitted destructor.

        Parameters
        ----------
        estimator : Destructor or Density
            What was learned.
        X : array-like of shape (n_samples, n_features), default=None
            Rows. They set the limits of the axes, and in a slice the values of the
            columns that are not shown: their medians. Without any, samples do, and
            there is no histogram.
        features : sequence of (int, str or pair of them), default=None
            Columns to draw a curve of, and pairs of columns to draw a map of. None
            takes the map of two columns, else the curves of the first nine.
        kind : {"marginal", "slice"}, default="marginal"
            What becomes of the other columns: the density is that of the shown ones
            alone, or that of the shown ones given the others.
        grid_resolution : int, default=100
            Number of values of a column.
        n_samples : int, default=20_000
            Number of samples of the model that a marginal is estimated from.
        random_state : int, RandomState instance or None, default=0
            Seed of these samples.
        ax : Axes or array of Axes, default=None
            Where to draw.
        **kwargs : dict
            Passed on to `plot`.

        Returns
        -------
        display : DensityDisplay
            What was drawn.

        Raises
        ------
        ValueError
            If a column does not exist, or the kind is no such.

        Notes
        -----
        A marginal is a kernel estimate from samples of the model. The density of all
        columns there are is exact. A slice has the sum one on the grid.
        """
        if kind not in ("marginal", "slice"):
            raise ValueError(f'kind must be "marginal" or "slice", got {kind!r}.')
        model = Model.of(estimator, X)
        if X is None:
            # One sample far out would make the rest a dot.
            low, high = np.quantile(model.rows, _SHOWN, axis=0)
            model = model._replace(rows=np.clip(model.rows, low, high))
        d = len(model.names)
        if features is None:
            features = [(0, 1)] if d == 2 else list(range(min(d, _N_PANELS)))
        samples = None
        if kind == "marginal":
            rng = check_random_state(random_state)
            samples = model.density.sample_rows(n_samples, rng)
        grids, densities, labels, rows = [], [], [], []
        for feature in features:
            pair = feature if isinstance(feature, (tuple, list)) else (feature,)
            columns = [model.place(one) for one in pair]
            if len(columns) > 2 or len(set(columns)) < len(columns):
                raise ValueError(f"{feature!r} is neither a column nor a pair of them.")
            grid = tuple(_values(model.rows[:, j], grid_resolution) for j in columns)
            grids.append(grid)
            if samples is None or len(columns) == d:
                densities.append(_slice(model, columns, grid))
            else:
                densities.append(_marginal(samples, columns, grid))
            labels.append(tuple(model.names[j] for j in columns))
            is_marginal = len(columns) == 1 and (kind == "marginal" or d == 1)
            shown = is_marginal and X is not None
            rows.append(model.rows[:, columns[0]] if shown else None)
        return cls(grids, densities, labels, rows).plot(ax=ax, **kwargs)

    def plot(
        self, *, ax: Any = None, cmap: Any = "viridis", **line_kwargs: Any
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : Axes or array of Axes, default=None
            Where to draw: as many as there are panels, or one that is divided.
        cmap : str or Colormap, default="viridis"
            Colours of maps.
        **line_kwargs : dict
            Keyword arguments of the curves.

        Returns
        -------
        self : DensityDisplay
            What was drawn.
        """
        shape = grid_shape(len(self.grids))
        self.figure_, self.axes_ = make_axes(ax, *shape, 4.0 if shape[1] == 1 else 3.2)
        self.lines_: list[Any] = []
        self.maps_: list[Any] = []
        panels = zip(self.grids, self.densities, self.labels, self.rows, strict=True)
        for axis, (grid, density, labels, rows) in zip(
            self.axes_.flat, panels, strict=False
        ):
            axis.set_xlabel(labels[0])
            if len(grid) == 2:
                mesh = axis.pcolormesh(
                    *grid, density.T, cmap=cmap, shading="nearest", rasterized=True
                )
                axis.set_ylabel(labels[1])
                self.maps_.append(mesh)
                continue
            if rows is not None:
                axis.hist(
                    rows,
                    bins=30,
                    range=(grid[0][0], grid[0][-1]),
                    density=True,
                    histtype="step",
                    color=REFERENCE,
                )
            style = {"color": COLORS[0], "linewidth": 2.0, **line_kwargs}
            self.lines_ += axis.plot(grid[0], density, **style)
            axis.set_ylim(bottom=0.0)
            axis.set_ylabel("density")
        for axis in self.axes_.flat[len(self.grids) :]:
            axis.set_axis_off()
        return self


def _values(column: NDArray, n_values: int) -> NDArray:
    low, high = column.min(), column.max()
    margin = 0.05 * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, n_values)


def _marginal(
    samples: NDArray, columns: list[int], grid: tuple[NDArray, ...]
) -> NDArray:
    """Return a kernel estimate of the density of some columns of samples, by bins."""
    n_samples, d = len(samples), len(columns)
    edges, widths = [], []
    for j, values in zip(columns, grid, strict=True):
        step = values[1] - values[0]
        edges.append(np.r_[values - 0.5 * step, values[-1] + 0.5 * step])
        low, high = np.quantile(samples[:, j], [0.25, 0.75])
        # Scott's rule suits one mode; half of its width leaves several apart.
        scale = (high - low) / _NORMAL_IQR or samples[:, j].std()
        widths.append(0.5 * scale * n_samples ** (-1.0 / (d + 4)) / step)
    counts, _ = np.histogramdd(samples[:, columns], edges)
    cell = np.prod([values[1] - values[0] for values in grid])
    return gaussian_filter(counts, widths) / (n_samples * cell)


def _slice(model: Model, columns: list[int], grid: tuple[NDArray, ...]) -> NDArray:
    """Return the density of some columns, given the medians of the others."""
    places = np.stack(np.meshgrid(*grid, indexing="ij"), axis=-1)
    shape = places.shape[:-1]
    rows = np.tile(np.median(model.rows, axis=0), (places[..., 0].size, 1))
    rows[:, columns] = places.reshape(len(rows), -1)
    log_density = model.density.logpdf(rows).reshape(shape)
    if len(columns) == len(model.names):
        return np.exp(log_density)
    density = np.exp(log_density - log_density.max())
    cell = np.prod([values[1] - values[0] for values in grid])
    return density / (density.sum() * cell)
