"""IterativeDestructor under scikit-learn's callbacks."""

import pickle

import numpy as np
import pytest
from sklearn.callback import ProgressBar
from sklearn.model_selection import GridSearchCV

from destructors.compose import (
    DestructorPipeline,
    IterativeDestructor,
    make_destructor_pipeline,
)
from destructors.linear import RandomRotation, Whitening
from destructors.marginal import SplineGaussianizer


class Recorder:
    """A callback that writes down what it is told."""

    def __init__(self, stop_at=None):
        self.stop_at = stop_at
        self.events = []
        self.models = []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.events.append(f"end {context.task_name}")
        if context.task_name in ("layer", "fit"):
            self.models.append(fitted_estimator)
        return self.events.count("end layer") == self.stop_at


class Failing(Recorder):
    def on_fit_task_end(self, estimator, context):
        raise RuntimeError("the callback fails")


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    return np.c_[x, x**2 + rng.normal(scale=0.3, size=400)]


def make_model(**params):
    layer = make_destructor_pipeline(SplineGaussianizer(), RandomRotation())
    settings = {"max_iter": 4, "early_stopping": False, "random_state": 0}
    return IterativeDestructor(layer, **(settings | params))


def test_one_task_a_layer(X):
    recorder = Recorder()
    make_model().set_callbacks(recorder).fit(X)
    name = "destructorpipeline"
    layer = ["begin layer", f"begin {name}", f"end {name}", "end layer"]
    fit = ["setup", "begin fit", *layer * 4, "end fit", "teardown"]
    assert recorder.events == fit


def test_one_task_a_candidate_in_that_of_the_layer(X):
    recorder = Recorder()
    candidates = [("spline", SplineGaussianizer()), ("whiten", Whitening())]
    model = IterativeDestructor(candidates, max_iter=1, early_stopping=False)
    model.set_callbacks(recorder).fit(X)
    tried = [
        event
        for name in ("spline", "whiten")
        for event in (f"begin {name}", f"end {name}")
    ]
    assert recorder.events[2:-2] == ["begin layer", *tried, "end layer"]


def test_callback_that_returns_true_stops(X):
    recorder = Recorder(stop_at=2)
    model = make_model().set_callbacks(recorder).fit(X)
    assert model.n_iter_ == 2
    assert recorder.events[-2:] == ["end fit", "teardown"]
    np.testing.assert_array_equal(
        model.score_samples(X), make_model(max_iter=2).fit(X).score_samples(X)
    )


def test_stopped_stack_is_cut_back_too():
    X = np.random.default_rng(0).normal(size=(300, 2))
    layer = SplineGaussianizer(n_knots=100, alpha=1e-9)
    model = IterativeDestructor(layer, random_state=0)
    model.set_callbacks(Recorder(stop_at=3)).fit(X)
    assert model.n_iter_ == np.argmax(model.validation_score_)
    assert model.n_iter_ < 3


def test_fitted_estimator_scores_as_if_the_fit_had_ended(X):
    recorder = Recorder()
    model = make_model().set_callbacks(recorder).fit(X)
    *prefixes, final = recorder.models
    for depth, prefix in enumerate(prefixes, start=1):
        assert prefix.n_iter_ == len(prefix) == depth
        np.testing.assert_array_equal(
            prefix.train_score_, model.train_score_[: depth + 1]
        )
        np.testing.assert_allclose(
            prefix.score_samples(X), model[:depth].score_samples(X)
        )
        assert prefix.sample(2, random_state=0).shape == (2, 2)
    np.testing.assert_array_equal(final.score_samples(X), model.score_samples(X))


def test_fitted_estimator_can_go_on_by_itself(X):
    recorder = Recorder()
    model = make_model(warm_start=True).set_callbacks(recorder).fit(X)
    early = recorder.models[1].set_callbacks()
    early.fit(X)
    assert early.layer_names_ == model.layer_names_
    np.testing.assert_allclose(early.train_score_, model.train_score_)
    np.testing.assert_allclose(early.score_samples(X), model.score_samples(X))


def test_with_cv_only_the_end_has_a_model_and_it_is_the_final_one(X):
    recorder = Recorder()
    model = make_model(early_stopping=True, cv=3).set_callbacks(recorder).fit(X)
    *prefixes, final = recorder.models
    assert all(prefix is None for prefix in prefixes)
    np.testing.assert_array_equal(final.score_samples(X), model.score_samples(X))


@pytest.mark.parametrize("cv", [None, 2])
def test_no_state_of_the_callbacks_stays(X, cv):
    model = make_model(cv=cv).set_callbacks(Recorder()).fit(X)
    state = set(vars(model)) - set(vars(make_model(cv=cv).fit(X)))
    assert state == {"_skl_callbacks"}
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.score_samples(X), model.score_samples(X))


def test_no_state_stays_after_an_error(X):
    model = make_model().set_callbacks(failing := Failing())
    with pytest.raises(RuntimeError, match="the callback fails"):
        model.fit(X)
    assert failing.events[-1] == "teardown"
    assert "_callback_fit_ctx" not in vars(model)


def test_callbacks_do_not_change_the_result(X):
    watched = make_model().set_callbacks(Recorder()).fit(X)
    np.testing.assert_array_equal(
        watched.score_samples(X), make_model().fit(X).score_samples(X)
    )


@pytest.mark.parametrize("cv", [None, 2])
def test_progress_bar(X, cv, capsys):
    pytest.importorskip("rich")
    model = make_model(cv=cv, early_stopping=cv is not None)
    model.set_callbacks(ProgressBar()).fit(X)
    shown = capsys.readouterr().out
    assert "IterativeDestructor" in shown
    assert "100%" in shown


def test_progress_bar_around_a_grid_search(X, capsys):
    pytest.importorskip("rich")
    search = GridSearchCV(make_model(), {"max_iter": [1, 2]}, cv=2)
    search.set_callbacks(ProgressBar()).fit(X)
    assert search.best_params_ == {"max_iter": 2}
    assert "IterativeDestructor" in capsys.readouterr().out


def test_stacks_in_stacks_and_pipelines_run_under_callbacks(X):
    # No warning that layers do not support callbacks: warnings are errors here.
    inner = make_model(max_iter=2)
    pipeline = DestructorPipeline([("whiten", Whitening()), ("stack", inner)])
    recorder = Recorder()
    outer = IterativeDestructor(pipeline, max_iter=2, early_stopping=False)
    outer.set_callbacks(recorder).fit(X)
    assert recorder.events.count("end layer") == 2
    assert recorder.models[0].n_iter_ == 1
