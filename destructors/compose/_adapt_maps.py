"""The maps of fitted scikit-learn transformers, as bijections of the whole space.

Each is made of a fitted transformer and the training rows. Where the transformer itself
is no bijection of the whole space (its range is bounded, or it clips), the map is
exactly the transformer on the training range and somewhat beyond, and continues in a
straight line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from destructors.maps import Affine, Chain, Identity, Map
from destructors.maps._histogram import HistogramColumns
from destructors.maps._normal_cdf import NormalToUniform
from destructors.maps._power import PowerColumns

__all__ = ["MAPS", "FunctionMap"]

# scikit-learn clips quantiles at this distance from 0 and 1.
_QUANTILE_TAIL = 1e-7


def _affine(transformer: Any, X: NDArray) -> Map:
    """Return ``z = (x - location) / scale``, of any scaler."""
    if getattr(transformer, "clip", False):
        raise ValueError(
            f"{type(transformer).__name__}(clip=True) cannot be inverted: set "
            "clip=False."
        )
    d = X.shape[1]
    if isinstance(transformer, MinMaxScaler):
        scale = 1.0 / transformer.scale_
        return Affine(-transformer.min_ * scale, scale)
    location = getattr(transformer, "mean_", None)
    if isinstance(transformer, StandardScaler) and not transformer.with_mean:
        location = None
    location = getattr(transformer, "center_", location)
    scale = getattr(transformer, "scale_", None)
    return Affine(
        np.zeros(d) if location is None else location,
        np.ones(d) if scale is None else scale,
    )


def _pca(transformer: PCA, X: NDArray) -> Map:
    d = X.shape[1]
    if transformer.n_components_ != d:
        raise ValueError(
            f"PCA keeps {transformer.n_components_} of {d} components and cannot be "
            "inverted: set n_components=None and give at least as many rows as "
            "features."
        )
    turn = transformer.components_
    rotation = Affine(transformer.mean_, np.ones(d), turn, turn.T)
    if not transformer.whiten:
        return rotation
    variance = transformer.explained_variance_
    if variance[-1] <= 1e-14 * variance[0]:
        raise ValueError(
            "PCA(whiten=True) of features that are linear combinations of each other "
            "cannot be inverted: drop the redundant ones, or use "
            "destructors.linear.Whitening."
        )
    return Chain((rotation, Affine(np.zeros(d), np.sqrt(variance))))


def _power(transformer: PowerTransformer, X: NDArray) -> Map:
    exponents, kind = transformer.lambdas_, transformer.method
    columns = [
        _power_column(x, exponent, kind, transformer.standardize)
        for x, exponent in zip(X.T, exponents, strict=True)
    ]
    shift, scale, ends = map(np.array, zip(*columns, strict=True))
    return PowerColumns(exponents, shift, scale, ends, kind)


def _power_column(
    x: NDArray, exponent: float, kind: Any, standardize: bool
) -> tuple[float, float, NDArray]:
    """Return shift and scale of a power, and the ends between which it is followed:
    the training range, and as far again on each side.
    """

    def power(shift: float, scale: float, ends: NDArray) -> PowerColumns:
        return PowerColumns(
            np.array([exponent]), np.array([shift]), np.array([scale]), ends[None], kind
        )

    inner = np.array([x.min(), x.max()])
    shift, scale = 0.0, 1.0
    if standardize:
        z, _ = power(shift, scale, inner).forward(x[:, None])
        scaler = StandardScaler().fit(z)
        shift, scale = float(scaler.mean_[0]), float(scaler.scale_[0])
    spread = np.ptp(x) or 1.0
    lowest = 0.5 * x.min() if kind == "box-cox" else -np.inf
    outer = np.array([max(x.min() - spread, lowest), x.max() + spread])
    with np.errstate(all="ignore"):
        z, log_slopes = power(shift, scale, outer).forward(outer[:, None])
    # Where powers over- or underflow, no farther than the data.
    finite = np.isfinite(z[:, 0]) & np.isfinite(log_slopes)
    return shift, scale, np.where(finite, outer, inner)


def _quantile(transformer: QuantileTransformer, X: NDArray) -> Map:
    edges, shares = [], []
    for quantiles in transformer.quantiles_.T:
        places, first, counts = np.unique(
            quantiles, return_index=True, return_counts=True
        )
        if len(places) == 1:
            reach = max(1.0, 1e-6 * abs(places[0]))
            places, rises = places[0] + np.array([-reach, reach]), np.ones(1)
        else:
            # A repeated quantile is where the distribution function jumps: the middle
            # is what scikit-learn gives.
            last = first + counts - 1
            reference = transformer.references_
            levels = 0.5 * (reference[first] + reference[last])
            levels[[0, -1]] = 0.0, 1.0
            rises = np.diff(levels)
        edges.append(places)
        shares.append(rises * (1.0 - 2.0 * _QUANTILE_TAIL))
    d = X.shape[1]
    spread = np.array([x.std() or 1.0 for x in X.T])
    tails = np.full(d, _QUANTILE_TAIL)
    scores = HistogramColumns(tuple(edges), tuple(shares), tails, spread)
    if transformer.output_distribution == "uniform":
        return Chain((scores, NormalToUniform()))
    return scores


def _nothing(transformer: FunctionTransformer, X: NDArray) -> Map:
    return Identity()


MAPS: dict[type, Callable[[Any, NDArray], Map]] = {
    StandardScaler: _affine,
    MinMaxScaler: _affine,
    MaxAbsScaler: _affine,
    RobustScaler: _affine,
    PCA: _pca,
    PowerTransformer: _power,
    QuantileTransformer: _quantile,
    # Without a function: those with one need the log-determinant too.
    FunctionTransformer: _nothing,
}


@dataclass(frozen=True, eq=False, repr=False)
class FunctionMap(Map):
    """A transformer with an inverse, and a function that gives its log-determinant.

    It pickles if they do. No file of `destructors.save` holds it: they are code.

    Parameters
    ----------
    transformer : transformer
        Fitted.
    log_det : callable
        See `as_destructor`.
    """

    transformer: Any
    log_det: Callable[[NDArray], Any]

    def forward(self, X, context=None):
        """Map rows; see `Map.forward`."""
        Z = self._apply(self.transformer.transform, X)
        return Z, self._log_det_at(X)

    def inverse(self, Z, context=None):
        """Map rows back; see `Map.inverse`."""
        X = self._apply(self.transformer.inverse_transform, Z)
        return X, -self._log_det_at(X)

    def _apply(self, function: Callable, X: NDArray) -> NDArray:
        with np.errstate(all="ignore"):
            Z = np.asarray(function(X.copy()), dtype=np.float64)
        if Z.shape != X.shape:
            raise ValueError(
                f"{self.transformer!r} gives shape {Z.shape} for rows of shape "
                f"{X.shape}: that is no one-to-one map."
            )
        if not np.isfinite(Z).all():
            raise ValueError(f"{self.transformer!r} gives NaN or infinity.")
        return Z

    def _log_det_at(self, X: NDArray) -> NDArray:
        log_det = np.asarray(self.log_det(X), dtype=np.float64)
        if log_det.shape not in ((), (len(X),)):
            raise ValueError(
                f"log_det must give one number a row, shape ({len(X)},), or one for "
                f"all rows; got shape {log_det.shape}."
            )
        return np.broadcast_to(log_det, (len(X),)).copy()
