"""BoostedTreeDestructor: how many trees, and going on from those that are there."""

import itertools

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import KFold, ShuffleSplit

from destructors.compose import IterativeDestructor, make_destructor_pipeline
from destructors.maps._trees import Trees
from destructors.marginal import SplineGaussianizer
from destructors.rows import Fold, Rows, split_rows
from destructors.tree import BoostedTreeDestructor, _growth
from destructors.tree._grow import grow_tree

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
    np.testing.assert_array_equal(one.map_[1].splits, other.map_[1].splits)
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
    Z = (X_VAL - model.mean_) / model.scale_
    base = model.base_distribution_.logpdf(Z) - np.log(model.scale_).sum()
    stages = [base, *model.staged_score_samples(X_VAL)]
    expected = [np.average(s - base, weights=np.arange(1000.0)) for s in stages]
    np.testing.assert_allclose(model.validation_score_, expected, atol=1e-9)


def test_hold_out_is_that_of_its_hash():
    model = boosted(validation_fraction=0.3).fit(X)
    seed = np.random.RandomState(0).randint(2**31 - 1)
    train, held_out = split_rows(X, None, 0.3, seed)
    assert len(held_out) == pytest.approx(0.3 * len(X), abs=1)
    # Standard units are learned of all rows; apart from them the held-out rows count
    # for nothing but the number of trees.
    Z = (X - model.mean_) / model.scale_
    alone = boosted().fit(Z[train], X_val=Z[held_out])
    assert alone.validation_score_[-1] == pytest.approx(
        model.validation_score_[-1], abs=0.05
    )


def test_all_rows_are_trained_on_with_rows_to_validate():
    model = boosted().fit(X, X_val=X_VAL)
    free = boosted(early_stopping=False, max_iter=model.n_iter_).fit(X)
    np.testing.assert_array_equal(model.map_[1].splits, free.map_[1].splits)
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
    np.testing.assert_array_equal(model.map_[1].splits, free.map_[1].splits)
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
    before = model.map_[1].splits.copy()
    np.testing.assert_array_equal(model.fit(X).map_[1].splits, before)


@pytest.mark.parametrize("cv", [None, 3])
def test_going_on_with_other_rows_keeps_the_trees(cv):
    model = boosted(
        max_iter=10, warm_start=True, cv=cv, n_iter_no_change=1000, learning_rate=0.05
    )
    model.fit(X)
    trees = [model.map_[1][i].splits.copy() for i in range(10)]
    centre = model.mean_.copy()
    model.set_params(max_iter=15).fit(np.r_[X, X_VAL])
    assert model.n_iter_ > 10
    np.testing.assert_array_equal(model.mean_, centre)
    for i, tree in enumerate(trees):
        np.testing.assert_array_equal(model.map_[1][i].splits, tree)


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


def test_after_folds_of_a_stack_the_mean_number_of_trees_is_grown():
    stack = IterativeDestructor(boosted(), max_iter=1, cv=3, random_state=0).fit(X)
    trees = stack[0]
    # The number is settled: nothing is held out any more.
    assert trees.early_stopping is False
    assert trees.n_iter_ == trees.max_iter > 5
    assert trees.validation_score_.shape == (0,)


def fold_of(weighted):
    weight = WEIGHT if weighted else None
    return Fold(Rows.of(X, weight), Rows.of(X_VAL))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"n_iter_no_change": 1},
        {"early_stopping": False, "max_iter": 8},
        {"learning_rate": 1.0, "n_iter_no_change": 40},
    ],
)
def test_rows_are_handed_on_as_the_map_maps_them(changes, weighted):
    fold = fold_of(weighted)
    model = boosted(**changes)
    onwards = model._fit_rows(fold, onwards=True)
    mapped = fold.through(model.map_)
    for got, expected in (
        (onwards.train, mapped.train),
        (onwards.validation, mapped.validation),
    ):
        np.testing.assert_allclose(got.values, expected.values, rtol=0, atol=1e-9)
        np.testing.assert_allclose(got.log_det, expected.log_det, rtol=0, atol=1e-9)
        np.testing.assert_array_equal(got.weights, expected.weights)


@pytest.mark.parametrize("subsample", [1.0, 0.5])
def test_many_rows_are_sorted_and_nothing_changes(monkeypatch, subsample):
    fold = Fold(Rows.of(X, np.arange(len(X)) % 3 + 1.0), Rows.of(X_VAL))
    few, many = (boosted(subsample=subsample) for _ in range(2))
    unsorted = few._fit_rows(fold, onwards=True)
    monkeypatch.setattr(_growth, "_MANY", 10)
    in_order = many._fit_rows(fold, onwards=True)
    assert many.map_ == few.map_
    for got, expected in (
        (in_order.train, unsorted.train),
        (in_order.validation, unsorted.validation),
    ):
        np.testing.assert_array_equal(got.values, expected.values)
        np.testing.assert_array_equal(got.log_det, expected.log_det)
        np.testing.assert_array_equal(got.weights, expected.weights)


