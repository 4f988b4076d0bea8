"""Ready-made stacks: what most people import."""

from destructors.alignment._flow import AlignmentFlow
from destructors.discrete._flow import DiscreteTreeFlow
from destructors.flows._auto import AutoDestructor
from destructors.flows._deep_copula import DeepCopula
from destructors.flows._gaussian_copula import GaussianCopula
from destructors.flows._image_pairs_copula import ImagePairsCopula
from destructors.flows._image_pairs_tree import ImagePairsTree
from destructors.flows._patch_flow import PatchFlow
from destructors.flows._random_linear import RandomLinearFlow
from destructors.flows._random_tree import RandomTreeFlow
from destructors.flows._rbig import RBIG
from destructors.flows._sliced import SlicedGaussianization
from destructors.flows._tree_flow import TreeFlow

__all__ = [
    "RBIG",
    "AlignmentFlow",
    "AutoDestructor",
    "DeepCopula",
    "DiscreteTreeFlow",
    "GaussianCopula",
    "ImagePairsCopula",
    "ImagePairsTree",
    "PatchFlow",
    "RandomLinearFlow",
    "RandomTreeFlow",
    "SlicedGaussianization",
    "TreeFlow",
]
