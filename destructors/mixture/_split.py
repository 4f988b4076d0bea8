"""More components from fewer: each of some is split in two along an axis.

Where EM has converged with some components, more of them are a matter of a few steps
when each begins as half of one, and the optimum found is a better one than from new
seeds (compare Ueda, Nakano, Ghahramani and Hinton, *SMEM algorithm for mixture models*,
Neural Computation 12, 2000).
"""

import numpy as np
from numpy.typing import NDArray

from destructors.mixture._covariance import Full, as_matrices
from destructors.mixture._expectation import Mixture

# How far apart the halves are: their means, in standard deviations from where the mean
# was. The rest of the variance along the axis stays in each half.
_SHIFT = 0.7
# Directions of equal variance are told apart by so little a preference for later
# columns; else rounding errors would choose.
_PREFERENCE = 0.01
# Weights that differ by less are the same.
_SAME = 1e-9


def split(
    mixture: Mixture,
    n_more: int,
    type_: Full,
    has_background: bool,
    random_state: np.random.RandomState | None,
) -> Mixture:
    """Return a mixture in which the heaviest components are split.

    Parameters
    ----------
    mixture : Mixture
        The components; the last one may be a background.
    n_more : int
        Number of components to split.
    type_ : Full
        Covariance type.
    has_background : bool
        Whether the last component is one.
    random_state : RandomState or None
        Draws the axes; None for those of largest variance.

    Returns
    -------
    mixture : Mixture
    """
    weights, means, covariances = mixture
    n = len(weights) - has_background
    # Of those that weigh the same the first along a direction that is like none of the
    # data: neither rounding errors choose, nor the order of halves, which hangs on the
    # sign of an eigenvector.
    along = means[:n] @ np.cos(np.arange(1, means.shape[1] + 1) ** 2)
    order = np.lexsort((along, -np.round(weights[:n] / _SAME)))
    heaviest = np.sort(order[:n_more])
    matrices = as_matrices(type_.name, covariances, means)[heaviest]
    axes = _axes(matrices, random_state)
    along = np.einsum("kij,kj->ki", matrices, axes)
    deviation = np.sqrt(np.einsum("ki,ki->k", axes, along))
    shift = _SHIFT * along / deviation[:, None]
    means, weights = means.copy(), weights.copy()
    covariances = type_.narrow(covariances, heaviest, shift)
    weights[heaviest] *= 0.5
    new_means = means[heaviest] + shift
    means[heaviest] -= shift
    if type_.is_own:
        covariances = np.r_[covariances[:n], covariances[heaviest], covariances[n:]]
    return Mixture(
        np.r_[weights[:n], weights[heaviest], weights[n:]],
        np.r_[means[:n], new_means, means[n:]],
        covariances,
    )


def _axes(matrices: NDArray, random_state: np.random.RandomState | None) -> NDArray:
    """Return a direction for each covariance matrix."""
    k, d, _ = matrices.shape
    if random_state is not None:
        return random_state.standard_normal((k, d))
    preference = 1.0 + _PREFERENCE * np.arange(1, d + 1) / d
    _, vectors = np.linalg.eigh(matrices * np.multiply.outer(preference, preference))
    return vectors[:, :, -1] * preference
