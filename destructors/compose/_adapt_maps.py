"""The maps of fitted scikit-learn transformers, as bijections of the whole space.

Each is made of a fitted transformer and the training rows, and has ``forward`` and
``inverse`` as the hooks of a destructor have. Where the transformer itself is no
bijection of the whole space (its range is bounded, or it clips), the map is exactly the
transformer on the training range and somewhat beyond, and continues in a straight line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import boxcox, boxcox1p, inv_boxcox, inv_boxcox1p
from sklearn.decomposition import PCA
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from destructors.marginal._histogram import HistogramMap

__all__ = ["MAPS", "ColumnMap", "FunctionMap"]

# scikit-learn clips quantiles at this distance from 0 and 1.
_QUANTILE_TAIL = 1e-7


class AffineMap:
    """``z = (x - shift) / scale``, of any scaler."""

    feature_wise = True

    def __init__(self, transformer: Any, X: NDArray):
        if getattr(transformer, "clip", False):
            raise ValueError(
                f"{type(transformer).__name__}(clip=True) cannot be inverted: set "
                "clip=False."
            )
        d = X.shape[1]
        if isinstance(transformer, MinMaxScaler):
            self.scale = 1.0 / transformer.scale_
            self.shift = -transformer.min_ * self.scale
        else:
            center = getattr(transformer, "mean_", None)
            if isinstance(transformer, StandardScaler) and not transformer.with_mean:
                center = None
            center = getattr(transformer, "center_", center)
            scale = getattr(transformer, "scale_", None)
            self.shift = np.zeros(d) if center is None else center
            self.scale = np.ones(d) if scale is None else scale
        self.log_det = -np.log(self.scale).sum()

    def forward(self, X: NDArray) -> tuple[NDArray, NDArray]:
        return (X - self.shift) / self.scale, np.full(len(X), self.log_det)

    def inverse(self, Z: NDArray) -> tuple[NDArray, NDArray]:
        return Z * self.scale + self.shift, np.full(len(Z), -self.log_det)


class PCAMap:
    """Principal components, all of them."""

    feature_wise = False

    def __init__(self, transformer: PCA, X: NDArray):
        d = X.shape[1]
        n_components = transformer.n_components_
        if n_components != d:
            raise ValueError(
                f"PCA keeps {n_components} of {d} components and cannot be inverted: "
                "set n_components=None and give at least as many rows as features."
            )
        self.mean, self.components = transformer.mean_, transformer.components_
        self.scale = np.ones(d)
        if transformer.whiten:
            variance = transformer.explained_variance_
            if variance[-1] <= 1e-14 * variance[0]:
                raise ValueError(
                    "PCA(whiten=True) of features that are linear combinations of each "
                    "other cannot be inverted: drop the redundant ones, or use "
                    "destructors.linear.Whitening."
                )
            self.scale = np.sqrt(variance)
        self.log_det = -np.log(self.scale).sum()

    def forward(self, X: NDArray) -> tuple[NDArray, NDArray]:
        Z = (X - self.mean) @ self.components.T / self.scale
        return Z, np.full(len(X), self.log_det)

    def inverse(self, Z: NDArray) -> tuple[NDArray, NDArray]:
        X = (Z * self.scale) @ self.components + self.mean
        return X, np.full(len(Z), -self.log_det)


class ColumnMap:
    """One map for each column."""

    feature_wise = True

    def __init__(self, columns: list):
        self.columns = columns

    def forward(self, X: NDArray) -> tuple[NDArray, NDArray]:
        Z, log_det = np.empty_like(X), np.zeros(len(X))
        for j, column in enumerate(self.columns):
            Z[:, j], log_slope = column.forward(X[:, j])
            log_det += log_slope
        return Z, log_det

    def inverse(self, Z: NDArray) -> tuple[NDArray, NDArray]:
        X, log_det = np.empty_like(Z), np.zeros(len(Z))
        for j, column in enumerate(self.columns):
            X[:, j], log_slope = column.inverse(Z[:, j])
            log_det -= log_slope
        return X, log_det


class _PowerColumn:
    """A power transform on the training range and as far again, then linear.

    Beyond, a power transform can have a bounded range, which would leave latents
    without a row and the density short of mass.
    """

    def __init__(
        self, x: NDArray, exponent: float, is_box_cox: bool, standardize: bool
    ):
        self.exponent, self.is_box_cox = exponent, is_box_cox
        self.shift, self.scale = 0.0, 1.0
        if standardize:
            scaler = StandardScaler().fit(self._power(x)[:, None])
            self.shift, self.scale = float(scaler.mean_[0]), float(scaler.scale_[0])
        spread = np.ptp(x) or 1.0
        lowest = 0.5 * x.min() if is_box_cox else -np.inf
        ends = np.array([max(x.min() - spread, lowest), x.max() + spread])
        values, log_slopes = self._inside(ends)
        # Where powers over- or underflow, no farther than the data.
        bad = ~(np.isfinite(values) & np.isfinite(log_slopes))
        ends = np.where(bad, [x.min(), x.max()], ends)
        self.ends = ends
        self.values, self.log_slopes = self._inside(ends)
        self.slopes = np.exp(self.log_slopes)

    def _power(self, x: NDArray) -> NDArray:
        if self.is_box_cox:
            return boxcox(x, self.exponent)
        return np.where(
            x >= 0.0,
            boxcox1p(np.maximum(x, 0.0), self.exponent),
            -boxcox1p(np.maximum(-x, 0.0), 2.0 - self.exponent),
        )

    def _root(self, y: NDArray) -> NDArray:
        if self.is_box_cox:
            return inv_boxcox(y, self.exponent)
        return np.where(
            y >= 0.0,
            inv_boxcox1p(np.maximum(y, 0.0), self.exponent),
            -inv_boxcox1p(np.maximum(-y, 0.0), 2.0 - self.exponent),
        )

    def _inside(self, x: NDArray) -> tuple[NDArray, NDArray]:
        z = (self._power(x) - self.shift) / self.scale
        if self.is_box_cox:
            log_slope = (self.exponent - 1.0) * np.log(x)
        else:
            log_slope = (self.exponent - 1.0) * np.sign(x) * np.log1p(np.abs(x))
        return z, log_slope - np.log(self.scale)

    def forward(self, x: NDArray) -> tuple[NDArray, NDArray]:
        inside = np.clip(x, *self.ends)
        z, log_slope = self._inside(inside)
        return z + (x - inside) * self._outer_slope(x, self.ends), log_slope

    def inverse(self, z: NDArray) -> tuple[NDArray, NDArray]:
        inside = np.clip(z, *self.values)
        x = np.clip(self._root(inside * self.scale + self.shift), *self.ends)
        log_slope = self._inside(x)[1]
        return x + (z - inside) / self._outer_slope(z, self.values), log_slope

    def _outer_slope(self, v: NDArray, ends: NDArray) -> NDArray:
        return np.where(v < ends[0], self.slopes[0], self.slopes[1])


def _power_map(transformer: PowerTransformer, X: NDArray) -> ColumnMap:
    is_box_cox = transformer.method == "box-cox"
    return ColumnMap(
        [
            _PowerColumn(x, exponent, is_box_cox, transformer.standardize)
            for x, exponent in zip(X.T, transformer.lambdas_, strict=True)
        ]
    )


def _quantile_map(transformer: QuantileTransformer, X: NDArray) -> ColumnMap:
    columns = []
    for x, quantiles in zip(X.T, transformer.quantiles_.T, strict=True):
        edges, first, counts = np.unique(
            quantiles, return_index=True, return_counts=True
        )
        if len(edges) == 1:
            reach = max(1.0, 1e-6 * abs(edges[0]))
            edges, shares = edges[0] + np.array([-reach, reach]), np.ones(1)
        else:
            # A repeated quantile is where the distribution function jumps: the middle
            # is what scikit-learn gives.
            last = first + counts - 1
            reference = transformer.references_
            levels = 0.5 * (reference[first] + reference[last])
            levels[[0, -1]] = 0.0, 1.0
            shares = np.diff(levels)
        columns.append(
            HistogramMap(
                edges,
                shares * (1.0 - 2.0 * _QUANTILE_TAIL),
                _QUANTILE_TAIL,
                x.std() or 1.0,
            )
        )
    return ColumnMap(columns)


class FunctionMap:
    """A transformer with an inverse, whose log-determinant is given."""

    feature_wise = False

    def __init__(self, transformer: Any, log_det: Callable[[NDArray], NDArray]):
        self.transformer, self.log_det = transformer, log_det

    def forward(self, X: NDArray) -> tuple[NDArray, NDArray]:
        Z = self._apply(self.transformer.transform, X)
        return Z, self._log_det_at(X)

    def inverse(self, Z: NDArray) -> tuple[NDArray, NDArray]:
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


MAPS: dict[type, Callable[[Any, NDArray], Any]] = {
    StandardScaler: AffineMap,
    MinMaxScaler: AffineMap,
    MaxAbsScaler: AffineMap,
    RobustScaler: AffineMap,
    PCA: PCAMap,
    PowerTransformer: _power_map,
    QuantileTransformer: _quantile_map,
}
