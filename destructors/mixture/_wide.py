"""The E-step of rows with many columns: each component by a product of its own.

The products of two columns, of which there are 666 in rows of 36, cost more to write
down than few components do with them. Here a row is ``x = (1, x_1, x_2, …)``; its
log-density in a component is the quadratic form ``x A x``, and the moments of the
component are those of ``x x`` over the rows that it has a part in. Others are left out:
those that are not listed; and where there is no list, those of which it gets nothing
that could be told from rounding.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from destructors.mixture import _shares as shares

# Rows of so many columns are shared out this way; without a list, among no more
# components than one for so many columns.
MANY_COLUMNS, N_COLUMNS_EACH = 20, 9
# Numbers in the arrays of a block of rows, and of the part of it that is multiplied at
# once: what fits into the third- and the second-level cache.
_BLOCK_SIZE, _PART_SIZE = 2**19, 2**16
# Of a row, a smaller share is lost in the rounding of others.
_NOTHING = 1e-16
# Where a component has a part in more of the rows, picking these out costs more.
_MOST = 0.8


def share_all(
    X: NDArray, weights: NDArray, coefficients: NDArray, lists: bool
) -> tuple[NDArray, float, NDArray, NDArray]:
    """Share rows out among all components.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
        Rows in standard units.
    weights : ndarray of shape (n_samples,)
        Their weights.
    coefficients : ndarray of shape (n_components, n_features)
        What one, the columns and the products of two of them are multiplied by in the
        log of weight times density.
    lists : bool
        Whether to list the components that have a part in each row.

    Returns
    -------
    moments : ndarray of shape (n_components, n_features)
        Sums of the features, weighted by what each component gets.
    total : float
        Sum of the log-densities, in nats.
    components, ends : ndarray
        As in `destructors.mixture._expectation.Listed`.
    """
    forms = _forms(coefficients, X.shape[1])
    moments, total = np.zeros_like(forms), 0.0
    parts, ends = [np.empty(0, np.int32)], np.empty(len(X), np.int64)
    for block in _blocks(len(X), _BLOCK_SIZE // (forms.shape[1] + len(forms))):
        own, weight = _with_one(X[block]), weights[block]
        logs = np.empty((len(own), len(forms)))
        for k, form in enumerate(forms):
            _fill_logs(own, form, logs[:, k])
        found = np.empty(logs.size + 1 if lists else 0, np.int32)
        total += shares.share_all(logs, weight, found, ends[block])
        if lists:
            n_before = sum(map(len, parts))
            parts.append(found[: ends[block.stop - 1]].copy())
            ends[block] += n_before
        nothing = _NOTHING * weight
        for own_share, sums in zip(logs.T, moments, strict=True):
            rows = np.flatnonzero(own_share > nothing)
            if len(rows) > _MOST * len(own):
                _add_moments(own, own_share, sums)
            else:
                _add_moments(own[rows], own_share[rows], sums)
    return _features(moments), total, np.concatenate(parts), ends


def share_listed(
    X: NDArray,
    weights: NDArray,
    coefficients: NDArray,
    components: NDArray,
    ends: NDArray,
) -> tuple[NDArray, float]:
    """Share rows out among the components that are listed; see `share_all`."""
    forms = _forms(coefficients, X.shape[1])
    moments, total = np.zeros_like(forms), 0.0
    starts = np.concatenate([[0], ends])
    for block in _blocks(len(X), _BLOCK_SIZE // forms.shape[1]):
        listed = components[starts[block.start] : starts[block.stop]]
        counts = np.diff(starts[block.start : block.stop + 1])
        own, weight = _with_one(X[block]), weights[block]
        known = weight > 0.0
        if not known.all():
            listed, own = listed[np.repeat(known, counts)], own[known]
            counts, weight = counts[known], weight[known]
        if len(own):
            total += _share_block(own, weight, forms, listed, counts, moments)
    return _features(moments), total


def _share_block(
    X: NDArray,
    weights: NDArray,
    forms: NDArray,
    components: NDArray,
    counts: NDArray,
    moments: NDArray,
) -> float:
    """Add to the moments; return the sum of the log-densities."""
    ends = np.cumsum(counts)
    starts = ends - counts
    # By component: the rows, and where their pairs stand in the order of rows.
    pairs = np.arange(len(components)), components, np.append(starts, ends[-1])
    by_component = csr_array(pairs, shape=(len(X), len(forms))).tocsc()
    rows = np.split(by_component.indices, by_component.indptr[1:-1])
    places = np.split(by_component.data, by_component.indptr[1:-1])
    logs = np.empty(len(components))
    for form, own, place in zip(forms, rows, places, strict=True):
        found = np.empty(len(own))
        _fill_logs(X[own], form, found)
        logs[place] = found
    largest = np.maximum.reduceat(logs, starts)
    logs -= np.repeat(largest, counts)
    own_shares = np.exp(logs, out=logs)
    mass = np.add.reduceat(own_shares, starts)
    own_shares *= np.repeat(weights / mass, counts)
    for own, place, sums in zip(rows, places, moments, strict=True):
        _add_moments(X[own], own_shares[place], sums)
    return float(weights @ (largest + np.log(mass)))


# ---------------------------------------------------------------------- forms


def _with_one(X: NDArray) -> NDArray:
    """Return rows with a column of ones before the others."""
    own = np.empty((len(X), 1 + X.shape[1]))
    own[:, 0], own[:, 1:] = 1.0, X
    return own


def _forms(coefficients: NDArray, n_columns: int) -> NDArray:
    """Return the upper triangles of quadratic forms, of shape (n_components, 1 +
    n_columns, 1 + n_columns), whose numbers are the coefficients of the features.
    """
    forms = np.zeros((len(coefficients), 1 + n_columns, 1 + n_columns))
    first, second = np.triu_indices(1 + n_columns)
    forms[:, first, second] = coefficients
    return forms


def _features(moments: NDArray) -> NDArray:
    """Return the sums of features that are in moments, of the shape of forms."""
    first, second = np.triu_indices(moments.shape[1])
    return moments[:, first, second]


def _fill_logs(X: NDArray, form: NDArray, logs: NDArray) -> None:
    for part in _blocks(len(X), _PART_SIZE // X.shape[1]):
        np.einsum("ij,ij->i", X[part], X[part] @ form, out=logs[part])


def _add_moments(X: NDArray, share: NDArray, moments: NDArray) -> None:
    for part in _blocks(len(X), _PART_SIZE // X.shape[1]):
        moments += (X[part] * share[part, None]).T @ X[part]


def _blocks(n: int, n_rows: int) -> Sequence[slice]:
    n_rows = max(n_rows, 256)
    return [slice(start, min(start + n_rows, n)) for start in range(0, n, n_rows)]
