"""Toy densities: samples follow the densities they are said to have."""

import numpy as np
import pytest
from scipy import stats

from destructors import datasets

WITH_DENSITY = {
    "make_concentric_circles": [{}, {"n_circles": 2, "noise": 0.4}],
    "make_rings": [{}, {"n_rings": 1, "noise": 0.5}],
    "make_checkerboard": [{}, {"n_squares": 3}],
    "make_pinwheel": [{}, {"n_arms": 3, "noise": 0.2, "swirl": -2.0}],
    "make_gaussian_grid": [{}, {"n_per_side": 2, "noise": 0.3}],
    "make_sine_wave": [{}, {"n_waves": 1.0, "noise": 0.3}],
    "make_autoregressive": [{"n_features": 2}, {"n_features": 2, "coef": -0.5}],
    "make_banana": [{}, {"bend": -0.3}],
}
CASES = [(name, options) for name, each in WITH_DENSITY.items() for options in each]
ALL = [(name, {}) for name in WITH_DENSITY] + [("make_spirals", {})]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_density_is_that_of_the_samples(name, options):
    make = getattr(datasets, name)
    X, log_density = make(200_000, random_state=0, return_log_density=True, **options)
    # The mean of 1 / p over the rows in a region is its area over its share of the
    # rows, wherever p is positive. Half of the rows choose cells inside the support.
    size = 0.1
    _, cells = np.unique(np.floor(X / size + 1e-9), axis=0, return_inverse=True)
    chosen = np.bincount(cells[::2], minlength=cells.max() + 1) >= 20
    assert chosen.sum() >= 20
    inside = chosen[cells[1::2]]
    area = np.exp(-log_density[1::2])[inside].sum() / len(inside)
    assert area == pytest.approx(chosen.sum() * size**2, rel=0.03)


def test_concentric_circles_have_the_known_mean_log_density():
    _, log_density = datasets.make_concentric_circles(
        1_000_000, n_circles=4, noise=0.1, random_state=0, return_log_density=True
    )
    assert log_density.mean() == pytest.approx(-3.255, abs=0.003)
    means = [
        datasets.make_concentric_circles(random_state=seed, return_log_density=True)[
            1
        ].mean()
        for seed in range(50)
    ]
    # -3.257 nats on a certain 1,000 points: well within their spread.
    assert abs(np.mean(means) + 3.257) < np.std(means)


def test_concentric_circles_are_equally_dense_along_each():
    X = datasets.make_concentric_circles(100_000, noise=0.01, random_state=0)
    counts = np.bincount(np.round(np.hypot(*X.T)).astype(int))[1:]
    np.testing.assert_allclose(counts / len(X), [0.1, 0.2, 0.3, 0.4], atol=0.01)
    rings = datasets.make_rings(100_000, noise=0.01, random_state=0)
    counts = np.bincount(np.round(np.hypot(*rings.T)).astype(int))[1:]
    np.testing.assert_allclose(counts / len(X), 1 / 3, atol=0.01)


def test_checkerboard_has_black_squares_only():
    X, log_density = datasets.make_checkerboard(
        5000, n_squares=4, random_state=0, return_log_density=True
    )
    column, row = np.floor(X + 2.0).T
    assert ((column + row) % 2 == 0).all()
    np.testing.assert_array_equal(log_density, -np.log(8.0))


def test_spirals_wind_about_the_origin():
    X = datasets.make_spirals(
        5000, n_spirals=1, n_turns=2.0, noise=1e-9, random_state=0
    )
    radius, angle = np.hypot(*X.T), np.arctan2(X[:, 1], X[:, 0])
    turns = (radius - angle / (2 * np.pi) + 0.5) % 1.0 - 0.5
    np.testing.assert_allclose(turns, 0.0, atol=1e-6)
    assert radius.max() == pytest.approx(2.0, abs=0.01)


def test_marginals_of_known_kind():
    x, y = datasets.make_sine_wave(5000, noise=0.2, random_state=0).T
    assert stats.kstest(x, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-3
    assert stats.kstest(y - np.sin(2 * x), stats.norm(0, 0.2).cdf).pvalue > 1e-3
    X = datasets.make_autoregressive(5000, n_features=4, noise=0.5, random_state=0)
    error = X[:, 3] - 1.6 * np.tanh(X[:, 2])
    assert stats.kstest(error, stats.norm(0, 0.5).cdf).pvalue > 1e-3
    first, second, third = datasets.make_banana(
        5000, n_features=3, bend=1.0, random_state=0
    ).T
    for part in (first, second - first**2 + 1.0, third):
        assert stats.kstest(part, "norm").pvalue > 1e-3


@pytest.mark.parametrize(("name", "options"), ALL)
def test_seed_decides(name, options):
    make = getattr(datasets, name)
    X = make(50, random_state=0)
    assert len(X) == 50
    np.testing.assert_array_equal(X, make(50, random_state=0))
    assert not np.array_equal(X, make(50, random_state=1))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("make_rings", {"n_samples": 0}, "n_samples must be an integer of at least 1"),
        ("make_rings", {"n_rings": 0}, "n_rings must be an integer of at least 1"),
        ("make_concentric_circles", {"n_circles": 1.5}, "n_circles must be an integer"),
        ("make_concentric_circles", {"noise": 0.0}, "noise must be positive"),
        ("make_checkerboard", {"n_squares": 1}, "n_squares must be .* at least 2"),
        ("make_pinwheel", {"n_arms": 0}, "n_arms must be"),
        ("make_spirals", {"n_turns": -1.0}, "n_turns must be positive"),
        ("make_gaussian_grid", {"n_per_side": 0}, "n_per_side must be"),
        ("make_sine_wave", {"noise": -1.0}, "noise must be positive"),
        ("make_autoregressive", {"n_features": 0}, "n_features must be"),
        ("make_banana", {"n_features": 1}, "n_features must be .* at least 2"),
    ],
)
def test_bad_parameters(name, options, message):
    with pytest.raises(ValueError, match=message):
        getattr(datasets, name)(**options)
