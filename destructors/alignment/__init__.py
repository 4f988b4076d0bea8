"""Destructors that bring domains together."""

from destructors.alignment._apart import DomainsApart
from destructors.alignment._barycenter import MarginalBarycenter
from destructors.alignment._base import DomainDestructor
from destructors.alignment._gaussian import GaussianBarycenter
from destructors.alignment._holder import DomainHolder
from destructors.alignment._sliced import SlicedBarycenter
from destructors.alignment._tree import TreeBarycenter

__all__ = [
    "DomainDestructor",
    "DomainHolder",
    "DomainsApart",
    "GaussianBarycenter",
    "MarginalBarycenter",
    "SlicedBarycenter",
    "TreeBarycenter",
]
