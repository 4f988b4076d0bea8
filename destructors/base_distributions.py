"""Base distributions: the known densities that data are destroyed into.

A fitted destructor carries one as ``base_distribution_``: rows of it, mapped back, are
samples.
"""

from destructors.maps._chow_liu import ChowLiuTree
from destructors.maps._distributions import (
    Distribution,
    IndependentCategorical,
    JointDistribution,
    StandardNormal,
    Uniform,
)

__all__ = [
    "ChowLiuTree",
    "Distribution",
    "IndependentCategorical",
    "JointDistribution",
    "StandardNormal",
    "Uniform",
]
