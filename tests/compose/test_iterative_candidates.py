"""IterativeDestructor with several candidates: the best of them, or each in turn."""

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils import estimator_html_repr

from destructors.base import Destructor
from destructors.compose import IterativeDestructor, make_destructor_pipeline
from destructors.linear import RandomRotation, Whitening
from destructors.maps import Affine
from destructors.marginal import HistogramGaussianizer, SplineGaussianizer


class Divide(Destructor):
    """Divide every value by a number, whatever the data."""

    def __init__(self, number=2.0):
        self.number = number

    def _fit(self, fold, random_state):
        d = fold.train.n_features
        return Affine(np.zeros(d), np.full(d, self.number))


@pytest.fixture(scope="module")
def wide():
    """Rows of N(0, 24² I)."""
    return np.random.default_rng(0).normal(scale=24.0, size=(2000, 2))


@pytest.fixture(scope="module")
def mixed():
    rng = np.random.default_rng(0)
    x = rng.normal(size=800)
    return np.c_[x, x**2 + rng.normal(scale=0.3, size=800), rng.gamma(2.0, size=800)]


def real_portfolio():
    return [
        ("spline", make_destructor_pipeline(SplineGaussianizer(), RandomRotation())),
        ("histogram", make_destructor_pipeline(HistogramGaussianizer(), Whitening())),
        ("whiten", Whitening()),
    ]


# ---------------------------------------------------------------- portfolio


def test_best_of_each_iteration_is_kept(wide):
    candidates = [("half", Divide(2.0)), ("third", Divide(3.0))]
    model = IterativeDestructor(candidates).fit(wide, X_val=wide)
    # From 24 greedily down to 1: 24 / 3 = 8, 8 / 3 = 2.67, and 2.67 / 3 = 0.89 is
    # nearer than 2.67 / 2 = 1.33.
    assert model.layer_names_ == ["third", "third", "third"]
    for depth in range(3):
        scores = [
            stats.norm.logpdf(wide, scale=3.0**depth * number).sum(axis=1).mean()
            for number in (2.0, 3.0)
        ]
        assert model.validation_score_[depth + 1] == pytest.approx(max(scores))


def test_names_follow_the_choice():
    # 6 = 2 · 3: the larger step first, then the smaller.
    X = np.random.default_rng(0).normal(scale=6.0, size=(2000, 2))
    candidates = [("half", Divide(2.0)), ("third", Divide(3.0))]
    model = IterativeDestructor(candidates, random_state=0).fit(X)
    assert model.layer_names_ == ["third", "half"]
    assert [layer.number for layer in model] == [3.0, 2.0]


def test_ties_go_to_the_first(wide):
    candidates = [("one", Divide(2.0)), ("same", Divide(2.0))]
    model = IterativeDestructor(candidates, random_state=0).fit(wide)
    assert set(model.layer_names_) == {"one"}
    model = IterativeDestructor(candidates[::-1], random_state=0).fit(wide)
    assert set(model.layer_names_) == {"same"}


def test_without_held_out_rows_the_training_score_decides(wide):
    candidates = [("half", Divide(2.0)), ("third", Divide(3.0))]
    model = IterativeDestructor(candidates, early_stopping=False, max_iter=4).fit(wide)
    # From 0.89 on, halving is the lesser harm.
    assert model.layer_names_ == ["third", "third", "third", "half"]


def test_held_out_score_decides_not_the_training_score():
    rng = np.random.default_rng(0)
    X = rng.normal(scale=5.0, size=(60, 2))
    overfit = SplineGaussianizer(n_knots=60, alpha=1e-9)
    candidates = [("overfit", overfit), ("plain", Whitening())]
    model = IterativeDestructor(candidates, max_iter=1, random_state=0)
    model.fit(X, X_val=rng.normal(scale=5.0, size=(2000, 2)))
    assert model.layer_names_ == ["plain"]
    assert overfit.fit(X).score(X) > Whitening().fit(X).score(X)


def test_portfolio_is_deterministic(mixed):
    model = IterativeDestructor(real_portfolio(), max_iter=4, random_state=3)
    one, same = clone(model).fit(mixed), clone(model).fit(mixed)
    assert one.layer_names_ == same.layer_names_
    np.testing.assert_array_equal(one.score_samples(mixed), same.score_samples(mixed))


