"""Noise that makes discrete columns continuous, and takes itself back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from destructors._compat import StrOptions
from destructors._splits import hash_again, hash_rows
from destructors.base import Destructor
from destructors.marginal._lattice import Lattice, find_lattice

__all__ = ["Dequantizer"]

# Noise stays off the edges of its cell by this share, so that rounding never carries
# it across.
_GUARD = 5e-4
_ODD = np.uint64(0x9E3779B97F4A7C15)


class Dequantizer(Destructor):
    r"""Spread the values of discrete columns by uniform noise; the inverse rounds back.

    A density has no place for point masses: other layers would pile up ever more of it
    on repeated values. This layer comes first and makes such columns continuous.

    - A column on a *lattice* (integers, decimals, multiples of a fraction) gets noise
      as wide as the step: 3 becomes a value in (3, 4).
    - A value that *repeats* far more often than its neighbours, like the zero of a
      zero-inflated column, is spread over an interval that is opened for it; values on
      one side move aside. Columns of a few repeated values on no lattice are treated so
      altogether.

    `inverse_transform` gives back exactly the values that were transformed (up to the
    last bit, where continuous values moved aside).

    Parameters
    ----------
    columns : "auto" or sequence of int or str, default="auto"
        Which columns to dequantize, by position or name. "auto" takes those that have a
        lattice or repeated values.
    random_state : int, RandomState instance or None, default=None
        Seed of the noise.

    Attributes
    ----------
    lattice_ : list of (dict or None)
        What was found in each column. None: it is continuous, or not among ``columns``,
        and left alone. Else a dict with ``step``, the distance between places of the
        lattice (None without one), and ``repeated``, the values that stand out.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    Raises
    ------
    ValueError
        In `fit`, if a column does not exist or has neither a lattice nor repeated
        values.

    Notes
    -----
    **The noise** is a hash of the row's values and the seed. So `transform` gives a row
    the same latent each time and in any batch; but equal rows get equal noise. While a
    stack is fitted, repeated rows do get noise of their own, so that the layers above
    see whole cells.

    **The score** of a stack that begins with this layer is the log density of the
    dequantized row :math:`x + u`; the log-determinant here is zero. Its mean over the
    noise is a lower bound of :math:`\log P(x) - \sum_j \log h_j`, with :math:`P` the
    probability of the row and :math:`h_j` the steps; the score is this bound from a
    single draw. Columns of few values make it noisy: average over several
    ``random_state``.

    **Off the lattice.** A value between places of the lattice (2.5 among integers)
    counts as dequantized already: it has a density, but the inverse rounds it down. The
    map is therefore one-to-one on what it was made for, lattice rows, and in this
    direction only: ``inverse_transform(transform(X))`` equals ``X``, but a latent that
    is rounded and dequantized again gets other noise.

    Weights count rows, as everywhere; but a row of weight 3 gets one draw of noise in
    the fit of a stack, and three equal rows get three.

    References
    ----------
    L. Theis, A. van den Oord and M. Bethge, *A note on the evaluation of generative
    models*, ICLR 2016, section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.marginal import Dequantizer
    >>> rng = np.random.default_rng(0)
    >>> rain = np.where(rng.uniform(size=500) < 0.4, 0.0, rng.exponential(size=500))
    >>> X = np.c_[rng.integers(0, 9, size=500), rain, rng.normal(size=500)]
    >>> model = Dequantizer(random_state=0).fit(X)
    >>> model.lattice_
    [{'step': 1.0, 'repeated': array([], dtype=float64)},
     {'step': None, 'repeated': array([0.])}, None]
    >>> bool((model.inverse_transform(model.transform(X)) == X).all())
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "columns": [StrOptions({"auto"}), "array-like"],
        "random_state": ["random_state"],
    }
    _feature_wise = True

    def __init__(
        self,
        columns: Literal["auto"] | Sequence[int] | Sequence[str] = "auto",
        *,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.columns = columns
        self.random_state = random_state

    # ------------------------------------------------------------------ fitting

    def _fit(self, X, sample_weight, random_state):
        self._seed = random_state.randint(2**31 - 1)
        self._columns = {}
        self.lattice_ = [None] * X.shape[1]
        for j in self._named_columns():
            lattice = find_lattice(X[:, j], sample_weight)
            if not lattice.is_trivial:
                self._columns[j] = _Column(lattice)
                self.lattice_[j] = lattice.describe()
            elif not isinstance(self.columns, str):
                raise ValueError(
                    f"Column {self._name(j)} has neither a lattice nor repeated "
                    "values: leave it out of columns."
                )

    def _named_columns(self) -> list[int]:
        d = self.n_features_in_
        if isinstance(self.columns, str):
            return list(range(d))
        names = list(getattr(self, "feature_names_in_", []))
        found = []
        for column in self.columns:
            known = column in names if isinstance(column, str) else -d <= column < d
            if not known:
                raise ValueError(
                    f"There is no column {column!r} among the {d} of X"
                    + (f" (named {', '.join(names[:10])})." if names else ", unnamed.")
                )
            is_name = isinstance(column, str)
            found.append(names.index(column) if is_name else int(column) % d)
        return sorted(set(found))

    def _name(self, j: int) -> str:
        return str(getattr(self, "feature_names_in_", np.arange(j + 1))[j])

    def _fit_forward(self, X, sample_weight, random_state):
        self._fit(X, sample_weight, random_state)
        hashes = hash_rows(X, self._seed)
        # Equal rows are numbered, so that each gets noise of its own.
        order = np.argsort(hashes, kind="stable")
        first = np.flatnonzero(np.diff(hashes[order], prepend=~hashes[order[:1]]) != 0)
        lengths = np.diff(first, append=len(X))
        number = np.empty(len(X), dtype=np.uint64)
        number[order] = np.arange(len(X)) - np.repeat(first, lengths)
        return self._add_noise(X, hashes + number * _ODD)

    # ------------------------------------------------------------------ mapping

    def _forward(self, X):
        return self._add_noise(X, hash_rows(X, self._seed))

    def _add_noise(self, X: NDArray, hashes: NDArray) -> tuple[NDArray, NDArray]:
        Z = X.copy()
        for j, column in self._columns.items():
            share = hash_again(hashes, self._seed + j)
            noise = _GUARD + (1.0 - 2.0 * _GUARD) * share
            Z[:, j] = column.spread(X[:, j], noise)
        return Z, np.zeros(len(X))

    def _inverse(self, Z):
        X = Z.copy()
        for j, column in self._columns.items():
            X[:, j] = column.gather(Z[:, j])
        return X, np.zeros(len(Z))


class _Column:
    """The map of one column."""

    def __init__(self, lattice: Lattice):
        self.lattice = lattice
        # How far what lies below the first, between the first and second, … repeated
        # value moves.
        rise = np.cumsum(np.r_[0.0, lattice.widths])
        self.shifts = rise - rise[lattice.first_up]

    def spread(self, x: NDArray, noise: NDArray) -> NDArray:
        repeated, widths = self.lattice.repeated, self.lattice.widths
        below = np.searchsorted(repeated, x)
        y = self._spread_on_lattice(x, noise) + self.shifts[below]
        if len(repeated):
            nearest = np.minimum(below, len(repeated) - 1)
            hit = repeated[nearest] == x
            y[hit] = (repeated + self.shifts[:-1])[nearest[hit]]
            y[hit] += noise[hit] * widths[nearest[hit]]
        return y

    def gather(self, y: NDArray) -> NDArray:
        repeated = self.lattice.repeated
        below = np.searchsorted(repeated + self.shifts[1:], y)
        x = self._floor(y - self.shifts[below])
        if len(repeated):
            nearest = np.minimum(below, len(repeated) - 1)
            hit = (below < len(repeated)) & (
                y >= (repeated + self.shifts[:-1])[nearest]
            )
            x[hit] = repeated[nearest[hit]]
        return x

    def _spread_on_lattice(self, x: NDArray, noise: NDArray) -> NDArray:
        if self.lattice.step is None:
            return x
        width = self.lattice.step / self.lattice.denominator
        # Off the lattice, and where float64 cannot tell places apart, there is none.
        y = np.where(self._floor(x) == x, x + width * noise, x)
        return np.where(self._floor(y) == self._floor(x), y, x)

    def _floor(self, y: NDArray) -> NDArray:
        step, offset = self.lattice.step, self.lattice.offset
        if step is None:
            return y.copy()
        denominator = self.lattice.denominator
        with np.errstate(over="ignore"):
            place = (y * denominator - offset) / step
        # Products of decimals fall short of the integer by rounding.
        place = np.floor(place + 1e-6 + 1e-15 * np.abs(place))
        on = np.abs(place) < 2.0**52
        return np.where(on, (offset + np.where(on, place, 0.0) * step) / denominator, y)
