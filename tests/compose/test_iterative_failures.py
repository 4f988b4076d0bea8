"""IterativeDestructor when layers fail: what was fitted is kept."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from destructors.base import Destructor
from destructors.base_distributions import Uniform
from destructors.compose import IterativeDestructor, make_destructor_pipeline
from destructors.linear import RandomRotation
from destructors.maps import Identity
from destructors.marginal import SplineGaussianizer


class Unchanged(Destructor):
    def _fit(self, fold, random_state):
        return Identity()


class FailsLater(SplineGaussianizer):
    """Fits well until the given call of the process-wide counter, then raises."""

    calls = itertools.count(1)

    def __init__(self, at=3, error=RuntimeError):
        super().__init__()
        self.at = at
        self.error = error

    def _fit(self, fold, random_state):
        if next(FailsLater.calls) >= self.at:
            raise self.error("out of luck")
        return super()._fit(fold, random_state)


@dataclass(frozen=True, eq=False)
class NaNMap(Identity):
    def forward(self, X, context=None):
        Z = X.copy()
        Z[0] = np.nan
        return Z, np.zeros(len(X))


class GivesNaN(Destructor):
    def _fit(self, fold, random_state):
        return NaNMap()


@dataclass(frozen=True, eq=False)
class InfiniteMap(Identity):
    def forward(self, X, context=None):
        return X.copy(), np.full(len(X), np.inf)


class GivesInfinity(Destructor):
    def _fit(self, fold, random_state):
        return InfiniteMap()


class OnTheCube(Destructor):
    def _fit(self, fold, random_state):
        self.base_distribution_ = Uniform(fold.train.n_features)
        return Identity()


@pytest.fixture(autouse=True)
def _count_anew():
    FailsLater.calls = itertools.count(1)


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).gamma(2.0, size=(300, 2))


@pytest.fixture
def model():
    return IterativeDestructor(FailsLater(), max_iter=5, early_stopping=False)


# ---------------------------------------------------------------- one candidate


@pytest.mark.parametrize("error", [RuntimeError, ValueError, KeyboardInterrupt])
def test_layers_before_a_failure_are_kept(X, model, error):
    model.set_params(candidates__error=error)
    with pytest.warns(
        ConvergenceWarning, match=rf"layer 3 by {error.__name__}: out of luck"
    ):
        model.fit(X)
    assert model.n_iter_ == len(model) == 2
    assert len(model.train_score_) == 3
    whole = IterativeDestructor(SplineGaussianizer(), max_iter=2, early_stopping=False)
    np.testing.assert_array_equal(model.score_samples(X), whole.fit(X).score_samples(X))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_failure_of_the_first_layer_is_raised(X, model, error):
    model.set_params(candidates__at=1, candidates__error=error)
    with pytest.raises(error, match="out of luck"):
        model.fit(X)


def test_warm_start_goes_on_after_a_failure(X, model):
    model.set_params(warm_start=True, random_state=0)
    with pytest.warns(ConvergenceWarning):
        model.fit(X)
    model.set_params(candidates__at=np.inf).fit(X)
    assert model.n_iter_ == 5


def test_failure_with_early_stopping_still_cuts_back(X):
    model = IterativeDestructor(FailsLater(at=4), random_state=0)
    with pytest.warns(ConvergenceWarning, match="layer 4"):
        model.fit(X)
    assert model.n_iter_ == np.argmax(model.validation_score_)


def test_failure_in_one_fold_ends_the_growth_of_all(X):
    # Three folds a layer: the fifth fit is in the middle of the second layer, and
    # those after it, which fit the one layer again on all rows, must work.
    class FailsOnce(FailsLater):
        def _fit(self, fold, random_state):
            if next(FailsLater.calls) == 5:
                raise RuntimeError("out of luck")
            return SplineGaussianizer._fit(self, fold, random_state)

    model = IterativeDestructor(FailsOnce(), cv=3, max_iter=5, random_state=0)
    with pytest.warns(ConvergenceWarning, match="layer 2"):
        model.fit(X)
    assert model.n_iter_ == 1
    np.testing.assert_array_equal(
        model.score_samples(X), SplineGaussianizer().fit(X).score_samples(X)
    )


# ---------------------------------------------------------------- portfolio


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_candidate_that_fails_is_passed_over(X, n_jobs):
    candidates = [("bad", FailsLater(at=2)), ("good", SplineGaussianizer())]
    model = IterativeDestructor(
        candidates, max_iter=2, early_stopping=False, n_jobs=n_jobs
    )
    with pytest.warns(
        RuntimeWarning,
        match="'bad' failed at layer 2 and was passed over: RuntimeError: out of luck",
    ):
        model.fit(X)
    assert model.layer_names_ == ["bad", "good"]


def test_portfolio_of_failures_only_is_raised(X):
    candidates = [("one", FailsLater(at=1)), ("two", FailsLater(at=1))]
    with pytest.raises(RuntimeError, match="out of luck"):
        IterativeDestructor(candidates).fit(X)


@pytest.mark.parametrize("n_jobs", [None, 1, 2])
def test_interruption_is_not_a_failed_candidate(X, n_jobs):
    candidates = [
        ("good", SplineGaussianizer()),
        ("bad", FailsLater(at=2, error=KeyboardInterrupt)),
    ]
    model = IterativeDestructor(
        candidates, max_iter=5, early_stopping=False, n_jobs=n_jobs
    )
    with pytest.warns(ConvergenceWarning, match="layer 2 by KeyboardInterrupt"):
        model.fit(X)
    assert model.n_iter_ == 1


@pytest.mark.parametrize("n_jobs", [None, 1, 2])
@pytest.mark.parametrize("hidden", [False, True])
def test_an_interrupt_in_the_first_layer_keeps_what_was_fitted(X, n_jobs, hidden):
    class Interrupted(SplineGaussianizer):
        def _fit(self, fold, random_state):
            try:
                raise KeyboardInterrupt
            except KeyboardInterrupt as interrupt:
                # As a compiled kernel hands it on.
                if hidden:
                    raise SystemError("returned a result") from interrupt
                raise

    candidates = [("good", SplineGaussianizer()), ("bad", Interrupted())]
    model = IterativeDestructor(
        candidates, max_iter=5, early_stopping=False, n_jobs=n_jobs
    )
    with pytest.warns(ConvergenceWarning, match="The best layer so far is kept"):
        model.fit(X)
    assert model.layer_names_ == ["good"]


def test_infinite_likelihood_never_wins(X):
    candidates = [("infinite", GivesInfinity()), ("good", SplineGaussianizer())]
    model = IterativeDestructor(candidates, max_iter=1)
    with pytest.warns(RuntimeWarning, match="gives a log density of inf"):
        model.fit(X)
    assert model.layer_names_ == ["good"]


# ---------------------------------------------------------------- broken layers


@pytest.mark.parametrize("held_out", [False, True])
def test_candidate_that_gives_nan_never_wins(X, held_out):
    candidates = [("nan", GivesNaN()), ("good", SplineGaussianizer())]
    model = IterativeDestructor(candidates, max_iter=1, early_stopping=held_out)
    with pytest.warns(
        RuntimeWarning, match="'nan' failed .* GivesNaN gives a log density of nan"
    ):
        model.fit(X)
    assert model.layer_names_ == ["good"]


def test_single_candidate_that_gives_nan(X):
    with pytest.raises(FloatingPointError, match="GivesNaN gives a log density of nan"):
        IterativeDestructor(GivesNaN()).fit(X)


@pytest.mark.parametrize(
    "layer", [OnTheCube(), make_destructor_pipeline(RandomRotation(), OnTheCube())]
)
def test_layer_that_ends_on_another_base(X, layer):
    with pytest.raises(ValueError, match=r"must end on the standard normal.*Uniform"):
        IterativeDestructor(layer).fit(X)


def test_invalid_parameter_of_a_layer(X):
    layer = make_destructor_pipeline(SplineGaussianizer(n_knots=1))
    with pytest.raises(ValueError, match="'n_knots' parameter of SplineGaussianizer"):
        IterativeDestructor(layer).fit(X)
    with pytest.raises(ValueError, match="'n_knots' parameter of SplineGaussianizer"):
        IterativeDestructor(SplineGaussianizer(n_knots=1)).fit(X)
