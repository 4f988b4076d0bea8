"""Repeated values: rounding changes nothing there, and the density stays one."""

import numpy as np
import pytest
from sklearn.base import clone

from destructors.compose import make_destructor_pipeline
from destructors.marginal import (
    BlockGaussianizer,
    HistogramGaussianizer,
    KernelGaussianizer,
    RationalQuadraticGaussianizer,
    SplineGaussianizer,
)

MODELS = {
    "spline": SplineGaussianizer(),
    "blocks": BlockGaussianizer(),
    "both": make_destructor_pipeline(SplineGaussianizer(), BlockGaussianizer()),
    "adaptive": HistogramGaussianizer(),
    "quantile": HistogramGaussianizer(strategy="quantile"),
    "uniform": HistogramGaussianizer(strategy="uniform"),
    "kernel": KernelGaussianizer(),
    "rational": RationalQuadraticGaussianizer(),
}


def _columns():
    rng = np.random.default_rng(0)
    n = 1000
    half = rng.random(n) < 0.5
    return {
        "half zero, log-normal": np.where(half, 0.0, rng.lognormal(size=n)),
        "half zero, normal": np.where(half, 0.0, rng.normal(size=n)),
        "half integers": np.where(half, rng.integers(0, 5, n), rng.normal(size=n)),
        "tenths": 0.1 * rng.integers(0, 30, n),
        "three values": rng.choice([0.1, 0.3, np.pi], n),
        "both ends": np.clip(rng.normal(size=n), -1.0, 1.0),
        "ends of a uniform": np.clip(rng.uniform(-1.0, 2.0, n), 0.0, 1.0),
        "rounded": np.round(rng.normal(size=n), 2),
        "far from zero": 1e5 + np.where(half, 0.0, rng.normal(size=n)),
    }


COLUMNS = _columns()


@pytest.fixture(params=MODELS)
def model(request):
    return clone(MODELS[request.param])


@pytest.fixture(params=COLUMNS)
def x(request):
    return COLUMNS[request.param][:, None]


def test_a_few_last_bits_do_not_change_the_score(model, x):
    values = np.unique(x)[:, None]
    scores = model.fit(x).score_samples(values)
    bit = np.spacing(np.maximum(np.abs(values), 0.01 * x.std()))
    for bits in (-100, -1, 1, 100):
        moved = model.score_samples(values + bits * bit)
        np.testing.assert_allclose(moved, scores, atol=1e-4)


def test_a_round_trip_keeps_scores_and_log_determinants(model, x):
    Z, log_det = model.fit(x).transform_and_log_det(x)
    X_back, log_det_back = model.inverse_and_log_det(Z)
    np.testing.assert_allclose(X_back, x, rtol=1e-9, atol=1e-9 * x.std())
    np.testing.assert_allclose(log_det_back, -log_det, atol=1e-3)
    np.testing.assert_allclose(
        model.score_samples(X_back), model.score_samples(x), atol=1e-3
    )


def test_the_density_integrates_to_one(model, x):
    model.fit(x)
    edges, _ = model.inverse_and_log_det(np.linspace(-8.0, 8.0, 40_001)[:, None])
    middles = 0.5 * (edges[1:] + edges[:-1])
    mass = np.exp(model.score_samples(middles)) @ np.diff(edges[:, 0])
    assert mass == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("name", ["blocks", "both", "adaptive", "quantile"])
@pytest.mark.parametrize("seed", range(10))
def test_zero_inflated_columns_of_any_seed(name, seed):
    rng = np.random.default_rng(seed)
    zero = rng.random(300) < rng.uniform(0.2, 0.8)
    x = np.where(zero, 0.0, rng.lognormal(size=300))
    weight = rng.integers(1, 4, 300) if seed % 2 else None
    model = clone(MODELS[name]).fit(x[:, None], sample_weight=weight)
    around = model.score_samples(np.array([[-1e-13], [0.0], [1e-13]]))
    np.testing.assert_allclose(around, around[1], atol=1e-3)


@pytest.mark.parametrize("strategy", ["quantile", "uniform"])
def test_a_lattice_has_the_density_of_its_shares(strategy):
    x = 0.1 * np.random.default_rng(0).integers(0, 6, 4000)
    values, counts = np.unique(x, return_counts=True)
    model = HistogramGaussianizer(strategy=strategy, n_bins=50).fit(x[:, None])
    density = np.exp(model.score_samples(values[:, None]))
    np.testing.assert_allclose(density, counts / 4000 / 0.1, rtol=5e-3)
