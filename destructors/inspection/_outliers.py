"""Which columns make a row an outlier."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from destructors._compat import check_array
from destructors.inspection._axes import COLORS, REFERENCE, grid_shape, make_axes
from destructors.inspection._model import default_names
from destructors.maps import Detector

# More rows than this are no picture.
_MOST_ROWS = 12


class OutlierDisplay:
    """The nats of rows by column: what is strange about them.

    Each row has a panel, with a bar for each column, the strangest on top: how many
    nats the column is stranger than the others let expect. Bars to the left are columns
    that fit better than usual.

    Parameters
    ----------
    excess : array-like of shape (n_samples, n_features)
        Nats of each column of each row, as from
        `~destructors.estimators.OutlierDetector.explain`.
    values : array-like of shape (n_samples, n_features)
        The rows.
    names : sequence of str, default=None
        Names of the columns.
    p_values : array-like of shape (n_samples,), default=None
        How strange each row is as a whole.

    Attributes
    ----------
    figure_ : Figure
        What was drawn on.
    axes_ : ndarray of Axes
        Axes of the rows.
    bars_ : list of BarContainer
        The bars of each row, the strangest column first.

    Raises
    ------
    ValueError
        If shapes do not fit, or there are more than 12 rows.

    See Also
    --------
    destructors.estimators.OutlierDetector : Where they come from.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from destructors.inspection import OutlierDisplay
    >>> display = OutlierDisplay([[0.1, 7.0]], [[20.0, 300.0]], ["age", "dose"]).plot()
    >>> [label.get_text() for label in display.axes_[0].get_yticklabels()]
    ['dose = 300', 'age = 20']
    """

    def __init__(
        self,
        excess: ArrayLike,
        values: ArrayLike,
        names: Sequence[str] | None = None,
        p_values: ArrayLike | None = None,
    ):
        self.excess: NDArray = check_array(
            excess, dtype=np.float64, input_name="excess"
        )
        self.values: NDArray = check_array(
            values, dtype=np.float64, input_name="values"
        )
        n, d = self.excess.shape
        if self.values.shape != (n, d):
            raise ValueError(
                f"values must have the shape of excess, {(n, d)}, got "
                f"{self.values.shape}."
            )
        if n > _MOST_ROWS:
            raise ValueError(
                f"There are {n} rows, and a panel for each: give at most {_MOST_ROWS}, "
                "such as those with the lowest scores."
            )
        self.names = default_names(names, d)
        self.p_values: NDArray | None = None
        if p_values is not None:
            self.p_values = np.asarray(p_values, dtype=np.float64)
            if self.p_values.shape != (n,):
                raise ValueError(f"p_values must have one entry for each of {n} rows.")

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: ArrayLike, *, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Show what makes rows outliers.

        Parameters
        ----------
        estimator : OutlierDetector or Detector
            A fitted detector, or one from a file.
        X : array-like of shape (n_samples, n_features)
            The rows, 12 at most.
        ax : Axes or array of Axes, default=None
            Where to draw.
        **kwargs : dict
            Passed on to `plot`.

        Returns
        -------
        display : OutlierDisplay
            What was drawn.

        Raises
        ------
        TypeError
            If the estimator explains no rows.
        """
        if not hasattr(estimator, "explain"):
            raise TypeError(
                f"{type(estimator).__name__} explains no rows: it has no explain. Fit "
                "an OutlierDetector with it as its destructor."
            )
        is_saved = isinstance(estimator, Detector)
        if not is_saved:
            check_is_fitted(estimator)
        values = np.asarray(X, dtype=np.float64)
        if len(values) > _MOST_ROWS:
            # Before the work, not after it.
            raise ValueError(
                f"X has {len(values)} rows, and there is a panel for each: "
                f"give at most {_MOST_ROWS}, such as those with the lowest scores."
            )
        names = getattr(estimator, "feature_names_in_", None)
        if is_saved and estimator.schema.container != "array":
            names = estimator.schema.names
        display = cls(estimator.explain(X), values, names, estimator.p_values(X))
        return display.plot(ax=ax, **kwargs)

    def plot(self, *, n_features: int = 10, ax: Any = None, **kwargs: Any) -> Self:
        """Draw.

        Parameters
        ----------
        n_features : int, default=10
            Largest number of columns that have a bar, those with the largest first.
        ax : Axes or array of Axes, default=None
            Where to draw: an axis for each row, or one that is divided.
        **kwargs : dict
            Keyword arguments of the bars.

        Returns
        -------
        self : OutlierDisplay
            What was drawn.
        """
        n_rows = len(self.excess)
        shape = grid_shape(n_rows, most=2)
        self.figure_, axes = make_axes(ax, *shape, 5.0)
        self.axes_ = axes.ravel()[:n_rows]
        for axis in axes.ravel()[n_rows:]:
            axis.set_axis_off()
        self.bars_: list[Any] = []
        for i, axis in enumerate(self.axes_):
            order = np.argsort(-self.excess[i], kind="stable")[:n_features]
            labels = [f"{self.names[j]} = {self.values[i, j]:.4g}" for j in order]
            style = {"color": COLORS[0], **kwargs}
            places = np.arange(len(order))
            self.bars_.append(axis.barh(places, self.excess[i, order], **style))
            axis.set_yticks(places, labels)
            axis.invert_yaxis()
            axis.axvline(0.0, color=REFERENCE, linewidth=1.0)
            axis.set_xlabel("nats above expected")
            if self.p_values is not None:
                axis.set_title(f"p = {self.p_values[i]:.2g}", loc="left", fontsize=10)
        return self
