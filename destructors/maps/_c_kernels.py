"""Kernels in C99 that files of `destructors.maps.to_c` are made of.

Each does for one row what the map of its name does for many: ``z`` is changed in place,
and what is returned is the log-determinant, in nats. Formulas, and where the digits
would be lost without them, are explained at the maps.
"""

from destructors.maps import _boosted_kernels as boosted
from destructors.maps import _normal as normal
from destructors.maps import _rosenblatt_kernels as rosenblatt
from destructors.maps import _rosenblatt_values as values
from destructors.maps._c_normal import CLIP, SCORE, TAILS
from destructors.maps._cube import CUTOFF
from destructors.maps._trees import _BELOW as JUST_BELOW

__all__ = ["KERNELS", "NEEDS"]


_FIND = """\
/* The last place in start ... stop - 2 whose point is not above v. */
static int find(const double *points, int start, int stop, double v) {
  int low = start, size = stop - start - 1;
  while (size > 1) {
    int half = size / 2;
    if (v >= points[low + half]) low += half;
    size -= half;
  }
  return low;
}
"""

_AFFINE = """\
/* Differences of large numbers are taken of their halves. */
static void standardise(double *z, const double *location, const double *scale) {
  for (int j = 0; j < N; j++) {
    double half = scale[j] > 1.0 ? 0.5 : 1.0;
    z[j] = clip((z[j] * half - location[j] * half) / (scale[j] * half), DBL_MAX);
  }
}
"""

_MATRIX = """\
static void multiply(double *z, const double *matrix) {
  double x[N];
  for (int j = 0; j < N; j++) x[j] = z[j];
  for (int i = 0; i < N; i++) {
    double sum = 0.0;
    for (int j = 0; j < N; j++) sum += matrix[i * N + j] * x[j];
    z[i] = sum;
  }
}
"""

_REORDER = """\
static void reorder(double *z, const int *order) {
  double x[N];
  for (int j = 0; j < N; j++) x[j] = z[j];
  for (int j = 0; j < N; j++) z[j] = x[order[j]];
}
"""

_QUADRATIC = """\
static double quadratic_spline(double *z, const double *knots, const double *values,
                               const double *slopes, const int *starts) {
  double log_det = 0.0;
  for (int j = 0; j < N; j++) {
    int k = find(knots, starts[j], starts[j + 1], z[j]);
    double h = knots[k + 1] - knots[k], offset = z[j] - knots[k];
    double s = fmin(fmax(offset, 0.0), h) / h;
    double r = fmin(fmax(knots[k + 1] - z[j], 0.0), h) / h;
    double slope = r * slopes[k] + s * slopes[k + 1];
    double gain = 0.5 * h * s * (slopes[k] + slope);
    z[j] = clip(values[k] + gain + (offset - s * h) * slope, DBL_MAX);
    log_det += log(slope);
  }
  return log_det;
}
"""

_RATIONAL = """\
static double rational_spline(double *z, const double *knots, const double *values,
                              const double *slopes, const int *starts) {
  double log_det = 0.0;
  for (int j = 0; j < N; j++) {
    int k = find(knots, starts[j], starts[j + 1], z[j]);
    double h = knots[k + 1] - knots[k], rise = values[k + 1] - values[k];
    double offset = z[j] - knots[k], moved, slope;
    if (offset < 0.0) {
      slope = slopes[k];
      moved = values[k] + offset * slope;
    } else if (offset > h) {
      slope = slopes[k + 1];
      moved = values[k + 1] + (offset - h) * slope;
    } else {
      double s = offset / h, r = (knots[k + 1] - z[j]) / h;
      double left = slopes[k] * (h / rise), right = slopes[k + 1] * (h / rise);
      double both = 2.0 * s * r;
      double below = s * s + r * r + 0.5 * (left + right) * both;
      slope = rise / h * (right * s * s + both + left * r * r) / (below * below);
      moved = values[k] + rise * (s * s + 0.5 * left * both) / below;
    }
    z[j] = clip(moved, DBL_MAX);
    log_det += log(slope);
  }
  return log_det;
}
"""

