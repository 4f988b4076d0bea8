"""The rows of circles that the 2018 paper's code fits and tests on, drawn again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.utils import shuffle

__all__ = ["N_DRAWN", "draw_published_circles"]

# Half of them to fit on, the others to test on.
N_DRAWN = 2000
_N_CIRCLES, _NOISE, _SEED = 4, 0.1, 0


def draw_published_circles() -> tuple[NDArray, NDArray, NDArray]:
    """Return the very rows of the published table, and their true log density.

    The order of the draws is a fact of the authors' code (``ddl/datasets.py``, seed 0):
    how many rows each circle has, all angles, the noise of each circle in turn, and a
    shuffle of scikit-learn. `destructors.datasets.make_concentric_circles` draws other
    rows of the same density.

    Returns
    -------
    train, test : ndarray of shape (1000, 2)
    truth : ndarray of shape (1000,)
        True log density of the test rows, in nats.
    """
    rng = np.random.RandomState(_SEED)
    radii = np.arange(1.0, _N_CIRCLES + 1.0)
    shares = radii / radii.sum()
    counts = rng.multinomial(N_DRAWN, shares)
    angles = [2.0 * np.pi * rng.rand(count) for count in counts]
    distances = [
        radius + _NOISE * rng.randn(count)
        for radius, count in zip(radii, counts, strict=True)
    ]
    angle, distance = np.concatenate(angles), np.concatenate(distances)
    X = distance[:, None] * np.c_[np.cos(angle), np.sin(angle)]
    X, distance = shuffle(X, distance, random_state=_SEED)
    n_train = N_DRAWN // 2
    r = np.abs(distance[n_train:, None])
    log_radius = logsumexp(norm.logpdf(r, radii, _NOISE) + np.log(shares), axis=1)
    truth = log_radius - np.log(2.0 * np.pi * r[:, 0])
    return X[:n_train], X[n_train:], truth
