"""How far two samples are apart, in nats."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_expit

from destructors.base import Destructor
from destructors.information._estimate import InformationEstimate, extrapolate
from destructors.information._held_out import Densities, read_block


def kullback_leibler_divergence(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    estimator: Destructor | None = None,
    cv: int = 5,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
) -> InformationEstimate:
    r"""Kullback-Leibler divergence from one sample to another.

    .. math:: D(p \| q) = E_p[\log p(x) - \log q(x)]

    It is estimated by its variational form, :math:`E_p[\log r] + 1 - E_q[r]` with
    :math:`r = p / q`, whose second part takes away what errors of :math:`q` do to the
    first.

    Parameters
    ----------
    X : array-like of shape (n_samples_x, n_features)
        One sample, finite.
    Y : array-like of shape (n_samples_y, n_features)
        The other sample, of the same columns.
    estimator : Destructor, default=None
        The density; clones of it are fitted. None takes a mixture of Gaussians behind
        smooth marginals.
    cv : int, default=5
        Number of folds, at least 3: each row is scored by densities fitted on the other
        folds, and once more by ones fitted on a half of the rows.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds, of the default estimator, and of the noise that makes
        discrete columns continuous.
    n_jobs : int, default=None
        Number of fits side by side.

    Returns
    -------
    estimate : InformationEstimate
        Value and standard error, in nats.

    Raises
    ------
    ValueError
        If data are not finite tables of numbers of the same columns, or too few of the
        rows differ for the folds.

    Notes
    -----
    Where the samples hardly overlap the ratio is large on few rows of ``Y``. It is cut
    off there at the root of their number, and the result is too large, by less than one
    nat. `jensen_shannon_divergence` is bounded.

    References
    ----------
    X. Nguyen, M. J. Wainwright and M. I. Jordan, *Estimating divergence functionals and
    the likelihood ratio by convex risk minimization*, IEEE Transactions on Information
    Theory 56, 2010, lemma 1. E. L. Ionides, *Truncated importance sampling*, Journal of
    Computational and Graphical Statistics 17, 2008, for the cut.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.information import kullback_leibler_divergence
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.normal(0.5, size=(1000, 1)), rng.normal(size=(1000, 1))
    >>> estimate = kullback_leibler_divergence(X, Y, random_state=0)
    >>> bool(abs(estimate.value - 0.5**2 / 2) < 0.06)
    True
    """
    densities = Densities.of(estimator, cv, random_state, n_jobs)
    x, y = _read_samples(X, Y)
    largest = 0.5 * np.log(len(y))
    return _ratio_means(
        densities,
        x,
        y,
        lambda ratio: ratio,
        lambda ratio: 1.0 - np.exp(np.minimum(ratio, largest)),
    )


def jensen_shannon_divergence(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    estimator: Destructor | None = None,
    cv: int = 5,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
) -> InformationEstimate:
    r"""Jensen-Shannon divergence between two samples.

    .. math:: \frac12 D(p \| m) + \frac12 D(q \| m), \quad m = \frac{p + q}{2}

    It is symmetric, 0 for equal distributions and :math:`\log 2` for those that do not
    overlap: what a row says of the sample that it comes from, if both are as likely.

    Parameters
    ----------
    X : array-like of shape (n_samples_x, n_features)
        One sample, finite.
    Y : array-like of shape (n_samples_y, n_features)
        The other sample, of the same columns.
    estimator : Destructor, default=None
        The density; clones of it are fitted. None takes a mixture of Gaussians behind
        smooth marginals.
    cv : int, default=5
        Number of folds, at least 3: each row is scored by densities fitted on the other
        folds, and once more by ones fitted on a half of the rows.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds, of the default estimator, and of the noise that makes
        discrete columns continuous.
    n_jobs : int, default=None
        Number of fits side by side.

    Returns
    -------
    estimate : InformationEstimate
        Value and standard error, in nats.

    Raises
    ------
    ValueError
        If data are not finite tables of numbers of the same columns, or too few of the
        rows differ for the folds.

    References
    ----------
    J. Lin, *Divergence measures based on the Shannon entropy*, IEEE Transactions on
    Information Theory 37, 1991.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.information import jensen_shannon_divergence
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.normal(9.0, size=(500, 1)), rng.normal(size=(500, 1))
    >>> estimate = jensen_shannon_divergence(X, Y, random_state=0)
    >>> bool(abs(estimate.value - np.log(2)) < 0.01)
    True
    """
    densities = Densities.of(estimator, cv, random_state, n_jobs)
    return _ratio_means(
        densities,
        *_read_samples(X, Y),
        lambda ratio: 0.5 * (np.log(2.0) + log_expit(ratio)),
        lambda ratio: 0.5 * (np.log(2.0) + log_expit(-ratio)),
    )


def _read_samples(X: ArrayLike, Y: ArrayLike) -> tuple[NDArray, NDArray]:
    x, y = read_block(X, "X"), read_block(Y, "Y")
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"X has {x.shape[1]} features, but Y has {y.shape[1]}.")
    return x, y


def _ratio_means(
    densities: Densities,
    x: NDArray,
    y: NDArray,
    of_x: Callable[[NDArray], NDArray],
    of_y: Callable[[NDArray], NDArray],
) -> InformationEstimate:
    """Return the sum of two means over held-out rows of functions of the log-ratio.

    Both densities leave out fold *k* of both samples, and score it.
    """
    both = densities.spread(np.vstack([x, y]))
    x, y = both[: len(x)], both[len(x) :]
    scores = []
    for n_folds in (densities.cv, 2):
        splits = [
            (*of_one, *of_other)
            for of_one, of_other in zip(
                densities.splits(x, n_folds), densities.splits(y, n_folds), strict=True
            )
        ]
        jobs = []
        for train_x, test_x, train_y, test_y in splits:
            tests: Sequence[NDArray] = [x[test_x], y[test_y]]
            jobs += [(None, x[train_x], tests), (None, y[train_y], tests)]
        found = iter(densities.log_densities(jobs))
        one, other = np.empty(len(x)), np.empty(len(y))
        for _, test_x, _, test_y in splits:
            (p_x, p_y), (q_x, q_y) = next(found), next(found)
            one[test_x], other[test_y] = of_x(p_x - q_x), of_y(p_y - q_y)
        scores.append([one, other])
    many, halves = scores
    return extrapolate(many, halves, densities.cv)
