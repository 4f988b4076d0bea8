"""Columns of any size and rows at any distance: they come back, and stay finite."""

import numpy as np
import pytest
from sklearn.base import clone

from destructors.marginal import (
    HistogramGaussianizer,
    KernelGaussianizer,
    RationalQuadraticGaussianizer,
    SplineGaussianizer,
)

SMOOTH = [SplineGaussianizer(), KernelGaussianizer(), RationalQuadraticGaussianizer()]
MODELS = [*SMOOTH, HistogramGaussianizer()]
name = lambda model: type(model).__name__


def normal(n_samples=300):
    return np.random.default_rng(0).normal(size=n_samples)


def there_and_back(model, x):
    Z, log_det = model.transform_and_log_det(x[:, None])
    X_back, log_det_back = model.inverse_and_log_det(Z)
    assert np.isfinite(Z).all()
    np.testing.assert_allclose(log_det_back, -log_det, rtol=1e-6, atol=1e-6)
    return X_back[:, 0]


@pytest.mark.parametrize("model", SMOOTH, ids=name)
@pytest.mark.parametrize(
    "outliers", [[1e6], [1e30], [-1e200], [1e300], [1e30, -1e30, 3e29]]
)
def test_rows_in_the_void_before_an_outlier_come_back(model, outliers):
    model = clone(model).fit(np.r_[normal(), outliers][:, None])
    far = np.geomspace(1.0, 1e5, 50)
    x = np.r_[normal(), -far, far, outliers]
    np.testing.assert_allclose(there_and_back(model, x), x, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("seed", [4, 7])
def test_the_last_digit_of_a_latent_decides_no_digits_of_the_density(seed):
    # The slope falls by seven decades from one value to the next.
    rng = np.random.default_rng(seed)
    x = rng.choice([-1.0, 1.0], 60) * 10.0 ** rng.uniform(-300, 300, 60)
    model = SplineGaussianizer().fit(x[:, None])
    Z, log_det = model.transform_and_log_det(x[:, None])
    for way in (-np.inf, np.inf):
        _, back = model.inverse_and_log_det(np.nextafter(Z, way))
        np.testing.assert_allclose(back, -log_det, atol=1e-7)


@pytest.mark.parametrize("model", MODELS, ids=name)
@pytest.mark.parametrize("unit", [1e-300, 1e-12, 1e12, 1e300])
def test_scores_follow_the_unit(model, unit):
    x = np.r_[normal(), -1e3, 20.0][:, None]
    new = np.r_[x[:, 0], np.linspace(-5, 5, 50), -1e5, 1e5][:, None]
    expected = clone(model).fit(x).score_samples(new)
    model = clone(model).fit(x * unit)
    scores = model.score_samples(new * unit) + np.log(unit)
    # Subnormal steps are all there is below 1e-308.
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-6)
    rows = new[:, 0] * unit
    np.testing.assert_allclose(
        there_and_back(model, rows), rows, rtol=1e-6, atol=1e-6 * unit
    )


@pytest.mark.parametrize("model", MODELS, ids=name)
@pytest.mark.parametrize("unit", [1e-300, 1.0, 1e300])
def test_whatever_is_finite_stays_so(model, unit):
    model = clone(model).fit(unit * normal()[:, None])
    far = np.array([-1.7e308, -1e150, -1e8, 1e8, 1e150, 1.7e308])[:, None]
    for way in (model.transform_and_log_det, model.inverse_and_log_det):
        rows, log_det = way(far)
        assert np.isfinite(rows).all()
        assert np.isfinite(log_det).all()
    assert np.isfinite(model.score_samples(far)).all()


@pytest.mark.parametrize("model", SMOOTH, ids=name)
def test_the_value_of_a_constant_column_keeps_its_digits(model):
    x = np.array([3.04e-12, -1e-300, 1e15])
    model = clone(model).fit(np.tile(x, (3, 1)))
    np.testing.assert_array_equal(model.transform(x[None]), np.zeros((1, 3)))
    np.testing.assert_array_equal(model.inverse_transform(np.zeros((1, 3)))[0], x)
    np.testing.assert_allclose(model.score_samples(x[None]), -1.5 * np.log(2 * np.pi))


