"""Domains for checks that know of none.

scikit-learn's checks fit an estimator without labels: here a row's own digits say which
domain it is of. The law is for densities: that of one domain is one, where the other is
made of the same rows.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.base import clone

from destructors.alignment import (
    GaussianBarycenter,
    MarginalBarycenter,
    SlicedBarycenter,
    TreeBarycenter,
)
from destructors.base import Destructor
from destructors.flows import AlignmentFlow
from destructors.maps import Chain, Map
from destructors.maps._hash import hash_rows
from destructors.marginal import SplineGaussianizer
from destructors.rows import Fold, Rows, mean_and_scale


class _FromRows:
    def fit(self, X, y=None, *, sample_domain=None, sample_weight=None):
        # What a check gives as y is not meant as labels of domains.
        return super().fit(X, sample_weight=sample_weight)

    def _check_labels(self, given, values, name=""):
        # Of a row alone, and of its first 26 bits (Veltkamp's splitting).
        scaled = np.asarray(values) * (2.0**27 + 1.0)
        leading = scaled - (scaled - values)
        return (hash_rows(leading, 0) % np.uint64(2)).astype(np.intp)


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


@dataclass(frozen=True, eq=False)
class InDomain(Map):
    """The map of one domain."""

    map: Map
    domain: int

    def forward(self, X, context=None):
        return self.map.forward(X, np.full(len(X), self.domain))

    def inverse(self, Z, context=None):
        return self.map.inverse(Z, np.full(len(Z), self.domain))


class OneDomain(Destructor):
    """The density of one of two domains, the other of which is a bent copy of it."""

    def __init__(self, alignment=None, random_state=None):
        self.alignment = alignment
        self.random_state = random_state

    def _fit(self, fold, random_state):
        rows = fold.train
        center, scale, _ = mean_and_scale(rows)
        units = (rows.values - center) / scale
        other = center + scale * (1.0 + units + 0.3 * np.tanh(units))
        both = Rows.of(
            np.vstack([rows.values, other]),
            None if rows.weight is None else np.tile(rows.weight, 2),
            context=np.repeat([0, 1], len(rows)),
        )
        alignment = clone(self.alignment).set_params(random_state=0)
        alignment._fit_rows(Fold(both))
        own = InDomain(alignment.map_, 0)
        density = SplineGaussianizer()
        density._fit_rows(Fold(rows.through(own)))
        return Chain((own, density.map_))