_HISTOGRAM = """\
/* Of column j the bins are starts[j] ... starts[j + 1] - 2, and one more edge. */
static double histogram(double *z, const double *edges, const double *values,
                        const double *below, const double *above,
                        const double *probabilities, const double *log_densities,
                        const double *tails, const int *starts) {
  double log_det = 0.0;
  for (int j = 0; j < N; j++) {
    int first = starts[j], last = starts[j + 1] - 1;
    double x = z[j];
    if (x < edges[first]) {
      z[j] = values[first] + tails[2 * j] * (x - edges[first]);
      log_det += log(tails[2 * j]);
    } else if (x > edges[last]) {
      z[j] = values[last] + tails[2 * j + 1] * (x - edges[last]);
      log_det += log(tails[2 * j + 1]);
    } else {
      int k = find(edges, first, last + 1, x);
      double share = (x - edges[k]) / (edges[k + 1] - edges[k]);
      share = fmin(fmax(share, 0.0), 1.0);
      double low = below[k] + share * probabilities[k];
      double high = above[k + 1] + (1.0 - share) * probabilities[k];
      z[j] = normal_score(low, high);
      if (x == edges[k]) z[j] = values[k];
      if (x == edges[k + 1]) z[j] = values[k + 1];
      log_det += log_densities[k] + 0.5 * z[j] * z[j] + HALF_LOG_2PI;
    }
    z[j] = clip(z[j], DBL_MAX);
  }
  return log_det;
}
"""

_CUBE = f"""\
/* Nearer than this to the faces of the unit cube there are too few digits. */
#define CUTOFF {CUTOFF!r}
#define BELOW (0.5 * erfc(CUTOFF * SQRT_HALF))
#define INSIDE (1.0 - 2.0 * BELOW)

static double cdf(double z) {{ return 0.5 * erfc(-z * SQRT_HALF); }}
"""

_STEPS = """\
/* Of column j the blocks are starts[j] ... starts[j + 1] - 2; with one, it stays. */
static double cube_steps(double *z, const double *edges, const double *values,
                         const int *starts) {
  double log_det = 0.0, innermost = nextafter(CUTOFF, 0.0);
  for (int j = 0; j < N; j++) {
    double x = z[j];
    if (starts[j + 1] - starts[j] < 3 || !(fabs(x) < CUTOFF)) continue;
    double below = fmax(cdf(x) - BELOW, 0.0) / INSIDE;
    double above = fmax(cdf(-x) - BELOW, 0.0) / INSIDE;
    int k = find(edges, starts[j], starts[j + 1], below);
    double slope = (values[k + 1] - values[k]) / (edges[k + 1] - edges[k]);
    below = values[k] + slope * fmax(below - edges[k], 0.0);
    above = 1.0 - values[k + 1] + slope * fmax(above - (1.0 - edges[k + 1]), 0.0);
    z[j] = normal_score(BELOW + INSIDE * below, BELOW + INSIDE * above);
    z[j] = clip(z[j], innermost);
    log_det += log(slope) + 0.5 * (z[j] - x) * (z[j] + x);
  }
  return log_det;
}
"""

