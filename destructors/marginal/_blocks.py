"""Gaps, steps and atoms of a feature, by the best piecewise constant density."""

import math
from numbers import Integral, Real
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from destructors._compat import Interval, StrOptions
from destructors.maps import Affine, Chain, CubeSteps, Map
from destructors.maps._cube import CUTOFF, to_cube
from destructors.maps._jit import jit
from destructors.marginal._column import FeaturewiseDestructor
from destructors.rows import Fold, mean_and_scale

# Candidate cuts: the widest gap in each of about this many groups of equal mass.
_N_GROUPS = 600
# Points on either side of a gap that tell the spacing there, and how many spacings
# beyond the last of them the edge of a wide gap is put: the true edge lies a spacing
# or so further than the points show.
_N_NEIGHBOURS, _N_SPACINGS = 10, 2.0
# A gap of more than this many spacings is wide.
_WIDE = 5.0
# Narrower blocks than this, on the unit interval, would eat up the digits of the map.
_NARROWEST = 1e-6
# Nor does a block end between values that are this close: rounding would carry a row
# across, and its density would jump.
_CLOSEST = 1e-10
# So would blocks of a smaller probability, on the way back.
_LIGHTEST = 1e-8


class BlockGaussianizer(FeaturewiseDestructor):
    """Map each feature to N(0, 1) by steps in its density.

    Relative to a normal density, that of a feature is taken as constant on each of a
    few blocks. Number and places of the blocks are those of the highest penalised
    likelihood, found exactly by dynamic programming. Where a normal density fits there
    is one block and the map is the identity up to location and scale: put behind a
    smooth marginal, this layer sees what such a one cannot, the gaps and sharp edges of
    rounded, dequantised or censored columns, and leaves other features alone.

    Parameters
    ----------
    n_blocks : int or "auto", default="auto"
        Number of blocks. "auto" searches; a number makes so many blocks of equal width
        on the unit interval, a histogram there, and ``penalty`` is not used.
    penalty : float or "auto", default="auto"
        Log-likelihood that one more block must bring, in nats. "auto" takes
        ``log(n_samples)``.
    alpha : float, default=0.5
        Rows added to each block, so that an empty one has a positive density. Where
        blocks are of equal width many rows pull towards a normal density: a small
        step for a stack of many layers.
    n_jobs : int, default=None
        Number of threads that fit features and transform rows side by side.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (``n_features_in_``,)
        Mean and standard deviation of each feature.
    n_blocks_ : ndarray of shape (``n_features_in_``,)
        Number of blocks of each feature.
    block_edges_ : list of ndarray of shape (``n_blocks_[j] + 1``,)
        Edges of the blocks of each feature, on the unit interval: images of the
        standardised feature under the normal distribution function (cut at 5 standard
        deviations).
    probabilities_ : list of ndarray of shape (``n_blocks_[j]``,)
        Probability of each block.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    See Also
    --------
    SplineGaussianizer : The smooth marginal to put before.
    HistogramGaussianizer : A fixed number of bins.

    References
    ----------
    Scargle, Norris, Jackson and Chiang, *Studies in astronomical time series analysis
    VI: Bayesian block representations*, Astrophysical Journal 764, 2013.

    Examples
    --------
    Integers with uniform noise, of which every third is missing:

    >>> import numpy as np
    >>> from destructors.marginal import BlockGaussianizer
    >>> rng = np.random.default_rng(0)
    >>> levels = rng.choice([0, 1, 3, 4, 6, 7], size=(4000, 1))
    >>> X = levels + rng.uniform(size=(4000, 1))
    >>> model = BlockGaussianizer().fit(X)
    >>> int(model.n_blocks_[0]) >= 5
    True
    >>> bool(abs(model.score(X) + np.log(6)) < 0.05)
    True
    """

    _takes_stored = True
    _parameter_constraints: ClassVar[dict] = {
        "n_blocks": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "penalty": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        n_blocks: int | Literal["auto"] = "auto",
        penalty: float | Literal["auto"] = "auto",
        alpha: float = 0.5,
        n_jobs: int | None = None,
    ):
        self.n_blocks = n_blocks
        self.penalty = penalty
        self.alpha = alpha
        self.n_jobs = n_jobs

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        rows = fold.train
        self.mean_, self.scale_, _ = mean_and_scale(rows)
        standardise = Affine(self.mean_, self.scale_)
        standard = rows.through(standardise)
        self.block_edges_, self.probabilities_ = self._fit_columns(standard)
        self.n_blocks_ = np.array([len(p) for p in self.probabilities_])
        steps = CubeSteps(tuple(self.block_edges_), tuple(self.probabilities_))
        return Chain((standardise, steps))

    def _fit_column(
        self, column: NDArray, weight: NDArray | None, unit: float | None
    ) -> tuple:
        """Return edges and probabilities of the blocks of one standardised feature."""
        inside = np.abs(column) < CUTOFF
        weight = np.ones(inside.sum()) if weight is None else weight[inside]
        u = to_cube(column[inside])
        order = np.argsort(u, kind="stable")
        u, weight = u[order], weight[order]
        starts = np.flatnonzero(np.diff(u, prepend=-1.0) > 0)
        if len(starts) < 4:
            return np.array([0.0, 1.0]), np.ones(1)
        u, mass = u[starts], np.add.reduceat(weight, starts)
        cumulated = np.r_[0.0, np.cumsum(mass)]
        if not isinstance(self.n_blocks, str):
            edges = _equal_edges(u, self.n_blocks)
            counts = np.diff(cumulated[np.searchsorted(u, edges)])
            # Those that were moved get their share of the rows that are added.
            counts += self.alpha * self.n_blocks * np.diff(edges)
            probabilities = np.maximum(counts / counts.sum(), _LIGHTEST)
            return edges, probabilities / probabilities.sum()
        edges = _candidate_edges(u, mass)
        counts = np.diff(cumulated[np.searchsorted(u, edges)])
        penalty = self.penalty
        if penalty == "auto":
            penalty = np.log(max(cumulated[-1], 2.0))
        cuts = _best_partition(edges, counts, float(penalty))
        counts = np.add.reduceat(counts, cuts[:-1]) + self.alpha
        probabilities = np.maximum(counts / counts.sum(), _LIGHTEST)
        return edges[cuts], probabilities / probabilities.sum()


