"""Ascent among frames of orthonormal directions: the Stiefel manifold.

What is maximised is told by a function, so that whoever looks for directions, among
domains or away from the normal distribution, does so by the same steps.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

# Value at a frame, and its gradient in the entries of the frame.
Objective = Callable[[NDArray], tuple[float, NDArray]]

_SHORTEST_STEP = 1e-2
# Digits of what is stepped to: a hundredth of the shortest step. A step magnifies
# rounding errors, a hundredfold where rows change places; cut off at each, they grow
# neither within a search nor from layer to layer.
_N_DIGITS = 4
# Along the manifold, a smaller part of the gradient is rounding, and points nowhere.
_LEAST_SLOPE = float(np.sqrt(np.finfo(float).eps))


def draw_frame(
    n_features: int, n_directions: int, random_state: np.random.RandomState
) -> NDArray:
    """Return orthonormal columns, uniform among all."""
    return retract(random_state.standard_normal((n_features, n_directions)))


def retract(matrix: NDArray) -> NDArray:
    """Return orthonormal columns, continuous in the matrix."""
    q, r = np.linalg.qr(matrix)
    return q * np.where(np.diag(r) < 0.0, -1.0, 1.0)


def ascend(objective: Objective, start: NDArray, max_iter: int) -> tuple[NDArray, int]:
    """Return orthonormal directions at which an objective is large.

    Riemannian gradient ascent with a QR retraction: a step that does not raise the
    objective is halved and tried again. Each ends on entries of few digits, made
    orthonormal: rounding errors in the objective do not add up along the way.

    Parameters
    ----------
    objective : callable
        Takes orthonormal columns; returns the value and its gradient.
    start : ndarray of shape (n_features, n_directions)
        Orthonormal columns.
    max_iter : int
        Number of steps, at most.

    Returns
    -------
    directions : ndarray of shape (n_features, n_directions)
        Orthonormal columns.
    n_iter : int
        Number of steps.

    References
    ----------
    P.-A. Absil, R. Mahony and R. Sepulchre, *Optimization algorithms on matrix
    manifolds*, 2008, section 4.
    """
    best, size, n_iter = start, 1.0, 0
    value, gradient = objective(best)
    while n_iter < max_iter:
        n_iter += 1
        along = _tangent(best, gradient)
        norm, least = _size(along), _LEAST_SLOPE * _size(gradient)
        if not norm > least or size < _SHORTEST_STEP:
            break
        trial = retract(np.round(best + size / norm * along, _N_DIGITS))
        trial_value, trial_gradient = objective(trial)
        if trial_value > value:
            best, value, gradient = trial, trial_value, trial_gradient
        else:
            size *= 0.5
    return best, n_iter


def _size(gradient: NDArray) -> float:
    """Return the root mean square length of the columns."""
    return np.sqrt((gradient**2).sum(axis=0).mean())


def _tangent(directions: NDArray, gradient: NDArray) -> NDArray:
    """Return the part of a gradient that lies along the manifold."""
    inner = directions.T @ gradient
    return gradient - directions @ (0.5 * (inner + inner.T))
