"""Hold-outs chosen by what a row contains."""

import numpy as np
import pytest

from destructors.base import Destructor
from destructors.flows import RBIG
from destructors.maps import Identity
from destructors.rows import Rows, fold_rows, hash_rows, known_folds, split_rows


class SplitsInTwo(Destructor):
    """The identity, for rows of which some can be held out."""

    def _fit(self, fold, random_state):
        fold.train.split(None, 0.5, 0)
        return Identity()


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).normal(size=(1000, 3))


@pytest.fixture(scope="module")
def tied():
    """Few distinct rows, many of each."""
    return np.random.default_rng(0).integers(0, 4, size=(1000, 2)).astype(float)


def as_set(rows):
    return set(map(tuple, rows))


# ---------------------------------------------------------------- hash


def test_equal_rows_have_equal_hashes_and_others_do_not(tied):
    hashes = hash_rows(tied, seed=0)
    assert len(set(hashes)) == len(as_set(tied))
    for h in set(hashes):
        assert len(as_set(tied[hashes == h])) == 1


def test_both_zeros_are_equal():
    zeros = np.array([[0.0, -0.0], [-0.0, 0.0]])
    assert len(set(hash_rows(zeros, seed=0))) == 1


def test_place_of_a_value_in_the_row_matters():
    assert len(set(hash_rows(np.array([[1.0, 2.0], [2.0, 1.0]]), seed=0))) == 2


# ---------------------------------------------------------------- split


@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_fraction_is_respected(X, fraction):
    train, held_out = split_rows(X, None, fraction, seed=0)
    assert len(held_out) == round(fraction * len(X))
    np.testing.assert_array_equal(np.sort(np.r_[train, held_out]), np.arange(len(X)))


@pytest.mark.parametrize("n_samples", [2, 3, 5])
@pytest.mark.parametrize("fraction", [0.01, 0.99])
def test_neither_part_is_empty(X, n_samples, fraction):
    train, held_out = split_rows(X[:n_samples], None, fraction, seed=0)
    assert min(len(train), len(held_out)) >= 1


@pytest.mark.parametrize("seed", range(5))
def test_repeated_rows_never_straddle(tied, seed):
    train, held_out = split_rows(tied, None, 0.3, seed)
    assert not as_set(tied[train]) & as_set(tied[held_out])
    # One group of equal rows more or less than asked for, at most.
    largest_group = np.unique(tied, axis=0, return_counts=True)[1].max()
    assert abs(len(held_out) - 300) <= largest_group


def test_one_frequent_row_hardly_ever_fills_the_held_out_part(X):
    zeros = np.zeros((9 * len(X), 3))
    rows = np.r_[zeros, X]
    sizes = [len(split_rows(rows, None, 0.1, seed)[1]) for seed in range(20)]
    assert sum(size <= 1000 for size in sizes) >= 19


