"""Categories made continuous, for layers that take numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import norm

from destructors._compat import Interval, StrOptions, get_column_indices
from destructors._splits import hash_again, hash_rows
from destructors.compose._coded import CodedKeeper
from destructors.discrete import CategoricalBase
from destructors.discrete._base import DiscreteDestructor

__all__ = ["CategoryDequantizer"]

# Noise stays off the edges of its interval by this share, so that rounding never
# carries it across. It can make the bound too high by 0.001 nats a column.
_GUARD = 5e-4
_ODD = np.uint64(0x9E3779B97F4A7C15)


class CategoryDequantizer(CodedKeeper):
    r"""Spread categories over intervals of the normal distribution, by noise.

    Each category gets an interval whose probability under N(0, 1) is its own, in the
    order of frequency, and each row a place in it. Other layers then see how categories
    depend on numbers and on one another. Numeric columns stay as they are. It comes
    first, in a `DestructorPipeline`; the inverse gives the categories back.

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
        Whether missing categories are an error or a category.
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
    own.

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
    _feature_wise = True

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

    # ------------------------------------------------------------------ fitting

    def _discrete_groups(self, X: Any) -> dict[str, tuple[DiscreteDestructor, NDArray]]:
        coder = CategoricalBase(
            structure="independent",
            alpha=self.alpha,
            handle_unknown=self.handle_unknown,
            handle_missing=self.handle_missing,
        )
        positions = self._find_columns(X)
        return {"categories": (coder, positions)} if len(positions) else {}

    def _find_columns(self, X: Any) -> NDArray:
        if isinstance(self.columns, str):
            dtypes = X.dtypes if hasattr(X, "iloc") else []
            kinds = [getattr(dtype, "kind", "O") for dtype in dtypes]
            found = [j for j, kind in enumerate(kinds) if kind not in "iufM"]
        else:
            key = self.columns(X) if callable(self.columns) else list(self.columns)
            try:
                found = get_column_indices(X, key)
            except (ValueError, IndexError, KeyError, TypeError) as error:
                raise ValueError(f"columns={key!r} are not in X: {error}") from error
        return np.unique(np.asarray(found, dtype=np.intp))

    def _fit(self, X, sample_weight, random_state):
        self._seed = random_state.randint(2**31 - 1)
        self.columns_ = np.empty(0, dtype=np.intp)
        self.probabilities_, self._ranks = [], []
        if not self._coded:
            return
        coder, self.columns_ = self._coded.groups["categories"]
        coder._fit_checked(X[:, self.columns_], sample_weight)
        for p in coder.base_distribution_.probabilities:
            order = np.argsort(-p, kind="stable")
            self.probabilities_.append(p[order])
            self._ranks.append(np.argsort(order))

    def _fit_forward(self, X, sample_weight, random_state):
        self._fit(X, sample_weight, random_state)
        hashes = hash_rows(X, self._seed)
        # Equal rows are numbered, so that each gets noise of its own.
        order = np.argsort(hashes, kind="stable")
        first = np.flatnonzero(np.diff(hashes[order], prepend=~hashes[order[:1]]) != 0)
        lengths = np.diff(first, append=len(X))
        number = np.empty(len(X), dtype=np.uint64)
        number[order] = np.arange(len(X)) - np.repeat(first, lengths)
        return self._spread(X, hashes + number * _ODD)

    # ------------------------------------------------------------------ mapping

    def _forward(self, X):
        return self._spread(X, hash_rows(X, self._seed))

    def _spread(self, X: NDArray, hashes: NDArray) -> tuple[NDArray, NDArray]:
        Z, log_det = X.copy(), np.zeros(len(X))
        for j, p, ranks in zip(
            self.columns_, self.probabilities_, self._ranks, strict=True
        ):
            rank = ranks[X[:, j].astype(np.intp)]
            share = _GUARD + (1.0 - 2.0 * _GUARD) * hash_again(hashes, self._seed + j)
            z = ndtri(
                np.concatenate([[0.0], np.cumsum(p)[:-1]])[rank] + p[rank] * share
            )
            Z[:, j] = z
            log_det += np.log(p[rank]) - norm.logpdf(z)
        return Z, log_det

    def _inverse(self, Z):
        X, log_det = Z.copy(), np.zeros(len(Z))
        for j, p, ranks in zip(
            self.columns_, self.probabilities_, self._ranks, strict=True
        ):
            rank = np.searchsorted(np.cumsum(p)[:-1], ndtr(Z[:, j]), side="right")
            X[:, j] = np.argsort(ranks)[rank]
            log_det += norm.logpdf(Z[:, j]) - np.log(p[rank])
        return X, log_det

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags
