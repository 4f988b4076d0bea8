"""How far samples are apart, how far chance alone would take them, and whether it did.

Distances between finite samples are not zero where the distributions are equal. `floor`
measures any of them between random halves of one sample: what no alignment can beat.
`two_sample_test` asks whether chance explains a distance, and `drift` does so window by
window; `bits_per_dim` puts a likelihood in bits.
"""

from destructors.metrics._bits import bits_per_dim
from destructors.metrics._distances import (
    energy_coefficient,
    energy_distance,
    floor,
    maximum_mean_discrepancy,
    sliced_wasserstein_distance,
    transport_cost,
    wasserstein_distance,
)
from destructors.metrics._drift import Drift, drift
from destructors.metrics._two_sample import TwoSampleTest, two_sample_test

__all__ = [
    "Drift",
    "TwoSampleTest",
    "bits_per_dim",
    "drift",
    "energy_coefficient",
    "energy_distance",
    "floor",
    "maximum_mean_discrepancy",
    "sliced_wasserstein_distance",
    "transport_cost",
    "two_sample_test",
    "wasserstein_distance",
]
