"""HistogramGaussianizer: its density is the histogram."""

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_breast_cancer, load_wine

from destructors.marginal import HistogramGaussianizer

STRATEGIES = ["adaptive", "quantile", "uniform"]


@pytest.fixture(params=STRATEGIES)
def strategy(request):
    return request.param


# ---------------------------------------------------------------- closed forms


def test_density_equals_the_histogram_inside(strategy):
    x = np.random.default_rng(0).gamma(2.0, size=500)
    model = HistogramGaussianizer(n_bins=12, strategy=strategy).fit(x[:, None])
    [edges], [probabilities] = model.bin_edges_, model.probabilities_
    middles = 0.5 * (edges[1:] + edges[:-1])
    np.testing.assert_allclose(
        np.exp(model.score_samples(middles[:, None])), probabilities / np.diff(edges)
    )


def test_probabilities_are_smoothed_counts(strategy):
    x = np.random.default_rng(0).gamma(2.0, size=500)
    model = HistogramGaussianizer(n_bins=12, strategy=strategy, alpha=2.0)
    [edges], [probabilities] = (
        model.fit(x[:, None]).bin_edges_,
        model.probabilities_,
    )
    counts = np.histogram(x, edges)[0] + 2.0
    inside = probabilities.sum()
    # Each tail has the probability of half a row.
    assert inside == pytest.approx(1 - 1 / 501)
    np.testing.assert_allclose(probabilities / inside, counts / counts.sum())


def test_uniform_bins_are_those_of_numpy_moved_between_values():
    x = np.sort(np.random.default_rng(0).normal(size=300))
    [edges] = (
        HistogramGaussianizer(n_bins=7, strategy="uniform").fit(x[:, None]).bin_edges_
    )
    expected = np.histogram_bin_edges(x, 7)
    after = np.searchsorted(x, edges[1:-1])
    np.testing.assert_allclose(edges[1:-1], 0.5 * (x[after - 1] + x[after]))
    np.testing.assert_allclose(edges[1:-1], expected[1:-1], atol=0.05)
    np.testing.assert_allclose(edges[0], x[0] - 0.5 * (x[1] - x[0]))
    np.testing.assert_allclose(edges[-1], x[-1] + 0.5 * (x[-1] - x[-2]))


def test_quantile_bins_are_equally_full():
    x = np.random.default_rng(0).gamma(2.0, size=400)
    [edges] = (
        HistogramGaussianizer(n_bins=8, strategy="quantile").fit(x[:, None]).bin_edges_
    )
    np.testing.assert_allclose(np.histogram(x, edges)[0], 50, atol=2)


def test_auto_number_of_bins_is_twice_the_cube_root_of_rows():
    x = np.random.default_rng(0).normal(size=(1000, 1))
    model = HistogramGaussianizer(strategy="uniform").fit(x)
    assert len(model.probabilities_[0]) == 20


def test_uniform_data_have_a_flat_density(strategy):
    rng = np.random.default_rng(0)
    X, X_test = rng.uniform(2.0, 4.0, (5000, 3)), rng.uniform(2.0, 4.0, (5000, 3))
    model = HistogramGaussianizer(strategy=strategy).fit(X)
    assert model.score(X_test) == pytest.approx(-3 * np.log(2), abs=0.06)


def test_normal_data_cost_little():
    loss = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X, X_test = rng.normal(size=(1000, 5)), rng.normal(size=(20_000, 5))
        truth = stats.norm.logpdf(X_test).sum(axis=1).mean()
        loss.append((truth - HistogramGaussianizer().fit(X).score(X_test)) / 5)
    assert max(loss) < 0.03


def test_density_integrates_to_one(strategy):
    x = np.random.default_rng(0).gamma(2.0, size=(500, 1))
    model = HistogramGaussianizer(strategy=strategy).fit(x)
    [edges] = model.bin_edges_
    grid = np.unique(np.r_[np.linspace(-40, 60, 400_001), edges])
    middles = 0.5 * (grid[1:] + grid[:-1])
    mass = np.exp(model.score_samples(middles[:, None])) @ np.diff(grid)
    assert mass == pytest.approx(1.0, abs=1e-4)


# ---------------------------------------------------------------- the map


def test_map_is_the_normal_score_of_the_distribution_function(strategy):
    x = np.random.default_rng(0).normal(size=(500, 1))
    model = HistogramGaussianizer(n_bins=10, strategy=strategy).fit(x)
    [edges], [probabilities] = model.bin_edges_, model.probabilities_
    below = 0.5 / 501 + np.cumsum(np.r_[0.0, probabilities])
    np.testing.assert_allclose(
        model.transform(edges[:, None])[:, 0], stats.norm.ppf(below), atol=1e-9
    )


