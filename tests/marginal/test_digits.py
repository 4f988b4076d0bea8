"""Densities ask for no more digits than float64 has, in spikes and across gaps."""

import numpy as np
import pytest
from sklearn.base import clone

from destructors.flows import RBIG
from destructors.linear import Standardize, Whitening
from destructors.marginal import (
    HistogramGaussianizer,
    KernelGaussianizer,
    ParametricGaussianizer,
    RationalQuadraticGaussianizer,
    SplineGaussianizer,
)

MODELS = [
    SplineGaussianizer(),
    RationalQuadraticGaussianizer(),
    KernelGaussianizer(),
    HistogramGaussianizer(),
    ParametricGaussianizer(["norm"]),
    Standardize(),
    Whitening(),
]


@pytest.mark.parametrize("value", [1.0, -1e30, 1e300])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_a_constant_has_no_more_than_probability_one(model, value):
    """Of the numbers beside it, which a shift by 1 does not tell from it, too."""
    model = clone(model).fit(np.full((20, 1), value))
    numbers = value + np.arange(-9, 10) * np.spacing(abs(value))
    scores = model.score_samples(numbers[:, None])
    assert np.isfinite(scores).all()
    assert (np.exp(scores) * np.spacing(abs(value))).sum() < 1.01


@pytest.mark.parametrize("weight", [1e3, 1e6, 1e12])
def test_a_spike_is_no_narrower_than_float64_tells(weight):
    rng = np.random.default_rng(0)
    X = 1.0 + 1e-12 * rng.normal(size=(150, 1))
    heavy = np.r_[weight, np.ones(149)]
    model = SplineGaussianizer().fit(X, sample_weight=heavy)
    numbers = X[0, 0] + np.arange(-200, 200) * np.spacing(X[0, 0])
    total = np.exp(model.score_samples(numbers[:, None])).sum() * np.spacing(X[0, 0])
    assert 0.5 < total < 1.01
    # The heaviest value is where the density is.
    assert abs(model.transform(X[:1])[0, 0]) < 0.5


@pytest.mark.parametrize("n_samples", [30, 300, 3000])
def test_a_gap_has_about_the_probability_of_a_row(n_samples):
    rng = np.random.default_rng(0)
    X = 1e3 * rng.integers(0, 2, (n_samples, 1)) + rng.normal(size=(n_samples, 1))
    model = SplineGaussianizer().fit(X)
    low, high = model.transform(np.array([[300.0], [700.0]]))[:, 0]
    assert 0.1 / n_samples < high - low < 100.0 / n_samples


@pytest.mark.parametrize("seed", [1, 3, 21, 113])
@pytest.mark.parametrize("stopping", ["likelihood", "total_correlation"])
def test_rows_in_gaps_come_back_from_many_layers(stopping, seed):
    """Each layer flattens the same gaps, and digits are lost in all of them."""
    rng = np.random.default_rng(seed)
    X = rng.choice([-1.0, 1.0], (300, 1)) * 10.0 ** rng.uniform(-300, 300, (300, 1))
    model = RBIG(stopping=stopping, max_iter=3, random_state=0).fit(X)
    back = model.inverse_transform(model.transform(X))
    spread = 1e300 * (X / 1e300).std()
    assert (np.abs(back - X) <= 1e-6 * np.maximum(np.abs(X), spread)).all()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_there_is_room_beside_a_constant_or_it_is_refused(model, sign):
    X = np.full((20, 1), sign * 1.79e308)
    assert np.isfinite(clone(model).fit(X).score_samples(X)).all()
    with pytest.raises(ValueError, match="Column 0 ranges from"):
        clone(model).fit(np.full((20, 1), sign * np.finfo(float).max))
