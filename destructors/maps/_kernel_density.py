"""A density with a heavy-tailed kernel at each of a few rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import gammaln

from destructors.maps._map import Data

# Distances are taken for so many pairs of rows and centres at a time: they stay in the
# fast caches.
_N_PAIRS = 2**15
# No row is farther from the centre of the columns than this, in their units: squares of
# it can be added up.
_FARTHEST = 1e100


@dataclass(frozen=True, eq=False, repr=False)
class KernelDensity(Data):
    r"""Mean of Cauchy densities, one around each centre.

    .. math:: p(x) = \sum_i w_i \frac{c_d}{h_i^d \prod_j s_j}
        \Bigl(1 + \sum_j \frac{(x_j - c_{ij})^2}{h_i^2 s_j^2}\Bigr)^{-(d + 1) / 2}

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
    widths : ndarray of shape (n_centres,)
        Width :math:`h_i` of each kernel, in those units.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps._kernel_density import KernelDensity
    >>> one = np.ones(1)
    >>> density = KernelDensity(np.zeros(1), one, np.zeros((1, 1)), one, one)
    >>> np.exp(density.logpdf(np.array([[0.0], [1.0]]))) * np.pi
    array([1. , 0.5])
    """

    _positive = ("scale", "weights", "widths")

    center: NDArray
    scale: NDArray
    centres: NDArray
    weights: NDArray
    widths: NDArray

    def is_valid(self) -> bool:
        """Return whether each centre has a weight, and each column a unit."""
        return bool(
            self.centres.ndim == 2
            and self.center.shape == self.scale.shape == self.centres.shape[1:]
            and self.weights.shape == self.widths.shape == self.centres.shape[:1]
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
        # Beyond the largest number a difference is infinite: it is as far as can be.
        with np.errstate(over="ignore"):
            Z = (X - self.center) / self.scale
        Z = np.clip(Z, -_FARTHEST, _FARTHEST)
        squared_widths, factors = self.widths**2, self.weights * self.widths
        found = np.empty(len(X))
        n_rows = max(1, _N_PAIRS // len(self.centres))
        for first in range(0, len(X), n_rows):
            block = slice(first, first + n_rows)
            squares = cdist(Z[block], self.centres, "sqeuclidean")
            squares += squared_widths
            # A kernel is c_d h / (h^2 + r^2)^((d + 1) / 2). The largest power is taken
            # out of the sum, which is one at least then, but for its factor.
            least = squares.min(axis=1)
            np.divide(least[:, None], squares, out=squares)
            sums = (_half_power(squares, d + 1) * factors).sum(axis=1)
            found[block] = np.log(sums) - 0.5 * (d + 1) * np.log(least)
        power = 0.5 * (d + 1)
        constant = gammaln(power) - power * np.log(np.pi)
        return found + constant - np.log(self.scale).sum()


def _half_power(base: NDArray, exponent: int) -> NDArray:
    """Return ``base ** (exponent / 2)`` by squares, at a fraction of the cost."""
    result = np.sqrt(base) if exponent % 2 else np.ones_like(base)
    rest = exponent // 2
    while rest:
        if rest % 2:
            result *= base
        rest //= 2
        if rest:
            base = base * base
    return result
