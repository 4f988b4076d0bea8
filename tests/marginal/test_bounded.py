"""BoundedSupport: no mass beyond the bounds."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.integrate import quad

from destructors.compose import make_destructor_pipeline
from destructors.marginal import BoundedSupport, SplineGaussianizer

# ---------------------------------------------------------------- closed forms


def test_two_bounds_are_the_uniform():
    x = np.linspace(-1.0, 3.0, 101)[1:-1, None]
    model = BoundedSupport(-1.0, 3.0).fit(x)
    np.testing.assert_allclose(np.exp(model.score_samples(x)), 0.25)


def test_lower_bound_is_the_log_normal():
    x = np.random.default_rng(0).gamma(2.0, size=(100, 1)) + 5.0
    np.testing.assert_allclose(
        BoundedSupport(low=5.0).fit(x).score_samples(x),
        stats.lognorm(1.0, loc=5.0).logpdf(x[:, 0]),
    )


def test_upper_bound_mirrors_the_lower():
    x = np.random.default_rng(0).gamma(2.0, size=(100, 1))
    lower, upper = BoundedSupport(low=0.0).fit(x), BoundedSupport(high=0.0).fit(-x)
    np.testing.assert_allclose(upper.transform(-x), -lower.transform(x))
    np.testing.assert_allclose(upper.score_samples(-x), lower.score_samples(x))


def test_no_bounds_leave_features_alone(X):
    Z, log_det = BoundedSupport().fit(X).transform_and_log_det(X)
    np.testing.assert_array_equal(Z, X)
    np.testing.assert_array_equal(log_det, 0.0)


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (0.0, None), (None, 1.0), ("learned", "learned")]
)
def test_order_is_kept_and_the_inverse_exact(low, high):
    x = np.sort(np.random.default_rng(0).beta(0.3, 0.5, size=500))[:, None]
    model = BoundedSupport(low, high).fit(x)
    Z, log_det = model.transform_and_log_det(x)
    assert (np.diff(Z[:, 0]) > 0).all()
    back, inverse_log_det = model.inverse_and_log_det(Z)
    np.testing.assert_allclose(back, x, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(inverse_log_det, -log_det)


# ---------------------------------------------------------------- no leak


def test_all_mass_of_a_stack_lies_within():
    x = np.random.default_rng(0).beta(2.0, 0.7, size=(500, 1))
    model = make_destructor_pipeline(BoundedSupport(0.0, 1.0), SplineGaussianizer())
    model.fit(x)
    samples = model.sample(5000, random_state=0)
    assert ((samples >= 0.0) & (samples <= 1.0)).all()
    score = lambda u: float(np.exp(model.score_samples([[u]])[0]))
    middle = quad(score, 1e-3, 1 - 1e-3, limit=500, epsabs=1e-6)[0]
    # The density is unbounded at 1; nearer to the bounds it is counted in samples.
    edges = np.mean((samples < 1e-3) | (samples > 1 - 1e-3))
    assert middle + edges == pytest.approx(1.0, abs=0.01)


def test_known_bounds_beat_unknown_ones():
    rng = np.random.default_rng(0)
    x, new = rng.beta(0.8, 0.8, (1000, 1)), rng.beta(0.8, 0.8, (5000, 1))
    bounded = make_destructor_pipeline(BoundedSupport(0.0, 1.0), SplineGaussianizer())
    truth = stats.beta(0.8, 0.8).logpdf(new).mean()
    assert truth - bounded.fit(x).score(new) < 0.02
    assert bounded.score(new) > SplineGaussianizer().fit(x).score(new)


# ---------------------------------------------------------------- bounds


def test_bounds_by_feature():
    X = np.random.default_rng(0).uniform(1.0, 2.0, size=(50, 4))
    model = BoundedSupport(low=[0.0, 1.0, None, "learned"], high=[3.0, None, np.inf, 9])
    model.fit(X)
    np.testing.assert_allclose(model.low_[:3], [0.0, 1.0, -np.inf])
    np.testing.assert_allclose(model.high_, [3.0, np.inf, np.inf, 9.0])
    assert model.low_[3] == pytest.approx(X[:, 3].min() - 0.01 * np.ptp(X[:, 3]))
    assert np.isfinite(model.score(X))


def test_learned_bounds_have_the_stated_margin():
    x = np.array([[2.0], [3.0], [6.0]])
    model = BoundedSupport("learned", "learned", margin=0.25).fit(x)
    assert (model.low_[0], model.high_[0]) == (1.0, 7.0)


@pytest.mark.parametrize("value", [0.0, 1e300, -1e12])
def test_learned_bounds_of_a_constant_column(value):
    x = np.full((5, 1), value)
    model = BoundedSupport("learned", "learned").fit(x)
    assert model.low_[0] < value < model.high_[0]
    assert np.isfinite(model.score_samples(x)).all()


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.0, None), (None, 1.0)])
def test_values_on_a_bound_and_far_latents_stay_finite(low, high):
    x = np.array([[0.0], [0.5], [1.0]])
    model = BoundedSupport(low, high).fit(x)
    Z, log_det = model.transform_and_log_det(x)
    assert np.isfinite(Z).all()
    assert np.isfinite(log_det).all()
    assert (np.diff(Z[:, 0]) > 0).all()
    far = np.array([[-1e100], [-50.0], [50.0], [1e100]])
    X, log_det = model.inverse_and_log_det(far)
    assert np.isfinite(X).all()
    assert np.isfinite(log_det).all()


# ---------------------------------------------------------------- errors


def test_training_rows_beyond_the_bounds_are_named(X):
    frame = pd.DataFrame(X, columns=["age", "income"])
    message = r"Training rows lie beyond the bounds in column\(s\) age: \[0, inf\]"
    with pytest.raises(ValueError, match=message):
        BoundedSupport(low=0.0).fit(frame)


def test_new_rows_beyond_the_bounds():
    x = np.random.default_rng(0).uniform(size=(20, 2))
    model = BoundedSupport(0.0, 1.0).fit(x)
    for method in ("transform", "score_samples"):
        with pytest.raises(ValueError, match=r"Rows lie beyond .* column\(s\) 1"):
            getattr(model, method)([[0.5, 1.5]])
    model = BoundedSupport(0.0, 1.0, out_of_bounds="clip").fit(x)
    assert model.score_samples([[0.5, 1.5]]) == -np.inf
    assert np.isfinite(model.transform([[0.5, 1.5]])).all()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (BoundedSupport(1e9, -1e9), r"low is not below high in column\(s\) 0, 1"),
        (BoundedSupport([-1e9]), r"low has 1 bounds for 2 feature\(s\)"),
        (BoundedSupport(high=[1e9, "much"]), "number, None or \"learned\"; got 'much'"),
        (BoundedSupport(high=[1e9, np.nan]), "number, None or"),
        (BoundedSupport("much"), "'low' parameter of BoundedSupport"),
        (BoundedSupport(margin=0.0), "'margin' parameter of BoundedSupport"),
        (BoundedSupport(out_of_bounds="nan"), "'out_of_bounds' parameter"),
    ],
)
def test_bad_parameters(model, message, X):
    with pytest.raises(ValueError, match=message):
        model.fit(X)
