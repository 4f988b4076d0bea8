"""A rotation that is given."""

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from destructors.base import Destructor
from destructors.maps import Affine, Map
from destructors.rows import Fold

# Largest entry of Q Qᵀ - I for which Q still counts as orthogonal.
_TOLERANCE = 1e-8


class FixedRotation(Destructor):
    """Rotate features by a given orthogonal matrix.

    Nothing is learned; the log-determinant is zero. Wavelets, Fourier and Hadamard
    bases or a permutation of the features are such matrices.

    Parameters
    ----------
    rotation : array-like of shape (n_features, n_features), default=None
        Orthogonal matrix ``Q`` of the map ``z = Q x``. None leaves features as they
        are.

    Attributes
    ----------
    rotation_ : ndarray of shape (n_features, n_features)
        The matrix.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    Raises
    ------
    ValueError
        In `fit`, if the matrix is not orthogonal or not as wide as the data.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.linear import FixedRotation
    >>> swap = FixedRotation([[0.0, 1.0], [1.0, 0.0]])
    >>> swap.fit_transform([[1.0, 2.0], [3.0, 4.0]])
    array([[2., 1.],
           [4., 3.]])
    """

    _parameter_constraints: ClassVar[dict] = {"rotation": ["array-like", None]}

    def __init__(self, rotation: ArrayLike | None = None):
        self.rotation = rotation

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        self.rotation_ = self._read_rotation(fold.train.n_features)
        return Affine.rotation(self.rotation_)

    def _read_rotation(self, d: int) -> NDArray:
        if self.rotation is None:
            return np.eye(d)
        rotation: NDArray = check_array(
            self.rotation, dtype=np.float64, input_name="rotation"
        )
        if rotation.shape != (d, d):
            raise ValueError(
                f"rotation must have shape ({d}, {d}), as X has {d} feature(s); got "
                f"{rotation.shape}."
            )
        error = np.abs(rotation @ rotation.T - np.eye(d)).max()
        if error > _TOLERANCE:
            raise ValueError(
                f"rotation is not orthogonal: the largest entry of |Q Qᵀ - I| is "
                f"{error:.2g}, not below {_TOLERANCE:g}."
            )
        return rotation
