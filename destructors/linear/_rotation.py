"""Rotations: volume stays, correlation is spread."""

from __future__ import annotations

import itertools
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, qr
from sklearn.utils import check_random_state

from destructors.base import Destructor

__all__ = ["OrthogonalMap", "PCARotation", "RandomRotation", "principal_axes"]


class OrthogonalMap(Destructor):
    """Base of the maps ``z = Q x`` with ``Q`` orthogonal, in ``rotation_``."""

    def _forward(self, X):
        return X @ self.rotation_.T, np.zeros(len(X))

    def _inverse(self, Z):
        return Z @ self.rotation_, np.zeros(len(Z))


class RandomRotation(OrthogonalMap):
    """Rotate features by a random orthogonal matrix, uniform among all (Haar).

    Its log-determinant is zero, so on its own it gains nothing; between marginal layers
    it lets them see other directions.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        Pass an int for a reproducible rotation.

    Attributes
    ----------
    rotation_ : ndarray of shape (n_features, n_features)
        Orthogonal matrix ``Q`` of the map ``z = Q x``.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    References
    ----------
    V. Laparra, G. Camps-Valls and J. Malo, *Iterative Gaussianization: from ICA to
    random rotations*, IEEE Transactions on Neural Networks 22, 2011, section III.
    F. Mezzadri, *How to generate random matrices from the classical compact groups*,
    Notices of the AMS 54, 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.linear import RandomRotation
    >>> X = np.random.default_rng(0).normal(size=(10, 3))
    >>> Z = RandomRotation(random_state=0).fit_transform(X)
    >>> bool(np.allclose((X**2).sum(axis=1), (Z**2).sum(axis=1)))
    True
    """

    _parameter_constraints: ClassVar[dict] = {"random_state": ["random_state"]}

    def __init__(self, *, random_state: int | np.random.RandomState | None = None):
        self.random_state = random_state

    def _fit(self, X, sample_weight, random_state):
        d = X.shape[1]
        rng = check_random_state(random_state)
        q, r = np.linalg.qr(rng.standard_normal((d, d)))
        # QR alone is not uniform: its signs are those the algorithm prefers.
        self.rotation_ = q * np.sign(np.diag(r))


class PCARotation(OrthogonalMap):
    """Rotate features to their principal axes, largest variance first.

    Nothing is centred or scaled, so the log-determinant is zero. Among directions of
    equal variance, which are all as principal, chance in the sample decides: between
    marginal layers that is a rotation too.

    Attributes
    ----------
    rotation_ : ndarray of shape (n_features, n_features)
        Orthogonal matrix ``Q`` of the map ``z = Q x``.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    See Also
    --------
    Whitening : Centres and scales as well.

    References
    ----------
    V. Laparra, G. Camps-Valls and J. Malo, *Iterative Gaussianization: from ICA to
    random rotations*, IEEE Transactions on Neural Networks 22, 2011, section III.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.linear import PCARotation
    >>> X = np.random.default_rng(0).normal(size=(500, 2)) @ [[1.0, 1.0], [0.0, 0.1]]
    >>> Z = PCARotation().fit_transform(X)
    >>> bool(abs(np.corrcoef(Z.T)[0, 1]) < 1e-10)
    True
    """

    def _fit(self, X, sample_weight, random_state):
        centred = X - np.average(X, axis=0, weights=sample_weight)
        # Powers of two change no digit, and keep squares inside float64.
        centred *= 2.0 ** -np.ceil(np.log2(np.abs(centred).max() or 1.0))
        weighted = (
            centred if sample_weight is None else centred * sample_weight[:, None]
        )
        self.rotation_ = principal_axes(weighted.T @ centred)[1].T


def principal_axes(matrix: NDArray) -> tuple[NDArray, NDArray]:
    """Eigenvalues, largest first, and eigenvectors that rounding does not decide.

    An eigenvector has no sign, and equal eigenvalues leave a whole subspace free. The
    sign is made that of the largest entry, and a free subspace is spanned by the
    coordinate axes that lie closest to it, so that equal matrices give equal axes.

    Parameters
    ----------
    matrix : ndarray of shape (n_features, n_features)
        Symmetric.

    Returns
    -------
    values : ndarray of shape (n_features,)
    vectors : ndarray of shape (n_features, n_features)
        One axis a column.
    """
    values, vectors = eigh(matrix)
    values, vectors = values[::-1], vectors[:, ::-1].copy()
    same = np.abs(np.diff(values)) <= 1e-10 * np.abs(values).max()
    edges = np.flatnonzero(np.r_[True, ~same, True])
    for start, stop in itertools.pairwise(edges):
        if stop - start > 1:
            free = vectors[:, start:stop]
            # Of axes that lie as close the first is taken, not one that rounding picks.
            first = 1.0 - 1e-6 * np.arange(len(values))
            basis, _, _ = qr(free @ free.T * first, pivoting=True)
            vectors[:, start:stop] = basis[:, : stop - start]
    largest = np.abs(vectors).argmax(axis=0)
    return values, vectors * np.sign(vectors[largest, np.arange(len(values))])
