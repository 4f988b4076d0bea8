"""One feature at a time: each to N(0, 1)."""

from destructors.marginal._blocks import BlockGaussianizer
from destructors.marginal._bounded import BoundedSupport, NormalCDF
from destructors.marginal._dequantizer import Dequantizer
from destructors.marginal._histogram import HistogramGaussianizer
from destructors.marginal._kernel import KernelGaussianizer
from destructors.marginal._parametric import ParametricGaussianizer
from destructors.marginal._rational import RationalQuadraticGaussianizer
from destructors.marginal._spline import SplineGaussianizer

__all__ = [
    "BlockGaussianizer",
    "BoundedSupport",
    "Dequantizer",
    "HistogramGaussianizer",
    "KernelGaussianizer",
    "NormalCDF",
    "ParametricGaussianizer",
    "RationalQuadraticGaussianizer",
    "SplineGaussianizer",
]
