"""Images by scale: the Haar wavelet transform as a rotation."""

from collections.abc import Sequence
from numbers import Integral
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from destructors._compat import Interval
from destructors.base import Destructor
from destructors.image._shape import IMAGE_SHAPE, pixel_positions
from destructors.maps import Affine, Map
from destructors.rows import Fold
from destructors.rows._digits import find_lost_column

# Rows come back up to this share of the spread of a column.
_LOSS = 1e-7


class HaarPyramid(Destructor):
    r"""Rotate images to coarse and fine scales: the orthonormal Haar transform.

    Two neighbours become their mean and their difference, both times :math:`\sqrt 2` or
    its reciprocal, so that the transform is orthogonal and its log-determinant is zero;
    first along columns of pixels, then along rows, then again on the means. The last
    of an odd number of pixels goes to the next level as it is. Nothing is learned.

    As usual, the coarse image comes out in the upper left corner and details of each
    level lie to the right of it, below it, and in the corner between. Layers that see
    neighbouring features, put behind this one, see neighbouring details of one scale.

    Parameters
    ----------
    image_shape : sequence of int, default=None
        ``(height, width)`` or ``(height, width, n_channels)``, channels last. None
        takes a row for a line of pixels.
    n_levels : int, default=None
        Number of levels; None goes on until one pixel is left.

    Attributes
    ----------
    rotation_ : ndarray of shape (n_features, n_features)
        Orthogonal matrix ``Q`` of the map ``z = Q x``.
    coarse_shape_ : tuple of (int, int)
        Rows and columns of the coarse image that is left.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    Raises
    ------
    ValueError
        In `fit`, if the shape is not that of the rows, or a column is too small beside
        others for its digits to outlast a rotation.

    References
    ----------
    S. Mallat, *A theory for multiresolution signal decomposition: the wavelet
    representation*, IEEE Transactions on Pattern Analysis and Machine Intelligence 11,
    1989.

    Examples
    --------
    >>> from destructors.image import HaarPyramid
    >>> image = [[1.0, 2.0, 5.0, 8.0]]
    >>> HaarPyramid((2, 2)).fit_transform(image + image)[0].round(9)
    array([ 8., -2., -5.,  1.])
    """

    _parameter_constraints: ClassVar[dict] = {
        "image_shape": IMAGE_SHAPE,
        "n_levels": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        image_shape: Sequence[int] | None = None,
        *,
        n_levels: int | None = None,
    ):
        self.image_shape = image_shape
        self.n_levels = n_levels

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        rows = fold.train
        height, width, n_channels = pixel_positions(
            self.image_shape, rows.n_features
        ).shape
        turn, level = np.eye(height * width), 0
        coarse = height, width
        while max(coarse) > 1 and (self.n_levels is None or level < self.n_levels):
            sides = [
                block_diag(_halve(small), np.eye(side - small))
                for small, side in zip(coarse, (height, width), strict=True)
            ]
            inside = np.outer(
                np.arange(height) < coarse[0], np.arange(width) < coarse[1]
            ).ravel()
            # Details of the levels before stay what they are.
            step = np.kron(*sides)
            step[~inside] = np.eye(height * width)[~inside]
            turn, level = step @ turn, level + 1
            coarse = -(-coarse[0] // 2), -(-coarse[1] // 2)
        self.coarse_shape_ = coarse
        self.rotation_ = np.kron(turn, np.eye(n_channels))
        map_ = Affine.rotation(self.rotation_)
        if (lost := find_lost_column(rows, map_, _LOSS)) is not None:
            raise ValueError(
                f"Column {rows.name(lost)} is too small beside the others for its "
                "digits to outlast a rotation. Standardize the columns before."
            )
        return map_


def _halve(side: int) -> NDArray:
    """Return the matrix of one level along one side: means first, then differences."""
    n_pairs, matrix = side // 2, np.zeros((side, side))
    n_means, pair, root = side - n_pairs, np.arange(side // 2), np.sqrt(0.5)
    matrix[pair, 2 * pair] = matrix[pair, 2 * pair + 1] = root
    matrix[n_means + pair, 2 * pair] = root
    matrix[n_means + pair, 2 * pair + 1] = -root
    if side % 2:
        matrix[n_means - 1, -1] = 1.0
    return matrix
