"""The density of some columns of a table given its others."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from destructors.maps import Schema
from destructors.maps._column import library_of

if TYPE_CHECKING:
    from destructors.estimators._conditional_sampler import ConditionalSampler


class ConditionedDensity:
    r"""Density of the other columns of a table, given some.

    It is what `MixtureDensity.condition` and `ConditionalSampler.condition` return:
    :math:`\log p(y | x) = \log p(x, y) - \log p(x)` with x the columns that are given.

    Parameters
    ----------
    sampler : ConditionalSampler
        Of the density of the whole table.
    schema : Schema
        What the columns of the table are.
    columns : str, int or sequence of these
        Names of the columns that are given, or their positions.

    Attributes
    ----------
    given : list
        Names of the columns that are given, or their positions in an array, in the
        order in which they are to come.
    targets : list
        Those of all others, in the order of the table.

    Raises
    ------
    ValueError
        If there is no such column, or they are none or all.

    See Also
    --------
    ConditionalDensity : Learned for one question, which it answers better than a
        density of the whole table does.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.estimators import MixtureDensity
    >>> x = np.random.default_rng(0).normal(size=1000)
    >>> model = MixtureDensity(random_state=0).fit(np.c_[x, 2.0 * x])
    >>> given_first = model.condition([0])
    >>> given_first.sample([[1.0]], random_state=0).round(1)
    array([[2.]])
    >>> bool(given_first.score_samples([[1.0]], [[2.0]])[0] > 2.0)
    True
    """

    def __init__(self, sampler: ConditionalSampler, schema: Schema, columns: Any):
        self._sampler, self._schema = sampler, schema
        names = schema.names
        self._given = _positions(columns, names)
        self._others = np.setdiff1d(np.arange(len(names)), self._given)
        self.given = [names[j] for j in self._given]
        self.targets = [names[j] for j in self._others]

    def score_samples(
        self, X: ArrayLike, y: ArrayLike, *, return_std: bool = False
    ) -> Any:
        """Return the log density of y given x, in nats.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_rows, n_given)
            The columns `given`. NaN, or None, where one is not known after all.
        y : array-like or DataFrame of shape (n_rows, n_targets)
            The columns `targets`. What is missing is integrated out.
        return_std : bool, default=False
            Whether to return standard errors too.

        Returns
        -------
        log_density : ndarray of shape (n_rows,)
            With respect to lengths in numbers, and to counts in integers and
            categories. Exact where the density of rows with holes is, else estimated.
        std : ndarray of shape (n_rows,)
            Standard error of each, in nats, if ``return_std``: at most, for the errors
            of both densities are taken to add up.
        """
        some, whole = self._rows(X), self._rows(X, y)
        joint, error = self._sampler.score_samples(whole, return_std=True)
        marginal, of_given = self._sampler.score_samples(some, return_std=True)
        scores = joint - marginal
        return (scores, error + of_given) if return_std else scores

    def sample(
        self,
        X: ArrayLike,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
        *,
        return_ess: bool = False,
    ) -> Any:
        """Draw y given x.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_rows, n_given)
            The columns `given`. NaN, or None, where one is not known after all.
        n_samples : int, default=1
            Number of draws for each row.
        random_state : int, RandomState instance or None, default=None
            Pass an int for reproducible samples.
        return_ess : bool, default=False
            Whether to return effective sample sizes too; see
            `ConditionalSampler.sample_conditional`.

        Returns
        -------
        y : ndarray or DataFrame of shape (n_rows * n_samples, n_targets)
            Draws for the first row first, each with the index of its row.
        ess : ndarray of shape (n_rows,)
            If ``return_ess``.
        """
        rng = check_random_state(random_state)
        rows = self._rows(X)
        drawn, ess = self._sampler.sample_conditional(
            rows, n_samples, rng, return_ess=True
        )
        is_array = library_of(drawn) == "array"
        drawn = drawn[:, self._others] if is_array else drawn[self.targets]
        return (drawn, ess) if return_ess else drawn

    def _rows(self, X: Any, y: Any = None) -> Any:
        """Return rows of all columns, NaN or None where nothing is given."""
        parts = [(self._given, _table(X, "X", len(self._given)))]
        if y is not None:
            parts.append((self._others, _table(y, "y", len(self._others))))
            if len({len(part) for _, part in parts}) > 1:
                raise ValueError(
                    f"X has {len(parts[0][1])} rows, but y has {len(parts[1][1])}."
                )
        libraries = {library_of(part) for _, part in parts}
        if len(libraries) > 1:
            raise TypeError("X and y must both be arrays, or frames of one library.")
        [library] = libraries
        if library == "array":
            dtypes = [part.dtype for _, part in parts]
            is_number = all(dtype.kind in "biuf" for dtype in dtypes)
            rows = np.full((len(parts[0][1]), len(self._schema)), np.nan)
            rows = rows if is_number else rows.astype(object)
            for place, part in parts:
                rows[:, place] = part
            return rows
        for place, part in parts:
            own = [self._schema.names[j] for j in place]
            if list(part.columns) != own:
                raise ValueError(
                    f"The columns must be {own}, in this order, got "
                    f"{list(part.columns)}."
                )
        return _side_by_side([part for _, part in parts], self._schema.names, library)


def _positions(columns: Any, names: Sequence) -> np.ndarray:
    """Return positions of columns from names, or from numbers in an array."""
    if isinstance(columns, str | Integral):
        columns = [columns]
    places = []
    for column in columns:
        if isinstance(column, str) and column in names:
            places.append(names.index(column))
        elif isinstance(column, Integral) and -len(names) <= int(column) < len(names):
            places.append(int(column) % len(names))
        else:
            raise ValueError(f"There is no column {column!r} among {list(names)}.")
    if len(set(places)) < len(places):
        raise ValueError(f"columns repeats a column: {list(columns)}.")
    if not 0 < len(places) < len(names):
        raise ValueError(
            "columns must be some of the columns, neither none nor all: got "
            f"{list(columns)}."
        )
    return np.array(places)


def _table(part: Any, name: str, n_columns: int) -> Any:
    if library_of(part) == "array":
        part = np.asarray(part)
        if part.ndim == 1 and n_columns == 1 and name == "y":
            part = part[:, None]
    if len(part.shape) != 2 or part.shape[1] != n_columns:
        raise ValueError(
            f"{name} must have the shape (n_rows, {n_columns}), got {part.shape}."
        )
    return part


def _side_by_side(parts: list, names: list, library: str) -> Any:
    """Return the columns of frames in one, in an order, others without any value."""
    if library == "pandas":
        whole = parts[0].copy()
        for part in parts[1:]:
            for name in part.columns:
                whole[name] = part[name].array
        return whole.reindex(columns=names)
    import polars

    whole = polars.concat(parts, how="horizontal")
    absent = [name for name in names if name not in whole.columns]
    return whole.with_columns(polars.lit(None).alias(n) for n in absent).select(names)
