"""A mixture of binary images by expectation and maximisation."""

import numpy as np
from numpy.typing import NDArray

# Images that each component starts from, and pixels of all images that are added to
# those of a component.
_N_START, _FROM_ALL = 3, 3.0
_N_STEPS = 20
_LEAST = 1e-3


def fit_binary_mixture(
    on: NDArray, weight: NDArray, n_components: int
) -> tuple[NDArray, NDArray]:
    """Return a mixture whose components have a probability for each pixel.

    Parameters
    ----------
    on : ndarray of shape (n_samples, n_features)
        Zeros and ones, in an order that only the rows decide.
    weight : ndarray of shape (n_samples,)
    n_components : int
        At most as many as there are rows.

    Returns
    -------
    shares : ndarray of shape (n_components,)
        Weights of the components.
    probabilities : ndarray of shape (n_features, n_components)
        That a pixel is on.

    References
    ----------
    C. M. Bishop, *Pattern recognition and machine learning*, 2006, section 9.3.3.
    """
    on = on.astype(np.float32)
    mean = weight @ on / weight.sum()
    n_components = min(n_components, len(on))
    starts = np.arange(_N_START * n_components) % len(on)
    totals = on[starts].reshape(_N_START, n_components, -1).sum(axis=0)
    shares = np.full(n_components, 1.0 / n_components)
    counts = np.full(n_components, float(_N_START))
    for _ in range(_N_STEPS):
        p = (totals + _FROM_ALL * mean) / (counts[:, None] + _FROM_ALL)
        p = np.clip(p, _LEAST, 1.0 - _LEAST)
        scores = _score(on, shares, p)
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores *= (weight / scores.sum(axis=1))[:, None].astype(np.float32)
        counts = scores.sum(axis=0).astype(np.float64)
        shares = (counts + 1e-3) / (counts + 1e-3).sum()
        totals = (scores.T @ on).astype(np.float64)
    p = (totals + _FROM_ALL * mean) / (counts[:, None] + _FROM_ALL)
    return shares, np.clip(p, _LEAST, 1.0 - _LEAST).T.copy()


def find_nearest(on: NDArray, shares: NDArray, probabilities: NDArray) -> NDArray:
    """Return the most likely component of each image."""
    return _score(on.astype(np.float32), shares, probabilities.T).argmax(axis=1)


def _score(on: NDArray, shares: NDArray, p: NDArray) -> NDArray:
    """Return the log probability of each component with each image."""
    logit = np.log(p / (1.0 - p)).astype(np.float32)
    base = np.log(shares) + np.log1p(-p).sum(axis=1)
    return on @ logit.T + base.astype(np.float32)
