"""What drawn rows of mixed tables are worth, and whether training rows come back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors

__all__ = ["leakage", "two_sample_area", "usefulness"]

# Trees of scikit-learn take no more categories than this.
_MOST_CATEGORIES = 255
_MOST_ROWS = 5000


def two_sample_area(drawn: NDArray, real: NDArray, is_category: NDArray) -> float:
    """Return how well boosted trees tell drawn rows from real ones.

    Parameters
    ----------
    drawn, real : ndarray of shape (n_samples, n_columns)
        As many of each are compared as there are of the fewer.
    is_category : ndarray of bool of shape (n_columns,)

    Returns
    -------
    area : float
        Area under the ROC curve over five folds: 0.5 where they can't be told apart.
    """
    n = min(len(drawn), len(real))
    X, y = np.vstack([drawn[:n], real[:n]]), np.repeat([0, 1], n)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    trees = HistGradientBoostingClassifier(
        categorical_features=_told(X, is_category), random_state=0
    )
    p = cross_val_predict(trees, X, y, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(y, p))


def usefulness(train: NDArray, test: NDArray, is_category: NDArray) -> float:
    """Return how well boosted trees that learn from some rows predict others.

    Parameters
    ----------
    train, test : ndarray of shape (n_samples, n_columns)
        Drawn or real rows, and real ones. The last column is predicted; categories that
        a single row to learn from has are not learned.
    is_category : ndarray of bool of shape (n_columns,)

    Returns
    -------
    score : float
        Accuracy where the last column is of categories, else the R² of numbers.
    """
    y = train[:, -1]
    told = _told(np.vstack([train, test])[:, :-1], is_category[:-1])
    if not is_category[-1]:
        trees = HistGradientBoostingRegressor(categorical_features=told, random_state=0)
        trees.fit(train[:, :-1], y)
        return float(r2_score(test[:, -1], trees.predict(test[:, :-1])))
    # Early stopping holds out rows of each category.
    codes, place, counts = np.unique(y, return_inverse=True, return_counts=True)
    if counts.max() > 1:
        learned = counts[place] > 1
        train, y, codes = train[learned], y[learned], codes[counts > 1]
    if len(codes) == 1:
        return float(np.mean(test[:, -1] == codes[0]))
    trees = HistGradientBoostingClassifier(categorical_features=told, random_state=0)
    trees.fit(train[:, :-1], y)
    return float(accuracy_score(test[:, -1], trees.predict(test[:, :-1])))


def leakage(
    drawn: NDArray, train: NDArray, held_out: NDArray, n_codes: NDArray
) -> float:
    """Return the share of drawn rows that lie nearer to a training row.

    They are compared with as many held-out rows; where both are as near, that is half
    a row.

    Parameters
    ----------
    drawn, train, held_out : ndarray of shape (n_samples, n_columns)
    n_codes : ndarray of int of shape (n_columns,)
        Number of codes of each column; 0 for numbers.

    Returns
    -------
    share : float
        About 0.5 where training rows do not come back, 1.0 where all do.
    """
    n = min(len(train), len(held_out), _MOST_ROWS)
    rng = np.random.default_rng(0)
    centre, scale = np.median(train, axis=0), train.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)

    def spread(X: NDArray) -> NDArray:
        numbers = ((X - centre) / scale)[:, n_codes == 0]
        codes = [X[:, [j]] == np.arange(n_codes[j]) for j in np.flatnonzero(n_codes)]
        # Two different codes are one apart.
        return np.hstack([numbers, *(np.sqrt(0.5) * code for code in codes)])

    rows = spread(drawn[:_MOST_ROWS])
    near = []
    for part in (train, held_out):
        few = spread(part[rng.choice(len(part), n, replace=False)])
        near.append(NearestNeighbors(n_neighbors=1).fit(few).kneighbors(rows)[0][:, 0])
    return float(np.mean((near[0] < near[1]) + 0.5 * (near[0] == near[1])))


def _told(X: NDArray, is_category: NDArray) -> NDArray:
    """Return which columns are told to be categories: codes beyond count as numbers."""
    highest = np.where(is_category, X.max(axis=0), 0)
    return is_category & (highest < _MOST_CATEGORIES)