@pytest.mark.parametrize("cv", [None, 3])
def test_rows_are_handed_on_where_some_were_held_out_inside(cv):
    fold = Fold(Rows.of(X))
    model = boosted(cv=cv)
    onwards = model._fit_rows(fold, onwards=True)
    mapped = fold.through(model.map_)
    np.testing.assert_array_equal(onwards.train.values, mapped.train.values)
    np.testing.assert_array_equal(onwards.train.log_det, mapped.train.log_det)
    assert onwards.validation is None


def test_kept_trees_are_not_applied_twice(monkeypatch):
    pushed = []
    through = Trees.forward
    monkeypatch.setattr(
        Trees, "forward", lambda *given: pushed.append(0) or through(*given)
    )
    model = boosted()
    model._fit_rows(fold_of(weighted=False), onwards=True)
    # More trees are kept than were cut off.
    assert model.n_iter_ > 5
    assert pushed == []


# ---------------------------------------------------------------- cut short


def interrupt(monkeypatch, at, error=KeyboardInterrupt):
    """Let the growth of a tree, counted over all folds, fail."""
    calls = itertools.count()

    def grow(*arguments):
        if next(calls) == at:
            raise error("stop")
        return grow_tree(*arguments)

    monkeypatch.setattr(_growth, "grow_tree", grow)


@pytest.mark.parametrize("cv", [None, 3])
def test_an_interrupt_keeps_the_trees(monkeypatch, cv):
    n_folds = 1 if cv is None else cv
    interrupt(monkeypatch, at=10 * n_folds + n_folds - 1)
    model = boosted(n_iter_no_change=1000, learning_rate=0.05, cv=cv)
    with pytest.warns(ConvergenceWarning, match=r"tree 11 by KeyboardInterrupt.*kept"):
        model.fit(X)
    monkeypatch.undo()
    assert model.n_iter_ == 10
    assert len(model.train_score_) == len(model.validation_score_) == 11
    fewer = boosted(early_stopping=False, max_iter=5, learning_rate=0.05).fit(X)
    assert model.score(X_TEST) > fewer.score(X_TEST)
    if cv is None:
        whole = boosted(n_iter_no_change=1000, learning_rate=0.05, max_iter=10).fit(X)
        assert_same(model, whole)


@pytest.mark.parametrize("place", ["growth", "push"])
def test_rows_handed_on_after_an_interrupt_fit_the_trees(monkeypatch, place):
    if place == "growth":
        interrupt(monkeypatch, at=4)
    else:
        # After the rows have moved, before the tree is known; each moves two parts.
        counts = itertools.count()
        mean = _growth.weighted_mean

        def stop(*given):
            if next(counts) == 2 * 4:
                raise KeyboardInterrupt("stop")
            return mean(*given)

        monkeypatch.setattr(_growth, "weighted_mean", stop)
    fold = fold_of(weighted=True)
    model = boosted()
    with pytest.warns(ConvergenceWarning, match="KeyboardInterrupt"):
        onwards = model._fit_rows(fold, onwards=True)
    monkeypatch.undo()
    assert model.n_iter_ == 4
    expected = fold.through(model.map_).train.values
    np.testing.assert_allclose(onwards.train.values, expected, rtol=0, atol=1e-9)


def test_an_interrupt_before_the_first_tree_goes_on(monkeypatch):
    interrupt(monkeypatch, at=0)
    model = boosted()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X)
    with pytest.raises(NotFittedError):
        model.score(X)


def test_an_interrupt_of_the_fit_on_all_rows_keeps_the_trees_of_a_fold(monkeypatch):
    model = boosted(cv=3, max_iter=6, n_iter_no_change=1000, learning_rate=0.05)
    interrupt(monkeypatch, at=3 * 6 + 2)
    with pytest.warns(ConvergenceWarning, match="first fold are kept"):
        model.fit(X)
    assert model.n_iter_ == 6
    assert np.isfinite(model.score(X_TEST))


def test_an_error_keeps_the_trees_before_it(monkeypatch):
    interrupt(monkeypatch, at=4, error=MemoryError)
    with pytest.warns(ConvergenceWarning, match="tree 5 by MemoryError"):
        model = boosted().fit(X)
    assert model.n_iter_ == 4


@pytest.mark.parametrize("changes", [{}, {"cv": 3}, {"early_stopping": False}])
def test_without_time_there_is_one_tree(changes):
    model = boosted(max_time=1e-9, **changes).fit(X)
    assert model.n_iter_ == 1
    assert np.isfinite(model.score(X_TEST))
