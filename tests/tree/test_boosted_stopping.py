"""BoostedTreeDestructor: how many trees, and going on from those that are there."""

import numpy as np
import pytest
from sklearn.model_selection import KFold, ShuffleSplit

from destructors._splits import split_rows
from destructors.compose import IterativeDestructor, make_destructor_pipeline
from destructors.marginal import SplineGaussianizer
from destructors.tree import BoostedTreeDestructor

RNG = np.random.default_rng(0)


def make_rows(n_samples):
    x = RNG.normal(size=n_samples)
    return np.c_[x, np.abs(x) + 0.2 * RNG.normal(size=n_samples)]


X, X_VAL, X_TEST = make_rows(1500), make_rows(1000), make_rows(1000)
WEIGHT = RNG.uniform(0.5, 2.0, len(X))


def boosted(**changes):
    return BoostedTreeDestructor(
        **{"random_state": 0, "n_iter_no_change": 5, **changes}
    )


def assert_same(one, other, **tolerance):
    assert one.n_iter_ == other.n_iter_
    np.testing.assert_array_equal(one._forest.splits, other._forest.splits)
    for name in ("train_score_", "validation_score_", "feature_importances_"):
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=1e-12, atol=1e-12
        )


# ---------------------------------------------------------------- held-out rows


@pytest.mark.parametrize("how", [{}, {"cv": 3}, {"X_val": X_VAL}])
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_stops_and_cuts_back_to_the_best(how, weight):
    how = dict(how)
    held_out = {"X_val": how.pop("X_val")} if "X_val" in how else {}
    model = boosted(**how).fit(X, sample_weight=weight, **held_out)
    assert 5 < model.n_iter_ < 3000
    assert len(model.train_score_) == len(model.validation_score_) == model.n_iter_ + 1
    assert model.validation_score_.argmax() == model.n_iter_
    # Had it gone on, no tree would have improved by more than the tolerance.
    more = boosted(**how, n_iter_no_change=6).fit(X, sample_weight=weight, **held_out)
    assert model.n_iter_ <= more.n_iter_
    scores = more.validation_score_
    last = scores[model.n_iter_ : model.n_iter_ + 6]
    assert last.max() <= model.validation_score_[-1] + 1e-4


def test_tolerance_and_patience():
    n_iter = [boosted(tol=tol).fit(X).n_iter_ for tol in (0.0, 1e-3, 0.1)]
    assert n_iter == sorted(n_iter, reverse=True)
    assert n_iter[0] > n_iter[-1]
    n_iter = [boosted(n_iter_no_change=n).fit(X).n_iter_ for n in (1, 5, 40)]
    assert n_iter == sorted(n_iter)
    assert n_iter[0] < n_iter[-1]


def test_held_out_scores_are_those_of_the_rows():
    model = boosted().fit(X, X_val=X_VAL, sample_weight_val=np.arange(1000.0))
    Z = (X_VAL - model.center_) / model.scale_
    base = model.base_distribution_.logpdf(Z) - np.log(model.scale_).sum()
    stages = [base, *model.staged_score_samples(X_VAL)]
    expected = [np.average(s - base, weights=np.arange(1000.0)) for s in stages]
    np.testing.assert_allclose(model.validation_score_, expected, atol=1e-9)


def test_hold_out_is_that_of_its_hash():
    model = boosted(validation_fraction=0.3).fit(X)
    train, held_out = split_rows(X, None, 0.3, model._entropy)
    assert len(held_out) == pytest.approx(0.3 * len(X), abs=1)
    # Standard units are learned of all rows; apart from them the held-out rows count
    # for nothing but the number of trees.
    Z = (X - model.center_) / model.scale_
    alone = boosted().fit(Z[train], X_val=Z[held_out])
    assert alone.validation_score_[-1] == pytest.approx(
        model.validation_score_[-1], abs=0.05
    )


def test_all_rows_are_trained_on_with_rows_to_validate():
    model = boosted().fit(X, X_val=X_VAL)
    free = boosted(early_stopping=False, max_iter=model.n_iter_).fit(X)
    np.testing.assert_array_equal(model._forest.splits, free._forest.splits)
    assert free.validation_score_.shape == (0,)


def test_without_early_stopping_rows_to_validate_are_not_used():
    fits = [
        boosted(early_stopping=False, max_iter=8).fit(X, X_val=rows)
        for rows in (X_VAL, None)
    ]
    assert fits[0].n_iter_ == 8
    assert_same(*fits)


def test_equal_rows_alone_cannot_be_held_out():
    with pytest.raises(ValueError, match="early_stopping=False"):
        boosted().fit(np.ones((20, 2)))
    model = boosted(early_stopping=False, max_iter=3).fit(np.ones((20, 2)))
    assert np.isfinite(model.score(np.ones((3, 2))))


