"""Weights are repeated rows to the last bit, in stacks that compare starts."""

from dataclasses import replace

import numpy as np
import pytest

from destructors.flows import RBIG, AutoDestructor, TreeFlow
from destructors.flows._starts import join_repeats
from destructors.rows import Rows

FLOWS = {
    "trees": TreeFlow(cv=2, max_trees=5, random_state=0),
    "auto": AutoDestructor(max_iter=4, cv=2, random_state=0),
}


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    n = 150
    return np.c_[rng.integers(0, 4, n) / 3.0, rng.normal(size=n), rng.exponential(1, n)]


@pytest.fixture
def weight(X):
    return 1.0 * np.random.default_rng(1).integers(0, 4, len(X))


def scores(model, X, X_new, **kwargs):
    return model.fit(X, **kwargs).score_samples(X_new)


@pytest.mark.parametrize("name", FLOWS)
def test_weights_are_repeats_to_the_bit(name, X, weight):
    repeated = X[np.repeat(np.arange(len(X)), weight.astype(int))]
    shuffled = np.random.default_rng(2).permutation(repeated)
    weighted = scores(FLOWS[name], X, X, sample_weight=weight)
    np.testing.assert_array_equal(scores(FLOWS[name], repeated, X), weighted)
    np.testing.assert_array_equal(scores(FLOWS[name], shuffled, X), weighted)


@pytest.mark.parametrize("name", FLOWS)
def test_weights_of_one_are_none_to_the_bit(name, X):
    ones = scores(FLOWS[name], X, X, sample_weight=np.ones(len(X)))
    np.testing.assert_array_equal(scores(FLOWS[name], X, X), ones)


def test_weights_of_held_out_rows_are_repeats_to_the_bit(X, weight):
    train, held_out, weight = X[:100], X[100:], weight[100:]
    flow = FLOWS["trees"]
    weighted = scores(flow, train, X, X_val=held_out, sample_weight_val=weight)
    rows = np.repeat(np.arange(len(held_out)), weight.astype(int))
    repeated = scores(flow, train, X, X_val=held_out[rows])
    np.testing.assert_array_equal(repeated, weighted)


def test_splits_from_outside_number_the_rows_as_they_were_given(X):
    X = np.r_[X, X[:30]]
    part = np.arange(len(X)) % 3 == 0
    splits = [(np.flatnonzero(~part), np.flatnonzero(part))]
    flow = TreeFlow(cv=splits, max_trees=5, random_state=0).fit(X)
    assert np.isfinite(flow.score_samples(X)).all()


def test_repeats_of_parts_from_outside_are_weights_to_the_bit(X, weight):
    weight = np.r_[weight[:100], np.ones(50)]
    rows = np.repeat(np.arange(len(X)), weight.astype(int))
    scored = []
    for table, place, known in (
        (X, np.arange(len(X)), {"sample_weight": weight}),
        (X[rows], rows, {}),
    ):
        parts = np.flatnonzero(place < 100), np.flatnonzero(place >= 100)
        flow = TreeFlow(cv=[parts], max_trees=5, random_state=0)
        scored.append(scores(flow, table, X, **known))
    np.testing.assert_array_equal(*scored)


def test_rows_that_are_all_different_stay_as_they_are(X):
    rows = Rows.of(X)
    np.testing.assert_array_equal(join_repeats(rows).values, X)
    assert join_repeats(rows).weight is None
    assert join_repeats(replace(rows, weight=np.ones(len(X)))).weight is None


def test_each_different_row_has_the_weight_of_all_that_equal_it():
    X = np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]])
    joined = join_repeats(Rows.of(X, np.array([0.5, 2.0, 1.5])))
    found = {tuple(row): w for row, w in zip(joined.values, joined.weight, strict=True)}
    assert found == {(1.0, 2.0): 2.0, (3.0, 4.0): 2.0}
    assert joined.log_det.shape == (2,)


@pytest.mark.parametrize(
    "known", [{"context": np.arange(4)}, {"kinds": np.array([3, 0])}]
)
def test_rows_of_which_more_is_known_are_not_joined(known):
    rows = Rows.of(np.zeros((4, 2)), **known)
    assert join_repeats(rows) is rows


def test_constant_columns_leave_no_plane_beside_which_rounding_grows():
    # Of rows on a line the first layers make 1e-8 of theirs, and fifty a direction.
    rng = np.random.default_rng(0)
    X = np.c_[np.zeros(150), rng.normal(size=150), np.zeros(150)]
    weight = 1.0 * rng.integers(0, 4, len(X))
    repeated = X[np.repeat(np.arange(len(X)), weight.astype(int))]
    model = RBIG(random_state=0)
    weighted = scores(model, X, X, sample_weight=weight)
    np.testing.assert_allclose(scores(model, repeated, X), weighted, atol=1e-5)
