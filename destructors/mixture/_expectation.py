"""The E-step: moments of rows, shared out among the components of a mixture.

Moments are sums of the features of rows (see `destructors.mixture._shares`), each
weighted by what a component gets of the row.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors.mixture import _shares as shares
from destructors.mixture import _wide as wide
from destructors.mixture._covariance import Full
from destructors.rows import Rows, StoredRows

# Numbers in the arrays of a block of rows: what fits into the second-level cache.
_BLOCK_SIZE = 2**16
# A product of matrices of so few multiplications is made without copying them first,
# which is up to a third faster; with fewer rows than these it isn't.
_N_MULTIPLICATIONS, _FEWEST_ROWS = 1_000_000, 32


class Mixture(NamedTuple):
    """Parameters of a mixture; shapes as in `destructors.mixture._covariance`."""

    weights: NDArray
    means: NDArray
    covariances: NDArray


class Listed(NamedTuple):
    """The components that have a part in each row.

    Attributes
    ----------
    components : ndarray of int32 of shape (n_listed,)
        Those of the first row, then those of the second …; none where they were counted
        only.
    ends : ndarray of int64 of shape (n_samples,)
        Where those of each row end.
    """

    components: NDArray
    ends: NDArray

    @property
    def is_counted_only(self) -> bool:
        """Whether components are not known."""
        return len(self.components) < self.ends[-1]


def features_of(rows: Rows, type_: Full) -> list[NDArray] | None:
    """Return the features of rows, by blocks, if they are so few that they fit into the
    cache: each step would find them again.
    """
    n_features = 1 + rows.n_features + len(type_.products[0])
    if isinstance(rows, StoredRows) or len(rows) * n_features > _BLOCK_SIZE:
        return None
    return rows.sum(_find_features, type_)


def expect(
    rows: Rows,
    type_: Full,
    mixture: Mixture,
    features: list[NDArray] | None = None,
    *,
    lists: bool | None = None,
) -> tuple[NDArray, float, list[Listed]]:
    """Share rows out among all components.

    Parameters
    ----------
    rows : Rows
        Rows in standard units.
    type_ : Full
        Covariance type.
    mixture : Mixture
        The components.
    features : list of ndarray, default=None
        What `features_of` returns of the rows.
    lists : bool, default=None
        Whether to list components. None only counts them in what fits into the cache:
        to share that out again costs little, and few lists are of use.

    Returns
    -------
    moments : ndarray of shape (n_components, n_features)
        Sums of features.
    total : float
        Sum of the log-densities, in nats.
    listed : list of Listed
        Which components have more than a few millionths of a row, by blocks.
    """
    coefficients = np.ascontiguousarray(type_.coefficients(*mixture).T)
    state = type_, coefficients, mixture.covariances, lists
    if features is None:
        return rows.sum(_expect, *state)
    return rows.sum(_expect_known, *state, each=features)


def expect_all(rows: Rows, type_: Full, mixture: Mixture) -> tuple[NDArray, float]:
    """Share rows out among all components, without a list of them; see `expect`."""
    coefficients = np.ascontiguousarray(type_.coefficients(*mixture).T)
    return rows.sum(_expect_all, type_, coefficients, mixture.covariances)


def expect_listed(
    rows: Rows, listed: list[Listed], type_: Full, mixture: Mixture
) -> tuple[NDArray, float]:
    """Share rows out among the components that are listed; see `expect`.

    This is a partial E-step (Neal and Hinton, *A view of the EM algorithm that
    justifies incremental, sparse, and other variants*, 1998): a bound of the likelihood
    rises in each step, and the bound is the likelihood but for the millionths.
    """
    coefficients = np.ascontiguousarray(type_.coefficients(*mixture))
    state = type_, coefficients, mixture.covariances
    return rows.sum(_expect_listed, *state, each=listed)


def pool(rows: Rows, type_: Full) -> NDArray:
    """Return the moments of rows that all go to one component."""
    return rows.sum(_pool, type_)


def _expect(
    rows: Rows,
    type_: Full,
    coefficients: NDArray,
    covariances: NDArray,
    lists: bool | None = None,
    known: NDArray | None = None,
) -> tuple[NDArray, float, list[Listed]]:
    """Share out a block of rows; see `expect`."""
    X, weights = np.ascontiguousarray(rows.values), rows.weights
    n_features, n_components = coefficients.shape
    if type_.is_wide and wide.N_COLUMNS_EACH * n_components <= X.shape[1]:
        own_sums = wide.share_all(X, weights, coefficients.T, bool(lists))
        return *own_sums[:2], [Listed(*own_sums[2:])]
    n_rows = min(len(X), max(256, _BLOCK_SIZE // (n_components + n_features)))
    if lists is None:
        lists = n_rows < len(X)
    n_rows_small = _N_MULTIPLICATIONS // (n_components * n_features)
    if n_rows_small >= _FEWEST_ROWS:
        n_rows = min(n_rows, n_rows_small)
    moments, total = np.zeros((n_components, n_features)), 0.0
    own = np.empty_like(moments)
    logs, features = np.empty((n_rows, n_components)), known
    if features is None:
        features = np.empty((n_rows, n_features))
    found = np.empty(n_rows * n_components + 1 if lists else 0, np.int32)
    ends = np.empty(len(X), np.int64)
    parts: list[NDArray] = []
    n_listed = 0
    for block in _blocks(len(X), n_rows):
        n = block.stop - block.start
        if known is None:
            own_features = features[:n]
            shares.fill_features(X[block], type_.n_products, own_features)
        else:
            own_features = known[block]
        np.matmul(own_features, coefficients, out=logs[:n])
        total += shares.share_all(logs[:n], weights[block], found, ends[block])
        moments += np.matmul(logs[:n].T, own_features, out=own)
        n_own = ends[block.stop - 1]
        parts.append(found[:n_own].copy())
        ends[block] += n_listed
        n_listed += n_own
    total += _add_offset(type_, X, weights, covariances)
    components = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return moments, total, [Listed(components, ends)]


def _find_features(rows: Rows, type_: Full) -> list[NDArray]:
    features = np.empty((len(rows), 1 + rows.n_features + len(type_.products[0])))
    X = np.ascontiguousarray(rows.values)
    shares.fill_features(X, type_.n_products, features)
    return [features]


def _expect_known(
    rows: Rows,
    features: NDArray,
    type_: Full,
    coefficients: NDArray,
    covariances: NDArray,
    lists: bool | None,
) -> tuple[NDArray, float, list[Listed]]:
    return _expect(rows, type_, coefficients, covariances, lists, features)


def _expect_all(
    rows: Rows, type_: Full, coefficients: NDArray, covariances: NDArray
) -> tuple[NDArray, float]:
    return _expect(rows, type_, coefficients, covariances, lists=False)[:2]


def _expect_listed(
    rows: Rows,
    listed: Listed,
    type_: Full,
    coefficients: NDArray,
    covariances: NDArray,
) -> tuple[NDArray, float]:
    X, weights = np.ascontiguousarray(rows.values), rows.weights
    if type_.is_wide:
        return wide.share_listed(X, weights, coefficients, *listed)
    moments = np.zeros_like(coefficients)
    total = shares.share_listed(
        X, type_.n_products, weights, coefficients, *listed, moments
    )
    return moments, total + _add_offset(type_, X, weights, covariances)


def _add_offset(
    type_: Full, X: NDArray, weights: NDArray, covariances: NDArray
) -> float:
    """Return the sum of the part of the log-densities that all components share."""
    if not type_.has_offset:
        return 0.0
    return float(np.sum(weights * type_.offset(X.T, covariances)))


def _pool(rows: Rows, type_: Full) -> NDArray:
    X, weights = np.ascontiguousarray(rows.values), rows.weights
    n_features = 1 + X.shape[1] + len(type_.products[0])
    moments = np.zeros((1, n_features))
    for block in _blocks(len(X), max(256, _BLOCK_SIZE // n_features)):
        features = np.empty((len(X[block]), n_features))
        shares.fill_features(X[block], type_.n_products, features)
        moments += weights[block] @ features
    return moments


def _blocks(n: int, n_rows: int) -> list[slice]:
    """Return the blocks of so many rows: what checks arguments takes as long as one."""
    return [slice(start, min(start + n_rows, n)) for start in range(0, n, n_rows)]
