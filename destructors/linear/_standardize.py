"""Location and scale of each feature to 0 and 1."""

from typing import ClassVar

import numpy as np

from destructors._compat import weighted_percentile
from destructors.base import Destructor
from destructors.maps import Affine, Map
from destructors.rows import Fold, mean_and_scale

# Interquartile range of the standard normal.
_NORMAL_IQR = 1.3489795003921634


class Standardize(Destructor):
    """Shift and scale each feature to location 0 and scale 1.

    As a density this is a product of normals. Unlike
    :class:`sklearn.preprocessing.StandardScaler` it counts the change of volume.

    Parameters
    ----------
    robust : bool, default=False
        Whether location and scale are the median and the interquartile range (that of
        the standard normal counts as 1) instead of mean and standard deviation.
        Outliers then have no say.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,)
        Mean of each feature, with ``robust=False``.
    center_ : ndarray of shape (n_features,)
        Median of each feature, with ``robust=True``.
    scale_ : ndarray of shape (n_features,)
        Scale of each feature, positive. Where more than half of the rows are equal,
        the robust scale is the standard deviation; a constant feature has scale 1.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    See Also
    --------
    Whitening : Removes correlation as well.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.linear import Standardize
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [1000.0]])
    >>> Standardize(robust=True).fit(X).center_
    array([3.])
    """

    _parameter_constraints: ClassVar[dict] = {"robust": ["boolean"]}

    def __init__(self, *, robust: bool = False):
        self.robust = robust

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        rows = fold.train
        location, self.scale_, _ = mean_and_scale(rows)
        if not self.robust:
            self.mean_ = location
            return Affine(location, self.scale_)
        low, self.center_, high = (
            weighted_percentile(rows.values, rows.weights, percent, average=True)
            for percent in (25.0, 50.0, 75.0)
        )
        spread = (high - low) / _NORMAL_IQR
        # Where it is rounding noise, the middle half is one repeated value.
        usable = spread > 1e-12 * self.scale_
        self.scale_ = np.where(usable, spread, self.scale_)
        return Affine(self.center_, self.scale_)
