"""The map of radii, against closed forms, and both tails of the chi distribution."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import log_ndtr, ndtri
from scipy.stats import chi, norm

from destructors.maps import Affine, Radial
from destructors.maps._chi import find_radii, score_radii
from destructors.maps._radial import scale_radii, unscale_radii
from destructors.testing import check_map


def stretch(shift, scale):
    """Return the map of one column ``(a - shift) / scale``."""
    return Affine(np.array([shift]), np.array([scale]))


@pytest.mark.parametrize("d", [1, 2, 3, 10, 100, 1000])
def test_scores_are_those_of_the_chi_distribution(d):
    r = chi(d).ppf(np.linspace(1e-6, 1.0 - 1e-6, 501))
    below, above = chi(d).cdf(r), chi(d).sf(r)
    expected = np.where(below < 0.5, ndtri(below), -ndtri(above))
    score, log_slope = score_radii(np.log(r), d)
    assert_allclose(score, expected, rtol=1e-9, atol=1e-9)
    density = np.log(r) + chi(d).logpdf(r) - norm.logpdf(score)
    assert_allclose(log_slope, density, rtol=1e-9, atol=1e-9)


def test_in_two_dimensions_the_upper_tail_is_an_exponential():
    log_radius = np.linspace(np.log(2.0), 8.0, 50)
    score, _ = score_radii(log_radius, 2)
    assert_allclose(log_ndtr(-score), -0.5 * np.exp(2.0 * log_radius), rtol=1e-10)


@pytest.mark.parametrize("d", [1, 2, 3, 100])
def test_the_lower_tail_is_a_power(d):
    log_radius = np.linspace(-1e6, -40.0, 50)
    score, _ = score_radii(log_radius, d)
    assert_allclose(np.diff(log_ndtr(score)), d * np.diff(log_radius), rtol=1e-8)


@pytest.mark.parametrize("d", [1, 2, 3, 100, 10_000])
@pytest.mark.parametrize(
    "pair", [(score_radii, find_radii), (scale_radii, unscale_radii)]
)
def test_scores_come_back_far_into_both_tails(d, pair):
    to, back = pair
    log_radius = np.r_[np.linspace(-700, 700, 1401), np.linspace(-3.0, 8.0, 2001)]
    score, log_slope = to(log_radius, d)
    again, log_slope_back = back(score, d)
    assert_allclose(again, log_radius, rtol=1e-12, atol=1e-12)
    assert_allclose(log_slope_back, -log_slope, rtol=1e-9, atol=1e-9)
    assert (np.diff(score[np.argsort(log_radius)]) >= 0.0).all()


@pytest.mark.parametrize("d", [1, 2, 5, 100])
@pytest.mark.parametrize("inner", [(0.0, 1.0), (0.5, 0.3), (-0.4, 2.0)])
def test_law_of_the_map(d, inner):
    X = np.random.default_rng(0).normal(size=(500, d))
    # Some within the innermost radius.
    check_map(Radial(stretch(*inner), 0.6 * np.sqrt(d), d), X)


def test_a_normal_stays_what_it_is():
    X = np.random.default_rng(0).normal(size=(2000, 3))
    X = X[score_radii(np.log(np.linalg.norm(X, axis=1)), 3)[0] < 2.0]
    Z, log_det = Radial(stretch(0.0, 1.0), 0.5, 3).forward(X)
    assert_allclose(Z, X, rtol=1e-10)
    assert_allclose(log_det, 0.0, atol=1e-9)


def test_the_center_is_smooth():
    """The density has no cusp: its derivative vanishes at the center, and is continuous
    at the innermost radius up to second order."""
    map_ = Radial(stretch(0.3, 0.2), 0.7, 2)
    r = np.array([0.0, 1e-4, 2e-4, 0.7 - 1e-9, 0.7 + 1e-9])
    Z, log_det = map_.forward(np.c_[r, np.zeros(5)])
    log_density = norm.logpdf(Z).sum(axis=1) + log_det
    assert abs(log_density[1] - log_density[0]) < 1e-6
    assert log_density[4] == pytest.approx(log_density[3], abs=1e-6)


extreme = st.floats(-1e300, 1e300) | st.floats(-5.0, 5.0) | st.just(0.0)


@given(
    st.lists(extreme, min_size=1, max_size=6),
    st.floats(-2.0, 2.0),
    st.floats(0.05, 20.0),
    st.floats(1e-6, 3.0),
)
@settings(max_examples=200, deadline=None)
def test_everything_is_finite_and_comes_back(row, shift, scale, radius):
    X = np.array([row])
    map_ = Radial(stretch(shift, scale), radius, len(row))
    for way, back in ((map_.forward, map_.inverse), (map_.inverse, map_.forward)):
        Z, log_det = way(X)
        assert np.isfinite(Z).all()
        assert np.isfinite(log_det).all()
        again, log_det_back = back(Z)
        assert np.isfinite(again).all()
        assert np.isfinite(log_det_back).all()
    Z, log_det = map_.forward(X)
    # Where the latent is a number of full precision.
    if np.abs(Z).max() > 1e-290:
        again, log_det_back = map_.inverse(Z)
        assert_allclose(again, X, rtol=1e-9, atol=1e-9 * np.abs(X).max())
        assert_allclose(log_det_back, -log_det, rtol=1e-9, atol=1e-6)
