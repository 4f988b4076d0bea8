"""A learned density: a map, the distribution it ends on, and nothing else."""

from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from destructors.maps._blocks import Way, in_blocks
from destructors.maps._checks import check_codes, show
from destructors.maps._column import plain
from destructors.maps._distributions import Distribution
from destructors.maps._gaussians import GRID
from destructors.maps._map import Data, Map, Mapped
from destructors.maps._schema import Schema

# Draws of rows with values that were never seen are repeated so often at most, each
# time at least so many rows.
_MOST_DRAWS, _FEWEST_DRAWN = 1000, 256
# Files of more columns are taken for damaged; all others are tried on so many rows.
_MOST_COLUMNS, _N_TRIED = 2**17, 8


@dataclass(frozen=True, eq=False, repr=False)
class Density(Data):
    r"""A density of rows, with exact log-densities, samples and inverse.

    .. math:: \log p(x) = \log p_{base}(T(x)) + \log |\det J_T(x)|

    This is what a fitted destructor has learned, without the learner: it needs NumPy
    and SciPy only, and is what a file holds.

    Parameters
    ----------
    map : Map
        The map ``T``.
    base : Distribution or None
        What rows follow after the map; None for maps that end on no known one, as those
        that align domains.
    n_features : int
        Number of columns.
    schema : Schema or None
        Names, dtypes and categories of the columns; None for plain arrays of numbers.
    labels : ndarray or None
        Labels of the domains, for a map that depends on them: numbers or strings.
    origin : str
        What it was learned by: a description, for people.

    Raises
    ------
    TypeError
        If the labels are of several types, or of one that no file can hold.

    See Also
    --------
    destructors.load : Read one from a file.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.linear import Whitening
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> density = Whitening().fit(X).to_density()
    >>> density.logpdf(X).shape
    (100,)
    """

    _any_dtype = ("labels",)

    map: Map
    base: Any
    n_features: int
    schema: Schema | None = None
    labels: NDArray | None = None
    origin: str = ""

    def __post_init__(self) -> None:
        if self.labels is not None:
            labels = plain(self.labels, "labels must be all numbers or strings, not")
            object.__setattr__(self, "labels", labels)

    def is_valid(self) -> bool:
        """Return whether columns, map and base are made for each other.

        A few rows are drawn, mapped there and back, and scored: where sizes do not fit,
        that fails with an error of any kind, and scores have to be finite.

        Returns
        -------
        fits : bool
        """
        d = self.n_features
        if not 0 < d <= _MOST_COLUMNS or len(self._columns) != d:
            return False
        if self.labels is not None and self.labels.ndim != 1:
            return False
        n = _N_TRIED
        # Of the first domain where none has a name; most maps ignore it.
        n_domains = 1 if self.labels is None else max(len(self.labels), 1)
        context = np.arange(n) % n_domains
        if self.base is None:
            Z = np.zeros((n, d))
        elif self.base.n_features != d:
            return False
        else:
            rng = np.random.RandomState(0)
            Z = self.base.sample(n, rng).astype(np.float64)
            ends = self.base.n_categories
            Z[1] = np.where(ends > 0, ends - 1, Z[1])
            Z = check_codes(Z, ends, "Z")
        with np.errstate(all="ignore"):
            X, _ = self.map.inverse(Z, context)
            kinds = self._columns.kinds
            X[1] = np.where(kinds > 0, kinds - 1, X[1])
            self.decode(X)
            Z, score = self.map.forward(check_codes(X, self.n_categories, "X"), context)
            if self.base is not None:
                score = score + self.base.logpdf(Z)
        fits = Z.shape == X.shape == (n, d) and score.shape == (n,)
        return fits and bool(np.isfinite(score).all() and np.isfinite(Z).all())

    def logpdf(self, X: ArrayLike, context: ArrayLike | None = None) -> NDArray:
        """Return the log density of each row, in nats.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows. Missing values are summed out where that is exact (`sums_out`), and
            an error elsewhere.
        context : array-like of shape (n_samples,), default=None
            Domain of each row, for a map that depends on it.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
        """
        return self.score_rows(self._columns.encode(X, may_miss=self.sums_out), context)

    def forward(self, X: ArrayLike, context: ArrayLike | None = None) -> Mapped:
        """Map rows to the latent space.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.
        context : array-like of shape (n_samples,), default=None
            Domain of each row, for a map that depends on it.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
        log_det : ndarray of shape (n_samples,)
            ``log |det J|`` of the map, in nats.
        """
        return self._apply(self.map.forward, self._columns.encode(X), context)

    def inverse(
        self, Z: ArrayLike, context: ArrayLike | None = None
    ) -> tuple[Any, NDArray]:
        """Map latent rows back.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_features)
            Latent rows.
        context : array-like of shape (n_samples,), default=None
            Domain of each row, for a map that depends on it.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            Rows, as those learned from were.
        log_det : ndarray of shape (n_samples,)
            ``log |det J|`` of the inverse map, in nats.
        """
        rows = Schema.of_numbers(self.n_features).encode(Z, name="Z")
        if self.base is not None:
            rows = check_codes(rows, self.base.n_categories, "Z")
        X, log_det = self._apply(self.map.inverse, rows, context)
        return self.decode(X), log_det

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
        context: ArrayLike | None = None,
    ) -> Any:
        """Draw rows.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Pass an int for reproducible samples.
        context : array-like of shape (n_samples,), default=None
            Domain of each row, for a map that depends on it.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            Rows, as those learned from were. Categories that were not seen are not
            drawn.

        Raises
        ------
        ValueError
            If ``n_samples`` is no integer of at least 1, or the density is not known.
        """
        rng = random_state
        if not isinstance(rng, np.random.RandomState):
            rng = np.random.RandomState(rng)
        return self.decode(self.sample_rows(n_samples, rng, context))

    def sample_conditional(
        self,
        X: ArrayLike,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> Any:
        """Draw what is missing in each row, given what is there.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_rows, n_features)
            Rows, NaN where a value is to be drawn.
        n_samples : int, default=1
            Number of draws for each row.
        random_state : int, RandomState instance or None, default=None
            Pass an int for reproducible samples.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_rows * n_samples, n_features)
            Rows without holes, those of the first row first, each with the index of its
            row. What was there is as it was; categories that were not seen are not
            drawn.

        Raises
        ------
        ValueError
            If ``n_samples`` is no integer of at least 1, or the density is one of which
            no conditional is known (`sums_out` is False).
        """
        _check_count(n_samples)
        rng = random_state
        if not isinstance(rng, np.random.RandomState):
            rng = np.random.RandomState(rng)
        rows, n = self.encode_holes(X), int(n_samples)
        Z, _ = self._apply(self.map.forward, rows, None)
        filled = self.base.fill(Z, rng, self._columns.unknown, n)
        filled, _ = self._apply(self.map.inverse, filled, None)
        rows = np.repeat(rows, n, axis=0)
        return self.decode_like(np.where(np.isnan(rows), filled, rows), X)

    def predict_missing(self, X: ArrayLike, strategy: str = "mean") -> Any:
        """Return rows with one value for what is missing, given what is there.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_rows, n_features)
            Rows, NaN where a value is to be predicted.
        strategy : {"mean", "mode"}, default="mean"
            The conditional mean of numbers and integers, or the most probable value:
            of numbers, the most probable of the classes' own modes. Of categories both
            give the most probable one.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_rows, n_features)
            Rows without holes; what was there is as it was.

        Raises
        ------
        ValueError
            If the density is one of which no conditional is known (`sums_out` is
            False).
        """
        return self.decode_like(self.predict_rows(self.encode_holes(X), strategy), X)

    @property
    def sums_out(self) -> bool:
        """Whether rows may have missing values, and what is missing can be drawn."""
        return self.base is not None and self.base.sums_out and self.map.lets_missing

    def save(self, path: str | PathLike[str]) -> None:
        """Write to a file; see `destructors.save`."""
        from destructors.maps._save import save

        save(self, path)

    @property
    def kinds(self) -> NDArray:
        """Numbers of categories of each column; 0 for numbers, -1 for integers."""
        return self._columns.kinds

    @property
    def n_categories(self) -> NDArray:
        """Number of categories of each column; 0 for numbers."""
        return np.maximum(self.kinds, 0)

    # ------------------------------------------------------------------ steps

    @property
    def unknown(self) -> NDArray:
        """Code of what was not seen, of each column; -1 without one."""
        return self._columns.unknown

    def score_rows(self, rows: NDArray, context: ArrayLike | None = None) -> NDArray:
        """Return the log density of rows as the map knows them, without reading them.

        Parameters
        ----------
        rows : ndarray of shape (n_samples, n_features)
            Numbers, and codes for categories.
        context : array-like of shape (n_samples,) or None, default=None
            See `logpdf`.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            In nats.
        """
        Z, log_det = self._apply(self.map.forward, rows, context)
        return self._known_base().logpdf(Z) + log_det

    def sample_rows(
        self,
        n_samples: int,
        rng: np.random.RandomState,
        context: ArrayLike | None = None,
        run: Any = None,
    ) -> NDArray:
        """Draw rows as the map knows them: numbers, and codes for categories."""
        _check_count(n_samples)
        base, unknown = self._known_base(), self._columns.unknown
        # What the map leaves in its place is not drawn at all; other rows are dropped.
        codes = np.where(self.map.keeps(unknown), unknown, -1)

        def draw(n_rows: int, given: ArrayLike | None) -> NDArray:
            if (codes >= 0).any():
                Z = base.sample_without(n_rows, rng, codes)
            else:
                Z = base.sample(n_rows, rng)
            return self._apply(self.map.inverse, Z, given, run)[0]

        X = draw(int(n_samples), context)
        for _ in range(_MOST_DRAWS):
            [again] = np.nonzero(self._columns.is_unknown(X))
            if not len(again):
                return X
            if context is None:
                new = draw(max(len(again), _FEWEST_DRAWN), None)
                new = new[~self._columns.is_unknown(new)][: len(again)]
            else:
                new = draw(len(again), np.asarray(context)[again])
            X[again[: len(new)]] = new
        raise ValueError(
            "Nearly all rows that are drawn hold categories that were not seen in fit: "
            'fit on more rows, or with handle_unknown="error".'
        )

    def predict_rows(self, rows: NDArray, strategy: str = "mean") -> NDArray:
        """Return rows, as the map knows them, with one value for what is missing.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features)
            What `encode_holes` returns.
        strategy : {"mean", "mode"}, default="mean"
            See `predict_missing`.

        Returns
        -------
        filled : ndarray of shape (n_rows, n_features)
            Numbers, and codes for categories.
        """
        Z, _ = self._apply(self.map.forward, rows, None)
        unknown = self._columns.unknown
        filled = self.base.predict(Z, strategy, self._curves, unknown)
        return np.where(np.isnan(rows), filled, rows)

    def expect_rows(
        self, rows: NDArray, most_categories: int = 0
    ) -> tuple[NDArray, NDArray]:
        """Return `predict_rows`, and means and probabilities of all there is.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features)
            What `encode_holes` returns.
        most_categories : int, default=0
            Columns of no more categories have their probabilities.

        Returns
        -------
        filled : ndarray of shape (n_rows, n_features)
            Numbers, and codes for categories.
        expected : ndarray of shape (n_rows, n_features + n_probabilities)
            Means, those of codes in their order, and then the probability of each code,
            column by column; of a code that is there it is one.
        """
        Z, _ = self._apply(self.map.forward, rows, None)
        of = self._curves, self._columns.unknown, most_categories
        filled, expected = self.base.expect(Z, *of)
        is_number = np.flatnonzero(self.kinds <= 0)
        filled = np.where(np.isnan(rows), filled, rows)
        expected[:, is_number] = filled[:, is_number]
        return filled, expected

    def decode(self, X: NDArray) -> Any:
        """Return rows as those learned from were: frames, names, dtypes, categories."""
        return X if self.schema is None else self.schema.decode(X)

    def _apply(
        self, way: Way, rows: NDArray, context: ArrayLike | None, run: Any = None
    ) -> Mapped:
        if context is not None:
            context = np.asarray(context)
            if context.shape[:1] != (len(rows),):
                raise ValueError(
                    f"context must have one entry a row: {len(rows)}, got the shape "
                    f"{context.shape}."
                )
            if self.labels is not None:
                context = encode_labels(context, self.labels)
        return in_blocks(way, rows, context, run)

    def encode_holes(self, X: Any) -> NDArray:
        """Return rows as the map knows them.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_rows, n_features)
            Rows, NaN where a value is missing.

        Returns
        -------
        rows : ndarray of shape (n_rows, n_features)
            Numbers, and codes for categories; NaN where a value is missing.
        """
        if not self.sums_out:
            raise ValueError(
                "No conditional of this density is known: fit a "
                "destructors.estimators.MixtureDensity."
            )
        rows = self._columns.encode(X, may_miss=True)
        return rows.astype(np.float64, copy=False)

    def decode_like(self, rows: NDArray, X: Any) -> Any:
        """Return rows as a table with the index of that they come from, repeated.

        Parameters
        ----------
        rows : ndarray of shape (n_rows * n_repeats, n_features)
            Rows, as often as each was drawn, side by side.
        X : ndarray or DataFrame of shape (n_rows, n_features)
            The table they come from.

        Returns
        -------
        table : ndarray or DataFrame of shape (n_rows * n_repeats, n_features)
        """
        table = self.decode(rows)
        if hasattr(table, "index") and hasattr(X, "iloc"):
            table.index = X.index.repeat(len(rows) // len(X))
        return table

    @cached_property
    def _curves(self) -> NDArray:
        """What columns of numbers are at the points of `GRID` in the latent space."""
        curves = np.zeros((len(GRID), self.n_features))
        for j in np.flatnonzero(self._columns.kinds == 0):
            Z = np.full_like(curves, np.nan)
            Z[:, j] = GRID
            curves[:, j] = self.map.inverse(Z)[0][:, j]
        return curves

    @cached_property
    def _columns(self) -> Schema:
        return self.schema or Schema.of_numbers(self.n_features)

    def _known_base(self) -> Distribution:
        if self.base is None:
            raise ValueError(
                "The map ends on no known distribution, so it has no density; forward "
                "and inverse work."
            )
        return self.base


def _check_count(n_samples: Any) -> None:
    if not isinstance(n_samples, Integral) or n_samples < 1:
        raise ValueError(
            f"n_samples must be an integer of at least 1, got {n_samples!r}."
        )


def encode_labels(labels: NDArray, known: NDArray) -> NDArray:
    """Return the places of labels of domains among the known ones."""
    found, codes = np.unique(labels, return_inverse=True)
    place = {label: k for k, label in enumerate(known.tolist())}
    if unknown := [label for label in found.tolist() if label not in place]:
        raise ValueError(
            f"sample_domain contains the unknown label(s) {show(map(repr, unknown))}; "
            f"the domains seen in fit are {show(map(repr, place))}."
        )
    return np.array([place[label] for label in found.tolist()], np.intp)[codes]
