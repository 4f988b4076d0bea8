"""Entropy, dependence and divergence in nats, each with a standard error.

Every quantity is a mean of log-densities, or of ratios of them, over rows that the
densities have not seen: folds are held out in turn. Any destructor can be the density.
"""

from destructors.information._dependence import (
    conditional_mutual_information,
    entropy,
    mutual_information,
    negentropy,
    total_correlation,
)
from destructors.information._divergence import (
    jensen_shannon_divergence,
    kullback_leibler_divergence,
)
from destructors.information._estimate import InformationEstimate

__all__ = [
    "InformationEstimate",
    "conditional_mutual_information",
    "entropy",
    "jensen_shannon_divergence",
    "kullback_leibler_divergence",
    "mutual_information",
    "negentropy",
    "total_correlation",
]
