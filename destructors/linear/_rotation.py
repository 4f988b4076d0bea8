"""Rotations: volume stays, correlation is spread."""

import itertools
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, qr

from destructors.base import Destructor
from destructors.maps import Affine, Map
from destructors.rows import Fold, Rows, value_range
from destructors.rows._moments import sum_values, weigh


class RandomRotation(Destructor):
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

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        assert random_state is not None
        d = fold.train.n_features
        q, r = np.linalg.qr(random_state.standard_normal((d, d)))
        # QR alone is not uniform: its signs are those the algorithm prefers.
        self.rotation_ = q * np.sign(np.diag(r))
        return Affine.rotation(self.rotation_)


class PCARotation(Destructor):
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

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        rows = fold.train
        mean = rows.sum(sum_values) / rows.total
        smallest, largest = value_range(rows)
        reach = max((largest - mean).max(), (mean - smallest).max())
        # Powers of two change no digit, and keep squares inside float64.
        unit = 2.0 ** np.ceil(np.log2(reach or 1.0))
        self.rotation_ = principal_axes(rows.sum(products, mean, unit))[1].T
        return Affine.rotation(self.rotation_)


def products(rows: Rows, mean: NDArray, scale: NDArray | float) -> NDArray:
    """Return weighted sums of the products of two scaled columns."""
    scaled = (rows.values - mean) / scale
    return weigh(scaled, rows).T @ scaled


def principal_axes(matrix: NDArray) -> tuple[NDArray, NDArray]:
    """Return eigenvalues, largest first, and eigenvectors free of rounding.

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
