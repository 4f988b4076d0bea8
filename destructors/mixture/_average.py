"""The mean of mixtures that were each fitted without one fold of the rows."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from destructors.mixture._em import EM
from destructors.mixture._expectation import Mixture


def average(em: EM, fits: Sequence[EM], held_out: Sequence[NDArray]) -> EM:
    """Make a fit to all rows the mean of fits to parts of them.

    Parameters
    ----------
    em : EM
        Has all rows, and fits nothing.
    fits : sequence of EM
        Have the same background as it, if any.
    held_out : sequence of ndarray of int
        Indices of the rows that each fit has not seen.

    Returns
    -------
    em : EM
        The same object, with the mixture whose density is the mean of theirs.
    """
    mixtures = [fit.mixture for fit in fits]
    n_moving = [len(m.weights) - em.background for m in mixtures]
    pairs = list(zip(mixtures, n_moving, strict=True))
    weights = [m.weights[:n] for m, n in pairs]
    means = [m.means[:n] for m, n in pairs]
    covariances = [m.covariances[:n] for m, n in pairs]
    if em.background:
        # It is the same in all, and stays one component.
        weights.append(np.array([sum(m.weights[-1] for m in mixtures)]))
        means.append(mixtures[0].means[-1:])
        covariances.append(mixtures[0].covariances[-1:])
    joined = Mixture(
        np.concatenate(weights) / len(fits),
        np.concatenate(means),
        np.concatenate(covariances),
    )
    em.list_under(joined)
    em.n_components = len(joined.weights) - em.background
    em.n_iter = sum(fit.n_iter for fit in fits)
    em.n_steps = max(fit.n_steps for fit in fits)
    em.converged = all(fit.converged for fit in fits)
    em.folds = list(zip(held_out, mixtures, strict=True))
    return em
