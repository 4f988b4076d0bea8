"""A Gaussian mixture whose conditional densities trees correct, as a destructor."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.maps import Chain, Map
from destructors.mixture._boosting import (
    N_BINS,
    ShareTrees,
    boost_feature,
    choose_edges,
    join,
    without_trees,
)
from destructors.mixture._em import EM
from destructors.mixture._expectation import Mixture
from destructors.mixture._mixture import N_FOLDS, GaussianMixtureDestructor
from destructors.rows import Fold, Rows, StoredRows, map_threads

# Trees see at most so many rows, and so many probabilities of bins in all of them; with
# fewer rows than the least they would tell nothing.
_MOST_ROWS, _MOST_SHARES, _LEAST_ROWS = 20_000, 2**24, 400
# Beside so large a weight others count for nothing in single precision.
_LARGEST_WEIGHT = 1e6


class BoostedMixtureDestructor(GaussianMixtureDestructor):
    r"""Map to N(0, I) by a Gaussian mixture whose conditionals are boosted by trees.

    A mixture is smooth. Columns that stand on a lattice given others, that end at an
    edge or leave a gap, are smeared however many components there are. So the density
    of each feature given those before it is cut into bins, and each bin gets more or
    less than the mixture gives it:

    .. math:: p(x_j | x_{<j}) \propto q(x_j | x_{<j}) \exp f_{b(x_j)}(x_{<j})

    The sum of trees :math:`f` is grown tree by tree: each splits the rows by the bins
    of features before, and in a leaf the weight of the rows in each bin is set against
    what the mixture and the trees so far expect there. Expected is what mixtures say
    that have not seen the row, so that trees correct the shape, and not what is
    learned by heart. A feature gets as many trees as held-out training rows (a fifth of
    them) choose.

    Density, samples and inverse stay exact: the map of a feature is linear in its
    conditional probability within each bin; see
    :class:`~destructors.maps.BoostedRosenblatt`.

    Parameters and attributes are those of `GaussianMixtureDestructor`, beside those
    here; ``weights_``, ``means_`` and ``covariances_`` are the mixture's own.

    Attributes
    ----------
    n_trees_ : ndarray of int of shape (n_features,)
        Number of trees of each feature.

    See Also
    --------
    GaussianMixtureDestructor : The mixture alone.
    destructors.flows.TreeFlow : Trees behind it.

    Notes
    -----
    Trees are grown on at most 20,000 rows, fewer where there are more than 26 columns,
    and on none where that leaves less than 400: the mixture stays as it is then.

    References
    ----------
    S. Rosset and E. Segal, *Boosting density estimation*, NIPS 2002, boost whole
    densities. M. Rosenblatt, *Remarks on a multivariate transformation*, Annals of
    Mathematical Statistics 23, 1952. That conditionals are boosted is ours.

    Examples
    --------
    The second column is the first, to the next half or the one before:

    >>> import numpy as np
    >>> from destructors.mixture import (
    ...     BoostedMixtureDestructor, GaussianMixtureDestructor
    ... )
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=4000)
    >>> step = np.round(x) + rng.choice([-0.5, 0.5], 4000)
    >>> X = np.c_[x, step + rng.uniform(-0.05, 0.05, 4000)]
    >>> model = BoostedMixtureDestructor(8, random_state=0).fit(X[:3000])
    >>> mixture = GaussianMixtureDestructor(8, random_state=0).fit(X[:3000])
    >>> bool(model.score(X[3000:]) > mixture.score(X[3000:]) + 0.3)
    True
    """

    _trees: list[ShareTrees] | None = None
    _edges: NDArray

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        assert random_state is not None
        self._trees = None
        map_ = super()._fit(fold, random_state)
        em, _ = self._leftover
        trees = self._boost(em, fold.train, random_state)
        d = self.n_features_in_
        self.n_trees_ = np.zeros(d, np.int64)
        if trees is None or not any(tree.nodes for tree in trees):
            return map_
        self._trees = trees
        self.n_trees_ = np.array([len(tree.nodes) for tree in trees])
        assert isinstance(map_, Chain)
        return Chain((map_.maps[0], self._to_map(em.mixture)))

    def _boost(
        self, em: EM, train: Rows, random_state: np.random.RandomState
    ) -> list[ShareTrees] | None:
        """Return trees for each feature, or None for too few rows."""
        if isinstance(em.given, StoredRows):
            return None
        rows = em.given
        n_rows = min(len(rows), _MOST_ROWS, _MOST_SHARES // (rows.n_features * N_BINS))
        if n_rows < max(_LEAST_ROWS, 2 * N_FOLDS):
            return None
        # Rows stand in random order.
        rows = replace(rows.take(slice(n_rows)), n_jobs=None)
        weights = rows.weights / max(rows.weights.max() / _LARGEST_WEIGHT, 1.0)
        self._edges = choose_edges(rows.values, weights)
        places = np.stack(
            [
                np.searchsorted(edges, x, side="right")
                for edges, x in zip(self._edges, rows.values.T, strict=True)
            ],
            axis=1,
        ).astype(np.uint8)
        d = rows.n_features
        bins = np.empty((n_rows, d), np.uint8)
        shares = np.empty((n_rows, d, N_BINS), np.float32)

        def judge(known: tuple[Any, Mixture]) -> None:
            part, mixture = known
            part = np.arange(len(em.given))[part]
            part = part[part < n_rows]
            map_ = without_trees(super_map(mixture), self._edges)
            bins[part], shares[part] = map_.shares(rows.values[part])

        super_map = super()._to_map
        map_threads(judge, self._without_parts(em, train.n_jobs), train.n_jobs)
        seeds = random_state.randint(2**31 - 1, size=d)

        def boost(j: int) -> ShareTrees:
            own = np.ascontiguousarray(shares[:, j])
            rng = np.random.RandomState(seeds[j])
            return boost_feature(
                j, places, np.ascontiguousarray(bins[:, j]), weights, own, rng
            )

        return map_threads(boost, range(d), train.n_jobs)

    def _to_map(self, mixture: Mixture) -> Map:
        map_ = super()._to_map(mixture)
        if self._trees is None:
            return map_
        return join(without_trees(map_, self._edges), self._trees)
