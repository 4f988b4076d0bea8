"""A mixture for tables of numbers, integers and categories, with missing values."""

import warnings
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from destructors._compat import Interval, StrOptions
from destructors.base import Destructor, HoldoutDestructor
from destructors.compose._find_categorical import find_categorical
from destructors.estimators._conditional_sampler import ConditionalSampler
from destructors.estimators._conditioned import ConditionedDensity
from destructors.flows._mixed_start import fit_start
from destructors.greedy import Progress
from destructors.maps import Map
from destructors.mixture._mixed_fit import MixedSettings
from destructors.mixture._mixed_number import mean_logpdf
from destructors.rows import Fold, weighted_mean
from destructors.table import Categorical, read_rows

_AT_LEAST_0 = Interval(Real, 0, None, closed="left")
_AT_LEAST_1 = Interval(Integral, 1, None, closed="left")


class MixtureDensity(HoldoutDestructor):
    r"""A mixture of classes that numbers, integers and categories share.

    .. math:: p(x) = \sum_k w_k \, p_k(x_{num}) \prod_{j \in int} p_{kj}(x_j)
              \, p_k(x_{cat})

    In each class numbers follow a Gaussian with a full covariance, after a map of each
    column by itself (``marginal``); categories follow a tree in which each depends on
    one other at most; integers have a table of those seen and a discretised logistic
    distribution. The score is one log density, with respect to lengths in numbers and
    counts in integers and categories.

    **Missing values** may be anywhere: in the rows of `fit`, which takes them to be
    missing at random, and in those to score, where they are summed out. What is missing
    in a row can be drawn (`sample_conditional`) or predicted (`predict_missing`) given
    what is there; all of it is exact. `transform` leaves it missing.

    Parameters
    ----------
    n_components : int, list of int or "auto", default="auto"
        Number of classes, or numbers to choose from by the log density of held-out
        rows; see :class:`~destructors.mixture.GaussianMixtureDestructor`. One class
        beside these takes the rows that no other explains.
    marginal : Destructor, None or "auto", default="auto"
        What each column of numbers goes through first, by itself: a destructor of one
        column that ends on the standard normal. "auto" takes a Gaussian mixture and a
        spline after it, for spikes as well as for heavy tails, where at least half of
        the values are different. None only standardises: then numbers follow a Gaussian
        mixture.
    categorical_features : array-like or "from_dtype", default="from_dtype"
        Which columns are categories: a mask, positions or names. "from_dtype" takes
        those of a DataFrame that hold no numbers. Of the others, those of an integer
        dtype are integers.
    handle_unknown : {"smooth", "error"}, default="smooth"
        Whether categories that were not seen in `fit` share one code, which has the
        probability that the smoothing gives it, or are an error.
    handle_missing : {"ignore", "category"}, default="ignore"
        Whether a category that is missing is summed out, or is a category of its own,
        where its absence tells something.
    tol : float, default=1e-3
        EM stops when a step changes the mean log density by less, in nats.
    reg_covar : float, default=1e-6
        Added to the diagonals of covariances, in units of the variances of the columns
        after ``marginal``.
    max_iter : int, default=200
        Largest number of EM steps for each number of classes.
    validation_fraction : float, default=0.1
        Share of the rows to hold out for the number of classes and the smoothing, if
        `fit` is given none; in the end the mixture is fitted on all. Of fewer than 600
        rows, each fifth is held out in turn.
    n_folds : int, default=None
        With a number, the mixture is the mean of so many, each fitted without one fold
        of the rows (aggregated hold-out): a mixture again, exact in all, of so many
        times the classes, which errs less and takes that much longer to score. Fewer
        rows than folds have a single mixture.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-out, and of the directions along which classes of many
        categories are split.

    Attributes
    ----------
    n_components_ : int
        Number of classes, without that of the rows that no other explains.
    weights_ : ndarray of shape (`n_components_` + 1,)
        Weights of the classes, the last that of all other rows.
    validation_score_ : dict of int to float
        Mean log density of the held-out rows for each number tried, in nats.
    lower_bound_ : float
        Mean log density of the training rows, in nats.
    n_iter_ : int
        Number of EM steps of the last fit.
    converged_ : bool
        Whether EM stopped by ``tol``.
    map_ : Columns or Identity
        The maps of the columns of numbers.
    base_distribution_ : MixedMixture
        The mixture, of what these maps give.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.

    Warns
    -----
    ConvergenceWarning
        If EM did not converge in ``max_iter`` steps.

    See Also
    --------
    DensityImputer : Fills in what is missing, as a transformer.
    destructors.mixture.GaussianMixtureDestructor : For numbers alone, as a layer.

    Notes
    -----
    Which values are missing may depend on what is there, but not on what is not
    (missing at random); then no model of the holes is needed. Tables of two categories
    are counted over the rows that have both.

    References
    ----------
    Z. Ghahramani and M. I. Jordan, *Supervised learning from incomplete data via an EM
    approach*, NIPS 1993. M. Meilă and M. I. Jordan, *Learning with mixtures of trees*,
    JMLR 1, 2000.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from destructors.estimators import MixtureDensity
    >>> rng = np.random.default_rng(0)
    >>> kind = rng.choice(["cat", "dog"], 1000)
    >>> weight = rng.normal(np.where(kind == "cat", 4.0, 20.0))
    >>> frame = pd.DataFrame({"kind": kind, "weight": weight})
    >>> holed = frame.mask(rng.random((1000, 2)) < 0.1)
    >>> model = MixtureDensity(random_state=0).fit(holed)
    >>> new = pd.DataFrame({"kind": ["cat", None], "weight": [np.nan, 25.0]})
    >>> filled = model.predict_missing(new)
    >>> str(filled["kind"][1]), bool(3.5 < filled["weight"][0] < 4.5)
    ('dog', True)
    """

    _parameter_constraints: ClassVar[dict] = {
        "n_components": [_AT_LEAST_1, list, tuple, StrOptions({"auto"})],
        "marginal": [Destructor, None, StrOptions({"auto"})],
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "handle_unknown": [StrOptions({"smooth", "error"})],
        "handle_missing": [StrOptions({"ignore", "category"})],
        "tol": [_AT_LEAST_0],
        "reg_covar": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [_AT_LEAST_1],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_folds": [Interval(Integral, 2, None, closed="left"), None],
        "random_state": ["random_state"],
    }
    _may_miss = True

    def __init__(
        self,
        n_components: int | Sequence[int] | Literal["auto"] = "auto",
        *,
        marginal: Destructor | Literal["auto"] | None = "auto",
        categorical_features: Any = "from_dtype",
        handle_unknown: Literal["smooth", "error"] = "smooth",
        handle_missing: Literal["ignore", "category"] = "ignore",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 200,
        validation_fraction: float = 0.1,
        n_folds: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_components = n_components
        self.marginal = marginal
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown
        self.handle_missing = handle_missing
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.validation_fraction = validation_fraction
        self.n_folds = n_folds
        self.random_state = random_state

    # ------------------------------------------------------------------ missing values

    def sample_conditional(
        self,
        X: ArrayLike,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> Any:
        """Draw what is missing in each row, given what is there.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Rows, NaN where a value is to be drawn.
        n_samples : int, default=1
            Number of draws for each row.
        random_state : int, RandomState instance or None, default=None
            Pass an int for reproducible samples.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_rows * n_samples, n_features)
            Rows without holes, those of the first row first. What was there is as it
            was; categories that were not seen are not drawn.

        Raises
        ------
        ValueError
            If ``n_samples`` is no integer of at least 1.
        """
        density = self.to_density()
        read_rows(self, X, reset=False, may_miss=True)
        rng = check_random_state(random_state)
        return density.sample_conditional(X, n_samples, rng)

    def condition(self, columns: Any) -> ConditionedDensity:
        """Return the density of all other columns given some, exactly.

        Parameters
        ----------
        columns : str, int or sequence of these
            Names of the columns that are given, or their positions.

        Returns
        -------
        conditional : ConditionedDensity
            It has `score_samples` and `sample`.

        Raises
        ------
        ValueError
            If there is no such column, or they are none or all.
        """
        return ConditionalSampler(self).condition(columns)

    def predict_missing(
        self, X: ArrayLike, strategy: Literal["mean", "mode"] = "mean"
    ) -> Any:
        """Return rows with one value for what is missing, given what is there.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Rows, NaN where a value is to be predicted.
        strategy : {"mean", "mode"}, default="mean"
            The conditional mean of numbers and integers, or the most probable value:
            of numbers, the most probable of the classes' own modes. Of categories both
            give the most probable one.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_rows, n_features)
            Rows without holes; what was there is as it was.
        """
        density = self.to_density()
        read_rows(self, X, reset=False, may_miss=True)
        return density.predict_missing(X, strategy)

    # ------------------------------------------------------------------ fitting

    def _categorical(self, X: Any) -> Mapping[int, Categorical]:
        missing: Any = "category" if self.handle_missing == "category" else "error"
        how = Categorical(None, self.handle_unknown, missing)
        return dict.fromkeys(find_categorical(self, X, self.categorical_features), how)

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        assert random_state is not None
        how = MixedSettings(
            self.n_components,
            self.tol,
            self.reg_covar,
            self.max_iter,
            self.validation_fraction,
            self.n_folds,
        )
        progress = Progress(self, noun="number")
        start = fit_start(fold, self.marginal, how, random_state, progress)
        em, rows = start.em, start.rows
        if not em.converged and em.n_iter == self.max_iter:
            warnings.warn(
                f"EM did not converge in {self.max_iter} steps. Raise max_iter or tol.",
                ConvergenceWarning,
                stacklevel=2,
            )
        self.validation_score_ = start.scores
        log_det = weighted_mean(rows.log_det, rows.weight)
        self.lower_bound_ = float(mean_logpdf(em.mixture, rows) + log_det)
        self.base_distribution_, self.weights_ = em.mixture, em.mixture.weights
        self.n_components_ = len(self.weights_) - 1
        self.n_iter_, self.converged_ = em.n_iter, em.converged
        return start.map

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags
