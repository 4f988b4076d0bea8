"""The density of columns given others."""

from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from destructors._compat import (
    HasMethods,
    Interval,
    StrOptions,
    check_sample_weight,
    fit_scope,
    validate_data,
)
from destructors.estimators._given_column import Settings, fit_column
from destructors.maps import Conditional, Schema
from destructors.rows import INTEGER, Rows
from destructors.rows._weights import scale_weights, size_of_weights
from destructors.table import check_columns

# Fewer rows than this leave time for singular values.
_FEW_ROWS = 1000


class ConditionalDensity(RegressorMixin, BaseEstimator):
    r"""Density of y given x, exactly, by layers that are kept if held-out rows gain.

    .. math:: p(y | x) = \prod_j p(y_j | x, y_{<j})

    Each column of y goes through an increasing map to N(0, 1) that depends on what is
    given. Its layers are: a map of the column by itself; regressions of its mean and
    scale, linear and by boosted trees; a map of the residual, for heavy tails and skew;
    and boosted density trees, which ask about x wherever that tells something of y.
    So log densities, distribution functions, quantiles and draws are all exact.

    Parameters
    ----------
    regressor : estimator or "auto", default="auto"
        Any scikit-learn regressor, for the mean. It sees all columns in standard units.
        "auto" takes a linear regression and boosted trees after it, each if it helps.
    heteroscedastic : bool, default=True
        Whether the scale may depend on x.
    max_trees : int, default=1000
        Largest number of density trees of each column of y.
    learning_rate : float or "auto", default="auto"
        Step of the root of each of these; see
        `~destructors.tree.BoostedTreeDestructor`.
    min_samples_leaf : float, default=20
        Smallest number of rows (or weight) in a leaf of these.
    n_folds : int, default=5
        Number of folds by which rows are held out in turn. Each layer is fitted to rows
        as those before it leave new ones.
    tol : float, default=1e-3
        Least rise of the mean held-out log density for which a layer before the trees
        is kept, in nats.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds, the regressors and the trees.

    Attributes
    ----------
    layer_names_ : list of list of str
        Names of the layers of each column of y: of "marginal", "regressions", "shape",
        "trees" and "calibration", those that held-out rows gain by.
    n_targets_ : int
        Number of columns of y.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.

    See Also
    --------
    MixtureDensity : One density of all columns, of which any are given.

    Notes
    -----
    Columns of y after the first are learned given those before. Their means and
    quantiles given x alone are those of draws; the order of the columns matters little.

    References
    ----------
    Z. Wang, N. Awaya and L. Ma, *Generative modeling of density regression through tree
    flows*, arXiv:2406.05260, 2024, for trees that split on what is given freely and on
    y for mass. N. Awaya and L. Ma, *Unsupervised tree boosting for learning probability
    distributions*, JMLR 25, 2024, for the boosting. M. Rosenblatt, *Remarks on a
    multivariate transformation*, Annals of Mathematical Statistics 23, 1952.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.estimators import ConditionalDensity
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1.0, 1.0, size=(2000, 1))
    >>> y = X[:, 0] + (0.2 + 0.1 * X[:, 0]) * rng.normal(size=2000)
    >>> model = ConditionalDensity(random_state=0).fit(X[:1000], y[:1000])
    >>> low, high = model.interval(X[1000:], coverage=0.9).T
    >>> bool(0.87 < np.mean((low < y[1000:]) & (y[1000:] < high)) < 0.93)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "regressor": [HasMethods(["fit", "predict"]), StrOptions({"auto"})],
        "heteroscedastic": ["boolean"],
        "max_trees": [Interval(Integral, 0, None, closed="left")],
        "learning_rate": [Interval(Real, 0, 1, closed="right"), StrOptions({"auto"})],
        "min_samples_leaf": [Interval(Real, 0, None, closed="neither")],
        "n_folds": [Interval(Integral, 2, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        regressor: Any = "auto",
        *,
        heteroscedastic: bool = True,
        max_trees: int = 1000,
        learning_rate: float | Literal["auto"] = "auto",
        min_samples_leaf: float = 20,
        n_folds: int = 5,
        tol: float = 1e-3,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.regressor = regressor
        self.heteroscedastic = heteroscedastic
        self.max_trees = max_trees
        self.learning_rate = learning_rate
        self.min_samples_leaf = min_samples_leaf
        self.n_folds = n_folds
        self.tol = tol
        self.random_state = random_state

    # ------------------------------------------------------------------ fitting

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Fit the density of y given x.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            What is given, finite.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets, finite.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows. Integer weights equal repeated rows.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If an input is not what it should be, or all rows are equal.
        """
        with fit_scope(self):
            values, y = validate_data(
                self,
                X,
                y,
                dtype=np.float64,
                order="C",
                multi_output=True,
                y_numeric=True,
                ensure_min_samples=2,
            )
            targets = np.asarray(y, dtype=np.float64)
            is_column = targets.ndim == 1
            targets = targets[:, None] if is_column else targets
            weight = None
            if sample_weight is not None:
                weight = check_sample_weight(
                    sample_weight, values, dtype=np.float64, ensure_non_negative=True
                )
                kept = weight > 0
                values, targets, weight = values[kept], targets[kept], weight[kept]
                weight = scale_weights(weight, size_of_weights(weight))
            d, n = values.shape[1], targets.shape[1]
            kinds = np.repeat([INTEGER, 0], [d, n])
            rows = Rows.of(np.hstack([values, targets]), weight, kinds=kinds)
            check_columns(rows)
            # On different rows in a fixed order, weights stand for repeated rows.
            both, weight, _ = rows.unique()
            if len(both) < 2:
                raise ValueError(
                    "All rows are equal: n_samples=1 different row is too few to learn "
                    "a density from."
                )
            seeds = check_random_state(self.random_state).randint(2**31 - 1, size=n)
            how = self._settings(len(both))
            columns = [
                fit_column(both[:, : d + j + 1], weight, how, int(seeds[j]))
                for j in range(n)
            ]
            self.n_targets_ = n
            self.layer_names_ = [column.layers for column in columns]
            names = getattr(self, "feature_names_in_", None)
            self._conditional = Conditional(
                tuple(column.context for column in columns),
                tuple(column.target for column in columns),
                is_column,
                Schema.of_named(names, d),
            )
        return self

    def _settings(self, n_rows: int) -> Settings:
        # Of few rows, or columns that follow from others, normal equations may be
        # singular but for the penalty; of many they save time.
        regressors = [Ridge(solver="svd" if n_rows < _FEW_ROWS else "auto"), None]
        if not isinstance(self.regressor, str):
            regressors = [self.regressor]
        trees = {
            "max_iter": int(self.max_trees),
            "learning_rate": self.learning_rate,
            "min_samples_leaf": self.min_samples_leaf,
        }
        return Settings(regressors, self.heteroscedastic, self.n_folds, self.tol, trees)

    # ------------------------------------------------------------------ what it is for

    def score_samples(self, X: ArrayLike, y: ArrayLike) -> NDArray:
        """Return the log density of y given x, in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            What is given.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            ``log p(y | x)``; that of a row does not depend on the other rows.
        """
        return self._model().score_samples(self._read(X), y)

    def score(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the mean log density of y given x, in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            What is given.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the mean.

        Returns
        -------
        score : float
            Larger is better. It is no share of a variance: for that there is
            `sklearn.metrics.r2_score`, on what `predict` gives.
        """
        scores = self.score_samples(X, y)
        weight = sample_weight
        if weight is not None:
            weight = check_sample_weight(weight, scores, ensure_non_negative=True)
        return float(np.average(scores, weights=weight))

    def cdf(self, X: ArrayLike, y: ArrayLike) -> NDArray:
        """Return the distribution function of each column of y.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            What is given.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        Returns
        -------
        probability : ndarray of the shape of y
            That of a smaller value, given x and the columns of y before it: uniform
            and independent where the density is right.
        """
        return self._model().cdf(self._read(X), y)

    def sample(
        self,
        X: ArrayLike,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> NDArray:
        """Draw y given x.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            What is given.
        n_samples : int, default=1
            Number of draws for each row.
        random_state : int, RandomState instance or None, default=None
            Pass an int for reproducible samples.

        Returns
        -------
        y : ndarray of shape (n_rows, n_samples) or (n_rows, n_samples, n_targets)
            Without an axis for targets if y had none.

        Raises
        ------
        ValueError
            If ``n_samples`` is no integer of at least 1.
        """
        rng = check_random_state(random_state)
        return self._model().sample(self._read(X), n_samples, rng)

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the mean of y given x.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            What is given.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Of the first column the mean of 128 quantiles, of the others that of draws,
            the same at each call.
        """
        return self._model().predict(self._read(X))

    def predict_quantile(self, X: ArrayLike, q: ArrayLike = 0.5) -> NDArray:
        """Return quantiles of y given x.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            What is given.
        q : float or array-like of shape (n_quantiles,), default=0.5
            Probabilities, between 0 and 1.

        Returns
        -------
        quantiles : ndarray of shape (n_samples, [n_targets], [n_quantiles])
            Without an axis for targets if y had none, and for quantiles if q has none.
            Exact for the first column; of the others, those of draws, the same at each
            call.

        Raises
        ------
        ValueError
            If a probability is not between 0 and 1.
        """
        return self._model().predict_quantile(self._read(X), q)

    def interval(self, X: ArrayLike, coverage: float = 0.9) -> NDArray:
        """Return intervals that hold y with a probability, as much on either side.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            What is given.
        coverage : float, default=0.9
            The probability, between 0 and 1.

        Returns
        -------
        interval : ndarray of shape (n_samples, 2) or (n_samples, n_targets, 2)
            Lower and upper ends.

        Raises
        ------
        ValueError
            If the probability is not between 0 and 1.
        """
        return self._model().interval(self._read(X), coverage)

    def to_conditional(self) -> Conditional:
        """Return what was learned, without the learner.

        Returns
        -------
        conditional : destructors.maps.Conditional
            It has the methods of this one, needs NumPy and SciPy only, and is what
            `destructors.save` writes.
        """
        return self._model()

    def _model(self) -> Conditional:
        check_is_fitted(self)
        return self._conditional

    def _read(self, X: ArrayLike) -> NDArray:
        return validate_data(self, X, dtype=np.float64, order="C", reset=False)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        # A mean log density has no level that is good for all data.
        tags.regressor_tags.poor_score = True
        return tags
