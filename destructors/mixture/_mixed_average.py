"""The mean of mixtures of numbers, integers and codes, as one mixture."""

from collections.abc import Sequence

import numpy as np

from destructors.maps._classes import Emission, IntegerTable
from destructors.maps._code_forest import CodeForest
from destructors.maps._gaussians import Gaussians
from destructors.maps._mixed_mixture import MixedMixture


def average(mixtures: Sequence[MixedMixture]) -> MixedMixture:
    """Return the mixture whose density is the mean of those of others.

    Its classes are those of all, each with a share of its weight; all that is
    conditional or marginal stays exact. It errs less than a mixture of the same size,
    and needs no more held-out rows (aggregated hold-out: G. Maillard, S. Arlot and
    M. Lerasle, *Aggregated hold-out*, JMLR 22, 2021).

    Parameters
    ----------
    mixtures : sequence of MixedMixture
        Of the same columns, integers with the same values, codes with the same forest.
    """
    groups = zip(*(mixture.emissions for mixture in mixtures), strict=True)
    return MixedMixture(
        np.concatenate([mixture.weights for mixture in mixtures]) / len(mixtures),
        tuple(_join(emissions) for emissions in groups),
        mixtures[0].groups,
    )


def _join(emissions: Sequence[Emission]) -> Emission:
    """Return the classes of several emissions of the same columns, in turn."""
    first = emissions[0]
    of = lambda name: np.concatenate([getattr(each, name) for each in emissions])
    if isinstance(first, Gaussians):
        return Gaussians(of("means"), of("covariances"))
    if isinstance(first, IntegerTable):
        parts = map(of, ("shares", "rest", "location", "scale"))
        return IntegerTable(first.values, *parts)
    assert isinstance(first, CodeForest)
    tables = zip(*(each.tables for each in emissions), strict=True)  # type: ignore[attr-defined]
    return CodeForest(first.parents, tuple(map(np.concatenate, tables)))
