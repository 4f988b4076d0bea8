"""Densities of y given x: closed forms, what is exact, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression

import destructors
from destructors.estimators import ConditionalDensity
from destructors.maps import Conditional


def bimodal(n, seed):
    """Return x, y and the log density of y given x: two modes whose shares vary."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    share = 1.0 / (1.0 + np.exp(-2.0 * X[:, 0]))
    y = np.where(rng.random(n) < share, 2.0, -2.0) + 0.5 * rng.normal(size=n)
    parts = [
        np.log(p) + stats.norm(middle, 0.5).logpdf(y)
        for p, middle in ((share, 2.0), (1.0 - share, -2.0))
    ]
    return X, y, np.logaddexp(*parts)


@pytest.fixture(scope="module")
def fitted():
    X, y, _ = bimodal(2000, 0)
    return ConditionalDensity(max_trees=60, n_folds=3, random_state=0).fit(X, y)


@pytest.fixture(scope="module")
def fitted_to_two():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 1))
    first = X[:, 0] + 0.5 * rng.normal(size=600)
    Y = np.c_[first, 2.0 * first + 0.3 * rng.normal(size=600)]
    model = ConditionalDensity(LinearRegression(), max_trees=0, n_folds=3)
    return model.set_params(random_state=0).fit(X, Y), X, Y


def test_shares_of_two_modes_are_found(fitted):
    X, y, truth = bimodal(2000, 1)
    assert fitted.layer_names_[0][-1] == "trees"
    assert fitted.score(X, y) > truth.mean() - 0.15
    # What is not asked of x: the density of y alone.
    alone = np.logaddexp(*(stats.norm(m, 0.5).logpdf(y) for m in (-2.0, 2.0))).mean()
    assert fitted.score(X, y) > alone - np.log(2.0) + 0.1


def test_a_density_is_one_in_all_for_each_x(fitted):
    grid = np.linspace(-12.0, 12.0, 48_001)
    for x in ([0.0, 0.0], [1.5, -1.0], [-4.0, 3.0]):
        density = np.exp(fitted.score_samples(np.tile(x, (len(grid), 1)), grid))
        total = np.sum(density) * (grid[1] - grid[0])
        assert total == pytest.approx(1.0, abs=2e-3)
        below = np.cumsum(density)[12_000:36_000:2000] * (grid[1] - grid[0])
        at = grid[12_000:36_000:2000]
        cdf = fitted.cdf(np.tile(x, (len(at), 1)), at)
        np.testing.assert_allclose(cdf, below, atol=2e-3)


def test_quantiles_undo_the_distribution_function(fitted):
    X, _, _ = bimodal(50, 2)
    levels = np.array([1e-3, 0.05, 0.3, 0.5, 0.8, 0.999])
    quantiles = fitted.predict_quantile(X, levels)
    assert quantiles.shape == (50, 6)
    assert (np.diff(quantiles, axis=1) > 0).all()
    for q, y in zip(levels, quantiles.T, strict=True):
        np.testing.assert_allclose(fitted.cdf(X, y), q, atol=1e-9)
    np.testing.assert_array_equal(fitted.predict_quantile(X, 0.3), quantiles[:, 2])
    np.testing.assert_array_equal(fitted.interval(X, 0.9)[:, 0], quantiles[:, 1])


def test_intervals_cover_new_rows_and_draws_follow_the_density(fitted):
    X, y, _ = bimodal(3000, 3)
    low, high = fitted.interval(X).T
    assert 0.88 < np.mean((low < y) & (y < high)) < 0.92
    draws = fitted.sample([[0.5, 0.0]], 4000, random_state=0)
    assert draws.shape == (1, 4000)
    p = fitted.cdf(np.tile([0.5, 0.0], (4000, 1)), draws[0])
    assert stats.kstest(p, "uniform").pvalue > 1e-3
    mean = fitted.predict([[0.5, 0.0]])[0]
    assert mean == pytest.approx(draws.mean(), abs=4.0 * draws.std() / np.sqrt(4000))


def test_mean_and_scale_of_a_linear_gaussian_are_found():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 2))
    y = 3.0 * X[:, 0] - X[:, 1] + 0.5 * rng.normal(size=1500)
    model = ConditionalDensity(LinearRegression(), random_state=0).fit(X, y)
    new = np.array([[0.0, 0.0], [1.0, -1.0], [-0.5, 1.0]])
    truth = stats.norm(3.0 * new[:, 0] - new[:, 1], 0.5)
    np.testing.assert_allclose(model.predict(new), truth.mean(), atol=0.15)
    np.testing.assert_allclose(model.interval(new).T, truth.interval(0.9), atol=0.25)


