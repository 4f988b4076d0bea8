"""Categories made continuous, for layers that take numbers."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from destructors._compat import Interval, StrOptions
from destructors.base import Destructor
from destructors.compose._columns import find_columns
from destructors.maps import DequantizeCategories, Identity, Map
from destructors.rows import Fold, Rows
from destructors.table import Categorical, check_table

# An interval of a smaller probability has no digits next to 1 that tell it apart.
_RAREST = 1e-11


class CategoryDequantizer(Destructor):
    r"""Spread categories over intervals of the normal distribution, by noise.

    Each category gets an interval whose probability under N(0, 1) is its own, in the
    order of frequency, and each row a place in it. Other layers then see how categories
    depend on numbers and on one another. Numeric columns stay as they are. It comes
    first, in a `DestructorPipeline` or a group of a `ColumnDestructor`; the inverse
    gives the categories back.

    Parameters
    ----------
    columns : "auto", list of int or str, or callable, default="auto"
        Which columns are categories. "auto" takes those of a DataFrame that hold no
        numbers; a callable takes the data and gives a list, like
        :func:`sklearn.compose.make_column_selector`.
    alpha : float, default=1.0
        Pseudo-count of each category.
    handle_unknown : {"smooth", "error"}, default="smooth"
        Whether categories that were not seen in `fit` share one interval, which has the
        probability that the smoothing gives it, or are an error.
    handle_missing : {"error", "category"}, default="error"
        Whether missing categories are an error or a category; where none was missing in
        `fit`, one that was not seen.
    random_state : int, RandomState instance or None, default=None
        Seed of the noise.

    Attributes
    ----------
    columns_ : ndarray of int
        Positions of the columns that are categories.
    probabilities_ : list of ndarray of shape (n_categories_j,)
        Probability of each category of these, from the most frequent down.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    See Also
    --------
    destructors.marginal.Dequantizer : The same for counts and other numbers.
    destructors.flows.DiscreteTreeFlow : Exact, for tables of categories alone.

    Notes
    -----
    **The score** of a chain that begins with this layer is a lower bound of the log
    density, with respect to counts in categories and lengths in numbers. For a category
    of probability p, whose interval holds z, the log-determinant is
    :math:`\log p - \log \varphi(z)`; with q the density of the layers above,

    .. math::

        \log P(x) = \log \int_{cell} q(z)\,dz
        \ge E_u \left[ \log q(z(u)) + \log p - \log \varphi(z(u)) \right],

    and the score is the bracket for a single draw. It is exact for independent
    columns, where the bracket is log p whatever the noise. Else its *mean* over rows or
    over several ``random_state`` is below the mean log density, though single scores
    can be above.

    **The noise** is a hash of the row's values and the seed: `transform` gives a row
    the same latent each time. While a stack is fitted, repeated rows get noise of their
    own. Columns alike in two groups of a `ColumnDestructor` get noise alike, unless
    each group has a seed of its own.

    **The way back** gives each category exactly, if what comes after keeps the digits
    of its number. Layers that mix columns keep those of the largest: in a row whose
    latent is 1e6, the rounding of all is 1e-10, and beside 1e16 no category is told
    from another. `TreeFlow` takes categories as they are.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from destructors.compose import CategoryDequantizer, make_destructor_pipeline
    >>> from destructors.flows import RBIG
    >>> rng = np.random.default_rng(0)
    >>> kind = rng.choice(["short", "long"], 1000)
    >>> length = rng.normal(np.where(kind == "long", 2.0, -2.0))
    >>> frame = pd.DataFrame({"kind": kind, "length": length})
    >>> model = make_destructor_pipeline(
    ...     CategoryDequantizer(random_state=0), RBIG(max_iter=20, random_state=0)
    ... ).fit(frame)
    >>> bool((model.inverse_transform(model.transform(frame))["kind"] == kind).all())
    True
    >>> samples = model.sample(1000, random_state=0)
    >>> bool(samples.groupby("kind")["length"].mean()["long"] > 1.5)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "columns": [StrOptions({"auto"}), "array-like", callable],
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "handle_unknown": [StrOptions({"smooth", "error"})],
        "handle_missing": [StrOptions({"error", "category"})],
        "random_state": ["random_state"],
    }

    _dequantizes = True
    _takes_stored = True

    def __init__(
        self,
        columns: Literal["auto"] | Sequence[int] | Sequence[str] | Callable = "auto",
        *,
        alpha: float = 1.0,
        handle_unknown: Literal["smooth", "error"] = "smooth",
        handle_missing: Literal["error", "category"] = "error",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.columns = columns
        self.alpha = alpha
        self.handle_unknown = handle_unknown
        self.handle_missing = handle_missing
        self.random_state = random_state

    def _categorical(self, X: Any) -> Mapping[int, Categorical]:
        table = check_table(self, X)
        how = Categorical(None, self.handle_unknown, self.handle_missing)
        if isinstance(self.columns, str):
            dtypes = enumerate(table.dtypes if hasattr(table, "columns") else [])
            return {j: how for j, dtype in dtypes if not holds_numbers(dtype)}
        key = self.columns if callable(self.columns) else list(self.columns)
        return dict.fromkeys(find_columns(table, key, "The columns").tolist(), how)

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        assert random_state is not None
        rows, seed = fold.train, random_state.randint(2**31 - 1)
        kinds = np.zeros(0) if rows.kinds is None else rows.kinds
        self.columns_, self.probabilities_ = np.flatnonzero(kinds > 0), []
        if not len(self.columns_):
            return Identity()
        counts = rows.sum(_count_codes, self.columns_, kinds[self.columns_])
        ranks = []
        for n in counts:
            p = (n + self.alpha) / (n.sum() + self.alpha * len(n))
            if p.min() < _RAREST:
                p = np.maximum(p, _RAREST)
                p /= p.sum()
            order = np.argsort(-p, kind="stable")
            self.probabilities_.append(p[order])
            ranks.append(np.argsort(order))
        return DequantizeCategories(
            seed, self.columns_, tuple(self.probabilities_), tuple(ranks)
        )

    def _honest(
        self, fold: Fold, map_: Map, random_state: np.random.RandomState | None
    ) -> Fold:
        if not isinstance(map_, DequantizeCategories):
            return fold
        return Fold(fold.train.spread(map_), fold.validation_through(map_))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags


def holds_numbers(dtype: Any) -> bool:
    """Whether a column of this dtype is left alone, or refused if it holds dates."""
    if hasattr(dtype, "is_numeric"):
        # Of polars.
        return dtype.is_numeric() or dtype.is_temporal()
    return getattr(dtype, "kind", "O") in "iufM"


def _count_codes(rows: Rows, columns: NDArray, sizes: NDArray) -> tuple[NDArray, ...]:
    return tuple(
        np.bincount(rows.values[:, j].astype(np.intp), rows.weight, minlength=size)
        for j, size in zip(columns, sizes, strict=True)
    )
