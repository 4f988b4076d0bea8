"""What KernelGaussianizer, RationalQuadraticGaussianizer and ParametricGaussianizer
have in common: near the truth, strictly increasing, and sound on odd columns.
"""

import numpy as np
import pytest
from scipy import stats

from destructors.marginal import (
    BlockGaussianizer,
    BoundedSupport,
    HistogramGaussianizer,
    KernelGaussianizer,
    ParametricGaussianizer,
    RationalQuadraticGaussianizer,
    SplineGaussianizer,
)

PARAMETRIC = ParametricGaussianizer(["norm", "t", "gamma"])
MODELS = [KernelGaussianizer(), RationalQuadraticGaussianizer(), PARAMETRIC]


class TwoModes:
    """Two normals, well apart."""

    def rvs(self, size, random_state):
        place = random_state.choice([-2.0, 2.0], size)
        return place + 0.5 * random_state.standard_normal(size)

    def logpdf(self, x):
        parts = stats.norm.logpdf(x, -2.0, 0.5), stats.norm.logpdf(x, 2.0, 0.5)
        return np.logaddexp(*parts) - np.log(2.0)


LAWS = {
    "student-t": stats.t(3),
    "gamma": stats.gamma(2.0),
    "beta": stats.beta(2.0, 5.0),
    "two-modes": TwoModes(),
    "uniform": stats.uniform(),
}


@pytest.fixture(params=MODELS, ids=lambda model: type(model).__name__)
def model(request):
    return request.param


def mean_loss(model, law, n_features=5, n_samples=2000):
    rng = np.random.RandomState(0)
    train = law.rvs((n_samples, n_features), random_state=rng)
    test = law.rvs((20_000, n_features), random_state=rng)
    truth = law.logpdf(test).sum(axis=1).mean()
    return (truth - model.fit(train).score(test)) / n_features


def test_normal_data_cost_next_to_nothing(model):
    assert mean_loss(model, stats.norm(), n_samples=1000) < 0.01


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(
    "model",
    [
        SplineGaussianizer(),
        KernelGaussianizer(),
        RationalQuadraticGaussianizer(),
    ],
    ids=lambda model: type(model).__name__,
)
def test_loss_against_the_truth(model, law):
    is_rational = isinstance(model, RationalQuadraticGaussianizer)
    assert mean_loss(model, LAWS[law]) < (0.06 if is_rational else 0.03)


def test_strictly_increasing_and_inverted_everywhere(model):
    x = np.random.default_rng(0).standard_t(3, size=(500, 1))
    model.fit(x)
    reach = np.logspace(-3, 6, 500)
    grid = np.unique(np.r_[-reach, 0.0, reach])[:, None]
    Z, log_det = model.transform_and_log_det(grid)
    assert (np.diff(Z[:, 0]) > 0).all()
    X_back, inverse_log_det = model.inverse_and_log_det(Z)
    np.testing.assert_allclose(X_back, grid, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(inverse_log_det, -log_det, atol=1e-6)


def test_density_falls_off_outside_the_data(model):
    x = np.random.default_rng(0).uniform(size=(500, 1))
    log_density = model.fit(x).score_samples(1.0 + np.logspace(0, 100, 100)[:, None])
    assert np.isfinite(log_density).all()
    assert (np.diff(log_density) < 0).all()


def test_a_value_just_outside_sharp_edges_is_rare_but_no_more(model):
    x = np.random.default_rng(0).uniform(size=(500, 1))
    assert (model.fit(x).score_samples([[-0.01], [1.01]]) > -30).all()


@pytest.mark.parametrize("value", [0.0, -3.5, 1e-12, 3e12])
def test_constant_columns_are_shifted(model, value):
    x = np.full((20, 1), value)
    Z, log_det = model.fit(x).transform_and_log_det(x)
    np.testing.assert_allclose(Z, 0.0, atol=1e-9)
    np.testing.assert_allclose(log_det, 0.0, atol=1e-9)
    np.testing.assert_allclose(model.inverse_transform(Z), x, atol=1e-15)


@pytest.mark.parametrize(
    "x",
    [
        np.repeat([0.0, 1.0], [300, 100]),
        np.array([1.0, 2.0]),
        np.repeat([1e9, np.nextafter(1e9, 2e9)], [300, 100]),
        np.random.default_rng(0).integers(0, 4, size=400).astype(float),
        np.r_[np.zeros(900), np.random.default_rng(0).exponential(size=100)],
        np.r_[np.random.default_rng(0).normal(size=100), 1e12],
        np.r_[np.random.default_rng(0).normal(size=100), -1e200, 1e200],
    ],
    ids=[
        "two-values",
        "two-rows",
        "neighbouring-floats",
        "integers",
        "zero-inflated",
        "outlier",
        "huge-outliers",
    ],
)
def test_ties_and_outliers_stay_finite_and_invertible(model, x):
    x = x[:, None]
    Z, log_det = model.fit(x).transform_and_log_det(x)
    assert np.isfinite(Z).all()
    assert np.isfinite(log_det).all()
    np.testing.assert_allclose(
        model.inverse_transform(Z), x, rtol=1e-6, atol=1e-9 * np.ptp(x)
    )


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_units_do_not_matter(model, unit):
    x = np.random.default_rng(0).gamma(2.0, size=(300, 1))
    Z = model.fit(x).transform(x)
    # A search ends where rounding leads it, within its tolerance.
    atol = 1e-3 if model is PARAMETRIC else 1e-6
    np.testing.assert_allclose(model.fit(x * unit).transform(x * unit), Z, atol=atol)


def test_integer_weights_equal_repeated_rows(model):
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(400, 1)), rng.integers(0, 4, size=400)
    weighted = model.fit(x, sample_weight=weight).transform(x)
    repeated = model.fit(np.repeat(x, weight, axis=0)).transform(x)
    np.testing.assert_allclose(weighted, repeated, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (KernelGaussianizer(bandwidth=0.0), "'bandwidth' parameter"),
        (RationalQuadraticGaussianizer(n_knots=1), "'n_knots' parameter"),
        (ParametricGaussianizer(["gauss"]), "no continuous family 'gauss'"),
        (ParametricGaussianizer(["poisson"]), "no continuous family 'poisson'"),
        (ParametricGaussianizer([]), "families is empty"),
        (ParametricGaussianizer(3), "'families' parameter"),
    ],
)
def test_bad_parameters(model, message, X):
    with pytest.raises(ValueError, match=message):
        model.fit(X)


