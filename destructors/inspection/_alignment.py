"""Domains before and after they are aligned."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from destructors._compat import check_array
from destructors.inspection._axes import COLORS, MARKERS, REFERENCE, make_axes
from destructors.inspection._model import some_rows


class AlignmentDisplay:
    """Rows of several domains, before and after alignment, and how it went.

    Make it with `from_estimator`.

    Parameters
    ----------
    before, after : ndarray of shape (n_samples, 2)
        Two columns of rows, as they were and in the shared space.
    domains : ndarray of shape (n_samples,)
        Label of the domain of each row.
    divergence : ndarray of shape (2, n_layers + 1) or None
        Divergence of training and of held-out rows before and after each layer.

    Attributes
    ----------
    figure_ : Figure
        What was drawn on.
    axes_ : ndarray of Axes
        Before, after and, if there is any, the divergence.
    points_ : list of PathCollection
        The points, domain by domain, before and then after.
    lines_ : list of Line2D
        The divergence.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from destructors.flows import AlignmentFlow
    >>> from destructors.inspection import AlignmentDisplay
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> X[100:] += 3.0
    >>> domain = np.repeat(["a", "b"], 100)
    >>> flow = AlignmentFlow(max_iter=2, random_state=0).fit(X, sample_domain=domain)
    >>> display = AlignmentDisplay.from_estimator(flow, X, sample_domain=domain)
    >>> len(display.axes_)
    3
    """

    def __init__(
        self,
        before: NDArray,
        after: NDArray,
        domains: NDArray,
        divergence: NDArray | None = None,
    ):
        self.before, self.after = before, after
        self.domains, self.divergence = domains, divergence

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        *,
        sample_domain: ArrayLike,
        features: tuple[int, int] = (0, 1),
        n_samples: int = 2000,
        random_state: int | np.random.RandomState | None = 0,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Show what a fitted alignment does.

        Parameters
        ----------
        estimator : AlignmentFlow or DomainDestructor
            What aligns.
        X : array-like of shape (n_samples, n_features)
            Rows of any of the domains.
        sample_domain : array-like of shape (n_samples,)
            Label of the domain of each row.
        features : pair of int, default=(0, 1)
            Columns to show.
        n_samples : int, default=2000
            Largest number of points.
        random_state : int, RandomState instance or None, default=0
            Seed of the rows that are shown.
        ax : Axes or array of Axes, default=None
            Where to draw.
        **kwargs : dict
            Passed on to `plot`.

        Returns
        -------
        display : AlignmentDisplay
            What was drawn.

        Raises
        ------
        ValueError
            If there are not two columns, or one of them does not exist.
        """
        check_is_fitted(estimator)
        after = estimator.transform(X, sample_domain=sample_domain)
        before = check_array(X, dtype=np.float64)
        columns, d = list(features), before.shape[1]
        if len(columns) != 2 or not all(-d <= j < d for j in columns):
            raise ValueError(
                f"features must be two of the {d} columns, by position, got "
                f"{features!r}."
            )
        rng = check_random_state(random_state)
        some = some_rows(before, n_samples, rng)
        # In random order no domain hides another.
        some = rng.permutation(some)
        domains = np.asarray(sample_domain).ravel()[some]
        display = cls(
            before[some][:, columns],
            np.asarray(after)[some][:, columns],
            domains,
            getattr(estimator, "divergence_", None),
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, **kwargs: Any) -> Self:
        """Draw.

        Parameters
        ----------
        ax : Axes or array of Axes, default=None
            Where to draw: two or three axes, or one that is divided.
        **kwargs : dict
            Keyword arguments of the points.

        Returns
        -------
        self : AlignmentDisplay
            What was drawn.
        """
        n_panels = 2 if self.divergence is None else 3
        self.figure_, axes = make_axes(ax, 1, n_panels, 3.6)
        self.axes_ = axes[0]
        self.points_: list[Any] = []
        self.lines_: list[Any] = []
        style = {"s": 8.0, "linewidths": 0, "alpha": 0.5, **kwargs}
        for axis, rows, title in zip(
            self.axes_, (self.before, self.after), ("before", "after"), strict=False
        ):
            for i, domain in enumerate(np.unique(self.domains)):
                here = self.domains == domain
                self.points_.append(
                    axis.scatter(
                        *rows[here].T,
                        color=COLORS[i % len(COLORS)],
                        marker=MARKERS[(i + i // len(COLORS)) % len(MARKERS)],
                        label=str(domain),
                        **style,
                    )
                )
            axis.set(title=title, xticks=[], yticks=[])
        legend = self.axes_[0].legend(frameon=False, markerscale=2.0)
        for handle in legend.legend_handles:
            handle.set_alpha(1.0)
        if self.divergence is None:
            return self
        axis = self.axes_[2]
        train, held_out = self.divergence
        self.lines_ += axis.plot(train, color=COLORS[0], label="training rows")
        if not np.isnan(held_out).all():
            self.lines_ += axis.plot(
                held_out, color=COLORS[1], linestyle="--", label="held-out rows"
            )
        axis.axhline(0.0, color=REFERENCE, linewidth=1.0)
        axis.set(xlabel="layers", ylabel="energy coefficient", title="divergence")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.legend(frameon=False)
        return self
