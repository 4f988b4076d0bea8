"""IterativeDestructor: depth by cross-validation, and growth that goes on."""

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.model_selection import KFold, PredefinedSplit

from destructors.base import Destructor
from destructors.compose import IterativeDestructor, make_destructor_pipeline
from destructors.linear import RandomRotation
from destructors.maps import Affine
from destructors.marginal import SplineGaussianizer


class Halve(Destructor):
    """Halve every value, and remember how many rows there were."""

    def _fit(self, fold, random_state):
        self.n_rows_ = len(fold.train)
        d = fold.train.n_features
        return Affine(np.zeros(d), np.full(d, 2.0))


@pytest.fixture(scope="module")
def wide():
    """Rows of N(0, 8² I): three halvings make them standard normal."""
    return np.random.default_rng(0).normal(scale=8.0, size=(999, 2))


@pytest.fixture(scope="module")
def curved():
    rng = np.random.default_rng(0)
    x = rng.normal(size=600)
    return np.c_[x, x**2 + rng.normal(scale=0.3, size=600)]


def rotated_splines():
    return make_destructor_pipeline(SplineGaussianizer(), RandomRotation())


SPLITS = {
    "int": 3,
    "generator": KFold(3),
    "iterable": list(KFold(3, shuffle=True, random_state=0).split(np.zeros((999, 1)))),
    "one-split": PredefinedSplit(np.where(np.arange(999) < 333, 0, -1)),
}


# ---------------------------------------------------------------- cross-validation


@pytest.mark.parametrize("cv", SPLITS.values(), ids=SPLITS)
def test_depth_is_chosen_on_held_out_rows_and_refitted_on_all(wide, cv):
    model = IterativeDestructor(Halve(), cv=cv, random_state=0).fit(wide)
    assert model.n_iter_ == 3
    assert [layer.n_rows_ for layer in model] == [999, 999, 999]


def test_score_is_the_mean_over_the_folds(wide):
    folds = list(KFold(3).split(wide))
    model = IterativeDestructor(Halve(), cv=folds).fit(wide)
    for depth in range(4):
        log_density = stats.norm.logpdf(wide, scale=2.0**depth).sum(axis=1)
        held_out = np.mean([log_density[test].mean() for _, test in folds])
        train = np.mean([log_density[train].mean() for train, _ in folds])
        assert model.validation_score_[depth] == pytest.approx(held_out)
        assert model.train_score_[depth] == pytest.approx(train)


def test_depth_is_that_of_the_best_mean_not_of_one_fold(wide):
    # Rows of another scale fill one fold: by the others three layers would be best.
    X = wide.copy()
    X[:333] *= 8.0
    model = IterativeDestructor(Halve(), cv=KFold(3), n_iter_no_change=3).fit(X)
    mean_scores = [
        stats.norm.logpdf(X, scale=2.0**depth).sum(axis=1).mean() for depth in range(9)
    ]
    assert model.n_iter_ == np.argmax(mean_scores) > 3


def test_refitted_layers_are_those_of_all_rows(curved):
    model = IterativeDestructor(SplineGaussianizer(), cv=3, max_iter=1).fit(curved)
    np.testing.assert_allclose(
        model.score_samples(curved),
        SplineGaussianizer().fit(curved).score_samples(curved),
    )


def test_weights_count_as_repeated_rows(curved):
    weight = np.random.default_rng(0).integers(0, 3, size=len(curved))
    model = IterativeDestructor(rotated_splines(), cv=3, max_iter=3, random_state=0)
    weighted = clone(model).fit(curved, sample_weight=weight)
    repeated = clone(model).fit(np.repeat(curved, weight, axis=0))
    np.testing.assert_allclose(
        weighted.score_samples(curved), repeated.score_samples(curved)
    )


def test_split_indices_count_rows_of_weight_zero(wide):
    weight = np.ones(len(wide))
    weight[::2] = 0.0
    folds = list(KFold(3).split(wide))
    model = IterativeDestructor(Halve(), cv=folds).fit(wide, sample_weight=weight)
    log_density = stats.norm.logpdf(wide).sum(axis=1)
    expected = [np.average(log_density[t], weights=weight[t]) for _, t in folds]
    assert model.validation_score_[0] == pytest.approx(np.mean(expected))
    assert model[0].n_rows_ == 499


def test_given_held_out_rows_go_before_cv(wide):
    model = IterativeDestructor(Halve(), cv=3).fit(wide, X_val=wide[:100])
    log_density = stats.norm.logpdf(wide).sum(axis=1)
    assert model.validation_score_[0] == pytest.approx(log_density[:100].mean())


# ---------------------------------------------------------------- warm start


@pytest.mark.parametrize("cv", [None, 3])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_three_layers_and_then_six_are_six(curved, cv, early_stopping):
    model = IterativeDestructor(
        rotated_splines(), cv=cv, early_stopping=early_stopping, random_state=0
    )
    at_once = clone(model).set_params(max_iter=6).fit(curved)
    model.set_params(warm_start=True, max_iter=3).fit(curved)
    first = model.layers_[0]
    model.set_params(max_iter=6).fit(curved)
    assert model.n_iter_ == at_once.n_iter_
    np.testing.assert_allclose(model.train_score_, at_once.train_score_)
    np.testing.assert_allclose(model.validation_score_, at_once.validation_score_)
    np.testing.assert_allclose(
        model.score_samples(curved), at_once.score_samples(curved)
    )
    if cv is None:
        assert model.layers_[0] is first


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
def test_held_out_rows_stay_the_same(wide, random_state):
    model = IterativeDestructor(
        Halve(), max_iter=1, warm_start=True, random_state=random_state
    ).fit(wide)
    scores = model.set_params(max_iter=3).fit(wide).validation_score_
    # Each score tells the mean square of the rows that it was taken on.
    depth = np.arange(4)
    log_scale = 2 * depth * np.log(2.0) + np.log(2 * np.pi)
    squares = -2 * (scores + log_scale) * 4.0**depth
    np.testing.assert_allclose(squares, squares[0])


def test_a_stack_that_is_done_stays_as_it_is(wide):
    model = IterativeDestructor(Halve(), warm_start=True, random_state=0).fit(wide)
    layers = list(model.layers_)
    model.fit(wide)
    assert model.layers_ == layers


def test_without_warm_start_fit_starts_anew(wide):
    model = IterativeDestructor(Halve(), max_iter=2, random_state=0).fit(wide)
    first = model.layers_[0]
    assert model.fit(wide).layers_[0] is not first


def test_early_stopping_can_begin_on_the_way(wide):
    model = IterativeDestructor(
        Halve(), max_iter=2, early_stopping=False, warm_start=True, random_state=0
    ).fit(wide)
    model.set_params(max_iter=20, early_stopping=True).fit(wide)
    assert model.n_iter_ == 3
    assert np.isfinite(model.validation_score_).all()


def test_early_stopping_can_end_on_the_way(wide):
    model = IterativeDestructor(Halve(), warm_start=True, random_state=0).fit(wide)
    model.set_params(max_iter=5, early_stopping=False).fit(wide)
    assert model.n_iter_ == 5


def test_warm_start_on_another_width(wide):
    model = IterativeDestructor(Halve(), warm_start=True).fit(wide)
    with pytest.raises(ValueError, match="X has 1 features"):
        model.fit(wide[:, :1])