@pytest.mark.parametrize("seed", range(3))
def test_weights_split_as_repeated_rows_do(X, seed):
    weight = np.random.default_rng(1).integers(1, 5, size=len(X))
    train, held_out = split_rows(X, weight.astype(float), 0.2, seed)
    repeated = np.repeat(X, weight, axis=0)
    train_repeated, held_out_repeated = split_rows(repeated, None, 0.2, seed)
    assert as_set(X[train]) == as_set(repeated[train_repeated])
    assert as_set(X[held_out]) == as_set(repeated[held_out_repeated])


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_unit_of_the_weights_does_not_matter(X, unit):
    weight = np.random.default_rng(1).uniform(size=len(X))
    for a, b in zip(
        split_rows(X, weight, 0.2, 0), split_rows(X, weight * unit, 0.2, 0), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_order_of_the_rows_does_not_matter(X):
    order = np.random.default_rng(1).permutation(len(X))
    train, _ = split_rows(X, None, 0.2, seed=0)
    shuffled_train, _ = split_rows(X[order], None, 0.2, seed=0)
    assert as_set(X[train]) == as_set(X[order][shuffled_train])


@pytest.mark.parametrize("scale", [1e-6, 3.7, 1e6])
@pytest.mark.parametrize("shift", [0.0, 1.0, -1e3])
@pytest.mark.parametrize("weighted", [False, True])
def test_unit_and_origin_of_a_column_do_not_matter(X, scale, shift, weighted):
    rows = X.copy()
    rows[:, 1] = np.exp(10.0 * rows[:, 1])
    rows[::3, 2] = 0.0
    weight = np.random.default_rng(1).uniform(size=len(X)) if weighted else None
    # The shift is in units of the scale, large ones cost digits.
    moved = rows * scale + shift * scale
    for a, b in zip(
        split_rows(rows, weight, 0.2, 0), split_rows(moved, weight, 0.2, 0), strict=True
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "column",
    [
        1e9 + np.arange(500.0),
        np.r_[1e30, np.arange(499.0)],
        np.r_[-1.7e308, 1.7e308, np.arange(498.0)],
        np.r_[np.zeros(400), np.arange(1.0, 101.0)],
        np.arange(500.0) * 1e-320,
    ],
    ids=["offset", "sentinel", "range", "atom", "tiny"],
)
def test_different_rows_are_told_apart(column):
    hashes = Rows.of(column[:, None]).hashes(0)
    assert len(np.unique(hashes)) == len(np.unique(column))


def test_seeds_differ_and_repeat(X):
    _, one = split_rows(X, None, 0.2, seed=0)
    _, same = split_rows(X, None, 0.2, seed=0)
    _, other = split_rows(X, None, 0.2, seed=1)
    np.testing.assert_array_equal(one, same)
    # Two independent fifths share a fifth of their rows.
    assert 10 < len(set(one) & set(other)) < 80


def test_held_out_rows_are_like_the_others(X):
    # The hash must not sort by size: compare means, at 4 standard errors.
    train, held_out = split_rows(X, None, 0.5, seed=0)
    difference = X[train].mean(axis=0) - X[held_out].mean(axis=0)
    assert (np.abs(difference) < 4 * 2 / np.sqrt(len(X))).all()


def test_equal_rows_can_not_be_split():
    with pytest.raises(ValueError, match=r"1 different row.*too few"):
        split_rows(np.ones((10, 2)), None, 0.5, seed=0)


# ---------------------------------------------------------------- folds


@pytest.mark.parametrize("n_folds", [2, 5, 10])
def test_folds_partition_the_rows(X, n_folds):
    folds = fold_rows(X, None, n_folds, seed=0)
    assert len(folds) == n_folds
    held_out = np.concatenate([test for _, test in folds])
    np.testing.assert_array_equal(np.sort(held_out), np.arange(len(X)))
    for train, test in folds:
        np.testing.assert_array_equal(np.sort(np.r_[train, test]), np.arange(len(X)))
        assert abs(len(test) - len(X) / n_folds) <= 1


@pytest.mark.parametrize("seed", range(5))
def test_repeated_rows_stay_in_one_fold(tied, seed):
    for train, test in fold_rows(tied, None, 4, seed):
        assert not as_set(tied[train]) & as_set(tied[test])
        assert len(test) >= 1


def test_as_many_folds_as_different_rows():
    rows = np.repeat([[0.0], [1.0], [2.0]], [50, 1, 1], axis=0)
    for seed in range(5):
        folds = fold_rows(rows, None, 3, seed)
        assert sorted(len(test) for _, test in folds) == [1, 1, 50]


def test_fold_weights_act_as_repeated_rows(X):
    weight = np.random.default_rng(1).integers(1, 5, size=len(X))
    repeated = np.repeat(X, weight, axis=0)
    for (_, test), (_, test_repeated) in zip(
        fold_rows(X, weight.astype(float), 3, seed=0),
        fold_rows(repeated, None, 3, seed=0),
        strict=True,
    ):
        assert as_set(X[test]) == as_set(repeated[test_repeated])


def test_too_few_different_rows_for_the_folds():
    with pytest.raises(ValueError, match=r"2 different row.*3 parts"):
        fold_rows(np.repeat([[0.0], [1.0]], 10, axis=0), None, 3, seed=0)


@pytest.mark.parametrize("as_mask", [False, True])
def test_splits_from_outside_are_indices_or_masks(X, as_mask):
    held_out = np.arange(len(X)) % 4 == 0
    split = ~held_out, held_out
    if not as_mask:
        split = tuple(np.flatnonzero(part).tolist() for part in split)
    [fold] = Rows.of(X).split([split], 0.1, 0)
    np.testing.assert_array_equal(fold.validation.values, X[held_out])


def test_rows_of_next_to_no_weight_are_held_out_once_as_well(X):
    weight = np.where(np.arange(len(X)) % 2, 1e-17, 1.0)
    held_out = np.concatenate([test for _, test in fold_rows(X, weight, 5, seed=0)])
    np.testing.assert_array_equal(np.sort(held_out), np.arange(len(X)))


# ---------------------------------------------------------------- known folds


def test_rows_come_back_to_the_fold_they_were_in(X):
    folds = known_folds(X, None, 5, seed=3)
    place = folds.place(X)
    for k, (_, held_out) in enumerate(fold_rows(X, None, 5, seed=3)):
        np.testing.assert_array_equal(np.flatnonzero(place == k), held_out)


def test_the_fold_of_a_row_is_its_own_and_that_of_new_rows_is_by_chance(X):
    folds = known_folds(X[:300], None, 4, seed=0)
    place = folds.place(X[300:])
    np.testing.assert_array_equal(folds.place(X[310:320]), place[10:20])
    shares = np.bincount(place, minlength=folds.n_folds) / len(place)
    assert np.abs(shares - 0.25).max() < 4 * np.sqrt(0.25 * 0.75 / len(place))


def test_known_folds_of_weights_are_those_of_repeats(X):
    weight = np.random.default_rng(0).integers(1, 4, len(X))
    weighted = known_folds(X, weight.astype(float), 3, seed=0)
    repeated = known_folds(np.repeat(X, weight, axis=0), None, 3, seed=0)
    np.testing.assert_array_equal(weighted.place(X), repeated.place(X))


def test_rows_far_from_all_others_have_a_fold(X):
    far = np.array([[1e308, -1e308, 0.0]])
    assert known_folds(X, None, 3, seed=0).place(far)[0] in (0, 1, 2)


# ---------------------------------------------------------------- order of rows


@pytest.mark.parametrize("n_features", [1, 2])
def test_rounding_does_not_change_the_order_of_rows_in_narrow_groups(n_features):
    """All of a group are one row to a hash that rounding does not change."""
    rng = np.random.default_rng(0)
    group = rng.integers(2, size=(40, 1))
    X = group + 1e-6 * rng.normal(size=(40, n_features))
    noise = 1e-13 * rng.normal(size=X.shape)
    first, again = Rows.of(X).unique()[2], Rows.of(X + noise).unique()[2]
    np.testing.assert_array_equal(first, again)


def test_rows_that_differ_in_one_column_only_have_an_order_in_it():
    """Where the sum of the columns is the same of all rows, too."""
    x = 1.0 + 1e-6 * np.random.default_rng(0).normal(size=40)
    X = np.column_stack([x, -x]) * np.repeat([1.0, 2.0], 20)[:, None]
    noise = 1e-13 * np.random.default_rng(1).normal(size=X.shape)
    first, again = Rows.of(X).unique()[2], Rows.of(X + noise).unique()[2]
    np.testing.assert_array_equal(first, again)


def test_rows_come_back_from_different_ones(tied):
    tied = np.r_[tied, tied[:50]]
    values, weight, place = Rows.of(tied).unique()
    np.testing.assert_array_equal(values[place], tied)
    assert len(values) == len(np.unique(tied, axis=0))
    assert weight.sum() == len(tied)


# ---------------------------------------------------------------- two kinds


def beside_a_sentinel(n=50, seed=0):
    """Most rows are one number, beside which all others look like another."""
    rng = np.random.default_rng(seed)
    return np.where(rng.uniform(size=(n, 1)) < 0.6, 1e8, rng.normal(size=(n, 1)))


@pytest.mark.parametrize("seed", range(5))
def test_rows_beside_a_sentinel_are_on_both_sides(seed):
    X = beside_a_sentinel(seed=seed)
    train, held_out = split_rows(X, None, 0.1, seed)
    assert 1 < len(np.unique(X[train])) < len(np.unique(X))
    # Neither units nor weights change that.
    for other in (X * 1024.0, X * 3.7 + 1.9):
        np.testing.assert_array_equal(split_rows(other, None, 0.1, seed)[1], held_out)
    distinct, counts = np.unique(X, return_counts=True)
    _, weighted = split_rows(distinct[:, None], 1.0 * counts, 0.1, seed)
    assert as_set(distinct[weighted, None]) == as_set(X[held_out])
    for part, _ in fold_rows(X, None, 2, seed):
        assert len(np.unique(X[part])) > 1


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sentinel", [1e20, -1e300])
def test_a_sentinel_that_takes_all_digits_of_the_others(sentinel, seed):
    X = beside_a_sentinel(seed=seed)
    X[X == 1e8] = sentinel
    train, held_out = split_rows(X, None, 0.1, seed)
    assert 1 < len(np.unique(X[train])) < len(np.unique(X))
    again = split_rows(X * 1024.0, None, 0.1, seed)[1]
    np.testing.assert_array_equal(again, held_out)


def test_two_kinds_that_differ_by_rounding_stay_two(X):
    kinds = np.where(X[:, :1] > 0.3, 1.0 + 1e-15 * X[:, 1:2], 0.0)
    for train, held_out in fold_rows(kinds, None, 2, seed=0):
        assert not as_set(np.round(kinds[train])) & as_set(np.round(kinds[held_out]))


@pytest.mark.parametrize("seed", range(6))
def test_what_fills_most_of_a_table_is_trained_on(seed):
    X = np.r_[np.zeros(50), 1.0][:, None]
    train, held_out = split_rows(X, None, 0.1, seed)
    assert (X[train] == 0.0).all()
    assert held_out.tolist() == [50]
    weight = np.r_[np.full(50, 1e-3), 5.0]
    train, held_out = split_rows(X, weight, 0.1, seed)
    assert train.tolist() == [50]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("share", [0.6, 0.9])
def test_others_are_trained_on_beside_what_fills_most_of_a_table(X, share, seed):
    """Wherever the hash of that one comes among theirs."""
    n = round(share * 60)
    rows = np.r_[np.repeat(X[:1], n, axis=0), X[1 : 61 - n]]
    train, held_out = split_rows(rows, None, 0.1, seed)
    assert 0 < np.sum(held_out >= n) <= 6
    assert np.sum(train >= n) >= len(held_out)
    assert set(range(n)) <= set(train.tolist())
    distinct, weight = X[: 61 - n], np.r_[n, np.ones(60 - n)]
    _, weighted = split_rows(distinct, weight, 0.1, seed)
    assert as_set(distinct[weighted]) == as_set(rows[held_out])


@pytest.mark.parametrize(
    ("model", "advice"),
    [
        (RBIG(random_state=0), "Set early_stopping=False, or give X_val"),
        (SplitsInTwo(), "Give more rows"),
    ],
)
def test_the_advice_where_nothing_can_be_held_out_is_the_model_s(model, advice):
    with pytest.raises(ValueError, match=f"1 different row.*{advice}"):
        model.fit(np.ones((5, 2)))


@pytest.mark.parametrize("weight", [None, np.array([1.0, 3.0])])
def test_two_rows_are_told_apart_wherever_they_lie(weight):
    X = np.array([[0.125, -0.5], [0.625, 2.0]])
    for moved in (X, X + 1e9, (X - 1e9) * 2.0**-40, (X + 3.0) * 2.0**200):
        for seed in range(4):
            _, held_out = split_rows(moved, weight, 0.1, seed)
            np.testing.assert_array_equal(held_out, split_rows(X, weight, 0.1, seed)[1])


@pytest.mark.parametrize("seed", range(8))
def test_origins_do_not_matter_where_there_are_two_rows_alone(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2, 3))
    train, _ = split_rows(X, None, 0.5, seed)
    for _ in range(8):
        moved = X * rng.uniform(0.1, 9.0, 3) + rng.normal(size=3)
        np.testing.assert_array_equal(split_rows(moved, None, 0.5, seed)[0], train)
