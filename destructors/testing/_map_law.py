"""The part of the law that is for maps: data that go both ways."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from destructors.maps import Density, Map, load
from destructors.maps._combine import is_surjective
from destructors.testing._case import require
from destructors.testing._map_checks import numerical_log_det

__all__ = ["check_map"]


def check_map(
    map_: Map,
    X: NDArray,
    *,
    context: NDArray | None = None,
    savable: bool = True,
    smooth: bool = True,
) -> None:
    """Check that a map keeps the law of maps.

    It is inverted exactly; its log-determinant is that of its Jacobian, and minus that
    of the inverse; a row's image does not depend on the other rows, and the rows are
    left as they were; it equals, hashes as, and works to the same bits as its pickled
    and its saved copy. A `destructors.maps.Surjection` is inverted one way only and has
    no Jacobian.

    Parameters
    ----------
    map_ : Map
        The map.
    X : ndarray of shape (n_samples, n_features)
        Rows it is made for.
    context : ndarray of shape (n_samples, ...), default=None
        What the map depends on beside them.
    savable : bool, default=True
        Whether all in it is data. False for maps that hold a function or an estimator.
    smooth : bool, default=True
        Whether rows are numbers. Codes have no Jacobian.

    Raises
    ------
    AssertionError
        If the map breaks the law.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps import Affine
    >>> from destructors.testing import check_map
    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> check_map(Affine(np.zeros(2), np.array([1.0, 2.0])), X)
    """
    kept = X.copy()
    Z, log_det = map_.forward(X, context)
    back, log_det_back = map_.inverse(Z, context)
    require(np.array_equal(X, kept), "forward changes its input.")
    require(Z.shape == X.shape, f"forward gives shape {Z.shape} for {X.shape}.")
    require(log_det.shape == (len(X),), f"log_det has shape {log_det.shape}.")
    require(bool(np.isfinite(Z).all()), "forward gives NaN or infinity.")
    require(bool(np.isfinite(log_det).all()), "log_det is NaN or infinite.")
    scale = np.where((spread := X.std(axis=0)) > 0, spread, 1.0)
    off = (np.abs(back - X) / scale).max(axis=1)
    require(
        np.mean(off <= 1e-8) >= 0.99 and off.max() <= 1e-4,
        f"T⁻¹(T(x)): {np.mean(off <= 1e-8):.1%} of the rows return to within 1e-8, the "
        f"worst to within {off.max():.2g}.",
    )
    share = np.mean(np.abs(log_det + log_det_back) <= 1e-6)
    require(
        share >= 0.99,
        f"log_det of the inverse is minus that of the map for {share:.1%} of the rows.",
    )
    if smooth and not is_surjective(map_):
        _check_jacobian(map_, X, context, log_det, scale)
    _check_rows_alone(map_, X, context, Z)
    _check_copies(map_, X, context, Z, log_det, savable)


def _check_jacobian(
    map_: Map, X: NDArray, context: NDArray | None, log_det: NDArray, scale: NDArray
) -> None:
    some = slice(0, 100)
    d = X.shape[1]
    repeated = None if context is None else np.repeat(context[some], 2 * d, axis=0)
    numerical = numerical_log_det(
        lambda rows: map_.forward(rows, repeated)[0], X[some], 1e-5 * scale
    )
    share = np.mean(np.abs(numerical - log_det[some]) <= 1e-3)
    require(
        share >= 0.95,
        f"log_det agrees with the numerical Jacobian for {share:.1%} of the rows.",
    )


def _check_rows_alone(
    map_: Map, X: NDArray, context: NDArray | None, Z: NDArray
) -> None:
    for i in range(min(5, len(X))):
        part = None if context is None else context[[i]]
        np.testing.assert_allclose(
            map_.forward(X[[i]], part)[0],
            Z[[i]],
            rtol=1e-8,
            atol=1e-8,
            err_msg="the image of a row alone",
        )


def _check_copies(
    map_: Map,
    X: NDArray,
    context: NDArray | None,
    Z: NDArray,
    log_det: NDArray,
    savable: bool,
) -> None:
    copies = {"pickled": pickle.loads(pickle.dumps(map_))}
    if savable:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "map.npz"
            Density(map_, None, X.shape[1]).save(path)
            copies["saved"] = load(path).map
        require(copies["saved"] == map_, "The saved copy is not equal to the map.")
        require(hash(copies["saved"]) == hash(map_), "The saved copy hashes otherwise.")
    for how, copy in copies.items():
        again, log_det_again = copy.forward(X, context)
        require(
            np.array_equal(again, Z) and np.array_equal(log_det_again, log_det),
            f"The {how} copy maps to other bits.",
        )
