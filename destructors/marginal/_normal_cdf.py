"""From the latent space to the unit cube."""

import numpy as np

from destructors.base import Destructor
from destructors.base_distributions import Uniform
from destructors.maps import Map, NormalToUniform
from destructors.rows import Fold


class NormalCDF(Destructor):
    r"""Map each feature to (0, 1) by the normal distribution function.

    The last step of a chain that should end on the unit cube, as in the 2018 paper:
    rows that follow :math:`N(0, I)` become uniform on it, and the base distribution is
    :class:`~destructors.base_distributions.Uniform`. There is nothing to fit, and the
    density is the same as without this step.

    Attributes
    ----------
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : Uniform
        The base distribution.

    Raises
    ------
    ValueError
        By the inverse, for rows outside the closed unit cube.

    Notes
    -----
    `score_samples` is exact at any distance. The position in the cube is not: float64
    resolves the neighbourhood of 0 down to 1e-308 but that of 1 only to 1e-16. Below
    the mean the inverse is exact down to -37 standard deviations; above it, it loses
    digits from 5 on (about seven remain there), and beyond 8.2 all values become 1,
    which the inverse takes to 8.2. To keep tails, stay in the latent space.

    References
    ----------
    D. I. Inouye and P. Ravikumar, *Deep density destructors*, ICML 2018, section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.marginal import NormalCDF
    >>> X = np.array([[0.0, -1.96], [1.0, 1.96]])
    >>> NormalCDF().fit_transform(X).round(3)
    array([[0.5  , 0.025],
           [0.841, 0.975]])
    """

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        self.base_distribution_ = Uniform(fold.train.n_features)
        names = fold.train.names
        return NormalToUniform(None if names is None else tuple(map(str, names)))
