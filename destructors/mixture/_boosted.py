"""A Gaussian mixture whose conditional densities trees correct, as a destructor."""

from dataclasses import replace
from typing import Any

import numpy as np

from destructors.maps import BoostedRosenblatt, Chain, Map, Rosenblatt
from destructors.mixture._boosting import (
    N_BINS,
    boost,
    choose_edges,
    join,
    without_trees,
)
from destructors.mixture._expectation import Mixture
from destructors.mixture._mixture import GaussianMixtureDestructor
from destructors.rows import Fold, Rows, StoredRows

# Trees see at most so many rows, and so many probabilities of bins in all of them; with
# fewer rows than the least they would tell nothing.
_MOST_ROWS, _MOST_SHARES, _LEAST_ROWS = 20_000, 2**24, 400


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

    Parameters
    ----------
    n_components : int, list of int or "auto", default="auto"
        Number of components, or numbers to choose from on held-out rows; this and what
        follows is told more fully at `GaussianMixtureDestructor`.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
        Form of the covariances.
    background : bool, default=True
        Whether one more component lies over all data.
    degrees_of_freedom_prior : float or "auto", default="auto"
        Number of rows that the prior of each covariance counts for.
    tol : float, default=1e-3
        EM stops when a step changes the mean log-density by less, in nats.
    reg_covar : float, default=1e-6
        Added to the diagonals of the covariances, in units of the variances.
    max_iter : int, default=200
        Largest number of EM steps between splits, and at the end.
    n_init : int, default=1
        Number of fits for each number of components.
    validation_fraction : float, default=0.1
        Share of the rows to hold out for the choice of ``n_components``.
    n_folds : int, default=None
        Number of folds, for the mean of as many mixtures. Fewer different rows than
        folds have a single one.
    order : "auto" or None, default="auto"
        Order in which features are mapped, and so which of them trees may ask for. None
        takes features as they come.
    n_jobs : int, default=None
        Number of threads. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the mixture, and of the features that trees may ask for.

    Attributes
    ----------
    n_trees_ : ndarray of int of shape (n_features,)
        Number of trees of each feature, which ask for those mapped before it.
    n_components_ : int
        Number of components, the background not counted.
    weights_, means_, covariances_ : ndarray
        Those of the mixture alone.
    lower_bound_ : float
        Mean log-density of the training rows under the mixture alone, in nats.
    n_iter_ : int
        Number of EM steps.
    converged_ : bool
        Whether EM stopped by ``tol``.
    validation_score_ : dict of int to float
        Mean log-density of held-out rows for each number of components that was tried,
        in nats.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

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

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        assert random_state is not None
        map_ = super()._fit(fold, random_state)
        self.n_trees_ = np.zeros(self.n_features_in_, np.int64)
        assert isinstance(map_, Chain)
        units, whole = map_.maps
        assert isinstance(whole, Rosenblatt)
        em, _ = self._leftover
        if isinstance(em.given, StoredRows):
            # As many as the mixture began with; each has next to no part in it.
            assert isinstance(fold.train, StoredRows)
            values, weight, _ = self._few(fold.train).unique()
            rows = Rows.of(values, weight, n_jobs=fold.train.n_jobs).through(units)
        else:
            rows = em.given
        n_rows = 0 if fold.is_trial else len(rows)
        n_rows = min(n_rows, _MOST_ROWS, _MOST_SHARES // (rows.n_features * N_BINS))
        if n_rows < _LEAST_ROWS:
            return map_
        parts: list[tuple[Any, Mixture]] = [(slice(None), em.mixture)]
        if rows is em.given:
            parts = self._without_parts(em, fold.train.n_jobs)
        # Rows stand in random order.
        rows = replace(rows.take(slice(n_rows)), n_jobs=fold.train.n_jobs)
        order = slice(None) if whole.order is None else whole.order
        edges = choose_edges(rows.values[:, order], rows.weights)
        known = [
            (part, without_trees(self._rosenblatt(mixture, whole.order), edges))
            for part, mixture in parts
        ]
        seeds = random_state.randint(2**31 - 1, size=self.n_features_in_)
        trees = boost(rows, known, edges, seeds)
        self.n_trees_[order] = [len(each.nodes) for each in trees]
        if not self.n_trees_.any():
            return map_
        return Chain((units, join(without_trees(whole, edges), trees)))

    def _to_map(self, mixture: Mixture, like: Map) -> Map:
        if not isinstance(like, BoostedRosenblatt):
            return super()._to_map(mixture, like)
        order = like.mixture.order
        return replace(like, mixture=self._rosenblatt(mixture, order))
