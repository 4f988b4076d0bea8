"""What destructors of discrete data share: tables in, codes inside, tables out."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from destructors._compat import StrOptions, check_sample_weight
from destructors.base import Destructor, check_weights
from destructors.discrete._encoder import TableEncoder, columns_of, is_missing

__all__ = ["DiscreteDestructor", "check_codes"]


class DiscreteDestructor(Destructor):
    """Base class of destructors of discrete data.

    Tables of numbers, strings, dates or pandas categories are coded on the way in and
    decoded on the way out. The hooks see integer codes ``0 … k_j - 1`` of shape
    ``(n_samples, n_features)``, and `_forward` and `_inverse` permute rows of codes, so
    that every log-determinant is zero. The sizes k are in ``n_categories_``.

    A subclass has the parameters ``categories``, ``handle_unknown`` and
    ``handle_missing``.
    """

    _parameter_constraints: ClassVar[dict] = {
        "categories": [StrOptions({"auto"}), list, tuple, np.ndarray],
        "handle_unknown": [StrOptions({"smooth", "error"})],
        "handle_missing": [StrOptions({"error", "category"})],
    }
    _min_samples = 1

    categories: Any
    handle_unknown: Literal["smooth", "error"]
    handle_missing: Literal["error", "category"]

    # ------------------------------------------------------------------ input

    def _check_fit_input(self, X, sample_weight):
        self._learn_categories(X, sample_weight)
        return check_weights(self._check_rows(X, reset=True), sample_weight)

    def _learn_categories(self, X: Any, sample_weight: ArrayLike | None) -> None:
        """Find the values of each column in the rows that have weight."""
        X = self._check_table(X, reset=True)
        if sample_weight is not None:
            weight = check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            X = X[weight > 0]
        self._encoder = TableEncoder.learn(
            X,
            self.categories,
            smooth=self.handle_unknown == "smooth",
            missing=self.handle_missing == "category",
        )
        if not isinstance(self.categories, str):
            bad = (self._encoder.encode(X) < 0) & ~_missing(X)
            if bad.any():
                self._refuse(bad, "values that are not among the categories", _DECLARE)
        self.categories_ = self._encoder.known()
        self.n_categories_ = self._encoder.sizes

    def _check_table(self, X: Any, *, reset: bool) -> Any:
        """Validate a table; give a DataFrame as it is, or else an array."""
        least = self._min_samples if reset else 1
        if hasattr(X, "iloc") and hasattr(X, "columns"):
            validate_data(self, X, reset=reset, skip_check_array=True)
            # For its messages about empty tables.
            check_array(
                np.broadcast_to(0.0, X.shape),
                ensure_min_samples=least,
                estimator=self,
                input_name="X",
            )
        else:
            X = validate_data(
                self,
                X,
                reset=reset,
                dtype=None,
                ensure_all_finite=False,
                ensure_min_samples=least,
            )
        self._check_values(X)
        return X

    def _check_values(self, X: Any) -> None:
        names = getattr(self, "feature_names_in_", np.arange(X.shape[1]))
        for name, column in zip(names, columns_of(X), strict=True):
            kind = getattr(column.dtype, "kind", "O")
            if kind == "c":
                raise ValueError(f"Complex data not supported: column {name}.")
            if kind == "f" and np.isinf(np.asarray(column, dtype=np.float64)).any():
                raise ValueError(f"Input X contains infinity (inf) in column {name}.")

    def _check_rows(self, X: Any, *, reset: bool) -> NDArray:
        """Validate a table; give its codes."""
        X = self._check_table(X, reset=reset)
        if not hasattr(self, "_encoder"):
            # A layer of a stack: codes are what it knows.
            return check_codes(np.asarray(X), self.n_categories_, "X")
        codes = self._encoder.encode(X)
        bad = codes < 0
        # In training, values without a code are those of rows without weight.
        if bad.any():
            missing = bad & _missing(X)
            if missing.any():
                self._refuse(missing, "NaN or another missing value", _ALLOW)
            if not reset:
                self._refuse(bad, "categories that were not seen in fit", _SMOOTH)
            codes[bad] = 0
        return codes

    def _refuse(self, bad: NDArray, what: str, advice: str) -> None:
        columns = np.flatnonzero(bad.any(axis=0))
        names = getattr(self, "feature_names_in_", np.arange(bad.shape[1]))
        shown = ", ".join(str(name) for name in names[columns[:5]])
        if len(columns) > 5:
            shown += f" and {len(columns) - 5} more"
        raise ValueError(
            f"Input X contains {what} in {bad.any(axis=1).sum()} row(s); column(s): "
            f"{shown}. {advice}"
        )

    # ------------------------------------------------------------------ output

    def inverse_transform(self, X: ArrayLike) -> Any:
        """Map rows of codes back to data: the exact inverse of `transform`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Latent rows: integer codes.

        Returns
        -------
        X_original : ndarray or DataFrame of shape (n_samples, n_features)
            Data: a DataFrame with the names and dtypes of the training data, if it was
            one. A code of unseen values comes back as a value that was not seen.

        Raises
        ------
        ValueError
            If ``X`` has values that are no codes.
        """
        return self.inverse_and_log_det(X)[0]

    def inverse_and_log_det(self, Z: ArrayLike) -> tuple[Any, NDArray]:
        """Map rows of codes back to data; the log-determinant is zero.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_features)
            Latent rows: integer codes.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            Data, as from `inverse_transform`.
        log_det : ndarray of shape (n_samples,)
            Zeros.
        """
        check_is_fitted(self)
        rows = check_array(Z, dtype=None, order="C", input_name="Z")
        if rows.shape[1] != self.n_features_in_:
            raise ValueError(
                f"Z has {rows.shape[1]} features, but {type(self).__name__} is "
                f"expecting {self.n_features_in_} features as input."
            )
        codes = check_codes(rows, self.n_categories_, "Z")
        X, log_det = self._by_rows(self._inverse, codes)
        return self._decode(X), log_det

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> Any:
        """Draw rows from the learned distribution.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Pass an int for reproducible samples.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            Samples: a DataFrame with the names and dtypes of the training data, if it
            was one. Values that were not seen are not drawn: rows follow the
            distribution given that all is known.

        Raises
        ------
        ValueError
            If ``n_samples`` is less than 1.
        """
        check_is_fitted(self)
        if n_samples < 1:
            raise ValueError(f"n_samples must be at least 1, got {n_samples}.")
        return self._decode(
            self._sample_codes(n_samples, check_random_state(random_state))
        )

    def _sample_codes(self, n_samples: int, rng: np.random.RandomState) -> NDArray:
        """Draw rows of codes, again where one stands for what was not seen."""
        kept: list[NDArray] = []
        while (n_left := n_samples - sum(map(len, kept))) > 0:
            Z = np.asarray(self.base_distribution_.sample(n_left, rng), np.int64)
            X = self._by_rows(self._inverse, Z)[0]
            kept.append(X[~self._is_unknown(X)])
        return np.concatenate(kept)

    def _is_unknown(self, codes: NDArray) -> NDArray:
        """Tell which rows have a code that stands for what was not seen."""
        if not hasattr(self, "_encoder"):
            return np.zeros(len(codes), dtype=bool)
        unknown = np.array([column.unknown for column in self._encoder.columns])
        return (codes == unknown).any(axis=1)

    def _decode(self, codes: NDArray) -> Any:
        return self._encoder.decode(codes) if hasattr(self, "_encoder") else codes

    # ------------------------------------------------------------------ as a layer

    def _set_sizes(self, X: NDArray) -> None:
        """Find the sizes inside a stack or chain, whose codes nothing has coded here.

        ``categories`` gives them, as numbers; else they are those of the rows.
        """
        if hasattr(self, "_encoder"):
            return
        if isinstance(self.categories, str):
            self.n_categories_ = X.max(axis=0).astype(np.int64) + 1
        else:
            sizes = [k if np.ndim(k) == 0 else len(k) for k in self.categories]
            self.n_categories_ = np.array(sizes, dtype=np.int64)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.input_tags.allow_nan = self.handle_missing == "category"
        tags.transformer_tags.preserves_dtype = []
        return tags


def _missing(X: Any) -> NDArray:
    return np.stack([is_missing(column) for column in columns_of(X)], axis=1)


_DECLARE = "Declare them, or drop such rows."
_ALLOW = 'Impute or drop such rows, or set handle_missing="category".'
_SMOOTH = 'Drop such rows, or set handle_unknown="smooth".'


def check_codes(rows: NDArray, sizes: NDArray, name: str) -> NDArray:
    """Check that rows are codes; give them as int64.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features)
        What should be codes.
    sizes : ndarray of shape (n_features,)
        Number of codes of each column.
    name : str
        What to call it in an error.

    Returns
    -------
    codes : ndarray of shape (n_samples, n_features), dtype int64

    Raises
    ------
    ValueError
        If a value is not an integer, negative, or too large.
    """
    try:
        with np.errstate(invalid="ignore"):
            codes = rows.astype(np.int64)
        right = (codes == rows) & (codes >= 0) & (codes < sizes)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be integer codes: {error}") from error
    if not right.all():
        i, j = np.argwhere(~right)[0]
        raise ValueError(
            f"{name} must be integer codes; column {j} has 0 … {sizes[j] - 1}, got "
            f"{rows[i, j]} in row {i}."
        )
    return codes
