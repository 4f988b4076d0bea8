"""Layers of rows of both kinds: they move numbers and see integers and codes."""

from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from sklearn.base import clone

from destructors.base import Destructor, HoldoutDestructor
from destructors.flows._mixed_start import fit_start
from destructors.greedy import Progress, Scores, StackTask
from destructors.maps import Chain, GivenColumns, Identity, Map, MixedRosenblatt
from destructors.mixture._mixed_fit import MixedSettings
from destructors.mixture._mixture import TILT
from destructors.mixture._order import put_in_order
from destructors.rows import Fold, Rows
from destructors.tree._conditional import ConditionalBoostedTrees

# EM of the mixture stops when a step changes the mean log density by less, in nats. A
# tenth of the default of `MixtureDensity`: fitted to the training parts of adult,
# german, crx and abalone, validation rows gain 0.01 to 0.05 nats, for half as much time
# again at most. A tenth of this gains nothing on adult.
_TOL = 1e-4
# The last mixture is the mean of so many: fitted to the training parts of german, crx
# and abalone, validation rows gain 0.06 to 0.1 nats.
N_FOLDS = 5
# Rows by which what a category is like is drawn towards what all are.
_PRIOR = 10.0
# What is seen lies in the cube.
_FARTHEST = 4.0


class MixtureGivenCodes(HoldoutDestructor):
    """Marginals of numbers, and the Rosenblatt map of a mixed mixture given the rest.

    Parameters are those of `MixtureDensity`. The mixture is kept in ``mixture_``; with
    ``n_folds``, ``n_components_`` is the number of classes of each of which it is the
    mean. Fitted again on all rows it is a mean.
    """

    _parameter_constraints: ClassVar[dict] = {}

    def __init__(
        self,
        n_components: Any = "auto",
        *,
        marginal: Destructor | Literal["auto"] | None = "auto",
        n_folds: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_components = n_components
        self.marginal = marginal
        self.n_folds = n_folds
        self.random_state = random_state

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        assert random_state is not None
        how = MixedSettings(self.n_components, _TOL, n_folds=self.n_folds)
        progress = Progress(self, noun="number")
        start = fit_start(fold, self.marginal, how, random_state, progress)
        self.mixture_, self.n_components_ = start.em.mixture, start.n_classes
        if self.mixture_.gaussians is None:
            return Identity()
        mixture = put_in_order(self.mixture_)
        return Chain((start.map, MixedRosenblatt(mixture, TILT)))

    def _refit_params(self, fitted: list[Any]) -> dict[str, Any]:
        n_classes = int(np.median([each.n_components_ for each in fitted]))
        return {"n_components": n_classes, "n_folds": N_FOLDS}


class TreesGivenCodes(HoldoutDestructor):
    """Boosted trees of numbers that may ask about integers and codes.

    Integers are seen by their ranks, categories in the order in which the numbers
    differ most, as normal scores: a cut takes apart some categories from others, and
    costs no volume.

    Parameters
    ----------
    trees : ConditionalBoostedTrees
        How the trees are grown.
    """

    _parameter_constraints: ClassVar[dict] = {}

    def __init__(self, trees: ConditionalBoostedTrees):
        self.trees = trees

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        given = see_columns(fold.train)
        self.trees_ = clone(self.trees)
        self.trees_._n_moved = len(given.columns)
        self.trees_._fit_rows(fold.each(_seen, given))
        self.n_iter_ = self.trees_.n_iter_
        return replace(given, map=self.trees_.map_)

    def _refit_params(self, fitted: list[Any]) -> dict[str, Any]:
        params = fitted[0].trees_._refit_params([each.trees_ for each in fitted])
        return {f"trees__{name}": value for name, value in params.items()}


def _seen(rows: Rows, given: GivenColumns) -> Rows:
    return replace(rows.unseen(), values=given.see(rows.values), kinds=None, names=None)


class MixedTask(StackTask):
    """Layers of rows of both kinds; the objective is that of the numbers."""

    def score(self, state: Fold) -> Scores:
        """Return mean log densities of the numbers; see `StackTask.score`."""
        numbers = np.flatnonzero(state.train.kinds == 0)
        if not len(numbers):
            return Scores(0.0, 0.0, 0.0)
        return super().score(state.each(_take, numbers))

    def check(self, layer: Any, scores: Scores, after: Fold) -> None:
        """Accept layers: they are the flow's own."""


def _take(rows: Rows, columns: NDArray) -> Rows:
    return replace(rows, values=rows.values[:, columns], kinds=None, names=None)


# ---------------------------------------------------------------------- what is seen


def see_columns(rows: Rows) -> GivenColumns:
    """Return how integers and codes are seen, and a map that moves no number yet.

    Parameters
    ----------
    rows : Rows
        Training rows, numbers about standard normal.
    """
    kinds, X, weight = rows.kinds, rows.values, rows.weights
    assert kinds is not None
    numbers = np.flatnonzero(kinds == 0)
    # By what a category is told: the means of numbers, and of their squares.
    Z = np.clip(X[:, numbers], -_FARTHEST, _FARTHEST)
    told = np.hstack([Z, Z**2])
    told = told - weight @ told / weight.sum()
    sources, points, values = np.flatnonzero(kinds != 0), [], []
    for j in sources:
        if kinds[j] < 0:
            seen, place = np.unique(X[:, j], return_inverse=True)
            counts = np.bincount(place.ravel(), weight)
            values.append(_normal_scores(counts, np.arange(len(seen))))
        else:
            codes, n = X[:, j].astype(np.intp), int(kinds[j])
            seen, counts = np.arange(float(n)), np.bincount(codes, weight, n)
            order = _find_order(codes, counts, weight, told)
            values.append(_normal_scores(counts, order))
        points.append(seen)
    return GivenColumns(sources, tuple(points), tuple(values), numbers, Identity())


def _find_order(
    codes: NDArray, counts: NDArray, weight: NDArray, told: NDArray
) -> NDArray:
    """Return the order of categories along the direction in which they differ most.

    A second order costs as much time again, and gains nothing on held-out rows of
    adult.
    """
    sums = [np.bincount(codes, weight * column, len(counts)) for column in told.T]
    means = np.stack(sums, axis=1) / (counts + _PRIOR)[:, None]
    _, _, axes = np.linalg.svd(np.sqrt(counts)[:, None] * means, full_matrices=False)
    # The sign of an axis is that of rounding: repeated rows would have another than
    # weights, and trees that cut equal gains elsewhere.
    axis = axes[0] * np.sign(axes[0][np.argmax(np.abs(axes[0]))])
    return np.argsort(means @ axis, kind="stable")


def _normal_scores(counts: NDArray, order: NDArray) -> NDArray:
    """Return a normal score of each value: that of the middle of its rows in order."""
    # What was not seen has a place of its own, too.
    counts = np.maximum(counts, 0.5)
    below = np.cumsum(counts[order]) - 0.5 * counts[order]
    scores = np.empty(len(counts))
    scores[order] = np.clip(ndtri(below / counts.sum()), -_FARTHEST, _FARTHEST)
    return scores
