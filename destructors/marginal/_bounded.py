"""Known bounds of a feature, so that no mass leaks beyond them."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from destructors._compat import Interval, StrOptions
from destructors.base import Destructor

__all__ = ["BoundedSupport"]

_HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)
# A value on a bound counts as one at this (relative) distance: float64's smallest.
_CLOSEST = np.finfo(np.float64).tiny
_FARTHEST = np.finfo(np.float64).max / 4.0
# Squares of larger latents would overflow.
_LARGEST = 1e150


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
    _parameter_constraints: ClassVar[dict] = {
        "low": _bound,
        "high": _bound,
        "margin": [Interval(Real, 0, None, closed="neither")],
        "out_of_bounds": [StrOptions({"raise", "clip"})],
    }
    _feature_wise = True

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

    # ------------------------------------------------------------------ fitting

    def _fit(self, X, sample_weight, random_state):
        smallest, largest = X.min(axis=0), X.max(axis=0)
        spread = largest - smallest
        beyond = self.margin * np.where(spread > 0, spread, 1.0)
        # In units whose rounding is coarse the margin must still be one.
        learned_low = np.minimum(smallest - beyond, np.nextafter(smallest, -np.inf))
        learned_high = np.maximum(largest + beyond, np.nextafter(largest, np.inf))
        self.low_ = _read_bounds("low", self.low, -np.inf, learned_low)
        self.high_ = _read_bounds("high", self.high, np.inf, learned_high)
        if (wrong := self.low_ >= self.high_).any():
            raise ValueError(f"low is not below high in column(s) {self._name(wrong)}.")
        self._refuse_outside(X, "Training rows")
        self._kinds = [
            _KINDS[np.isfinite(low), np.isfinite(high)](low, high)
            for low, high in zip(self.low_, self.high_, strict=True)
        ]

    def _refuse_outside(self, X: NDArray, what: str) -> None:
        outside = ((self.low_ > X) | (self.high_ < X)).any(axis=0)
        if outside.any():
            bounds = ", ".join(
                f"[{low:g}, {high:g}]"
                for low, high in zip(
                    self.low_[outside][:5], self.high_[outside][:5], strict=True
                )
            )
            raise ValueError(
                f"{what} lie beyond the bounds in column(s) {self._name(outside)}: "
                f"{bounds}."
            )

    def _name(self, columns: NDArray) -> str:
        names = getattr(self, "feature_names_in_", np.arange(len(columns)))
        return ", ".join(str(name) for name in names[columns][:5])

    # ------------------------------------------------------------------ mapping

    def _forward(self, X):
        if self.out_of_bounds == "raise":
            self._refuse_outside(X, "Rows")
        Z, log_det = np.empty_like(X), np.zeros(len(X))
        for j, kind in enumerate(self._kinds):
            Z[:, j] = kind.to_line(np.clip(X[:, j], self.low_[j], self.high_[j]))
            log_det += kind.log_slope(Z[:, j])
        log_det[((self.low_ > X) | (self.high_ < X)).any(axis=1)] = -np.inf
        return Z, log_det

    def _inverse(self, Z):
        X, log_det = np.empty_like(Z), np.zeros(len(Z))
        for j, kind in enumerate(self._kinds):
            X[:, j] = np.clip(kind.from_line(Z[:, j]), self.low_[j], self.high_[j])
            log_det -= kind.log_slope(Z[:, j])
        return X, log_det


class _Unbounded:
    """No bound: nothing is done."""

    def __init__(self, low: float, high: float):
        pass

    def to_line(self, x: NDArray) -> NDArray:
        return x

    from_line = to_line

    def log_slope(self, z: NDArray) -> NDArray:
        return np.zeros(len(z))


class _OneSided:
    """One bound: the logarithm of the distance, with the sign that keeps the order."""

    def __init__(self, low: float, high: float):
        self.sign = 1.0 if np.isfinite(low) else -1.0
        self.bound = low if np.isfinite(low) else high

    def to_line(self, x: NDArray) -> NDArray:
        distance = self.sign * (x - self.bound)
        return self.sign * np.log(np.clip(distance, _CLOSEST, _FARTHEST))

    def from_line(self, z: NDArray) -> NDArray:
        exponent = np.clip(self.sign * z, np.log(_CLOSEST), np.log(_FARTHEST))
        return self.bound + self.sign * np.exp(exponent)

    def log_slope(self, z: NDArray) -> NDArray:
        return -self.sign * z


class _TwoSided:
    """Both bounds: normal scores of the share of the way, from the closer one."""

    def __init__(self, low: float, high: float):
        self.low, self.high, self.width = low, high, high - low

    def to_line(self, x: NDArray) -> NDArray:
        below = np.maximum((x - self.low) / self.width, _CLOSEST)
        above = np.maximum((self.high - x) / self.width, _CLOSEST)
        return np.where(below < above, ndtri(below), -ndtri(above))

    def from_line(self, z: NDArray) -> NDArray:
        share = self.width * ndtr(-np.abs(z))
        return np.where(z < 0.0, self.low + share, self.high - share)

    def log_slope(self, z: NDArray) -> NDArray:
        z = np.clip(z, -_LARGEST, _LARGEST)
        return 0.5 * z * z + _HALF_LOG_2PI - np.log(self.width)


# By whether there is a lower and an upper bound.
_KINDS: dict[tuple[bool, bool], Any] = {
    (False, False): _Unbounded,
    (True, False): _OneSided,
    (False, True): _OneSided,
    (True, True): _TwoSided,
}


def _read_bounds(name: str, given: Any, missing: float, learned: NDArray) -> NDArray:
    """Give one bound a feature."""
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
