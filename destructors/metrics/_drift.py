"""Whether a distribution changes from one window of time to the next."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from destructors.metrics._two_sample import (
    TwoSampleTest,
    check_count,
    column_names,
    compare,
    read_sample,
)


@dataclass(frozen=True)
class Drift:
    """How windows of time differ from a reference.

    Parameters
    ----------
    starts, ends : ndarray of shape (n_windows,)
        First and last time of each window that was compared.
    tests : tuple of TwoSampleTest
        Comparison of each window.
    pvalues : ndarray of shape (n_windows,)
        P-values of the windows, adjusted for their number (Holm): below 0.05 for any
        window without drift in at most 5 of 100 tables.
    """

    starts: NDArray
    ends: NDArray
    tests: tuple[TwoSampleTest, ...]
    pvalues: NDArray

    @property
    def statistics(self) -> NDArray:
        """Energy distance of each window from the reference."""
        return np.array([test.statistic for test in self.tests])

    def drifted(self, level: float = 0.05) -> NDArray:
        """Return which windows differ.

        Parameters
        ----------
        level : float, default=0.05
            Chance that any of them does so without a reason.

        Returns
        -------
        drifted : ndarray of bool of shape (n_windows,)
        """
        return self.pvalues <= level

    def __str__(self) -> str:
        cells = [("window", "statistic", "p", "columns that differ")]
        for start, end, test, pvalue in zip(
            self.starts, self.ends, self.tests, self.pvalues, strict=True
        ):
            found = ", ".join(map(str, test.differing()[:5])) if pvalue <= 0.05 else ""
            window = f"{start} to {end}"
            cells.append((window, f"{test.statistic:.4f}", f"{pvalue:.3f}", found))
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        return "\n".join(
            "  ".join(
                cell.ljust(n) for cell, n in zip(line, widths, strict=True)
            ).rstrip()
            for line in cells
        )


def drift(
    X: ArrayLike,
    time: ArrayLike | None = None,
    *,
    n_windows: int = 10,
    reference: Literal["first", "previous"] | ArrayLike = "first",
    n_permutations: int = 999,
    max_samples: int | None = 2000,
    random_state: int | np.random.RandomState | None = None,
) -> Drift:
    """Test windows of time for a change of the distribution of their rows.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows, finite; a frame of numbers will do.
    time : array-like of shape (n_samples,), default=None
        When each row was seen: numbers or dates. None takes rows in their order.
    n_windows : int, default=10
        Number of windows, each of about as many rows. Rows of one time stay together.
    reference : {"first", "previous"} or array-like, default="first"
        What a window is compared with: the first, the one before it, or a table of its
        own, such as the rows that a model was fitted on.
    n_permutations : int, default=999
        Number of relabellings of each comparison.
    max_samples : int or None, default=2000
        Largest number of rows of a window that are compared.
    random_state : int, RandomState instance or None, default=None
        Seed of the relabellings.

    Returns
    -------
    drift : Drift
        A test for each window, and p-values that are adjusted for their number.

    Raises
    ------
    ValueError
        If the rows are no finite table, there is no time for each, or the windows would
        have less than two rows.

    See Also
    --------
    two_sample_test : Of two samples.

    References
    ----------
    S. Holm, *A simple sequentially rejective multiple test procedure*, Scandinavian
    Journal of Statistics 6, 1979.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.metrics import drift
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(600, 2))
    >>> X[400:, 1] += 1.0
    >>> found = drift(X, n_windows=6, n_permutations=199, random_state=0)
    >>> found.drifted()
    array([False, False, False,  True,  True])
    >>> found.tests[-1].differing()
    [1]
    """
    rows, columns = read_sample(X, "X"), column_names(X)
    check_count(n_windows, "n_windows")
    check_count(n_permutations, "n_permutations")
    if max_samples is not None:
        check_count(max_samples, "max_samples")
    times = np.arange(len(rows)) if time is None else np.asarray(time)
    if times.shape != (len(rows),):
        raise ValueError(
            f"time must have one value for each of {len(rows)} rows, got an array of "
            f"shape {times.shape}."
        )
    if (times != times).any():
        raise ValueError("time has missing values: drop such rows.")
    windows = _windows(times, n_windows)
    given = None
    if not isinstance(reference, str):
        given = read_sample(reference, "reference")
        if given.shape[1] != rows.shape[1]:
            raise ValueError(
                f"reference has {given.shape[1]} features, but X has {rows.shape[1]}."
            )
    elif reference not in ("first", "previous"):
        raise ValueError(
            f'reference must be "first", "previous" or a table, got {reference!r}.'
        )
    elif len(windows) < 2:
        raise ValueError("There is one window only: give a reference to compare it to.")
    rng = check_random_state(random_state)
    first = 0 if given is not None else 1
    tests = []
    for i in range(first, len(windows)):
        other = given
        if other is None:
            other = rows[windows[0 if reference == "first" else i - 1]]
        seed = rng.randint(2**31 - 1)
        tests.append(
            compare(other, rows[windows[i]], columns, n_permutations, max_samples, seed)
        )
    compared = windows[first:]
    return Drift(
        np.array([times[window].min() for window in compared]),
        np.array([times[window].max() for window in compared]),
        tuple(tests),
        _holm(np.array([test.pvalue for test in tests])),
    )


def _windows(times: NDArray, n_windows: int) -> list[NDArray]:
    """Return the rows of each window, in the order of time."""
    order = np.argsort(times, kind="stable")
    at = times[order]
    # A window begins with the first row of a time.
    cuts = np.searchsorted(at, at[np.arange(n_windows) * len(at) // n_windows])
    windows = np.split(order, np.unique(cuts)[1:])
    if min(map(len, windows)) < 2:
        raise ValueError(
            f"{len(times)} rows are too few for n_windows={n_windows}: each window "
            "needs two."
        )
    return windows


def _holm(pvalues: NDArray) -> NDArray:
    """Return p-values that allow for there being several."""
    order = np.argsort(pvalues, kind="stable")
    steps = pvalues[order] * np.arange(len(pvalues), 0, -1)
    adjusted = np.empty_like(pvalues)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
