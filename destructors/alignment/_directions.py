"""Where domains differ most: directions by ascent on the Stiefel manifold."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

from destructors.alignment._domains import pooled_weight
from destructors.alignment._monotone import group_means
from destructors.rows import Rows

# Quantile levels by which projections are compared.
_N_LEVELS = 32
_SHORTEST_STEP = 1e-2


def principal_basis(
    parts: list[Rows], n_components: int, random_state: np.random.RandomState
) -> NDArray | None:
    """Return the leading principal axes of all domains together.

    Parameters
    ----------
    parts : list of Rows
        The rows of each domain.
    n_components : int
        Number of axes.
    random_state : RandomState
        Source of the random start.

    Returns
    -------
    basis : ndarray of shape (n_features, n_components) or None
        None where the axes would span the whole space.
    """
    X = np.vstack([part.values for part in parts])
    if n_components >= X.shape[1]:
        return None
    weight = pooled_weight(parts)
    X = np.sqrt(weight)[:, None] * (X - weight @ X)
    n_components = min(n_components, len(X))
    _, _, axes = randomized_svd(
        X, n_components, n_iter=2, transpose=False, random_state=random_state
    )
    return np.ascontiguousarray(axes.T)


def project(parts: list[Rows], directions: NDArray) -> list[Rows]:
    """Return what the rows are along directions."""
    return [replace(part, values=part.values @ directions) for part in parts]


def find_directions(
    parts: list[Rows],
    domain_weights: NDArray,
    n_directions: int,
    max_iter: int,
    random_state: np.random.RandomState,
) -> tuple[NDArray, int]:
    """Return orthonormal directions along which domains are far from their barycenter.

    Riemannian gradient ascent with a QR retraction: a step that does not raise the
    sliced distance is halved and tried again.

    Parameters
    ----------
    parts : list of Rows
        The rows of each domain.
    domain_weights : ndarray of shape (n_domains,)
        Share of each in the barycenter.
    n_directions : int
        Number of directions.
    max_iter : int
        Number of steps, at most.
    random_state : RandomState
        Source of the start, uniform among all frames.

    Returns
    -------
    directions : ndarray of shape (n_features, n_directions)
        Orthonormal columns.
    n_iter : int
        Number of steps.
    """
    d = parts[0].n_features
    start = random_state.standard_normal((d, n_directions))
    best = _retract(start)
    value, gradient = _sliced_distance(parts, domain_weights, best)
    size, n_iter = 1.0, 0
    while n_iter < max_iter:
        n_iter += 1
        norm = np.sqrt((gradient**2).sum(axis=0).mean())
        if not norm > 0.0 or size < _SHORTEST_STEP:
            break
        trial = _retract(best + size / norm * gradient)
        trial_value, trial_gradient = _sliced_distance(parts, domain_weights, trial)
        if trial_value > value:
            best, value, gradient = trial, trial_value, trial_gradient
        else:
            size *= 0.5
    return best, n_iter


def _retract(matrix: NDArray) -> NDArray:
    """Return orthonormal columns, continuous in the matrix."""
    q, r = np.linalg.qr(matrix)
    return q * np.where(np.diag(r) < 0.0, -1.0, 1.0)


def _sliced_distance(
    parts: list[Rows], domain_weights: NDArray, directions: NDArray
) -> tuple[float, NDArray]:
    """Return how far quantile functions are from their mean, and the gradient of that.

    The distance is the mean square, summed over directions; the gradient is along the
    manifold.
    """
    projections = project(parts, directions)
    smallest = min(part.total for part in parts)
    n_levels = min(_N_LEVELS, max(2, int(smallest)))
    quantiles = np.stack([group_means(part, n_levels) for part in projections])
    # A domain without a share in the barycenter has to get there all the same.
    shares = np.full(len(quantiles), 1.0 / len(quantiles))
    gaps = quantiles - np.einsum("k,kcm->cm", domain_weights, quantiles)
    value = np.einsum("k,kcm,kcm->", shares, gaps, gaps) / n_levels
    # The barycenter moves with the domains, unless gaps cancel in the mean.
    pull = shares[:, None, None] * gaps
    pull -= domain_weights[:, None, None] * pull.sum(axis=0)
    gradient = np.zeros_like(directions)
    for part, projected, forces in zip(parts, projections, pull, strict=True):
        gradient += part.values.T @ _spread(forces, projected)
    inner = directions.T @ gradient
    return float(value), gradient - directions @ (0.5 * (inner + inner.T))


def _spread(forces: NDArray, rows: Rows) -> NDArray:
    """Return the force on each row: its share of that on the mean of its group."""
    projected, weight = rows.values, rows.weight
    n_samples, n_columns = projected.shape
    n_levels = forces.shape[1]
    order = np.argsort(projected, axis=0)
    sums = np.zeros((n_levels + 1, n_columns))
    np.cumsum(forces.T, axis=0, out=sums[1:])
    if weight is None:
        place = np.arange(n_samples + 1)[:, None] * (n_levels / n_samples)
    else:
        mass = np.zeros((n_samples + 1, n_columns))
        np.cumsum(weight[order], axis=0, out=mass[1:])
        place = mass * (n_levels / mass[-1])
    whole = np.minimum(place.astype(np.intp), n_levels - 1)
    part = place - whole
    if weight is None:
        left, right = sums[whole[:, 0]], sums[whole[:, 0] + 1]
    else:
        left = np.take_along_axis(sums, whole, axis=0)
        right = np.take_along_axis(sums, whole + 1, axis=0)
    received = np.diff(left + part * (right - left), axis=0) / n_levels
    out = np.empty_like(projected)
    np.put_along_axis(out, order, received, axis=0)
    return out
