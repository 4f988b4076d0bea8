"""ParametricGaussianizer: the density of the best family."""

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone

import destructors
from destructors.marginal import ParametricGaussianizer
from destructors.rows import time_limit
from tests.fuzz.tables import Recipe


def draw(law, n=2000, seed=0):
    return law.rvs((n, 1), random_state=np.random.RandomState(seed))


def test_normal_family_is_the_sample_mean_and_deviation():
    x = np.random.default_rng(0).normal(3.0, 2.0, size=(400, 1))
    model = ParametricGaussianizer(["norm"]).fit(x)
    np.testing.assert_allclose(model.parameters_, [(x.mean(), x.std())])
    truth = stats.norm.logpdf(x[:, 0], x.mean(), x.std())
    np.testing.assert_allclose(model.score_samples(x), truth)
    np.testing.assert_allclose(model.transform(x), (x - x.mean()) / x.std(), atol=1e-9)


@pytest.mark.parametrize(
    ("law", "name"),
    [
        (stats.t(3, loc=5.0), "t"),
        (stats.gamma(2.0), "gamma"),
        (stats.lognorm(0.8, scale=100.0), "lognorm"),
        (stats.johnsonsu(-1.0, 1.5), "johnsonsu"),
        (stats.skewnorm(5.0), "skewnorm"),
    ],
)
def test_density_inside_is_that_of_scipy_and_near_the_truth(law, name):
    x, new = draw(law), draw(law, seed=1)
    model = ParametricGaussianizer([name]).fit(x)
    fitted = getattr(stats, name)(*model.parameters_[0])
    inside = new[(new > x.min()) & (new < x.max())][:, None]
    scores = model.score_samples(inside)
    np.testing.assert_allclose(scores, fitted.logpdf(inside[:, 0]), atol=1e-6)
    assert law.logpdf(inside).mean() - scores.mean() < 0.01


@pytest.mark.parametrize(
    ("law", "family"),
    [
        (stats.t(2), "t"),
        (stats.gamma(1.5), "gamma"),
        (stats.beta(0.6, 0.6), "beta"),
        (stats.expon(), "gamma"),
    ],
)
def test_family_is_chosen_by_held_out_rows(law, family):
    names = ["norm", "t", "gamma", "beta", "uniform"]
    model = ParametricGaussianizer(names).fit(draw(law))
    assert model.families_ == [family]


def test_default_families_cover_the_usual_columns():
    rng = np.random.RandomState(0)
    laws = [stats.norm(), stats.gamma(2.0), stats.t(3), stats.beta(2.0, 5.0)]
    train, test = (
        np.stack([law.rvs(800, random_state=rng) for law in laws], axis=1)
        for _ in range(2)
    )
    truth = sum(law.logpdf(x).mean() for law, x in zip(laws, test.T, strict=True))
    assert truth - ParametricGaussianizer().fit(train).score(test) < 0.08


def test_tails_do_not_saturate():
    model = ParametricGaussianizer(["t"]).fit(draw(stats.t(3)))
    far = np.array([[-1e12], [-1e6], [1e6], [1e12]])
    Z = model.transform(far)
    assert (np.diff(Z[:, 0]) > 1.0).all()
    np.testing.assert_allclose(model.inverse_transform(Z), far, rtol=1e-8)
    # The family's own density, far beyond where 1 - F(x) has digits.
    fitted = stats.t(*model.parameters_[0])
    np.testing.assert_allclose(
        model.score_samples(far), fitted.logpdf(far[:, 0]), rtol=1e-6
    )


def test_a_family_that_scipy_evaluates_badly_far_out_stays_monotone():
    model = ParametricGaussianizer(["skewnorm"]).fit(draw(stats.skewnorm(5.0)))
    grid = np.linspace(-10.0, 20.0, 100)[:, None]
    Z = model.transform(grid)
    assert (np.diff(Z[:, 0]) > 0).all()
    np.testing.assert_allclose(model.inverse_transform(Z), grid, atol=1e-6)


def test_result_does_not_depend_on_n_jobs():
    X = np.random.default_rng(0).gamma(2.0, size=(200, 3))
    one, two = (
        ParametricGaussianizer(["norm", "gamma"], n_jobs=n_jobs).fit(X).score_samples(X)
        for n_jobs in (1, 2)
    )
    np.testing.assert_array_equal(one, two)


def test_without_time_the_first_family_is_taken():
    x = draw(stats.gamma(1.5))
    with time_limit(0.0):
        model = ParametricGaussianizer(["norm", "gamma"]).fit(x)
    assert model.families_ == ["norm"]
    assert ParametricGaussianizer(["norm", "gamma"]).fit(x).families_ == ["gamma"]


@pytest.mark.parametrize("family", ["gamma", "beta", "johnsonsu", "weibull_min"])
def test_a_change_of_units_moves_scores_by_its_logarithm(family):
    X = np.random.default_rng(3).gamma(1.5, size=(60, 1))
    model = ParametricGaussianizer([family, "t"])
    before = clone(model).fit(X).score_samples(X)
    after = clone(model).fit(0.013 * X - 7.0).score_samples(0.013 * X - 7.0)
    np.testing.assert_allclose(after, before - np.log(0.013), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("far", [1e200, 1e300, -1e300])
def test_a_normal_with_one_value_far_out_is_followed_and_saved(far, tmp_path):
    x = np.r_[far, np.random.default_rng(0).normal(size=299)][:, None]
    model = ParametricGaussianizer(["norm"]).fit(x)
    sd = abs(far) * np.sqrt(299.0) / 300.0
    np.testing.assert_allclose(model.parameters_[0], (far / 300.0, sd), rtol=1e-12)
    truth = stats.norm.logpdf(x[:, 0] / sd, far / sd / 300.0) - np.log(sd)
    np.testing.assert_allclose(model.score_samples(x), truth)
    destructors.save(model, tmp_path / "model.npz")
    again = destructors.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(again.logpdf(x), model.score_samples(x))


def test_a_row_however_far_out_does_not_take_a_law_with_it():
    X = np.random.default_rng(0).gamma(4.0, size=(150, 1))
    X[7] = 1e300
    model = ParametricGaussianizer(["lognorm"]).fit(X)
    near = np.delete(X, 7, axis=0)
    Z = model.transform(near)
    assert abs(Z.mean()) < 0.2
    assert 0.8 < Z.std() < 1.2
    np.testing.assert_allclose(model.inverse_transform(Z), near, rtol=1e-8)
    assert np.isfinite(model.score_samples(X)).all()


def test_weights_and_values_over_hundreds_of_decades_give_a_normal():
    table = Recipe(
        n_rows=700,
        columns=("8-decades", "8-decades", "constant", "300-decades"),
        weights="600-decades",
        seed=1687962919,
    ).build()
    x = table.X[:, 3:]
    model = ParametricGaussianizer().fit(x, sample_weight=table.weight)
    Z, log_det = model.transform_and_log_det(x)
    assert np.isfinite(Z).all()
    assert np.isfinite(log_det).all()
    assert model.families_ == ["norm"]
