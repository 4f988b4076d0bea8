"""The base that stacks are compared by."""

import numpy as np
import pytest

from destructors.base_distributions import StandardNormal
from destructors.greedy._tails import TailedNormal


def test_within_its_reach_it_is_normal_and_beyond_it_falls_by_the_log_of_distance():
    Z = np.array([[0.3, -1.0], [-4.9, 5.0], [50.0, 0.0], [-5e9, 5e100]])
    normal = StandardNormal(2).logpdf(np.clip(Z, -5.0, 5.0))
    expected = normal - np.log([1.0, 1.0, 10.0, 1e9 * 1e100])
    np.testing.assert_allclose(TailedNormal(5.0).logpdf(Z), expected, rtol=1e-12)


def test_normal_values_are_within_the_reach():
    for n in (100, 10_000, 1_000_000):
        reach = TailedNormal.of(n).reach
        assert np.abs(np.random.default_rng(0).normal(size=n)).max() < reach
    assert np.isfinite(TailedNormal.of(1e-300).reach)


@pytest.mark.parametrize("slope", [1e-3, 0.1, 0.5])
def test_a_slope_in_the_tail_is_worth_nothing(slope):
    base, z = TailedNormal(5.0), np.array([[1e7]])
    np.testing.assert_allclose(
        base.logpdf(slope * z) + np.log(slope), base.logpdf(z), rtol=1e-12
    )
