"""Domains for checks that know of none.

scikit-learn's checks fit an estimator without labels: here a row's own digits say which
domain it is of. The law is for densities: that of one domain is one, where the other is
made of the same rows.
"""

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from destructors._moments import mean_and_scale
from destructors._splits import hash_roughly
from destructors.alignment import (
    GaussianBarycenter,
    MarginalBarycenter,
    SlicedBarycenter,
    TreeBarycenter,
)
from destructors.alignment._domains import Samples
from destructors.base import Destructor
from destructors.flows import AlignmentFlow
from destructors.marginal import SplineGaussianizer


class _FromRows:
    def _check_labels(self, sample_domain, rows):
        return (hash_roughly(rows, 0) % np.uint64(2)).astype(np.intp)


# Named, and here, so that they can be pickled.
class MarginalFromRows(_FromRows, MarginalBarycenter):
    """Labels from rows."""


class SlicedFromRows(_FromRows, SlicedBarycenter):
    """Labels from rows."""


class GaussianFromRows(_FromRows, GaussianBarycenter):
    """Labels from rows."""


class TreeFromRows(_FromRows, TreeBarycenter):
    """Labels from rows."""


class FlowFromRows(_FromRows, AlignmentFlow):
    """Labels from rows."""


class OneDomain(Destructor):
    """The density of one of two domains, the other of which is a bent copy of it."""

    def __init__(self, alignment=None, random_state=None):
        self.alignment = alignment
        self.random_state = random_state

    def _fit(self, X, sample_weight, random_state):
        center, scale, _ = mean_and_scale(X, sample_weight)
        units = (X - center) / scale
        other = center + scale * (1.0 + units + 0.3 * np.tanh(units))
        samples = Samples([X, other], [sample_weight, sample_weight])
        self.alignment_ = clone(self.alignment)
        self.alignment_.random_state = 0
        self.alignment_._fit_checked(
            samples, None, np.full(2, 0.5), check_random_state(0)
        )
        self.density_ = SplineGaussianizer()
        shared = self.alignment_._forward(X, 0)[0]
        self.density_.fit(shared, sample_weight=sample_weight)

    def _forward(self, X):
        Z, log_det = self.alignment_._forward(X, 0)
        Z, more = self.density_._forward(Z)
        return Z, log_det + more

    def _inverse(self, Z):
        X, log_det = self.density_._inverse(Z)
        X, more = self.alignment_._inverse(X, 0)
        return X, log_det + more
