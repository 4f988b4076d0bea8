"""Whether two samples are of one distribution, and which columns tell them apart."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist
from scipy.special import ndtri
from scipy.stats import rankdata
from sklearn.utils import check_random_state, gen_batches

from destructors._compat import check_array

# Permutations that are taken at once: what they need of memory is a row for each.
_N_AT_ONCE = 128
# Of distances. Among 0.25, 0.5 and 1 the power against a shift of one column is about
# the same, and against a scale, a tail or a dependence that of the smallest is highest.
_EXPONENT = 0.25
# Differences between statistics that are rounding errors.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class TwoSampleTest:
    """Result of a two-sample test.

    Parameters
    ----------
    statistic : float
        Energy distance between the samples, of normal scores: 0 for equal ones.
    pvalue : float
        How often random relabelling of the rows gives as large a statistic.
    column_statistics : ndarray of shape (n_features,)
        Mean squared difference between the distribution functions of each column, in
        units of what chance makes of it at each value: 0 for equal samples.
    column_pvalues : ndarray of shape (n_features,)
        P-values of the columns, adjusted for their number: below 0.05 for any column of
        equal distribution in at most 5 of 100 tests.
    columns : tuple
        Names of the columns, or their numbers.
    n_permutations : int
        Number of relabellings.
    """

    statistic: float
    pvalue: float
    column_statistics: NDArray
    column_pvalues: NDArray
    columns: tuple[Any, ...]
    n_permutations: int

    def differing(self, level: float = 0.05) -> list[Any]:
        """Return the columns that differ, the most different first.

        Parameters
        ----------
        level : float, default=0.05
            Chance that any of them is there without a reason.

        Returns
        -------
        columns : list of str or int
        """
        order = np.argsort(-self.column_statistics, kind="stable")
        return [self.columns[j] for j in order if self.column_pvalues[j] <= level]

    def __str__(self) -> str:
        found = self.differing()
        shown = ", ".join(map(str, found[:10])) + ", …" * (len(found) > 10)
        return (
            f"statistic {self.statistic:.4g}, p = {self.pvalue:.3g} "
            f"({self.n_permutations:,} permutations); "
            f"columns that differ: {shown or 'none'}"
        )


def two_sample_test(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    n_permutations: int = 999,
    max_samples: int | None = 2000,
    random_state: int | np.random.RandomState | None = None,
) -> TwoSampleTest:
    """Test whether two samples are of one distribution.

    The statistic is an energy distance. Its p-value is exact for any distribution and
    any number of rows: rows are relabelled at random. Columns are tested one by one
    along with it, under the same labels, by their distribution functions.

    Parameters
    ----------
    X : array-like of shape (n_samples_x, n_features)
        One sample, finite; a frame of numbers will do.
    Y : array-like of shape (n_samples_y, n_features)
        The other sample, of the same columns.
    n_permutations : int, default=999
        Number of relabellings. The smallest possible p-value is one over this plus one.
    max_samples : int or None, default=2000
        Largest number of rows of each sample that are compared, drawn at random; time
        and memory grow with its square. None sets no limit.
    random_state : int, RandomState instance or None, default=None
        Seed of the relabellings and of the rows that are drawn.

    Returns
    -------
    test : TwoSampleTest
        Statistic, p-value, and those of the columns.

    Raises
    ------
    ValueError
        If the samples are not finite tables of the same columns, of two rows at least,
        or a number is no positive integer.

    See Also
    --------
    drift : The same over windows of time.
    destructors.information.jensen_shannon_divergence : How different they are, in nats.

    Notes
    -----
    Distances are taken between normal scores of pooled ranks: neither units nor
    outliers nor monotone maps of a column change anything. Their exponent is that of
    `energy_coefficient`: differences in shape count beside those in location.

    Columns are compared by the statistic of Anderson and Darling; their p-values are
    those of the largest among all columns (Westfall and Young).

    References
    ----------
    G. J. Székely and M. L. Rizzo, *Energy statistics: a class of statistics based on
    distances*, Journal of Statistical Planning and Inference 143, 2013. A. N. Pettitt,
    *A two-sample Anderson-Darling rank statistic*, Biometrika 63, 1976. P. H. Westfall
    and S. S. Young, *Resampling-based multiple testing*, 1993, section 2.3.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.metrics import two_sample_test
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.normal(size=(2, 200, 3))
    >>> bool(two_sample_test(X, Y, random_state=0).pvalue > 0.05)
    True
    >>> test = two_sample_test(X, Y + [0.0, 0.8, 0.0], random_state=0)
    >>> print(test.pvalue, test.differing())
    0.001 [1]
    """
    columns = column_names(X)
    x = read_sample(X, "X")
    y = read_sample(Y, "Y")
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"X has {x.shape[1]} features, but Y has {y.shape[1]}.")
    if column_names(Y) != columns and hasattr(X, "columns") and hasattr(Y, "columns"):
        raise ValueError(
            f"X has the columns {list(columns)}, but Y has {list(column_names(Y))}: "
            "give the same in the same order."
        )
    check_count(n_permutations, "n_permutations")
    if max_samples is not None:
        check_count(max_samples, "max_samples")
    return compare(x, y, columns, n_permutations, max_samples, random_state)


def compare(
    x: NDArray,
    y: NDArray,
    columns: tuple[Any, ...],
    n_permutations: int,
    max_samples: int | None,
    random_state: Any,
) -> TwoSampleTest:
    """Test two checked samples; see `two_sample_test`."""
    rng = check_random_state(random_state)
    x, y = (_some(rng, rows, max_samples) for rows in (x, y))
    in_x = np.repeat([True, False], [len(x), len(y)])
    scores = _normal_scores(np.vstack([x, y]))
    distances = cdist(scores, scores) ** _EXPONENT
    energy = np.empty(n_permutations + 1)
    by_column = np.empty((n_permutations + 1, scores.shape[1]))
    for part in gen_batches(n_permutations + 1, _N_AT_ONCE):
        labels = np.stack(
            [rng.permutation(in_x) for _ in range(part.stop - part.start)]
        )
        if part.start == 0:
            labels[0] = in_x
        # A row of one sample counts as one over its size, of the other as minus that.
        shares = labels / len(x) - ~labels / len(y)
        energy[part] = -((shares @ distances) * shares).sum(axis=1)
        by_column[part] = _between_columns(scores, shares)
    largest = by_column[1:].max(axis=1)
    return TwoSampleTest(
        float(max(energy[0], 0.0)),
        _pvalue(energy[0], energy[1:]),
        by_column[0],
        np.array([_pvalue(own, largest) for own in by_column[0]]),
        columns,
        n_permutations,
    )


def _between_columns(scores: NDArray, shares: NDArray) -> NDArray:
    """Return mean squared differences of distribution functions, over their variances.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_features)
        Rows of both samples.
    shares : ndarray of shape (n_labels, n_samples)
        What each row counts, positive in one sample and negative in the other.

    Returns
    -------
    differences : ndarray of shape (n_labels, n_features)
    """
    found = np.empty((len(shares), scores.shape[1]))
    for j, column in enumerate(scores.T):
        order = np.argsort(column, kind="stable")
        # Of equal values only all together are a step.
        last = np.searchsorted(column[order], column[order], side="right") - 1
        difference = np.cumsum(shares[:, order], axis=1)[:, last]
        pooled = (last + 1) / len(last)
        # Where all rows are below a value, both functions are one.
        inside = last + 1 < len(last)
        variance = np.where(inside, pooled * (1.0 - pooled), 1.0)
        found[:, j] = (inside * difference**2 / variance).mean(axis=1)
    return found


def _normal_scores(rows: NDArray) -> NDArray:
    return ndtri(rankdata(rows, axis=0) / (len(rows) + 1.0))


def _pvalue(observed: float, drawn: NDArray) -> float:
    """Return how often what is drawn is as large; what was observed is one of them."""
    as_large = drawn >= observed - _ROUNDING
    return float((1 + as_large.sum()) / (1 + len(drawn)))


def _some(
    rng: np.random.RandomState, rows: NDArray, max_samples: int | None
) -> NDArray:
    if max_samples is None or len(rows) <= max_samples:
        return rows
    return rows[rng.choice(len(rows), max_samples, replace=False)]


def read_sample(X: ArrayLike, name: str) -> NDArray:
    """Return a sample of at least two rows as an array."""
    rows: NDArray = check_array(
        X, dtype=np.float64, ensure_min_samples=2, input_name=name
    )
    return rows


def column_names(X: Any) -> tuple[Any, ...]:
    """Return the names of the columns of a frame, the numbers of those of an array."""
    return tuple(getattr(X, "columns", range(np.shape(X)[-1] if np.ndim(X) else 0)))


def check_count(value: Any, name: str) -> None:
    """Refuse what is no positive integer."""
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}.")
