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

# Shares below exp(-32), beside the largest, are below the last digits of any sum.
_NOTHING = -32.0
# Components that have less than a few millionths of the largest share are not listed.
_LISTED = -12.0
# What is less is taken for this: subnormal numbers are slow.
_LOWEST = -300.0
# Rows at a time where loops are not compiled.
_N_PLAIN = 4096


@jit
def _fill_features(X, i, first, second, row, features):
    d = X.shape[1]
    features[row, 0] = 1.0
    for j in range(d):
        features[row, 1 + j] = X[i, j]
    for p in range(len(first)):
        features[row, 1 + d + p] = X[i, first[p]] * X[i, second[p]]


def _features_loops(X, first, second, features):
    """Fill in the features of rows: 1, the columns, and products of two of these."""
    for i in range(len(X)):
        _fill_features(X, i, first, second, i, features)


def _features_vectorised(X, first, second, features):
    d = X.shape[1]
    features[:, 0] = 1.0
    features[:, 1 : d + 1] = X
    np.multiply(X[:, first], X[:, second], out=features[:, d + 1 :])


def _share_all_loops(logs, features, weight, moments, listed, ends):
    """Share rows out among all components; see `share_all`."""
    n, n_components = logs.shape
    n_features, n_listed, total = features.shape[1], 0, 0.0
    whole = n_components - n_components % 4
    active = np.empty(n_components, np.int64)
    for i in range(n):
        # Four at a time, or each comparison would wait for the one before.
        a = b = c = d = logs[i, 0]
        for k in range(0, whole, 4):
            a, b = max(a, logs[i, k]), max(b, logs[i, k + 1])
            c, d = max(c, logs[i, k + 2]), max(d, logs[i, k + 3])
        for k in range(whole, n_components):
            a = max(a, logs[i, k])
        largest = max(max(a, b), max(c, d))
        n_active, mass = 0, 0.0
        for k in range(n_components):
            log_share = logs[i, k] - largest
            if log_share >= _NOTHING:
                if log_share >= _LISTED:
                    listed[n_listed] = k
                    n_listed += 1
                logs[i, k] = normal.exp(log_share)
                mass += logs[i, k]
                active[n_active] = k
                n_active += 1
        ends[i] = n_listed
        total += weight[i] * (largest + np.log(mass))
        for j in range(n_active):
            k = active[j]
            share = weight[i] * logs[i, k] / mass
            for t in range(n_features):
                moments[k, t] += share * features[i, t]
    return total


def _share_all_vectorised(logs, features, weight, moments, listed, ends):
    largest = logs.max(axis=1)
    logs -= largest[:, None]
    is_listed = logs >= _LISTED
    ends[:] = np.cumsum(is_listed.sum(axis=1))
    listed[: ends[-1]] = np.nonzero(is_listed)[1]
    shares = np.where(logs >= _NOTHING, np.exp(np.maximum(logs, _NOTHING)), 0.0)
    mass = shares.sum(axis=1)
    shares *= (weight / mass)[:, None]
    moments += shares.T @ features
    return float(weight @ (largest + np.log(mass)))


@jit
def _dot(a, i, b):
    """Return the product of a row of ``a`` and the one row of ``b``."""
    # Eight sums side by side, as two vector registers hold them.
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    n = b.shape[1]
    whole = n - n % 8
    for t in range(0, whole, 8):
        s0 += a[i, t] * b[0, t]
        s1 += a[i, t + 1] * b[0, t + 1]
        s2 += a[i, t + 2] * b[0, t + 2]
        s3 += a[i, t + 3] * b[0, t + 3]
        s4 += a[i, t + 4] * b[0, t + 4]
        s5 += a[i, t + 5] * b[0, t + 5]
        s6 += a[i, t + 6] * b[0, t + 6]
        s7 += a[i, t + 7] * b[0, t + 7]
    for t in range(whole, n):
        s0 += a[i, t] * b[0, t]
    return ((s0 + s4) + (s1 + s5)) + ((s2 + s6) + (s3 + s7))


def _share_listed_loops(X, first, second, weight, coefficients, listed, ends, moments):
    """Share rows out among the components listed; see `share_listed`."""
    n_features = coefficients.shape[1]
    features, logs = np.empty((1, n_features)), np.empty(len(coefficients))
    total, start = 0.0, 0
    for i in range(len(X)):
        if weight[i] == 0.0:
            start = ends[i]
            continue
        _fill_features(X, i, first, second, 0, features)
        n_here = ends[i] - start
        largest = -np.inf
        for a in range(n_here):
            logs[a] = _dot(coefficients, listed[start + a], features)
            largest = max(largest, logs[a])
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
    X, first, second, weight, coefficients, listed, ends, moments
):
    starts, total = np.r_[0, ends[:-1]], 0.0
    for part in gen_batches(len(X), _N_PLAIN):
        features = np.empty((len(X[part]), coefficients.shape[1]))
        _features_vectorised(X[part], first, second, features)
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
share_all = jit(_share_all_loops, plain=_share_all_vectorised)
share_listed = jit(_share_listed_loops, plain=_share_listed_vectorised)
