"""RBIG: marginals and rotations in turn, until nothing is left to gain."""

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from destructors.compose import IterativeDestructor, make_destructor_pipeline
from destructors.flows import RBIG
from destructors.linear import PCARotation, RandomRotation, Whitening
from destructors.marginal import HistogramGaussianizer, SplineGaussianizer

ROTATIONS = {"pca": PCARotation, "random": RandomRotation}


def rings(n_samples, seed):
    """Two rings, and the log density of each row."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, size=n_samples)
    radius = rng.choice([2.0, 5.0], size=n_samples) + rng.normal(0, 0.2, n_samples)
    X = radius[:, None] * np.c_[np.cos(angle), np.sin(angle)]
    of_radius = np.logaddexp(
        stats.norm.logpdf(radius, 2.0, 0.2), stats.norm.logpdf(radius, 5.0, 0.2)
    )
    return X, of_radius - np.log(2.0) - np.log(2 * np.pi * radius)


@pytest.fixture(scope="module")
def X():
    return rings(2000, seed=0)[0]


# ---------------------------------------------------------------- layers


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_a_layer_is_a_marginal_and_a_rotation(X, rotation):
    model = RBIG(rotation=rotation, max_iter=2, random_state=0).fit(X)
    for layer in model:
        marginal, turn = layer
        assert isinstance(marginal, SplineGaussianizer)
        assert isinstance(turn, ROTATIONS[rotation])


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_it_is_the_greedy_stack_of_that_layer(X, rotation):
    layer = make_destructor_pipeline(SplineGaussianizer(), ROTATIONS[rotation]())
    settings = {"max_iter": 4, "random_state": 0}
    stack = IterativeDestructor([("layer", layer)], **settings).fit(X)
    model = RBIG(rotation=rotation, **settings).fit(X)
    np.testing.assert_array_equal(model.score_samples(X), stack.score_samples(X))


def test_marginal_of_ones_own(X):
    model = RBIG(HistogramGaussianizer(n_bins=20), max_iter=2, random_state=0).fit(X)
    assert all(isinstance(layer[0], HistogramGaussianizer) for layer in model)
    model.set_params(marginal__n_bins=5).fit(X)
    assert all(len(p) <= 5 for layer in model for p in layer[0].probabilities_)


def test_seed_turns_the_rotations(X):
    model = RBIG(rotation="random", max_iter=2, early_stopping=False, random_state=0)
    one, same = clone(model).fit(X), clone(model).fit(X)
    other = clone(model).set_params(random_state=1).fit(X)
    np.testing.assert_array_equal(one.score_samples(X), same.score_samples(X))
    assert np.abs(one[0][1].rotation_ - other[0][1].rotation_).max() > 1e-3
    assert np.abs(one[0][1].rotation_ - one[1][1].rotation_).max() > 1e-3


# ---------------------------------------------------------------- the density


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_far_closer_to_a_known_density_than_a_gaussian(rotation):
    X, _ = rings(5000, seed=0)
    X_test, log_density = rings(5000, seed=1)
    model = RBIG(rotation=rotation, random_state=0).fit(X)
    truth, gaussian = log_density.mean(), Whitening().fit(X).score(X_test)
    assert model.score(X_test) < truth + 0.05
    assert truth - model.score(X_test) < 0.5 * (truth - gaussian)


def test_normal_data_cost_next_to_nothing():
    rng = np.random.default_rng(0)
    X, X_test = rng.normal(size=(1000, 5)), rng.normal(size=(5000, 5))
    truth = stats.norm.logpdf(X_test).sum(axis=1).mean()
    for stopping in ("likelihood", "total_correlation"):
        model = RBIG(stopping=stopping, random_state=0).fit(X)
        assert truth - model.score(X_test) < 5 * 0.01


def test_correlated_normal_data_are_solved():
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(4, 4))
    X, X_test = rng.normal(size=(5000, 4)) @ mix, rng.normal(size=(5000, 4)) @ mix
    truth = stats.multivariate_normal(cov=mix.T @ mix).logpdf(X_test).mean()
    assert truth - RBIG(random_state=0).fit(X).score(X_test) < 4 * 0.02


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_latent_of_new_rows_is_nearly_normal(rotation):
    X, _ = rings(5000, seed=0)
    X_test, _ = rings(2000, seed=1)
    Z = RBIG(rotation=rotation, random_state=0).fit(X).transform(X_test)
    assert np.abs(np.cov(Z.T) - np.eye(2)).max() < 0.15
    # Twice the 0.1 % point of the one-sample Kolmogorov-Smirnov statistic.
    for column in Z.T:
        assert stats.kstest(column, "norm").statistic < 2 * 1.95 / np.sqrt(2000)


# ---------------------------------------------------------------- total correlation


def test_normal_data_have_no_total_correlation_to_reduce():
    for seed in range(3):
        X = np.random.default_rng(seed).normal(size=(1000, 4))
        model = RBIG(stopping="total_correlation", random_state=0).fit(X)
        # The first layer may still mend what the sample has by chance.
        assert model.n_iter_ <= 2


def test_correlated_normal_data_need_few_layers():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 4)) @ rng.normal(size=(4, 4))
    model = RBIG(stopping="total_correlation", random_state=0).fit(X)
    assert 1 <= model.n_iter_ <= 4


def test_structured_data_need_more(X):
    model = RBIG(stopping="total_correlation", rotation="random", random_state=0)
    assert model.fit(X).n_iter_ > 6


def test_all_rows_are_trained_on(X):
    model = RBIG(stopping="total_correlation", random_state=0).fit(X, X_val=X[:100])
    assert model.validation_score_.size == 0
    baseline = stats.norm.logpdf(X).sum(axis=1).mean()
    assert model.train_score_[0] == pytest.approx(baseline)
    np.testing.assert_allclose(model.train_score_[-1], model.score(X))


def test_patience_is_the_number_of_layers_in_vain(X):
    settings = {"stopping": "total_correlation", "rotation": "random"}
    hasty = RBIG(**settings, n_iter_no_change=1, random_state=0).fit(X)
    patient = RBIG(**settings, n_iter_no_change=8, random_state=0).fit(X)
    assert hasty.n_iter_ <= patient.n_iter_
    assert hasty.score(X) <= patient.score(X)


def test_weights_equal_repeated_rows_by_total_correlation(X):
    weight = np.random.default_rng(0).integers(0, 3, size=len(X))
    model = RBIG(stopping="total_correlation", rotation="random", random_state=0)
    weighted = clone(model).fit(X, sample_weight=weight)
    repeated = clone(model).fit(np.repeat(X, weight, axis=0))
    assert weighted.n_iter_ == repeated.n_iter_
    np.testing.assert_allclose(weighted.train_score_, repeated.train_score_)


def test_stopping_can_change_on_a_warm_start(X):
    model = RBIG(rotation="random", max_iter=3, warm_start=True, random_state=0).fit(X)
    model.set_params(stopping="total_correlation", max_iter=30).fit(X)
    assert 3 < model.n_iter_ <= 30


@pytest.mark.parametrize("stopping", ["likelihood", "total_correlation"])
def test_three_layers_and_then_six_are_six(X, stopping):
    model = RBIG(rotation="random", stopping=stopping, random_state=0)
    at_once = clone(model).set_params(max_iter=6).fit(X)
    model.set_params(warm_start=True, max_iter=3).fit(X)
    model.set_params(max_iter=6).fit(X)
    assert model.n_iter_ == at_once.n_iter_
    np.testing.assert_allclose(model.score_samples(X), at_once.score_samples(X))


def test_without_early_stopping_there_are_max_iter_layers(X):
    for stopping in ("likelihood", "total_correlation"):
        model = RBIG(stopping=stopping, early_stopping=False, max_iter=7)
        assert model.fit(X).n_iter_ == 7


# ---------------------------------------------------------------- sklearn citizen


def test_grid_search_in_a_sklearn_pipeline(X):
    pipeline = make_pipeline(StandardScaler(), RBIG(rotation="random", random_state=0))
    search = GridSearchCV(pipeline, {"rbig__max_iter": [1, 10]}, cv=2).fit(X)
    assert search.best_params_ == {"rbig__max_iter": 10}


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine])
def test_real_data_gain_over_a_gaussian(load):
    X = np.random.default_rng(0).permutation(load().data)
    train, test = X[::2], X[1::2]
    model = RBIG(random_state=0).fit(train)
    assert model.score(test) > Whitening().fit(train).score(test)


@pytest.mark.parametrize(
    "params", [{"rotation": "ica"}, {"stopping": "train"}, {"marginal": "spline"}]
)
def test_bad_parameters(X, params):
    with pytest.raises(ValueError, match=f"'{next(iter(params))}' parameter of RBIG"):
        RBIG(**params).fit(X)


# ---------------------------------------------------------------- numbers


def test_a_column_given_twice_does_not_tie_a_row_to_its_neighbours(X):
    X = np.c_[X, 2.0 * X[:, 0]]
    model = RBIG(random_state=0).fit(X)
    alone = [model.score_samples(row[None])[0] for row in X[:20]]
    np.testing.assert_array_equal(model.score_samples(X)[:20], alone)


def test_a_constant_offset_changes_nothing(X):
    scores = RBIG(random_state=0).fit(X).score_samples(X)
    moved = X * [1.0, 1e3] + [1e6, 0.0]
    np.testing.assert_allclose(
        RBIG(random_state=0).fit(moved).score_samples(moved) + np.log(1e3),
        scores,
        atol=1e-6,
    )
    assert np.isfinite(RBIG(random_state=0).fit(X + 1e9).score(X + 1e9))


def test_a_column_given_twice_makes_no_direction_of_rounding_errors(X):
    train, test = X[:1000], X[1000:]
    copy = [[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]]
    model = RBIG(random_state=0).fit(train @ copy)
    # A row a little off the plane of the others is a little less likely, not lost.
    off = test @ copy + [0.0, 0.0, 1e-9]
    np.testing.assert_allclose(
        model.score_samples(off), model.score_samples(test @ copy), atol=1e-3
    )
    back = model.inverse_transform(model.transform(off))
    np.testing.assert_allclose(back, off, atol=1e-9)
    moved = train @ copy * [1e3, 1.0, 1e-3] + [0.0, 5.0, 0.0]
    scores = RBIG(random_state=0).fit(moved).score_samples(moved)
    # Axes of nearly equal variance are told apart by the last bits, layer after layer.
    np.testing.assert_allclose(scores, model.score_samples(train @ copy), atol=0.1)
