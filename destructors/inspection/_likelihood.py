"""How the likelihood grew, and where growing stopped."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from destructors.inspection._axes import COLORS, REFERENCE, make_axes

# A start so many times as far below the rest as that is high is not shown.
_FAR = 10.0


class LikelihoodDisplay:
    """Log-density of training and of held-out rows, step by step.

    Parameters
    ----------
    panels : sequence of (str, array-like, array-like) tuples
        For each panel, what a step is called, and the mean log density of the training
        and of the held-out rows before and after each step, in nats; the second can be
        empty.

    Attributes
    ----------
    figure_ : Figure
        What was drawn on.
    axes_ : ndarray of Axes
        Axes of the panels.
    lines_ : list of Line2D
        The curves: of each panel training and, if there are any, held-out rows.
    stops_ : list of Line2D
        Where growing stopped.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from destructors.inspection import LikelihoodDisplay
    >>> display = LikelihoodDisplay([("layer", [-3.0, -2.5], [-3.1, -2.8])]).plot()
    >>> len(display.lines_)
    2
    """

    def __init__(self, panels: Sequence[tuple[str, ArrayLike, ArrayLike]]):
        self.panels: list[tuple[str, NDArray, NDArray]] = [
            (noun, np.asarray(train, dtype=float), np.asarray(held_out, dtype=float))
            for noun, train, held_out in panels
        ]

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, **kwargs: Any) -> Self:
        """Show how a fitted stack grew.

        Parameters
        ----------
        estimator : Destructor
            A stack or boosted trees: what has ``train_score_``. Layers that grew step
            by step themselves, such as trees in a flow, get a panel of their own.
        ax : Axes or array of Axes, default=None
            Where to draw.
        **kwargs : dict
            Passed on to `plot`.

        Returns
        -------
        display : LikelihoodDisplay
            What was drawn.

        Raises
        ------
        TypeError
            If the estimator has no scores of steps.
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "train_score_"):
            raise TypeError(
                f"{type(estimator).__name__} did not grow step by step: it has no "
                "train_score_."
            )
        layers = getattr(estimator, "layers_", [])
        inner = [
            layer for layer in layers if len(getattr(layer, "train_score_", [])) > 2
        ]
        panels = [
            (_noun(one), one.train_score_, one.validation_score_)
            for one in (estimator, *inner)
        ]
        return cls(panels).plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, **kwargs: Any) -> Self:
        """Draw.

        Parameters
        ----------
        ax : Axes or array of Axes, default=None
            Where to draw: as many as there are panels, or one that is divided.
        **kwargs : dict
            Keyword arguments of the curves.

        Returns
        -------
        self : LikelihoodDisplay
            What was drawn.
        """
        self.figure_, axes = make_axes(ax, 1, len(self.panels), 4.2)
        self.axes_ = axes[0]
        self.lines_: list[Any] = []
        self.stops_: list[Any] = []
        for axis, (noun, train, held_out) in zip(self.axes_, self.panels, strict=True):
            few = {"marker": "o"} if len(train) < 30 else {}
            curves = [("training rows", train, COLORS[0], "-")]
            if len(held_out):
                curves.append(("held-out rows", held_out, COLORS[1], "--"))
            for label, scores, color, dashes in curves:
                style = {"color": color, "linestyle": dashes, **few, **kwargs}
                self.lines_ += axis.plot(scores, label=label, **style)
            _look_away(axis, train, held_out)
            stop = len(train) - 1
            self.stops_.append(axis.axvline(stop, color=REFERENCE, linestyle=":"))
            axis.set_xlabel(f"{noun}s (stopped at {stop:,})")
            axis.set_ylabel(
                "gain (nats)" if noun == "tree" else "mean log density (nats)"
            )
            axis.xaxis.get_major_locator().set_params(integer=True)
            axis.legend(frameon=False)
        return self


def _look_away(axis: Any, train: NDArray, held_out: NDArray) -> None:
    """Leave the start out of an axis where it would make a flat line of the rest: it
    is the standard normal in the units of the data, which may be far off.
    """
    later = np.concatenate([train[1:], held_out[1:]])
    if len(train) < 3:
        return
    low, high = np.nanmin(later), np.nanmax(later)
    size = high - low
    if train[0] < low - _FAR * size:
        axis.set_ylim(low - 0.05 * size, high + 0.05 * size)


def _noun(estimator: Any) -> str:
    return "layer" if hasattr(estimator, "layers_") else "tree"