@pytest.mark.parametrize("model", MODELS, ids=name)
def test_numbers_near_the_largest_are_fitted_or_refused(model):
    x = np.array([5e307, 5e307, -2e307, -2e307, -2e307])
    assert np.isfinite(clone(model).fit(x[:, None]).score_samples(x[:, None])).all()
    with pytest.raises(ValueError, match="too near the largest float64"):
        clone(model).fit(2.0 * x[:, None])


@pytest.mark.parametrize("far", [1e9, 1e13])
def test_rows_of_small_weight_far_out_do_not_move_the_others(far):
    """Across the void before them slopes are others than those fitted."""
    X = np.random.default_rng(0).standard_cauchy((60, 1)) ** 3
    X[0], X[1], weight = -far, far / 30.0, np.r_[[1e-3, 1e-3], np.ones(58)]
    model = SplineGaussianizer().fit(X, sample_weight=weight)
    assert abs(np.median(model.transform(X))) < 0.2
    assert model.score(X[2:]) > -5.0


@pytest.mark.parametrize("seed", range(4))
def test_slopes_of_splines_come_back_beside_a_row_that_has_nearly_all_the_weight(seed):
    """Latents of the others lie a hundred away, where float64 has less places."""
    rng = np.random.default_rng(seed)
    x = 1e-6 * rng.choice([-1.0, 1.0], 100) * 10.0 ** rng.uniform(-8.0, 8.0, 100)
    X, weight = (x - x[0])[:, None], np.r_[1e6, np.ones(99)]
    model = SplineGaussianizer().fit(X, sample_weight=weight)
    Z, log_det = model.transform_and_log_det(X)
    assert np.abs(Z).max() > 100.0
    log_det_back = model.inverse_and_log_det(Z)[1]
    np.testing.assert_allclose(log_det_back, -log_det, rtol=0.0, atol=2e-9)


def test_an_outlier_leaves_its_rounding_out_of_the_others():
    X = np.array([[0.0009318822190144327], [-193.996], [-2.57e13], [1.79645919]])
    model = SplineGaussianizer().fit(X, sample_weight=[1.0, 1e300, 1.0, 1e300])
    Z, log_det = model.transform_and_log_det(X)
    back, log_det_back = model.inverse_and_log_det(Z)
    np.testing.assert_allclose(back, X, rtol=1e-12, atol=1e-8)
    np.testing.assert_allclose(log_det_back, -log_det, rtol=0.0, atol=1e-8)


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_void_in_which_values_are_one_number_is_crossed(sign):
    exponents = [130, 282, 185, 254, 276, 200, 233, 148, 243, 133]
    signs = np.array([-1, -1, -1, -1, -1, -1, 1, 1, -1, -1])
    X = (sign * signs * 10.0 ** np.array(exponents))[:, None]
    weight = np.array([1e6] + [1.0] * 9)
    model = SplineGaussianizer(n_knots=8).fit(X, sample_weight=weight)
    Z = model.transform(X)
    assert np.isfinite(model.score_samples(X)).all()
    assert (np.diff(Z[np.argsort(X[:, 0]), 0]) >= 0.0).all()
    # The middle rows lie within the last places of the scale, which is 1e147.
    np.testing.assert_allclose(model.inverse_transform(Z), X, rtol=1e-6, atol=1e134)


@pytest.mark.parametrize(
    "model", [SplineGaussianizer(), HistogramGaussianizer()], ids=name
)
@pytest.mark.parametrize(("n_samples", "n_out"), [(60, 1), (60, 3), (1000, 50)])
def test_sentinels_leave_the_other_rows_a_density(model, n_samples, n_out):
    """Beside 1e30 the middle half of the rows is no value parted by rounding."""
    clean = normal(n_samples)
    spoilt = np.r_[clean[n_out:], np.full(n_out, -1e30)]
    new = np.random.default_rng(1).normal(size=(500, 1))
    expected = clone(model).fit(clean[:, None]).score_samples(new)
    scores = clone(model).fit(spoilt[:, None]).score_samples(new)
    assert np.median(expected - scores) < 1.5
