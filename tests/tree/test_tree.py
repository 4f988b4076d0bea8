"""TreeDestructor: its boxes, its density, and what its parameters do."""

import pickle

import numpy as np
import pytest
from scipy import stats
from sklearn.tree import DecisionTreeRegressor

from destructors.maps._cube import to_cube
from destructors.tree import TreeDestructor
from tests.tree.reference import find_box, gain_of_cut, leaf_boxes


def make_bent(n_samples, seed=0):
    """Two features on a parabola, and one that has nothing to do with them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n_samples)
    y = x**2 + 0.3 * rng.normal(size=n_samples)
    return np.c_[x, rng.normal(size=n_samples), y]


def make_checkerboard(n_samples, seed=0):
    """Uniform on the four black fields of a 4 × 2 board of unit squares."""
    rng = np.random.default_rng(seed)
    column = rng.integers(4, size=n_samples)
    return np.c_[column, column % 2] + rng.uniform(size=(n_samples, 2))


def in_cube(model, X):
    return to_cube((X - model.mean_) / model.scale_)


def relative_log_density(model, X):
    """Log density relative to the base, in nats."""
    Z = (X - model.mean_) / model.scale_
    base = model.base_distribution_.logpdf(Z) - np.log(model.scale_).sum()
    return model.score_samples(X) - base


# ---------------------------------------------------------------- the boxes


@pytest.mark.parametrize("splitter", ["best", "random"])
@pytest.mark.parametrize("weighted", [False, True])
def test_volume_of_a_leaf_is_its_probability(splitter, weighted):
    X = make_bent(2000)
    weight = np.random.default_rng(1).uniform(0.5, 2.0, 2000) if weighted else None
    model = TreeDestructor(splitter=splitter, random_state=0)
    model.fit(X, sample_weight=weight)
    boxes, images = leaf_boxes(model.map_[1].splits, 3)
    assert len(boxes) == model.n_leaves_ > 5
    leaves = [find_box(u, boxes) for u in in_cube(model, X)]
    mass = np.bincount(leaves, weight, minlength=len(boxes))
    volumes = np.prod(images[:, 1] - images[:, 0], axis=1)
    np.testing.assert_allclose(volumes, mass / mass.sum(), rtol=1e-5)
    # Where a row falls in the latent space tells its leaf too.
    latent = to_cube(model.transform(X))
    assert [find_box(u, images) for u in latent] == leaves


def test_density_is_constant_on_boxes_relative_to_the_base():
    X = make_bent(2000)
    model = TreeDestructor().fit(X)
    boxes, images = leaf_boxes(model.map_[1].splits, 3)
    new = make_bent(1000, seed=1)
    new = new[(np.abs((new - model.mean_) / model.scale_) < 5).all(axis=1)]
    leaves = [find_box(u, boxes) for u in in_cube(model, new)]
    volumes = np.prod(boxes[:, 1] - boxes[:, 0], axis=1)
    probabilities = np.prod(images[:, 1] - images[:, 0], axis=1)
    np.testing.assert_allclose(
        relative_log_density(model, new),
        np.log(probabilities / volumes)[leaves],
        atol=1e-9,
    )


def test_boxes_in_units_of_the_data_hold_their_rows():
    X = make_bent(2000) * [1.0, 50.0, 0.01] + [0.0, 7.0, 0.0]
    model = TreeDestructor().fit(X)
    boxes, probabilities = model.get_boxes()
    assert boxes.shape == (model.n_leaves_, 2, 3)
    assert probabilities.sum() == pytest.approx(1.0)
    leaves = model.apply(X)
    inside = (X[:, None] >= boxes[:, 0]) & (X[:, None] < boxes[:, 1])
    np.testing.assert_array_equal(inside.all(axis=2).sum(axis=1), 1)
    np.testing.assert_array_equal(inside.all(axis=2).argmax(axis=1), leaves)
    np.testing.assert_allclose(np.bincount(leaves) / 2000, probabilities, rtol=1e-5)
    far = model.apply(1e9 * X)
    assert np.isinf(boxes[far]).any(axis=1).all()


def test_one_leaf_is_one_box_without_end():
    model = TreeDestructor(min_gain=1e9).fit(make_bent(100))
    boxes, probabilities = model.get_boxes()
    np.testing.assert_array_equal(boxes, np.outer([-np.inf, np.inf], np.ones(3))[None])
    np.testing.assert_array_equal(probabilities, [1.0])
    np.testing.assert_array_equal(model.apply(make_bent(100)), 0)


def test_first_cut_is_the_best_of_all():
    X = make_bent(1000)
    model = TreeDestructor(max_leaf_nodes=2, max_bins=32).fit(X)
    U = in_cube(model, X)
    gains = {
        (f, k): gain_of_cut((U[:, f] < k / 32).sum(), 1000, k / 32, exact=True)
        for f in range(3)
        for k in range(1, 32)
        if 20 <= (U[:, f] < k / 32).sum() <= 980
    }
    [split] = model.map_[1].splits
    f, k = max(gains, key=gains.get)
    assert split["feature"] == f
    assert split["t_in"] == k / 32
    assert split["t_out"] == pytest.approx((U[:, f] < k / 32).mean(), rel=1e-6)
    assert model.feature_importances_[f] == pytest.approx(gains[f, k] / 1000)


# ---------------------------------------------------------------- what it learns


def test_step_density_is_recovered():
    rng = np.random.default_rng(0)
    make = lambda n: np.where(rng.uniform(size=n) < 0.8, 0, 1) + rng.uniform(size=n)
    X, X_test = make(20_000)[:, None], make(20_000)[:, None]
    truth = 0.8 * np.log(0.8) + 0.2 * np.log(0.2)
    model = TreeDestructor(max_bins=255).fit(X)
    assert model.score(X_test) == pytest.approx(truth, abs=0.05)


def test_checkerboard_is_recovered():
    model = TreeDestructor(max_bins=255).fit(make_checkerboard(20_000))
    # The truth is -log 4; no split of the first feature alone gains anything.
    assert model.score(make_checkerboard(20_000, seed=1)) > -np.log(4) - 0.15
    assert model.feature_importances_.min() > 0.1


@pytest.mark.parametrize("seed", range(5))
def test_normal_data_are_left_alone(seed):
    X = np.random.default_rng(seed).normal(size=(2000, 4))
    model = TreeDestructor().fit(X)
    assert model.n_leaves_ <= 3
    normal = stats.norm(X.mean(axis=0), X.std(axis=0)).logpdf(X).sum(axis=1).mean()
    assert model.score(X) == pytest.approx(normal, abs=0.02)


def test_a_constant_feature_is_never_cut():
    X = make_bent(1000)
    X[:, 1] = 3.0
    model = TreeDestructor(min_gain=0.0, min_samples_leaf=5).fit(X)
    assert (model.map_[1].splits["feature"] != 1).all()
    np.testing.assert_allclose(model.inverse_transform(model.transform(X)), X)


def test_importances_tell_the_relevant_features():
    X = make_bent(2000)
    model = TreeDestructor().fit(X)
    assert model.feature_importances_[1] < 0.02
    assert model.feature_importances_[[0, 2]].sum() > 0.3


def test_importances_sum_to_the_gain():
    X = make_bent(2000)
    X = X[(np.abs((X - X.mean(axis=0)) / X.std(axis=0)) < 4).all(axis=1)]
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    model = TreeDestructor().fit(X, sample_weight=weight)
    gain = np.average(relative_log_density(model, X), weights=weight)
    assert model.feature_importances_.sum() == pytest.approx(gain, rel=1e-6)


# ---------------------------------------------------------------- parameters


def leaf_masses(model, X, weight=None):
    boxes, _ = leaf_boxes(model.map_[1].splits, X.shape[1])
    leaves = [find_box(u, boxes) for u in in_cube(model, X)]
    return np.bincount(leaves, weight, minlength=len(boxes))


@pytest.mark.parametrize("least", [1, 50, 400])
def test_leaves_have_enough_rows(least):
    X = make_bent(1000)
    model = TreeDestructor(min_samples_leaf=least, min_gain=1.0).fit(X)
    assert model.n_leaves_ > 1
    assert leaf_masses(model, X).min() >= least


def test_leaves_have_enough_weight():
    X = make_bent(1000)
    weight = np.where(X[:, 0] > 0, 0.1, 1.0)
    model = TreeDestructor(min_samples_leaf=20).fit(X, sample_weight=weight)
    assert leaf_masses(model, X, weight).min() >= 20
    light = leaf_masses(model, X[X[:, 0] > 0])
    assert light[light > 0].max() >= 200


def test_depth_and_leaves_are_limited():
    X = make_bent(3000)
    free = TreeDestructor().fit(X)
    assert free.depth_ > 4
    assert free.n_leaves_ > 12
    shallow = TreeDestructor(max_depth=3).fit(X)
    assert shallow.depth_ == 3
    assert shallow.n_leaves_ <= 8
    few = TreeDestructor(max_leaf_nodes=7).fit(X)
    assert few.n_leaves_ == 7
    assert few.score(X) > shallow.score(X) - 0.2


def test_a_split_must_gain():
    X = make_bent(1000)
    n_leaves = [
        TreeDestructor(min_gain=gain).fit(X).n_leaves_ for gain in (1, 6, 30, 1e9)
    ]
    assert n_leaves == sorted(n_leaves, reverse=True)
    assert n_leaves[0] > n_leaves[-1] == 1


def test_one_leaf_is_the_identity_in_standard_units():
    X = make_bent(500)
    model = TreeDestructor(min_gain=1e9).fit(X)
    Z, log_det = model.transform_and_log_det(X)
    np.testing.assert_allclose(Z, (X - X.mean(axis=0)) / X.std(axis=0), rtol=1e-12)
    np.testing.assert_allclose(log_det, -np.log(X.std(axis=0)).sum())
    assert not model.feature_importances_.any()


def test_random_splitter_draws():
    X = make_bent(2000)
    cuts = [
        TreeDestructor(splitter="random", random_state=seed).fit(X).map_[1].splits
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(cuts[0], cuts[1])
    assert cuts[0].tobytes() != cuts[2].tobytes()


def test_fewer_drawn_features_cut_other_features():
    X = make_bent(2000)
    model = TreeDestructor(max_features=1, min_gain=0.0, random_state=0).fit(X)
    used = np.bincount(model.map_[1].splits["feature"], minlength=3)
    # All features gain a little, and each is drawn about as often.
    assert used.min() > 0.15 * used.sum()


@pytest.mark.parametrize("max_features", ["sqrt", "log2", 0.5, 2])
def test_shares_of_features(max_features):
    X = np.random.default_rng(0).exponential(size=(500, 4))
    assert TreeDestructor(max_features=max_features).fit(X).n_leaves_ > 1


def test_integer_weights_equal_repeated_rows():
    X = make_bent(800)
    weight = np.random.default_rng(0).integers(0, 4, size=800)
    for changes in ({}, {"max_features": 1}, {"max_leaf_nodes": 9}):
        model = TreeDestructor(random_state=0, min_samples_leaf=2, **changes)
        weighted = model.fit(X, sample_weight=weight).transform(X)
        repeated = model.fit(np.repeat(X, weight, axis=0)).transform(X)
        np.testing.assert_allclose(weighted, repeated, atol=1e-6)


# ---------------------------------------------------------------- far out


def test_rows_far_out_stay_finite_and_come_back():
    X = make_bent(2000)
    model = TreeDestructor().fit(X)
    for factor in (1.0, 3.0, 100.0, 1e8):
        Z, log_det = model.transform_and_log_det(factor * X)
        assert np.isfinite(Z).all()
        assert np.isfinite(log_det).all()
        back = model.inverse_transform(Z)
        np.testing.assert_allclose(back, factor * X, rtol=1e-9, atol=1e-9)


def test_a_coordinate_beyond_the_cube_keeps_its_normal_tail():
    model = TreeDestructor().fit(make_bent(2000))
    distance = np.linspace(6, 12, 50)
    rows = np.tile(model.mean_, (50, 1))
    rows[:, 1] += distance * model.scale_[1]
    Z = model.transform(rows)
    np.testing.assert_allclose(Z[:, 1], distance)
    # The other coordinates are mapped as on the face of the cube: all alike.
    assert np.ptp(Z[:, [0, 2]], axis=0).max() < 1e-12
    np.testing.assert_allclose(
        np.diff(model.score_samples(rows)), np.diff(-0.5 * distance**2)
    )


def test_density_falls_off_across_the_cutoff():
    model = TreeDestructor().fit(make_bent(2000))
    rows = np.tile(model.mean_, (2001, 1))
    rows[:, 1] += np.linspace(4, 6, 2001) * model.scale_[1]
    log_density = model.score_samples(rows)
    assert (np.diff(log_density) < 0.5).all()
    assert log_density[0] - log_density[-1] > 8


# ---------------------------------------------------------------- odds and ends


def test_pickle_is_small_and_faithful():
    X = make_bent(5000)
    model = TreeDestructor(min_gain=0.0, min_samples_leaf=5).fit(X)
    data = pickle.dumps(model)
    assert len(data) < 2500 + 16 * model.n_leaves_
    np.testing.assert_array_equal(pickle.loads(data).transform(X), model.transform(X))


@pytest.mark.parametrize(
    "bad",
    [
        {"max_depth": 0},
        {"max_leaf_nodes": 1},
        {"min_samples_leaf": -1},
        {"min_gain": -1.0},
        {"max_bins": 1},
        {"max_bins": 256},
        {"splitter": "worst"},
        {"max_features": 0},
        {"max_features": 1.5},
        {"max_features": 4},
        {"tree": 3},
    ],
)
def test_bad_parameters(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        TreeDestructor(**bad).fit(make_bent(100))


@pytest.mark.parametrize("given", [False, True])
def test_rows_in_all_but_empty_boxes_come_back(given):
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(1000, 2)), 10.0 ** rng.uniform(-8, 8, 1000)
    tree = DecisionTreeRegressor(random_state=0).fit(X, X[:, 0]) if given else None
    model = TreeDestructor(min_gain=0.0, min_samples_leaf=1e-9, tree=tree)
    model.fit(X, sample_weight=weight)
    far = np.r_[rng.uniform(-4.5, 4.5, (2000, 2)), rng.normal(size=(500, 2)) * 1e6]
    Z, log_det = model.transform_and_log_det(far)
    back, log_det_back = model.inverse_and_log_det(Z)
    np.testing.assert_allclose(back, far, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(log_det, -log_det_back, atol=1e-4)


@pytest.mark.parametrize("splitter", ["best", "look-ahead", "random"])
@pytest.mark.parametrize("value", [0.0, -1e9])
def test_rows_of_a_constant_column_alone_come_back(splitter, value):
    X = np.full((60, 1), value)
    model = TreeDestructor(splitter=splitter, random_state=0).fit(X)
    Z, log_det = model.transform_and_log_det(X)
    back, log_det_back = model.inverse_and_log_det(Z)
    np.testing.assert_allclose(back, X, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(log_det_back, -log_det)


def test_a_column_over_the_whole_range_of_numbers_is_mapped_both_ways():
    X = np.array([[-5e307], [-4.7e307], [5e307], [1e307]])
    model = TreeDestructor(random_state=0).fit(X)
    np.testing.assert_allclose(model.inverse_transform(model.transform(X)), X, 1e-6)
    assert np.isfinite(model.inverse_transform([[1e5], [-1e5]])).all()
