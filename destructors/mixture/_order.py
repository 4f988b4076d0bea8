"""The order in which a mixture's features are mapped: the least determined last.

A mixture has one density, whatever the order of its features, but the latents of its
Rosenblatt map differ, and what later layers can learn of them. A latent depends on the
features before its own. Where few features follow one another closely along a curve,
which components follow by straight pieces, their latents still tell that curve if these
features come first. Behind others, the latents of which have a part in how much each
component counts, it is one of all features, and trees cannot find it.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from destructors.base_distributions import MixedMixture
from destructors.maps._gaussians import Gaussians
from destructors.mixture._inverses import inverses

# Features whose variances differ by less than this share, by rounding for instance,
# stay as they come.
_SAME = 1e-6


def choose_order(weights: NDArray, covariances: NDArray) -> NDArray:
    r"""Return the order of features in which the least determined come last.

    .. math:: \sum_k w_k \log \mathrm{Var}_k(x_j | \text{all others that are left})

    The feature for which this is largest comes last; then that for which it is largest
    among the others; and so on. It is the Cholesky factorisation of the precisions, all
    of which are pivoted alike. It does not depend on the order of the features, but for
    those that are alike.

    On held-out rows, boosted trees behind mixtures of protein, magic and satellite gain
    1.6, 0.37 and 0.63 nats in this order, and 0.6, 0.28 and 0.45 on average in orders
    that are drawn. Putting first what is least determined gains no more than those. To
    take the most determined feature next, from the first on, gains 0.4 nats less on
    protein.

    Parameters
    ----------
    weights : ndarray of shape (n_components,)
        Positive, of sum one.
    covariances : ndarray of shape (n_components, n_features, n_features)
        In units in which features compare: standard units of the rows.

    Returns
    -------
    order : ndarray of int of shape (n_features,)
        Positions of the features, the first to be mapped first.
    """
    precisions = inverses(covariances)
    n, d, _ = precisions.shape
    # Of each feature given those that are left: one over its variance. Factors are
    # found row by row, so that nothing as large as the precisions is updated.
    left = np.diagonal(precisions, axis1=1, axis2=2).copy()
    factors, order = np.empty((n, d, d)), np.empty(d, np.intp)
    rest = np.ones(d, bool)
    for step in range(d):
        # Rounding may take what is left of a precision to zero.
        left = np.maximum(left, np.finfo(float).tiny)
        log_variance = np.where(rest, -(weights @ np.log(left)), -np.inf)
        found = np.flatnonzero(log_variance >= log_variance.max() - _SAME)[-1]
        known = factors[:, :step]
        row = precisions[:, found] - (known[:, None, :, found] @ known)[:, 0]
        row /= np.sqrt(left[:, found, None])
        factors[:, step] = row
        left -= row**2
        rest[found] = False
        order[d - 1 - step] = found
    return order


def put_in_order(mixture: MixedMixture) -> MixedMixture:
    """Return the same mixture, its numbers grouped in the order of `choose_order`."""
    emissions, groups = list(mixture.emissions), list(mixture.groups)
    for place, emission in enumerate(emissions):
        if isinstance(emission, Gaussians):
            order = choose_order(mixture.weights, emission.covariances)
            covariances = emission.covariances[:, order[:, None], order]
            emissions[place] = Gaussians(emission.means[:, order], covariances)
            groups[place] = groups[place][order]
    return replace(mixture, emissions=tuple(emissions), groups=tuple(groups))
