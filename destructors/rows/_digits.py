"""Whether float64 keeps the digits of rows on their way through a map."""

import numpy as np

from destructors.maps import Map
from destructors.rows._rows import Rows

# So many rows are looked at.
_N_CHECKED = 200
# A map that adds up columns rounds them so often.
_N_ROUNDINGS = 16.0


def each_once(rows: Rows) -> Rows:
    """Return each different row once: what is asked of them takes weights for repeated
    rows then.
    """
    # Rows are told apart by a weighted sum: of hundreds of columns a hash would cost as
    # much as the layer that is checked. Where two sums meet, one row is not looked at.
    factors = np.random.RandomState(0).uniform(0.5, 1.0, size=rows.n_features)
    sizes = np.abs(rows.values).max(axis=0)
    factors /= np.where(sizes > np.finfo(float).tiny, sizes, 1.0)
    _, first = np.unique(np.sum(rows.values * factors, axis=1), return_index=True)
    return rows.take(np.sort(first)) if len(first) < len(rows) else rows


def find_lost_column(rows: Rows, map_: Map, loss: float) -> int | None:
    """Return the first column that does not come back from a map, if there is one.

    Parameters
    ----------
    rows : Rows
    map_ : Map
    loss : float
        How far most of some rows may come back off, as a share of the spread.

    Returns
    -------
    column : int or None
    """
    rows = each_once(rows)
    values = rows.values
    # Halved, two large numbers have a mean.
    middle = 2.0 * np.median(values / 2.0, axis=0)
    spread = np.percentile(np.abs(values - middle), 90.0, axis=0)
    some = rows.take(slice(None, None, -(-len(rows) // _N_CHECKED)))
    Z, _ = map_.forward(some.values, some.context)
    off = np.abs(map_.inverse(Z, some.context)[0] - some.values)
    # What differs by the rounding of other columns has no digits to lose but theirs.
    sizes = np.abs(values).max(axis=0)
    others = [np.delete(sizes, j).max(initial=0.0) for j in range(len(sizes))]
    rounding = 4.0 * np.finfo(float).eps * np.array(others)
    allowed = np.where(spread > rounding, loss * spread, _N_ROUNDINGS * rounding)
    lost = ~(np.percentile(off, 90.0, axis=0) <= allowed)
    return int(np.flatnonzero(lost)[0]) if lost.any() else None
