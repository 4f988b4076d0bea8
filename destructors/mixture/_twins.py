"""Components that have become one.

Halves of a component that holds one row have the same part in it, and are the same from
the next step on: one component, counted twice. That is a saddle of the likelihood. Once
rounding errors have made one of them heavier, they grow by a factor in each step, until
which of them dies, and when, is theirs to choose.
"""

import numpy as np
from numpy.typing import NDArray

# Means, of rows in standard units and of their products, that differ by less are the
# same, in units of one and of the mean.
_SAME = 1e-9


def join_twins(moments: NDArray, alive: NDArray) -> tuple[NDArray, NDArray]:
    """Return moments in which components that are the same are one.

    Parameters
    ----------
    moments : ndarray of shape (n_moments, n_features)
        Sums of the features of rows, the first of which is one, by what the components
        have of each row.
    alive : ndarray of bool of shape (n_components,)
        Which of the first of them are to be looked at.

    Returns
    -------
    moments : ndarray of shape (n_moments, n_features)
        That of the first of several has those of all.
    alive : ndarray of bool of shape (n_components,)
        Without the others.
    """
    index = np.flatnonzero(alive)
    means = moments[index, 1:] / moments[index, :1]
    allowed = _SAME * (1.0 + np.abs(means))
    # Where they lie along a direction that is like none of the data, those that are the
    # same lie side by side.
    along = means @ np.cos(np.arange(1, means.shape[1] + 1) ** 2)
    order = np.argsort(along, kind="stable")
    below, above = order[:-1], order[1:]
    near = along[above] - along[below] <= allowed[below].sum(axis=1)
    below, above = below[near], above[near]
    same = (np.abs(means[above] - means[below]) <= allowed[below]).all(axis=1)
    if not same.any():
        return moments, alive
    moments, alive = moments.copy(), alive.copy()
    one = np.arange(len(index))
    for a, b in zip(below[same].tolist(), above[same].tolist(), strict=True):
        first, second = sorted((one[a], one[b]))
        one[one == second] = first
        moments[index[first]] += moments[index[second]]
        alive[index[second]] = False
    return moments, alive
