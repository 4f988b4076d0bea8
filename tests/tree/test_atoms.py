"""Trees on values that many rows share: a density on cells, not on points."""

import numpy as np
import pytest

from destructors.compose import DestructorPipeline
from destructors.linear._held_out_scale import HeldOutScale
from destructors.maps import Affine
from destructors.rows import Fold, Rows
from destructors.tree import BoostedTreeDestructor, TreeDestructor
from destructors.tree._atoms import find_cells, rank_values, spread_atoms

CODES = np.array([0.1, 0.3, 0.3, 0.2, 0.1])


def make_integers(n_samples, seed=0):
    """Codes of the given shares beside a normal feature that moves with them."""
    rng = np.random.default_rng(seed)
    code = rng.choice(5, n_samples, p=CODES / CODES.sum())
    return np.c_[code, rng.normal(size=n_samples) + (code == 2)]


def log_density(X):
    """True log probability of the code, times the density of the feature given it."""
    code = X[:, 0].astype(int)
    z = X[:, 1] - (code == 2)
    return np.log(CODES / CODES.sum())[code] - 0.5 * z**2 - 0.5 * np.log(2.0 * np.pi)


TABLES = {
    "integers": lambda rng: np.c_[rng.integers(0, 5, 300), rng.normal(size=300)],
    "half zero": lambda rng: np.where(
        rng.random((400, 2)) < 0.5, 0.0, rng.lognormal(size=(400, 2))
    ),
    "lattice": lambda rng: rng.integers(0, 6, (400, 2)),
    "rounded lattice": lambda rng: 0.1 * rng.integers(0, 6, (400, 2)) / 0.3,
    "one-hot": lambda rng: np.c_[
        np.eye(4)[rng.integers(0, 4, 300)], rng.normal(size=300)
    ],
    "constant": lambda rng: np.c_[np.ones(300), TABLES["integers"](rng)],
    "sentinel": lambda rng: np.where(
        rng.random((400, 2)) < 0.1, -999.0, rng.normal(size=(400, 2))
    ),
}


