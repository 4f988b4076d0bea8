"""Each pixel given those before it and the shape of the whole image."""

from collections.abc import Sequence
from numbers import Integral
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from destructors._compat import Interval
from destructors.image._binary_em import find_nearest, fit_binary_mixture
from destructors.image._grow_pixels import grow
from destructors.image._pixel_tree import (
    _N_SEEN,
    _N_TOLD,
    PixelTreeDestructor,
    _join_levels,
    _smooth,
    find_neighbors,
    find_steps,
)
from destructors.image._shape import pixel_positions
from destructors.maps import Map, PixelMixture
from destructors.maps._pixel_mixture_kernels import find_leaves
from destructors.maps._pixel_tree import find_bins
from destructors.rows import Fold

# Images that shapes are fitted to, at most.
_N_SHAPED = 20_000
# How far around a pixel the tree sees the shape, and images that are added to those of
# each component when its shape is taken. Chosen on validation images of MNIST, where
# those of the test were scored too, and by the look of samples.
_REACH, _FROM_ALL = 3, 3.0


class PixelMixtureDestructor(PixelTreeDestructor):
    r"""Map each pixel by the pixels before it, and by what the image will be.

    Images belong to components, each of which has a shape: the mean of its images. As
    in `PixelTreeDestructor` the levels of neighbours that come before a pixel lead down
    a tree to a histogram, but the tree sees the shape around the pixel as well, and so
    where a stroke is to go. The density is that of the mixture over the components,
    exactly: each pixel is mapped by the mean of the histograms to which the components
    lead, weighted by how likely they are by the pixels before. Samples hold together.

    Parameters
    ----------
    image_shape : sequence of int, default=None
        ``(height, width)`` or ``(height, width, n_channels)``, channels last. None
        takes a row for a line of pixels.
    n_components : int, default=64
        Number of components. Samples hold together better the more there are. Scoring
        takes longer then, by far less than in proportion: components that see the same
        share their way down the tree.
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
    shapes_ : ndarray of shape (n_components, n_features)
        Mean level of the images of each component, from 0 to 1.
    weights_ : ndarray of shape (n_components,)
        Share of the images of each.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    See Also
    --------
    PixelTreeDestructor : One component: quicker, and denser by a little.

    Notes
    -----
    Images are assigned to the components of a mixture of independent binary pixels,
    those above and below the middle of the range, that is fitted by EM. The tree is
    grown, and its histograms are counted, as if the assignments were known.

    References
    ----------
    C. M. Bishop, *Pattern recognition and machine learning*, 2006, section 9.3.3, for
    the mixture of binary images. M. Rosenblatt, *Remarks on a multivariate
    transformation*, Annals of Mathematical Statistics 23, 1952.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.image import PixelMixtureDestructor
    >>> rng = np.random.default_rng(0)
    >>> same = np.repeat(rng.integers(2, size=(500, 1)), 12, axis=1)
    >>> X = 0.5 * same + rng.uniform(0.0, 0.5, size=(500, 12))
    >>> model = PixelMixtureDestructor((3, 4), n_components=2, n_bins=2, bounds=(0, 1))

    All twelve pixels have the level of the first: 11 log 2 nats.

    >>> round(model.fit(X).score(X) / np.log(2))
    11
    """

    _parameter_constraints: ClassVar[dict] = {
        **PixelTreeDestructor._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        image_shape: Sequence[int] | None = None,
        *,
        n_components: int = 64,
        n_bins: int = 256,
        bounds: tuple[float, float] | None = None,
        radius: int = 5,
        min_samples_leaf: float = 50,
        min_gain: float = 30.0,
        max_leaf_nodes: int = 8000,
        max_samples: int | None = 4_000_000,
        alpha: float = 0.1,
    ):
        super().__init__(
            image_shape,
            n_bins=n_bins,
            bounds=bounds,
            radius=radius,
            min_samples_leaf=min_samples_leaf,
            min_gain=min_gain,
            max_leaf_nodes=max_leaf_nodes,
            max_samples=max_samples,
            alpha=alpha,
        )
        self.n_components = n_components

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        # Weights are repeated rows then, and their order does not matter.
        values, weight, _ = fold.train.unique()
        d, n_bins = values.shape[1], self.n_bins
        edges = self._place_edges(fold.train)
        bins = find_bins(values, edges)
        neighbors, places = find_neighbors(self.image_shape, d, int(self.radius))
        member = self._find_members(bins, weight)
        guides = self._guide(places)
        tree = self._grow_guided(bins, weight, member, neighbors, guides)
        counts = np.zeros((len(tree[-1]), n_bins))
        for k in np.unique(member):
            mine = bins[member == k]
            leaves = np.zeros((len(mine), 1), np.int64)
            for j in range(d):
                find_leaves(mine, neighbors[j], guides[j, k : k + 1], *tree, leaves)
                np.add.at(counts, (leaves[:, 0], mine[:, j]), weight[member == k])
        left = tree[-1]
        self.n_leaves_ = int((left == np.arange(len(left))).sum())
        tail = float(0.5 / (d * weight.sum() + 1.0))
        scale = float((edges[-1] - edges[0]) / np.sqrt(12.0))
        p = _smooth(counts, left, self.alpha) * (1.0 - 2.0 * tail)
        return PixelMixture(
            neighbors, guides, self.weights_, *tree, edges, p, tail, scale
        )

    def _find_members(self, bins: NDArray, weight: NDArray) -> NDArray:
        """Return the component of each image; note what components are."""
        on = bins >= self.n_bins // 2
        # They stand in random order.
        few = slice(None, _N_SHAPED)
        mixture = fit_binary_mixture(on[few], weight[few], int(self.n_components))
        member = find_nearest(on, *mixture)
        n_components = len(mixture[0])
        level = bins / max(self.n_bins - 1, 1)
        count = np.bincount(member, weight, n_components)
        sums = np.zeros((n_components, bins.shape[1]))
        np.add.at(sums, member, level * weight[:, None])
        mean = weight @ level / weight.sum()
        self.shapes_ = (sums + _FROM_ALL * mean) / (count[:, None] + _FROM_ALL)
        self.weights_ = (count + 1.0) / (count + 1.0).sum()
        return member

    def _guide(self, places: NDArray) -> NDArray:
        """Return what the tree sees of each component at each pixel."""
        positions = pixel_positions(self.image_shape, self.shapes_.shape[1])
        height, width, n_channels = positions.shape
        # In steps of a logit: levels from all but off to all but on use all of them.
        logit = np.log((self.shapes_ + 0.003) / (1.003 - self.shapes_))
        steps = np.clip(np.round(2.6 * logit + 15.0), 0, _N_SEEN - 1).astype(np.int64)
        images = np.zeros(
            (len(steps), height + 2 * _REACH, width + 2 * _REACH, n_channels), np.int64
        )
        inner = slice(_REACH, -_REACH)
        images[:, inner, inner] = steps[:, positions]
        around = [
            images[
                :, _REACH + i : _REACH + i + height, _REACH + j : _REACH + j + width
            ].reshape(len(steps), -1)
            for i in range(-1, _REACH + 1)
            for j in range(-_REACH, _REACH + 1)
            if i * i + j * j <= _REACH * _REACH
        ]
        place_step = -(-(places.max(axis=0, initial=0) + 1) // _N_SEEN)
        shape = (len(places), len(steps), places.shape[1])
        where = np.broadcast_to((places // place_step)[:, None], shape)
        guides = np.concatenate([where, np.stack(around, axis=2).swapaxes(0, 1)], 2)
        return np.ascontiguousarray(guides, dtype=np.int64)

    def _grow_guided(
        self,
        bins: NDArray,
        weight: NDArray,
        member: NDArray,
        neighbors: NDArray,
        guides: NDArray,
    ) -> tuple[NDArray, NDArray, NDArray]:
        """Return feature, threshold and left child of each node."""
        d, n_bins = bins.shape[1], self.n_bins
        if self.max_samples is not None:
            few = slice(None, max(1, self.max_samples // d))
            bins, weight, member = bins[few], weight[few], member[few]
        steps = find_steps(n_bins)
        padded = np.zeros((len(bins), d + 1), np.uint8)
        padded[:, :d] = steps[bins]
        near = padded[:, neighbors].reshape(bins.size, -1)
        guide = guides[:, member].astype(np.uint8).swapaxes(0, 1)
        seen = np.hstack([near, guide.reshape(bins.size, -1)])
        weight = np.repeat(weight, d)
        told = _join_levels(np.bincount(bins.ravel(), weight, n_bins), _N_TOLD)
        feature, threshold, left = grow(
            np.ascontiguousarray(seen),
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
        is_guide = feature >= neighbors.shape[1]
        return feature, np.where(is_guide, threshold, ends[threshold]), left
