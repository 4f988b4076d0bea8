"""Which invariants which models do not owe, each with the reason."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["NOT_OWED", "NO_SCALE", "least_scale"]

_UNITS = "its parameters are in the units of the data"
_ROTATION = "a rotation has no units: columns of another scale turn otherwise"
_NO_FIT = "the base is a fixed one: a change of units is a change of the model"
_CODES = "categories have no units"
_DISTANCE = "distances among domains are taken in the units of the data"

_NO_UNITS: dict[str, str] = {
    "bounded": _UNITS,
    "bounded-none": _NO_FIT,
    "normal-cdf": _NO_FIT,
    "dequantizer-continuous": _NO_FIT,
    "dequantizer-lattice": _NO_FIT,
    "random-rotation": _ROTATION,
    "fixed-rotation": _ROTATION,
    "pca-rotation": _ROTATION,
    "whitening-cholesky": "shrinkage pulls to the mean variance of all columns",
    "whitening-estimator": "LedoitWolf pulls to the mean variance of all columns",
    "categories-none": _NO_FIT,
    "categories": _CODES,
    "max-abs-scaler": _NO_FIT,
    "pca": "PCA does not scale: columns end on other normals",
    "power-transformer": "the Yeo–Johnson transform is of a column in its units",
    "function-transformer": _NO_FIT,
    "permutation": _CODES,
    "permutation-chow-liu": _CODES,
    "permutation-random": _CODES,
    "categorical-base": _CODES,
    "chow-liu-tree": _CODES,
    "discrete-tree-flow": _CODES,
    "discrete-tree-flow-cv": _CODES,
    "discrete-tree-flow-random": _CODES,
    "sliced-barycenter": _DISTANCE,
    "gaussian-barycenter": _DISTANCE,
    "tree-barycenter": _DISTANCE,
    "alignment-flow": _DISTANCE,
    "alignment-flow-density": _DISTANCE,
}

_KINKS = "its quantiles, at which the density jumps, are training rows"

NOT_OWED: dict[str, dict[str, str]] = {
    "log-determinants": {
        "quantile-transformer": _KINKS,
        "quantile-transformer-uniform": _KINKS,
    },
    "powers of two": _NO_UNITS,
    "affine": _NO_UNITS,
    "weights": {
        "standard-scaler": "scikit-learn sums the rows of large offsets otherwise",
    },
    "round trip": {
        "power-transformer": "the power of scikit-learn has no digits far from zero",
    },
}
# Models that do not take the scale of a column from its rows, or not where half of them
# are equal.
NO_SCALE = frozenset(
    {
        "robust-scaler",
        "quantile-transformer",
        "quantile-transformer-uniform",
        "max-abs-scaler",
        "normal-cdf",
        "bounded",
        "bounded-none",
        "categories-none",
        "function-transformer",
        "random-rotation",
        "fixed-rotation",
        "pca-rotation",
    }
)

# Models that mix columns as they are, and so keep the digits of the largest only.
_ONE_SCALE = frozenset(
    {
        "random-rotation",
        "fixed-rotation",
        "pca-rotation",
        "pca",
        "sliced-barycenter",
        "gaussian-barycenter",
        "alignment-flow",
        "alignment-flow-density",
    }
)
# Models with bounds, or a scale, of their own: smaller columns have no digits there.
_OWN_SCALE = {"bounded": 1.0, "normal-cdf": 1.0}


def least_scale(name: str, scale: NDArray) -> NDArray:
    """Return the scale by which the round trip of each column is measured."""
    if name in _ONE_SCALE:
        return np.full_like(scale, scale.max())
    return np.maximum(scale, _OWN_SCALE.get(name, 0.0))
