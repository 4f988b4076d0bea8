"""A prior that pulls the covariances of a mixture towards one another.

The covariances are taken as draws from an inverse Wishart distribution about ``s_k C``:
one shape ``C`` for all components, in the size ``s_k`` that the component itself has.
The estimate is that from ``ν`` more rows of this covariance. All three are learned from
the components (empirical Bayes): the less these differ beyond chance, the more rows the
prior counts for. Components of many rows hardly feel it; those of few borrow the
directions that they cannot know.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from destructors.mixture._covariance import Full

# Strengths to choose from, in rows.
_STRENGTHS = np.geomspace(0.1, 1000.0, 25)
# Rows of the pooled covariance in the rough estimate that sizes are read from.
_N_ROUGH = 3.0
_N_ROUNDS = 3


class Prior(NamedTuple):
    """Inverse Wishart distributions of covariances.

    Attributes
    ----------
    strength : float
        Number of rows that the prior counts for.
    shape : ndarray
        Covariance about which all are drawn, up to size.
    size : ndarray of shape (n_components,)
        Factors of the shape.
    """

    strength: float
    shape: NDArray
    size: NDArray

    def estimate(self, type_: Full, scatter: NDArray, counts: NDArray) -> NDArray:
        """Return the posterior covariances."""
        rows = type_.expand(self.strength * self.size) * self.shape
        return (scatter + rows) / type_.expand(counts + self.strength)


def learn_prior(
    type_: Full,
    scatter: NDArray,
    counts: NDArray,
    strength: float | None,
    reg_covar: float,
) -> Prior:
    """Return the prior that is learned from the components.

    Parameters
    ----------
    type_ : Full
        Covariance type.
    scatter : ndarray of shape (n_components, ...)
        Sums of squares and products about the means.
    counts : ndarray of shape (n_components,)
        Rows of each component.
    strength : float or None
        Number of rows that the prior shall count for; None to learn it.
    reg_covar : float
        Added to the variances of the shape.

    Returns
    -------
    prior : Prior
    """
    total, ridge = counts.sum(), type_.ridge(reg_covar)
    shape = scatter.sum(axis=0) / total + ridge
    size = np.ones(len(counts))
    if type_.has_shape:
        rough = Prior(_N_ROUGH, shape, size).estimate(type_, scatter, counts) + ridge
        for _ in range(_N_ROUNDS):
            # The harmonic mean of the variances relative to the shape.
            size = 1.0 / type_.relative_trace(shape, rough)
            size /= np.exp(np.average(np.log(size), weights=counts))
            shape = (scatter / type_.expand(size)).sum(axis=0) / total + ridge
    if strength is None:
        known = counts > 2.0
        relative = type_.relative_scatter(scatter / type_.expand(size), shape)
        strength = _most_likely(
            relative[known], counts[known] - 1.0, type_.joint_dimensions
        )
    return Prior(strength, shape, size)


def _most_likely(relative: NDArray, counts: NDArray, joint: bool) -> float:
    """Return the strength under which these eigenvalues of scatter are most likely."""
    d = relative.shape[1]
    # Each dimension of a Wishart distribution takes one degree of freedom away.
    lost = np.arange(d) if joint else np.zeros(d)
    n = counts[:, None]
    evidence = []
    for strength in _STRENGTHS:
        free = strength + (d + 1.0 if joint else 2.0)
        evidence.append(
            (
                gammaln(0.5 * (free + n - lost))
                - gammaln(0.5 * (free - lost))
                + 0.5 * free * np.log(strength)
                - 0.5 * (free + n) * np.log(strength + relative)
            ).sum()
        )
    return float(_STRENGTHS[np.argmax(evidence)])