@pytest.mark.parametrize("selection", ["best", "cycle"])
@pytest.mark.parametrize("cv", [None, 3])
def test_n_jobs_does_not_change_the_result(mixed, selection, cv):
    model = IterativeDestructor(
        real_portfolio(), selection=selection, cv=cv, max_iter=4, random_state=0
    )
    one, two = clone(model).fit(mixed), clone(model).set_params(n_jobs=2).fit(mixed)
    assert one.layer_names_ == two.layer_names_
    np.testing.assert_array_equal(one.validation_score_, two.validation_score_)
    np.testing.assert_array_equal(one.score_samples(mixed), two.score_samples(mixed))


def test_another_candidate_does_not_change_the_seed_of_the_first(mixed):
    # A candidate that never wins leaves the stack as it was without it.
    layer = make_destructor_pipeline(SplineGaussianizer(), RandomRotation())
    settings = {"max_iter": 3, "early_stopping": False, "random_state": 0}
    alone = IterativeDestructor([("a", layer)], **settings).fit(mixed)
    beside = IterativeDestructor([("a", layer), ("b", Divide(9.0))], **settings)
    np.testing.assert_array_equal(
        alone.score_samples(mixed), beside.fit(mixed).score_samples(mixed)
    )


# ---------------------------------------------------------------- cycle


def test_cycle_takes_candidates_in_turn(wide):
    candidates = [("half", Divide(2.0)), ("third", Divide(3.0))]
    model = IterativeDestructor(
        candidates, selection="cycle", max_iter=5, early_stopping=False
    )
    assert model.fit(wide).layer_names_ == ["half", "third", "half", "third", "half"]


def test_cycle_stops_early_too(wide):
    candidates = [("half", Divide(2.0)), ("third", Divide(3.0))]
    model = IterativeDestructor(candidates, selection="cycle", random_state=0).fit(wide)
    # 24 / (2 · 3 · 2) = 2, and a third of that is nearer to 1 than 2 is.
    assert model.layer_names_ == ["half", "third", "half", "third"]


# ---------------------------------------------------------------- parameters


def test_parameters_are_reached_by_name(mixed):
    model = IterativeDestructor(real_portfolio(), max_iter=2)
    model.set_params(spline__splinegaussianizer__n_knots=5, whiten="drop", tol=0.5)
    assert model.get_params()["spline__splinegaussianizer__n_knots"] == 5
    assert model.candidates[2] == ("whiten", "drop")
    assert model.tol == 0.5
    with pytest.raises(
        TypeError, match=r"'whiten' must be a Destructor, or .* str is no transformer"
    ):
        model.fit(mixed)


def test_list_and_its_parameters_can_be_set_together():
    model = IterativeDestructor(Whitening())
    model.set_params(candidates=real_portfolio(), whiten__method="zca")
    assert model.candidates[2][1].method == "zca"


def test_grid_search_over_a_candidates_parameter(wide):
    model = IterativeDestructor([("divide", Divide())], max_iter=1, random_state=0)
    search = GridSearchCV(model, {"divide__number": [2.0, 24.0, 300.0]}, cv=2)
    assert search.fit(wide).best_params_ == {"divide__number": 24.0}


@pytest.mark.parametrize(
    ("candidates", "error", "message"),
    [
        ([], ValueError, "candidates is empty"),
        ([("a", Divide()), ("a", Divide())], ValueError, "not unique"),
        ([("a__b", Divide())], ValueError, "must not contain __"),
        ([("tol", Divide())], ValueError, "conflict with constructor"),
        ([Divide()], TypeError, r"must be a \(name, destructor\) tuple"),
        ([("class", Divide)], TypeError, "'class' must be a Destructor"),
        ("spline", ValueError, "'candidates' parameter of IterativeDestructor"),
    ],
)
def test_bad_candidates(wide, candidates, error, message):
    with pytest.raises(error, match=message):
        IterativeDestructor(candidates).fit(wide)


@pytest.mark.parametrize(
    "params",
    [
        {"selection": "worst"},
        {"max_iter": 0},
        {"n_iter_no_change": 0},
        {"tol": -1.0},
        {"cv": 1},
        {"early_stopping": "auto"},
    ],
)
def test_bad_parameters(wide, params):
    with pytest.raises(ValueError, match=f"'{next(iter(params))}' parameter"):
        IterativeDestructor(Divide(), **params).fit(wide)


def test_html_repr_shows_the_candidates():
    text = estimator_html_repr(IterativeDestructor(real_portfolio()))
    for name in ("spline", "histogram", "whiten"):
        assert name in text
