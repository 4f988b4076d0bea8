"""Univariate transport to the barycenter, by smooth monotone maps.

The quantile functions of the domains, averaged, are that of the barycenter; the optimal
map of a domain is ``F_barycenter⁻¹ ∘ F_domain``. It is made of few numbers: the means
of the rows between equally spaced quantile levels are the knots of a domain, the
averages of the knots over domains their images. Means of groups are known better than
single quantiles, and a mean of a group is moved to that of the barycenter exactly.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors.maps import RationalQuadraticSpline
from destructors.rows import Rows

# Between knots and beyond, a map is never steeper than this nor flatter than its
# reciprocal: all rows come back to full precision, however many layers there are.
_STEEPEST = 30.0
# Knots are at least this far apart, relative to the spread of all domains and, where
# digits end, to the distance from zero.
_SMALLEST_GAP, _ROUNDING = 1e-7, 1e-12
_MOST_KNOTS = 64


class MonotoneMaps(NamedTuple):
    """Increasing maps, one for each domain and column.

    Attributes
    ----------
    knots, values, slopes : ndarray of shape (n_domains, n_columns, n_knots)
        The maps are rational-quadratic between knots, and linear beyond.
    """

    knots: NDArray
    values: NDArray
    slopes: NDArray

    def shorten(self, share: float) -> "MonotoneMaps":
        """Return maps that go only a share of the way from the identity to these."""
        values = self.knots + share * (self.values - self.knots)
        return MonotoneMaps(self.knots, values, 1.0 + share * (self.slopes - 1.0))

    def column(self, j: int) -> "MonotoneMaps":
        """Return the maps of one column."""
        return MonotoneMaps(*(part[:, j : j + 1] for part in self))

    def splines(self) -> tuple[RationalQuadraticSpline, ...]:
        """Return a map for each domain."""
        return tuple(map(RationalQuadraticSpline.of, *self))


def choose_n_knots(parts: list[Rows]) -> int:
    """Return a number of knots for maps of these domains.

    The error of a map is the bias of long groups and the noise of small ones: with a
    cube root both fall as the rows grow.
    """
    smallest = min(part.total for part in parts)
    return int(np.clip(round(2.0 * smallest ** (1.0 / 3.0)), 2, _MOST_KNOTS))


def fit_monotone(
    parts: list[Rows], domain_weights: NDArray, n_knots: int
) -> MonotoneMaps:
    """Fit the maps of all domains to the barycenter of each column.

    Parameters
    ----------
    parts : list of Rows
        Rows of each domain.
    domain_weights : ndarray of shape (n_domains,)
        Share of each domain in the barycenter; they sum to 1.
    n_knots : int
        Number of knots of each map.

    Returns
    -------
    maps : MonotoneMaps
    """
    knots = np.stack([group_means(part, n_knots) for part in parts])
    spread = np.ptp(knots, axis=(0, 2), keepdims=True)
    reach = np.abs(knots).max(axis=(0, 2), keepdims=True)
    gap = _SMALLEST_GAP * spread + _ROUNDING * reach
    gap[gap == 0.0] = 1.0
    climb = gap * np.arange(n_knots)
    middle = knots.mean(axis=2, keepdims=True)
    knots = np.maximum.accumulate(knots - climb, axis=2) + climb
    # Widening ties has moved the domain.
    knots += middle - knots.mean(axis=2, keepdims=True)
    target = np.einsum("k,kcm->cm", domain_weights, knots)
    runs = np.diff(knots, axis=2)
    rises = np.clip(np.diff(target, axis=1), runs / _STEEPEST, runs * _STEEPEST)
    values = np.concatenate([np.zeros_like(knots[:, :, :1]), rises.cumsum(2)], axis=2)
    # Where slopes are cut the mean of the domain still goes to that of the barycenter.
    values += target.mean(axis=1, keepdims=True) - values.mean(axis=2, keepdims=True)
    return MonotoneMaps(knots, values, _choose_slopes(runs, rises))


def _choose_slopes(runs: NDArray, rises: NDArray) -> NDArray:
    """Return slopes at knots: harmonic means of those beside them, by distance.

    F. N. Fritsch and J. Butland, *A method for constructing local monotone piecewise
    cubic interpolants*, SIAM Journal on Scientific and Statistical Computing 5, 1984.
    """
    secants = rises / runs
    if secants.shape[2] == 1:
        return np.repeat(secants, 2, axis=2)
    left, right = runs[..., :-1], runs[..., 1:]
    towards_left, towards_right = left + 2.0 * right, 2.0 * left + right
    inner = (towards_left + towards_right) / (
        towards_left / secants[..., :-1] + towards_right / secants[..., 1:]
    )
    return np.concatenate([secants[..., :1], inner, secants[..., -1:]], axis=2)


def group_means(rows: Rows, n_groups: int) -> NDArray:
    """Return means of the rows between equally spaced quantile levels.

    A row that lies across a level is divided, so that weights are repeated rows.

    Parameters
    ----------
    rows : Rows
    n_groups : int
        Number of groups.

    Returns
    -------
    means : ndarray of shape (n_columns, n_groups)
        Not decreasing along a row.
    """
    columns, weight, n_rows = rows.values, rows.weight, len(rows)
    levels = np.linspace(0.0, 1.0, n_groups + 1)
    if weight is None:
        ordered = np.sort(columns, axis=0)
        before = np.zeros((n_rows + 1, columns.shape[1]))
        np.cumsum(ordered, axis=0, out=before[1:])
        place = levels * n_rows
        whole = np.minimum(place.astype(np.intp), n_rows - 1)
        part = (place - whole)[:, None]
        passed = before[whole] + part * ordered[whole]
        return (np.diff(passed, axis=0) * (n_groups / n_rows)).T
    means = np.empty((columns.shape[1], n_groups))
    for j, column in enumerate(columns.T):
        order = np.argsort(column)
        mass = np.r_[0.0, weight[order].cumsum()]
        before = np.r_[0.0, (weight[order] * column[order]).cumsum()]
        passed = np.interp(levels * mass[-1], mass, before)
        means[j] = np.diff(passed) * (n_groups / mass[-1])
    return means
