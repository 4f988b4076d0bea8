"""Each pixel given those before it, by one tree for all pixels."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from destructors._compat import Interval
from destructors.base import Destructor
from destructors.image._grow_pixels import grow
from destructors.image._shape import IMAGE_SHAPE, pixel_positions
from destructors.maps import Map, PixelTree
from destructors.maps._pixel_tree import find_bins, find_leaves
from destructors.rows import Fold, Rows
from destructors.table import check_bounds

# What a tree asks for is told apart in so many steps, and what it tells in so many.
_N_SEEN, _N_TOLD = 32, 16
# Rows that a leaf takes over from its parent, whose histogram is that of more pixels.
_FROM_PARENT = 30.0
# Bins of a smaller probability would eat up the digits of the map, on the way back.
_LIGHTEST = 1e-9
# A bin is wider than so many units in the last place of its edges.
_LEAST_ULPS = 1024.0
# A value as near to an edge, as a share of a bin or in units of the last place, lies on
# it: rounding may carry it across.
_ON_EDGE, _ON_EDGE_ULPS = 1e-10, 16.0


class PixelTreeDestructor(Destructor):
    r"""Map each pixel by a histogram that the pixels before it choose.

    Pixels are gone through from the upper left to the lower right. Where a pixel is,
    and the levels of its neighbours that come before it, lead down a tree to a leaf,
    which holds a histogram of the levels that such pixels take. The tree is one for all
    pixels, so that each image is as many examples as it has pixels: what convolutions
    are thrifty by.

    Parameters
    ----------
    image_shape : sequence of int, default=None
        ``(height, width)`` or ``(height, width, n_channels)``, channels last. None
        takes a row for a line of pixels.
    n_bins : int, default=256
        Number of levels.
    bounds : tuple of (float, float), default=None
        Where levels begin and end. Pixels of 256 levels with uniform noise in [0, 1]
        are ``n_bins=256, bounds=(0, 1)``. None takes a little more than the range of
        all features.
    radius : int, default=5
        How far a neighbour is at most, in rows and columns.
    min_samples_leaf : float, default=50
        Smallest number of pixels (or weight) in a leaf.
    min_gain : float, default=30.0
        A split must raise the log-likelihood of the pixels that the tree is grown on by
        more than this, in nats. The best of the many cuts gains about half of it by
        chance.
    max_leaf_nodes : int, default=8000
        Largest number of leaves.
    max_samples : int or None, default=4_000_000
        Number of pixels that the tree is grown on, at most. Histograms are of all.
    alpha : float, default=0.1
        Pixels added to each bin of the root.

    Attributes
    ----------
    n_leaves_ : int
        Number of leaves.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    Raises
    ------
    ValueError
        In `fit`, if the shape is not that of the rows, or rows lie outside ``bounds``.

    See Also
    --------
    destructors.flows.PatchFlow : With layers of patches behind it.

    Notes
    -----
    The density jumps at the edges of levels, and where a neighbour's level changes:
    levels without noise, which stand on the edges, are to be spread first.

    The inverse goes pixel by pixel, all rows together.

    References
    ----------
    A. van den Oord, N. Kalchbrenner and K. Kavukcuoglu, *Pixel recurrent neural
    networks*, ICML 2016, for levels given those before; M. J. Weinberger, J. J.
    Rissanen and R. B. Arps, *Applications of universal context modeling to lossless
    compression of gray-scale images*, IEEE Transactions on Image Processing 5, 1996,
    for trees of contexts.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.image import PixelTreeDestructor
    >>> rng = np.random.default_rng(0)
    >>> strokes = np.repeat(rng.integers(2, size=(500, 3)), 4, axis=1)
    >>> X = 0.5 * strokes + rng.uniform(0.0, 0.5, size=(500, 12))
    >>> tree = PixelTreeDestructor((3, 4), n_bins=2, bounds=(0, 1)).fit(X)

    Three pixels of twelve are free, each of which has two levels: 9 log 2 nats.

    >>> round(tree.score(X) / np.log(2))
    9
    """

    _parameter_constraints: ClassVar[dict] = {
        "image_shape": IMAGE_SHAPE,
        "n_bins": [Interval(Integral, 2, None, closed="left")],
        "bounds": [tuple, list, None],
        "radius": [Interval(Integral, 1, None, closed="left")],
        "min_samples_leaf": [Interval(Real, 0, None, closed="neither")],
        "min_gain": [Interval(Real, 0, None, closed="left")],
        "max_leaf_nodes": [Interval(Integral, 1, None, closed="left")],
        "max_samples": [Interval(Integral, 1, None, closed="left"), None],
        "alpha": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        image_shape: Sequence[int] | None = None,
        *,
        n_bins: int = 256,
        bounds: tuple[float, float] | None = None,
        radius: int = 5,
        min_samples_leaf: float = 50,
        min_gain: float = 30.0,
        max_leaf_nodes: int = 8000,
        max_samples: int | None = 4_000_000,
        alpha: float = 0.1,
    ):
        self.image_shape = image_shape
        self.n_bins = n_bins
        self.bounds = bounds
        self.radius = radius
        self.min_samples_leaf = min_samples_leaf
        self.min_gain = min_gain
        self.max_leaf_nodes = max_leaf_nodes
        self.max_samples = max_samples
        self.alpha = alpha

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        rows, d = fold.train, fold.train.n_features
        edges = self._place_edges(rows)
        neighbors, places = find_neighbors(self.image_shape, d, int(self.radius))
        order, bins = np.arange(d), find_bins(rows.values, edges)
        tree = self._grow(rows, bins, neighbors, places)
        leaves = np.zeros(bins.shape, np.int64)
        find_leaves(bins, order, neighbors, places, *tree, leaves)
        left, n_bins = tree[-1], len(edges) - 1
        weight = np.repeat(rows.weights, d)
        flat = leaves.ravel() * n_bins + bins.ravel()
        counts = np.bincount(flat, weight, len(left) * n_bins).reshape(-1, n_bins)
        self.n_leaves_ = int((left == np.arange(len(left))).sum())
        tail = float(0.5 / (weight.sum() + 1.0))
        scale = float((edges[-1] - edges[0]) / np.sqrt(12.0))
        probabilities = _smooth(counts, left, self.alpha) * (1.0 - 2.0 * tail)
        return PixelTree(
            order, neighbors, places, *tree, edges, probabilities, tail, scale
        )

    def _place_edges(self, rows: Rows) -> NDArray:
        smallest, largest = rows.extremes
        if self.bounds is None:
            low, high = float(smallest.min()), float(largest.max())
            # No row is on an edge; all rows equal take a width of their own.
            reach = 0.01 * (high - low) or max(1.0, 1e-6 * abs(high))
            low, high = low - reach, high + reach
        else:
            low, high = check_bounds(rows, self.bounds)
        edges = np.linspace(low, high, self.n_bins + 1)
        least = _LEAST_ULPS * np.spacing(max(abs(low), abs(high)))
        if not (np.isfinite(edges).all() and (np.diff(edges) > least).all()):
            raise ValueError(
                f"Columns from {low:.3g} to {high:.3g} cannot be parted into "
                f"n_bins={self.n_bins}: standardize the columns before."
            )
        return edges if self.bounds is not None else _move_aside(edges, rows.values)

    def _grow(
        self, rows: Rows, bins: NDArray, neighbors: NDArray, places: NDArray
    ) -> tuple[NDArray, NDArray, NDArray]:
        """Return feature, threshold and left child of each node."""
        d, weight = bins.shape[1], rows.weights
        if self.max_samples is not None:
            few = rows.draw(max(1, self.max_samples // d), 0)
            bins, weight = bins[few], weight[few]
        n_bins = self.n_bins
        steps = find_steps(n_bins)
        # The last column stands for what is outside the image.
        padded = np.zeros((len(bins), d + 1), np.uint8)
        padded[:, :d] = steps[bins]
        n_places = places.shape[1]
        place_step = -(-(places.max(axis=0, initial=0) + 1) // _N_SEEN)
        seen = np.empty((bins.size, neighbors.shape[1] + n_places), np.uint8)
        seen[:, : seen.shape[1] - n_places] = padded[:, neighbors].reshape(
            bins.size, -1
        )
        seen[:, seen.shape[1] - n_places :] = np.tile(
            places // place_step, (len(bins), 1)
        )
        weight = np.repeat(weight, d)
        told = _join_levels(np.bincount(bins.ravel(), weight, n_bins), _N_TOLD)
        feature, threshold, left = grow(
            seen,
            told[bins.ravel()].astype(np.uint8),
            weight,
            _N_SEEN,
            _N_TOLD,
            float(self.min_samples_leaf),
            float(self.min_gain),
            2 * int(self.max_leaf_nodes) - 1,
        )
        # Thresholds in levels: the largest that goes left.
        ends = np.searchsorted(steps[:-1], np.arange(_N_SEEN), side="right") - 1
        is_place = feature >= neighbors.shape[1]
        own = place_step[np.where(is_place, feature - neighbors.shape[1], 0)]
        limits = np.where(is_place, (threshold + 1) * own - 1, ends[threshold])
        return feature, limits, left


def _move_aside(edges: NDArray, values: NDArray) -> NDArray:
    """Move edges on which a value lies to the middle between it and the next one above,
    by half a bin at most.
    """
    width = edges[1] - edges[0]
    near = max(_ON_EDGE * width, _ON_EDGE_ULPS * np.spacing(np.abs(edges).max()))
    nearest = np.rint((values - edges[0]) / width).astype(np.int64)
    moved = np.unique(nearest[np.abs(values - edges[nearest]) <= near])
    if not len(moved):
        return edges
    edges, unique = edges.copy(), np.append(np.unique(values), np.inf)
    above = unique[np.searchsorted(unique[:-1], edges[moved] + near, side="right")]
    edges[moved] += 0.5 * np.minimum(above - edges[moved], width)
    return edges


def find_neighbors(
    image_shape: Sequence[int] | None, n_features: int, radius: int
) -> tuple[NDArray, NDArray]:
    """Return the neighbours of each pixel that come before it, and where it is.

    Parameters
    ----------
    image_shape : sequence of int or None
    n_features, radius : int

    Returns
    -------
    neighbors : ndarray of int of shape (n_features, n_neighbors)
        Nearest first; -1 outside the image.
    places : ndarray of int of shape (n_features, 3)
        Row, column and channel.
    """
    positions = pixel_positions(image_shape, n_features)
    height, width, n_channels = positions.shape
    steps = [
        (down, right)
        for down in range(-min(radius, height - 1), 1)
        for right in range(-min(radius, width - 1), min(radius, width - 1) + 1)
        if (down, right) < (0, 0) and down**2 + right**2 <= (radius + 0.5) ** 2
    ]
    steps.sort(key=lambda step: step[0] ** 2 + step[1] ** 2)
    row, column, channel = np.indices(positions.shape).reshape(3, -1)
    found = []
    for back in range(1, n_channels):
        # Channels of the pixel itself that come before.
        here = channel - back
        found.append(np.where(here >= 0, np.arange(n_features) - back, -1))
    for down, right in steps:
        i, j = row + down, column + right
        inside = (i >= 0) & (j >= 0) & (j < width)
        at = positions[np.where(inside, i, 0), np.where(inside, j, 0), channel]
        found.append(np.where(inside, at, -1))
    neighbors = np.array(found, dtype=np.int64).reshape(-1, n_features).T
    return np.ascontiguousarray(neighbors), np.stack([row, column, channel], axis=1)


def find_steps(n_bins: int) -> NDArray:
    """Return the step in which a tree sees each level, and at last what is outside.

    Level 0, the ground, is told from all others; the others in equal steps.
    """
    step = -(-n_bins // (_N_SEEN - 2))
    steps = np.append(np.where(np.arange(n_bins) > 0, 2, 1), 0)
    steps[1:-1] += np.arange(n_bins - 1) // step
    return steps


def _join_levels(counts: NDArray, n_groups: int) -> NDArray:
    """Return a group for each level: the first alone, the others of equal weight."""
    others = np.append(0.0, counts[1:])
    before = np.cumsum(others) - 0.5 * others
    total = max(float(others.sum()), 1e-300)
    groups = 1 + np.floor(before / total * (n_groups - 1)).astype(np.int64)
    groups[0] = 0
    return np.clip(groups, 0, n_groups - 1)


def _smooth(counts: NDArray, left: NDArray, alpha: float) -> NDArray:
    """Return the probabilities of levels in each node, pulled to those of its parent.

    Parameters
    ----------
    counts : ndarray of shape (n_nodes, n_bins)
        Those of leaves.
    left : ndarray of int of shape (n_nodes,)
        Left children; a leaf is its own.
    alpha : float
        Added to each bin of the root.
    """
    counts = counts.copy()
    inner = np.flatnonzero(left != np.arange(len(left)))
    for node in inner[::-1]:
        counts[node] = counts[left[node]] + counts[left[node] + 1]
    probabilities = np.empty_like(counts)
    probabilities[0] = (counts[0] + alpha) / (counts[0] + alpha).sum()
    for node in inner:
        for child in (left[node], left[node] + 1):
            pulled = counts[child] + _FROM_PARENT * probabilities[node]
            probabilities[child] = pulled / (counts[child].sum() + _FROM_PARENT)
    probabilities = np.maximum(probabilities, _LIGHTEST)
    return probabilities / probabilities.sum(axis=1, keepdims=True)
