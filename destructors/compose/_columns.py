"""A destructor for each group of columns."""

from __future__ import annotations

import sys
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from destructors._compat import (
    BaseComposition,
    HasMethods,
    StrOptions,
    check_feature_names_in,
    get_column_indices,
)
from destructors.base import Destructor
from destructors.base_distributions import JointDistribution, StandardNormal
from destructors.compose._adapt import as_destructor
from destructors.compose._coded import CodedKeeper
from destructors.discrete._base import DiscreteDestructor

__all__ = ["ColumnDestructor"]


class ColumnDestructor(BaseComposition, CodedKeeper):
    """Apply destructors to groups of columns, side by side.

    The groups are independent of each other as far as this layer goes: its score is the
    sum of theirs. Columns stay where they are: column j of the latent comes from the
    group of column j. Put it first in a `DestructorPipeline`, to bound, dequantize or
    gaussianize columns each in its way before layers that see them all.

    Parameters
    ----------
    destructors : list of (str, Destructor or transformer, columns) tuples
        Names, destructors (or what `as_destructor` makes one of) and columns: a name or
        position, a list or slice of these, a boolean mask, or a callable that takes the
        data and gives any of these, such as
        :func:`sklearn.compose.make_column_selector`. No column can be in two groups. A
        group may turn out empty.
    remainder : "passthrough" or Destructor, default="passthrough"
        What becomes of the columns in no group: "passthrough" leaves them as they are.

    Attributes
    ----------
    destructors_ : list of (str, Destructor, ndarray of int) tuples
        The fitted destructors, each with the positions of its columns; without those of
        empty groups, and with the remainder.
    named_destructors_ : Bunch
        The fitted destructors by name.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal or JointDistribution
        The base distribution: the latter with groups of discrete columns.

    Raises
    ------
    ValueError
        In `fit`, if a column does not exist or is in two groups, ``remainder="drop"``
        (which could not be undone), or a destructor of continuous columns does not end
        on the standard normal.
    TypeError
        In `fit`, if something is neither a destructor nor can be made one.

    See Also
    --------
    DestructorPipeline : One after the other.

    Notes
    -----
    Fitted on a pandas DataFrame, `inverse_transform` and `sample` give a DataFrame with
    the same names and dtypes; so does a pipeline that begins with this. Numbers are
    then rounded to what an integer dtype can hold. ``inverse_and_log_det`` gives plain
    arrays.

    Groups of discrete columns (strings, categories, codes) can have a destructor of
    such data, like `destructors.flows.DiscreteTreeFlow`. The score of a row is then one
    log density: with respect to lengths in continuous columns and counts in discrete
    ones. Their latent columns are codes, and nothing can follow in a pipeline.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from destructors.compose import ColumnDestructor, make_destructor_pipeline
    >>> from destructors.marginal import (
    ...     BoundedSupport, Dequantizer, SplineGaussianizer
    ... )
    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame(
    ...     {"visits": rng.poisson(3.0, 500), "share": rng.beta(2.0, 1.0, 500)}
    ... )
    >>> count = make_destructor_pipeline(Dequantizer(), SplineGaussianizer())
    >>> share = make_destructor_pipeline(BoundedSupport(0, 1), SplineGaussianizer())
    >>> model = ColumnDestructor(
    ...     [("count", count, ["visits"]), ("share", share, ["share"])]
    ... ).fit(frame)
    >>> model.sample(3, random_state=0).dtypes
    visits      int64
    share     float64
    dtype: object
    >>> bool((model.inverse_transform(model.transform(frame))["visits"]
    ...       == frame["visits"]).all())
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "destructors": [list],
        # "drop" is refused in `fit`, with the reason.
        "remainder": [
            StrOptions({"passthrough", "drop"}),
            HasMethods(["fit", "transform"]),
        ],
    }
    _uses_validation = True

    def __init__(
        self,
        destructors: list[tuple[str, Any, Any]],
        remainder: Literal["passthrough"] | Destructor = "passthrough",
    ):
        self.destructors = destructors
        self.remainder = remainder

    # ------------------------------------------------------------------ parameters

    # Anything can be set as a parameter; `fit` is where it is refused.

    @property
    def _pairs(self) -> Any:
        try:
            return [(name, destructor) for name, destructor, _ in self.destructors]
        except (TypeError, ValueError):
            return self.destructors

    @_pairs.setter
    def _pairs(self, pairs: Any) -> None:
        try:
            self.destructors = [
                (name, destructor, columns)
                for (name, destructor), (_, _, columns) in zip(
                    pairs, self.destructors, strict=True
                )
            ]
        except (TypeError, ValueError):
            self.destructors = pairs

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get parameters; those of a group are named ``group__parameter``.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the destructors and their parameters.

        Returns
        -------
        params : dict
            Parameter names mapped to their values.
        """
        return self._get_params("_pairs", deep=deep)

    def set_params(self, **params: Any) -> ColumnDestructor:
        """Set parameters; a group's name sets its destructor.

        Parameters
        ----------
        **params : dict
            Names and values, such as ``count__splinegaussianizer__n_knots=8``.

        Returns
        -------
        self : object
            The destructor.
        """
        self._set_params("_pairs", **params)
        return self

    @property
    def named_destructors_(self) -> Bunch:
        """The fitted destructors by name."""
        check_is_fitted(self)
        return Bunch(**{name: fitted for name, fitted, _ in self.destructors_})

    # ------------------------------------------------------------------ fitting

    def _fit(self, X, sample_weight, random_state, validation=None):
        self._fit_groups(X, sample_weight, validation, forward=False)

    def _fit_forward(self, X, sample_weight, random_state, validation=None):
        return self._fit_groups(X, sample_weight, validation, forward=True)

    def _discrete_groups(self, X):
        pairs = self._pairs if isinstance(self._pairs, list) else []
        given = [destructor for _, destructor in pairs] + [self.remainder]
        if not any(isinstance(destructor, DiscreteDestructor) for destructor in given):
            return {}
        return {
            name: (clone(destructor), columns)
            for name, destructor, columns in self._resolve_groups(X)
            if isinstance(destructor, DiscreteDestructor)
        }

    def _fit_groups(self, X, sample_weight, validation, *, forward):
        fitted, total = [], np.zeros(len(X))
        Z = X.copy() if forward else None
        for name, destructor, columns in self._resolve_groups(X):
            if name in self._coded.groups:
                destructor = self._coded.groups[name][0]
            else:
                destructor = clone(destructor)
            destructor._validate_params()
            names = getattr(self, "feature_names_in_", None)
            if names is not None:
                destructor.feature_names_in_ = names[columns]
            held_out = validation and (validation[0][:, columns], validation[1])
            part = np.ascontiguousarray(X[:, columns])
            if forward:
                Z[:, columns], log_det = destructor._fit_forward_checked(
                    part, sample_weight, held_out
                )
                total += log_det
            else:
                destructor._fit_checked(part, sample_weight, held_out)
            base = destructor.base_distribution_
            discrete = isinstance(destructor, DiscreteDestructor)
            if not discrete and not isinstance(base, StandardNormal):
                raise ValueError(
                    f"The destructor of group {name!r} ends on {base!r}, not on the "
                    "standard normal: let what maps to the cube come after all groups."
                )
            fitted.append((name, destructor, columns))
        self.destructors_ = fitted
        return (Z, total) if forward else None

    def _resolve_groups(self, X: NDArray) -> list[tuple[str, Destructor, NDArray]]:
        """Give names, destructors and the positions of their columns."""
        if isinstance(self.remainder, str) and self.remainder == "drop":
            raise ValueError(
                'remainder="drop" cannot be undone: a destructor keeps every column. '
                "Drop columns before, or pass them through."
            )
        for entry in self.destructors:
            if not (isinstance(entry, tuple) and len(entry) == 3):
                raise TypeError(
                    "Each of destructors must be a (name, destructor, columns) tuple, "
                    f"got {entry!r}."
                )
        self._validate_names([name for name, _, _ in self.destructors])
        frame = self._as_seen(X)
        owner: dict[int, str] = {}
        groups = []
        for name, destructor, key in self.destructors:
            columns = self._positions(name, key(frame) if callable(key) else key, frame)
            for j in columns:
                if owner.setdefault(int(j), name) != name:
                    raise ValueError(
                        f"Column {self._column_name(j)} is in the groups {owner[j]!r} "
                        f"and {name!r}: each column can be in one."
                    )
            groups.append((name, self._adapt(name, destructor), columns))
        left = np.array([j for j in range(X.shape[1]) if j not in owner], dtype=np.intp)
        if not isinstance(self.remainder, str):
            groups.append(("remainder", self._adapt("remainder", self.remainder), left))
        return [group for group in groups if len(group[2])]

    def _as_seen(self, X: NDArray) -> Any:
        """Give the rows as they came, for those who choose columns by them."""
        if hasattr(X, "iloc"):
            return X
        if self._schema is not None:
            return self._schema.rebuild(X, self._coded.decode(X))
        names = getattr(self, "feature_names_in_", None)
        pandas = sys.modules.get("pandas")
        if names is None or pandas is None:
            return X
        return pandas.DataFrame(X, columns=names)

    def _positions(self, name: str, key: Any, frame: Any) -> NDArray:
        try:
            positions = get_column_indices(frame, key)
        except (ValueError, IndexError, KeyError, TypeError) as error:
            shown = f"of group {name!r} ({key!r})"
            raise ValueError(f"The columns {shown} are not in X: {error}") from error
        positions = np.atleast_1d(np.asarray(positions, dtype=np.intp))
        if len(np.unique(positions)) != len(positions):
            raise ValueError(f"Group {name!r} has a column twice.")
        return positions

    def _adapt(self, name: str, destructor: Any) -> Destructor:
        try:
            return as_destructor(destructor)
        except TypeError as error:
            raise TypeError(
                f"Group {name!r} must have a Destructor, or a transformer that can be "
                f"one. {error}"
            ) from error

    def _column_name(self, j: int) -> str:
        return str(getattr(self, "feature_names_in_", np.arange(j + 1))[j])

    # ------------------------------------------------------------------ mapping

    def _forward(self, X):
        Z, total = X.copy(), np.zeros(len(X))
        for _, destructor, columns in self.destructors_:
            part = np.ascontiguousarray(X[:, columns])
            Z[:, columns], log_det = destructor._forward(part)
            total += log_det
        return Z, total

    def _inverse(self, Z):
        X, total = Z.copy(), np.zeros(len(Z))
        for _, destructor, columns in self.destructors_:
            part = np.ascontiguousarray(Z[:, columns])
            X[:, columns], log_det = destructor._inverse(part)
            total += log_det
        return X, total

    def _make_base_distribution(self):
        parts = [(d.base_distribution_, columns) for _, d, columns in self.destructors_]
        if all(isinstance(base, StandardNormal) for base, _ in parts):
            return StandardNormal(self.n_features_in_)
        grouped = np.concatenate([columns for _, columns in parts])
        left = np.setdiff1d(np.arange(self.n_features_in_), grouped)
        return JointDistribution([*parts, (StandardNormal(len(left)), left)])

    def get_feature_names_out(self, input_features=None) -> NDArray:
        """Get the names of the latent features.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the input features; by default those seen in `fit`.

        Returns
        -------
        feature_names_out : ndarray of str objects
            The input names; but in groups whose features are mixed, the name of the
            group and a number.
        """
        check_is_fitted(self, "n_features_in_")
        names = np.array(check_feature_names_in(self, input_features), dtype=object)
        for name, destructor, columns in self.destructors_:
            if not destructor._feature_wise:
                names[columns] = [f"{name}__{i}" for i in range(len(columns))]
        return names

    @property
    def _feature_wise(self) -> bool:  # type: ignore[override]
        check_is_fitted(self)
        return all(destructor._feature_wise for _, destructor, _ in self.destructors_)
