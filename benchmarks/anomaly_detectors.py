"""The detectors that the anomaly job compares, each made by a call."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import skew
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

from destructors.estimators import OutlierDetector
from destructors.flows import RBIG, GaussianCopula, TreeFlow
from destructors.marginal import SplineGaussianizer
from destructors.mixture import GaussianMixtureDestructor

__all__ = ["DETECTORS"]


class Neighbours:
    """Minus the distance to the fifth neighbour, oneself not counted."""

    def __init__(self, n_neighbors: int = 5):
        self.n_neighbors = n_neighbors

    def fit(self, X: NDArray) -> Neighbours:
        """Keep the rows."""
        self.index = NearestNeighbors(n_neighbors=self.n_neighbors).fit(X)
        return self

    def score_samples(self, X: NDArray) -> NDArray:
        """Score new rows."""
        return -self.index.kneighbors(X)[0][:, -1]

    def score_training(self) -> NDArray:
        """Score the rows of the fit, none of which is a neighbour of itself."""
        return -self.index.kneighbors()[0][:, -1]


class LocalFactor:
    """scikit-learn's LocalOutlierFactor, as it comes."""

    def fit(self, X: NDArray) -> LocalFactor:
        """Keep the rows."""
        with warnings.catch_warnings():
            # Rows that repeat.
            warnings.simplefilter("ignore", UserWarning)
            self.factor = LocalOutlierFactor(novelty=True).fit(X)
        return self

    def score_samples(self, X: NDArray) -> NDArray:
        """Score new rows."""
        return self.factor.score_samples(X)

    def score_training(self) -> NDArray:
        """Score the rows of the fit."""
        return self.factor.negative_outlier_factor_


class ECOD:
    """Outliers by the empirical distribution functions of the columns.

    Z. Li, Y. Zhao, X. Hu, N. Botta, C. Ionescu and G. Chen, *ECOD: unsupervised outlier
    detection using empirical cumulative distribution functions*, IEEE TKDE 2022,
    algorithm 1.
    """

    def fit(self, X: NDArray) -> ECOD:
        """Sort the columns."""
        self.columns, self.skewness = np.sort(X, axis=0), skew(X, axis=0)
        return self

    def score_samples(self, X: NDArray) -> NDArray:
        """Return the smallest of the three sums of log tails."""
        n = len(self.columns)
        below, above = np.empty(X.shape), np.empty(X.shape)
        for j, column in enumerate(self.columns.T):
            below[:, j] = np.searchsorted(column, X[:, j], side="right")
            above[:, j] = n - np.searchsorted(column, X[:, j], side="left")
        below, above = (np.log(np.maximum(k, 1) / (n + 1)) for k in (below, above))
        auto = np.where(self.skewness < 0, below, above)
        return np.min([part.sum(axis=1) for part in (below, above, auto)], axis=0)


DETECTORS: dict[str, Callable[..., Any]] = {
    "detector": lambda contamination, novelty, random_state: OutlierDetector(
        contamination=contamination, novelty=novelty, random_state=random_state
    ),
    "knn": lambda **_: Neighbours(),
    "lof": lambda **_: LocalFactor(),
    "isolation-forest": lambda contamination, random_state, **_: IsolationForest(
        contamination=contamination, random_state=random_state
    ),
    "ecod": lambda **_: ECOD(),
    "tree-flow": lambda random_state, **_: TreeFlow(random_state=random_state),
    "gaussian-mixture": lambda random_state, **_: GaussianMixtureDestructor(
        random_state=random_state
    ),
    "rbig": lambda random_state, **_: RBIG(random_state=random_state),
    "copula": lambda **_: GaussianCopula(),
    "marginal": lambda **_: SplineGaussianizer(),
}