_TREES = f"""\
/* A split: where its feature is cut, before the map and after it, and which splits
   follow below the cut and above it; -1 for none. */
typedef struct {{
  int feature, below, above;
  float t_in, t_out;
}} Split;

static double trees(double *z, const Split *splits, const int *starts, int n_trees) {{
  double u[N], box[N][4], log_det = 0.0;
  int is_inside[N], met[N];
  for (int j = 0; j < N; j++) {{
    is_inside[j] = fabs(z[j]) < CUTOFF;
    u[j] = (cdf(z[j]) - BELOW) / INSIDE;
    u[j] = fmin(fmax(u[j], DBL_EPSILON / 2), 1.0 - DBL_EPSILON / 2);
    if (!is_inside[j]) u[j] = z[j] < 0.0 ? 0.0 : 1.0;
    box[j][0] = box[j][2] = 0.0;
    box[j][1] = box[j][3] = 1.0;
    met[j] = 0;
  }}
  for (int i = 0; i < n_trees; i++) {{
    int n_met = 0, which[N], k = starts[i] < starts[i + 1] ? 0 : -1;
    double product = 1.0;
    while (k >= 0) {{
      const Split *split = splits + starts[i] + k;
      int f = split->feature, side = u[f] < split->t_in;
      box[f][side] = split->t_in;
      box[f][side + 2] = split->t_out;
      if (!met[f]) which[n_met++] = f;
      met[f] = 1;
      k = side ? split->below : split->above;
    }}
    while (n_met > 0) {{
      int f = which[--n_met];
      double *b = box[f], slope = (b[3] - b[2]) / (b[1] - b[0]);
      if (is_inside[f]) {{
        u[f] = fmin(b[2] + slope * (u[f] - b[0]), b[3] * {JUST_BELOW!r});
        product *= slope;
        if (!(1e-200 < product && product < 1e200)) {{
          log_det += log(product);
          product = 1.0;
        }}
      }}
      b[0] = b[2] = 0.0;
      b[1] = b[3] = 1.0;
      met[f] = 0;
    }}
    log_det += log(product);
  }}
  for (int j = 0; j < N; j++) {{
    if (!is_inside[j]) continue;
    double p = BELOW + INSIDE * u[j], moved = normal_score(p, 1.0 - p);
    log_det += (moved - z[j]) * (0.5 * moved + 0.5 * z[j]);
    z[j] = moved;
  }}
  return log_det;
}}
"""

_STEPS_OF_BORDERS = "\n".join(
    f"      value = value * square + {coefficient!r};"
    for coefficient in boosted.COEFFICIENTS[1:]
)

