"""A Gaussian mixture as a destructor."""

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning

from destructors._compat import Interval, StrOptions
from destructors.base import HoldoutDestructor
from destructors.base_distributions import StandardNormal
from destructors.maps import Affine, Chain, Map, Rosenblatt
from destructors.mixture._covariance import COVARIANCES, as_matrices, check_mixture
from destructors.mixture._em import EM
from destructors.mixture._expectation import Mixture
from destructors.mixture._incremental import fit_in_parts
from destructors.mixture._number import n_telling, numbers_to_try, smaller_numbers
from destructors.mixture._order import choose_order
from destructors.mixture._some_number import fit_some_number
from destructors.rows import (
    Fold,
    Rows,
    StoredRows,
    map_threads,
    robust_mean_and_scale,
)

# Least slope of each feature's map, in standard units: enough to invert it in any gap
# between components, however empty.
TILT = 1e-7
# Folds by which the rows of a stack are mapped, and steps of EM on the other folds.
_N_FOLDS, _N_FOLD_STEPS = 5, 3
# Of rows that are not in memory, so many are drawn to begin with, if they are not more
# numbers than that.
_N_DRAWN, _MOST_DRAWN = 2**17, 2**24
# Beyond so many rows a mixture forgets a fold in one step: none of them weighs much.
_MANY = 200_000
_AT_LEAST_0 = Interval(Real, 0, None, closed="left")
_AT_LEAST_1 = Interval(Integral, 1, None, closed="left")


