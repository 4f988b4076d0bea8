"""A Gaussian mixture as a destructor."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from destructors._compat import Interval, StrOptions
from destructors._moments import mean_and_scale
from destructors._splits import merge_repeats, split_rows
from destructors.base import Destructor
from destructors.mixture._covariance import COVARIANCES
from destructors.mixture._em import EM
from destructors.mixture._given import check_mixture
from destructors.mixture._normal import LARGEST
from destructors.mixture._rosenblatt import Rosenblatt

__all__ = ["GaussianMixtureDestructor"]

# Least slope of each feature's map, in standard units: enough to invert it in any gap
# between components, however empty.
_TILT = 1e-7
# Folds by which the rows of a stack are mapped, and steps of EM on the other folds.
_N_FOLDS, _N_FOLD_STEPS = 5, 3
# Candidates in a row that are worse than the best before the search ends, and the
# held-out nats for which a smaller number is taken.
_N_WORSE, _NO_LOSS = 2, 0.01
# What "auto" tries, and the rows for each feature that a component should have.
_NUMBERS, _N_ROWS = 2 ** np.arange(10), 4


class GaussianMixtureDestructor(Destructor):
    r"""Map a Gaussian mixture to N(0, I), feature after feature.

    Each feature goes through its distribution function given the features before it and
    on to the normal quantile, :math:`z_j = \Phi^{-1}(F(x_j | x_1 … x_{j-1}))` (the
    Rosenblatt map). The density of the destructor is that of the mixture.

    Parameters
    ----------
    n_components : int, list of int or "auto", default="auto"
        Number of components, or numbers to choose from by the log-density of held-out
        rows. They are tried from the smallest on until two in a row are worse than the
        best; then the smallest within 0.01 nats of the best is taken. Numbers larger
        than that of different rows are passed over. "auto" tries the powers of two up
        to 512 that leave each component four rows a feature.
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
        Largest number of EM steps.
    n_init : int, default=1
        Number of starts, of which the one with the highest likelihood is kept.
    validation_fraction : float, default=0.1
        Share of the rows to hold out for the choice of ``n_components``. Equal rows
        always go to the same part. The number chosen is then fitted on all rows.
    n_jobs : int, default=None
        Number of threads that transform rows side by side. The result does not depend
        on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the starts and of the hold-out.

    Attributes
    ----------
    n_components_ : int
        Number of components, the background not counted. Fewer than asked for if some
        died, that is, lost all rows to others.
    weights_ : ndarray of shape (`n_components_`,)
        Weights of the components; with a background that of it follows, so there is one
        more. So it is with means and covariances.
    means_ : ndarray of shape (`n_components_`, n_features)
        Means of the components.
    covariances_ : ndarray
        Covariances, of the shape that scikit-learn gives them for each type.
    lower_bound_ : float
        Mean log-density of the training rows, in nats.
    n_iter_ : int
        Number of EM steps of the fit that is kept.
    converged_ : bool
        Whether EM stopped by ``tol``.
    validation_score_ : dict of int to float
        Mean log-density of the held-out rows for each number that was tried, in nats;
        empty if there was no choice.
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

    References
    ----------
    M. Rosenblatt, *Remarks on a multivariate transformation*, Annals of Mathematical
    Statistics 23, 1952. J. D. Banfield and A. E. Raftery, *Model-based Gaussian and
    non-Gaussian clustering*, Biometrics 49, 1993, for a component of outliers. C.
    Fraley and A. E. Raftery, *Bayesian regularization for normal mixture estimation and
    model-based clustering*, Journal of Classification 24, 2007, for priors of
    covariances; that they share a shape and that its strength is learned is ours.

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

    _uses_validation = True
    _parameter_constraints: ClassVar[dict] = {
        "n_components": [
            Interval(Integral, 1, None, closed="left"),
            list,
            tuple,
            StrOptions({"auto"}),
        ],
        "covariance_type": [StrOptions(set(COVARIANCES))],
        "background": ["boolean"],
        "degrees_of_freedom_prior": [
            Interval(Real, 0, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "tol": [Interval(Real, 0, None, closed="left")],
        "reg_covar": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
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
    ) -> GaussianMixtureDestructor:
        """Make a fitted destructor of given parameters, as of a `GaussianMixture`.

        Its log-density is exactly that of the mixture.

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
        model = cls(n_components, covariance_type=covariance_type, background=False)
        model.n_features_in_ = n_features
        model.base_distribution_ = model._make_base_distribution()
        center = pi @ mu
        variances = np.diagonal(full, axis1=1, axis2=2)
        scale = np.sqrt(pi @ (variances + (mu - center) ** 2))
        factors = np.linalg.cholesky(full / np.multiply.outer(scale, scale))
        model._set_map(center, scale, pi, (mu - center) / scale, factors, 0.0)
        model.means_ = mu
        model.covariances_ = np.array(covariances, dtype=np.float64)
        return model

    # ------------------------------------------------------------------ fitting

    def _fit(self, X, sample_weight, random_state, validation=None):
        X, weight, _ = merge_repeats(X, sample_weight)
        self._fit_distinct(X, weight, random_state, validation)

    def _fit_forward(self, X, sample_weight, random_state, validation=None):
        """Fit, and map each row by a mixture that hardly knows it.

        The mixture fits its own rows better than new ones. Here each fold is mapped by
        the mixture after a few more steps of EM on the other folds only, so that the
        next layer sees latent rows such as new ones will have.
        """
        X, weight, place = merge_repeats(X, sample_weight)
        em = self._fit_distinct(X, weight, random_state, validation)
        if len(X) < 2 * _N_FOLDS:
            Z, log_det = self._by_rows(self._forward, X)
            return Z[place], log_det[place]
        X = (X - self._center) / self._scale
        Z, log_det = np.empty_like(X), np.empty(len(X))
        # Rows stand in the order of their hashes, so that slices are random.
        for fold in np.array_split(np.arange(len(X)), _N_FOLDS):
            others = self._make_em(
                np.delete(X, fold, axis=0), np.delete(weight, fold), _N_FOLD_STEPS
            ).fit_from(em.mixture)
            weights, means, covariances = others.mixture
            factors = others.type.factors(covariances, len(weights))
            rosenblatt = Rosenblatt(weights, means, factors, _TILT)
            Z[fold], log_det[fold] = rosenblatt.forward(X[fold])
        return Z[place], log_det[place] + self._log_det

    def _fit_distinct(self, X, weight, random_state, validation) -> EM:
        """Fit to rows that are all different."""
        center, scale, _ = mean_and_scale(X, weight)
        if self.covariance_type == "spherical":
            scale = np.full_like(scale, np.sqrt(np.mean(scale**2)))
        X = (X - center) / scale
        if validation is not None:
            held_out, held_out_weight = validation
            if held_out_weight is None:
                held_out_weight = np.ones(len(held_out))
            validation = (held_out - center) / scale, held_out_weight
        self.validation_score_: dict[int, float] = {}
        try:
            em = self._fit_em(X, weight, random_state, validation)
        except np.linalg.LinAlgError as error:
            raise ValueError(
                "A covariance is singular: raise reg_covar, or take fewer components."
            ) from error
        if not em.converged:
            warnings.warn(
                f"EM did not converge in {self.max_iter} steps. Raise max_iter or tol.",
                ConvergenceWarning,
                stacklevel=2,
            )
        weights, means, covariances = em.mixture
        factors = em.type.factors(covariances, len(weights))
        self._set_map(center, scale, weights, means, factors, _TILT)
        self.n_components_ = len(weights) - em.background
        self.means_ = center + means * scale
        self.covariances_ = em.type.rescale(covariances, scale)
        self.lower_bound_ = float(em.lower_bound - np.log(scale).sum())
        self.n_iter_, self.converged_ = em.n_iter, em.converged
        scores = self.validation_score_.items()
        self.validation_score_ = {k: score - np.log(scale).sum() for k, score in scores}
        return em

    def _fit_em(self, X, weight, random_state, validation):
        """Fit in standard units, and choose the number of components."""
        candidates = self._candidates(*X.shape)
        if len(candidates) == 1:
            return self._start(X, weight, candidates[0], random_state)
        train = X, weight
        if refit := validation is None:
            seed = random_state.randint(2**31 - 1)
            train_rows, held_out = split_rows(X, weight, self.validation_fraction, seed)
            train = X[train_rows], weight[train_rows]
            validation = X[held_out], weight[held_out]
        fits: list[EM] = []
        scores: list[float] = []
        for k in candidates:
            fits.append(self._start(*train, min(k, len(train[0])), random_state))
            scores.append(fits[-1].score(*validation))
            self.validation_score_[k] = scores[-1]
            n_worse = len(scores) - 1 - int(np.argmax(scores))
            if n_worse == _N_WORSE or k >= len(train[0]):
                break
        best = fits[int(np.argmax(np.array(scores) >= max(scores) - _NO_LOSS))]
        return self._make_em(X, weight).fit_from(best.mixture) if refit else best

    def _settled_params(self, fitted):
        if isinstance(self.n_components, Integral):
            return {}
        typical = np.exp(np.mean([np.log(model.n_components_) for model in fitted]))
        return {"n_components": round(typical)}

    def _candidates(self, n_rows: int, n_features: int) -> list[int]:
        """Numbers of components to try, smallest first."""
        given = self.n_components
        if isinstance(given, str):
            enough = max(1, n_rows // (_N_ROWS * n_features))
            return [int(number) for number in _NUMBERS if number <= enough]
        numbers = sorted(set(np.atleast_1d(np.asarray(given, dtype=object))))
        for number in numbers:
            if not isinstance(number, Integral) or number < 1:
                raise ValueError(
                    f"n_components must be positive integers, got {number!r} among "
                    f"{given!r}."
                )
        if not numbers:
            raise ValueError("n_components is empty: give at least one number.")
        possible = [int(number) for number in numbers if number <= n_rows]
        if not possible:
            raise ValueError(
                f"n_components={given!r} is more than there are different rows "
                f"(n_samples={n_rows})."
            )
        return possible

    def _start(self, X, weight, n_components, random_state) -> EM:
        """Fit from ``n_init`` seeds; keep the most likely."""
        fits = [
            self._make_em(X, weight).fit(
                n_components, np.random.RandomState(random_state.randint(2**31 - 1))
            )
            for _ in range(self.n_init)
        ]
        return max(fits, key=lambda em: em.lower_bound)

    def _make_em(self, X, weight, max_iter=None) -> EM:
        strength = self.degrees_of_freedom_prior
        return EM(
            X,
            weight,
            COVARIANCES[self.covariance_type],
            degrees_of_freedom_prior=None if strength == "auto" else float(strength),
            background=self.background and self.covariance_type != "tied",
            reg_covar=self.reg_covar,
            tol=self.tol,
            max_iter=max_iter or self.max_iter,
        )

    # ------------------------------------------------------------------ mapping

    def _set_map(self, center, scale, weights, means, factors, tilt):
        """Become the map of a mixture that is given in standard units."""
        self.weights_ = weights
        self.n_components_ = len(weights)
        self._center, self._scale = center, scale
        self._log_det = -np.log(scale).sum()
        self._map = Rosenblatt(weights, means, factors, tilt)

    def _forward(self, X):
        # Farther out than this squares overflow, and nothing is left to tell apart.
        X = np.clip((X - self._center) / self._scale, -LARGEST, LARGEST)
        Z, log_det = self._map.forward(X)
        return Z, log_det + self._log_det

    def _inverse(self, Z):
        X, log_det = self._map.inverse(np.clip(Z, -LARGEST, LARGEST))
        return X * self._scale + self._center, log_det - self._log_det
