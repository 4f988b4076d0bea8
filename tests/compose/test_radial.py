"""Elliptical densities that are known, and what is not."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal, multivariate_t

from destructors.compose import RadialGaussianizer
from destructors.datasets import make_concentric_circles
from destructors.linear import Standardize, Whitening
from destructors.marginal import NormalCDF, SplineGaussianizer
from tests.fuzz.tables import Recipe

MATRIX = np.array([[2.0, 0.0, 0.0], [1.0, 0.5, 0.0], [-1.0, 0.3, 4.0]])
COVARIANCE = MATRIX @ MATRIX.T


def two_rings(n, seed, center=(3.0, -1.0)):
    """Two elliptical rings of one center, and the true log density of each row."""
    rng = np.random.default_rng(seed)
    radius = rng.choice([1.0, 2.0], n) + 0.05 * rng.normal(size=n)
    angle = rng.uniform(0.0, 2.0 * np.pi, n)
    matrix = np.array([[1.0, 0.0], [2.0, 3.0]])
    X = radius[:, None] * np.c_[np.cos(angle), np.sin(angle)] @ matrix.T + center
    z = (radius[:, None] - [1.0, 2.0]) / 0.05
    mode = np.exp(-0.5 * z**2).sum(axis=1) / (2.0 * 0.05 * np.sqrt(2.0 * np.pi))
    return X, np.log(mode) - np.log(2.0 * np.pi * radius) - np.log(3.0)


@pytest.mark.parametrize("df", [3.0, 10.0])
def test_a_student_t_is_learned(df):
    truth = multivariate_t(np.arange(3.0), COVARIANCE, df)
    X = truth.rvs(6000, random_state=0)
    model = RadialGaussianizer(random_state=0).fit(X[:2000])
    loss = np.mean(truth.logpdf(X[2000:]) - model.score_samples(X[2000:]))
    gaussian = Whitening().fit(X[:2000]).score(X[2000:])
    assert loss < 0.02
    assert model.score(X[2000:]) > gaussian + (0.3 if df == 3.0 else 0.02)


def test_a_scale_mixture_is_learned():
    rng = np.random.default_rng(0)
    scales = rng.choice([0.2, 2.0], 6000)
    X = scales[:, None] * rng.normal(size=(6000, 3)) @ MATRIX.T
    parts = [
        multivariate_normal(np.zeros(3), s**2 * COVARIANCE).logpdf(X)
        for s in (0.2, 2.0)
    ]
    truth = np.logaddexp(*parts) - np.log(2.0)
    model = RadialGaussianizer(random_state=0).fit(X[:2000])
    assert np.mean(truth[2000:] - model.score_samples(X[2000:])) < 0.03


@pytest.mark.parametrize("d", [1, 2, 5, 30])
def test_a_gaussian_hardly_costs_more_than_whitening(d):
    X = np.random.default_rng(d).normal(size=(6000, d))
    model = RadialGaussianizer(random_state=0).fit(X[:2000])
    gaussian = Whitening().fit(X[:2000]).score(X[2000:])
    assert model.score(X[2000:]) > gaussian - 0.005 * max(d, 2)


def test_rings_are_learned_where_mean_and_covariance_are_too_rough():
    X, _ = two_rings(1000, 0)
    X_test, truth = two_rings(5000, 1)
    model = RadialGaussianizer(random_state=0).fit(X)
    rough = RadialGaussianizer(n_refinements=0, random_state=0).fit(X)
    assert np.mean(truth) - model.score(X_test) < 0.03
    assert rough.score(X_test) < model.score(X_test) - 0.1
    assert model.n_refinements_ >= 1
    # The mean is off by 0.08 and more.
    assert_allclose(model.location_, [3.0, -1.0], atol=0.03)


def test_a_thin_ring_is_found_from_a_mean_that_is_not_its_center():
    rng = np.random.default_rng(0)
    angle, r = rng.uniform(0.0, 2.0 * np.pi, 300), rng.normal(1.0, 0.001, 300)
    X = r[:, None] * np.c_[np.cos(angle), np.sin(angle)]
    model = RadialGaussianizer(random_state=0).fit(X)
    assert_allclose(model.location_, 0.0, atol=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_four_circles_of_a_thousand_rows(seed):
    X, truth = make_concentric_circles(
        6000, random_state=10 + seed, return_log_density=True
    )
    model = RadialGaussianizer(random_state=0).fit(X[:1000])
    assert model.score(X[1000:]) > truth[1000:].mean() - 0.04


def test_the_density_integrates_to_one_over_the_plane():
    X, _ = two_rings(1000, 0)
    model = RadialGaussianizer(random_state=0).fit(X)
    edges = np.linspace(-14.0, 14.0, 1401)
    grid = np.stack(np.meshgrid(edges + 3.0, edges - 1.0), axis=-1).reshape(-1, 2)
    total = np.exp(model.score_samples(grid)).sum() * (edges[1] - edges[0]) ** 2
    assert total == pytest.approx(1.0, abs=2e-3)


@pytest.mark.skipif(
    "DESTRUCTORS_DATA" not in os.environ,
    reason="the environment variable DESTRUCTORS_DATA names no folder of data sets",
)
@pytest.mark.parametrize("name", ["wilt", "satellite"])
def test_tables_that_are_no_gaussians_gain_on_held_out_rows(name):
    with np.load(
        Path(os.environ["DESTRUCTORS_DATA"], "density", f"{name}.npz")
    ) as file:
        train, val = file["train"], file["val"]
    model = RadialGaussianizer(random_state=0).fit(train)
    assert model.score(val) > Whitening().fit(train).score(val) + 1.0


def test_samples_lie_on_the_rings():
    X, _ = two_rings(1000, 0)
    model = RadialGaussianizer(random_state=0).fit(X)
    drawn = model.sample(4000, random_state=0)
    white = np.linalg.solve([[1.0, 0.0], [2.0, 3.0]], (drawn - [3.0, -1.0]).T)
    radius = np.linalg.norm(white, axis=0)
    near = np.abs(radius[:, None] - [1.0, 2.0]).min(axis=1) < 0.2
    assert near.mean() > 0.99
    assert abs((radius < 1.5).mean() - 0.5) < 0.05


def test_the_center_is_finite_where_there_is_no_row_and_where_there_are_many():
    ring, _ = two_rings(500, 0)
    rng = np.random.default_rng(0)
    z = rng.normal(size=(100, 2))
    for X in (ring, np.vstack([np.zeros((100, 2)), z, -z])):
        model = RadialGaussianizer(random_state=0).fit(X)
        center = model.location_[None]
        assert np.isfinite(model.score_samples(center)).all()
        assert_allclose(
            model.inverse_transform(model.transform(center)), center, atol=1e-9
        )


def test_few_rows_are_not_refined():
    X = np.random.default_rng(0).standard_t(2.0, size=(100, 5))
    assert RadialGaussianizer(random_state=0).fit(X).n_refinements_ == 0


def test_what_it_is_made_of_can_be_chosen():
    X = np.random.default_rng(0).normal(size=(200, 2))
    model = RadialGaussianizer(
        SplineGaussianizer(n_knots=5), whitening=Standardize(), n_refinements=1
    )
    model.set_params(radius__n_knots=6).fit(X)
    assert model.radius_.n_knots == 6
    assert isinstance(model.whitening_, Standardize)
    assert model.n_refinements_ == 1
    assert not hasattr(model.radius, "map_")


@pytest.mark.parametrize("name", ["radius", "whitening"])
def test_parts_must_be_destructors(name):
    X = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(TypeError, match=f"{name} must be a Destructor or None, got 3"):
        RadialGaussianizer(**{name: 3}).fit(X)


def test_the_radius_must_end_on_the_normal():
    X = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(ValueError, match="radius must end on the standard normal"):
        RadialGaussianizer(NormalCDF()).fit(X)


@given(
    st.integers(1, 4),
    st.integers(2, 40),
    st.sampled_from(["normal", "cauchy", "lattice", "outlier"]),
    st.integers(0, 1000),
)
@settings(max_examples=25, deadline=None)
@pytest.mark.filterwarnings("ignore::destructors.exceptions.DataWarning")
def test_rows_of_any_kind_come_back(d, n, kind, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    if kind == "cauchy":
        X = rng.standard_cauchy(size=(n, d))
    elif kind == "lattice":
        X = np.round(X)
    elif kind == "outlier":
        X[0] *= 1e9
    model = RadialGaussianizer(SplineGaussianizer(), random_state=0).fit(X)
    Z = model.transform(X)
    assert np.isfinite(model.score_samples(X)).all()
    scale = np.abs(X).max(axis=0) + 1e-300
    assert np.abs((model.inverse_transform(Z) - X) / scale).max() < 1e-6


@pytest.mark.parametrize("seed", range(4))
def test_other_units_change_nothing(seed):
    """A search magnifies rounding, unless it is kept from it."""
    X = np.random.default_rng(seed).uniform(size=(150, 1 + seed % 2))
    model = RadialGaussianizer(random_state=0, n_refinements=3)
    scores = model.fit(X).score_samples(X)
    scaled = model.fit(1024.3 * X + 300.0).score_samples(1024.3 * X + 300.0)
    assert_allclose(scaled + X.shape[1] * np.log(1024.3), scores, atol=1e-6)


@pytest.mark.parametrize("exponent", [1, 5, 30, 100])
def test_powers_of_two_change_nothing_of_two_far_groups(exponent):
    X = Recipe(75, ("wide-gap",), (), "none", 1066929493).build().X
    scores = RadialGaussianizer(random_state=0).fit(X).score_samples(X)
    X = X * 2.0**exponent
    scaled = RadialGaussianizer(random_state=0).fit(X).score_samples(X)
    assert_allclose(scaled + exponent * np.log(2.0), scores, atol=1e-6)


def test_rows_that_only_rounding_parts_are_searched_in_one_order():
    X = Recipe(300, ("nearly-tied",), (), "none", 597818159).build().X
    model = RadialGaussianizer(n_refinements=2, whitening=Standardize())
    model.set_params(radius=SplineGaussianizer(), random_state=0)
    scores = model.fit(X).score_samples(X)
    scaled = model.fit(1024.0 * X).score_samples(1024.0 * X)
    assert_allclose(scaled + np.log(1024.0), scores, atol=1e-6)


def test_two_rows_are_no_spike():
    X = np.array([[0.014198871294495378], [999.2931344007102]])
    model = RadialGaussianizer(
        SplineGaussianizer(), whitening=Standardize(), n_refinements=2
    ).fit(X)
    rows = model.inverse_transform(np.linspace(-8.0, 8.0, 401)[:, None])
    assert (np.diff(rows[:, 0]) > 0.0).all()


def test_a_row_of_hardly_any_weight_comes_back():
    # It is far within the radius of all others, which is one number.
    X = np.array([[-0.5660405142493268], [0.2731605824088199], [-0.41160989826909294]])
    model = RadialGaussianizer(SplineGaussianizer(), whitening=Standardize())
    Z = model.fit(X, sample_weight=[1.0, 1.0, 1e-17]).transform(X)
    assert_allclose(model.inverse_transform(Z), X, rtol=1e-9)
