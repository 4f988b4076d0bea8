"""Means that are corrected by regressions on the row as a density fills it in."""

import numpy as np
import pandas as pd
import pytest

from destructors.estimators import DensityImputer, MixtureDensity
from destructors.estimators._mean_regression import Ridge, far_out, stack

SMALL = MixtureDensity(1, marginal=None, categorical_features=[0])


def ladder(n, seed=0):
    """Return a number that rises with the order of a code of thirty."""
    rng = np.random.default_rng(seed)
    code = rng.integers(0, 30, n).astype(float)
    return np.column_stack([code, 0.2 * code + rng.normal(size=n)])


def error(imputer, train, test):
    hidden = test.copy()
    hidden[:, -1] = np.nan
    filled = imputer.fit(train).transform(hidden)
    return np.sqrt(np.mean((filled[:, -1] - test[:, -1]) ** 2))


def test_the_order_of_codes_tells_of_a_number():
    train, test = ladder(300), ladder(2000, 1)
    known = DensityImputer(SMALL, random_state=0)
    assert error(known, train, test) < 1.1
    assert known.corrected_.tolist() == [1]
    # A single class knows of nothing but the mean.
    without = DensityImputer(SMALL, correct_means=False, random_state=0)
    assert error(without, train, test) > 1.8
    assert not len(without.corrected_)


def test_means_that_nothing_tells_of_are_not_moved_by_rows_far_out():
    rng = np.random.default_rng(0)
    train, test = ladder(300), ladder(2000, 1)
    train[rng.choice(300, 3, replace=False), 1] += 60.0
    corrected = error(DensityImputer(SMALL, random_state=0), train, test)
    # The mean of all rows is 0.6 off, and remains so: what was learned is the slope.
    assert corrected < 1.3


def test_what_was_there_stays_and_draws_are_those_of_the_density():
    train, test = ladder(300), ladder(50, 1)
    test[::2, 1] = np.nan
    imputer = DensityImputer(SMALL, random_state=0).fit(train)
    filled = imputer.transform(test)
    np.testing.assert_array_equal(filled[1::2], test[1::2])
    assert not np.isnan(filled).any()
    drawn = imputer.set_params(strategy="sample").transform(test)
    expected = imputer.density_.sample_conditional(test, 1, 0)
    np.testing.assert_array_equal(drawn, expected)


def test_few_rows_have_the_means_of_the_density():
    train = ladder(15)
    imputer = DensityImputer(SMALL, random_state=0).fit(train)
    hidden = np.column_stack([train[:, 0], np.full(15, np.nan)])
    expected = imputer.density_.predict_missing(hidden)
    np.testing.assert_array_equal(imputer.transform(hidden), expected)


def test_the_errors_of_a_ridge_are_those_of_fits_without_each_row():
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(40, 3)), np.ones(40)
    y = X @ [1.0, 0.5, 0.0] + rng.normal(size=40)
    ridge = Ridge(X, weight)
    coef, intercept, errors = ridge.fit(y)
    Z = (X - ridge.centre) / ridge.scale
    # The strength it chose follows from its coefficients.
    strength = (Z.T @ (y - intercept - Z @ coef))[0] / coef[0]
    left_out = []
    for i in range(40):
        others = np.arange(40) != i
        A = np.column_stack([np.ones(39), Z[others]])
        penalty = np.diag([0.0, *[strength] * 3])
        beta = np.linalg.solve(A.T @ A + penalty, A.T @ y[others])
        left_out.append(y[i] - beta[0] - Z[i] @ beta[1:])
    np.testing.assert_allclose(errors, left_out, rtol=1e-6)


def test_amounts_are_predicted_by_factors():
    """Of a product the mean is a product, which no line through the raw amounts is."""
    rng = np.random.default_rng(0)
    code = rng.integers(0, 20, 3000).astype(float)
    amount = np.exp(0.25 * code + 0.5 * rng.normal(size=3000))
    best = np.exp(0.25 * code + 0.5**2 / 2.0)
    rows = np.column_stack([code, amount])
    imputer = DensityImputer(SMALL, random_state=0).fit(rows[:1000])
    bent = [each for each in imputer._regressions if each.unit]
    assert bent[0].weight > 0.3
    hidden = rows[1000:].copy()
    hidden[:, 1] = np.nan
    filled = imputer.transform(hidden)[:, 1]
    assert np.sqrt(np.mean((filled - best[1000:]) ** 2)) < 0.1 * best.std()


@pytest.mark.parametrize("scale", [1e-300, 1e200])
def test_amounts_of_any_size_are_filled_in(scale):
    rows = ladder(100) * [1.0, scale]
    imputer = DensityImputer(SMALL, random_state=0).fit(rows)
    hidden = rows.copy()
    hidden[:, 1] = np.nan
    filled = imputer.transform(hidden)
    assert np.isfinite(filled).all()


