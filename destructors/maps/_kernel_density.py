"""A density with a heavy-tailed kernel at each of some rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import gammaln, logsumexp

from destructors.maps._affine import Affine
from destructors.maps._map import Data

# Distances are taken for so many pairs of rows and centres at a time: they stay in the
# fast caches.
_N_PAIRS = 2**15
# No row is farther from the centre of the columns than this, in their units: squares of
# it can be added up.
_FARTHEST = 1e100
# Sums that are smaller may have lost terms that are no numbers any more.
_LEAST_SUM = 1e-290


@dataclass(frozen=True, eq=False, repr=False)
class KernelDensity(Data):
    r"""Mixture of multivariate t densities, one around each centre.

    .. math:: p(x) = |\det A| \sum_i w_i \frac{c}{h_i^d}
        \Bigl(1 + \frac{\|A(x) - c_i\|^2}{h_i^2}\Bigr)^{-(\nu + d) / 2}

    with the :math:`c` that makes each integrate to one; the scale of the t distribution
    is :math:`h_i / \sqrt\nu`. Tails are heavy: far from all centres the log density
    falls with the logarithm of the distance, as that of nearest neighbours does.

    Parameters
    ----------
    map : Affine
        The map ``A``, to the space in which distances are taken.
    centres : ndarray of shape (n_centres, n_features)
        Centres of the kernels, in that space.
    weights : ndarray of shape (n_centres,)
        Their weights, which add up to one.
    widths : ndarray of shape (n_centres,)
        Width :math:`h_i` of each kernel, in that space.
    degrees_of_freedom : int, default=1
        The :math:`\nu` of all kernels; 1 for Cauchy densities.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps import Affine
    >>> from destructors.maps._kernel_density import KernelDensity
    >>> one = np.ones(1)
    >>> units = Affine(np.zeros(1), one)
    >>> density = KernelDensity(units, np.zeros((1, 1)), one, one)
    >>> np.exp(density.logpdf(np.array([[0.0], [1.0]]))) * np.pi
    array([1. , 0.5])
    """

    _positive = ("weights", "widths")

    map: Affine
    centres: NDArray
    weights: NDArray
    widths: NDArray
    degrees_of_freedom: int = 1

    def is_valid(self) -> bool:
        """Return whether each centre has a weight, and the map is of its columns."""
        units = self.map
        return bool(
            self.centres.ndim == 2
            and units.location.shape == units.scale.shape == self.centres.shape[1:]
            and (units.matrix is None or units.matrix.shape == 2 * units.scale.shape)
            and self.weights.shape == self.widths.shape == self.centres.shape[:1]
            and len(self.weights) > 0 < self.degrees_of_freedom
            and (np.abs(self.centres) <= _FARTHEST).all()
        )

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return self.centres.shape[1]

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
        Z, log_det = self.map.forward(X)
        Z = np.clip(Z, -_FARTHEST, _FARTHEST)
        d, nu = self.n_features, self.degrees_of_freedom
        power, squared_widths, widest = (
            0.5 * (nu + d),
            self.widths**2,
            self.widths.max(),
        )
        # A kernel is h^nu / (h^2 + r^2)^((nu + d) / 2), but for what all share.
        log_factors = np.log(self.weights) + nu * np.log(self.widths / widest)
        factors = np.exp(log_factors)
        found = np.empty(len(X))
        n_rows = max(1, _N_PAIRS // len(self.centres))
        for first in range(0, len(X), n_rows):
            block = slice(first, first + n_rows)
            squares = cdist(Z[block], self.centres, "sqeuclidean")
            squares += squared_widths
            # The largest power is taken out of the sum, and no factor is above one.
            least = squares.min(axis=1)
            sums = (_half_power(least[:, None] / squares, nu + d) * factors).sum(axis=1)
            # Widths that are far apart leave nothing of either.
            lost = sums < _LEAST_SUM
            with np.errstate(divide="ignore"):
                logs = np.log(sums)
            if lost.any():
                ratios = np.log(least[lost, None]) - np.log(squares[lost])
                logs[lost] = logsumexp(power * ratios + log_factors, axis=1)
            found[block] = logs - power * np.log(least)
        constant = gammaln(power) - gammaln(0.5 * nu) - 0.5 * d * np.log(np.pi)
        return found + constant + nu * np.log(widest) + log_det


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
