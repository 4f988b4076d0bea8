"""The portfolio default."""

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import make_moons

from destructors.datasets import make_concentric_circles
from destructors.flows import AutoDestructor, TreeFlow


def smooth(n, seed=0):
    """A table in which each column is a smooth function of others."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, size=(n, 2))
    y = np.sin(3 * x[:, 0]) * np.cos(2 * x[:, 1]) + 0.02 * rng.normal(size=n)
    z = np.tanh(2 * y + x[:, 0]) + 0.02 * rng.normal(size=n)
    return np.c_[x, y, z]


@pytest.mark.slow
def test_smooth_relations_are_found():
    X, X_test = smooth(4000), smooth(4000, seed=1)
    model = AutoDestructor(random_state=0, cv=None).fit(X)
    # Four thousand rows do not show all of the truth, 2.21.
    assert model.score(X_test) > 0.9
    flow = TreeFlow(random_state=0, cv=None).fit(X)
    assert model.score(X_test) > flow.score(X_test) - 0.05


@pytest.mark.slow
def test_is_not_behind_the_flow_it_extends():
    rng = np.random.default_rng(0)
    centers = rng.normal(scale=3, size=(6, 4))
    X = centers[rng.integers(6, size=5000)] + rng.standard_t(4, size=(5000, 4))
    train, test = X[:3000], X[3000:]
    auto = AutoDestructor(random_state=0, cv=None).fit(train)
    flow = TreeFlow(random_state=0, cv=None).fit(train)
    assert auto.score(test) > flow.score(test) - 0.05


def test_scores_rise_and_the_best_prefix_is_kept():
    X = smooth(800)
    model = AutoDestructor(random_state=0, cv=None).fit(X)
    scores = model.validation_score_
    assert model.n_iter_ == len(model.layers_) == len(scores) - 1
    # What brought less than the tolerance at the end is cut off.
    assert (scores[1:-1] < scores[-1] - model.tol).all()
    assert len(model.layer_names_) == model.n_iter_
    assert model.score_layers(X).shape == (model.n_iter_,)


def test_sliced_layers_come_last_and_gain():
    # A curve that no mixture of few normals follows, in directions of its own. On some
    # such rows trees leave nothing to gain.
    rng = np.random.default_rng(2)
    turn, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    spread = np.exp(0.5 * rng.normal(0, 3, size=(3000, 1)))
    X = np.hstack([rng.normal(size=(3000, 4)) * spread, 2 * np.log(spread)]) @ turn
    model = AutoDestructor(random_state=0, cv=None).fit(X)
    first = model.layer_names_.index("sliced")
    assert set(model.layer_names_[first:]) == {"sliced"}
    gains = np.diff(model.validation_score_)[first:]
    assert gains.sum() >= model.tol


def test_normal_data_cost_next_to_nothing():
    X = np.random.default_rng(0).normal(size=(3000, 3))
    X_test = np.random.default_rng(1).normal(size=(4000, 3))
    model = AutoDestructor(random_state=0, cv=None).fit(X)
    truth = stats.norm.logpdf(X_test).sum(axis=1).mean()
    assert truth - model.score(X_test) < 0.02


def test_circles_are_told_by_their_radius():
    X, truth = make_concentric_circles(3000, random_state=5, return_log_density=True)
    model = AutoDestructor(random_state=0).fit(X[:1000])
    assert model.layer_names_[0] == "radial"
    # The best published destructor stack is 0.36 nats from the truth.
    assert model.score(X[1000:]) > truth[1000:].mean() - 0.06


def test_what_has_no_center_does_not_start_with_a_radius():
    X, _ = make_moons(1000, noise=0.05, random_state=0)
    assert AutoDestructor(random_state=0, max_iter=1).fit(X).layer_names_ != ["radial"]


def test_a_heavy_tail_in_all_directions_costs_little():
    truth = stats.multivariate_t(np.zeros(5), np.eye(5) + 1.0, df=3.0)
    X = truth.rvs(6000, random_state=0)
    model = AutoDestructor(random_state=0).fit(X[:2000])
    assert model.layer_names_[0] == "radial"
    loss = np.mean(truth.logpdf(X[2000:]) - model.score_samples(X[2000:]))
    assert loss < 0.04


def test_two_threads_give_the_same_as_one():
    X = smooth(600)
    settings = {"random_state": 0, "cv": None, "max_iter": 2}
    one = AutoDestructor(**settings).fit(X)
    two = AutoDestructor(**settings, n_jobs=2).fit(X)
    np.testing.assert_array_equal(one.score_samples(X), two.score_samples(X))


@pytest.mark.parametrize("max_time", [0, -1.0, "fast"])
def test_bad_time_limit(max_time):
    with pytest.raises(ValueError, match="max_time"):
        AutoDestructor(max_time=max_time).fit(smooth(50))


@pytest.mark.parametrize("n", [2, 4])
def test_fewer_rows_than_folds_are_enough(n):
    X = np.random.default_rng(0).normal(size=(n, 1))
    model = AutoDestructor(random_state=0).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
