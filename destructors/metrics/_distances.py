"""Distances between samples, and how far chance alone would take them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import block_diag
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist, pdist
from sklearn import utils

from destructors._compat import check_array

# The bandwidth of a kernel is the median distance of at most so many rows.
_N_BANDWIDTH_ROWS = 1000
# A squared distance below this share of the largest square is no difference of squares:
# it would have less than ten digits, and a small exponent makes much of little.
_NEAR = 1e-6
# Rows no farther apart, beside the largest, are equal but for rounding.
_ROUNDING = 1e-14
# Squares of longer distances, added up over columns, are beyond float64.
_LARGEST_DISTANCE = 1e150
# Numbers of a block of distances (1 MiB of float64): it stays in the cache.
_BLOCK_SIZE = 2**17


def wasserstein_distance(X: ArrayLike, Y: ArrayLike) -> float:
    r"""Exact squared 2-Wasserstein distance between two samples.

    .. math:: W_2^2 = \min_\pi \sum_{ij} \pi_{ij} |x_i - y_j|^2

    Samples of equal size are matched row to row. Unequal sizes need the package POT.

    Parameters
    ----------
    X : array-like of shape (n_samples_x, n_features)
        One sample.
    Y : array-like of shape (n_samples_y, n_features)
        The other sample.

    Returns
    -------
    distance : float
        In squared units of the data. Time grows with the cube of the number of rows.

    Raises
    ------
    ImportError
        If the sizes differ and POT is not installed.

    References
    ----------
    C. Villani, *Optimal transport: old and new*, 2009, chapter 6.

    Examples
    --------
    >>> from destructors.metrics import wasserstein_distance
    >>> wasserstein_distance([[0.0], [1.0]], [[3.0], [2.0]])
    4.0
    """
    X, Y = _check_samples(X, Y)
    cost = cdist(X, Y, "sqeuclidean")
    if len(X) == len(Y):
        return float(cost[linear_sum_assignment(cost)].mean())
    try:
        import ot
    except ImportError as error:
        raise ImportError(
            f"X has {len(X)} rows and Y has {len(Y)}: the exact distance between "
            "samples of unequal size needs POT (pip install destructors[transport]). "
            "Or give as many rows of both."
        ) from error
    weights = np.full(len(X), 1.0 / len(X)), np.full(len(Y), 1.0 / len(Y))
    return float(ot.emd2(*weights, cost, numItermax=10_000_000))


def sliced_wasserstein_distance(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    n_directions: int = 100,
    random_state: int | np.random.RandomState | None = None,
) -> float:
    """Mean squared 2-Wasserstein distance between projections of two samples.

    Parameters
    ----------
    X : array-like of shape (n_samples_x, n_features)
        One sample.
    Y : array-like of shape (n_samples_y, n_features)
        The other sample.
    n_directions : int, default=100
        Number of directions, uniform on the sphere.
    random_state : int, RandomState instance or None, default=None
        Seed of the directions.

    Returns
    -------
    distance : float
        In squared units of the data.

    References
    ----------
    N. Bonneel, J. Rabin, G. Peyré and H. Pfister, *Sliced and Radon Wasserstein
    barycenters of measures*, Journal of Mathematical Imaging and Vision 51, 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.metrics import sliced_wasserstein_distance
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> distance = sliced_wasserstein_distance(X, X + [3.0, 4.0], random_state=0)
    >>> bool(abs(distance - 25 / 2) < 2)
    True
    """
    X, Y = _check_samples(X, Y)
    rng = utils.check_random_state(random_state)
    directions = rng.standard_normal((X.shape[1], n_directions))
    directions /= np.linalg.norm(directions, axis=0)
    x, y = np.sort(X @ directions, axis=0), np.sort(Y @ directions, axis=0)
    # Both quantile functions are constant between the levels of either.
    levels = np.union1d(*(np.arange(len(one) + 1) / len(one) for one in (x, y)))
    middle = 0.5 * (levels[1:] + levels[:-1])
    gap = x[(middle * len(x)).astype(np.intp)] - y[(middle * len(y)).astype(np.intp)]
    return float((np.diff(levels) @ gap**2).mean())


def energy_distance(X: ArrayLike, Y: ArrayLike) -> float:
    r"""Energy distance between two samples.

    .. math:: 2 E|X - Y| - E|X - X'| - E|Y - Y'|

    It is zero for equal samples, and in the limit for equal distributions only.

    Parameters
    ----------
    X : array-like of shape (n_samples_x, n_features)
        One sample.
    Y : array-like of shape (n_samples_y, n_features)
        The other sample.

    Returns
    -------
    distance : float
        Not negative, in units of the data.

    References
    ----------
    G. J. Székely and M. L. Rizzo, *Energy statistics: a class of statistics based on
    distances*, Journal of Statistical Planning and Inference 143, 2013.

    Examples
    --------
    >>> from destructors.metrics import energy_distance
    >>> energy_distance([[0.0], [0.0]], [[3.0], [3.0]])
    6.0
    """
    X, Y = _check_samples(X, Y)
    within = _mean_of_pairs(X, X, np.sqrt) + _mean_of_pairs(Y, Y, np.sqrt)
    return float(max(2.0 * _mean_of_pairs(X, Y, np.sqrt) - within, 0.0))


def energy_coefficient(
    samples: list[NDArray],
    sample_weights: list[NDArray | None] | None = None,
    *,
    exponent: float = 0.25,
) -> float:
    r"""Share of the dispersion of several samples that lies between them.

    With the mean :math:`d_{kl}` of :math:`|x - y|^\alpha` over rows :math:`x` of sample
    *k* and :math:`y` of sample *l*, it is

    .. math:: 1 - \overline{d_{kk}} / \overline{d_{kl}},

    where means are over samples, each of which counts as much: the energy distance
    between a sample and the mixture of all, in units of the spread of that mixture. It
    does not change with the unit of the data.

    Parameters
    ----------
    samples : list of ndarray of shape (n_samples_k, n_features)
        Two or more samples.
    sample_weights : list of (ndarray of shape (n_samples_k,) or None), default=None
        Weights of the rows of each.
    exponent : float, default=0.25
        The exponent :math:`\alpha`, above 0 and below 2. The smaller, the more small
        distances count; with 1, differences in location outweigh those in shape.

    Returns
    -------
    coefficient : float
        Between 0 for equal samples and 1 for different points.

    References
    ----------
    M. L. Rizzo and G. J. Székely, *DISCO analysis: a nonparametric extension of
    analysis of variance*, Annals of Applied Statistics 4, 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.metrics import energy_coefficient
    >>> energy_coefficient([np.zeros((2, 1)), np.ones((3, 1))])
    1.0
    """
    parts = []
    weights = sample_weights or [None] * len(samples)
    for one, weight in zip(samples, weights, strict=True):
        weight = np.ones(len(one)) if weight is None else weight
        parts.append((weight / weight.sum())[:, None])
    X, shares = np.vstack(samples), block_diag(*parts)
    # In units of a power of two, which changes no digit, squares are held.
    X = X / np.ldexp(1.0, np.frexp(np.abs(X).max())[1] - 1)
    # Distances by a matrix product, about a common centre for the sake of the digits.
    X = X - shares.mean(axis=1) @ X
    square = (X**2).sum(axis=1)
    distances = np.zeros((len(samples), len(samples)))
    n_rows = max(_BLOCK_SIZE // len(X), 1)
    for start in range(0, len(X), n_rows):
        # Each pair of rows once: those of a block, and these with the rows after them.
        rows, rest = slice(start, start + n_rows), slice(start, None)
        block = X[rows] @ (-2.0 * X[rest]).T
        block += square[rows, None]
        block += square[rest]
        _measure_near(block, X[rows], X[rest], square.max())
        _raise_in_place(block, 0.5 * exponent)
        own, later = np.hsplit(shares[rows].T @ block, [len(shares[rows])])
        distances += own @ shares[rows]
        between = later @ shares[start + n_rows :]
        distances += between + between.T
    total = distances.mean()
    return float(1.0 - np.diag(distances).mean() / total) if total > 0.0 else 0.0


def _measure_near(
    squares: NDArray, left: NDArray, right: NDArray, largest: float
) -> None:
    """Take small squared distances from differences of rows; of equal rows they are 0.

    Parameters
    ----------
    squares : ndarray of shape (n_left, n_right)
        Squared distances by products of matrices, changed in place.
    left, right : ndarray of shape (n_left, n_features), (n_right, n_features)
        The rows.
    largest : float
        Largest square of a row.
    """
    pairs = np.flatnonzero(squares <= _NEAR * largest)
    n_pairs = max(_BLOCK_SIZE // left.shape[1], 1)
    for start in range(0, len(pairs), n_pairs):
        some = pairs[start : start + n_pairs]
        i, j = np.divmod(some, len(right))
        near = np.square(left[i] - right[j]).sum(axis=1)
        near[near <= _ROUNDING**2 * largest] = 0.0
        squares.ravel()[some] = near


def _raise_in_place(numbers: NDArray, exponent: float) -> None:
    """Raise non-negative numbers to a power: square roots cost far less than others."""
    while exponent < 1.0 and np.frexp(exponent)[0] == 0.5:
        np.sqrt(numbers, out=numbers)
        exponent *= 2.0
    if exponent != 1.0:
        np.power(numbers, exponent, out=numbers)


def maximum_mean_discrepancy(
    X: ArrayLike, Y: ArrayLike, *, bandwidth: float | None = None
) -> float:
    r"""Squared maximum mean discrepancy between two samples, Gaussian kernel.

    Parameters
    ----------
    X : array-like of shape (n_samples_x, n_features)
        One sample.
    Y : array-like of shape (n_samples_y, n_features)
        The other sample.
    bandwidth : float, default=None
        Standard deviation :math:`h` of the kernel :math:`e^{-|x - y|^2 / 2 h^2}`. None
        takes the median distance between rows of the two.

    Returns
    -------
    discrepancy : float
        Between 0 and 2.

    References
    ----------
    A. Gretton, K. M. Borgwardt, M. J. Rasch, B. Schölkopf and A. Smola, *A kernel
    two-sample test*, Journal of Machine Learning Research 13, 2012, equation 5.

    Examples
    --------
    >>> from destructors.metrics import maximum_mean_discrepancy
    >>> round(maximum_mean_discrepancy([[0.0]], [[1.0]], bandwidth=1.0), 4)
    0.7869
    """
    X, Y = _check_samples(X, Y)
    if bandwidth is None:
        # Evenly spaced rows of each: all pairs would be too many.
        few = [one[:: -(-2 * len(one) // _N_BANDWIDTH_ROWS)] for one in (X, Y)]
        distance = pdist(np.vstack(few))
        apart = distance[distance > 0.0]
        bandwidth = float(np.median(apart)) if len(apart) else 1.0
    elif not bandwidth > 0.0:
        raise ValueError(f"bandwidth must be positive, got {bandwidth}.")
    scale = -0.5 / bandwidth**2
    kernel = lambda square: np.exp(scale * square)
    both = _mean_of_pairs(X, X, kernel) + _mean_of_pairs(Y, Y, kernel)
    return float(max(both - 2.0 * _mean_of_pairs(X, Y, kernel), 0.0))


def transport_cost(X: ArrayLike, Z: ArrayLike) -> float:
    """Mean squared distance by which a map moves rows.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows.
    Z : array-like of shape (n_samples, n_features)
        What they are mapped to, in the same order.

    Returns
    -------
    cost : float
        In squared units of the data; never less than the squared 2-Wasserstein distance
        between the two.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> from destructors.metrics import transport_cost
    >>> transport_cost([[0.0, 0.0]], [[3.0, 4.0]])
    25.0
    """
    X, Z = _check_samples(X, Z)
    utils.check_consistent_length(X, Z)
    return float(((X - Z) ** 2).sum(axis=1).mean())


def floor(
    metric: Callable[..., float],
    X: ArrayLike,
    *,
    n_repeats: int = 5,
    random_state: int | np.random.RandomState | None = None,
    **metric_params: Any,
) -> float:
    """Distance that chance makes between two samples of one distribution.

    Parameters
    ----------
    metric : callable
        Takes two samples, and gives a float: any of this module.
    X : array-like of shape (n_samples, n_features)
        Rows of one distribution: split at random in two halves, so that it takes twice
        as many rows as the samples that the floor is for.
    n_repeats : int, default=5
        Number of splits to take the mean over.
    random_state : int, RandomState instance or None, default=None
        Seed of the splits.
    **metric_params : dict
        Further arguments of ``metric``.

    Returns
    -------
    distance : float
        Mean over the splits.

    Raises
    ------
    ValueError
        If there are fewer than two rows.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.metrics import energy_distance, floor
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> bool(0 < floor(energy_distance, X, random_state=0) < 0.1)
    True
    """
    rows = check_array(X, dtype=np.float64, ensure_min_samples=2)
    rng = utils.check_random_state(random_state)
    half = len(rows) // 2
    orders = [rng.permutation(len(rows))[: 2 * half] for _ in range(n_repeats)]
    halves = [np.split(rows[order], 2) for order in orders]
    return float(np.mean([metric(*pair, **metric_params) for pair in halves]))


def _mean_of_pairs(
    A: NDArray, B: NDArray, value: Callable[[NDArray], NDArray]
) -> float:
    """Return the mean of a function of the squared distance over all pairs of rows."""
    # Slow to import, and few need it.
    from sklearn.metrics import pairwise_distances_chunked

    blocks = pairwise_distances_chunked(A, B, metric="sqeuclidean")
    return sum(float(value(block).sum()) for block in blocks) / (len(A) * len(B))


def _check_samples(X: ArrayLike, Y: ArrayLike) -> tuple[NDArray, NDArray]:
    first: NDArray = check_array(X, dtype=np.float64, input_name="X")
    second: NDArray = check_array(Y, dtype=np.float64, input_name="Y")
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"X has {first.shape[1]} features, but Y has {second.shape[1]}."
        )
    smallest = np.minimum(first.min(axis=0), second.min(axis=0))
    largest = np.maximum(first.max(axis=0), second.max(axis=0))
    half = 0.5 * largest - 0.5 * smallest
    widest = int(half.argmax())
    if half[widest] > _LARGEST_DISTANCE:
        raise ValueError(
            f"Column {widest} ranges from {smallest[widest]:.3g} to "
            f"{largest[widest]:.3g}: squares of distances are no float64. Divide it by "
            "a constant."
        )
    return first, second