_ROSENBLATT = f"""\
/* The largest of logarithms, and what a sum adds to it. */
static double log_sum(const double *parts, int n, double *rest) {{
  double largest = parts[0], total = 0.0;
  for (int k = 0; k < n; k++) largest = fmax(largest, parts[k]);
  for (int k = 0; k < n; k++) total += exp(parts[k] - largest);
  *rest = log(total);
  return largest;
}}

static double log_mills(double u) {{
  if (u > 0.0) return log(mills(u));
  return log_tail(u) + 0.5 * u * u + HALF_LOG_2PI;
}}

/* One feature by logarithms, where sums have no digits left. */
static double in_logs(double x, int n, const double *factor, const double *offset,
                      const double *log_weight, double least, double tilt,
                      double *parts, double *z) {{
  double *below = parts, *above = parts + n, *u = parts + 2 * n;
  for (int k = 0; k < n; k++) {{
    u[k] = clip(factor[k] * x + offset[k], {normal.LARGEST!r});
    double weight = fmax(log_weight[k], least);
    below[k] = weight + log_tail(-u[k]);
    above[k] = weight + log_tail(u[k]);
  }}
  double rest_below, rest_above, rest;
  double lower = log_sum(below, n, &rest_below), upper = log_sum(above, n, &rest_above);
  int left = lower + rest_below < upper + rest_above;
  double side = left ? -1.0 : 1.0, largest = left ? lower : upper;
  double *tail = left ? below : above;
  rest = left ? rest_below : rest_above;
  for (int k = 0; k < n; k++)
    tail[k] = ((tail[k] - largest) - rest) + log(factor[k]) - log_mills(side * u[k]);
  double size = quantile(largest + rest), log_slope = log_mills(size);
  log_slope += log_sum(tail, n, &rest);
  log_slope += rest;
  if (tilt > 0.0) {{
    double low = fmin(log(tilt), log_slope), high = fmax(log(tilt), log_slope);
    log_slope = high + log1p(exp(low - high));
  }}
  *z = side * size + tilt * x;
  return log_slope;
}}

/* Without its last bits, on which weights in a gap would hang. */
static double without_last(double x) {{
  int power;
  double digits = ldexp(frexp(fabs(x) + 1.0, &power), {53 - rosenblatt.UNSEEN});
  digits = ldexp(floor(digits + 0.5), power - {53 - rosenblatt.UNSEEN});
  return copysign(digits - 1.0, x);
}}

/* Bins of each feature and trees that share them out; see BoostedRosenblatt. Nodes are
   triples: feature, last bin that goes on to the third, or a leaf's row of values. */
typedef struct {{
  int n_bins;
  const double *edges, *values;
  const int *nodes, *roots, *starts;
}} Shares;

/* Move a latent value by the shares of its feature's bins. */
static double share_out(const Shares *shares, int j, int n, const double *factor,
                        const double *offset, const double *weight, const int *places,
                        double *z) {{
  int n_bins = shares->n_bins, size = n_bins, b = 0;
  double below[{boosted.MOST_BINS + 1}], slope[{boosted.MOST_BINS}];
  double before = {boosted.OUTER!r}, total = 0.0, sum = 0.0, x = *z;
  const double outer = {boosted.OUTER!r}, *edges = shares->edges + j * (n_bins - 1);
  if (!(fabs(x) < {boosted.NEAR!r})) return 0.0;
  for (int i = 0; i <= n_bins; i++) below[i] = 0.0;
  for (int k = 0; k < n; k++) {{
    double w = weight[k] - {boosted.LEAST_WEIGHT!r};
    if (w <= 0.0) continue;
    total += w;
    for (int i = 1; i < n_bins; i++) {{
      double u = factor[k] / {boosted.REACH!r} * edges[i - 1];
      double t = clip(u + offset[k] / {boosted.REACH!r}, 1.0), square = t * t;
      double value = {boosted.COEFFICIENTS[0]!r};
{_STEPS_OF_BORDERS}
      below[i] += w * (0.5 + t * value);
    }}
  }}
  below[0] = outer;
  for (int i = 1; i < n_bins; i++)
    below[i] = fmin(fmax(below[i] / total, below[i - 1]), 1.0 - outer);
  below[n_bins] = 1.0 - outer;
  for (int i = 0; i < n_bins; i++) slope[i] = 0.0;
  for (int t = shares->starts[j]; t < shares->starts[j + 1]; t++) {{
    const int *node = shares->nodes + 3 * shares->roots[t];
    while (node[0] >= 0)
      node = shares->nodes + 3 * (node[2] + (places[node[0]] > node[1]));
    for (int i = 0; i < n_bins; i++) slope[i] += shares->values[node[2] * n_bins + i];
  }}
  for (int i = 0; i < n_bins; i++) {{
    slope[i] = exp(clip(slope[i], {boosted.MOST!r}));
    sum += slope[i] * (below[i + 1] - below[i]);
  }}
  for (int i = 0; i < n_bins; i++) slope[i] *= (1.0 - 2.0 * outer) / sum;
  double tail = exp(log_tail(fabs(x)));
  while (size > 1) {{
    int half = size / 2, at = b + half;
    double above = at < n_bins ? 1.0 - below[at] : outer;
    if (x < 0.0 ? tail >= below[at] : tail < above) b += half;
    size -= half;
  }}
  double low, high;
  if (x < 0.0) {{
    for (int i = 0; i < b; i++) before += slope[i] * (below[i + 1] - below[i]);
    low = before + (tail - below[b]) * slope[b];
    high = 1.0 - low;
  }} else {{
    double above = b + 1 < n_bins ? 1.0 - below[b + 1] : outer;
    for (int i = n_bins - 1; i > b; i--) before += slope[i] * (below[i + 1] - below[i]);
    high = before + (tail - above) * slope[b];
    low = 1.0 - high;
  }}
  double least = fmin(fmax(fmin(low, high), outer), 0.5), moved = quantile(log(least));
  if (low < high) moved = -moved;
  *z = moved;
  return log(slope[b]) + 0.5 * (moved - x) * (moved + x);
}}

/* Tables: of each feature j, n numbers of factor and shift, and those of what it gets
   of each feature b before it, at (j (j - 1) / 2 + b) n; and whether it follows those
   closely. The work is 7 n numbers. */
static double rosenblatt(double *z, int n, const double *log_weights,
                         const double *before, const double *factors,
                         const double *log_factors, const double *shifts,
                         const int *steep, double tilt, const Shares *shares,
                         double *work) {{
  double drawn[N], seen[N], total = 0.0;
  int places[N];
  double least = tilt > 0.0 ? {rosenblatt.LEAST!r} : -HUGE_VAL;
  double *log_weight = work, *offset = work + n, *weight = work + 2 * n;
  double *weighing = work + 3 * n;
  for (int k = 0; k < n; k++) log_weight[k] = log_weights[k];
  for (int j = 0; j < N; j++) {{
    const double *factor = factors + j * n;
    double top = log_weight[0], sum = 0.0, left_out = 0.0, largest = 0.0;
    for (int k = 0; k < n; k++) {{
      top = fmax(top, log_weight[k]);
      largest = fmax(largest, factor[k]);
      offset[k] = weighing[k] = -shifts[j * n + k];
    }}
    for (int b = 0; b < j; b++) {{
      const double *row = before + (j * (j - 1) / 2 + b) * n;
      double known = steep[j] ? drawn[b] : seen[b];
      for (int k = 0; k < n; k++) {{
        offset[k] += row[k] * known;
        weighing[k] += row[k] * seen[b];
      }}
    }}
    for (int k = 0; k < n; k++) {{
      log_weight[k] -= top;
      weight[k] = log_weight[k] < {values.NEXT!r} ? 0.0 : exp(log_weight[k]);
      if (weight[k] == 0.0) left_out += {values.ALL_BELOW_NEXT!r};
      sum += weight[k];
    }}
    for (int k = 0; k < n; k++) log_weight[k] -= log(sum);
    double x = clip(z[j], {normal.LARGEST!r}), lower = 0.0, upper = 0.0, density = 0.0;
    for (int k = 0; k < n; k++) {{
      if (weight[k] == 0.0) continue;
      double u = factor[k] * x + offset[k], distance = fmin(fabs(u), 1e150);
      double w = weight[k] / sum, phi = {values.INVERSE_SQRT_2PI!r} * w *
                                        small_exp(-0.5 * distance * distance);
      double tail = phi * mills(distance);
      lower += u < 0.0 ? tail : w - tail;
      upper += u < 0.0 ? w - tail : tail;
      density += phi * factor[k];
    }}
    double tail = fmin(lower, upper), enough = left_out / {values.NO_SHARE!r};
    if (tail > fmax({values.SMALLEST_TAIL!r}, enough) &&
        density > fmax({values.SMALLEST_DENSITY!r}, enough * largest)) {{
      double size = quantile(log(tail));
      total += log(density * mills(size) / tail + tilt);
      z[j] = (lower < upper ? -size : size) + tilt * x;
    }} else {{
      total += in_logs(x, n, factor, offset, log_weight, least, tilt, work + 4 * n,
                       z + j);
    }}
    if (fabs(z[j]) <= {rosenblatt.NO_LATENT!r}) z[j] = 0.0;
    drawn[j] = seen[j] = x;
    if (tilt > 0.0) {{
      drawn[j] = clip(x, {rosenblatt.FARTHEST_SEEN!r});
      seen[j] = without_last(drawn[j]);
    }}
    if (shares) {{
      const double *edges = shares->edges + j * (shares->n_bins - 1);
      if (shares->starts[j] < shares->starts[j + 1])
        total += share_out(shares, j, n, factor, offset, weight, places, z + j);
      places[j] = 0;
      while (places[j] < shares->n_bins - 1 && edges[places[j]] <= seen[j]) places[j]++;
    }}
    for (int k = 0; k < n; k++) {{
      double u = clip(factor[k] * seen[j] + weighing[k], {normal.LARGEST!r});
      log_weight[k] += log_factors[j * n + k] - 0.5 * u * u;
    }}
  }}
  return total;
}}
"""

# In the order in which they stand in a file.
KERNELS = {
    "clip": CLIP,
    "tails": TAILS,
    "score": SCORE,
    "find": _FIND,
    "cube": _CUBE,
    "affine": _AFFINE,
    "matrix": _MATRIX,
    "reorder": _REORDER,
    "quadratic": _QUADRATIC,
    "rational": _RATIONAL,
    "histogram": _HISTOGRAM,
    "steps": _STEPS,
    "trees": _TREES,
    "rosenblatt": _ROSENBLATT,
}
# What a kernel calls, beside `clip`.
NEEDS = {
    "quadratic": ("find",),
    "rational": ("find",),
    "histogram": ("find", "score", "tails"),
    "steps": ("cube", "find", "score", "tails"),
    "trees": ("cube", "score", "tails"),
    "rosenblatt": ("tails",),
}
