"""Rows in blocks: a chain works inside the cache, a product does not see neighbours."""

from collections.abc import Callable, Iterable
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

Way = Callable[[NDArray, NDArray | None], tuple[NDArray, NDArray]]

# Rows are mapped in blocks of about this many numbers (1 MiB of float64): temporaries
# then never grow with n_samples.
_BLOCK_SIZE = 2**17
_FEWEST_ROWS = 1024
_LARGEST = np.finfo(float).max
_PART = 2.0**64
# Rows of one product.
_PRODUCT_ROWS = 64


def in_blocks(
    way: Way,
    X: NDArray,
    context: NDArray | None = None,
    run: Callable[[Callable[[slice], Any], Iterable[slice]], Any] | None = None,
) -> tuple[NDArray, NDArray]:
    """Apply `Map.forward` or `Map.inverse` in blocks of rows.

    Parameters
    ----------
    way : callable
        The bound method.
    X : ndarray of shape (n_samples, n_features)
        Rows.
    context : ndarray of shape (n_samples, ...), default=None
        What the map depends on beside them.
    run : callable, default=None
        Takes a function and the blocks, and lists what the one returns for the others:
        in threads, for instance. None goes through them in order.

    Returns
    -------
    Z : ndarray of shape (n_samples, n_features)
    log_det : ndarray of shape (n_samples,)
        In nats.
    """
    n_samples, n_features = X.shape
    n_rows = max(_FEWEST_ROWS, _BLOCK_SIZE // n_features)
    if n_samples <= n_rows:
        return way(X, context)
    blocks = [slice(i, i + n_rows) for i in range(0, n_samples, n_rows)]
    # The first block tells what kind of numbers come out.
    first, log_det_first = way(X[blocks[0]], _part(context, blocks[0]))
    Z = np.empty((n_samples, first.shape[1]), first.dtype)
    log_det = np.empty(n_samples)
    Z[blocks[0]], log_det[blocks[0]] = first, log_det_first

    def fill(rows: slice) -> None:
        Z[rows], log_det[rows] = way(X[rows], _part(context, rows))

    list((run or map)(fill, blocks[1:]))
    return Z, log_det


def multiply(X: NDArray, matrix: NDArray) -> NDArray:
    """Return ``X @ matrix``, each row as if it stood alone, to the last bit.

    BLAS adds in an order that depends on the shape. Where a matrix enlarges what is
    left of nearly collinear columns, a row would then score otherwise alone than among
    others. So it is given the same shape each time.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    matrix : ndarray of shape (n_features, n_outputs)

    Returns
    -------
    products : ndarray of shape (n_samples, n_outputs)
        What is beyond the largest number is that.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        products = _multiply(X, matrix)
        if isfinite(np.add.reduce(products, axis=None)):
            return products
    # Sums of numbers near the largest one are taken of parts of them.
    large = np.flatnonzero(~np.isfinite(products).all(axis=1))
    with np.errstate(over="ignore"):
        sums = _multiply(X[large] / _PART, matrix) * _PART
    products[large] = np.clip(sums, -_LARGEST, _LARGEST)
    return products


def _multiply(X: NDArray, matrix: NDArray) -> NDArray:
    (n_rows, d), n_outputs = X.shape, matrix.shape[1]
    if n_rows < _PRODUCT_ROWS:
        few = np.zeros((_PRODUCT_ROWS, d))
        few[:n_rows] = X
        return (few @ matrix)[:n_rows]
    whole = n_rows - n_rows % _PRODUCT_ROWS
    products = np.empty((n_rows, n_outputs))
    parts = np.ascontiguousarray(X[:whole]).reshape(-1, _PRODUCT_ROWS, d)
    np.matmul(parts, matrix, out=products[:whole].reshape(-1, _PRODUCT_ROWS, n_outputs))
    if whole < n_rows:
        last = np.zeros((_PRODUCT_ROWS, d))
        last[: n_rows - whole] = X[whole:]
        products[whole:] = (last @ matrix)[: n_rows - whole]
    return products


def _part(context: NDArray | None, rows: slice) -> NDArray | None:
    return None if context is None else context[rows]
