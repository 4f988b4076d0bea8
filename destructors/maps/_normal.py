"""The standard normal in compiled kernels: density and tail together, and quantiles.

A mixture asks for the density and the distribution function of every component at every
value, so both are had from one exponential, without branches: loops over them are
vectorised by the compiler. Accurate to a few units of the last place, far into the
tails. Where numba is missing nothing here is used: scipy.special does the work.
``python -m tools.chebyshev_tables`` prints the tables.
"""

import math

import numpy as np

from destructors.maps._jit import jit_fused

# Larger arguments are taken for this one: their squares would overflow.
LARGEST = 1e150
# What `exp` gives for anything more negative than its logarithm, -300. Products of two
# are normal numbers still; subnormal ones would slow down every loop they enter.
SMALLEST = math.exp(-300.0)
_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


def _interleave(coefficients, n_parts):
    """Split a polynomial, given from the lowest power, into parts for `_horner`.

    Shorter chains of dependent operations keep the arithmetic units busy.
    """
    return tuple(coefficients[i::n_parts][::-1] for i in range(n_parts))


@jit_fused
def _horner(coefficients, t):
    value = coefficients[0]
    for coefficient in coefficients[1:]:
        value = value * t + coefficient
    return value


# ---------------------------------------------------------------- exp and log

_EXP_EVEN, _EXP_ODD = _interleave(tuple(1.0 / math.factorial(i) for i in range(14)), 2)
# Adding this rounds to an integer, which then stands in the lowest bits.
_ROUND = 1.5 * 2.0**52
_ROUND_BITS = int(np.float64(_ROUND).view(np.int64))
_LOG2_E = 1.0 / math.log(2.0)
# log 2 in two parts; multiples of the first are exact.
_LOG_2_HIGH = 6.93147180369123816490e-01
_LOG_2_LOW = 1.90821492927058770002e-10


@jit_fused
def exp(x):
    """Exponential of a number that is not positive, and not less than `SMALLEST`."""
    x = max(x, -300.0)
    shifted = x * _LOG2_E + _ROUND
    n = shifted - _ROUND
    rest = (x - n * _LOG_2_HIGH) - n * _LOG_2_LOW
    square = rest * rest
    series = _horner(_EXP_EVEN, square) + rest * _horner(_EXP_ODD, square)
    bits = np.float64(shifted).view(np.int64)
    return series * np.int64((bits - _ROUND_BITS + 1023) << 52).view(np.float64)


# log m = 2 artanh s, s = (m - 1) / (m + 1), as a series in s².
_ARTANH_EVEN, _ARTANH_ODD = _interleave(tuple(2.0 / (2 * i + 1) for i in range(12)), 2)
_SQRT_HALF_BITS = int(np.float64(math.sqrt(0.5)).view(np.int64))


@jit_fused
def log(x):
    """Logarithm of a positive normal number."""
    bits = np.float64(x).view(np.int64)
    exponent = (bits - _SQRT_HALF_BITS) >> 52
    m = np.int64(bits - (exponent << 52)).view(np.float64)
    n = np.int64(exponent + _ROUND_BITS).view(np.float64) - _ROUND
    s = (m - 1.0) / (m + 1.0)
    t = s * s
    t2 = t * t
    series = _horner(_ARTANH_EVEN, t2) + t * _horner(_ARTANH_ODD, t2)
    return n * _LOG_2_HIGH + (n * _LOG_2_LOW + s * series)


# ---------------------------------------------------------------- tails

