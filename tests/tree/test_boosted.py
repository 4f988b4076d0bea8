"""BoostedTreeDestructor: what many small steps learn, and what its parameters do."""

import pickle

import numpy as np
import pytest
from scipy import stats

from destructors.tree import BoostedTreeDestructor, TreeDestructor
from tests.tree.reference import leaf_boxes


def make_ring(n_samples, seed=0):
    """Two features on a ring, and one that has nothing to do with them."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0.0, 2.0 * np.pi, n_samples)
    ring = np.c_[np.cos(angle), np.sin(angle)]
    return np.c_[ring, np.zeros(n_samples)] + rng.normal(size=(n_samples, 3)) * [
        0.15,
        0.15,
        1.0,
    ]


def true_score():
    """Mean log density of `X_TEST` under the truth."""
    angle = np.linspace(0.0, 2.0 * np.pi, 2000, endpoint=False)
    apart = [X_TEST[:, :1] - np.cos(angle), X_TEST[:, 1:2] - np.sin(angle)]
    given_angle = stats.norm(scale=0.15).pdf(apart).prod(axis=0)
    alone = stats.norm.logpdf(X_TEST[:, 2])
    return (np.log(given_angle.mean(axis=1)) + alone).mean()


X, X_TEST = make_ring(4000), make_ring(2000, seed=1)
FEW = {"max_iter": 15, "early_stopping": False, "random_state": 0}


@pytest.fixture(scope="module")
def model():
    return BoostedTreeDestructor(random_state=0).fit(X)


# ---------------------------------------------------------------- what it learns


def test_comes_near_the_truth(model):
    assert model.n_iter_ > 20
    assert model.score(X_TEST) > true_score() - 0.2
    assert model.score(X_TEST) > TreeDestructor().fit(X).score(X_TEST) + 0.05


def test_latent_is_nearer_to_the_base(model):
    Z = model.transform(X_TEST)
    radius = np.hypot(Z[:, 0], Z[:, 1])
    # Of the base the radius is Rayleigh; of the ring it hardly varies.
    assert stats.kstest(radius, stats.rayleigh.cdf).statistic < 0.06


@pytest.mark.parametrize("seed", range(3))
def test_normal_data_get_no_or_few_trees(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(3000, 4))
    model = BoostedTreeDestructor(random_state=seed).fit(X)
    assert model.n_iter_ <= 5
    new = rng.normal(size=(5000, 4))
    assert model.score(new) > stats.norm.logpdf(new).sum(axis=1).mean() - 0.02


def test_importances_tell_the_relevant_features(model):
    ring, rest = model.feature_importances_[:2], model.feature_importances_[2]
    assert ring.min() > 3.0 * rest


def test_importances_sum_to_the_gain_of_training_rows():
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    model = BoostedTreeDestructor(**FEW).fit(X, sample_weight=weight)
    assert (np.abs((X - model.mean_) / model.scale_) < 5.0).all()
    assert model.feature_importances_.sum() == pytest.approx(
        model.train_score_[-1], rel=1e-5
    )


def test_scores_tell_the_gain_over_the_base(model):
    Z = (X_TEST - model.mean_) / model.scale_
    base = model.base_distribution_.logpdf(Z) - np.log(model.scale_).sum()
    watched = BoostedTreeDestructor(random_state=0).fit(X, X_val=X_TEST)
    gain = watched.score(X_TEST) - base.mean()
    # Other rows are trained on, so standard units differ a little.
    assert watched.validation_score_[-1] == pytest.approx(gain, abs=2e-3)
    assert watched.validation_score_[0] == watched.train_score_[0] == 0.0
    assert (np.diff(watched.train_score_) > 0.0).all()


# ---------------------------------------------------------------- stages


def test_stages_are_truncated_models():
    model = BoostedTreeDestructor(**FEW).fit(X)
    stages = list(model.staged_score_samples(X_TEST))
    assert len(stages) == model.n_iter_ == 15
    for n_trees in (1, 7, 15):
        short = BoostedTreeDestructor(**{**FEW, "max_iter": n_trees}).fit(X)
        np.testing.assert_allclose(
            stages[n_trees - 1], short.score_samples(X_TEST), atol=1e-9
        )
    # Each is a copy.
    assert len({scores.tobytes() for scores in stages}) == 15


# ---------------------------------------------------------------- the steps


def first_tree(**changes):
    model = BoostedTreeDestructor(**{**FEW, "max_iter": 1, **changes}).fit(X)
    return model, model.map_[1].splits


@pytest.mark.parametrize("learning_rate", [0.1, 1.0])
@pytest.mark.parametrize("scale_decay", [0.0, 2.0])
def test_steps_shrink_with_the_volume(learning_rate, scale_decay):
    _, splits = first_tree(learning_rate=learning_rate, scale_decay=scale_decay)
    _, full = first_tree(learning_rate=1.0, scale_decay=0.0)
    np.testing.assert_array_equal(splits["node"], full["node"])
    boxes = {0: np.repeat([[0.0], [1.0]], 3, axis=1)}
    images, full_images = dict(boxes), dict(boxes)
    for k, (split, full_split) in enumerate(zip(splits, full, strict=True)):
        node, f, t = int(split["node"]), split["feature"], float(split["t_in"])
        box, image, full_image = boxes[node], images[node], full_images[node]
        share = lambda t, box: (t - box[0, f]) / (box[1, f] - box[0, f])  # noqa: B023
        v, p = share(t, box), share(float(full_split["t_out"]), full_image)
        q = share(float(split["t_out"]), image)
        volume = np.prod(box[1] - box[0])
        step = learning_rate * (1.0 - np.log2(volume)) ** -scale_decay
        if volume > 1e-3:
            assert q == pytest.approx(v + step * (p - v), abs=1e-4)
        for child, side in ((2 * k + 1, 1), (2 * k + 2, 0)):
            for place, cut in (
                (boxes, t),
                (images, float(split["t_out"])),
                (full_images, float(full_split["t_out"])),
            ):
                place[child] = place[node].copy()
                place[child][side, f] = cut


def test_steps_are_larger_where_rows_are_many():
    weight = np.full(len(X), 2_000_000 / len(X))
    few, many = (
        BoostedTreeDestructor(**FEW).fit(X, sample_weight=w) for w in (None, weight)
    )
    given = [BoostedTreeDestructor(learning_rate=c, **FEW).fit(X) for c in (0.2, 0.4)]
    assert few.map_ == given[0].map_
    first, expected = (m.map_[1][0].splits[0] for m in (many, given[1]))
    assert first == expected


def test_each_tree_shifts_the_bins():
    model = BoostedTreeDestructor(**FEW, max_bins=8).fit(X)
    cuts = []
    for i in range(model.n_iter_):
        tree = model.map_[1][i].splits
        cuts.append(np.unique(tree["t_in"][tree["feature"] == 0]))
        # A grid of seventh parts of the unit interval, with a rest at either end.
        steps = 7.0 * np.diff(cuts[-1])
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-5)
    assert len(np.unique(np.concatenate(cuts))) > 60


# ---------------------------------------------------------------- parameters


def test_depth_leaves_and_rows_are_limited():
    for limit in ({"max_depth": 3}, {"max_leaf_nodes": 5}):
        model = BoostedTreeDestructor(**FEW, **limit).fit(X)
        most = 8 if "max_depth" in limit else 5
        sizes = [len(model.map_[1][i].splits) + 1 for i in range(model.n_iter_)]
        assert max(sizes) == most
    model = BoostedTreeDestructor(**FEW, max_depth=None, min_samples_leaf=500).fit(X)
    assert all(1 <= len(model.map_[1][i].splits) <= 7 for i in range(model.n_iter_))


def test_leaves_have_enough_weight():
    weight = np.where(X[:, 0] > 0, 0.25, 1.0)
    model = BoostedTreeDestructor(**{**FEW, "max_iter": 1}, min_samples_leaf=50)
    model.fit(X, sample_weight=weight)
    boxes, _ = leaf_boxes(model.map_[1].splits, 3)
    U = stats.norm.cdf((X - model.mean_) / model.scale_)
    inside = ((U[:, None] >= boxes[:, 0]) & (U[:, None] < boxes[:, 1])).all(axis=2)
    masses = weight @ inside
    assert len(masses) > 20
    # Rows within rounding of a cut may stand on its other side.
    assert masses.min() > 50 - 2


def test_subsample_grows_on_part_of_the_rows():
    half = BoostedTreeDestructor(**FEW, subsample=0.5, min_samples_leaf=1).fit(X)
    all_rows = BoostedTreeDestructor(**FEW, min_samples_leaf=1).fit(X)
    sizes = [np.mean(np.diff(model.map_[1].starts)) for model in (half, all_rows)]
    assert 0.4 < sizes[0] / sizes[1] < 0.75
    # Another part each time.
    assert half.score(X_TEST) > all_rows.score(X_TEST) - 0.1


def test_smallest_subsample_still_grows():
    model = BoostedTreeDestructor(**FEW, subsample=1e-9).fit(X[:50])
    assert model.n_iter_ == 15
    assert np.isfinite(model.score(X_TEST))


def test_drawn_features_are_drawn_anew():
    model = BoostedTreeDestructor(**FEW, max_features=1).fit(X)
    used = np.bincount(model.map_[1].splits["feature"], minlength=3)
    assert used.min() > 0.2 * used.sum()
    first = [model.map_[1][i].splits["feature"][0] for i in range(15)]
    assert len(set(first)) == 3


def test_random_state():
    fits = [
        BoostedTreeDestructor(**{**FEW, "random_state": seed}, subsample=0.7).fit(X)
        for seed in (0, 0, 1, np.random.RandomState(0))
    ]
    Z = [model.transform(X_TEST) for model in fits]
    np.testing.assert_array_equal(Z[0], Z[1])
    np.testing.assert_array_equal(Z[0], Z[3])
    assert np.abs(Z[0] - Z[2]).max() > 0.01


def test_threads_give_the_same():
    crowd = np.resize(X, (60_000, 3))
    one, two = (BoostedTreeDestructor(**FEW, n_jobs=n).fit(X) for n in (1, 2))
    np.testing.assert_array_equal(one.transform(crowd), two.transform(crowd))
    np.testing.assert_array_equal(
        one.sample(60_000, random_state=0), two.sample(60_000, random_state=0)
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"max_features": 1},
        {"subsample": 0.5},
        {"max_leaf_nodes": 20, "max_features": 2},
        {"early_stopping": True, "max_iter": 40},
        {"early_stopping": True, "cv": 3},
    ],
)
def test_integer_weights_equal_repeated_rows(changes):
    rows = X[:600]
    weight = np.random.default_rng(0).integers(0, 4, size=600)
    model = BoostedTreeDestructor(**{**FEW, "min_samples_leaf": 2, **changes})
    weighted = model.fit(rows, sample_weight=weight).transform(rows)
    n_iter = model.n_iter_
    repeated = model.fit(np.repeat(rows, weight, axis=0)).transform(rows)
    assert n_iter == model.n_iter_ > 0
    np.testing.assert_allclose(weighted, repeated, atol=1e-8)


# ---------------------------------------------------------------- far out


@pytest.mark.parametrize("factor", [1.0, 3.0, 100.0, 1e8])
def test_rows_far_out_stay_finite_and_come_back(model, factor):
    rows = factor * X_TEST
    Z, log_det = model.transform_and_log_det(rows)
    assert np.isfinite(Z).all()
    assert np.isfinite(log_det).all()
    np.testing.assert_allclose(model.inverse_transform(Z), rows, rtol=1e-8, atol=1e-8)


def test_round_trip_of_samples(model):
    samples = model.sample(5000, random_state=0)
    Z, log_det = model.transform_and_log_det(samples)
    back, back_log_det = model.inverse_and_log_det(Z)
    np.testing.assert_allclose(back, samples, atol=1e-9)
    np.testing.assert_allclose(back_log_det, -log_det, atol=1e-9)


def test_heavy_tails_and_ties_are_no_trouble():
    rng = np.random.default_rng(0)
    rows = np.c_[
        rng.standard_cauchy(3000), rng.integers(0, 3, 3000), np.zeros(3000)
    ].astype(float)
    model = BoostedTreeDestructor(random_state=0, max_iter=50).fit(rows)
    Z, log_det = model.transform_and_log_det(rows)
    assert np.isfinite(Z).all()
    assert np.isfinite(log_det).all()
    np.testing.assert_allclose(model.inverse_transform(Z), rows, rtol=1e-6, atol=1e-9)


# ---------------------------------------------------------------- odds and ends


def test_pickle_is_small_and_faithful(model):
    data = pickle.dumps(model)
    n_splits = len(model.map_[1].splits)
    assert len(data) < 5000 + 16 * n_splits + 100 * model.n_iter_
    np.testing.assert_array_equal(
        pickle.loads(data).transform(X_TEST), model.transform(X_TEST)
    )


def test_verbose_tells_of_each_hundredth_tree(capsys):
    few = {**FEW, "max_iter": 201, "max_depth": 2, "verbose": 1}
    BoostedTreeDestructor(**few).fit(X[:200])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "[BoostedTreeDestructor] tree 100",
        "[BoostedTreeDestructor] tree 200",
    ]


@pytest.mark.parametrize(
    "bad",
    [
        {"learning_rate": 0.0},
        {"learning_rate": 1.1},
        {"scale_decay": -1.0},
        {"max_iter": 0},
        {"max_depth": 0},
        {"max_leaf_nodes": 1},
        {"min_samples_leaf": 0},
        {"max_bins": 2},
        {"max_bins": 256},
        {"max_features": 4},
        {"subsample": 0.0},
        {"subsample": 1.5},
        {"validation_fraction": 1.0},
        {"n_iter_no_change": 0},
        {"tol": -1.0},
        {"cv": 1.5},
    ],
)
def test_bad_parameters(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        BoostedTreeDestructor(**bad).fit(X[:100])
