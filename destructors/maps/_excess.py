"""What each column adds to the strangeness of a row, given all others."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

# Quantiles of a column given the others that are tried beside the grid.
_N_QUANTILES = 64
# Rows that are scored at a time.
_N_AT_ONCE = 2**16


def excess_by_column(
    score: Callable[[NDArray], NDArray], X: NDArray, grid: NDArray
) -> NDArray:
    r"""Return by how many nats each column of each row is stranger than it has to be.

    .. math:: e_j(x) = E_{t \sim p(x_j | x_{-j})} [s(t, x_{-j})] - s(x)

    for a log density ``s``, of which no integral has to be known: what does not depend
    on the column cancels. It is the cross-entropy of the column given the others, less
    its conditional entropy: zero on average over rows of the density, and the same in
    all units of the columns.

    Parameters
    ----------
    score : callable
        Log densities of rows, up to a constant, in nats.
    X : ndarray of shape (n_samples, n_features)
        Rows.
    grid : ndarray of shape (n_points, n_features)
        Values by which the integral over each column is taken, by trapezoids; the
        row's own is put among them, and quantiles that a first such integral finds.

    Returns
    -------
    excess : ndarray of shape (n_samples, n_features)
    """
    excess = np.zeros(X.shape)
    n_rows = max(1, _N_AT_ONCE // (len(grid) + 1))
    for start in range(0, len(X), n_rows):
        block = X[start : start + n_rows]
        own = score(block)
        for j in range(X.shape[1]):
            points = np.column_stack(
                [block[:, j], np.tile(grid[:, j], (len(block), 1))]
            )
            scores = _score_with(score, block, j, points)
            # Where the column is narrow given the others, the grid has few points.
            more = _quantiles(*_sort(points, scores), _N_QUANTILES)
            points = np.column_stack([points, more])
            scores = np.column_stack([scores, _score_with(score, block, j, more)])
            points, scores = _sort(points, scores)
            expected = (_shares(points, scores) * scores).sum(axis=1)
            excess[start : start + n_rows, j] = expected - own
    return excess


def _score_with(
    score: Callable[[NDArray], NDArray], rows: NDArray, column: int, points: NDArray
) -> NDArray:
    """Score rows with other values in a column, several for each row."""
    tried = np.repeat(rows, points.shape[1], axis=0)
    tried[:, column] = points.ravel()
    return score(tried).reshape(points.shape)


def _sort(points: NDArray, scores: NDArray) -> tuple[NDArray, NDArray]:
    order = np.argsort(points, axis=1, kind="stable")
    return np.take_along_axis(points, order, 1), np.take_along_axis(scores, order, 1)


def _shares(points: NDArray, scores: NDArray) -> NDArray:
    """Return the probability of each point, by trapezoids."""
    # Half the distance between the neighbours of each.
    ends = points[:, :1], points, points[:, -1:]
    width = np.diff(np.concatenate(ends, axis=1), axis=1)
    with np.errstate(divide="ignore"):
        return softmax(scores + np.log(0.5 * (width[:, 1:] + width[:, :-1])), axis=1)


def _quantiles(points: NDArray, scores: NDArray, n_quantiles: int) -> NDArray:
    """Return quantiles of each row of sorted points, in equal steps."""
    shares = _shares(points, scores)
    below = np.cumsum(shares, axis=1) - 0.5 * shares
    levels = (np.arange(n_quantiles) + 0.5) / n_quantiles
    n_rows, n_points = points.shape
    # The places of all levels in all rows by one search: those of a row, all between
    # 0 and 1, are as far from those of the next as its number says.
    row = np.arange(n_rows)[:, None]
    right = np.searchsorted((below + 2.0 * row).ravel(), levels + 2.0 * row)
    right = np.clip(right - n_points * row, 1, n_points - 1)
    ends = np.take_along_axis(below, right - 1, 1), np.take_along_axis(below, right, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = (levels - ends[0]) / (ends[1] - ends[0])
    # Points without mass between them are as good one as the other.
    part = np.clip(np.nan_to_num(part), 0.0, 1.0)
    low, high = (np.take_along_axis(points, k, 1) for k in (right - 1, right))
    return (1.0 - part) * low + part * high
