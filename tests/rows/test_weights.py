"""Weighted means, at the limits of float64."""

import numpy as np
import pytest

from destructors.estimators import MixtureDensity
from destructors.linear import Whitening
from destructors.rows import weighted_mean

LARGEST = np.finfo(float).max


@pytest.mark.parametrize("unit", [1e-300, 1.0, 1e300])
def test_neither_products_nor_sums_overflow(unit):
    values = np.array([-LARGEST, -LARGEST, -0.5 * LARGEST])
    found = weighted_mean(values, np.array([1.0, 2.0, 1.0]) * unit)
    np.testing.assert_allclose(found, -0.875 * LARGEST, rtol=1e-15)
    assert weighted_mean(values[:2], None) == -LARGEST


def test_it_is_the_mean_to_the_last_bit():
    rng = np.random.default_rng(0)
    values, weight = rng.normal(size=(2, 1001))
    assert weighted_mean(values, None) == values.mean()
    assert weighted_mean(values, weight**2) == np.average(values, weights=weight**2)


def test_heavy_rows_far_out_leave_fits_and_scores_finite():
    X, weight = np.array([[1e300], [-0.2]]), np.full(2, 1e300)
    model = MixtureDensity(2, random_state=0).fit(X, sample_weight=weight)
    assert np.isfinite(model.score_samples(X)).all()
    normal = Whitening().fit(np.array([[0.0], [1.0], [3.0]]))
    assert np.isfinite(normal.score(1e-150 * X[:1], None, weight[:1]))
