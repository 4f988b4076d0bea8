"""Missing values filled in from a density."""

from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from destructors._compat import StrOptions, fit_scope
from destructors.estimators._mean_regression import learn_regressions
from destructors.estimators._mixture_density import MixtureDensity
from destructors.maps import Imputer
from destructors.table import read_rows


class DensityImputer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Fill in what is missing in each row, given what is there.

    A density is fitted to rows with holes, and what is missing follows from its
    conditional distribution: for tables of numbers, integers and categories alike.
    Means of numbers and integers are corrected by regressions on what the density
    expects of the row, where rows that it has not seen gain by them.

    Parameters
    ----------
    density : MixtureDensity or None, default=None
        What to fit; it is cloned. None for ``MixtureDensity(marginal=None)``, whose
        classes are Gaussian in the units of the numbers, as their means are.
    strategy : {"mean", "mode", "sample"}, default="mean"
        What to fill in: the conditional mean of numbers and integers and the most
        probable category; the most probable value; or a draw, which alone leaves the
        variances and the dependences of the table as they are.
    correct_means : bool, default=True
        Whether means are corrected: linear regressions are learned from densities of as
        many classes that have not seen the rows, each fifth of the rows in turn, or
        each half of 10,000 rows and more, and rows left out weigh them, the mean of the
        density and that of the column (stacking). Without, they are those of the
        density.
    random_state : int, RandomState instance or None, default=None
        Seed of the density, where that has none, of the folds and of the draws. With an
        int, `transform` gives a table the same draws each time.

    Attributes
    ----------
    density_ : MixtureDensity
        The fitted density.
    corrected_ : ndarray of int
        Positions of the columns whose means are corrected.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.

    See Also
    --------
    MixtureDensity : Draws many times, and scores rows with holes.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.estimators import DensityImputer
    >>> x = np.random.default_rng(0).normal(size=500)
    >>> X = np.stack([x, 2.0 * x], axis=1)
    >>> X[0, 1] = np.nan
    >>> imputed = DensityImputer(random_state=0).fit_transform(X)
    >>> bool(abs(imputed[0, 1] - 2.0 * x[0]) < 0.1)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "density": [MixtureDensity, None],
        "strategy": [StrOptions({"mean", "mode", "sample"})],
        "correct_means": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        density: MixtureDensity | None = None,
        *,
        strategy: Literal["mean", "mode", "sample"] = "mean",
        correct_means: bool = True,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.density = density
        self.strategy = strategy
        self.correct_means = correct_means
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Fit the density.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data, NaN where a value is missing.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            The fitted imputer.

        Raises
        ------
        ValueError
            If a column has no value at all, or is infinite somewhere.
        """
        with fit_scope(self):
            random_state = check_random_state(self.random_state)
            default = MixtureDensity(marginal=None)
            density = clone(default if self.density is None else self.density)
            seed = random_state.randint(2**31 - 1)
            if density.random_state is None:
                density.set_params(random_state=seed)
            density.fit(X)
            regressions = []
            if self.correct_means:
                regressions = learn_regressions(density, X, random_state)
        self.density_, self._regressions = density, regressions
        self.corrected_ = np.unique([each.column for each in regressions]).astype(int)
        self.n_features_in_ = density.n_features_in_
        if hasattr(density, "feature_names_in_"):
            self.feature_names_in_ = density.feature_names_in_
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return self

    def transform(self, X: ArrayLike) -> Any:
        """Return rows without holes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data, NaN where a value is missing.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            The rows, what was there as it was: a frame with the dtypes of the training
            data if these were one.
        """
        check_is_fitted(self)
        if self.strategy == "sample":
            return self.density_.sample_conditional(X, 1, self.random_state)
        read_rows(self.density_, X, reset=False, may_miss=True)
        return self.to_imputer().transform(X)

    def to_imputer(self) -> Imputer:
        """Return what fills in holes, without the learner.

        Returns
        -------
        imputer : destructors.maps.Imputer
            It has `transform`, and is what `destructors.save` writes.

        Raises
        ------
        NotFittedError
            If there is nothing learned yet.
        """
        check_is_fitted(self)
        seed = self.random_state if isinstance(self.random_state, Integral) else None
        return Imputer(
            self.density_.to_density(),
            self.strategy,
            tuple(self._regressions),
            None if seed is None else int(seed),
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags
