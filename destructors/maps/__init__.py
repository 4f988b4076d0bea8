"""What is learned: invertible maps, densities, and files of them.

NumPy and SciPy are all that this folder needs; numba makes it faster.
"""

# A file may hold any of these.
from destructors.maps import (  # noqa: F401
    _categorical,
    _distributions,
    _mixed_mixture,
)
from destructors.maps._affine import Affine, Identity
from destructors.maps._along import Along
from destructors.maps._autoregressive import Autoregressive
from destructors.maps._boosted import BoostedRosenblatt
from destructors.maps._bounded import BoundedColumns
from destructors.maps._boxes import BoxRosenblatt
from destructors.maps._cells import Cells
from destructors.maps._classes import IntegerTable
from destructors.maps._classifier import Classifier
from destructors.maps._code_forest import CodeForest
from destructors.maps._combine import Chain, Columns, Switch
from destructors.maps._conditional import Conditional
from destructors.maps._cube import CubeSteps, NormalToUniform
from destructors.maps._density import Density
from destructors.maps._dequantize import Dequantize, DequantizeCategories
from destructors.maps._detector import Detector
from destructors.maps._gaussians import Gaussians
from destructors.maps._given import GivenColumns, MixedRosenblatt
from destructors.maps._histogram import HistogramColumns
from destructors.maps._imputer import Imputer
from destructors.maps._map import Map, Surjection
from destructors.maps._parametric import ParametricColumn
from destructors.maps._permutation import Permutation
from destructors.maps._pixel_mixture import PixelMixture
from destructors.maps._pixel_tree import PixelTree
from destructors.maps._power import PowerColumns
from destructors.maps._radial import Radial
from destructors.maps._rosenblatt import Rosenblatt
from destructors.maps._save import load, save
from destructors.maps._schema import Column, Schema
from destructors.maps._shared import SharedColumns
from destructors.maps._spline import QuadraticSpline, RationalQuadraticSpline
from destructors.maps._stretch import Stretch
from destructors.maps._to_c import to_c
from destructors.maps._trees import Trees

__all__ = [
    "Affine",
    "Along",
    "Autoregressive",
    "BoostedRosenblatt",
    "BoundedColumns",
    "BoxRosenblatt",
    "Cells",
    "Chain",
    "Classifier",
    "CodeForest",
    "Column",
    "Columns",
    "Conditional",
    "CubeSteps",
    "Density",
    "Dequantize",
    "DequantizeCategories",
    "Detector",
    "Gaussians",
    "GivenColumns",
    "HistogramColumns",
    "Identity",
    "Imputer",
    "IntegerTable",
    "Map",
    "MixedRosenblatt",
    "NormalToUniform",
    "ParametricColumn",
    "Permutation",
    "PixelMixture",
    "PixelTree",
    "PowerColumns",
    "QuadraticSpline",
    "Radial",
    "RationalQuadraticSpline",
    "Rosenblatt",
    "Schema",
    "SharedColumns",
    "Stretch",
    "Surjection",
    "Switch",
    "Trees",
    "load",
    "save",
    "to_c",
]