def _equal_edges(u: NDArray, n_blocks: int) -> NDArray:
    """Edges of equal blocks, each moved to the middle between neighbouring values."""
    inner = np.linspace(0.0, 1.0, n_blocks + 1)[1:-1]
    middles = 0.5 * (u[1:] + u[:-1])[np.diff(u) > _CLOSEST]
    # Beyond the values there is none to keep off.
    inside = (inner > u[0]) & (inner < u[-1])
    if len(middles) and inside.any():
        above = np.clip(np.searchsorted(middles, inner), 1, max(len(middles) - 1, 1))
        low, high = middles[above - 1], middles[np.minimum(above, len(middles) - 1)]
        nearest = np.where(inner - low < high - inner, low, high)
        inner = np.where(inside, nearest, inner)
    elif inside.any():
        inner = inner[~inside]
    off = np.abs(inner[:, None] - u[[0, -1]]).min(axis=1, initial=1.0) > _NARROWEST
    inner = np.unique(inner[off & (inner > _NARROWEST) & (inner < 1.0 - _NARROWEST)])
    far = np.diff(inner, prepend=0.0) > _NARROWEST
    return np.r_[0.0, inner[far], 1.0]


def _candidate_edges(u: NDArray, mass: NDArray) -> NDArray:
    """Places at which a block can end: the widest gap in each group of points; both
    ends of it where it is wide. All lie between values, off them by more than rounding.
    """
    # The ends of the cube are massless points: beyond the data may be a gap too.
    u, mass = np.r_[0.0, u, 1.0], np.r_[0.0, mass, 0.0]
    n = len(u)
    gaps = np.diff(u)
    n_groups = int(np.clip(mass.sum() / 8, 1, _N_GROUPS))
    cumulated = np.cumsum(mass)
    cuts = np.searchsorted(
        cumulated, np.linspace(0.0, cumulated[-1], n_groups + 1)[1:-1]
    )
    first = np.unique(np.r_[0, np.clip(cuts, 0, n - 2)])
    widest = np.maximum.reduceat(gaps, first)
    # The first gap of each group that is as wide as its widest.
    group = np.searchsorted(first, np.arange(n - 1), side="right") - 1
    is_widest = gaps == widest[group]
    at = np.unique(group[is_widest], return_index=True)[1]
    at = np.union1d(np.flatnonzero(is_widest)[at], [0, n - 2])
    at = at[gaps[at] > _CLOSEST]
    before = np.clip(at - _N_NEIGHBOURS, np.minimum(at, 1), None)
    after = np.clip(at + 1 + _N_NEIGHBOURS, None, np.maximum(at + 1, n - 2))
    left = (u[at] - u[before]) / np.maximum(at - before, 1)
    right = (u[after] - u[at + 1]) / np.maximum(after - at - 1, 1)
    # A value that stands alone on its side, as an atom at the end of the data does,
    # shows no spacing: that of the other side is taken.
    left, right = np.where(at == 1, right, left), np.where(at == n - 3, left, right)
    gap, middle = gaps[at], 0.5 * (u[at] + u[at + 1])
    wide = gap > _WIDE * np.maximum(left, right)
    reach = [
        np.minimum(np.maximum(_N_SPACINGS * spacing, _NARROWEST), 0.5 * gap)
        for spacing in (left, right)
    ]
    # No block ends near an end of the cube because of a value there: there is none.
    after_left, before_right = wide & (at > 0), wide & (at < n - 2)
    edges = np.unique(
        np.r_[
            (u[at] + reach[0])[after_left],
            (u[at + 1] - reach[1])[before_right],
            middle[~wide],
        ]
    )
    far = np.r_[True, np.diff(edges) > _NARROWEST] if len(edges) else edges.astype(bool)
    edges = edges[far & (edges > _NARROWEST) & (edges < 1.0 - _NARROWEST)]
    return np.r_[0.0, edges, 1.0]


