"""KernelGaussianizer: the bandwidth and the density behind the map."""

import numpy as np
import pytest
from scipy import stats

from destructors.marginal import KernelGaussianizer
from destructors.marginal._kernel import estimate_density


def draw(law, n, seed=0):
    return law.rvs((n, 1), random_state=np.random.RandomState(seed))


def test_wide_for_normal_data_and_narrow_between_modes():
    x = draw(stats.norm(), 1000)
    modes = np.r_[x - 5.0, x + 5.0]
    wide, narrow = (KernelGaussianizer().fit(v).bandwidth_[0] for v in (x, modes))
    assert wide > 0.4
    assert narrow < wide


def test_bandwidth_has_the_unit_of_the_feature():
    x = draw(stats.gamma(3.0), 500)
    one, other = (KernelGaussianizer().fit(v).bandwidth_ for v in (x, 100.0 * x))
    np.testing.assert_allclose(other, 100.0 * one)


def test_bandwidth_shrinks_with_the_rows():
    few, many = (
        KernelGaussianizer().fit(draw(stats.gamma(2.0), n)).bandwidth_[0]
        for n in (300, 30_000)
    )
    assert many < few


@pytest.mark.parametrize("law", [stats.norm(), stats.uniform(), stats.t(4)])
def test_density_integrates_to_one(law):
    model = KernelGaussianizer().fit(draw(law, 500))
    grid = 100.0 * np.linspace(-1.0, 1.0, 400_001) ** 3
    middles = 0.5 * (grid[1:] + grid[:-1])
    total = np.exp(model.score_samples(middles[:, None])) @ np.diff(grid)
    assert total == pytest.approx(1.0, abs=1e-3)


def test_reflects_at_sharp_edges_alone():
    for law, reflected in ((stats.uniform(), True), (stats.norm(), False)):
        x = np.sort(draw(law, 1000)[:, 0])
        x = (x - np.median(x)) / x.std()
        assert estimate_density(x, np.ones(len(x)), None).reflected is reflected


def test_leave_one_out_likelihood_is_that_of_the_definition():
    x = np.sort(np.random.default_rng(0).normal(size=60))
    found = estimate_density(x, np.ones(60), 0.3)
    y = np.arcsinh(found.squash * x) / found.squash
    width = found.bandwidth
    assert width == pytest.approx(0.3 * y.std())
    assert not found.reflected
    shrink = y.std() / np.hypot(y.std(), width)
    places = y.mean() + shrink * (y - y.mean())
    kernel = stats.norm.pdf(y[:, None], places, shrink * width)
    np.fill_diagonal(kernel, 0.0)
    log_p = np.log(kernel.sum(axis=1) / 59) - 0.5 * np.log1p((found.squash * x) ** 2)
    assert found.log_likelihood == pytest.approx(log_p.sum(), rel=1e-3)


def test_too_narrow_a_bandwidth_is_worse_on_new_rows():
    x, new = draw(stats.gamma(2.0), 1000), draw(stats.gamma(2.0), 5000, seed=1)
    ragged = KernelGaussianizer(bandwidth=0.01).fit(x).score(new)
    assert KernelGaussianizer().fit(x).score(new) > ragged + 0.01
