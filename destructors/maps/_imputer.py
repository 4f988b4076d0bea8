"""What fills in holes: a density, and corrections of the means that it gives."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from destructors.maps._column import columns_of, library_of, read_values
from destructors.maps._density import Density
from destructors.maps._map import Data
from destructors.maps._schema import Schema

# Columns of more categories have no indicators.
MOST_CATEGORIES = 100
_WHAT = ("mean", "numbers", "codes", "indicators")
_STRATEGIES = ("mean", "mode", "sample")


@dataclass(frozen=True, eq=False, repr=False)
class MeanRegression(Data):
    """A linear regression of a column of numbers on a row that a density filled in.

    Parameters
    ----------
    column : int
        Position of the column.
    is_change : bool
        Whether what is predicted is added to the mean of the density.
    what : str
        Columns that it sees: "mean" (that of the density), "numbers", "codes" (their
        means, in their order) or "indicators" (the probability of each category); each
        has the former.
    centre, scale, lowest, highest, coef : ndarray of shape (n_seen,)
        What is seen is standardised, but probabilities, and kept within its range in
        training.
    intercept : float
    lower, upper : float
        Smallest and largest value in training.
    weight : float
        Share that it has in the mean; what the regressions of a column leave of one is
        that of the mean of the density.
    middle, unit, growth : float
        Where ``unit`` is not zero, what is predicted is arcsinh((y - middle) / unit),
        a logarithm far out, and ``growth`` is what the spread about it adds to the mean
        of y: exp(s**2 / 2), for an error of variance s**2.
    """

    _positive = ("scale",)

    column: int
    is_change: bool
    what: str
    centre: NDArray
    scale: NDArray
    lowest: NDArray
    highest: NDArray
    coef: NDArray
    intercept: float
    lower: float
    upper: float
    weight: float = 1.0
    middle: float = 0.0
    unit: float = 0.0
    growth: float = 1.0

    def is_valid(self) -> bool:
        """Return whether there is as much of each for what is seen."""
        shapes = {part.shape for part in self._seen()}
        return (
            0.0 <= self.unit < np.inf
            and np.isfinite(self.middle)
            and 1.0 <= self.growth < np.inf
            and not (self.unit and self.is_change)
            and self.what in _WHAT
            and len(shapes) == 1
            and self.coef.ndim == 1
            and self.lower <= self.upper
            and 0.0 < self.weight <= 1.0
            and bool((self.lowest <= self.highest).all())
        )

    def fits(self, kinds: NDArray) -> bool:
        """Return whether it sees as many columns as rows of such kinds have."""
        d = len(kinds)
        if not 0 <= self.column < d or kinds[self.column] > 0:
            return False
        few = kinds[(kinds > 0) & (kinds <= MOST_CATEGORIES)]
        none = np.zeros((1, d + int(few.sum())))
        return see(none, self.column, kinds, self.what).shape[1] == len(self.coef)

    def _seen(self) -> tuple[NDArray, ...]:
        return self.centre, self.scale, self.lowest, self.highest, self.coef

    def predict(self, expected: NDArray, kinds: NDArray) -> NDArray:
        """Return the means of its column.

        Parameters
        ----------
        expected : ndarray of shape (n_samples, n_features + n_probabilities)
            What the density expects of rows with this column hidden.
        kinds : ndarray of int of shape (n_features,)
            Numbers of categories; 0 or less for numbers and integers.
        """
        seen = see(expected, self.column, kinds, self.what)
        Z = np.clip((seen - self.centre) / self.scale, self.lowest, self.highest)
        means = self.intercept + Z @ self.coef
        if self.unit:
            means = unbend(means, self)
        if self.is_change:
            means += expected[:, self.column]
        return np.clip(means, self.lower, self.upper)


def unbend(bent: NDArray, how: MeanRegression) -> NDArray:
    """Return means of y from those of arcsinh((y - middle) / unit).

    That of a normal variable about m with the variance s**2 has the mean
    middle + unit exp(s**2 / 2) sinh(m).
    """
    ends = np.arcsinh((np.array([how.lower, how.upper]) - how.middle) / how.unit)
    return how.middle + how.unit * how.growth * np.sinh(np.clip(bent, *ends))


def see(expected: NDArray, column: int, kinds: NDArray, what: str) -> NDArray:
    """Return what a regression sees of `Density.expect_rows`; see `MeanRegression`."""
    parts = [expected[:, [column]]]
    if what != "mean":
        others = np.flatnonzero((kinds <= 0) & (np.arange(len(kinds)) != column))
        parts.append(expected[:, others])
    if what in ("codes", "indicators"):
        parts.append(expected[:, np.flatnonzero(kinds > 0)])
    if what == "indicators":
        parts.append(expected[:, len(kinds) :])
    return np.hstack(parts)


def _place_unseen(
    schema: Schema, X: ArrayLike, rows: NDArray, expected: NDArray
) -> None:
    """Put categories that were not seen and are numbers where they are in the order."""
    X = np.asarray(X) if library_of(X) == "array" else X
    for j, column in enumerate(schema.columns):
        unseen = rows[:, j] == column.unknown
        if (
            column.kind <= 0
            or not unseen.any()
            or column.values.dtype.kind not in "iuf"
        ):
            continue
        known = column.values.astype(np.float64)
        values, place = read_values(columns_of(X)[j])
        if values.dtype.kind in "iuf" and len(known) and (np.diff(known) > 0).all():
            labels = (values if place is None else values[place])[unseen]
            expected[unseen, j] = np.interp(labels, known, np.arange(len(known)))


@dataclass(frozen=True, eq=False, repr=False)
class Imputer(Data):
    """Fills in what is missing: a `DensityImputer` without the learner.

    It is what `destructors.load` gives of a saved one, and needs NumPy and SciPy only.

    Parameters
    ----------
    density : Density
        Of rows with holes.
    strategy : {"mean", "mode", "sample"}
        What to fill in.
    regressions : tuple of MeanRegression
        Corrections of the means of some columns, of which one may have several.
    seed : int or None
        Of the draws.

    See Also
    --------
    destructors.estimators.DensityImputer : What learns it.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import destructors
    >>> from destructors.estimators import DensityImputer
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=300)
    >>> X = np.c_[x, x + 0.1 * rng.normal(size=300)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "imputer.npz")
    ...     destructors.save(DensityImputer(random_state=0).fit(X), path)
    ...     imputer = destructors.load(path)
    >>> imputer.transform([[1.0, np.nan]]).round()
    array([[1., 1.]])
    """

    density: Density
    strategy: str
    regressions: tuple[MeanRegression, ...]
    seed: int | None = None

    def is_valid(self) -> bool:
        """Return whether the parts are made for each other."""
        return (
            self.strategy in _STRATEGIES
            and self.density.sums_out
            and all(each.fits(self.density.kinds) for each in self.regressions)
            and bool((self._shares() < 1.0 + 1e-6).all())
        )

    def _shares(self) -> NDArray:
        """Return the weights of all regressions of each column."""
        columns = np.array([each.column for each in self.regressions], dtype=int)
        weights = np.array([each.weight for each in self.regressions], dtype=float)
        return np.bincount(columns, weights, self.n_features)

    @property
    def schema(self) -> Schema | None:
        """The columns."""
        return self.density.schema

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return self.density.n_features

    def transform(self, X: ArrayLike) -> Any:
        """Return rows without holes.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows, NaN where a value is missing.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            What was there is as it was.

        Raises
        ------
        ValueError, TypeError
            If the columns are not those of the training rows, or hold what these
            cannot, such as infinity.
        """
        if self.strategy == "sample":
            return self.density.sample_conditional(X, 1, self.seed)
        if self.strategy == "mode":
            return self.density.predict_missing(X, "mode")
        rows = self.density.encode_holes(X)
        return self.density.decode_like(self._means(rows, X), X)

    def _means(self, rows: NDArray, X: ArrayLike) -> NDArray:
        if not self.regressions:
            return self.density.predict_rows(rows)
        need = any(each.what == "indicators" for each in self.regressions)
        most = MOST_CATEGORIES if need else 0
        filled, expected = self.density.expect_rows(rows, most)
        if self.schema is not None:
            _place_unseen(self.schema, X, rows, expected)
        result = filled.copy()
        for each in self.regressions:
            j = each.column
            gone = np.flatnonzero(np.isnan(rows[:, j]))
            if len(gone):
                means = each.predict(expected[gone], self.density.kinds)
                result[gone, j] += each.weight * (means - filled[gone, j])
        return result

    def save(self, path: str) -> None:
        """Write to a file; see `destructors.save`."""
        from destructors.maps._save import save

        save(self, path)