def test_strictly_increasing_and_inverted_everywhere(strategy):
    x = np.random.default_rng(0).standard_t(3, size=(500, 1))
    model = HistogramGaussianizer(strategy=strategy).fit(x)
    reach = np.logspace(-3, 6, 500)
    grid = np.unique(np.r_[-reach, 0.0, reach])[:, None]
    Z, log_det = model.transform_and_log_det(grid)
    assert (np.diff(Z[:, 0]) > 0).all()
    X_back, inverse_log_det = model.inverse_and_log_det(Z)
    np.testing.assert_allclose(X_back, grid, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(inverse_log_det, -log_det, atol=1e-6)


def test_density_falls_off_outside_the_data(strategy):
    x = np.random.default_rng(0).uniform(size=(500, 1))
    model = HistogramGaussianizer(strategy=strategy).fit(x)
    log_density = model.score_samples(1.0 + np.logspace(-3, 100, 200)[:, None])
    assert np.isfinite(log_density).all()
    assert (np.diff(log_density) < 0).all()


# ---------------------------------------------------------------- odd columns


@pytest.mark.parametrize("value", [0.0, -3.5, 1e-12, 3e12])
def test_constant_column_is_one_bin(strategy, value):
    x = np.full((20, 1), value)
    model = HistogramGaussianizer(strategy=strategy).fit(x)
    [edges] = model.bin_edges_
    assert len(edges) == 2
    assert edges.mean() == pytest.approx(value)
    Z = model.transform(x)
    np.testing.assert_allclose(Z, 0.0, atol=1e-9)
    np.testing.assert_allclose(model.inverse_transform(Z), x, atol=1e-15)


@pytest.mark.parametrize(
    "x",
    [
        np.repeat([0.0, 1.0], [300, 100]),
        np.repeat([1e9, np.nextafter(1e9, 2e9)], [300, 100]),
        np.random.default_rng(0).integers(0, 4, size=400).astype(float),
        np.r_[np.zeros(900), np.random.default_rng(0).exponential(size=100)],
        np.r_[np.random.default_rng(0).normal(size=100), 1e12],
    ],
    ids=["two-values", "neighbouring-floats", "integers", "zero-inflated", "outlier"],
)
def test_ties_and_outliers_stay_finite_and_invertible(strategy, x):
    model = HistogramGaussianizer(strategy=strategy).fit(x[:, None])
    assert (np.diff(model.bin_edges_[0]) > 0).all()
    Z, log_det = model.transform_and_log_det(x[:, None])
    assert np.isfinite(Z).all()
    assert np.isfinite(log_det).all()
    np.testing.assert_allclose(
        model.inverse_transform(Z)[:, 0], x, rtol=1e-6, atol=1e-9 * np.ptp(x)
    )


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_units_do_not_matter(strategy, unit):
    x = np.random.default_rng(0).gamma(2.0, size=(500, 1))
    Z = HistogramGaussianizer(strategy=strategy).fit(x).transform(x)
    Z_unit = HistogramGaussianizer(strategy=strategy).fit(x * unit).transform(x * unit)
    np.testing.assert_allclose(Z_unit, Z, atol=1e-8)


# ---------------------------------------------------------------- weights, real data


def test_integer_weights_equal_repeated_rows(strategy):
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(800, 1)), rng.integers(1, 4, size=800)
    weighted = HistogramGaussianizer(strategy=strategy).fit(x, sample_weight=weight)
    repeated = HistogramGaussianizer(strategy=strategy).fit(
        np.repeat(x, weight, axis=0)
    )
    np.testing.assert_allclose(weighted.bin_edges_[0], repeated.bin_edges_[0])
    np.testing.assert_allclose(weighted.probabilities_[0], repeated.probabilities_[0])


def test_more_smoothing_lowers_the_training_score(strategy):
    x = np.random.default_rng(0).gamma(2.0, size=(300, 1))
    scores = [
        HistogramGaussianizer(strategy=strategy, alpha=alpha).fit(x).score(x)
        for alpha in (0.1, 10.0, 1000.0)
    ]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine])
def test_real_columns_round_trip_and_score(strategy, load):
    X = np.random.default_rng(0).permutation(load().data)
    train, test = X[::2], X[1::2]
    model = HistogramGaussianizer(strategy=strategy).fit(train)
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(test)), test, rtol=1e-8, atol=1e-10
    )
    assert np.isfinite(model.score(test))


@pytest.mark.parametrize("strategy", ["uniform", "quantile", "adaptive"])
def test_heavy_weights_make_no_more_bins_than_there_are_values(strategy):
    X = np.random.default_rng(0).normal(size=(20, 1))
    model = HistogramGaussianizer(strategy=strategy)
    model.fit(X, sample_weight=np.full(20, 1e20))
    assert len(model.bin_edges_[0]) <= 21