def test_probabilities_of_categories_keep_their_units():
    """The penalty of random effects is that of their sizes, whatever their shares."""
    rng = np.random.default_rng(0)
    code = rng.choice(4, 200, p=[0.6, 0.3, 0.08, 0.02])
    X = np.column_stack([10.0 * rng.normal(size=200), np.eye(4)[code]])
    y = 0.1 * X[:, 0] + rng.normal(size=4)[code] + rng.normal(size=200)
    ridge = Ridge(X, np.ones(200), 4)
    np.testing.assert_allclose(ridge.scale, [X[:, 0].std(), 1.0, 1.0, 1.0, 1.0])
    coef, intercept, _ = ridge.fit(y)
    Z = (X - ridge.centre) / ridge.scale
    slopes = Z.T @ (y - intercept - Z @ coef)
    np.testing.assert_allclose(slopes / slopes[0] * coef[0], coef, rtol=1e-6)


def test_categories_that_were_not_seen_stand_where_their_numbers_are():
    """Labels that are numbers have a place in the order; others the mean of all."""
    train, test = ladder(400), ladder(2000, 1)
    unseen = (test[:, 0] % 7) == 3
    train = train[(train[:, 0] % 7) != 3]
    imputer = DensityImputer(SMALL, random_state=0)
    assert error(imputer, train, test[unseen]) < 1.1
    names = np.array([f"{code:02.0f}" for code in range(30)])
    holed = test[unseen].copy()
    holed[:, 1] = np.nan
    named = imputer.fit(_named(train, names)).transform(_named(holed, names))
    away = np.asarray(named[1], dtype=float) - train[:, 1].mean()
    assert abs(away).max() < 0.3


def _named(rows, names):
    return pd.DataFrame({0: names[rows[:, 0].astype(int)], 1: rows[:, 1]})


@pytest.mark.parametrize("n_rows", [50, 1000])
def test_no_row_has_more_than_its_share_of_the_squares(n_rows):
    residuals = np.random.default_rng(0).standard_t(1.5, size=n_rows)
    limit = far_out(residuals, np.ones(n_rows))
    squares = np.minimum(residuals**2, limit**2)
    assert squares.max() == pytest.approx(max(1 / 30, 10 / n_rows) * squares.sum())
    # Weights are repeats.
    weight = np.arange(n_rows) % 3 + 1.0
    twice = far_out(
        np.repeat(residuals, weight.astype(int)), np.ones(int(weight.sum()))
    )
    assert far_out(residuals, weight) == pytest.approx(twice)
    even = np.random.default_rng(0).uniform(-1, 1, n_rows)
    assert far_out(even, np.ones(n_rows)) == abs(even).max()


@pytest.mark.parametrize("scale", [1.0, 1e-150, 1e150])
def test_no_weights_err_less_than_those_of_a_stack(scale):
    rng = np.random.default_rng(0)
    y, weight = rng.normal(size=200), rng.integers(1, 4, 200).astype(float)
    P = y[:, None] * [1.0, 0.5, 0.2, 0.0] + rng.normal(size=(200, 4)) * [2, 0.6, 0.3, 1]
    error = lambda weights: weight @ (P @ weights - y) ** 2
    found = stack(P * scale, y * scale, weight)
    assert found.sum() == pytest.approx(1.0)
    assert found.min() >= 0.0
    assert found.max() < 1.0
    others = rng.dirichlet(np.full(4, 0.3), 20_000)
    assert error(found) <= min(map(error, others))
    assert error(found) > 0.999 * min(map(error, others))
    # Weights are repeats.
    many = weight.astype(int)
    again = stack(np.repeat(P, many, axis=0), np.repeat(y, many), np.ones(many.sum()))
    np.testing.assert_allclose(again, found, atol=1e-9)


def test_predictions_without_errors_and_alike_are_stacked():
    y = np.arange(5.0)
    P = np.column_stack([y, y, np.zeros(5)])
    weights = stack(P, y, np.ones(5))
    np.testing.assert_allclose(P @ weights, y, atol=1e-12)
    np.testing.assert_allclose(stack(P[:, :2], y, np.ones(5)).sum(), 1.0)


def test_means_are_of_codes_that_may_be_missing():
    """A mean of the order of codes tells more than the most probable code."""
    rng = np.random.default_rng(0)
    code = rng.choice(3, 3000, p=[0.4, 0.35, 0.25]).astype(float)
    hint = np.where(rng.random(3000) < 0.5, code, rng.integers(0, 3, 3000))
    rows = np.column_stack([hint, code, 5.0 * code + rng.normal(size=3000)])
    model = MixtureDensity(1, marginal=None, categorical_features=[0, 1])
    holed = np.where(rng.random(rows.shape) < [0.0, 0.5, 0.2], np.nan, rows)
    imputer = DensityImputer(model, random_state=0).fit(holed[:2000])
    test = holed[2000:].copy()
    test[:, 1:] = np.nan
    # The best that can be: the mean of the number given the hint.
    best = [rows[:2000, 2][hint[:2000] == k].mean() for k in range(3)]
    errors = imputer.transform(test)[:, 2] - rows[2000:, 2]
    floor = np.take(best, hint[2000:].astype(int)) - rows[2000:, 2]
    assert np.sqrt(np.mean(errors**2)) < 1.01 * np.sqrt(np.mean(floor**2))
