"""The toy distribution of codes, against its closed form."""

import itertools

import numpy as np
import pytest
from scipy import stats

from destructors.datasets import make_discrete_gaussian_grid


@pytest.mark.parametrize("settings", [{}, {"n_centers": 3, "noise": 0.4}])
def test_probability_is_that_of_the_samples(settings):
    X, log_density = make_discrete_gaussian_grid(
        200_000, random_state=0, return_log_density=True, **settings
    )
    cells, first, counts = np.unique(X, axis=0, return_index=True, return_counts=True)
    expected = 200_000 * np.exp(log_density[first])
    often = expected >= 20
    statistic = ((counts[often] - expected[often]) ** 2 / expected[often]).sum()
    assert often.sum() > 100
    assert stats.chi2.sf(statistic, often.sum()) > 1e-4
    assert cells.min() >= 0
    assert cells.max() <= 90


def test_entropy_is_the_known_one():
    _, log_density = make_discrete_gaussian_grid(
        100_000, random_state=0, return_log_density=True
    )
    assert -log_density.mean() == pytest.approx(6.320, abs=0.01)


def test_centres_are_where_they_should_be():
    X = make_discrete_gaussian_grid(5000, noise=1e-6, random_state=0)
    diagonal = [17, 73]
    assert set(map(tuple, X.tolist())) == {
        (85, 45), (45, 85), (5, 45), (45, 5), *itertools.product(diagonal, diagonal)
    }  # fmt: skip


def test_points_far_out_are_clipped():
    X = make_discrete_gaussian_grid(5000, noise=5.0, random_state=0)
    assert X.min() == 0
    assert X.max() == 90
    assert np.mean(X == 90) > 0.2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"noise": 0.0}, "noise must be positive"),
        ({"n_centers": 0}, "n_centers must be an integer of at least 1"),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        make_discrete_gaussian_grid(10, **settings)
