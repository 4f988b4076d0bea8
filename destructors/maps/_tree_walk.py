"""Few rows through trees where no compiler is: a walk down each, in plain Python.

A row or two leave no loop to vectorise. So the way down each tree is written out once,
and then a tree costs a few steps for each level.
"""

from math import log

import numpy as np
from numpy.typing import NDArray

# Up to so many rows a walk is quicker than loops over whole trees.
FEW = 8
# A product of slopes is turned into its logarithm before it leaves these bounds.
_SMALL, _LARGE = 1e-200, 1e200
# Times this, a number goes to the next smaller one.
_BELOW = 1.0 - 2.0**-53

# Splits as (feature, split below, split above, cut, cut after the map).
Walk = list[tuple[int, int, int, float, float]]


def list_splits(splits: NDArray) -> Walk:
    """Return what is needed to walk down a tree; a leaf follows where -1 stands."""
    cuts = np.full(2 * len(splits) + 1, -1)
    cuts[splits["node"]] = np.arange(len(splits))
    return list(
        zip(
            splits["feature"].tolist(),
            cuts[1::2].tolist(),
            cuts[2::2].tolist(),
            splits["t_in"].tolist(),
            splits["t_out"].tolist(),
            strict=True,
        )
    )


def walk_rows(U: NDArray, walks: list[Walk], inverse: bool) -> NDArray:
    """Push rows through trees, in place.

    Parameters
    ----------
    U : ndarray of shape (n_samples, n_features)
        Points of the closed unit cube.
    walks : list of Walk
        The trees, first to last.
    inverse : bool
        Whether to go from the last to the first, and back through each.

    Returns
    -------
    log_det : ndarray of shape (n_samples,)
        In nats.
    """
    log_det = np.empty(len(U))
    walks = [walk for walk in (walks[::-1] if inverse else walks) if walk]
    for i, row in enumerate(U.tolist()):
        total, product = 0.0, 1.0
        for walk in walks:
            for f, (low, high, image, end) in _find_box(row, walk, inverse).items():
                u = row[f]
                # On the faces of the cube a number stays what it is, and so does one
                # that is only asked for.
                if 0.0 < u < 1.0 and (low, high) != (image, end):
                    slope = (end - image) / (high - low)
                    row[f] = min(image + slope * (u - low), end * _BELOW)
                    product *= slope
                    if not _SMALL < product < _LARGE:
                        total += log(product)
                        product = 1.0
        U[i], log_det[i] = row, total + log(product)
    return log_det


def _find_box(row: list[float], walk: Walk, inverse: bool) -> dict[int, list[float]]:
    """Return ``low, high, image, end`` of the leaf of a row, along each feature that
    leads to it.
    """
    box: dict[int, list[float]] = {}
    k = 0
    while k >= 0:
        f, below, above, cut, moved = walk[k]
        if inverse:
            cut, moved = moved, cut
        ends = box.setdefault(f, [0.0, 1.0, 0.0, 1.0])
        # The cut nearest to the leaf is the tightest, and comes last.
        if row[f] < cut:
            ends[1], ends[3], k = cut, moved, below
        else:
            ends[0], ends[2], k = cut, moved, above
    return box
