"""A density with a heavy-tailed kernel at each of a few rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import gammaln, logsumexp

from destructors.maps._map import Data

# Distances are taken for so many pairs of rows and centres at a time.
_N_PAIRS = 2**18
# No row is farther from the centre of the columns than this, in their units: squares of
# it can be added up.
_FARTHEST = 1e100


@dataclass(frozen=True, eq=False, repr=False)
class KernelDensity(Data):
    r"""Mean of Cauchy densities, one around each centre.

    .. math:: p(x) = \sum_i w_i \frac{c_d}{h^d \prod_j s_j}
        \Bigl(1 + \sum_j \frac{(x_j - c_{ij})^2}{h^2 s_j^2}\Bigr)^{-(d + 1) / 2}

    with the :math:`c_d` that makes each integrate to one. Tails are so heavy that far
    from all centres the log density falls with the logarithm of the distance, as that
    of nearest neighbours does.

    Parameters
    ----------
    center, scale : ndarray of shape (n_features,)
        Middle and unit of each column.
    centres : ndarray of shape (n_centres, n_features)
        Centres of the kernels, in those units.
    weights : ndarray of shape (n_centres,)
        Their weights, which add up to one.
    width : float
        Width :math:`h` of the kernels, in those units.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps._kernel_density import KernelDensity
    >>> one = KernelDensity(np.zeros(1), np.ones(1), np.zeros((1, 1)), np.ones(1), 1.0)
    >>> np.exp(one.logpdf(np.array([[0.0], [1.0]]))) * np.pi
    array([1. , 0.5])
    """

    _positive = ("scale", "weights", "width")

    center: NDArray
    scale: NDArray
    centres: NDArray
    weights: NDArray
    width: float

    def is_valid(self) -> bool:
        """Return whether each centre has a weight, and each column a unit."""
        return bool(
            self.centres.ndim == 2
            and self.center.shape == self.scale.shape == self.centres.shape[1:]
            and self.weights.shape == self.centres.shape[:1]
            and len(self.weights) > 0
            and (np.abs(self.centres) <= _FARTHEST).all()
        )

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return len(self.center)

    def logpdf(self, X: NDArray) -> NDArray:
        """Return the log density of rows, in nats.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
        """
        d = self.n_features
        power, log_weights = 0.5 * (d + 1), np.log(self.weights)
        # Beyond the largest number a difference is infinite: it is as far as can be.
        with np.errstate(over="ignore"):
            Z = (X - self.center) / self.scale
        Z = np.clip(Z, -_FARTHEST, _FARTHEST) / self.width
        centres = self.centres / self.width
        found = np.empty(len(X))
        n_rows = max(1, _N_PAIRS // len(centres))
        for first in range(0, len(X), n_rows):
            block = slice(first, first + n_rows)
            squares = cdist(Z[block], centres, "sqeuclidean")
            found[block] = logsumexp(log_weights - power * np.log1p(squares), axis=1)
        constant = gammaln(power) - power * np.log(np.pi)
        return found + constant - d * np.log(self.width) - np.log(self.scale).sum()
