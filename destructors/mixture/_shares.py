"""What each component of a mixture gets of each row: loops, and their plain forms.

The log-density of a component is linear in the features of a row: one, its columns, and
products of these. Where all components are looked at, it is had from a product of
matrices. But of hundreds only a few have a part in a row, and they change little from
step to step; once they are listed, a step needs only these.
"""

import numpy as np
from scipy.sparse import csr_array
from sklearn.utils import gen_batches

from destructors.maps import _normal as normal
from destructors.maps._jit import jit

# Components that have less than a few millionths of the largest share are not listed.
_LISTED = -12.0
# What is less is taken for this: subnormal numbers are slow.
_LOWEST = -300.0
# Rows at a time where loops are not compiled.
_N_PLAIN = 4096


@jit
def _fill_features(X, i, n_products, row, features):
    d = X.shape[1]
    features[row, 0] = 1.0
    for j in range(d):
        features[row, 1 + j] = X[i, j]
    # They lie side by side, so that the compiler takes several at a time.
    start = 1 + d
    for j in range(d):
        value = X[i, j]
        for p in range(n_products[j]):
            features[row, start + p] = value * X[i, j + p]
        start += n_products[j]


def _features_loops(X, n_products, features):
    """Fill in the features of rows: 1, the columns, and products of two of these.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
        Rows.
    n_products : ndarray of int of shape (n_columns,)
        Of each column: how many products with itself and those after it there are.
    features : ndarray of shape (n_samples, n_features)
        Result.
    """
    for i in range(len(X)):
        _fill_features(X, i, n_products, i, features)


def _features_vectorised(X, n_products, features):
    d = X.shape[1]
    features[:, 0] = 1.0
    features[:, 1 : d + 1] = X
    start = 1 + d
    for j, n in enumerate(n_products):
        np.multiply(X[:, j, None], X[:, j : j + n], out=features[:, start : start + n])
        start += n


def _share_all_loops(logs, weight, listed, ends):
    """Turn the log-densities of rows under all components into shares.

    Parameters
    ----------
    logs : ndarray of shape (n_samples, n_components)
        Log of weight times density; filled with what each component gets of the row,
        times the weight of the row.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.
    listed : ndarray of shape (n_samples * n_components,), dtype int32
        Filled with the components that have a part in each row. Empty, they are counted
        only, which takes two thirds of the time.
    ends : ndarray of shape (n_samples,), dtype int64
        Filled with where those of each row end.

    Returns
    -------
    total : float
        Sum of the log-densities of the rows, times their weights, in nats.
    """
    n, n_components = logs.shape
    n_listed, total = 0, 0.0
    whole = n_components - n_components % 4
    for i in range(n):
        # Four at a time, or each comparison would wait for the one before.
        a = b = c = d = logs[i, 0]
        for k in range(0, whole, 4):
            a, b = max(a, logs[i, k]), max(b, logs[i, k + 1])
            c, d = max(c, logs[i, k + 2]), max(d, logs[i, k + 3])
        for k in range(whole, n_components):
            a = max(a, logs[i, k])
        largest, mass = max(max(a, b), max(c, d)), 0.0
        # No branches, which no one could foretell, so that the compiler takes several
        # components at a time.
        if len(listed) > 0:
            for k in range(n_components):
                log_share = logs[i, k] - largest
                listed[n_listed] = k
                n_listed += log_share >= _LISTED
                logs[i, k] = log_share
            for k in range(n_components):
                logs[i, k] = normal.exp(logs[i, k])
        else:
            for k in range(n_components):
                log_share = logs[i, k] - largest
                n_listed += log_share >= _LISTED
                logs[i, k] = normal.exp(log_share)
        for k in range(n_components):
            mass += logs[i, k]
        ends[i] = n_listed
        total += weight[i] * (largest + np.log(mass))
        factor = weight[i] / mass
        for k in range(n_components):
            logs[i, k] *= factor
    return total


def _share_all_vectorised(logs, weight, listed, ends):
    largest = logs.max(axis=1)
    logs -= largest[:, None]
    is_listed = logs >= _LISTED
    ends[:] = np.cumsum(is_listed.sum(axis=1))
    if len(listed):
        listed[: ends[-1]] = np.nonzero(is_listed)[1]
    shares = np.exp(np.maximum(logs, _LOWEST))
    mass = shares.sum(axis=1)
    np.multiply(shares, (weight / mass)[:, None], out=logs)
    return float(weight @ (largest + np.log(mass)))


def _share_listed_loops(X, n_products, weight, coefficients, listed, ends, moments):
    """Share rows out among the components listed; see `share_listed`."""
    n_features = coefficients.shape[1]
    features, logs = np.empty((1, n_features)), np.empty(len(coefficients))
    total, start = 0.0, 0
    for i in range(len(X)):
        if weight[i] == 0.0:
            start = ends[i]
            continue
        _fill_features(X, i, n_products, 0, features)
        n_here = ends[i] - start
        largest = -np.inf
        for a in range(n_here):
            k, log = listed[start + a], 0.0
            for t in range(n_features):
                log += coefficients[k, t] * features[0, t]
            logs[a] = log
            largest = max(largest, log)
        mass = 0.0
        for a in range(n_here):
            logs[a] = normal.exp(logs[a] - largest)
            mass += logs[a]
        total += weight[i] * (largest + np.log(mass))
        for a in range(n_here):
            k, share = listed[start + a], weight[i] * logs[a] / mass
            for t in range(n_features):
                moments[k, t] += share * features[0, t]
        start = ends[i]
    return total


def _share_listed_vectorised(
    X, n_products, weight, coefficients, listed, ends, moments
):
    starts, total = np.r_[0, ends[:-1]], 0.0
    for part in gen_batches(len(X), _N_PLAIN):
        features = np.empty((len(X[part]), coefficients.shape[1]))
        _features_vectorised(X[part], n_products, features)
        begin, counts = starts[part] - starts[part][0], ends[part] - starts[part]
        components = listed[starts[part][0] : ends[part][-1]]
        rows = np.repeat(np.arange(len(counts)), counts)
        logs = np.einsum("pf,pf->p", coefficients[components], features[rows])
        largest = np.maximum.reduceat(logs, begin)
        shares = np.exp(np.maximum(logs - largest[rows], _LOWEST))
        mass = np.add.reduceat(shares, begin)
        total += float(weight[part] @ (largest + np.log(mass)))
        shares *= (weight[part] / mass)[rows]
        shape = len(coefficients), len(counts)
        moments += csr_array((shares, (components, rows)), shape=shape) @ features
    return total


fill_features = jit(_features_loops, plain=_features_vectorised)
share_all = jit(_share_all_loops, plain=_share_all_vectorised, any_order=True)
share_listed = jit(_share_listed_loops, plain=_share_listed_vectorised, any_order=True)