@pytest.mark.parametrize("model", [BoostedTreeDestructor, TreeDestructor])
@pytest.mark.parametrize("table", TABLES)
def test_shared_values_do_no_harm(model, table):
    X = np.asarray(TABLES[table](np.random.default_rng(0)), float)
    fitted = model(random_state=0).fit(X)
    assert getattr(fitted, "n_iter_", 0) < 200
    Z, log_det = fitted.transform_and_log_det(X)
    back, log_det_back = fitted.inverse_and_log_det(Z)
    np.testing.assert_allclose(back, X, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(log_det, -log_det_back, atol=1e-7)
    # No edge stands on a value.
    for beside in (np.nextafter(X, np.inf), np.nextafter(X, -np.inf)):
        np.testing.assert_allclose(
            fitted.score_samples(beside), fitted.score_samples(X), atol=1e-7
        )


@pytest.mark.parametrize("ratio", [1e4, 1e9, 1e18])
def test_value_of_nearly_all_weight_is_not_spread_beyond_the_cube(ratio):
    """Trees gained on the faces of the cube, and took mass from where the rows are."""
    X = np.eye(4)[np.arange(12) % 4]
    weight = ratio ** ((np.arange(12) % 4) / 4)
    fitted = BoostedTreeDestructor(random_state=0).fit(X, sample_weight=weight)
    normal = BoostedTreeDestructor(max_iter=1, learning_rate=1e-9, random_state=0)
    normal.fit(X, sample_weight=weight)
    gain = fitted.score(X, sample_weight=weight)
    gain -= normal.score(X, sample_weight=weight)
    assert gain > -3.0, gain
    Z, log_det = fitted.transform_and_log_det(X)
    back, log_det_back = fitted.inverse_and_log_det(Z)
    np.testing.assert_allclose(back, X, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(log_det, -log_det_back, atol=1e-7)


def test_rounding_of_huge_weights_makes_no_leaf():
    """A cut beside a constant leaves nothing on one side, but what rounding leaves."""
    X = np.c_[np.zeros(12), np.eye(4)[np.arange(12) % 4]]
    weight = np.array([1e58, 1e31, 1e-10, 1e78])[np.arange(12) % 4]
    for seed in range(3):
        fitted = BoostedTreeDestructor(max_iter=50, random_state=seed)
        fitted.fit(X, sample_weight=weight)
        assert fitted.n_iter_ < 50
        assert fitted.feature_importances_[0] == 0.0


def test_boosted_density_of_integers_is_their_probability():
    model = BoostedTreeDestructor(random_state=0).fit(make_integers(4000))
    X = make_integers(4000, seed=1)
    loss = log_density(X) - model.score_samples(X)
    assert abs(loss.mean()) < 0.08
    for code in range(5):
        assert abs(loss[X[:, 0] == code].mean()) < 0.25


def test_boosted_density_of_integers_integrates_to_one():
    model = BoostedTreeDestructor(random_state=0).fit(make_integers(1000))
    grid = np.stack(np.meshgrid(np.linspace(-4, 8, 481), np.linspace(-6, 7, 391)), -1)
    density = np.exp(model.score_samples(grid.reshape(-1, 2)))
    assert abs(density.sum() / 40 / 30 - 1.0) < 0.02


def test_one_tree_makes_a_histogram_of_integers():
    rng = np.random.default_rng(0)
    X = rng.choice(5, (4000, 1), p=[0.05, 0.4, 0.05, 0.4, 0.1]).astype(float)
    model = TreeDestructor(min_samples_leaf=0).fit(X)
    inner = np.unique(model.get_boxes()[0])
    cuts = inner[np.isfinite(inner)]
    np.testing.assert_allclose(cuts - np.round(cuts - 0.5), 0.5, atol=1e-4)
    found = model.score_samples(np.arange(5.0)[:, None])
    expected = np.log(np.bincount(X[:, 0].astype(int)) / 4000)
    np.testing.assert_allclose(found, expected, atol=0.1)


def test_weights_are_repeats_and_order_is_nothing_where_values_are_shared():
    X, rng = make_integers(400), np.random.default_rng(1)
    weight = rng.integers(1, 4, 400)
    model = BoostedTreeDestructor(max_iter=40, random_state=0)
    weighted = model.fit(X, sample_weight=weight).score_samples(X)
    repeated = rng.permutation(np.repeat(X, weight, axis=0))
    found = model.fit(repeated).score_samples(X)
    np.testing.assert_allclose(found, weighted, rtol=1e-9)


@pytest.mark.parametrize(("scale", "shift"), [(4096.0, 0.0), (0.3, 7.0), (1e-300, 0.0)])
def test_units_change_nothing_where_values_are_shared(scale, shift):
    X, X_val = make_integers(400), make_integers(200, seed=1)
    model = BoostedTreeDestructor(random_state=0)
    plain = model.fit(X, X_val=X_val).score_samples(X)
    change = lambda X: scale * X + shift
    model.fit(change(X), X_val=change(X_val))
    found = model.score_samples(change(X)) + 2.0 * np.log(scale)
    np.testing.assert_allclose(found, plain, atol=1e-6)


@pytest.mark.parametrize("scale", [0.3, 3.7, 19.0])
def test_random_cuts_of_many_lattice_rows_are_the_same_in_any_unit(scale):
    """Cells that meet have one end in common, and rounding is no gain."""
    X = np.random.default_rng(0).integers(0, 9, (20, 2)) / 3.0
    weight = np.full(20, 2.0**48)
    model = TreeDestructor(splitter="random", max_leaf_nodes=30, random_state=0)
    plain = model.fit(X, sample_weight=weight).score_samples(X)
    moved = scale * X + 1.1
    found = model.fit(moved, sample_weight=weight).score_samples(moved)
    np.testing.assert_allclose(found + 2.0 * np.log(scale), plain, atol=1e-6)


def test_scores_of_stages_end_at_the_score():
    X = make_integers(500)
    model = BoostedTreeDestructor(max_iter=10, random_state=0).fit(X)
    *_, last = model.staged_score_samples(X)
    np.testing.assert_allclose(last, model.score_samples(X), rtol=1e-12)


def test_cell_is_as_wide_as_the_gap_to_the_nearest_value():
    codes, values = rank_values(np.array([5.0, 0.0, 3.0, 0.0, 5.0, 1.0, 5.0 + 1e-14]))
    np.testing.assert_array_equal(codes, [3, 0, 2, 0, 3, 1, 3])
    atoms, halves = find_cells(codes, values, np.ones(7))
    np.testing.assert_array_equal(atoms, [0, 3])
    np.testing.assert_array_equal(halves, [0.5, 1.0])


def test_one_value_tells_no_cell():
    codes, values = rank_values(np.zeros(9))
    assert len(find_cells(codes, values, np.ones(9))[0]) == 0


def test_of_latents_what_a_tilt_has_left_is_one_value():
    column = np.r_[0.0, 1e-7, 2e-7 + 1e-12, 2e-7, 0.5, 0.5 + 1e-12, 1.0]
    codes, values = rank_values(column, resolution=1e-6)
    np.testing.assert_array_equal(codes, [0, 0, 0, 0, 1, 1, 2])
    assert len(values) == 3
    # Where so many differ that neighbours are as near by chance, they are not the same.
    many = 1e-7 * np.arange(100_000)
    assert len(rank_values(many, resolution=1e-6)[1]) == 100_000


@pytest.mark.parametrize("model", [BoostedTreeDestructor, TreeDestructor])
def test_no_scale_is_learned_of_what_others_decide(model):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(500, 2))
    Z[:, 1] = 1e-7 * np.sign(Z[:, 0])
    plain = model(random_state=0).fit(Z)
    np.testing.assert_allclose(plain.scale_[1], 1e-7, rtol=1e-2)
    # A layer before says that these are the units of the base.
    behind = DestructorPipeline(
        [("first", HeldOutScale(scale=2.0)), ("trees", model())]
    )
    behind.set_params(trees__random_state=0).fit(Z)
    assert behind[-1].scale_[1] == 1.0
    assert behind[-1].feature_importances_[1] == 0.0


def test_leaves_do_not_close_in_on_one_row_that_is_often_there():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    X[:200] = 0.3
    model = BoostedTreeDestructor(max_iter=200, early_stopping=False, random_state=0)
    scores = model.fit(X).score_samples([[0.3, 0.3], [np.nextafter(0.3, 1), 0.3]])
    # Half of all rows in a cell as wide as the gaps beside it.
    assert scores[0] < 20.0
    assert abs(scores[0] - scores[1]) < 1e-6
    weight = np.r_[200.0, np.ones(200)]
    weighted = model.fit(X[199:], sample_weight=weight)
    np.testing.assert_allclose(
        weighted.score_samples(X), model.fit(X).score_samples(X), atol=1e-9
    )


def test_rows_that_are_repeated_share_no_value_but_their_own():
    # Two latents lie nearer than can be told: so few are no sign of shared values.
    rng = np.random.default_rng(0)
    values = rng.normal(size=(300, 1))
    values[1] = values[0] + 1e-9
    weight = rng.integers(1, 4, 300)
    units, latent = Affine(np.zeros(1), np.ones(1)), np.ones(300)
    weighted = Fold(Rows(values, latent, weight.astype(float)))
    repeats = np.repeat(np.arange(300), weight)
    repeated = Fold(Rows(values[repeats], latent[repeats]))
    for fold in (weighted, repeated):
        assert spread_atoms(fold, units, 0, min_samples_leaf=5.0) is fold
