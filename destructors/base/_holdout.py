"""Destructors that choose or stop by held-out rows."""

from typing import Any, Self

from numpy.typing import ArrayLike

from destructors.base._destructor import Destructor
from destructors.rows import Fold


class HoldoutDestructor(Destructor):
    """Base of the destructors that choose or stop by held-out rows.

    They take such rows in `fit` (``X_val``), and a stack gives them those it has: both
    arrive as ``fold.validation``. Where it is None, a learner holds rows out itself::

        if fold.validation is None:
            [fold] = fold.train.split(None, 0.1, random_state.randint(2**31 - 1))

    (`destructors.rows.Rows.split`; equal rows stay together). In a stack whose depth is
    chosen by cross-validation, layers are fitted again on all rows in the end, without
    validation rows: ``_refit_params(fitted)`` may return the parameters by which such a
    fit does what those on the folds have found best.
    """

    def fit(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        sample_weight: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
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
        X_val : array-like of shape (n_val_samples, n_features), default=None
            Held-out data, to choose and to stop by. If given, all of ``X`` is trained
            on, and nothing is held out of it.
        sample_weight_val : array-like of shape (n_val_samples,), default=None
            Weights of the held-out rows.

        Returns
        -------
        self : object
            The fitted destructor. Where a fit fails or is interrupted before anything
            is learned, the destructor is what it was before.

        Raises
        ------
        ValueError
            If an input is not a finite two-dimensional array of numbers with enough
            rows and columns, or a weight is negative, or all are zero, or nothing can
            be held out because all rows are equal.
        TypeError
            If ``X`` is sparse.
        """
        with self._fitting() as learner:
            train, validation = learner._read_training(X, sample_weight), None
            if X_val is None and sample_weight_val is not None:
                raise ValueError("sample_weight_val is given without X_val.")
            if X_val is not None:
                validation = learner._read_validation(X_val, sample_weight_val)
            learner._fit_rows(Fold(train, validation))
        return self
