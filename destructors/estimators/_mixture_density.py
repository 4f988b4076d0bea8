"""A mixture for tables of numbers, integers and categories, with missing values."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from destructors._compat import Interval, StrOptions
from destructors.base import Destructor, HoldoutDestructor
from destructors.base_distributions import StandardNormal
from destructors.compose import make_destructor_pipeline
from destructors.estimators._columns import find_categorical
from destructors.greedy import Progress
from destructors.maps import Affine, Columns, Identity, Map
from destructors.marginal import SplineGaussianizer
from destructors.mixture import GaussianMixtureDestructor
from destructors.mixture._mixed_counts import Strength
from destructors.mixture._mixed_em import MixedEM, Table
from destructors.mixture._mixed_number import MixedNumbers, Part
from destructors.mixture._number import numbers_to_try
from destructors.rows import Fold, Rows, make_splits, robust_mean_and_scale
from destructors.table import Categorical, read_rows

_AT_LEAST_0 = Interval(Real, 0, None, closed="left")
_AT_LEAST_1 = Interval(Integral, 1, None, closed="left")
# Of fewer rows a tenth tells little: all of them are held out in turn.
_FEW_ROWS, _N_FOLDS = 600, 5
# A column of fewer different values, or of more rows for each, is standardised only.
_FEWEST_VALUES, _LEAST_DIFFERENT = 10, 0.5


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
        rows = _unique(fold.train)
        map_ = self._fit_marginals(rows, random_state)
        rows, held_out = rows.through(map_), fold.validation_through(map_)
        seed = random_state.randint(2**31 - 1)
        splits = [] if held_out is None else [(rows, held_out)]
        splits = splits or self._hold_out(rows, seed)
        parts = [self._part(*split, seed) for split in splits]
        is_chosen = not isinstance(self.n_components, Integral)
        numbers = numbers_to_try(self.n_components, len(rows), rows.n_features)
        # Each begins with half as many.
        smaller = {2**i for i in range(numbers[-1].bit_length()) if 2**i < numbers[-1]}
        numbers = sorted({1, *numbers} if is_chosen else smaller.union(numbers))
        search = MixedNumbers(numbers, self._start, is_chosen)
        best, scores = search.choose(parts, Progress(self, noun="number"))
        if len(parts) > 1:
            em = search.grow(self._part(rows, rows, seed), best)
        else:
            em = self._start(Table(rows), best.strength).fit_from(best.mixture)
        if not em.converged and em.n_iter == self.max_iter:
            warnings.warn(
                f"EM did not converge in {self.max_iter} steps. Raise max_iter or tol.",
                ConvergenceWarning,
                stacklevel=2,
            )
        shift = np.mean(
            [np.average(p.held_out.log_det, weights=p.held_out.weight) for p in parts]
        )
        self.validation_score_ = {k: float(s + shift) for k, s in scores.items()}
        log_det = np.average(rows.log_det, weights=rows.weight)
        self.lower_bound_ = float(em.lower_bound + log_det)
        self.base_distribution_, self.weights_ = em.mixture, em.mixture.weights
        self.n_components_ = len(self.weights_) - 1
        self.n_iter_, self.converged_ = em.n_iter, em.converged
        return map_

    def _start(self, table: Table, strength: Strength) -> MixedEM:
        return MixedEM(table, self.tol, self.reg_covar, self.max_iter, strength)

    @staticmethod
    def _part(train: Rows, held_out: Rows, seed: int) -> Part:
        table = Table(train)
        return Part(table, table.axes(np.random.RandomState(seed)), held_out)

    def _hold_out(self, rows: Rows, seed: int) -> list[tuple[Rows, Rows]]:
        if len(rows) == 1:
            # A single row has to serve as both.
            return [(rows, rows)]
        n_folds = min(_N_FOLDS, len(rows)) if len(rows) < _FEW_ROWS else None
        splits = make_splits(_whole(rows), n_folds, self.validation_fraction, seed)
        return [(rows.take(train), rows.take(test)) for train, test in splits]

    def _fit_marginals(self, rows: Rows, random_state: np.random.RandomState) -> Map:
        """Fit the map of each column of numbers, to what is there of it."""
        X, kinds = rows.values, rows.kinds
        numbers = np.arange(X.shape[1]) if kinds is None else np.flatnonzero(kinds == 0)
        maps, seed = [], random_state.randint(2**31 - 1)
        for j in range(X.shape[1]):
            known = ~np.isnan(X[:, j])
            if not known.any():
                raise ValueError(f"Column {rows.name(j)} has no value at all: drop it.")
            if j in numbers:
                part = rows.take(known).columns(np.array([j]))
                maps.append(self._fit_marginal(replace(part, kinds=None), seed))
        if not len(numbers):
            return Identity()
        return Columns(tuple(maps), tuple(numbers[:, None]))

    def _fit_marginal(self, rows: Rows, seed: int) -> Map:
        n_rows, rows = len(rows), Rows.of(*rows.unique()[:2])
        is_own = isinstance(self.marginal, Destructor)
        # A density of values that repeat has no bound, so their spikes are left alone.
        repeats = len(rows) < max(_FEWEST_VALUES, _LEAST_DIFFERENT * n_rows)
        if self.marginal is None or (repeats and not is_own):
            center, scale, _ = robust_mean_and_scale(rows)
            return Affine(center, scale)
        if is_own:
            marginal: Any = clone(self.marginal)
        else:
            mixture = GaussianMixtureDestructor(random_state=seed)
            marginal = make_destructor_pipeline(mixture, SplineGaussianizer())
        marginal._fit_rows(Fold(rows))
        if marginal.base_distribution_ != StandardNormal(1):
            raise ValueError(
                "marginal must end on the standard normal, but ends on "
                f"{marginal.base_distribution_!r}."
            )
        return marginal.map_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags


def _whole(rows: Rows) -> Rows:
    """Return rows without holes, which hash as those with holes should."""
    missing = np.isnan(rows.values)
    values = np.where(missing, 0.0, rows.values)
    return replace(rows, values=np.hstack([values, missing]), kinds=None, names=None)


def _unique(rows: Rows) -> Rows:
    """Return the different rows, each with the weight of all that equal it."""
    values, weight, _ = _whole(rows).unique()
    values, missing = np.hsplit(values, 2)
    values = np.where(missing > 0, np.nan, values)
    return Rows.of(
        values, weight, kinds=rows.kinds, names=rows.names, n_jobs=rows.n_jobs
    )