# Chebyshev fit of (u + 4) M(u), for Mills' ratio M, as a polynomial in
# (u - 4) / (u + 4), from the lowest power. It holds for all u >= 0.
_MILLS_0, _MILLS_1, _MILLS_2, _MILLS_3 = _interleave(
    (
        1.8932190633084853,
        -1.5237709108199835,
        0.9704095548675884,
        -0.4675409629983325,
        0.15139176231244347,
        -0.018900450861711257,
        -0.008722295274260125,
        0.004087855681200072,
        0.0003342446162328441,
        -0.0005792693046478719,
        -4.783264259417208e-06,
        8.809573121072337e-05,
        1.7963971214040778e-06,
        -1.4843277679080294e-05,
        -1.5787665654677373e-06,
        2.568755311229722e-06,
        6.829633831673466e-07,
        -4.00493929251171e-07,
        -2.1774195022039326e-07,
        4.473060051450323e-08,
        5.3711037651589576e-08,
        -1.4722998923746307e-09,
        -9.35134044482434e-09,
        -3.0073979672398766e-10,
        8.53083886026053e-10,
    ),
    4,
)


@jit_fused
def mills(u):
    """Mills' ratio, the upper tail over the density, for ``u >= 0``."""
    inverse = 1.0 / (u + 4.0)
    t = (u - 4.0) * inverse
    t2 = t * t
    t4 = t2 * t2
    even = _horner(_MILLS_0, t4) + t2 * _horner(_MILLS_2, t4)
    odd = _horner(_MILLS_1, t4) + t2 * _horner(_MILLS_3, t4)
    return inverse * (even + t * odd)


@jit_fused
def log_tail(u):
    """Log of the probability above ``u``, for ``|u| <= LARGEST``."""
    if u > 0.0:
        return math.log(mills(u)) - 0.5 * u * u - _HALF_LOG_2PI
    return math.log1p(-mills(-u) * exp(-0.5 * u * u - _HALF_LOG_2PI))


@jit_fused
def log_mills(u):
    """Log of Mills' ratio, for ``|u| <= LARGEST``."""
    if u > 0.0:
        return math.log(mills(u))
    return log_tail(u) + 0.5 * u * u + _HALF_LOG_2PI


# ---------------------------------------------------------------- quantiles

# Chebyshev fit of z / (r + 1.5), r = √(-log Φ(-z)), as a polynomial in a linear
# function of 1 / (r + 1.5), from the lowest power. It holds for z >= 0 and r <= 6.
FIT_END = -36.0
_FIT_SLOPE, _FIT_START = -6.7709122273286635, 1.9027882969771552
_QUANTILE_EVEN, _QUANTILE_ODD = _interleave(
    (
        0.6139962252432333,
        0.5298188037569571,
        -0.06927565913621599,
        0.01071906178832288,
        -0.0030545570016828156,
        0.0007532276413963812,
        -0.00026283233424616683,
        7.310376031830934e-05,
        -2.6733791171003284e-05,
        7.793436343659203e-06,
        -3.038754102846199e-06,
        8.784052660232195e-07,
        -3.665048812093239e-07,
        1.0221467282167251e-07,
        -4.562135230609059e-08,
        1.2040882632835658e-08,
        -6.959698809133252e-09,
        1.2879200012840325e-09,
        -2.9119049058913485e-10,
        1.9417113647567892e-10,
        -3.2169009721910076e-10,
        7.50729875687284e-13,
    ),
    2,
)


@jit_fused
def quantile_fit(log_p):
    """Return what `quantile` does, for ``log_p >= FIT_END`` only."""
    r = math.sqrt(-log_p)
    inverse = 1.0 / (r + 1.5)
    t = _FIT_SLOPE * inverse + _FIT_START
    t2 = t * t
    series = _horner(_QUANTILE_EVEN, t2) + t * _horner(_QUANTILE_ODD, t2)
    return series * (r + 1.5)


@jit_fused
def quantile(log_p):
    """Value ``z >= 0`` above which the probability is ``exp(log_p) <= 1/2``."""
    if log_p >= FIT_END:
        return quantile_fit(log_p)
    # Newton on log_tail, whose slope is -1 / mills: from here three steps do.
    z = math.sqrt(-2.0 * log_p - math.log(-4.0 * math.pi * log_p))
    for _ in range(3):
        z += (log_tail(z) - log_p) * mills(z)
    return z
