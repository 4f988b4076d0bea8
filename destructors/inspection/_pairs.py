"""Data and samples side by side."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from destructors._compat import check_array
from destructors.inspection._axes import COLORS, make_axes
from destructors.inspection._model import Model, default_names, some_rows

# Columns shown where none are named.
_N_FEATURES = 4
# How far codes of categories, which are one apart, are spread to each side.
_SPREAD = 0.3


class PairDisplay:
    """Pairs of columns of real rows and of sampled ones.

    Below the diagonal are real rows, above it samples, mirrored; on it the histograms
    of both. Where the model is right the picture is symmetric.

    Parameters
    ----------
    real : array-like of shape (n_samples, n_features) or None
        Real rows. None shows samples alone, on both sides.
    sampled : array-like of shape (n_sampled, n_features)
        Samples.
    names : sequence of str, default=None
        Names of the columns.

    Attributes
    ----------
    figure_ : Figure
        What was drawn on.
    axes_ : ndarray of shape (n_features, n_features) of Axes
        Axes of the pairs.
    points_ : dict of (int, int) to PathCollection
        The points of each pair: (2, 0) are real rows, (0, 2) samples.

    Raises
    ------
    ValueError
        If the samples have not as many columns, or the names are not as many.

    See Also
    --------
    destructors.metrics.two_sample_test : Whether they differ by more than chance.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from destructors.inspection import PairDisplay
    >>> real, sampled = np.random.default_rng(0).normal(size=(2, 100, 3))
    >>> PairDisplay(real, sampled).plot().axes_.shape
    (3, 3)
    """

    def __init__(
        self,
        real: ArrayLike | None,
        sampled: ArrayLike,
        names: Sequence[str] | None = None,
    ):
        self.sampled: NDArray = check_array(
            sampled, dtype=np.float64, input_name="sampled"
        )
        d = self.sampled.shape[1]
        self.real: NDArray | None = None
        if real is not None:
            self.real = check_array(real, dtype=np.float64, input_name="real")
            if self.real.shape[1] != d:
                raise ValueError(
                    f"real has {self.real.shape[1]} features, but sampled has {d}."
                )
        self.names = default_names(names, d)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike | None = None,
        *,
        features: Sequence[Any] | None = None,
        n_samples: int = 1000,
        random_state: int | np.random.RandomState | None = 0,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Show rows beside samples of a fitted destructor.

        Parameters
        ----------
        estimator : Destructor or Density
            What to draw samples from.
        X : array-like of shape (n_samples, n_features), default=None
            Real rows, at best such as the model has not seen. None shows samples alone.
        features : sequence of int or str, default=None
            Columns to show. None takes the first four.
        n_samples : int, default=1000
            Largest number of rows of each kind.
        random_state : int, RandomState instance or None, default=0
            Seed of the samples, and of the rows that are shown.
        ax : Axes or array of Axes, default=None
            Where to draw.
        **kwargs : dict
            Passed on to `plot`.

        Returns
        -------
        display : PairDisplay
            What was drawn.
        """
        model, rng = Model.of(estimator, X), check_random_state(random_state)
        if features is None:
            features = range(min(len(model.names), _N_FEATURES))
        columns = [model.place(feature) for feature in features]
        some = model.rows[some_rows(model.rows, n_samples, rng)]
        sampled = model.density.sample_rows(len(some), rng)
        real, sampled = (
            _spread(rows[:, columns], model.kinds[columns], rng)
            for rows in (some, sampled)
        )
        names = [model.names[j] for j in columns]
        display = cls(None if X is None else real, sampled, names)
        return display.plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, **kwargs: Any) -> Self:
        """Draw.

        Parameters
        ----------
        ax : Axes or array of Axes, default=None
            Where to draw: an axis for each pair, or one that is divided.
        **kwargs : dict
            Keyword arguments of the points.

        Returns
        -------
        self : PairDisplay
            What was drawn.
        """
        d = len(self.names)
        self.figure_, self.axes_ = make_axes(ax, d, d, 2.0 if d > 1 else 4.0)
        self.points_: dict[tuple[int, int], Any] = {}
        both = np.vstack([rows for rows, *_ in self._kinds()])
        low, high = both.min(axis=0), both.max(axis=0)
        margin = np.where(high > low, 0.04 * (high - low), 1.0)
        limits = np.stack([low - margin, high + margin], axis=1)
        for i in range(d):
            for j in range(d):
                axis = self.axes_[i, j]
                if i == j:
                    for rows, color, name in self._kinds():
                        axis.hist(
                            rows[:, i],
                            bins=25,
                            range=tuple(limits[i]),
                            density=True,
                            histtype="step",
                            color=color,
                            label=name,
                            linewidth=1.5,
                            linestyle="-" if name == "real" else "--",
                        )
                    axis.set(xlim=limits[i], yticks=[])
                else:
                    rows, color, _ = self._kinds()[-int(j > i)]
                    style = {"s": 5.0, "linewidths": 0, "alpha": 0.5, "color": color}
                    self.points_[i, j] = axis.scatter(
                        rows[:, j], rows[:, i], **{**style, **kwargs}
                    )
                    axis.set(xlim=limits[j], ylim=limits[i])
                if i < d - 1:
                    axis.set_xticklabels([])
                else:
                    axis.set_xlabel(self.names[j])
                if j > 0:
                    axis.set_yticklabels([])
                else:
                    axis.set_ylabel(self.names[i])
        handles, labels = self.axes_[0, 0].get_legend_handles_labels()
        above = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0)}
        self.axes_[0, 0].legend(handles, labels, frameon=False, **above)
        return self

    def _kinds(self) -> list[tuple[NDArray, str, str]]:
        """Return the rows of each kind, samples last."""
        sampled = (self.sampled, COLORS[1], "sampled")
        return [
            *([] if self.real is None else [(self.real, COLORS[0], "real")]),
            sampled,
        ]


def _spread(rows: NDArray, kinds: NDArray, rng: np.random.RandomState) -> NDArray:
    """Return rows with codes of categories spread, so that no point hides others."""
    noise = rng.uniform(-_SPREAD, _SPREAD, size=rows.shape)
    return np.where(kinds > 0, rows + noise, rows)
