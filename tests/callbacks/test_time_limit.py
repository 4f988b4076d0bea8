"""TimeLimit: a fit ends after some time, with what there is."""

import pickle
import time
from types import SimpleNamespace
from uuid import uuid4

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from destructors.callbacks import TimeLimit
from destructors.compose import make_destructor_pipeline
from destructors.flows import RBIG
from destructors.linear import Whitening
from destructors.mixture import GaussianMixtureDestructor
from destructors.tree import BoostedTreeDestructor

X = np.random.default_rng(0).gamma(2.0, size=(300, 2))
# Over before the first step ends; what there is then is one step.
AT_ONCE = 1e-9


def stack(**params):
    return RBIG(max_iter=3, early_stopping=False, random_state=0, **params)


@pytest.mark.parametrize(
    ("model", "count"),
    [
        (stack(), lambda model: model.n_iter_),
        (
            BoostedTreeDestructor(max_iter=9, early_stopping=False),
            lambda model: model.n_iter_,
        ),
        (GaussianMixtureDestructor(5, tol=0.0), lambda model: model.n_iter_),
        (
            make_destructor_pipeline(Whitening(), stack()),
            lambda model: model[1].n_iter_,
        ),
    ],
    ids=["layers", "trees", "EM", "pipeline"],
)
def test_a_fit_ends_after_the_step_that_is_being_taken(model, count):
    model = clone(model).set_callbacks(TimeLimit(AT_ONCE)).fit(X)
    assert count(model) == 1
    assert np.isfinite(model.score(X))


def test_enough_time_changes_nothing():
    limited = stack().set_callbacks(TimeLimit(1e6)).fit(X)
    np.testing.assert_array_equal(
        limited.score_samples(X), stack().fit(X).score_samples(X)
    )


def test_the_shorter_of_two_limits_counts():
    model = stack(max_time=1e6).set_callbacks(TimeLimit(AT_ONCE)).fit(X)
    assert model.n_iter_ == 1
    model = stack(max_time=AT_ONCE).set_callbacks(TimeLimit(1e6)).fit(X)
    assert model.n_iter_ == 1


def test_a_search_is_limited_as_a_whole():
    limit = TimeLimit(AT_ONCE)
    search = GridSearchCV(stack(), {"max_iter": [2, 3]}, cv=2)
    search.set_callbacks(limit).fit(X)
    assert search.best_estimator_.n_iter_ == 1
    assert not limit._ends


def test_the_clock_runs_from_the_outermost_fit():
    class Slow(StandardScaler):
        def fit(self, X, y=None, sample_weight=None):
            time.sleep(0.2)
            return super().fit(X)

    pipeline = make_pipeline(Slow(), stack())
    pipeline.set_callbacks(TimeLimit(0.1)).fit(X)
    assert pipeline[1].n_iter_ == 1


def test_another_process_knows_when_the_outermost_fit_began():
    limit = TimeLimit(0.1)
    outer = SimpleNamespace(root_uuid=uuid4())
    limit.setup(None, outer)
    inner = stack()
    inner._parent_callback_ctx = outer
    time.sleep(0.1)
    assert pickle.loads(pickle.dumps(limit)).seconds_left(inner) <= 0.0
    limit.teardown(None, outer)
    assert limit.seconds_left(inner) == 0.1


def test_it_is_cloned_and_pickled_with_its_estimator():
    model = pickle.loads(pickle.dumps(stack().set_callbacks(TimeLimit(AT_ONCE))))
    assert clone(model).fit(X).n_iter_ == 1
    # Used again, it begins anew.
    assert model.fit(X).fit(X).n_iter_ == 1


@pytest.mark.parametrize("seconds", [0, -3, np.inf, np.nan])
def test_nonsense_is_refused(seconds):
    with pytest.raises(ValueError, match="seconds must be positive and finite"):
        TimeLimit(seconds)


@pytest.mark.parametrize("seconds", ["60", None, True])
def test_what_is_no_number_is_refused(seconds):
    with pytest.raises(TypeError, match="seconds must be a number"):
        TimeLimit(seconds)
