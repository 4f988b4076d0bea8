"""Base distributions: the known densities that data are destroyed into.

A fitted destructor carries one as ``base_distribution_``: rows of it, mapped back, are
samples.
"""

from destructors.maps._categorical import ChowLiuTree, IndependentCategorical
from destructors.maps._distributions import (
    Distribution,
    JointDistribution,
    StandardNormal,
    Uniform,
)
from destructors.maps._hidden_tree import HiddenTree, Mixture
from destructors.maps._mixed_mixture import CodesFirst, MixedMixture

__all__ = [
    "ChowLiuTree",
    "CodesFirst",
    "Distribution",
    "HiddenTree",
    "IndependentCategorical",
    "JointDistribution",
    "MixedMixture",
    "Mixture",
    "StandardNormal",
    "Uniform",
]
