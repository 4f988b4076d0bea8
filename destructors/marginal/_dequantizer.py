"""Noise that makes discrete columns continuous, and takes itself back."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from destructors._compat import StrOptions
from destructors.base import Destructor
from destructors.maps import Dequantize, Map
from destructors.maps._dequantize import Lattice
from destructors.rows import Fold, Rows

# Fractions whose multiples are recognised: decimals, and one over the smallest gap.
_DECIMALS = 10.0 ** np.arange(9)
_LARGEST_DENOMINATOR = 2.0**20
# Integers above it have no fraction in float64.
_LARGEST_INTEGER = 2.0**52
# A repeated value has at least this share of the rows, and so many rows besides:
# resampled or weighted rows have fewer copies.
_LEAST_SHARE, _LEAST_ROWS = 0.01, 5.0
# On a lattice it stands out if it has so many times the share of a typical place.
_EXCESS = 20.0
# Values that occur so often on average are all repeated.
_ALL_REPEATED = 5.0
# A smaller range cannot be told from none, as in other marginals.
_SMALLEST_SPREAD = 1e-301
# Ten times as much is a number.
_LARGEST_RANGE = 1e307


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
    is rounded and dequantized again gets other noise. Beside repeated values without a
    lattice the others are moved aside, and come back to a few units in the last place
    of the largest.

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

    _dequantizes = True
    _is_honest_by_map = True
    _parameter_constraints: ClassVar[dict] = {
        "columns": [StrOptions({"auto"}), "array-like"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        columns: Literal["auto"] | Sequence[int] | Sequence[str] = "auto",
        *,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.columns = columns
        self.random_state = random_state

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        assert random_state is not None
        rows = fold.train
        seed = random_state.randint(2**31 - 1)
        lattices: list[Lattice | None] = [None] * rows.n_features
        for j in self._named_columns(rows):
            lattice = _find_lattice(rows.values[:, j], rows.weight)
            if not lattice.is_trivial:
                lattices[j] = lattice
            elif not isinstance(self.columns, str):
                raise ValueError(
                    f"Column {rows.name(j)} has neither a lattice nor repeated "
                    "values: leave it out of columns."
                )
        self.lattice_ = [
            found if found is None else found.describe() for found in lattices
        ]
        return Dequantize(seed, tuple(lattices))

    def _named_columns(self, rows: Rows) -> list[int]:
        d = rows.n_features
        if isinstance(self.columns, str):
            return list(range(d))
        names = [] if rows.names is None else list(rows.names)
        places = {name: j for j, name in enumerate(names)}
        places |= {j: j % d for j in range(-d, d)}
        for column in self.columns:
            if column not in places:
                raise ValueError(
                    f"There is no column {column!r} among the {d} of X"
                    + (f" (named {', '.join(names[:10])})." if names else ", unnamed.")
                )
        return sorted({places[column] for column in self.columns})

    def _honest(
        self, fold: Fold, map_: Map, random_state: np.random.RandomState | None
    ) -> Fold:
        assert isinstance(map_, Dequantize)
        return Fold(fold.train.spread(map_), fold.validation_through(map_))


def _find_lattice(column: NDArray, weight: NDArray | None) -> Lattice:
    """Look for a lattice and for repeated values.

    Parameters
    ----------
    column : ndarray of shape (n_samples,)
        Values.
    weight : ndarray of shape (n_samples,) or None
        Positive weights: a row of weight 2 counts as two.

    Returns
    -------
    lattice : Lattice
    """
    values, places = np.unique(column, return_inverse=True)
    mass = np.bincount(places, weight, len(values))
    total = mass.sum()
    step, offset, denominator = _find_step(values)
    is_repeated = mass >= _LEAST_ROWS + _LEAST_SHARE * total
    if step is not None:
        # Steps across the middle of the others: how many places a typical value has.
        ordinary = values[~is_repeated]
        typical = 1.0
        if len(ordinary) > 1:
            share = np.cumsum(mass[~is_repeated]) / mass[~is_repeated].sum()
            low, high = np.interp([0.1, 0.9], share, ordinary)
            typical += (high - low) * denominator / step
        is_repeated &= mass > _EXCESS / typical * total
    elif total >= _ALL_REPEATED * len(values):
        is_repeated = np.ones(len(values), dtype=bool)
    repeated = values[is_repeated]
    widths = _choose_widths(values, mass, is_repeated)
    # Most of what is not repeated stays where it is.
    between = np.searchsorted(repeated, values[~is_repeated])
    held = np.bincount(between, mass[~is_repeated], len(repeated) + 1)
    return Lattice(step, offset, denominator, repeated, widths, int(held.argmax()))


def _find_step(values: NDArray) -> tuple[float | None, float, float]:
    """Return step, offset and denominator of the coarsest lattice that holds all."""
    gaps = np.diff(values)
    if not len(gaps):
        return None, 0.0, 1.0
    closest = np.round(1.0 / max(gaps.min(), 1.0 / _LARGEST_DENOMINATOR))
    for denominator in [*_DECIMALS, max(closest, 1.0)]:
        numerators = np.round(values * denominator)
        if np.abs(numerators).max() >= _LARGEST_INTEGER:
            break
        if (numerators / denominator == values).all():
            whole = numerators.astype(np.int64)
            step = np.gcd.reduce(np.diff(whole))
            # Few values can share a divisor by chance.
            step = step if len(values) > 10 else 1
            return float(step), float(whole[0]), float(denominator)
    return None, 0.0, 1.0


def _choose_widths(values: NDArray, mass: NDArray, is_repeated: NDArray) -> NDArray:
    """Return widths that leave repeated values about the density of the others."""
    shares = mass[is_repeated] / mass.sum()
    others = values[~is_repeated]
    if len(others) > 1:
        share = np.cumsum(mass[~is_repeated]) / mass[~is_repeated].sum()
        low, high = np.interp([0.1, 0.9], share, others)
        spread = (high - low) / (0.8 * (1.0 - shares.sum()))
    else:
        # Wide enough for the gaps between them to vanish, as far as float64 reaches.
        spread = 10.0 * min(np.ptp(values), _LARGEST_RANGE)
    # Shares of a smaller one would be no numbers: as in a column that is constant.
    return shares * (spread if spread > _SMALLEST_SPREAD else 1.0)
