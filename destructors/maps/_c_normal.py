"""The normal distribution in C99, for the kernels of `destructors.maps.to_c`."""

import numpy as np

from destructors.maps import _normal as normal

__all__ = ["CLIP", "SCORE", "TAILS", "write_numbers"]


def write_numbers(values: object) -> str:
    """Return numbers as C has them, to the last bit, in lines."""
    numbers = [repr(value) for value in np.ravel(np.asarray(values)).tolist()]
    lines = (", ".join(numbers[i : i + 6]) for i in range(0, len(numbers), 6))
    return ",\n    ".join(lines)


def _in_order(parts: tuple[tuple[float, ...], ...]) -> str:
    """Return coefficients from the lowest power, as they were before interleaving."""
    ways = [part[::-1] for part in parts]
    n = sum(map(len, ways))
    return write_numbers([ways[i % len(ways)][i // len(ways)] for i in range(n)])


_MILLS = _in_order((normal._MILLS_0, normal._MILLS_1, normal._MILLS_2, normal._MILLS_3))
_QUANTILE = _in_order((normal._QUANTILE_EVEN, normal._QUANTILE_ODD))

CLIP = """\
#define HALF_LOG_2PI 0.91893853320467274178
#define SQRT_HALF 0.70710678118654752440

static double clip(double x, double end) {
  return x < -end ? -end : x > end ? end : x;
}
"""

TAILS = f"""\
/* Exponential of what is not positive; products of two are no subnormal numbers. */
static double small_exp(double x) {{ return exp(x > -300.0 ? x : -300.0); }}

static double polynomial(const double *coefficients, int n, double t) {{
  double value = coefficients[n - 1];
  for (int i = n - 2; i >= 0; i--) value = value * t + coefficients[i];
  return value;
}}

static const double MILLS[] = {{
    {_MILLS}}};

/* The upper tail of the normal distribution over its density, for u >= 0. */
static double mills(double u) {{
  double inverse = 1.0 / (u + 4.0);
  int n = sizeof MILLS / sizeof *MILLS;
  return inverse * polynomial(MILLS, n, (u - 4.0) * inverse);
}}

static double log_tail(double u) {{
  if (u > 0.0) return log(mills(u)) - 0.5 * u * u - HALF_LOG_2PI;
  return log1p(-mills(-u) * small_exp(-0.5 * u * u - HALF_LOG_2PI));
}}

static const double QUANTILE[] = {{
    {_QUANTILE}}};

/* The value z >= 0 above which the probability is exp(log_p) <= 1/2. */
static double quantile(double log_p) {{
  if (log_p >= {normal.FIT_END!r}) {{
    double r = sqrt(-log_p), inverse = 1.0 / (r + 1.5);
    double t = {normal._FIT_SLOPE!r} * inverse + {normal._FIT_START!r};
    int n = sizeof QUANTILE / sizeof *QUANTILE;
    return polynomial(QUANTILE, n, t) * (r + 1.5);
  }}
  double z = sqrt(-2.0 * log_p - log(-12.566370614359172 * log_p));
  for (int i = 0; i < 3; i++) z += (log_tail(z) - log_p) * mills(z);
  return z;
}}
"""

SCORE = """\
/* The normal quantile, by the probabilities of both tails. */
static double normal_score(double below, double above) {
  return below < above ? -quantile(log(below)) : quantile(log(above));
}
"""
