"""Bounds: of features, so that no mass leaks beyond them, and of the unit cube."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from destructors._compat import Interval, StrOptions
from destructors.base import Destructor
from destructors.base_distributions import Uniform
from destructors.maps import BoundedColumns, Map, NormalToUniform
from destructors.rows import Fold


class BoundedSupport(Destructor):
    r"""Map features with bounds to the whole line, so that no mass leaks outside.

    Put it before other layers: whatever they learn, the density is zero beyond the
    bounds. A feature in ``(low, high)`` is mapped by
    :math:`\Phi^{-1}((x - low) / (high - low))`, which takes the uniform density to
    :math:`N(0, 1)`; one with a single bound by the logarithm of the distance to it,
    which takes the log-normal there. One without bounds is left alone. All keep the
    order of values. There is nothing to fit but learned bounds.

    Parameters
    ----------
    low, high : float, "learned", None or a list of these, default=None
        Bounds: one for all features, or one for each. None or an infinite value means
        that there is none. "learned" puts it a ``margin`` beyond the extreme value.
    margin : float, default=0.01
        Distance of a learned bound from the extreme training value, as a share of the
        range of the feature (of 1, if it is constant).
    out_of_bounds : {"raise", "clip"}, default="raise"
        What becomes of new rows beyond the bounds. "raise" is an error that names the
        columns; "clip" moves them to the bound and gives them the log density minus
        infinity, which is what it is.

    Attributes
    ----------
    low_, high_ : ndarray of shape (n_features,)
        Bounds in use; infinite where there is none.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    Raises
    ------
    ValueError
        If training rows lie beyond a bound (or new ones do, with
        ``out_of_bounds="raise"``), bounds are not in order, or there are not as many as
        features.

    Notes
    -----
    A value on a bound is mapped like the number next to it. Many of them, as in
    censored data, are for `Dequantizer` to spread first. Latents that stand for
    distances below 1e-308 or above 1e308 come back as those.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.marginal import BoundedSupport
    >>> X = np.random.default_rng(0).uniform(2.0, 4.0, size=(1000, 1))
    >>> model = BoundedSupport(low=2.0, high=4.0).fit(X)
    >>> np.exp(model.score_samples([[2.1], [3.0]])).round(3)
    array([0.5, 0.5])
    """

    _bound: ClassVar[list] = [Real, StrOptions({"learned"}), "array-like", None]
    _takes_stored = True
    _parameter_constraints: ClassVar[dict] = {
        "low": _bound,
        "high": _bound,
        "margin": [Interval(Real, 0, None, closed="neither")],
        "out_of_bounds": [StrOptions({"raise", "clip"})],
    }

    def __init__(
        self,
        low: float | Literal["learned"] | ArrayLike | Sequence | None = None,
        high: float | Literal["learned"] | ArrayLike | Sequence | None = None,
        *,
        margin: float = 0.01,
        out_of_bounds: Literal["raise", "clip"] = "raise",
    ):
        self.low = low
        self.high = high
        self.margin = margin
        self.out_of_bounds = out_of_bounds

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        rows = fold.train
        smallest, largest = rows.extremes
        spread = largest - smallest
        beyond = self.margin * np.where(spread > 0, spread, 1.0)
        # In units whose rounding is coarse the margin must still be one.
        learned_low = np.minimum(smallest - beyond, np.nextafter(smallest, -np.inf))
        learned_high = np.maximum(largest + beyond, np.nextafter(largest, np.inf))
        self.low_ = _read_bounds("low", self.low, -np.inf, learned_low)
        self.high_ = _read_bounds("high", self.high, np.inf, learned_high)
        if len(wrong := np.flatnonzero(self.low_ >= self.high_)):
            shown = ", ".join(map(rows.name, wrong[:5]))
            raise ValueError(f"low is not below high in column(s) {shown}.")
        names = None if rows.names is None else tuple(map(str, rows.names))
        bounds = BoundedColumns(self.low_, self.high_, self.out_of_bounds, names)
        outside = (self.low_ > smallest) | (self.high_ < largest)
        bounds.refuse(outside[None], "Training rows")
        return bounds


class NormalCDF(Destructor):
    r"""Map each feature to (0, 1) by the normal distribution function.

    The last step of a chain that should end on the unit cube, as in the 2018 paper:
    rows that follow :math:`N(0, I)` become uniform on it, and the base distribution is
    :class:`~destructors.base_distributions.Uniform`. There is nothing to fit, and the
    density is the same as without this step.

    Attributes
    ----------
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : Uniform
        The base distribution.

    Raises
    ------
    ValueError
        By the inverse, for rows outside the closed unit cube.

    Notes
    -----
    `score_samples` is exact at any distance. The position in the cube is not: float64
    resolves the neighbourhood of 0 down to 1e-308 but that of 1 only to 1e-16. Below
    the mean the inverse is exact down to -37 standard deviations; above it, it loses
    digits from 5 on (about seven remain there), and beyond 8.2 all values become 1,
    which the inverse takes to 8.2. To keep tails, stay in the latent space.

    References
    ----------
    D. I. Inouye and P. Ravikumar, *Deep density destructors*, ICML 2018, section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.marginal import NormalCDF
    >>> X = np.array([[0.0, -1.96], [1.0, 1.96]])
    >>> NormalCDF().fit_transform(X).round(3)
    array([[0.5  , 0.025],
           [0.841, 0.975]])
    """

    _takes_stored = True

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        self.base_distribution_ = Uniform(fold.train.n_features)
        names = fold.train.names
        return NormalToUniform(None if names is None else tuple(map(str, names)))


def _read_bounds(name: str, given: Any, missing: float, learned: NDArray) -> NDArray:
    """Return one bound a feature."""
    d = len(learned)
    entries = [given] * d if given is None or np.ndim(given) == 0 else list(given)
    if len(entries) != d:
        raise ValueError(f"{name} has {len(entries)} bounds for {d} feature(s).")
    bounds = np.empty(d)
    for j, entry in enumerate(entries):
        if entry is None:
            bounds[j] = missing
        elif isinstance(entry, str) and entry == "learned":
            bounds[j] = learned[j]
        elif isinstance(entry, Real) and entry == entry:  # no NaN
            bounds[j] = entry
        else:
            raise ValueError(
                f'Each of {name} must be a number, None or "learned"; got {entry!r}.'
            )
    return bounds
