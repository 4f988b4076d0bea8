"""Whitening to independent components."""

from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import polar

from destructors._compat import Interval
from destructors.base import Destructor
from destructors.linear._whitening import Whitening
from destructors.maps import Affine, Chain, Map
from destructors.rows import Fold, is_over

# E[log cosh ν] for a standard normal ν: directions are as interesting as theirs is far
# from it.
_NORMAL_CONTRAST = 0.37456721


class ICAWhitening(Destructor):
    """Whiten features, then rotate them to independent components.

    The rotation is that of FastICA with the contrast ``log cosh``: it makes the
    components as non-normal as it can, so that a marginal after it has most to gain.
    As a density this is the Gaussian of the whitening.

    Parameters
    ----------
    max_iter : int, default=200
        Largest number of fixed-point steps.
    tol : float, default=1e-4
        The steps end when no direction turns further: one minus the cosine of the
        angle.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,)
        Mean of each feature.
    components_ : ndarray of shape (n_features, n_features)
        The unmixing matrix of the map ``z = components_ (x - mean_)``; most non-normal
        component first.
    rotation_ : ndarray of shape (n_features, n_features)
        The orthogonal matrix that follows the principal components, scaled to unit
        variance.
    n_iter_ : int
        Number of steps taken.
    converged_ : bool
        Whether the steps came to rest.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    See Also
    --------
    Whitening : Principal components, and other square roots.

    Notes
    -----
    The steps come to no rest where no direction stands out, as in data that are normal
    already. Any rotation is then as good, the least normal one met is kept, and there
    is no warning: `converged_` tells.

    The start is fixed, so the result is the same each time. Unlike
    :class:`sklearn.decomposition.FastICA` the steps take weights.

    References
    ----------
    A. Hyvärinen, *Fast and robust fixed-point algorithms for independent component
    analysis*, IEEE Transactions on Neural Networks 10, 1999.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.linear import ICAWhitening
    >>> sources = np.random.default_rng(0).uniform(-1.0, 1.0, size=(2000, 2))
    >>> X = sources @ [[1.0, 0.5], [0.2, 1.0]]
    >>> Z = ICAWhitening().fit_transform(X)
    >>> np.abs(np.corrcoef(sources.T, Z.T)[:2, 2:]).max(axis=1).round(1)
    array([1., 1.])
    """

    _parameter_constraints: ClassVar[dict] = {
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, *, max_iter: int = 200, tol: float = 1e-4):
        self.max_iter = max_iter
        self.tol = tol

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        rows = fold.train
        whitening = Whitening(shrinkage=0.0)
        whitening._fit_rows(Fold(rows))
        white = rows.through(whitening.map_).values
        self._rotate(white, rows.weights / rows.total)
        self.mean_ = whitening.mean_
        self.components_ = self.rotation_ @ whitening.components_ / whitening.scale_
        return Chain((whitening.map_, Affine.rotation(self.rotation_)))

    def _rotate(self, white: NDArray, share: NDArray) -> None:
        """Set ``rotation_``; ``share`` are weights that sum to one."""
        d = white.shape[1]
        # A generic start: on one with symmetries of its own, such as the identity, the
        # steps can rest on a saddle.
        rotation = _orthogonal(np.random.RandomState(0).standard_normal((d, d)))
        best, best_contrast = rotation, -np.inf
        self.converged_, self.n_iter_ = False, 0
        for _ in range(self.max_iter):
            self.n_iter_ += 1
            tanh = np.tanh(white @ rotation.T)
            curvature = share @ (1.0 - tanh**2)
            step = (tanh * share[:, None]).T @ white - curvature[:, None] * rotation
            turned = _orthogonal(step)
            cosines = np.abs(np.einsum("ij,ij->i", turned, rotation))
            rotation = turned
            contrast = _contrasts(white, share, rotation).sum()
            if contrast > best_contrast:
                best, best_contrast = rotation, contrast
            if (1.0 - cosines).max() < self.tol:
                self.converged_ = True
                break
            if is_over():
                break
        order = np.argsort(-_contrasts(white, share, best), kind="stable")
        best = best[order]
        largest = np.abs(best).argmax(axis=1)
        self.rotation_ = best * np.sign(best[np.arange(d), largest])[:, None]


def _orthogonal(matrix: NDArray) -> NDArray:
    """Return the closest orthogonal matrix: no direction is preferred."""
    return polar(matrix)[0]


def _contrasts(white: NDArray, share: NDArray, rotation: NDArray) -> NDArray:
    """Return how far each component is from normal."""
    size = np.abs(white @ rotation.T)
    log_cosh = size + np.log1p(np.exp(-2.0 * size)) - np.log(2.0)
    return (share @ log_cosh - _NORMAL_CONTRAST) ** 2
