"""What columns say, and what they say of each other."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from destructors.base import Destructor
from destructors.information._estimate import InformationEstimate, extrapolate
from destructors.information._held_out import Densities, read_block
from destructors.linear import Whitening


def entropy(
    X: ArrayLike,
    *,
    estimator: Destructor | None = None,
    cv: int = 5,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
) -> InformationEstimate:
    r"""Differential entropy of a sample, :math:`-E[\log p(x)]`.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows, finite. A frame of numbers will do.
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
        If data are not finite tables of numbers, or too few of the
        rows differ for the folds.

    Notes
    -----
    Columns on a lattice, such as integers, are spread by uniform noise of one step
    :math:`h`; the result is then the entropy of the values plus :math:`\log h`.

    References
    ----------
    T. M. Cover and J. A. Thomas, *Elements of information theory*, 2006, chapter 8.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.information import entropy
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> estimate = entropy(X, random_state=0)
    >>> bool(abs(estimate.value - np.log(2 * np.pi * np.e)) < 0.1)
    True
    """
    values = read_block(X, "X")
    densities = Densities.of(estimator, cv, random_state, n_jobs)
    return _signed_sum(densities, values, [(-1.0, None, slice(None))])


def total_correlation(
    X: ArrayLike,
    *,
    estimator: Destructor | None = None,
    cv: int = 5,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
) -> InformationEstimate:
    r"""Total correlation of the columns of a sample.

    .. math:: \sum_j H(x_j) - H(x) = E[\log p(x) - \sum_j \log p_j(x_j)]

    It is zero if all columns are independent, and grows without limit as one of them
    becomes a function of others.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows, finite. A frame of numbers will do.
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
        If data are not finite tables of numbers, or too few of the
        rows differ for the folds.

    References
    ----------
    S. Watanabe, *Information theoretical analysis of multivariate correlation*, IBM
    Journal of Research and Development 4, 1960.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.information import total_correlation
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(500, 3)) + rng.normal(size=(500, 1))
    >>> estimate = total_correlation(X, random_state=0)
    >>> truth = -0.5 * np.log(np.linalg.det(np.full((3, 3), 0.5) + 0.5 * np.eye(3)))
    >>> bool(abs(estimate.value - truth) < 0.2)
    True
    """
    values = read_block(X, "X")
    densities = Densities.of(estimator, cv, random_state, n_jobs)
    columns = [(-1.0, None, [j]) for j in range(values.shape[1])]
    return _signed_sum(densities, values, [(1.0, None, slice(None)), *columns])


def mutual_information(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    estimator: Destructor | None = None,
    cv: int = 5,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
) -> InformationEstimate:
    r"""Mutual information between two blocks of columns.

    .. math:: I(x; y) = H(x) + H(y) - H(x, y)

    Parameters
    ----------
    X : array-like of shape (n_samples,) or (n_samples, n_features_x)
        One column or a block of several.
    Y : array-like of shape (n_samples,) or (n_samples, n_features_y)
        Another, of the same rows.
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
        If data are not finite tables of numbers of as many rows, or too few of the
        rows differ for the folds.

    See Also
    --------
    sklearn.feature_selection.mutual_info_regression : By neighbours; of single columns.

    References
    ----------
    T. M. Cover and J. A. Thomas, *Elements of information theory*, 2006, chapter 8.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.information import mutual_information
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=500)
    >>> y = 0.8 * x + 0.6 * rng.normal(size=500)
    >>> estimate = mutual_information(x, y, random_state=0)
    >>> off = estimate.value - -0.5 * np.log(1 - 0.8**2)
    >>> bool(abs(off) < 2 * estimate.standard_error)
    True
    """
    x = read_block(X, "X")
    y = read_block(Y, "Y", len(x))
    densities = Densities.of(estimator, cv, random_state, n_jobs)
    d = x.shape[1]
    terms = [
        (1.0, None, slice(None)),
        (-1.0, None, slice(d)),
        (-1.0, None, slice(d, None)),
    ]
    return _signed_sum(densities, np.hstack([x, y]), terms)


def conditional_mutual_information(
    X: ArrayLike,
    Y: ArrayLike,
    Z: ArrayLike,
    *,
    estimator: Destructor | None = None,
    cv: int = 5,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
) -> InformationEstimate:
    r"""Mutual information between two blocks of columns, given a third.

    .. math:: I(x; y | z) = H(x, z) + H(y, z) - H(x, y, z) - H(z)

    Parameters
    ----------
    X : array-like of shape (n_samples,) or (n_samples, n_features_x)
        One column or a block of several.
    Y : array-like of shape (n_samples,) or (n_samples, n_features_y)
        Another, of the same rows.
    Z : array-like of shape (n_samples,) or (n_samples, n_features_z)
        What is given, of the same rows.
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
        If data are not finite tables of numbers of as many rows, or too few of the
        rows differ for the folds.

    References
    ----------
    T. M. Cover and J. A. Thomas, *Elements of information theory*, 2006, chapter 2.

    Examples
    --------
    Two columns that say much of each other, but nothing once their cause is known:

    >>> import numpy as np
    >>> from destructors.information import conditional_mutual_information
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=1000)
    >>> x, y = z + rng.normal(size=(2, 1000))
    >>> estimate = conditional_mutual_information(x, y, z, random_state=0)
    >>> bool(abs(estimate.value) < 0.06)
    True
    """
    x = read_block(X, "X")
    y, z = read_block(Y, "Y", len(x)), read_block(Z, "Z", len(x))
    densities = Densities.of(estimator, cv, random_state, n_jobs)
    ends = np.cumsum([x.shape[1], y.shape[1], z.shape[1]])
    in_x, in_y, in_z = np.split(np.arange(ends[-1]), ends[:-1])
    terms = [
        (1.0, None, slice(None)),
        (1.0, None, in_z),
        (-1.0, None, np.r_[in_x, in_z]),
        (-1.0, None, np.r_[in_y, in_z]),
    ]
    return _signed_sum(densities, np.hstack([x, y, z]), terms)


def negentropy(
    X: ArrayLike,
    *,
    estimator: Destructor | None = None,
    cv: int = 5,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
) -> InformationEstimate:
    r"""Negentropy of a sample: how far it is from a Gaussian.

    .. math:: J(x) = H(g) - H(x),

    where :math:`g` is Gaussian with the mean and covariance of :math:`x`: what is left
    to learn once these two are known.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows, finite. A frame of numbers will do.
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
        If data are not finite tables of numbers, or too few of the
        rows differ for the folds.

    References
    ----------
    A. Hyvärinen and E. Oja, *Independent component analysis: algorithms and
    applications*, Neural Networks 13, 2000, section 4.2.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.information import negentropy
    >>> X = np.random.default_rng(0).uniform(size=(500, 1))
    >>> estimate = negentropy(X, random_state=0)
    >>> truth = 0.5 * np.log(2 * np.pi * np.e / 12)
    >>> bool(abs(estimate.value - truth) < 0.1)
    True
    """
    values = read_block(X, "X")
    densities = Densities.of(estimator, cv, random_state, n_jobs)
    gaussian = Whitening(shrinkage=0.0)
    terms = [(1.0, None, slice(None)), (-1.0, gaussian, slice(None))]
    return _signed_sum(densities, values, terms)


def _signed_sum(
    densities: Densities, values: NDArray, terms: Sequence[tuple[float, Any, Any]]
) -> InformationEstimate:
    """Return the mean of a signed sum of held-out log-densities of blocks of columns.

    All terms have the same folds, so that what they lose there cancels as far as it
    can.

    Parameters
    ----------
    densities : Densities
        What fits and holds out.
    values : ndarray of shape (n_samples, n_features)
        Rows of all blocks.
    terms : sequence of (float, Destructor or None, index) tuples
        Sign, density and columns of each.
    """
    values = densities.spread(values)
    scores = []
    for n_folds in (densities.cv, 2):
        splits = densities.splits(values, n_folds)
        jobs = [
            (density, values[train][:, columns], [values[test][:, columns]])
            for _, density, columns in terms
            for train, test in splits
        ]
        found = iter(densities.log_densities(jobs))
        score = np.zeros(len(values))
        for sign, _, _ in terms:
            for _, test in splits:
                [log_density] = next(found)
                score[test] += sign * log_density
        scores.append([score])
    many, halves = scores
    return extrapolate(many, halves, densities.cv)
