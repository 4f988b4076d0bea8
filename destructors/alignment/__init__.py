"""Maps that bring domains together."""

from destructors.alignment._domain_map import DomainMap
from destructors.alignment._gaussian import GaussianBarycenter
from destructors.alignment._marginal import MarginalBarycenter
from destructors.alignment._sliced import SlicedBarycenter
from destructors.alignment._tree import TreeBarycenter

__all__ = [
    "DomainMap",
    "GaussianBarycenter",
    "MarginalBarycenter",
    "SlicedBarycenter",
    "TreeBarycenter",
]