def test_columns_of_y_are_learned_given_those_before(fitted_to_two):
    model, X, Y = fitted_to_two
    truth = stats.norm(X[:, 0], 0.5).logpdf(Y[:, 0])
    truth += stats.norm(2.0 * Y[:, 0], 0.3).logpdf(Y[:, 1])
    assert model.score(X, Y) == pytest.approx(truth.mean(), abs=0.1)
    draws = model.sample([[1.0]], 2000, random_state=0)
    assert draws.shape == (1, 2000, 2)
    np.testing.assert_allclose(draws[0].mean(axis=0), [1.0, 2.0], atol=0.15)
    assert np.corrcoef(draws[0].T)[0, 1] == pytest.approx(0.958, abs=0.02)
    np.testing.assert_allclose(model.predict([[1.0]]), [[1.0, 2.0]], atol=0.15)
    low, high = model.interval([[1.0]])[0, 1]
    assert low == pytest.approx(2.0 - 1.645 * 1.044, abs=0.25)
    assert high == pytest.approx(2.0 + 1.645 * 1.044, abs=0.25)
    assert model.cdf(X, Y).shape == Y.shape
    assert model.predict_quantile(X[:3], [0.1, 0.9]).shape == (3, 2, 2)


def test_what_is_saved_gives_the_same_bits(fitted, fitted_to_two, tmp_path):
    rng = np.random.default_rng(0)
    for model, X, y in [
        (fitted, *bimodal(40, 5)[:2]),
        (fitted_to_two[0], rng.normal(size=(40, 1)), rng.normal(size=(40, 2))),
    ]:
        path = tmp_path / "model.npz"
        destructors.save(model, path)
        loaded = destructors.load(path)
        assert isinstance(loaded, Conditional)
        assert loaded == model.to_conditional()
        for method in ("score_samples", "cdf"):
            expected = getattr(model, method)(X, y)
            np.testing.assert_array_equal(getattr(loaded, method)(X, y), expected)
        for method in ("predict", "predict_quantile", "interval"):
            expected = getattr(model, method)(X)
            np.testing.assert_array_equal(getattr(loaded, method)(X), expected)
        same = loaded.sample(X, 3, 0), model.sample(X, 3, 0)
        np.testing.assert_array_equal(*same)


def test_a_row_is_scored_alone_as_among_others(fitted):
    X, y, _ = bimodal(30, 6)
    together = fitted.score_samples(X, y)
    alone = [fitted.score_samples(X[i : i + 1], y[i : i + 1])[0] for i in range(30)]
    np.testing.assert_array_equal(together, alone)
    one_by_one = [fitted.predict(X[i : i + 1])[0] for i in range(5)]
    np.testing.assert_array_equal(fitted.predict(X)[:5], one_by_one)


def test_nothing_is_infinite_however_far(fitted):
    far = [0.0, 1e3, -1e6, 1e12, 1e100, -1e300]
    for x in far:
        X = np.full((len(far), 2), x)
        assert np.isfinite(fitted.score_samples(X, far)).all()
        assert np.isfinite(fitted.predict(X)).all()
        assert np.isfinite(fitted.predict_quantile(X, [1e-300, 0.5, 1 - 1e-16])).all()


def test_integer_weights_are_repeated_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 2))
    y = X[:, 0] + rng.normal(size=150)
    times = rng.integers(0, 3, size=150)
    make = lambda: ConditionalDensity(max_trees=5, n_folds=2, random_state=0)
    weighted = make().fit(X, y, sample_weight=times)
    repeated = make().fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    np.testing.assert_allclose(
        weighted.score_samples(X, y), repeated.score_samples(X, y), atol=1e-6
    )


def test_bad_input_is_named(fitted):
    X, y, _ = bimodal(20, 7)
    with pytest.raises(ValueError, match="y must have a row for each"):
        fitted.score_samples(X, y[:-1])
    with pytest.raises(ValueError, match="y contains NaN"):
        fitted.cdf(X, np.full(20, np.nan))
    with pytest.raises(ValueError, match="q must be probabilities"):
        fitted.predict_quantile(X, [0.0, 0.5])
    with pytest.raises(ValueError, match="coverage must be between"):
        fitted.interval(X, 90)
    with pytest.raises(ValueError, match="n_samples must be an int"):
        fitted.sample(X, 0)
    with pytest.raises(ValueError, match="All rows are equal"):
        ConditionalDensity().fit(np.ones((5, 2)), np.ones(5))
    with pytest.raises(ValueError, match="too near the largest float64"):
        ConditionalDensity().fit(X, np.r_[1e308, -1e308, y[2:]])


def test_names_of_columns_are_checked():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(100, 2)), columns=["a", "b"])
    model = ConditionalDensity(LinearRegression(), max_trees=0, n_folds=2)
    model.fit(frame, frame["a"] + rng.normal(size=100))
    assert model.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["b", "a"]])
    assert model.to_conditional().predict(frame).shape == (100,)