def _best_partition(edges: NDArray, counts: NDArray, penalty: float) -> NDArray:
    """Return the partition of highest penalised likelihood.

    Parameters
    ----------
    edges : ndarray of shape (n_cells + 1,)
        Edges of the cells.
    counts : ndarray of shape (n_cells,)
        Weight in each cell.
    penalty : float
        Cost of a block, in nats.

    Returns
    -------
    cuts : ndarray of shape (n_blocks + 1,)
        Cells before which blocks begin and end: increasing, from 0 to n_cells.
    """
    previous = _last_blocks(edges, np.r_[0.0, np.cumsum(counts)], penalty)
    cuts = [len(counts)]
    while cuts[-1] > 0:
        cuts.append(int(previous[cuts[-1]]))
    return np.array(cuts[::-1])


def _last_blocks_loops(edges, below, penalty):
    """Return where the last block begins in the best partition of the first cells.

    ``below`` is the weight below each edge.
    """
    m = len(below)
    best, previous = np.empty(m), np.empty(m, np.int64)
    best[0], previous[0] = 0.0, 0
    for stop in range(1, m):
        best[stop], previous[stop] = -np.inf, 0
        for start in range(stop):
            mass = below[stop] - below[start]
            width = (edges[stop] - edges[start]) * below[m - 1]
            # An empty block has likelihood 1; the maximum keeps the logarithm finite.
            fit = mass * math.log((mass if mass > 1e-300 else 1e-300) / width)
            value = best[start] + fit - penalty
            if value > best[stop]:
                best[stop], previous[stop] = value, start
    return previous


def _last_blocks_vectorised(edges: NDArray, below: NDArray, penalty: float) -> NDArray:
    m = len(below)
    best, previous = np.zeros(m), np.zeros(m, np.int64)
    for stop in range(1, m):
        mass = below[stop] - below[:stop]
        width = (edges[stop] - edges[:stop]) * below[-1]
        fit = mass * np.log(np.maximum(mass, 1e-300) / width)
        value = best[:stop] + fit - penalty
        previous[stop] = np.argmax(value)
        best[stop] = value[previous[stop]]
    return previous


_last_blocks = jit(_last_blocks_loops, plain=_last_blocks_vectorised)
