"""The contract: one base class carries every public method of every destructor."""

from abc import ABCMeta, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import DensityMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from destructors._compat import (
    CallbackEstimator,
    check_feature_names_in,
    check_sample_weight,
    fit_scope,
)
from destructors.base._blocks import (
    are_stored,
    in_turn,
    leave_stored,
    load_blocks,
    score_blocks,
)
from destructors.base._inspection import InspectionMixin
from destructors.base._shrink import ShrinkMixin
from destructors.base_distributions import StandardNormal
from destructors.maps import Density, Map, Schema
from destructors.maps._blocks import in_blocks
from destructors.rows import (
    Fold,
    RowBlocks,
    Rows,
    as_interrupt,
    limited,
    map_threads,
    remember,
    weighted_mean,
)
from destructors.rows._errors import FewRowsError
from destructors.table import (
    Categorical,
    check_columns,
    learn_schema,
    read_latent,
    read_rows,
)


class Destructor(
    InspectionMixin,
    ShrinkMixin,
    TransformerMixin,
    DensityMixin,
    CallbackEstimator,
    metaclass=ABCMeta,
):
    r"""Base class of all density destructors: what learns a map.

    A destructor learns an invertible map :math:`T` from data to the samples of a known
    base distribution. The two define a density by the change of variables,

    .. math:: \log p(x) = \log p_{base}(T(x)) + \log |\det J_T(x)|.

    A subclass implements one private hook and nothing else; validation, weights,
    scoring, sampling and saving are done here.

    ``_fit(fold, random_state) -> Map``
        learns from `destructors.rows.Fold`, sets the fitted attributes that a user
        wants to read, and returns the map; keeps no copy of the training rows
    ``_honest(fold, map_, random_state) -> Fold``
        optional: the rows as the next layer of a stack should see them. By default the
        map is applied. A flexible layer destroys its own training rows more than it
        will destroy new ones; it returns rows mapped by copies that did not see them

    Weights in a fold are positive (rows of weight zero are already gone) or None;
    ``random_state`` is a ``RandomState``, or None for a destructor without that
    parameter. A map that does not end on the standard normal sets
    ``base_distribution_`` in ``_fit``.

    Attributes
    ----------
    map_ : Map
        What was learned.
    base_distribution_ : Distribution
        What latent rows follow, as far as the model is right.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.

    See Also
    --------
    destructors.testing.check_destructor : The properties that each destructor has.

    References
    ----------
    Inouye and Ravikumar, *Deep density destructors*, ICML 2018, section 2.

    Examples
    --------
    A destructor of one's own:

    >>> import numpy as np
    >>> from destructors.base import Destructor
    >>> from destructors.maps import Affine
    >>> class Shift(Destructor):
    ...     def _fit(self, fold, random_state):
    ...         rows = fold.train
    ...         mean = np.average(rows.values, axis=0, weights=rows.weight)
    ...         return Affine(mean, np.ones_like(mean))
    >>> X = np.random.default_rng(0).normal(5.0, 1.0, size=(100, 2))
    >>> round(Shift().fit(X).score(X), 2)
    -2.75
    """

    _parameter_constraints: ClassVar[dict] = {}
    # Smallest input a fit makes sense on; stated in the error message otherwise.
    _min_samples: ClassVar[int] = 2
    _min_features: ClassVar[int] = 1

    # Whether it is fitted to rows of which a few blocks at a time are in memory: to
    # sums over them. What is made of layers leaves it to these. All others are fitted
    # to as many of the rows as are gathered in memory, drawn by content.
    _takes_stored: ClassVar[bool] = False
    # Whether `_honest` asks for nothing but the map.
    _is_honest_by_map: ClassVar[bool] = False
    # Whether it is fitted on rows with missing values.
    _may_miss: ClassVar[bool] = False
    # Whether the map may be a `Surjection`, or begin with one.
    _dequantizes: bool = False

    map_: Map
    base_distribution_: Any
    n_features_in_: int
    _schema: Schema | None = None
    # While a fit runs: whether `_honest` will be called, and what `_fit` leaves for it.
    _onwards: bool = False
    _leftover: Any = None

    # ------------------------------------------------------------------ hooks

    @abstractmethod
    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        """Learn the map."""

    def _honest(
        self, fold: Fold, map_: Map, random_state: np.random.RandomState | None
    ) -> Fold:
        """Return the rows as the next layer should see them."""
        return fold.through(map_)

    def _fits_stored(self, fold: Fold) -> bool:
        """Return whether it is fitted to these rows, which are not in memory."""
        return self._takes_stored

    def _refit_params(self, fitted: list[Any]) -> dict[str, Any]:
        """Return the parameters by which a fit without held-out rows does what fits
        with such rows (``fitted``, destructors of this class) have found best.
        """
        return {}

    def _categorical(self, X: Any) -> Mapping[int, Categorical]:
        """Return which columns of a table are categories, and how they are coded."""
        return {}

    # ------------------------------------------------------------------ fitting

    def fit(
        self, X: ArrayLike, y: Any = None, *, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Fit the map to data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data, finite; or what `destructors.open_rows` returns.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows. Integer weights equal repeated rows.

        Returns
        -------
        self : object
            The fitted destructor. Where a fit fails or is interrupted before anything
            is learned, the destructor is what it was before.

        Raises
        ------
        ValueError
            If ``X`` is not a finite two-dimensional array of numbers with enough rows
            and columns, or a weight is negative, or all are zero.
        TypeError
            If ``X`` is sparse.

        Warns
        -----
        DataWarning
            If columns are equal.
        """
        with self._fitting() as learner:
            learner._fit_rows(Fold(learner._read_training(X, sample_weight)))
        return self

    @contextmanager
    def _fitting(self) -> Iterator[Self]:
        """Yield a copy to fit, and become it once it is fitted.

        So a fit that fails leaves nothing behind: neither half a model where there was
        none, nor a mixture of two where there was one.
        """
        learner = object.__new__(type(self))
        learner.__dict__.update(self.__dict__)
        if not getattr(self, "warm_start", False):
            learner._forget()
        try:
            with fit_scope(self), limited(self):
                yield learner
        except FewRowsError as error:
            raise ValueError(f"{error} {self._instead_of_parts()}") from error
        except SystemError as error:
            raise as_interrupt(error) from None
        self.__dict__ = learner.__dict__

    def _instead_of_parts(self) -> str:
        """Return what to do where too few rows differ to hold some out."""
        params = signature(type(self).__init__).parameters
        if "early_stopping" in params:
            return "Set early_stopping=False, or give X_val."
        return "Set n_folds=None." if "n_folds" in params else "Give more rows."

    def _forget(self) -> None:
        """Drop what fits have set."""
        params = signature(type(self).__init__).parameters
        kept = ("_sklearn", "_skl", "_metadata_request", "_parent_callback_ctx")
        for name in list(vars(self)):
            learned = name.startswith("_") or name.endswith("_")
            if learned and name not in params and not name.startswith(kept):
                delattr(self, name)

    def _fit_rows(self, fold: Fold, *, onwards: bool = False) -> Fold | None:
        """Fit to checked rows: what `fit` does, and what composites call on a layer.

        Parameters
        ----------
        fold : Fold
            Rows to fit on, and to judge by.
        onwards : bool, default=False
            Whether to return the rows as the next layer should see them.
        """
        d = fold.train.n_features
        if d < self._min_features:
            raise ValueError(
                f"{type(self).__name__} needs at least {self._min_features} features "
                f"(columns), got {d} feature(s)."
            )
        is_gathered = are_stored(fold) and not self._fits_stored(fold)
        self.n_features_in_ = d
        self.base_distribution_ = StandardNormal(d)
        seed = getattr(self, "random_state", _NO_SEED)
        random_state = None if seed is _NO_SEED else check_random_state(seed)
        self._onwards = onwards
        try:
            with limited(self), remember(self, fold, random_state) as memo:
                if not memo.restore(self, random_state):
                    with memo.keeping(self, random_state):
                        seen = (
                            fold.each(lambda rows: rows.gathered())
                            if is_gathered
                            else fold
                        )
                        self.map_ = self._fit(seen, random_state)
                if not isinstance(self.map_, Map):
                    raise TypeError(
                        f"{type(self).__name__}._fit must return a Map, got "
                        f"{type(self.map_).__name__}."
                    )
                if not onwards:
                    return None
                by_map = type(self)._honest is Destructor._honest
                if is_gathered and not (by_map or self._is_honest_by_map):
                    after = leave_stored(self, fold, self.map_, random_state)
                else:
                    after = self._honest(fold, self.map_, random_state)
            if not (isinstance(after, Fold) and len(after.train) == len(fold.train)):
                raise TypeError(
                    f"{type(self).__name__}._honest must return a Fold of as many rows."
                )
            return after
        finally:
            # No training rows are kept.
            self.__dict__.pop("_leftover", None)
            del self._onwards

    # ------------------------------------------------------------------ mapping

    def transform(self, X: ArrayLike) -> NDArray:
        """Map data to the latent space.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data; or what `destructors.open_rows` returns.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
            Latent rows, or an iterator over them, block by block; they follow
            ``base_distribution_`` as far as the model is right.
        """
        return in_turn(
            self, X, lambda rows: self.transform_and_log_det(rows)[0], is_transform=True
        )

    def inverse_transform(self, X: ArrayLike) -> Any:
        """Map latent rows back to data: the exact inverse of `transform`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Latent rows; or what `destructors.open_rows` returns.

        Returns
        -------
        X_original : ndarray or DataFrame of shape (n_samples, n_features)
            Data: a frame with the names and dtypes of the training data if it was one;
            or an iterator over it, block by block.
        """
        return in_turn(
            self, X, lambda rows: self.inverse_and_log_det(rows)[0], is_latent=True
        )

    def transform_and_log_det(self, X: ArrayLike) -> tuple[NDArray, NDArray]:
        """Map data to the latent space, with the log-determinant of the Jacobian.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
            Latent rows.
        log_det : ndarray of shape (n_samples,)
            ``log |det J|`` of the map at each row, in nats.
        """
        return self._forward(X)

    def inverse_and_log_det(self, Z: ArrayLike) -> tuple[Any, NDArray]:
        """Map latent rows back to data, with the log-determinant of that map.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_features)
            Latent rows.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            Data, as from `inverse_transform`.
        log_det : ndarray of shape (n_samples,)
            ``log |det J|`` of the inverse map at each row, in nats: minus that of
            `transform_and_log_det` at ``X``.
        """
        return self._backward(Z)

    # ------------------------------------------------------------------ density

    def score_samples(self, X: ArrayLike) -> NDArray:
        """Log density of each row, in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data; or what `destructors.open_rows` returns.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            ``log p(x)``, or an iterator over it, block by block; the score of a row
            does not depend on the other rows.
        """
        return in_turn(self, X, self._logpdf)

    def score(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> float:
        """Mean log density per row, in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data; or what `destructors.open_rows` returns.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the mean. Those of `destructors.open_rows` have
            theirs.

        Returns
        -------
        score : float
            The (weighted) mean of `score_samples`: larger is better.
        """
        if isinstance(X, RowBlocks):
            return score_blocks(self, X, sample_weight)
        scores = self.score_samples(X)
        weight = sample_weight
        if weight is not None:
            weight = check_sample_weight(weight, scores, ensure_non_negative=True)
        return weighted_mean(scores, weight)

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> Any:
        """Draw rows from the learned density.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Pass an int for reproducible samples.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            Samples: a frame with the names and dtypes of the training data if it was
            one. Categories that were not seen are not drawn.

        Raises
        ------
        ValueError
            If ``n_samples`` is no integer of at least 1.
        """
        return self._draw(n_samples, random_state)

    def to_density(self) -> Density:
        """Return what was learned, without the learner.

        Returns
        -------
        density : destructors.maps.Density
            It scores, samples, transforms and inverts as this destructor does, needs
            NumPy and SciPy only, and is what `destructors.save` writes.
        """
        check_is_fitted(self)
        return Density(
            self.map_,
            self.base_distribution_,
            self.n_features_in_,
            self._schema,
            getattr(self, "domains_", None),
            type(self).__name__,
        )

    # ------------------------------------------------------------------ scikit-learn

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Get the names of the latent features.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the input features; by default those seen in `fit`.

        Returns
        -------
        feature_names_out : ndarray of str objects
            The input names where each output feature comes from one input feature;
            else the lower-case class name with a number.
        """
        check_is_fitted(self)
        names = check_feature_names_in(self, input_features)
        if self.map_.feature_wise:
            return names
        prefix = type(self).__name__.lower()
        return np.asarray([f"{prefix}{j}" for j in range(len(names))], dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        return "map_" in vars(self)

    # ------------------------------------------------------------------ steps

    def _read_training(
        self,
        X: Any,
        sample_weight: ArrayLike | None,
        context: NDArray | None = None,
    ) -> Rows:
        """Validate what `fit` is given; drop the rows of weight zero."""
        resumes = getattr(self, "warm_start", False) and "map_" in vars(self)
        if isinstance(X, RowBlocks) and context is None:
            return load_blocks(self, X, sample_weight, reset=not resumes)
        if not resumes:
            self._schema = learn_schema(self, X, self._categorical(X), sample_weight)
        values = read_rows(self, X, reset=not resumes, may_miss=self._may_miss)
        rows = self._as_rows(values, sample_weight, context)
        check_columns(rows)
        return rows

    def _read_validation(
        self,
        X: Any,
        sample_weight: ArrayLike | None,
        context: NDArray | None = None,
    ) -> Rows:
        """Validate held-out rows."""
        if isinstance(X, RowBlocks) and context is None:
            return load_blocks(self, X, sample_weight, reset=False)
        values = read_rows(self, X, reset=False, name="X_val", may_miss=self._may_miss)
        return self._as_rows(values, sample_weight, context, "sample_weight_val")

    def _as_rows(
        self,
        values: NDArray,
        sample_weight: ArrayLike | None,
        context: NDArray | None,
        name: str = "sample_weight",
    ) -> Rows:
        rows = Rows.of(
            values,
            context=context,
            kinds=None if self._schema is None else self._schema.kinds,
            names=getattr(self, "feature_names_in_", None),
            n_jobs=getattr(self, "n_jobs", None),
        )
        if sample_weight is None:
            return rows
        try:
            weight = check_sample_weight(
                sample_weight, values, dtype=np.float64, ensure_non_negative=True
            )
        except ValueError as error:
            raise type(error)(str(error).replace("sample_weight", name)) from error
        return rows.weighted(weight)

    def _read(self, X: Any, sample_weight: ArrayLike | None = None) -> Rows:
        """Validate new rows."""
        values = read_rows(self, X, reset=False, may_miss=self._may_miss)
        return self._as_rows(values, sample_weight, None)

    def _adopt(self, outer: "Destructor", columns: NDArray | None = None) -> Self:
        """Know the columns of a table as an outer destructor does, whose rows, or some
        columns of them, this one was fitted on.
        """
        names = getattr(outer, "feature_names_in_", None)
        schema = outer._schema
        if columns is not None:
            names = None if names is None else names[columns]
            schema = None if schema is None else schema.take(columns)
        if names is not None:
            self.feature_names_in_ = names
        self._schema = schema
        return self

    def _context(self, given: Any, values: NDArray) -> NDArray | None:
        """Return what the map depends on beside rows, by what was given with them."""
        return None

    def _forward(self, X: Any, given: Any = None) -> tuple[NDArray, NDArray]:
        check_is_fitted(self)
        rows = read_rows(self, X, reset=False, may_miss=self._may_miss)
        return in_blocks(self.map_.forward, rows, self._context(given, rows), self._run)

    def _backward(self, Z: Any, given: Any = None) -> tuple[Any, NDArray]:
        check_is_fitted(self)
        rows = read_latent(self, Z)
        X, log_det = in_blocks(
            self.map_.inverse, rows, self._context(given, rows), self._run
        )
        return self.to_density().decode(X), log_det

    def _logpdf(self, X: Any, given: Any = None) -> NDArray:
        Z, log_det = self._forward(X, given)
        return self.base_distribution_.logpdf(Z) + log_det

    def _draw(self, n_samples: Any, random_state: Any, given: Any = None) -> Any:
        density, rng = self.to_density(), check_random_state(random_state)
        X = density.sample_rows(n_samples, rng, given, self._run)
        return density.decode(X)

    def _run(self, function: Any, blocks: Any) -> Any:
        return map_threads(function, blocks, getattr(self, "n_jobs", None))


_NO_SEED = object()