# ---------------------------------------------------------------- folds


def test_folds_choose_the_number_and_all_rows_are_trained_on():
    model = boosted(cv=4).fit(X)
    free = boosted(early_stopping=False, max_iter=model.n_iter_).fit(X)
    np.testing.assert_array_equal(model._forest.splits, free._forest.splits)
    np.testing.assert_array_equal(model.train_score_, free.train_score_)


@pytest.mark.parametrize(
    "cv",
    [
        KFold(3, shuffle=True, random_state=0),
        ShuffleSplit(1, test_size=0.2, random_state=0),
        [(np.arange(0, 1500, 2), np.arange(1, 1500, 2))],
    ],
)
def test_folds_from_scikit_learn(cv):
    model = boosted(cv=cv).fit(X)
    assert model.validation_score_.argmax() == model.n_iter_ > 0
    # Rows of weight zero are numbered by the splitter, and count for nothing.
    weight = np.r_[np.ones(1200), np.zeros(300)]
    model = boosted(cv=cv).fit(X, sample_weight=weight)
    far = np.r_[X[:1200], np.full((300, 2), 50.0)]
    moved = boosted(cv=cv).fit(far, sample_weight=weight)
    assert_same(model, moved)


# ---------------------------------------------------------------- going on


@pytest.mark.parametrize(
    "changes",
    [
        {"early_stopping": False},
        {"n_iter_no_change": 1000},
        {"n_iter_no_change": 1000, "cv": 3},
        {"early_stopping": False, "subsample": 0.5, "max_features": 1},
    ],
)
def test_ten_trees_then_thirty_are_thirty_at_once(changes):
    # Held-out rows still gain after thirty trees at this rate: nothing is cut back.
    changes = {"learning_rate": 0.05, **changes}
    once = boosted(max_iter=30, **changes).fit(X)
    assert once.n_iter_ == 30
    twice = boosted(max_iter=10, warm_start=True, **changes).fit(X)
    assert twice.n_iter_ == 10
    assert_same(twice.set_params(max_iter=30).fit(X), once)


def test_going_on_with_rows_to_validate():
    changes = {"learning_rate": 0.05, "n_iter_no_change": 1000}
    once = boosted(max_iter=30, **changes).fit(X, X_val=X_VAL)
    for cv in (None, 3):
        # Rows to validate by take the place of folds.
        twice = boosted(max_iter=10, warm_start=True, cv=cv, **changes)
        twice.fit(X, X_val=X_VAL).set_params(max_iter=30).fit(X, X_val=X_VAL)
        assert_same(twice, once)


def test_going_on_after_it_stopped_adds_nothing():
    model = boosted(warm_start=True).fit(X)
    before = model._forest.splits.copy()
    np.testing.assert_array_equal(model.fit(X)._forest.splits, before)


@pytest.mark.parametrize("cv", [None, 3])
def test_going_on_with_other_rows_keeps_the_trees(cv):
    model = boosted(
        max_iter=10, warm_start=True, cv=cv, n_iter_no_change=1000, learning_rate=0.05
    )
    model.fit(X)
    trees = [model._forest.tree(i).copy() for i in range(10)]
    centre = model.center_.copy()
    model.set_params(max_iter=15).fit(np.r_[X, X_VAL])
    assert model.n_iter_ > 10
    np.testing.assert_array_equal(model.center_, centre)
    for i, tree in enumerate(trees):
        np.testing.assert_array_equal(model._forest.tree(i), tree)


def test_going_on_needs_the_same_features():
    model = boosted(warm_start=True).fit(X)
    with pytest.raises(ValueError, match="features"):
        model.fit(X[:, :1])


def test_without_warm_start_a_second_fit_forgets_the_first():
    model = boosted(max_iter=10).fit(X)
    assert_same(model.fit(X_VAL), boosted(max_iter=10).fit(X_VAL))


# ---------------------------------------------------------------- in a stack


def test_as_a_layer_the_rows_of_the_stack_decide():
    layer = make_destructor_pipeline(SplineGaussianizer(), boosted())
    stack = IterativeDestructor(layer, max_iter=1, random_state=0)
    stack.fit(X, X_val=X_VAL)
    marginal = SplineGaussianizer().fit(X)
    trees = stack[0][1]
    alone = boosted(random_state=trees.random_state).fit(
        marginal.transform(X), X_val=marginal.transform(X_VAL)
    )
    assert_same(trees, alone)


def test_settles_for_the_mean_number_of_trees():
    fitted = [boosted(max_iter=n, early_stopping=False).fit(X) for n in (3, 8)]
    assert fitted[0]._settled_params(fitted) == {
        "max_iter": 6,
        "early_stopping": False,
    }
