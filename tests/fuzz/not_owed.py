"""Which invariants which models do not owe, each with the reason."""

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "COMMON_ORIGIN",
    "COMMON_UNITS",
    "LEAST_SPREAD",
    "NOT_OWED",
    "NO_HEAVY_WEIGHTS",
    "NO_SCALE",
    "QUANTILES",
    "TURNED",
    "WHITENED",
    "is_too_small",
    "least_scale",
]

_UNITS = "its parameters are in the units of the data"
_ROTATION = "a rotation has no units: columns of another scale turn otherwise"
_NO_FIT = "the base is a fixed one: a change of units is a change of the model"
_CODES = "categories have no units"

_NO_UNITS: dict[str, str] = {
    "bounded": _UNITS,
    "bounded-none": _NO_FIT,
    "normal-cdf": _NO_FIT,
    "dequantizer-continuous": _NO_FIT,
    "dequantizer-lattice": _NO_FIT,
    "random-rotation": _ROTATION,
    "haar-pyramid": _ROTATION,
    "fixed-rotation": _ROTATION,
    "pca-rotation": _ROTATION,
    "categories-none": _NO_FIT,
    "categories": _CODES,
    "sliced-rotation": _ROTATION,
    "sliced-rotation-negentropy": _ROTATION,
    "sliced": _ROTATION,
    "sliced-one": _ROTATION,
    "iterative-portfolio": _ROTATION,
    "iterative-cycle": _ROTATION,
    "max-abs-scaler": _NO_FIT,
    "pca": "PCA does not scale: columns end on other normals",
    "power-transformer": "the Yeo–Johnson transform is of a column in its units",
    "function-transformer": _NO_FIT,
    "permutation": _CODES,
    "permutation-chow-liu": _CODES,
    "permutation-random": _CODES,
    "categorical-base": _CODES,
    "chow-liu-tree": _CODES,
    "hidden-tree": _CODES,
    "discrete-tree-flow": _CODES,
    "discrete-tree-flow-cv": _CODES,
    "discrete-tree-flow-random": _CODES,
}

NOT_OWED: dict[str, dict[str, str]] = {
    "powers of two": _NO_UNITS,
    "affine": _NO_UNITS,
    "weights": {
        "standard-scaler": "scikit-learn sums the rows of large offsets otherwise",
    },
}
# Models that take a column for constant by a rounding that has a unit: ten units in the
# last place of one, as scikit-learn's scaler does of quantiles.
LEAST_SPREAD = {"robust-scaler": 1e-12}
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
        "haar-pyramid",
        # Half of the way is the identity.
        "sliced",
    }
)

# Of these, scalers of scikit-learn that know quantiles of a column only: where these
# are one number, the scale is a number of its own.
QUANTILES = frozenset(
    {"robust-scaler", "quantile-transformer", "quantile-transformer-uniform"}
)

# Models that mix columns as they are, and so keep the digits of the largest only.
_ONE_SCALE = frozenset(
    {
        "random-rotation",
        "fixed-rotation",
        "pca-rotation",
        "sliced-rotation",
        "sliced-rotation-negentropy",
        "sliced",
        "sliced-one",
        "iterative",
        "iterative-cv",
        "iterative-portfolio",
        "iterative-cycle",
        "pca",
        "sliced-barycenter",
        "gaussian-barycenter",
        "alignment-flow",
        "alignment-flow-density",
        "mixture-spherical",
        "haar-pyramid",
        "pixel-mixture",
        "pixel-tree",
    }
)
# Models that take eigenvalues of covariances of columns as they are: that of a column
# of share s of the largest has a rounding of 2e-16 of 1, and of 2e-16 / s² of its own.
_SQUARED = frozenset({"pca-whiten"})
# Models that turn columns and then scale what comes out, of any size.
TURNED = frozenset(
    {
        "iterative",
        "iterative-cv",
        "iterative-portfolio",
        "iterative-cycle",
        "sliced",
        "sliced-one",
        "sliced-flow",
        "sliced-flow-cv",
        "gaussian-barycenter",
        "alignment-flow",
        "alignment-flow-density",
        "rbig",
        "rbig-random",
        "rbig-total-correlation",
        "rbig-default",
        "deep-copula",
        "image-pairs-copula",
        "patch-flow",
        "random-linear-flow",
        "random-tree-flow",
    }
)
# Of these, those that whiten what is turned, or match covariances of domains: what is
# left of a column that depends on others is enlarged. Rotations alone spread it, and a
# whitening of columns as they are.
WHITENED = frozenset(
    {
        "iterative-portfolio",
        "iterative-cycle",
        "gaussian-barycenter",
        "alignment-flow",
        "alignment-flow-density",
    }
)
# Models with one scale for all columns: only a change of unit common to all is theirs.
# Distances among domains add up columns; LedoitWolf pulls to the mean variance of all;
# scikit-learn's PCA is fitted, in float64, to columns that are not scaled; pixels are
# alike.
COMMON_UNITS = frozenset(
    {
        "mixture-spherical",
        "pixel-mixture",
        "pixel-tree",
        "whitening-cholesky",
        "whitening-estimator",
        "pca-whiten",
        "sliced-barycenter",
        "gaussian-barycenter",
        "tree-barycenter",
        "alignment-flow",
        "alignment-flow-density",
    }
)
# Of these, those with one origin as well: levels begin and end where all pixels do.
COMMON_ORIGIN = frozenset({"pixel-mixture", "pixel-tree"})
# Models that take a column for constant by a rounding that grows with the square of the
# total weight, as scikit-learn's scaler does.
NO_HEAVY_WEIGHTS = frozenset({"standard-scaler"})
# Models with bounds, or a scale, of their own: smaller columns have no digits there.
_OWN_SCALE = {"bounded": 1.0, "normal-cdf": 1.0}


def least_scale(name: str, scale: NDArray, centre: NDArray) -> NDArray:
    """Return the scale by which the round trip of each column is measured."""
    if name in _ONE_SCALE:
        # Nine digits of an offset, which is turned as well.
        return np.full_like(scale, max(scale.max(), 1e-9 * np.abs(centre).max()))
    return np.maximum(scale, _OWN_SCALE.get(name, 0.0))


def is_too_small(name: str, scale: NDArray) -> NDArray:
    """Return which columns are so small beside others that what is learned of them is
    not asked for.

    Those that are mixed with others as they are have 2e-16 / s of their digits left, at
    a share of s: 2e-8 at the least that is asked for, as where squares are taken.
    """
    if name in _SQUARED:
        return scale <= 1e-4 * scale.max()
    return scale <= 1e-8 * least_scale(name, scale, 0.0 * scale)
