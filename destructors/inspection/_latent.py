"""Whether latent rows are normal."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta, norm

from destructors._compat import check_array
from destructors.base_distributions import StandardNormal
from destructors.inspection._axes import COLORS, REFERENCE, make_axes
from destructors.inspection._model import Model, default_names

# Quantiles that a curve is drawn of.
_N_QUANTILES = 200


class LatentDisplay:
    """Quantiles and correlations of latent rows, beside those of the standard normal.

    On the left are the quantiles of each latent column, less those of the normal, with
    the band in which nineteen of twenty points lie by chance alone. On the right are
    correlations of the columns, above the diagonal those of their squares, which tell
    what dependence is left that is not linear.

    Parameters
    ----------
    latent : array-like of shape (n_samples, n_features)
        Latent rows, at best of data that the model has not seen.
    names : sequence of str, default=None
        Names of the columns.

    Attributes
    ----------
    figure_ : Figure
        What was drawn on.
    axes_ : ndarray of 2 Axes
        Quantiles and correlations.
    lines_ : list of Line2D
        The quantiles of each column.
    band_ : PolyCollection
        What chance makes of them.
    image_ : AxesImage
        The correlations.
    correlations_ : ndarray of shape (n_features, n_features)
        Those drawn: of columns below the diagonal, of their squares above it.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from destructors.inspection import LatentDisplay
    >>> Z = np.random.default_rng(0).normal(size=(500, 3))
    >>> display = LatentDisplay(Z).plot()
    >>> display.correlations_.shape
    (3, 3)
    """

    def __init__(self, latent: ArrayLike, names: Sequence[str] | None = None):
        self.latent: NDArray = check_array(
            latent, dtype=np.float64, ensure_min_samples=2, input_name="latent"
        )
        self.names = default_names(names, self.latent.shape[1])

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: ArrayLike, *, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Show the latent rows of a fitted destructor.

        Parameters
        ----------
        estimator : Destructor or Density
            What was learned: its base distribution is the standard normal.
        X : array-like of shape (n_samples, n_features)
            Rows, at best such as the model has not seen.
        ax : Axes or array of Axes, default=None
            Where to draw.
        **kwargs : dict
            Passed on to `plot`.

        Returns
        -------
        display : LatentDisplay
            What was drawn.

        Raises
        ------
        ValueError
            If the model ends on another base distribution.
        """
        model = Model.of(estimator, X)
        base = model.density.base
        if not isinstance(base, StandardNormal):
            raise ValueError(
                f"LatentDisplay compares with the standard normal, but the model ends "
                f"on {base!r}."
            )
        latent, _ = model.density.forward(model.rows)
        names = model.names if model.density.map.feature_wise else None
        return cls(latent, names).plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, **kwargs: Any) -> Self:
        """Draw.

        Parameters
        ----------
        ax : Axes or array of 2 Axes, default=None
            Where to draw: two axes, or one that is divided.
        **kwargs : dict
            Keyword arguments of the curves.

        Returns
        -------
        self : LatentDisplay
            What was drawn.
        """
        self.figure_, axes = make_axes(ax, 1, 2, 4.2)
        self.axes_ = axes[0]
        self._plot_quantiles(self.axes_[0], kwargs)
        self._plot_correlations(self.axes_[1])
        return self

    def _plot_quantiles(self, axis: Any, kwargs: dict[str, Any]) -> None:
        n, d = self.latent.shape
        ranks = np.unique(np.linspace(1, n, _N_QUANTILES).round().astype(int))
        share = (ranks - 0.5) / n
        normal = norm.ppf(share)
        # An order statistic of uniform rows follows a beta distribution.
        low, high = (
            norm.ppf(beta.ppf(p, ranks, n + 1 - ranks)) - normal for p in (0.025, 0.975)
        )
        self.band_ = axis.fill_between(
            normal, low, high, color=REFERENCE, alpha=0.35, linewidth=0
        )
        axis.axhline(0.0, color=REFERENCE, linewidth=1.0)
        found = np.sort(self.latent, axis=0)[ranks - 1]
        style = {"linewidth": 1.0, "alpha": 1.0 if d <= 4 else 0.5, **kwargs}
        self.lines_: list[Any] = []
        for j, column in enumerate(found.T):
            color = {"color": COLORS[j % len(COLORS)], **style}
            label = self.names[j] if d <= 4 else None
            self.lines_ += axis.plot(normal, column - normal, label=label, **color)
        reach = max(
            2.0 * np.abs([low, high]).max(), np.abs(found - normal[:, None]).max()
        )
        axis.set_ylim(-min(reach, 4.0), min(reach, 4.0))
        axis.set_xlabel("quantile of the normal")
        axis.set_ylabel("latent less normal quantile")
        if d <= 4:
            axis.legend(frameon=False, fontsize="small")

    def _plot_correlations(self, axis: Any) -> None:
        d = len(self.names)
        plain, squares = (_correlations(rows) for rows in (self.latent, self.latent**2))
        self.correlations_ = np.tril(plain, -1) + np.triu(squares, 1)
        shown = np.where(np.eye(d, dtype=bool), np.nan, self.correlations_)
        reach = max(np.nanmax(np.abs(shown)) if d > 1 else 0.0, 0.1)
        self.image_ = axis.imshow(shown, cmap="PuOr", vmin=-reach, vmax=reach)
        axis.figure.colorbar(self.image_, ax=axis, label="correlation", shrink=0.8)
        axis.set_title("columns below, their squares above", fontsize="medium")
        for ticks in (axis.xaxis, axis.yaxis):
            ticks.get_major_locator().set_params(integer=True, min_n_ticks=1)


def _correlations(rows: NDArray) -> NDArray:
    centred = rows - rows.mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=0))
    centred = centred / np.where(scale > 0, scale, 1.0)
    return centred.T @ centred