class GaussianMixtureDestructor(HoldoutDestructor):
    r"""Map a Gaussian mixture to N(0, I), feature after feature.

    Each feature goes through its distribution function given the features before it and
    on to the normal quantile, :math:`z_j = \Phi^{-1}(F(x_j | x_1 … x_{j-1}))` (the
    Rosenblatt map). The density of the destructor is that of the mixture. It does not
    depend on the order of the features, but their latents do, and what later layers can
    learn of these.

    Parameters
    ----------
    n_components : int, list of int or "auto", default="auto"
        Number of components, or numbers to choose from by the log-density of held-out
        rows. They are tried from the smallest on until two in a row are worse than the
        best; then the smallest within 0.01 nats of the best is taken. Each begins with
        the mixture before, components of which are split in two. Numbers larger
        than that of different rows are passed over. "auto" tries powers of two up to
        the largest number that leaves each component four rows a feature, and that
        number itself, at most 512; not if it is hardly larger and the last doubling
        gained next to nothing.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
        Whether each component has a covariance matrix of its own, all share one, each
        has a variance for every feature, or one for all.
    background : bool, default=True
        Whether one more component lies over all data, three times as wide as they are,
        and takes the rows that no other explains, at least a thousandth. Without it a
        few such rows can cost more than all others gain. "tied" mixtures have none.
    degrees_of_freedom_prior : float or "auto", default="auto"
        Number of rows that the prior of each covariance counts for. The prior is the
        covariance that the components have in common, in the size of the component; 0
        is plain maximum likelihood. "auto" learns the number: the less the components
        differ beyond chance, the larger. "tied" mixtures need none.
    tol : float, default=1e-3
        EM stops when a step changes the mean log-density by less, in nats.
    reg_covar : float, default=1e-6
        Added to the diagonals of the covariances, in units of the variances of the
        features.
    max_iter : int, default=200
        Largest number of EM steps between splits, and at the end.
    n_init : int, default=1
        Number of fits for each number of components, of which the one with the highest
        likelihood is kept. The first splits components along their longest axes, the
        others along axes that are drawn.
    validation_fraction : float, default=0.1
        Share of the rows to hold out for the choice of ``n_components``, if `fit` is
        given none. Equal rows always go to the same part. The number chosen is then
        fitted on all rows.
    n_folds : int, default=None
        Number of folds. One mixture is fitted without each fold, all of the number of
        components that the folds together choose, and the density is the mean of theirs
        (aggregated hold-out): a mixture again, of so many times the components, which
        is denser on new rows where rows are few, and takes as many times as long to
        score. `fit` with ``X_val`` takes no folds; in a stack that is grown by folds
        only the last fit, to all rows, does. Fewer different rows than folds have a
        single mixture. Not for "tied" mixtures, the mean of which is none.
    order : "auto" or None, default="auto"
        Order in which features are mapped. "auto" puts last what is least determined
        by the others, so that relations among few features are relations among few
        latents, wherever these features stand. None takes features as they come.
    n_jobs : int, default=None
        Number of threads that take blocks of rows side by side, 65,536 in a fit. The
        result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the axes that are drawn, and of the hold-out.

    Attributes
    ----------
    n_components_ : int
        Number of components, the background not counted; with ``n_folds`` of all
        mixtures together. Fewer than asked for if some died, that is, lost all rows to
        others, or became one with another.
    weights_ : ndarray of shape (`n_components_`,)
        Weights of the components; with a background that of it follows, so there is one
        more. So it is with means and covariances.
    means_ : ndarray of shape (`n_components_`, n_features)
        Means of the components.
    covariances_ : ndarray
        Covariances, of the shape that scikit-learn gives them for each type. Those of
        columns beyond 1e154, whose squares no float64 holds, are the largest float64.
    lower_bound_ : float
        Mean log-density of the training rows, in nats.
    n_iter_ : int
        Number of EM steps of the fit that is kept, since its components were split from
        those of the number tried before.
    converged_ : bool
        Whether EM stopped by ``tol``.
    validation_score_ : dict of int to float
        Mean log-density of the held-out rows for each number that was tried, in nats
        (mean over folds with ``n_folds``); empty if there was no choice.
    map_ : Chain
        What was learned: to standard units, and the
        :class:`~destructors.maps.Rosenblatt` map of the mixture in these units.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    Warns
    -----
    ConvergenceWarning
        If EM did not converge in ``max_iter`` steps.

    See Also
    --------
    destructors.linear.Whitening : A single Gaussian.

    Notes
    -----
    Where the mixture is empty between components its map is flat as far as float64 can
    tell, and a row there would not come back from the latent. After `fit` every map
    therefore rises by at least 1e-7 per standard deviation, and the log-density is that
    of the mixture to about 1e-6 nats. `from_parameters` leaves this out.

    Of rows that are not in memory (`destructors.open_rows`), the number of components
    and the mixture to begin with are found on those that tell them, drawn by content;
    the last passes share out all rows, and the mixture moves after each 32nd of them.

    References
    ----------
    M. Rosenblatt, *Remarks on a multivariate transformation*, Annals of Mathematical
    Statistics 23, 1952. J. D. Banfield and A. E. Raftery, *Model-based Gaussian and
    non-Gaussian clustering*, Biometrics 49, 1993, for a component of outliers. C.
    Fraley and A. E. Raftery, *Bayesian regularization for normal mixture estimation and
    model-based clustering*, Journal of Classification 24, 2007, for priors of
    covariances; that they share a shape and that its strength is learned is ours. G.
    Maillard, S. Arlot and M. Lerasle, *Aggregated hold-out*, Journal of Machine
    Learning Research 22, 2021, for means over folds.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.mixture import GaussianMixtureDestructor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(1000, 2)) + rng.choice([-3.0, 3.0], size=(1000, 1))
    >>> model = GaussianMixtureDestructor([1, 2], random_state=0).fit(X)
    >>> model.n_components_
    2
    >>> Z = model.transform(X)
    >>> bool(np.allclose(model.inverse_transform(Z), X))
    True
    """

    _takes_stored = True
    _parameter_constraints: ClassVar[dict] = {
        "n_components": [_AT_LEAST_1, list, tuple, StrOptions({"auto"})],
        "covariance_type": [StrOptions(set(COVARIANCES))],
        "background": ["boolean"],
        "degrees_of_freedom_prior": [_AT_LEAST_0, StrOptions({"auto"})],
        "tol": [_AT_LEAST_0],
        "reg_covar": [_AT_LEAST_0],
        "max_iter": [_AT_LEAST_1],
        "n_init": [_AT_LEAST_1],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_folds": [Interval(Integral, 2, None, closed="left"), None],
        "order": [StrOptions({"auto"}), None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components: int | Sequence[int] | Literal["auto"] = "auto",
        *,
        covariance_type: Literal["full", "tied", "diag", "spherical"] = "full",
        background: bool = True,
        degrees_of_freedom_prior: float | Literal["auto"] = "auto",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 200,
        n_init: int = 1,
        validation_fraction: float = 0.1,
        n_folds: int | None = None,
        order: Literal["auto"] | None = "auto",
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.background = background
        self.degrees_of_freedom_prior = degrees_of_freedom_prior
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.validation_fraction = validation_fraction
        self.n_folds = n_folds
        self.order = order
        self.n_jobs = n_jobs
        self.random_state = random_state

    @classmethod
    def from_parameters(
        cls,
        weights: ArrayLike,
        means: ArrayLike,
        covariances: ArrayLike,
        *,
        covariance_type: Literal["full", "tied", "diag", "spherical"] = "full",
    ) -> "GaussianMixtureDestructor":
        """Make a fitted destructor of given parameters, as of a `GaussianMixture`.

        Its log-density is exactly that of the mixture, the features of which are mapped
        as they come.

        Parameters
        ----------
        weights : array-like of shape (n_components,)
            Positive weights, of sum one.
        means : array-like of shape (n_components, n_features)
            Means of the components.
        covariances : array-like
            Covariances, of the shape that scikit-learn gives them for the type.
        covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
            Type of the covariances.

        Returns
        -------
        destructor : GaussianMixtureDestructor
            The map of this mixture.

        Raises
        ------
        ValueError
            If shapes do not fit, weights are not positive or not of sum one, or a
            covariance is not symmetric and positive definite.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.mixture import GaussianMixture
        >>> from destructors.mixture import GaussianMixtureDestructor
        >>> X = np.random.default_rng(0).gamma(2.0, size=(500, 2))
        >>> peer = GaussianMixture(3, random_state=0).fit(X)
        >>> model = GaussianMixtureDestructor.from_parameters(
        ...     peer.weights_, peer.means_, peer.covariances_
        ... )
        >>> bool(np.allclose(model.score_samples(X), peer.score_samples(X)))
        True
        """
        pi, mu, full = check_mixture(weights, means, covariances, covariance_type)
        n_components, n_features = mu.shape
        how: dict[str, Any] = {"covariance_type": covariance_type, "order": None}
        model = cls(n_components, background=False, **how)
        model.n_features_in_ = n_features
        model.base_distribution_ = StandardNormal(n_features)
        center = pi @ mu
        variances = np.diagonal(full, axis1=1, axis2=2)
        scale = np.sqrt(pi @ (variances + (mu - center) ** 2))
        standard = full / np.multiply.outer(scale, scale)
        mixture = Rosenblatt.of(pi, (mu - center) / scale, standard)
        model.map_ = Chain((Affine(center, scale), mixture))
        model.n_components_, model.weights_, model.means_ = n_components, pi, mu
        model.covariances_ = np.array(covariances, dtype=np.float64)
        return model

    # ------------------------------------------------------------------ fitting

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        assert random_state is not None
        every, given = fold.train, fold.train
        held_out = None if fold.validation is None else fold.validation.enough()
        if isinstance(every, StoredRows):
            # What starts the steps on all rows is found on some of them.
            given = self._few(every)
        values, weight, place = given.unique()
        rows = Rows.of(values, weight, n_jobs=given.n_jobs, unit=given.unit)
        is_stored = isinstance(every, StoredRows)
        center, scale, constant = robust_mean_and_scale(every if is_stored else rows)
        if self.covariance_type == "spherical":
            scale = np.full_like(scale, _root_mean_square(scale, constant))
        to_units = Affine(center, scale)
        if self.n_folds is not None and self.covariance_type == "tied":
            raise ValueError(
                "n_folds takes the mean of mixtures, and that of tied ones is none: "
                "take another covariance_type than 'tied', or n_folds=None."
            )
        parts = Fold(rows, held_out).through(to_units)
        try:
            em, self.validation_score_ = fit_some_number(self, parts, random_state)
            if is_stored:
                found, em = em, EM(self, every.through(to_units), self.max_iter)
                judges = parts.validation
                em.remembered("stored", fit=lambda em: fit_in_parts(em, found, judges))
        except np.linalg.LinAlgError as error:
            raise ValueError(
                "A covariance is singular: raise reg_covar, or take fewer components."
            ) from error
        if not em.converged and em.n_steps == self.max_iter:
            warnings.warn(
                f"EM did not converge in {self.max_iter} steps. Raise max_iter or tol.",
                ConvergenceWarning,
                stacklevel=2,
            )
        weights, means, covariances = em.mixture
        self.n_components_, self.weights_ = len(weights) - em.background, weights
        self.means_ = center + means * scale
        self.covariances_ = em.type.rescale(covariances, scale)
        log_scale = np.log(scale).sum()
        all_near = em.rows is em.given
        lower_bound = em.lower_bound if all_near else em.score(em.given)
        self.lower_bound_ = float(lower_bound - log_scale)
        self.n_iter_, self.converged_ = em.n_iter, em.converged
        scores = self.validation_score_.items()
        self.validation_score_ = {k: score - log_scale for k, score in scores}
        self._leftover = em, place
        order = self._choose_order(em.mixture)
        return Chain((to_units, self._rosenblatt(em.mixture, order)))

    def _honest(
        self, fold: Fold, map_: Map, random_state: np.random.RandomState | None
    ) -> Fold:
        """Return rows mapped by mixtures that hardly know them.

        The mixture fits its own rows better than new ones. Here each fold is mapped by
        the mixture after a few more steps of EM on the other folds only, so that the
        next layer sees latent rows such as new ones will have. A mean of mixtures has
        one for each fold that does not know it.
        """
        em, place = self._leftover
        if isinstance(em.given, StoredRows):
            # Of several blocks, each row has next to no part in the mixture.
            return fold.through(map_)
        rows, train = replace(em.given, n_jobs=None), fold.train
        if len(rows) < 2 * _N_FOLDS:
            return fold.through(map_)
        Z, log_det = np.empty_like(rows.values), np.empty(len(rows))
        assert isinstance(map_, Chain)
        _, like = map_.maps

        def map_part(known: tuple[Any, Mixture]) -> None:
            part, mixture = known
            own = self._to_map(mixture, like)
            Z[part], log_det[part] = own.forward(rows.values[part])

        map_threads(map_part, self._without_parts(em, train.n_jobs), train.n_jobs)
        moved = train.moved(Z[place], (log_det + rows.log_det)[place])
        return Fold(moved, fold.validation_through(map_))

    def _without_parts(self, em: EM, n_jobs: int | None) -> list[tuple[Any, Mixture]]:
        """Return parts of the rows, each with a mixture that hardly knows it."""
        if em.folds:
            return em.folds
        rows = replace(em.given, n_jobs=None)
        listed = EM(self, rows, 0, wide=em.wide).list_under(em.mixture)
        n_steps = _N_FOLD_STEPS if len(rows) < _MANY else 1
        # Rows stand in the order of their hashes, so that slices are random.
        ends = np.linspace(0, len(rows), _N_FOLDS + 1).astype(int)

        def without(part: Any) -> tuple[Any, Mixture]:
            # Rows of no weight: where the others are stays the same.
            weight = rows.weights.copy()
            weight[part] = 0.0
            copy = EM(self, replace(rows, weight=weight), n_steps, wide=em.wide)
            # Where the fold has all rows that are near, no others tell a mixture.
            if not copy.has_near:
                return part, em.mixture
            return part, copy.refine(em.mixture, listed)

        parts = [slice(*pair) for pair in itertools.pairwise(ends.tolist())]
        em.folds = map_threads(without, parts, n_jobs)
        return em.folds

    def _few(self, rows: StoredRows) -> Rows:
        """Return as many rows as tell the largest number of components, in memory."""
        numbers = numbers_to_try(self.n_components, len(rows), rows.n_features)
        # Of which some are held out.
        n_rows = n_telling(numbers[-1], rows) / (1.0 - self.validation_fraction)
        n_rows = min(max(n_rows, _N_DRAWN), _MOST_DRAWN / rows.n_features)
        return rows.few(int(n_rows), 0)

    def _refit_params(self, fitted: list[Any]) -> dict[str, Any]:
        if isinstance(self.n_components, Integral) or self.n_folds is not None:
            # The mean of mixtures chooses by folds of its own, and takes more.
            return {}
        typical = np.exp(np.mean([np.log(model.n_components_) for model in fitted]))
        return {"n_components": round(typical)}

    def _smaller(self) -> list[list[dict[str, Any]]]:
        numbers = smaller_numbers(self.n_components_)
        return [[{"n_components": n, "n_folds": None} for n in numbers]]

    def _choose_order(self, mixture: Mixture) -> NDArray | None:
        if self.order is None:
            return None
        return choose_order(mixture.weights, self._matrices(mixture))

    def _to_map(self, mixture: Mixture, like: Map) -> Map:
        """Return the map of a mixture, in standard units, as that of another."""
        # What each fold has learned is seen in one order.
        assert isinstance(like, Rosenblatt)
        return self._rosenblatt(mixture, like.order)

    def _rosenblatt(self, mixture: Mixture, order: NDArray | None) -> Rosenblatt:
        weights, means, _ = mixture
        return Rosenblatt.of(weights, means, self._matrices(mixture), TILT, order)

    def _matrices(self, mixture: Mixture) -> NDArray:
        _, means, covariances = mixture
        return as_matrices(self.covariance_type, covariances, means)


def _root_mean_square(scale: NDArray, constant: NDArray) -> float:
    """Return the one scale of features that are not constant; 1 if all are."""
    scale = scale if constant.all() else scale[~constant]
    # In units of the largest, no square is out of range.
    return float(scale.max() * np.sqrt(np.mean((scale / scale.max()) ** 2)))