@pytest.mark.parametrize(
    "weight",
    [
        [1.0, 1.0, 1e-17, 1e-17],
        [1e-300, 1.0, 1.0, 1e-300],
        [1e308, 1e308, 1e308, 1e308],
        [5e-324, 5e-324, 5e-324, 1e-300],
        [1e-200, 1.0, 1e200, 1.0],
    ],
)
@pytest.mark.parametrize(
    "model",
    [
        SplineGaussianizer(),
        KernelGaussianizer(),
        RationalQuadraticGaussianizer(),
        HistogramGaussianizer(),
        BlockGaussianizer(),
        ParametricGaussianizer(["norm", "gamma"]),
        BoundedSupport("learned", "learned"),
    ],
    ids=lambda model: type(model).__name__,
)
def test_weights_of_any_size(model, weight):
    x = np.arange(4.0)[:, None]
    model.fit(x, sample_weight=weight)
    assert np.isfinite(model.score_samples(x)).all()
    back = model.inverse_transform(model.transform(x))
    np.testing.assert_allclose(back, x, atol=1e-6)


def test_weights_of_less_than_half_a_row_count_as_half_a_row():
    """Less, beside what a penalty adds to few rows, would leave no digits."""
    X = np.random.default_rng(0).lognormal(size=(64, 1))
    light, half = (
        SplineGaussianizer().fit(X, sample_weight=np.full(64, total / 64.0))
        for total in (2.0**-40, 0.5)
    )
    np.testing.assert_array_equal(light.score_samples(X), half.score_samples(X))


def test_an_outlier_times_its_weight_does_not_overflow():
    x = 0.01 * np.random.default_rng(0).normal(size=(150, 1))
    x[0] = 1e300
    weight = np.r_[np.full(148, 1e7), [1e15, 5e15]]
    model = SplineGaussianizer().fit(x, sample_weight=weight)
    assert np.isfinite(model.score_samples(x)).all()
    assert np.isfinite(model.inverse_transform(model.transform(x))).all()


def test_a_weight_too_light_for_the_sum_of_all_counts_next_to_nothing():
    x = np.random.default_rng(0).normal(size=(200, 1))
    weight = np.where(x[:, 0] > 2.0, 1e-17, 1.0)
    model, seen = SplineGaussianizer(), x[weight == 1.0]
    weighted = model.fit(x, sample_weight=weight).score(seen)
    assert weighted == pytest.approx(model.fit(seen).score(seen), abs=0.05)
