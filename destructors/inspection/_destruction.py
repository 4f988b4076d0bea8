"""Data to noise and back, layer by layer."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from destructors.inspection._axes import make_axes, point_colors
from destructors.inspection._model import Model, some_rows
from destructors.maps import Chain, Map, Trees

# Stages that are shown, besides the data.
_N_STAGES = 4


class DestructionDisplay:
    """Rows on their way to the latent space, and noise on its way back.

    Make it with `from_estimator`.

    Parameters
    ----------
    forward : list of ndarray of shape (n_samples, 2)
        Two columns of the data and of what the first layers make of them.
    backward : list of ndarray of shape (n_samples, 2)
        The same of noise that the first layers were undone on.
    titles : list of str
        What the stages are called.
    labels : tuple of str
        Names of the two columns.

    Attributes
    ----------
    figure_ : Figure
        What was drawn on.
    axes_ : ndarray of shape (2, n_stages) of Axes
        Axes of both ways.
    points_ : list of PathCollection
        The points, way by way.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from destructors.flows import RBIG
    >>> from destructors.inspection import DestructionDisplay
    >>> X = np.random.default_rng(0).gamma(2.0, size=(200, 2))
    >>> model = RBIG(max_iter=2, random_state=0).fit(X)
    >>> display = DestructionDisplay.from_estimator(model, X)
    >>> display.axes_.shape[0]
    2
    """

    def __init__(
        self,
        forward: list[NDArray],
        backward: list[NDArray],
        titles: list[str],
        labels: tuple[str, str],
    ):
        self.forward, self.backward = forward, backward
        self.titles, self.labels = titles, labels

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        *,
        features: tuple[Any, Any] = (0, 1),
        n_samples: int = 2000,
        n_stages: int = _N_STAGES,
        random_state: int | np.random.RandomState | None = 0,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Show what the layers of a fitted stack do.

        Parameters
        ----------
        estimator : Destructor or Density
            What was learned: of a stack its layers are shown, of boosted trees some
            numbers of trees, of all else the whole map.
        X : array-like of shape (n_samples, n_features)
            Rows.
        features : pair of int or str, default=(0, 1)
            Columns to show.
        n_samples : int, default=2000
            Largest number of points.
        n_stages : int, default=4
            Largest number of stages to show, beside the data.
        random_state : int, RandomState instance or None, default=0
            Seed of the rows that are shown, and of the noise.
        ax : array of Axes, default=None
            Where to draw.
        **kwargs : dict
            Passed on to `plot`.

        Returns
        -------
        display : DestructionDisplay
            What was drawn.

        Raises
        ------
        ValueError
            If there are not two columns, or one of them does not exist.
        """
        model, rng = Model.of(estimator, X), check_random_state(random_state)
        if len(model.names) < 2:
            raise ValueError("There is one column only: two are needed.")
        first, second = (model.place(feature) for feature in features)
        plane = [first, second]
        rows = model.rows[some_rows(model.rows, n_samples, rng)]
        noise = model.density.base.sample(len(rows), rng)
        stages = _stages(model.density.map, n_stages)
        forward, backward, titles = [rows[:, plane]], [noise[:, plane]], ["data"]
        for title, part in stages:
            forward.append(part.forward(rows)[0][:, plane])
            backward.append(part.inverse(noise)[0][:, plane])
            titles.append(title)
        labels = model.names[first], model.names[second]
        return cls(forward, backward, titles, labels).plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, cmap: Any = None, **kwargs: Any) -> Self:
        """Draw: above from data to noise, below from noise to data.

        Points of one colour are one row on its way: colours go by the first column of
        the data, and of what comes out below.

        Parameters
        ----------
        ax : array of Axes, default=None
            Where to draw: two rows of as many axes as there are stages, or one that is
            divided.
        cmap : str or Colormap, default=None
            Colours of the rows.
        **kwargs : dict
            Keyword arguments of the points.

        Returns
        -------
        self : DestructionDisplay
            What was drawn.
        """
        self.figure_, self.axes_ = make_axes(ax, 2, len(self.titles), 2.4)
        self.points_: list[Any] = []
        style = {"s": 4.0, "linewidths": 0, "alpha": 0.7, **kwargs}
        style["cmap"] = point_colors() if cmap is None else cmap
        for axes, stages, end in zip(
            self.axes_, (self.forward, self.backward), (0, -1), strict=True
        ):
            color = np.argsort(np.argsort(stages[end][:, 0]))
            for axis, stage in zip(axes, stages, strict=True):
                self.points_.append(axis.scatter(*stage.T, c=color, **style))
                axis.set(xticks=[], yticks=[])
        for axis, title in zip(self.axes_[0], self.titles, strict=True):
            axis.set_title(title)
        undone = ["noise", *(f"{title} undone" for title in self.titles[1:])]
        for axis, title in zip(self.axes_[1], undone, strict=True):
            axis.set_title(title)
        for axes, way in zip(
            self.axes_, ("data to noise", "noise to data"), strict=True
        ):
            axes[0].set_ylabel(way)
        self.figure_.supxlabel(" and ".join(self.labels), fontsize="medium")
        return self


def _stages(map_: Map, n_stages: int) -> list[tuple[str, Map]]:
    """Return prefixes of a map: of layers, or of trees where they are all there is."""
    parts = list(map_.maps) if isinstance(map_, Chain) else [map_]
    trees = parts[-1]
    if isinstance(trees, Trees) and len(parts) == 2 and len(trees) > 1:
        return [
            (_count(n, "tree"), Chain((parts[0], trees[:n])))
            for n in _numbers(len(trees), n_stages)
        ]
    return [
        (_count(n, "layer"), Chain(tuple(parts[:n])))
        for n in _numbers(len(parts), n_stages)
    ]


def _numbers(n_parts: int, n_stages: int) -> list[int]:
    """Return some of the numbers up to that of the parts, closer among the first."""
    numbers = np.geomspace(1, max(n_parts, 1), n_stages).round().astype(int)
    return np.unique(numbers).tolist()


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + "s" * (number != 1)
