"""The transport cost by which the alignment flows paper compares samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

__all__ = ["sinkhorn_cost"]


def sinkhorn_cost(
    X: NDArray,
    Y: NDArray,
    *,
    regularization: float = 0.1,
    max_iter: int = 100,
    tol: float = 0.1,
) -> float:
    """Return the squared transport cost of an entropic plan that few iterations give.

    The defaults are those of the paper's code. With them the plan does not converge on
    images, so the cost lies below the exact one.

    Parameters
    ----------
    X, Y : ndarray of shape (n_samples, n_features)
        Two samples.
    regularization : float, default=0.1
        Weight of the entropy, in squared units of the data.
    max_iter : int, default=100
        Largest number of iterations.
    tol : float, default=0.1
        The iterations end when the potentials of ``X`` change by less in all.

    Returns
    -------
    cost : float
        ``Σ π_ij |x_i - y_j|²``.
    """
    cost = cdist(X, Y, "sqeuclidean")
    score = cost / -regularization
    log_x, log_y = -np.log(len(X)), -np.log(len(Y))
    u, v = np.zeros(len(X)), np.zeros(len(Y))
    for _ in range(max_iter):
        before = u
        u = log_x - _logsumexp(score + v)
        v = log_y - _logsumexp(score.T + u)
        if regularization * np.abs(u - before).sum() < tol:
            break
    plan = np.exp(score + u[:, None] + v)
    return float((plan * cost).sum())


def _logsumexp(scores: NDArray) -> NDArray:
    top = scores.max(axis=1)
    return top + np.log(np.exp(scores - top[:, None]).sum(axis=1))
