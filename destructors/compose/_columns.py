"""A destructor for each group of columns."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from destructors._compat import (
    BaseComposition,
    HasMethods,
    StrOptions,
    VisualBlock,
    check_feature_names_in,
    get_column_indices,
)
from destructors.base import Destructor, HoldoutDestructor
from destructors.base_distributions import (
    Distribution,
    JointDistribution,
    StandardNormal,
)
from destructors.compose._adapt import adapt
from destructors.greedy import Progress
from destructors.maps import Columns, Map
from destructors.maps._column import names_of
from destructors.rows import Fold, Rows
from destructors.table import Categorical, check_table, take_columns


class ColumnDestructor(BaseComposition, HoldoutDestructor):
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
    Fitted on a DataFrame, of pandas or polars, `inverse_transform` and `sample` return
    such a frame with the same names and dtypes. Numbers are then rounded to what an
    integer dtype can hold.

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

    def __init__(
        self,
        destructors: list[tuple[str, Any, Any]],
        remainder: Literal["passthrough"] | Destructor = "passthrough",
    ):
        self.destructors = destructors
        self.remainder = remainder

    # ------------------------------------------------------------------ parameters

    # What scikit-learn takes parameters from. Anything can be given as ``destructors``:
    # `fit` is where it is refused.

    @property
    def _pairs(self) -> Any:
        # Anything can be set as a parameter; `fit` is where it is refused.
        if not isinstance(self.destructors, list):
            return []
        return [entry[:2] for entry in self.destructors if isinstance(entry, tuple)]

    @_pairs.setter
    def _pairs(self, pairs: Any) -> None:
        columns = [key for _, _, key in self.destructors]
        self.destructors = [
            (*pair, key) for pair, key in zip(pairs, columns, strict=True)
        ]

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

    def set_params(self, **params: Any) -> Self:
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
        if "destructors" in params:
            self.destructors = params.pop("destructors")
        self._set_params("_pairs", **params)
        return self

    @property
    def named_destructors_(self) -> Bunch:
        """The fitted destructors by name."""
        check_is_fitted(self)
        return Bunch(**{name: fitted for name, fitted, _ in self.destructors_})

    # ------------------------------------------------------------------ fitting

    @property
    def _dequantizes(self) -> bool:  # type: ignore[override]
        given = [*self._pairs, ("remainder", self.remainder)]
        return any(getattr(part, "_dequantizes", False) for _, part in given)

    def _categorical(self, X: Any) -> Mapping[int, Categorical]:
        table = check_table(self, X)
        return {
            int(columns[i]): how
            for _, destructor, columns in self._resolve_groups(table)
            for i, how in destructor._categorical(take_columns(table, columns)).items()
        }

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        groups = self._resolve_groups(self._as_seen(fold.train))
        progress, parts = Progress(self, noun="group"), []
        self.destructors_ = []
        with progress.running(len(groups)):
            for name, destructor, columns in groups:
                destructor = clone(destructor)._adopt(self, columns)
                destructor._validate_params()
                progress.begin_step()
                with progress.part(name, destructor):
                    after = destructor._fit_rows(
                        fold.each(Rows.columns, columns), onwards=self._onwards
                    )
                progress.close_step()
                base = destructor.base_distribution_
                is_known = isinstance(base, StandardNormal | JointDistribution)
                if not is_known and not np.all(getattr(base, "n_categories", 0)):
                    raise ValueError(
                        f"The destructor of group {name!r} ends on {base!r}, not on "
                        "the standard normal: let what maps to the cube come after all "
                        "groups."
                    )
                parts.append(after)
                self.destructors_.append((name, destructor, columns))
        self._leftover = parts
        self.base_distribution_ = self._join_bases()
        return Columns(
            tuple(destructor.map_ for _, destructor, _ in self.destructors_),
            tuple(columns for _, _, columns in self.destructors_),
        )

    def _honest(
        self, fold: Fold, map_: Map, random_state: np.random.RandomState | None
    ) -> Fold:
        """Return the rows as the groups have left theirs."""
        train = self._join(fold.train, map_, [part.train for part in self._leftover])
        if fold.validation is None:
            return Fold(train)
        validation = [part.validation for part in self._leftover]
        return Fold(train, self._join(fold.validation, map_, validation))

    def _join(self, rows: Rows, map_: Map, parts: list[Rows]) -> Rows:
        dtype = np.result_type(rows.values, *(part.values for part in parts))
        values, total = rows.values.astype(dtype), np.zeros(len(rows))
        for (_, _, columns), part in zip(self.destructors_, parts, strict=True):
            values[:, columns] = part.values
            total += part.log_det
        return replace(
            rows,
            values=values,
            log_det=rows.log_det + total,
            kinds=None if rows.kinds is None else map_.kinds_after(rows.kinds),
            names=rows.names if map_.feature_wise else None,
        )

    def _join_bases(self) -> Distribution:
        bases = [
            destructor.base_distribution_ for _, destructor, _ in self.destructors_
        ]
        groups = [columns for *_, columns in self.destructors_]
        d = self.n_features_in_
        if all(isinstance(base, StandardNormal) for base in bases):
            return StandardNormal(d)
        left = np.setdiff1d(np.arange(d), np.concatenate(groups))
        if len(left):
            bases.append(StandardNormal(len(left)))
            groups.append(left)
        return JointDistribution(tuple(bases), tuple(groups))

    def _refit_params(self, fitted: list[Any]) -> dict[str, Any]:
        params = {}
        for name, destructor, _ in fitted[0].destructors_:
            # Where groups are chosen by the rows, not every fold need have each.
            every = [columns.named_destructors_.get(name) for columns in fitted]
            found = destructor._refit_params([d for d in every if d is not None])
            params.update({f"{name}__{key}": value for key, value in found.items()})
        return params

    # ------------------------------------------------------------------ groups

    def _resolve_groups(self, table: Any) -> list[tuple[str, Destructor, NDArray]]:
        """Return names, destructors and the positions of their columns."""
        if isinstance(self.remainder, str) and self.remainder == "drop":
            raise ValueError(
                'remainder="drop" cannot be undone: a destructor keeps every column. '
                "Drop columns before, or pass them through."
            )
        owner: dict[int, str] = {}
        groups = []
        for entry in self.destructors:
            if not (isinstance(entry, tuple) and len(entry) == 3):
                raise TypeError(
                    "Each of destructors must be a (name, destructor, columns) tuple, "
                    f"got {entry!r}."
                )
            name, destructor, key = entry
            columns = find_columns(table, key, f"The columns of group {name!r}")
            for j in columns.tolist():
                if j in owner:
                    raise ValueError(
                        f"Column {names_of(table)[j]} is in the groups "
                        f"{owner[j]!r} and {name!r}: each column can be in one, once."
                    )
                owner[j] = name
            groups.append((name, adapt(f"Group {name!r}", destructor), columns))
        self._validate_names([name for name, *_ in groups])
        left = [j for j in range(table.shape[1]) if j not in owner]
        if not isinstance(self.remainder, str):
            destructor = adapt("Group 'remainder'", self.remainder)
            groups.append(("remainder", destructor, np.array(left, dtype=np.intp)))
        return [group for group in groups if len(group[2])]

    def _as_seen(self, rows: Rows) -> Any:
        """Return the rows as they came, for those who choose columns by them."""
        if not any(callable(key) for *_, key in self.destructors):
            # Names and positions are all that matters.
            rows = rows.take(slice(1))
        if self._schema is not None:
            return self._schema.decode(rows.values)
        if rows.names is None or "pandas" not in sys.modules:
            return rows.values
        return sys.modules["pandas"].DataFrame(rows.values, columns=rows.names)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
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
        check_is_fitted(self)
        names = np.array(check_feature_names_in(self, input_features), dtype=object)
        for name, destructor, columns in self.destructors_:
            if not destructor.map_.feature_wise:
                names[columns] = [f"{name}__{i}" for i in range(len(columns))]
        return names

    def _sk_visual_block_(self) -> VisualBlock:
        groups = list(getattr(self, "destructors_", self.destructors))
        if "remainder" not in [name for name, _, _ in groups]:
            groups.append(("remainder", self.remainder, ""))
        names, destructors, columns = zip(*groups, strict=True)
        return VisualBlock(
            "parallel",
            destructors,
            names=names,
            name_details=[str(key) for key in columns],
        )


def find_columns(table: Any, key: Any, what: str) -> NDArray:
    """Return the positions of columns.

    Parameters
    ----------
    table : DataFrame or ndarray of shape (n_samples, n_features)
        A table, of pandas or polars.
    key : object
        A name or position, a list or slice of these, a boolean mask, or a callable that
        takes the table and gives any of these.
    what : str
        What a message calls them.

    Returns
    -------
    positions : ndarray of int

    Raises
    ------
    ValueError
        If there is no such column.
    """
    if callable(key):
        key = key(table)
    try:
        found = get_column_indices(table, key)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise ValueError(
            f"{what} ({key!r}) are not in X of {table.shape[1]} feature(s): {error}"
        ) from error
    return np.atleast_1d(np.asarray(found, dtype=np.intp))
