"""Tables of `destructors.maps._normal`: where its polynomials come from.

Both functions are interpolated by a polynomial at Chebyshev nodes, after a change of
variables that makes them smooth on [-1, 1]; the Chebyshev series, cut off where it has
fallen below the rounding errors of float64, is then written in powers.

Many nodes average out the rounding errors of the values, so that the series is right to
about 1e-15. Powers magnify such errors by a thousand million: other nodes give other
digits of the same polynomial. The tables in the package are therefore compared as
Chebyshev series; see ``tests/maps/test_normal.py``.

Print the tables with ``python -m tools.chebyshev_tables``.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy.special import erfcx, log_ndtr, ndtri_exp

__all__ = ["mills_series", "quantile_line", "quantile_series"]

_N_NODES = 400
# Mills' ratio M(u), u >= 0, times u + _MILLS_SHIFT, in t = (u - shift) / (u + shift).
_MILLS_SHIFT, _MILLS_DEGREE = 4.0, 24
# Quantiles z, over r + _QUANTILE_SHIFT with r = √(-log Φ(-z)), in a linear function of
# 1 / (r + shift); from z = 0 to r = _QUANTILE_END.
_QUANTILE_SHIFT, _QUANTILE_END, _QUANTILE_DEGREE = 1.5, 6.0, 21


def mills_series() -> NDArray:
    """Return the Chebyshev coefficients of Mills' ratio."""

    def value(t: NDArray) -> NDArray:
        u = _MILLS_SHIFT * (1.0 + t) / (1.0 - t)
        return (u + _MILLS_SHIFT) * _mills(u)

    return _interpolate(value, _MILLS_DEGREE)


def quantile_line() -> tuple[float, float]:
    """Return slope and intercept of t as a function of 1 / (r + shift)."""
    first = 1.0 / (np.sqrt(np.log(2.0)) + _QUANTILE_SHIFT)
    last = 1.0 / (_QUANTILE_END + _QUANTILE_SHIFT)
    slope = -2.0 / (first - last)
    return float(slope), float(1.0 - slope * last)


def quantile_series() -> NDArray:
    """Return the Chebyshev coefficients of the normal quantiles."""
    slope, start = quantile_line()

    def value(t: NDArray) -> NDArray:
        inverse = (t - start) / slope
        log_p = -((1.0 / inverse - _QUANTILE_SHIFT) ** 2)
        z = -ndtri_exp(log_p)
        # A step of Newton takes the last errors away.
        z += (log_ndtr(-z) - log_p) * _mills(z)
        return z * inverse

    return _interpolate(value, _QUANTILE_DEGREE)


def _mills(u: NDArray) -> NDArray:
    return np.sqrt(0.5 * np.pi) * erfcx(u / np.sqrt(2.0))


def _interpolate(function, degree: int) -> NDArray:
    return chebyshev.chebinterpolate(function, _N_NODES)[: degree + 1]


def main() -> None:
    """Print the tables, lowest power first."""
    print("slope and start of the quantiles:", *quantile_line())
    for name, series in (("mills", mills_series()), ("quantile", quantile_series())):
        print(name)
        print(*chebyshev.cheb2poly(series).tolist(), sep=",\n")


if __name__ == "__main__":
    main()
